"""A log is read in one pass, whatever wrote it and whatever is in it."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from ckpt_tui.core.errors import Cancelled
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.diagnose.log import CONTEXT_LINES, LogReading, read_log
from ckpt_tui.diagnose.log_lines import Severity, parse_line
from ckpt_tui.diagnose.log_quotes import quoted_lines

HEADER = b"""(00.000000) Will dump/restore TCP connections
(00.000010) Parsing config file /etc/criu/runc.conf
(00.000042) Version: 3.16.1 (gitid 0af5702)
(00.000046) Running on cloud0 Linux 5.4.0-109-generic #123-Ubuntu SMP Fri Apr 8 2022 x86_64
(00.000300) Reading image tree
"""
FAILED = b"""(00.05)      7: Error (criu/files-reg.c:1): File a has bad size 1 (expect 2)
(00.06) Error (criu/cr-restore.c:2): Restoring FAILED.
"""
SUCCEEDED = b"(00.150000) Restore finished successfully. Tasks resumed.\n"


def read(data: bytes) -> LogReading:
    return read_log(BytesWindow(data), quiet())


def errors(reading: LogReading) -> list[str]:
    return [line.message for line in reading.lines if line.severity is Severity.ERROR]


class MadeWindow:
    """A window whose bytes are made when read: a repeated body, then an end."""

    def __init__(self, head: bytes, body: bytes, times: int, end: bytes) -> None:
        self.parts = (head, body, end)
        self.size = len(head) + len(body) * times + len(end)
        self.longest_read = 0

    def read(self, offset: int, length: int) -> bytes:
        head, body, end = self.parts
        self.longest_read = max(self.longest_read, length)
        out = bytearray()
        length = min(length, self.size - offset)
        while len(out) < length:
            at = offset + len(out)
            if at < len(head):
                out += head[at:]
            elif at < self.size - len(end):
                out += body[(at - len(head)) % len(body) :][: self.size - len(end) - at]
            else:
                out += end[at - self.size + len(end) :]
        return bytes(out[:length])


def test_header_facts_are_read() -> None:
    attempt = read(HEADER + FAILED).attempt
    assert (attempt.header.criu, attempt.header.gitid) == ("3.16.1", "0af5702")
    assert (attempt.header.kernel, attempt.header.arch) == ("5.4.0-109-generic", "x86_64")
    assert attempt.header.options == ("tcp-established", "config /etc/criu/runc.conf")
    assert (attempt.action, attempt.outcome) == ("restore", "failed")


def test_header_glued_to_another_line_is_read() -> None:
    glued = HEADER.replace(b"runc.conf\n", b"runc.conf will not be used.")
    assert read(glued + FAILED).attempt.header.criu == "3.16.1"


@pytest.mark.parametrize(
    "prefix", [b"Jul 12 07:05:08 node1 criu[33]: ", b"2024-05-06T13:45:49.617Z stderr F "]
)
def test_prefixes_of_journals_are_passed_over(prefix: bytes) -> None:
    data = b"".join(prefix + line + b"\n" for line in (HEADER + SUCCEEDED).splitlines())
    attempt = read(data).attempt
    assert (attempt.header.criu, attempt.outcome) == ("3.16.1", "succeeded")


def test_last_of_two_attempts_counts() -> None:
    reading = read(HEADER + FAILED + HEADER + SUCCEEDED)
    assert (reading.attempt.number, reading.attempt.count) == (2, 2)
    assert reading.attempt.first_line == 8
    assert errors(reading) == []


@pytest.mark.parametrize("last", [HEADER, HEADER[HEADER.index(b"(00.000042)") :]])
def test_what_attempts_that_are_over_said_is_passed_over(last: bytes) -> None:
    many = 50
    over = b"".join(
        HEADER + b"(00.05) Error (a.c:1): %s\n" % (b"ab" * number) for number in range(1, many)
    )
    said = b"(00.04)   7: Error (b.c:2): said by the last\n(00.05) Warn  (b.c:3): and this\n"
    reading = read(over + last + said)
    assert (reading.attempt.number, reading.attempt.count) == (many, many)
    assert [line.message for line in reading.lines] == ["said by the last", "and this"]
    assert reading.attempt.first_line == over.count(b"\n") + 1
    assert (reading.attempt.header.criu, reading.attempt.outcome) == ("3.16.1", "unfinished")


def test_a_version_that_is_only_spoken_of_ends_no_attempt() -> None:
    spoken = b"".join(b"Error: cannot read 'Version: 3.%d' of it\n" % n for n in range(3))
    reading = read(HEADER + b"(00.04) Error (a.c:1): the first\n" + spoken)
    assert errors(reading) == ["the first"]


def test_time_jumping_back_begins_an_attempt_without_a_header() -> None:
    first = b"(00.002) nothing\n(00.050000) Error (a.c:1): first\n"
    reading = read(first + b"(00.000000) begin\n(00.020000) Error (a.c:1): second\n")
    assert errors(reading) == ["second"]


def test_times_out_of_order_by_a_little_do_not() -> None:
    reading = read(b"(00.000052) Error (a.c:1): first\n(00.000050) Error (b.c:1): second\n")
    assert errors(reading) == ["first", "second"]


def test_lines_of_an_engine_before_the_log_are_kept() -> None:
    reading = read(b"Error: CRIU restoring failed -52. Please check\n" + HEADER + FAILED)
    assert reading.lines[0].text.startswith("Error: CRIU")


def test_carriage_returns_colours_and_nuls_are_taken_off() -> None:
    line = b"\x1b[31m(00.05) Error (criu/a.c:1): \x1b[1mbad\x00ly done\x1b[0m\r\n"
    assert errors(read(line)) == ["badly done"]


def test_wrapped_restorer_lines_are_joined_past_other_tasks() -> None:
    data = (
        b"(00.18)pie: 1: Error (criu/pie/restorer.c:273): Unable to restore capabil>\n"
        b"(00.18)pie: 2: something of another task\n"
        b"(00.18)pie: 1: ities: -1\n"
    )
    assert errors(read(data)) == ["Unable to restore capabilities: -1"]


def test_wrapped_line_across_pieces_of_the_file_is_joined() -> None:
    filler = b"(00.10) filler filler filler filler\n" * 30000
    data = filler[: (1 << 20) - 60] + (
        b"\n(00.18) pie: 1: Error (criu/pie/restorer.c:273): Unable to restore capabil>\n"
        b"(00.18) pie: 1: ities: -1\n"
    )
    assert errors(read(data)) == ["Unable to restore capabilities: -1"]


def test_line_numbers_hold_across_pieces() -> None:
    lines = [b"(00.10) line"] * 200_000
    lines[123_455] = b"(00.10) Error (a.c:1): here"
    reading = read(b"\n".join(lines))
    assert [line.number for line in reading.lines] == [123_456]
    assert reading.line_count == 200_000


def test_context_holds_the_lines_before_an_error() -> None:
    data = b"".join(b"(00.01) step %d\n" % n for n in range(50)) + b"(00.02) Error (a.c:1): oh\n"
    context = read(data).contexts[51]
    assert len(context) == CONTEXT_LINES
    assert context[-1] == "(00.01) step 49"


def test_quoted_log_in_one_line_is_split() -> None:
    text = 'time="x" level=error msg="criu failed: type NOTIFY errno 0\\nlog file: /a/b"'
    assert quoted_lines(text)[1] == "log file: /a/b"
    line = read(b'level=warning msg="7:(10.000780) Error (criu/cr-dump.c:1): Timeout"\n').lines[0]
    assert (line.message, line.severity) == ("Timeout", Severity.ERROR)


def test_log_of_any_length_is_read_in_little_memory() -> None:
    body = b"(00.066000) pie: 1: Preadv 0x400000:4096... (15 iovs)\n" * 1000
    window = MadeWindow(HEADER, body, 2000, FAILED)
    assert window.size > 100 << 20
    reading = read_log(window, quiet())
    assert reading.line_count == 5 + 2_000_000 + 2
    assert len(reading.lines) == 2
    assert window.longest_read <= 1 << 20


def test_flood_of_errors_keeps_the_first_ones() -> None:
    body = b"".join(b"(00.05) Error (a.c:%d): lost page %d\n" % (n, n) for n in range(50_000))
    reading = read(b"(00.04) Error (a.c:1): the first\n" + body + FAILED)
    assert errors(reading)[0] == "the first"
    assert len(reading.lines) < 1000
    assert reading.attempt.outcome == "failed"


def test_what_is_new_in_a_flood_is_seen() -> None:
    known = b"".join(b"(10.%06d) Error (a.c:%d): lost page %d\n" % (n, n, n) for n in range(30_000))
    other = b"(20.000000)     7: Error (b.c:1): another one\n"
    assert "another one" in errors(read(known + other + known))
    engines = b"".join(b"time=%d level=info msg=again\n" % n for n in range(30_000))
    assert "another one" in errors(read(engines + other + engines))


def test_flood_of_errors_that_all_differ_leaves_first_last_and_end() -> None:
    names = [bytes([97 + n % 26, 97 + n // 26 % 26, 97 + n // 676]) * 9 for n in range(17_000)]
    flood = b"".join(b"(10.000001) Error (a.c:1): no %s\n" % name for name in names)
    found = read(flood + SUCCEEDED.replace(b"00.15", b"99.15") + flood)
    assert found.attempt.outcome == "succeeded"
    assert errors(found)[0] == "no " + names[0].decode()
    assert errors(found)[-1] == "no " + names[-1].decode()
    assert len(found.lines) < 1000


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"\n\n\n", b"\x00" * (3 << 20), bytes(range(256)) * 9000, b"(" * (2 << 20)],
    ids=["empty", "newline", "newlines", "zeros", "binary", "one long line"],
)
def test_what_is_no_log_is_read_without_a_finding(data: bytes) -> None:
    reading = read(data)
    assert errors(reading) == []
    assert reading.attempt.outcome == "unknown"


def test_error_at_the_start_of_a_very_long_line_is_cut() -> None:
    reading = read(b"Error (a.c:1): " + b"x" * (5 << 20) + b"\n" + FAILED)
    assert errors(reading)[1].startswith("File a")
    assert len(reading.lines[0].text) <= 4096


def test_stream_reads_as_a_window_does() -> None:
    data = HEADER + FAILED
    assert read_log(io.BytesIO(data), quiet()) == read(data)


def test_reading_can_be_given_up() -> None:
    with pytest.raises(Cancelled):
        read_log(BytesWindow(HEADER), Progress(cancelled=lambda: True))


def test_reading_tells_how_far_it_is() -> None:
    told: list[tuple[str, int, int | None]] = []
    report: Callable[[str, int, int | None], None] = lambda *step: told.append(step)  # noqa: E731
    progress = Progress(report=report)
    read_log(BytesWindow(HEADER), progress)
    assert told[0] == ("reading the log", 0, len(HEADER))
    assert progress.done == len(HEADER)


@pytest.mark.parametrize(
    ("text", "pid", "file", "message"),
    [
        ("(00.02)     17: Error (criu/a-b.c:9): net: no", 17, "criu/a-b.c", "net: no"),
        ("  565: Error (files-reg.c:1): no", 565, "files-reg.c", "no"),
        ("(00.1) pie: 6: Error (criu/pie/restorer.c:180): no", 6, "criu/pie/restorer.c", "no"),
        ("pie: Error (pie/restorer.c:1): no", None, "pie/restorer.c", "no"),
        ("(100.12345) Error (cuda_plugin.c:4): no", None, "cuda_plugin.c", "no"),
    ],
)
def test_heads_of_all_versions(text: str, pid: int | None, file: str, message: str) -> None:
    line = parse_line(1, text)
    assert (line.pid, line.file, line.message) == (pid, file, message)
    assert line.severity is Severity.ERROR
