"""`diagnose --host this` in the lab: what it says before a restore, and how that ends."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from fixing import Shell
from lab import Lab

LIMIT = "timeout -s KILL 3"
"""Before a restore that may wait without end."""


def shell_with_program(lab: Lab) -> Shell:
    """Return a shell in the lab in which `ckpt_tui` is the program, started with `$around`."""
    shell = Shell(lab)
    shell.run(f'{lab.program()} ckpt_tui() {{ $around python3 -m ckpt_tui "$@"; }}')
    return shell


@dataclass(frozen=True)
class Case:
    """A program that is dumped, and what happens to the host before it is restored.

    In all commands $D is a folder of the case's own and $P the process, which `program` starts.
    """

    program: str
    found: str = ""
    """What `diagnose` is to find; nothing where it restores."""
    broken: str = ":"
    dump: str = ""
    """Options of dump and restore."""
    around: str = ""
    """What the restore and `diagnose` are started with."""
    mended: str = ":"
    """What ends the breakage of the machine after the case."""


@dataclass(frozen=True)
class Outcome:
    """What was said before, and what came of it."""

    code: int
    document: dict[str, Any]
    restored: bool
    log: str

    @property
    def fails(self) -> set[str]:
        """Ids of what will fail, as was said."""
        return {f["id"] for f in self.document["findings"] if f["severity"] == "fails"}


def outcome(shell: Shell, name: str, case: Case) -> Outcome:
    """Start the program, dump it, break the host, ask `diagnose`, and restore."""
    folder = f"/host/foreseen/{name}"
    shell.run(f"D={folder}; rm -rf $D; mkdir -p $D/img; cd /; around='{case.around}'")
    try:
        _dump(shell, folder, case)
        code, said = shell.run(case.broken)
        assert code == 0, said
        code, _ = shell.run("ckpt_tui diagnose $D/img --host this --json >$D/json 2>$D/errors")
        document = json.loads(shell.run("cat $D/json $D/errors")[1])
        restored, _ = shell.run(
            f"{LIMIT} {case.around} criu restore --images-dir $D/img --work-dir $D -o restore.log "
            f"-v4 -d {case.dump} && kill -0 $P"
        )
        log = shell.run("grep -a Error $D/restore.log")[1]
        return Outcome(code, document, restored == 0, log)
    finally:
        shell.run(f"kill -9 $P; {case.mended}; kill $(jobs -p); wait; cd /; rm -rf {folder}")


def _dump(shell: Shell, folder: str, case: Case) -> None:
    program = case.program.replace("{D}", folder)
    ready = "for i in {1..200}; do [ -e $D/ready ] && break; sleep .02; done; [ -e $D/ready ]"
    code, said = shell.run(f"{program}\n{ready}")
    assert code == 0, said + shell.run("cat $D/out")[1]
    code, said = shell.run(
        "T=$(ls /proc/$P/task | tail -1); "
        f"criu dump --tree $P --images-dir $D/img -o dump.log -v4 {case.dump} && wait $P"
        "; [ -e $D/img/stats-dump ]"
    )
    assert code == 0, said + shell.run("grep -a Error $D/img/dump.log")[1]
