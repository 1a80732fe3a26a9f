"""What a checkpoint fills in to the commands of a fix."""

from __future__ import annotations

import os
import re
import shlex
import stat

from ckpt_tui.diagnose.doctor import LogDiagnosis
from ckpt_tui.diagnose.facts import Facts
from ckpt_tui.diagnose.fix_commands import FixContext, context_of_log
from ckpt_tui.diagnose.preflight_limits import huge_pages
from ckpt_tui.diagnose.restore_command import EngineRestore

_TO_FILL_IN = re.compile(
    r"(?<![\w/$-])(?:BUNDLE|NAME|SOURCE|ROOTFS|ID|POD_ID|NEW_ID|REF)(?![\w/-])"
)
"""What `restore_commands` leaves to a person."""

MOST_NAMES = 20
"""Paths in a command."""


def context_of_checkpoint(
    log: LogDiagnosis, path: str, facts: Facts, restore: tuple[EngineRestore, ...]
) -> FixContext:
    """Return what a checkpoint and the log of it at `path` tell: engine, folders, names, and how it
    is restored."""
    checkpoint = facts.checkpoint
    engine = checkpoint.format.engine
    values = {**context_of_log(log, path).values}
    own = next((way for way in restore if way.engine == engine), None)
    commands = own.commands if own else ()
    if commands and not any(_TO_FILL_IN.search(command) for command in commands):
        values["restore"] = " && ".join(commands)
        values["quoted_restore"] = shlex.quote(values["restore"])
    if checkpoint.container.name:
        values["container"] = shlex.quote(checkpoint.container.name)
    if engine == "criu" and checkpoint.format.name.endswith("directory"):
        values["folder"] = shlex.quote(os.path.abspath(checkpoint.source))
    if engine == "criu" and not checkpoint.mounts:
        values["root"] = "/"
        values.update(_folder_of(log, facts))
        values.update(_leftovers(facts))
    if reserved := _huge_pages(facts):
        values["reserve_huge_pages"] = reserved
    return FixContext(engine, values)


def _leftovers(facts: Facts) -> dict[str, str]:
    """Return what a restore that was cut short leaves of deleted files, as CRIU names them."""
    paths = (facts.table.path(file_id) for file_id in facts.each(facts.table.ghost_images))
    names = [f"{shlex.quote(path)}.cr.*.ghost" for path in sorted(paths)]
    return {"ghosts": " ".join(names)} if 0 < len(names) <= MOST_NAMES else {}


def _huge_pages(facts: Facts) -> str:
    """Return commands that reserve the huge pages of the checkpoint."""
    pool = "/sys/kernel/mm/hugepages/hugepages-{}kB/nr_hugepages"
    needed = sorted(huge_pages(facts).items())
    return " && ".join(f"echo {-(-n // size)} >{pool.format(size // 1024)}" for size, n in needed)


def _folder_of(log: LogDiagnosis, facts: Facts) -> dict[str, str]:
    """Return path and mode of the file in the log, if the images say that it is a folder."""
    cause = log.root_cause
    path = dict(cause.parts).get("path", "") if cause else ""
    for entry in facts.each(facts.of_type("REG") if path else ()):
        if facts.table.path(entry.id) != f"/{path.lstrip('/')}":
            continue
        mode = getattr(facts.table.regular(entry.id), "mode", 0)
        if stat.S_ISDIR(mode):
            return {"dir_path": shlex.quote(path), "dir_mode": f"{stat.S_IMODE(mode):04o}"}
    return {}
