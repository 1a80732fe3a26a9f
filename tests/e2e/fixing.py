"""A shell that stays in the lab, and programs, breakages and cures of them to try fixes with."""

from __future__ import annotations

import json
import shlex
import subprocess
import threading
from dataclasses import dataclass
from typing import Any

from click.testing import CliRunner
from lab import LAB, Lab

from ckpt_tui.cli.main import cli

END = "== done"

LIMIT_S = 40
"""Seconds after which a command is taken to hang, and the lab is ended."""

CLOSE_INHERITED = 'for f in /proc/$$/fd/*; do f=${f##*/}; [ $f -le 2 ] || eval "exec $f>&-"; done'
"""Descriptors of this machine that the lab's shell has would be in each dump."""


class Shell:
    """A shell in the lab whose processes stay until it ends."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._process = subprocess.Popen(
            [LAB, "run", "unshare", "--net", "bash"],
            env=lab.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        assert self._process.stdin is not None
        self._process.stdin.write(f"ip link set lo up; {CLOSE_INHERITED}\n")

    def run(self, command: str) -> tuple[int, str]:
        """Run lines in the shell; return the exit code of the last one and what all printed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{{ {command}\n}} 2>&1 </dev/null; s=$?; echo; echo {END} $s\n")
        self._process.stdin.flush()
        said = []
        watch = threading.Timer(LIMIT_S, self._process.kill)
        watch.start()
        for line in self._process.stdout:
            if line.startswith(END):
                watch.cancel()
                return int(line.split()[-1]), "".join(said).rstrip("\n")
            said.append(line)
        raise AssertionError(f"the shell ended at: {command}\n{''.join(said)}")

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def close(self) -> None:
        self._process.communicate(timeout=30)


@dataclass(frozen=True)
class Broken:
    """Something that goes wrong, and what `diagnose` is to call it.

    In all commands $D is a folder of the case's own and $P the process, which `program` starts.
    """

    cause: str
    program: str
    dump: str = ""
    """Options of the dump."""
    broken: str = ":"
    """What makes the restore fail, or the dump where `restore` is None."""
    restore: str | None = ""
    """Options of the restore; None: it is the dump that fails."""
    again: str = ""
    """Options of the second try, where they differ; only if the fix is not a dump or restore."""
    later: str = ":"
    """What happens by itself before the fix is tried."""
    then: str = ":"
    """What waits for the end of what the fix ended."""
    restarted: bool = False
    """Whether the program is to be started again between the fix and the second try."""
    alive: str = "kill -0 $P"
    """What tells that the process runs again."""
    mended: str = ":"
    """What ends the breakage of the machine after the case."""


def python(code: str) -> str:
    """Return how a program in Python runs detached from the shell until it is ended."""
    return f"setsid python3 -c {shlex.quote(code)} </dev/null >$D/out 2>&1 & P=$!"


SLEEP = "\nimport time\nopen('{D}/ready','w').close()\ntime.sleep(1e6)"


def diagnosed(lab: Lab, log: str, target: str = "") -> dict[str, Any]:
    """Run `ckpt-tui diagnose` in this process for paths in the lab; return its JSON in paths of the
    lab again."""
    paths = [p.replace("/host", str(lab.host), 1) for p in (target, "--log", log) if p]
    done = CliRunner().invoke(cli, ["diagnose", *paths, "--json"])
    assert done.stdout, (done.stderr, done.exception)
    found: dict[str, Any] = json.loads(done.stdout.replace(str(lab.host), "/host"))
    return found


def try_fix(shell: Shell, name: str, case: Broken) -> dict[str, Any]:
    """Break, see it fail, run the printed commands, see it work; return the cause that was told."""
    folder = f"/host/fixes/{name}"
    shell.run(f"D={folder}; rm -rf $D; mkdir -p $D/img; cd $D")
    try:
        return _tried(shell, folder, case)
    finally:
        shell.run(f"kill -9 $P; {case.mended}; kill $(jobs -p); wait $P; cd /; rm -rf {folder}")


def _tried(shell: Shell, folder: str, case: Broken) -> dict[str, Any]:
    _start(shell, folder, case)
    dump = f"criu dump --tree $P --images-dir $D/img -v4 -o dump.log {case.dump}"
    restore = "criu restore --images-dir $D/img --work-dir $D -v4 -o restore.log -d "
    if case.restore is None:
        shell.run(case.broken)
        failing, again = dump, f"{dump} {case.again}"
        log, target = f"{folder}/img/dump.log", ""
    else:
        code, said = shell.run(dump)
        assert code == 0, shell.run("grep Error $D/img/dump.log")[1] + said
        shell.run(f"wait $P; {case.broken}")
        failing, again = restore + case.restore, f"{restore}{case.again or case.restore}"
        log, target = f"{folder}/restore.log", f"{folder}/img"
    code, said = shell.run(f"{failing} >$D/said 2>&1")
    assert code != 0, "it did not fail"
    if shell.run(f"[ -s {log} ]")[0]:
        log = f"{folder}/said"
    cause = diagnosed(shell.lab, log, target)["root_cause"]
    assert cause is not None, shell.run(f"cat {log}")[1]
    assert cause["id"] == case.cause, (cause, shell.run(f"grep Error {log}")[1])
    commands = cause["commands"]
    assert commands, cause
    shell.run(case.later)
    _run(shell, commands, case.alive)
    shell.run(case.then)
    if case.restarted:
        shell.run("kill -9 $P; wait $P; rm $D/ready")
        _start(shell, folder, case)
    if not any(command.startswith(("criu dump", "criu restore", "script")) for command in commands):
        code, said = shell.run(again)
        assert code == 0, (commands, said, shell.run(f"grep Error {log}")[1])
    if case.restore is not None:
        assert shell.run(case.alive)[0] == 0, commands
    return cause  # type: ignore[no-any-return]


def _start(shell: Shell, folder: str, case: Broken) -> None:
    program = case.program.replace("{D}", folder)
    ready = "for i in {1..100}; do [ -e $D/ready ] && break; sleep .05; done; [ -e $D/ready ]"
    code, said = shell.run(f"{program}\n{ready}")
    assert code == 0, said


def _run(shell: Shell, commands: list[str], alive: str) -> None:
    """Run what was printed; a restore in the foreground goes on as long as its process."""
    for command in commands:
        if command.startswith(("criu restore", "script")):
            seen = (
                f"for i in {{1..100}}; do {alive} && kill -0 $C && break; sleep .05; done; sleep .5"
            )
            code, said = shell.run(
                f"({command}) >$D/again 2>&1 & C=$!; {{ {seen}; }} >/dev/null 2>&1; {alive}"
            )
            assert code == 0, (command, shell.run("cat $D/again")[1], said)
        else:
            code, said = shell.run(command)
            assert code == 0, (command, said)


@dataclass(frozen=True)
class Refused:
    """A restore that podman refuses. In all commands $D is a folder of the case's own, and
    `run OPTION ...` starts a container that counts."""

    cause: str
    made: str
    """How the checkpoint $D/a.tar.zst comes about, and what is broken then."""
    restore: str = "podman container restore --import $D/a.tar.zst"
    target: str = ""
    """The checkpoint, where `diagnose` is told."""
    mended: str = ":"
    """What ends the breakage of the machine after the case."""


def try_podman_fix(shell: Shell, name: str, case: Refused) -> dict[str, Any]:
    """Break, see the restore fail, run the printed commands, see it work."""
    folder = f"/host/fixes/{name}"
    start = "podman run -d --network none \"$@\" localhost/bb:1 sh -c 'while :; do sleep 1; done'"
    shell.run(f"D={folder}; rm -rf $D; mkdir -p $D; cd $D; run() {{ {start}; }}")
    try:
        code, said = shell.run(case.made)
        assert code == 0, said
        assert shell.run(f"{case.restore} >$D/said 2>&1")[0] != 0
        cause = diagnosed(shell.lab, f"{folder}/said", case.target.replace("$D", folder))[
            "root_cause"
        ]
        assert cause["id"] == case.cause, cause
        assert cause["commands"], cause
        for command in cause["commands"]:
            code, said = shell.run(command)
            assert code == 0, (command, said)
        if "restore" not in cause["commands"][-1]:
            code, said = shell.run(case.restore)
            assert code == 0, (cause["commands"], said)
        assert shell.run('[ -n "$(podman ps --quiet)" ]')[0] == 0
        return cause  # type: ignore[no-any-return]
    finally:
        clean = "podman rm -af -t 0; podman volume rm -af"
        shell.run(f"{case.mended}; {clean}; cd /; rm -rf {folder}")
