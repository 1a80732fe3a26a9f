"""Excerpts judged before the doctor saw them, as they are and as people paste them."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.diagnose.doctor import LogDiagnosis, diagnose_log
from ckpt_tui.diagnose.log import read_log

HERE = Path(__file__).parent
EXPECTED = [
    tuple(r.split("\t")) for r in (HERE / "blind/expected.tsv").read_text().splitlines()[1:]
]
EXCERPTS = sorted([*(HERE / "blind").glob("*.log"), *(HERE / "cases").glob("*.log")])
END = "(00.9) Error (criu/cr-restore.c:2331): Restoring FAILED.\n"


def diagnose(log: str) -> LogDiagnosis:
    return diagnose_log(read_log(BytesWindow(log.encode()), quiet()))


def root(log: str) -> str | None:
    cause = diagnose(log).root_cause
    return cause.id if cause else None


@pytest.mark.parametrize(("log", "cause"), [(row[0], row[1]) for row in EXPECTED])
def test_excerpt_gets_the_cause_its_thread_gave(log: str, cause: str) -> None:
    expected = {"none": "unmatched", "healthy": None}.get(cause, cause)
    assert root((HERE / "blind" / log).read_text()) == expected


def each(change: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: "".join(change(line) + "\n" for line in text.split("\n") if line)


def broken(width: int) -> Callable[[str], str]:
    return each(lambda s: "\n".join(s[i : i + width] for i in range(0, len(s), width)))


def in_json(line: str) -> str:
    return json.dumps({"log": line + "\n", "stream": "stderr"})


def in_a_warning(line: str) -> str:
    return f'time="2026-02-20T12:05:14Z" level=warning msg={json.dumps("298:" + line)}'


PASTED: dict[str, tuple[Callable[[str], str], set[str]]] = {
    "without times": (each(lambda s: re.sub(r"\(\d+\.\d+\) ?", "", s)), set()),
    "podman": (each(lambda s: "2026-03-04T10:11:12.123456789Z: " + s), {"016", "303"}),
    "journal": (each(lambda s: "Nov 24 05:09:36 node1 podman[12345]: " + s), {"016", "303"}),
    "kubernetes": (each(lambda s: "2024-05-06T13:45:49.617593Z stderr F " + s), {"016", "303"}),
    "compose": (each(lambda s: "restore-1  | " + s), {"016", "303"}),
    "CRLF": (lambda text: text.replace("\n", "\r\n"), set()),
    "quoted twice": (each(lambda s: "> > " + s), set()),
    "indented": (each(lambda s: "    " + s), set()),
    "fenced": (lambda text: f"```\n{text}```\n", set()),
    "in backticks": (each(lambda s: f"`{s}`"), {"016", "303"}),
    "bold": (each(lambda s: f"**{s}**"), {"016", "303"}),
    "HTML": (html.escape, set()),
    "curly quotes": (lambda text: text.replace("'", "\u2019"), set()),
    "80 columns": (broken(80), {"006", "117"}),
    "132 columns": (broken(132), {"016", "169"}),
    "bytes of Python": (each(lambda s: f"2023-12-28T07:09:22.4Z {s.encode()!r}"), {"016", "303"}),
    "JSON": (each(in_json), {"016", "018", "085", "201", "303"}),
    "runc's warnings": (each(in_a_warning), {"016", "018", "085", "201", "303"}),
    "grep": (each(lambda s: "1606:" + s), {"016", "303"}),
}
"""How excerpts are pasted, and the ones that it makes hard to read: those that came broken."""


@pytest.mark.parametrize("way", PASTED)
def test_pasted_excerpt_keeps_its_cause(way: str) -> None:
    change, hard = PASTED[way]
    texts = {path.stem: path.read_text() for path in EXCERPTS if path.stem not in hard}
    changed = {n: root(change(text)) for n, text in texts.items()}
    assert {n: c for n, c in changed.items() if c != root(texts[n])} == {}


def test_lines_that_lost_their_ends_are_told_apart() -> None:
    log = (
        "criu failed: (00.100001) Error (criu/tty.c:1435): tty: No task found with sid 5001 "
        "(00.100002)   7: Error (criu/files.c:1): Unable to open fd=0 id=0x2 " + END
    )
    found = diagnose(log)
    assert found.root_cause is not None
    assert found.root_cause.id == "tty-no-task-sid"
    assert [note.id for note in found.cascade] == ["fd-open-failed"]


def test_lines_that_criu_did_not_end_are_told_apart() -> None:
    link = "(00.345771)      1: Error (net.c:488): can not restore link"
    assert root(link + "(00.351784) Error (cr-restore.c:1895): Restoring FAILED.\n") == (
        "net-link-restore"
    )
    found = diagnose(link + "Error (criu/cr-restore.c:1770): Restoring FAILED.\n")
    assert (found.root_cause is not None and found.root_cause.id) == "net-link-restore"
    assert found.attempt.outcome == "failed"


def test_many_spaces_between_two_errors_take_no_time() -> None:
    log = "x Error (criu/a.c:1): a" + " " * 200_000 + "Error (criu/b.c:1): b\n"
    assert root(log) == "unmatched"


def test_error_without_a_source_file_is_one_if_criu_wrote_it() -> None:
    message = "Error: tty: Don't have tty to inherit session from, aborting\n"
    assert root("(00.018051)  33670: " + message) == "tty-no-inherit"
    assert root("  33670: " + message) == "tty-no-inherit"
    assert diagnose(message).attempt.outcome == "unknown"


def test_unknown_error_is_shown_under_the_step_it_stopped() -> None:
    log = (
        "(00.1) Doing this\n"
        "(00.2)     7: Error (criu/strange.c:1): what happened\n"
        "(00.2)     7: Error (criu/files.c:1196): Unable to open fd=29 id=0x40\n"
    )
    cause = diagnose(log + END).root_cause
    assert cause is not None
    assert (cause.id, cause.line, cause.confidence) == ("fd-open-failed", 2, "possible")
    assert cause.context == ("(00.1) Doing this",)
    killed = "(00.3) Error (criu/cr-restore.c:1): 7 killed by signal 9: Killed\n"
    assert root(log.split("(00.2)     7: Error (criu/files")[0] + killed + END) == "unmatched"


def test_what_criu_check_complains_of_is_no_cause_where_all_looks_good() -> None:
    check = "Error (criu/cr-check.c:929): TCP_REPAIR can't be enabled for half-closed sockets\n"
    good = "Looks good but some kernel features are missing\n"
    dump = "Error (criu/tty.c:1): tty: No task found with sid 5001\n"
    assert root(check) == "tcp-repair-unavailable"
    assert root(check + good) is None
    assert root(check + good + dump + END) == "tty-no-task-sid"
    assert root(dump + check + good) == "tty-no-task-sid"
    assert root(good + check) == "tcp-repair-unavailable"


def test_error_of_an_engine_counts_where_criu_said_nothing() -> None:
    said = "Error response from daemon: something that nobody knows\n"
    cause = diagnose("$ docker start --checkpoint a b\n" + said).root_cause
    assert cause is not None
    assert (cause.id, cause.line, cause.confidence) == ("unmatched", 2, "possible")
    assert cause.cause == "An engine reports it; CRIU's own log is not here."
    assert root(said + "(00.373995) Dumping finished successfully\n") is None
    assert root(said + "(00.1) Warn  (criu/tty.c:1): something\n") is None
    assert root("a program's own error\n") is None


def test_what_was_put_between_letters_does_not_hide_a_cause() -> None:
    error = "Error (criu/namespaces.c:463): Can't dump nested pid namespace for "
    assert root(error + "**3989**\n") == "nested-namespace"
    assert root(error.replace("nested", "ne     sted") + "3989\n") == "nested-namespace"
    assert root(error.replace("nested", "ne     st") + "3989\n") == "unmatched"


def test_failure_at_the_very_end_names_the_error_that_led_to_it() -> None:
    log = (
        "(05.1) Error (criu/strange.c:1): what happened\n"
        "(05.2) Error (criu/cr-restore.c:2222): Can't catch all tasks\n"
        "(05.3) Error (criu/cr-restore.c:2297): Killing processes because of failure on restore.\n"
    )
    cause = diagnose(log + END).root_cause
    assert cause is not None
    assert (cause.id, cause.line, cause.confidence) == ("restore-late-failure", 1, "possible")


def test_what_probes_complain_of_counts_only_alone() -> None:
    probe = (
        "Error (criu/uffd.c:231): uffd: Lazy pages are not available: Function not implemented\n"
    )
    device = "Error (criu/files-ext.c:96): Can't dump file 0 of that type [20620] (chr 4:64)\n"
    assert root(probe) == "lazy-pages"
    assert root(probe + device) == "fd-device-unsupported"
    tun = "(00.1) Error (criu/tun.c:85): tun: Unable to create tun: No such file or directory\n"
    assert root(tun) is None
    assert root(tun + END) == "tun-device"


def test_warning_of_a_refused_trace_counts_where_nothing_else_tells() -> None:
    log = (
        "Warn  (ptrace.c:81): Unable to interrupt task: 8568 (Operation not permitted)\n"
        "Error (ptrace.c:53): Unable to detach from 8568: No such process\n"
        "Error (cr-dump.c:1578): Dumping FAILED.\n"
    )
    cause = diagnose(log).root_cause
    assert cause is not None
    assert (cause.id, cause.confidence) == ("ptrace-busy", "likely")
