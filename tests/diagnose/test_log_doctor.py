"""The doctor names one root cause, and none where nothing failed."""

from __future__ import annotations

import gzip
import json
import tarfile
from pathlib import Path

import pytest

from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.diagnose.doctor import LogDiagnosis, diagnose_log, to_json
from ckpt_tui.diagnose.log import read_log
from ckpt_tui.diagnose.where import LOG_PLACES, log_places
from ckpt_tui.formats.table import FORMATS

CASES = Path(__file__).parent / "cases"
DATA = Path(__file__).parent.parent / "data"
EXPECTED = [tuple(row.split("\t")) for row in (CASES / "expected.tsv").read_text().splitlines()[1:]]
REAL = (
    ("core-gone/restore.log", "img-missing"),
    ("cwd-gone/restore.log", "file-missing"),
    ("dump-locks/dump.log", "file-locks-needed"),
    ("dump-tcp/dump.log", "tcp-established-dump"),
    ("file-empty/restore.log", "file-bad-size"),
    ("file-missing/restore.log", "file-missing"),
    ("file-mode/restore.log", "file-bad-mode"),
    ("file-size/restore.log", "file-bad-size"),
    ("files-gone/restore.log", "img-missing"),
    ("image-cut/restore.log", "img-truncated"),
    ("inventory-gone/restore.log", "img-missing"),
    ("mount-gone/restore.log", "mnt-no-mapping"),
    ("net-unreachable/restore.log", "tcp-connect-back-failed"),
    ("pagemap-gone/restore.log", "img-missing"),
    ("pages-cut/restore.log", "pages-data-bad"),
    ("root-mode/restore.log", "file-bad-mode"),
    ("tcp-flag/restore.log", "tcp-established-restore"),
    ("wrong-magic/restore.log", "img-magic"),
)
END = "(00.9) Error (criu/cr-restore.c:2331): Restoring FAILED.\n"
SPIN = "(00.07) pie: 9: Preadv 0x400000:4096... (15 iovs)\n(00.07) pie: 9: `- returned 0\n"


def diagnose(log: bytes | str) -> LogDiagnosis:
    data = log.encode() if isinstance(log, str) else log
    return diagnose_log(read_log(BytesWindow(data), quiet()))


def root(log: bytes | str) -> str | None:
    cause = diagnose(log).root_cause
    return cause.id if cause else None


CRASH = "(00.020000) Error (criu/cr-restore.c:1281): 9 stopped by signal 11: Segmentation fault\n"


@pytest.mark.parametrize(
    ("absent", "then", "cause"),
    [
        ("     1: No fs-1.img image", CRASH + END, "img-missing"),
        ("     1: No seccomp.img image", CRASH + END, "img-missing"),
        ("     1: No pipes-data.img image", CRASH + END, "restore-segv"),
        ("     1: No tmpfs-dev-5.tar.gz.img image\n"
         "(00.010000)      1: No tmpfs-9.tar.gz.img image", END, "img-missing"),
        ("No ids-1.img image", "(00.010000) Error (criu/pstree.c:890): No IDS for root task.\n",
         "img-missing"),
        ("No mountpoints-13.img image", "(00.010000) Error (criu/mount.c:390): mnt: No root\n",
         "img-missing"),
        ("     8: No pages-2.img image",
         "(00.010000)      8: Error (criu/pagemap.c:242): Failed getting raw image fd\n" + END,
         "img-missing"),
        ("     8: No pages-2.img image",
         "(00.010000)      9: Error (criu/pagemap.c:242): Failed getting raw image fd\n" + END,
         "unmatched"),
        ("     1: No pagemap-shmem-0.img image",
         "(00.010000)      1: Error (criu/ipc_ns.c:893): Failed to update shm pages\n" + END,
         "img-missing"),
        ("     9: No pages-4.img image",
         "(00.010000)      7: read\n" * 99 +
         "(00.010000)      9: Error (criu/pagemap.c:242): Failed getting raw image fd\n" + END,
         "img-missing"),
        ("     9: No pagemap-4.img image",
         "(00.010000)      7: read\n" * 99 +
         "(00.010000)      9: Error (criu/pagemap.c:242): Some other trouble\n" + END,
         "unmatched"),
        ("No pstree.img image", "", "img-missing"),
        ("No fs-1.img image", "", None),
    ],
)  # fmt: skip
def test_an_image_that_is_missing_is_behind_what_criu_says_next(
    absent: str, then: str, cause: str | None
) -> None:
    assert root(f"(00.000000) Version: 4.2 (gitid 0)\n(00.010000) {absent}\n{then}") == cause


def test_a_tmpfs_under_its_old_name_is_not_missing() -> None:
    log = "(00.010000)      1: No tmpfs-dev-5.tar.gz.img image\n"
    assert (
        root(log + "(00.020000)      1: Error (criu/x.c:1): some other trouble\n" + END)
        == "unmatched"
    )


@pytest.mark.parametrize(("log", "cause", "cascade"), EXPECTED)
def test_excerpt_gets_its_cause_and_cascade(log: str, cause: str, cascade: str) -> None:
    found = diagnose((CASES / log).read_bytes())
    assert found.root_cause is not None
    assert found.root_cause.id == cause
    known = [n.id for n in found.cascade if not n.id.startswith(("unmatched", "errno-"))]
    assert sorted(known) == sorted(c for c in cascade.split(",") if c not in ("", "unmatched"))


@pytest.mark.parametrize(("log", "cause"), [(e[0], e[1]) for e in EXPECTED])
def test_excerpt_with_foreign_line_ends_and_colours_is_the_same(log: str, cause: str) -> None:
    data = (CASES / log).read_bytes()
    assert root(data.replace(b"\n", b"\r\n")) == cause
    assert root(b"\x1b[33m" + data.replace(b"\n", b"\x1b[0m\n\x1b[33m")) == cause


@pytest.mark.parametrize(("log", "cause"), REAL)
def test_real_failure_gets_its_cause(log: str, cause: str) -> None:
    assert root((DATA / "failed" / log).read_bytes()) == cause


@pytest.mark.parametrize(
    "path",
    [
        *sorted((DATA / "logs").glob("*.gz")),
        *sorted((DATA / "failed").glob("*good*/*.log")),
        *sorted((DATA / "archives").glob("cri-c*.tar")),
    ],
    ids=lambda path: path.name,
)
def test_healthy_log_has_no_cause(path: Path) -> None:
    if path.suffix == ".tar":
        with tarfile.open(path) as archive:
            member = archive.extractfile("dump.log")
            assert member is not None
            log = member.read()
    else:
        log = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    found = diagnose(log)
    assert found.root_cause is None
    assert found.attempt.outcome == "succeeded"


def real(name: str) -> bytes:
    return (DATA / "failed" / name / "restore.log").read_bytes()


def test_failure_before_a_success_does_not_count() -> None:
    assert root(real("file-size") + real("good-counter")) is None


def test_failure_after_a_success_counts_with_its_line() -> None:
    good, bad = real("good-counter"), real("file-size")
    found = diagnose(good + bad)
    assert found.root_cause is not None
    assert found.root_cause.id == "file-bad-size"
    alone = diagnose(bad).root_cause
    assert alone is not None
    assert found.root_cause.line == good.count(b"\n") + alone.line
    assert found.attempt.number == 2


def test_log_cut_before_any_error_is_unfinished_without_a_cause() -> None:
    found = diagnose(real("file-size")[:20_000])
    assert found.root_cause is None
    assert found.attempt.outcome == "unfinished"


@pytest.mark.parametrize("data", [b"", b"\x00\xff" * 5000, b"all is well\n"])
def test_what_is_no_log_has_no_cause(data: bytes) -> None:
    assert root(data) is None


def test_endless_reading_of_nothing_is_a_cut_pages_image() -> None:
    assert root("(00.01) Reading image tree\n" + SPIN * 5000) == "pages-short-spin"


def test_kill_after_the_spin_is_its_consequence() -> None:
    killed = "(99.1) Error (criu/cr-restore.c:1500): 88 killed by signal 9: Killed\n"
    assert root(SPIN * 50 + killed + END) == "pages-short-spin"


def test_one_empty_read_before_a_known_error_is_no_spin() -> None:
    error = "(00.1) pie: 9: Error (criu/pie/restorer.c:1): can't write lsm profile -13\n"
    assert root(SPIN + error + END) == "lsm-profile-write"


def test_errors_of_interleaved_processes_are_told_apart_by_position() -> None:
    log = (
        "(00.1)     5: Opening files\n"
        "(00.1)     6: Error (criu/files-reg.c:9): File b has bad size 1 (expect 2)\n"
        "(00.1)     5: Error (criu/files-reg.c:9): File a has bad mode 0100644 (expect 0100755)\n"
        "(00.2)     1: Error (criu/cr-restore.c:9): 6 exited, status=1\n"
    )
    assert root(log + END) == "file-bad-size"


def test_error_number_of_no_memory_names_the_cause_of_an_unknown_message() -> None:
    log = "(00.1)     5: Error (criu/strange.c:9): Can't make a thing: Cannot allocate memory\n"
    assert root(log + END) == "mem-enomem"
    assert root(log.replace("Can't make", "cg: Can't make") + END) == "unmatched"


def test_too_many_files_goes_before_the_message() -> None:
    log = (
        "(00.1)  5: Error (criu/files-reg.c:9): Can't open file a on restore: Too many open files\n"
    )
    assert root(log + END) == "nofile-limit"


def test_helper_that_is_missing_counts_only_for_what_calls_it() -> None:
    missing = 'execvp("iptables-restore", ...) failed: No such file or directory\n'
    locked = "(00.2) Error (criu/net.c:9): Locking network failed: iptables-restore returned -1\n"
    other = "(00.2)  5: Error (criu/files-reg.c:9): File a has bad size 1 (expect 2)\n"
    assert root(missing + locked + END) == "helper-exec"
    assert root(missing + other + END) == "file-bad-size"


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("Can't open file srv/a on restore: No such file or directory", "file-missing"),
        ("Can't open file srv/a on restore: Permission denied", "file-open-denied"),
        ("Can't bind id 0x5 ino 77 addr /run/a: Address already in use", "unix-bind-failed"),
        ("mnt: Can't mount at ./etc/hosts: Not a directory", "mnt-type-mismatch"),
    ],
)
def test_message_is_known_from_a_source_file_of_another_name(message: str, cause: str) -> None:
    assert root(f"(00.1)  5: Error (criu/moved.c:9): {message}\n" + END) == cause


def test_cleanup_after_the_failure_is_no_cause() -> None:
    log = (
        "(00.1)  5: Error (criu/strange.c:9): what happened\n"
        "(00.2) mnt: Switching to new ns to clean ghosts\n"
        "(00.3) Error (criu/mount.c:9): mnt: Can't mount at /x: No such file or directory\n"
    )
    cause = diagnose(log + END).root_cause
    assert cause is not None
    assert (cause.id, cause.line) == ("unmatched", 1)


def test_unknown_error_comes_with_its_context_and_file() -> None:
    log = "(00.1) Doing this\n(00.1) Doing that\n(00.1) Error (criu/strange.c:9): no way\n" + END
    cause = diagnose(log).root_cause
    assert cause is not None
    assert cause.id == "unmatched"
    assert cause.source == "criu/strange.c"
    assert cause.context == ("(00.1) Doing this", "(00.1) Doing that")
    assert cause.confidence == "possible"


def test_noise_alone_in_a_failed_log_is_shown_as_unknown() -> None:
    noise = "(00.1) Error (criu/util.c:9): rlimit: Can't setup RLIMIT_NOFILE for self: no\n"
    assert root(noise + END) == "unmatched"
    assert root(noise) is None


def test_blocked_network_counts_although_the_dump_succeeded() -> None:
    log = "line 7: CHAIN_USER_DEL failed (Device or resource busy): chain CRIU\n"
    assert root(log + "(00.100000) Dumping finished successfully\n") == "net-unlock-nft-busy"


def test_message_without_a_log_is_matched_by_its_text() -> None:
    text = "rpc error: code = Unknown desc = criu: Can't fork for 33: File exists"
    cause = diagnose(text).root_cause
    assert cause is not None
    assert (cause.id, cause.confidence) == ("pid-in-use", "likely")


def test_error_that_a_terminal_wrapped_is_joined() -> None:
    log = (
        "(00.02)  1: Error (criu/cgroup.c:1092): cg: Can't move 1 into "
        "cpuset//x.scope/cgroup.procs (-1/6): No spa\nce left on device\n"
    )
    assert root(log + END) == "cgroup-cpuset-empty"


def test_versions_of_the_head_support_the_cause() -> None:
    log = (
        "(00.000042) Version: 4.1 (gitid 0)\n"
        "(00.000046) Running on h Linux 6.17.1-300.fc43.x86_64 #1 SMP x86_64\n"
        "(00.1) Error (criu/sockets.c:628): sockets: Can't get 1:16 opt: Operation not supported\n"
        "(00.2) Error (criu/cr-dump.c:1): Dumping FAILED.\n"
    )
    cause = diagnose(log).root_cause
    assert cause is not None
    assert cause.confidence == "certain"
    assert any("4.2 handles it" in reason for reason in cause.reasons)


def test_json_has_the_promised_keys_and_escapes_foreign_text() -> None:
    name = "a\x1b]0;x\x07\u202e"
    log = f"(00.1)  5: Error (criu/files-reg.c:9): File {name} has bad size 1 (expect 2)\n"
    value = to_json(diagnose(log + END))
    assert json.loads(json.dumps(value)) == value
    cause, attempt = value["root_cause"], value["attempt"]
    assert isinstance(cause, dict)
    assert isinstance(attempt, dict)
    assert {"id", "line", "confidence", "title", "cause", "fix", "evidence"} <= set(cause)
    assert {"criu", "kernel", "arch", "options", "outcome"} <= set(attempt)
    assert set(value) >= {"root_cause", "cascade", "noise", "attempt"}
    assert "\x1b" not in cause["text"]
    assert "\u202e" not in cause["text"]


def test_engines_of_one_form_each_have_their_place_of_logs() -> None:
    assert [place.engine for place in log_places("runc")] == ["runc", "crun", "Docker"]
    assert log_places("nothing") == ()
    assert {place.format for place in LOG_PLACES} <= {entry.engine for entry in FORMATS}


def test_failure_after_old_versions_said_success_counts() -> None:
    log = (
        "(00.100001) pie: 14: Error (criu/pie/restorer.c:297): Unable to restore capabilities: -1\n"
        "(00.200001) Restore finished successfully. Resuming tasks.\n"
    )
    late = "(00.300001) Error (compel/src/lib/infect.c:1440): Task 14 is in unexpected state: b7f\n"
    assert root(log) is None
    assert root(log + late) == "creds-caps"


def test_reason_beside_the_engine_s_word_is_found() -> None:
    told = '"criu failed: type NOTIFY errno 0" Error in dump.log is : '
    assert root(told + "Can't turn TCP repair mode ON: no") == "tcp-repair-unavailable"
    assert root(told + "something of another kind") == "rt-criu-failed"
