"""Commands of a fix are whole, filled in from log and checkpoint, or not given at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.diagnose.doctor import Cause, diagnose_log
from ckpt_tui.diagnose.fix_commands import FixContext, context_of_log, with_commands
from ckpt_tui.diagnose.log import read_log

HEAD = "(00.000000) Version: 4.2 (gitid 0)\n(00.000100) Dumping processes (pid: 77 comm: sh)\n"
LOCKS = (
    "(00.1) Error (criu/file-lock.c:1): Some file locks are hold by dumping tasks!\n"
    "(00.9) Error (criu/cr-dump.c:1): Dumping FAILED.\n"
)
MODE = (
    "(00.000001) Reading image tree\n"
    "(00.1)   41: Error (criu/files-reg.c:1): File srv/a b has bad mode 0100600 (expect 0100644)\n"
)
FIFO = (
    "(00.000001) Reading image tree\n"
    "(00.1)    41: Error (criu/pipes.c:1): Can't restore pipe size: Bad file descriptor\n"
    "(00.1)    41: Error (criu/files-reg.c:1): Can't open file srv/ff: Bad file descriptor\n"
)
BARE = FixContext("criu", {"root": "/"})


def cause_of(log: str, context: FixContext | None = None, path: str = "") -> Cause:
    found = diagnose_log(read_log(BytesWindow(log.encode()), quiet()))
    cause = with_commands(found, context or context_of_log(found, path)).root_cause
    assert cause is not None
    return cause


def test_a_log_of_the_criu_program_tells_its_process_and_folder(tmp_path: Path) -> None:
    path = tmp_path / "a b" / "dump.log"
    path.parent.mkdir()
    path.touch()
    cause = cause_of(HEAD + LOCKS, path=str(path))
    dump = f"criu dump --tree 77 --images-dir '{tmp_path}/a b' --file-locks"
    assert cause.commands == (dump,)
    assert cause.commands_tried


def test_without_a_place_nothing_is_half_filled() -> None:
    assert cause_of(HEAD + LOCKS).commands == ()
    assert "--file-locks" in cause_of(HEAD + LOCKS).fix


def test_an_engine_s_log_gives_no_command_of_criu(tmp_path: Path) -> None:
    path = tmp_path / "dump.log"
    path.touch()
    rpc = "(00.000000) Would overwrite RPC settings with values from /etc/criu/runc.conf\n"
    assert cause_of(HEAD + rpc + LOCKS, path=str(path)).commands == ()


@pytest.mark.parametrize(
    ("log", "commands"),
    [
        (MODE, ("chmod 0644 /'srv/a b'",)),
        (FIFO, ("rm --force /srv/ff", "mkfifo /srv/ff")),
    ],
)
def test_paths_come_from_the_lines_of_the_cause(log: str, commands: tuple[str, ...]) -> None:
    assert cause_of(log, BARE).commands == commands
    assert cause_of(log, FixContext("podman", {})).commands == ()


def test_what_a_line_of_an_engine_names_is_filled_in_and_quoted() -> None:
    said = 'Error: creating container storage: the container name "we b" is already in use by 12\n'
    found = diagnose_log(read_log(BytesWindow(said.encode()), quiet()))
    cause = with_commands(found, context_of_log(found)).root_cause
    assert cause is not None
    assert cause.commands == ("podman rm --force 'we b'",)


def test_commands_that_need_nothing_are_always_there() -> None:
    log = "(00.1) Error (criu/x.c:1): Can't open it: Too many open files\n"
    assert cause_of(log, FixContext()).commands == ("ulimit -S -n $(ulimit -H -n)",)


PORT = (
    "(00.000001) Reading image tree\n"
    "(00.1)     71: inet: \tRestore: family AF_INET type SOCK_STREAM port 27312 state TCP_LISTEN\n"
    "(00.1)     71: Error (criu/sk-inet.c:1): Can't bind inet socket: Address already in use\n"
)
READ_ONLY = (
    "(00.000001) Reading image tree\n"
    "(00.1)     44: Error (criu/files-reg.c:1): Can't open file srv/f: Read-only file system\n"
)


def test_a_line_before_tells_what_the_line_of_the_cause_does_not() -> None:
    show, end = cause_of(PORT, BARE).commands
    assert show == "ss -tulnp 'sport = :27312'"
    assert end.startswith("kill $(ss -Htulnp 'sport = :27312' |")
    assert cause_of(PORT.replace("port 27312 ", ""), BARE).commands == ()


def test_commands_for_an_error_number_take_the_place_of_the_rule_s() -> None:
    cause = cause_of(READ_ONLY, BARE)
    assert cause.commands[0].startswith("mount --options remount,rw ")
    assert "--target /srv/f" in cause.commands[0]
    assert cause.commands_tried
    assert (
        cause_of(READ_ONLY.replace("Read-only file system", "Is a directory"), BARE).commands == ()
    )


def test_what_no_test_has_run_says_so() -> None:
    log = "Error: requested ip address 10.88.0.5 is already allocated to container ID 12\n"
    cause = cause_of(log, FixContext("podman", {"restore": "podman container restore c"}))
    assert cause.commands
    assert not cause.commands_tried
