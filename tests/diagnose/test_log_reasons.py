"""The facts in and around the line of a cause add to what its rule says."""

from __future__ import annotations

import pytest

from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.diagnose.doctor import Cause, LogDiagnosis, diagnose_log
from ckpt_tui.diagnose.linear import PatternSet
from ckpt_tui.diagnose.log import read_log
from ckpt_tui.diagnose.log_reasons import reasons
from ckpt_tui.diagnose.rules import rules

FAILED = "(00.9) Error (criu/cr-restore.c:2331): Restoring FAILED.\n"
DETACH = "(00.8) Error (compel/src/lib/infect.c:417): Unable to detach from 262: No such process\n"
PIE = "pie: 20: Error (criu/pie/restorer.c:1774): Can't restore 0x7ba7a5c11000 mapping with "


def diagnose(log: str) -> LogDiagnosis:
    return diagnose_log(read_log(BytesWindow(log.encode()), quiet()))


def cause_of(log: str) -> Cause:
    cause = diagnose(log).root_cause
    assert cause is not None
    return cause


def test_every_row_names_rules_that_there_are_and_says_something() -> None:
    ids = [rule.id for rule in rules()]
    for reason in reasons():
        assert PatternSet([reason.line, reason.before]).matching("") in ([], [0], [1], [0, 1])
        assert reason.cause.endswith(".")
        of = PatternSet([f"^(?:{reason.rule or '.*'})$"])
        assert any(of.matching(rule_id) for rule_id in ids)


@pytest.mark.parametrize(
    ("line", "capability"),
    [
        ("timens: Unable to set a monotonic clock offset: Operation not permitted", "CAP_SYS_TIME"),
        ("Can't attach to 5: Operation not permitted", "CAP_SYS_PTRACE"),
        ("Can't fork for 9: Operation not permitted", "CAP_CHECKPOINT_RESTORE"),
        ("mnt: Unable to make something: Operation not permitted", "CAP_SYS_ADMIN"),
        ("inet: Can't set something on a socket: Operation not permitted", "CAP_NET_ADMIN"),
        ("Can't mknod something: Operation not permitted", "CAP_MKNOD"),
    ],
)
def test_what_is_not_permitted_names_the_capability(line: str, capability: str) -> None:
    log = f"(00.1)      5: Error (criu/x.c:101): {line}\n{FAILED}"
    assert capability in cause_of(log).cause
    assert "CAP_" not in cause_of(log.replace("Operation not permitted", "Invalid value")).cause


def test_memory_of_huge_pages_asks_for_huge_pages() -> None:
    huge = "pie: 20: \tmmap(0x7ba7a5c11000 -> 0x7ba7a5e11000, 0x3 0x40032 -1)\n"
    error = f"{PIE}0xfffffffffffffff4\n"
    assert "vm.nr_hugepages" in cause_of(huge + error + FAILED).fix
    small = huge.replace("0x40032", "0x32")
    assert "vm.nr_hugepages" not in cause_of(small + error + FAILED).fix


def test_the_kind_of_an_object_is_named() -> None:
    line = "(00.1) Error (criu/files-ext.c:94): Can't dump file 3 of that type [600] (anon {})\n"
    notify = cause_of(line.format("anon_inode:seccomp notify") + FAILED)
    assert "a listener of seccomp user notifications" in notify.cause
    profiler = cause_of(line.format("anon_inode:[perf_event]") + FAILED)
    assert "Here it is a counter of perf events" in profiler.cause


@pytest.mark.parametrize(
    ("state", "word"), [("D", "vfork"), ("t", "SIGSTOP"), ("Z", "main thread has exited.")]
)
def test_the_state_of_a_task_that_cannot_be_stopped_counts(state: str, word: str) -> None:
    line = (
        f"(00.1) Error (criu/seize.c:9): Unseizable non-zombie 7 found, state {state}, err -1/1\n"
    )
    assert word in cause_of(line + FAILED).cause.split("Yama forbids it.")[1]


def test_what_is_told_in_passing_goes_before_an_error_of_clearing_up() -> None:
    log = (
        "(00.001372) Connecting to server 127.0.0.1:9999\n"
        "(00.001440) Can't connect to server 127.0.0.1:9999\n"
        "(00.001457) net: Unlock network\n"
    )
    cause = cause_of(log + DETACH + FAILED)
    assert (cause.id, cause.line, cause.confidence) == ("page-server", 2, "likely")
    unknown = cause_of(log.replace("connect to server", "do that") + DETACH + FAILED)
    assert (unknown.id, unknown.line) == ("unmatched", 2)


def test_a_bug_goes_before_the_crash_that_follows_from_it() -> None:
    log = (
        "(00.1)     85: Error (criu/mount.c:48): mnt: BUG at criu/mount.c:48\n"
        "(00.2) Error (criu/cr-restore.c:1269): 85 killed by signal 11: Segmentation fault\n"
    )
    assert cause_of(log + FAILED).id == "criu-bug"


def test_the_number_of_a_step_tells_what_its_error_does_not() -> None:
    log = (
        "(00.1) Error (criu/parasite-syscall.c:280): Can't retrieve FDs from socket\n"
        "(00.2) Error (criu/cr-dump.c:1545): Dump files (pid: 208) failed with -23\n"
    )
    cause = cause_of(log + FAILED)
    assert (cause.id, cause.line) == ("nofile-limit", 1)


def test_a_kernel_newer_than_criu_is_a_reason_where_little_else_is_known() -> None:
    head = (
        "(00.000000) Version: 3.17.1 (gitid 0)\n(00.000000) Running on h Linux {} #1 SMP x86_64\n"
    )
    error = "(00.1) Error (criu/strange.c:1): Something strange: Invalid argument\n"
    assert "older than Linux 6.18.1" in cause_of(head.format("6.18.1") + error + FAILED).reasons[-1]
    assert len(cause_of(head.format("5.10.1") + error + FAILED).reasons) == 1


QUIET = "Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Not permitted\n"


@pytest.mark.parametrize("log", [QUIET, "Warn  (criu/tty.c:1): tty: something\n", ""])
def test_a_quiet_log_that_ends_without_a_failure_is_not_of_a_killed_process(log: str) -> None:
    found = diagnose(log)
    assert found.root_cause is None
    assert found.attempt.outcome == "unknown"
    assert found.attempt.is_quiet is (log != "")


def test_a_full_log_that_just_ends_is_unfinished() -> None:
    found = diagnose("(00.001000) Dumping processes (pid: 7 comm: sh)\n" + QUIET)
    assert found.attempt.outcome == "unfinished"
    assert not found.attempt.is_quiet


def test_an_engine_s_line_counts_by_its_error_number() -> None:
    assert cause_of("Error: opening something: permission denied\n").id == "errno-eacces"
    assert cause_of("that went wrong: cannot do it\n").id == "unmatched"
