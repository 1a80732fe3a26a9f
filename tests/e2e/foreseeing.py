"""`diagnose --host this` in the lab: what it says before a restore, and how that ends."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fixing import Shell
from lab import TUI, Lab

ROOT = 200
"""Descriptor of this machine's / in the lab: the program and its Python come from there."""

LIMIT = "timeout -s KILL 3"
"""Before a restore that may wait without end."""


def outside(lab: Lab) -> Shell:
    """Return a shell in the lab in which `ckpt_tui` is the program, which sees the lab's files."""
    descriptor = os.open("/", os.O_PATH)
    os.dup2(descriptor, ROOT)
    os.close(descriptor)
    shell = Shell(lab, ROOT)
    os.close(ROOT)
    shell.run(f'ckpt_tui() {{ $around env {" ".join(_program())} "$@"; }}')
    return shell


def _program() -> list[str]:
    """Return the words that start the program with the loader, libraries and Python of this
    machine, under the names that they have in the lab."""
    import ctypes  # noqa: F401  with what they load, as the program has them too
    import ssl  # noqa: F401

    here = f"/proc/self/fd/{ROOT}"
    mapped = [line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()]
    libraries = dict.fromkeys(Path(p) for p in mapped if p.startswith("/") and ".so" in p)
    loader = next(p for p in libraries if p.name.startswith("ld-"))
    packages = next(Path(p) for p in sys.path if p.endswith("site-packages"))
    own = (packages, Path(sys.base_prefix, "lib", f"python3.{sys.version_info.minor}"))
    folders = [p.parent for p in libraries if not any(map(p.is_relative_to, own))]
    return [
        "PYTHONDONTWRITEBYTECODE=1",
        f"PYTHONHOME={here}{sys.base_prefix}",
        f"PYTHONPATH={here}{TUI}:{here}{packages}",
        f"{here}{loader}",
        "--library-path",
        ":".join(dict.fromkeys(f"{here}{folder}" for folder in folders)),
        f"{here}{os.path.realpath(sys.executable)}",
        "-m",
        "ckpt_tui",
    ]


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
        code, said = shell.run(f"{{ {case.broken}\n}} {ROOT}<&-")
        assert code == 0, said
        code, _ = shell.run("ckpt_tui diagnose $D/img --host this --json >$D/json 2>$D/errors")
        document = json.loads(shell.run("cat $D/json $D/errors")[1])
        restored, _ = shell.run(
            f"{LIMIT} {case.around} criu restore --images-dir $D/img --work-dir $D -o restore.log "
            f"-v4 -d {case.dump} {ROOT}<&- && kill -0 $P"
        )
        log = shell.run("grep -a Error $D/restore.log")[1]
        return Outcome(code, document, restored == 0, log)
    finally:
        shell.run(f"kill -9 $P; {case.mended}; kill $(jobs -p); wait; cd /; rm -rf {folder}")


def _dump(shell: Shell, folder: str, case: Case) -> None:
    program = case.program.replace("{D}", folder)
    ready = "for i in {1..200}; do [ -e $D/ready ] && break; sleep .02; done; [ -e $D/ready ]"
    code, said = shell.run(f"{{ {program}\n}} {ROOT}<&-\n{ready}")
    assert code == 0, said + shell.run("cat $D/out")[1]
    code, said = shell.run(
        "T=$(ls /proc/$P/task | tail -1); "
        f"criu dump --tree $P --images-dir $D/img -o dump.log -v4 {case.dump} {ROOT}<&- && wait $P"
        "; [ -e $D/img/stats-dump ]"
    )
    assert code == 0, said + shell.run("grep -a Error $D/img/dump.log")[1]
