"""The commands of a fix, whole and in order, filled in from the log and the checkpoint.

A template of the rule table may begin with what it is for (`criu: `, `podman,restore: `; all of the
words must hold) and has names in braces. Where one is not known, none of the fix's commands are
given: what to do is then in its text alone.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ckpt_tui.diagnose.doctor import LogDiagnosis, diagnose_log
from ckpt_tui.diagnose.facts import Facts
from ckpt_tui.diagnose.log import LogReading
from ckpt_tui.diagnose.restore_command import EngineRestore
from ckpt_tui.diagnose.rules import optional_rule

_WORDS = ("criu", "podman", "runc", "crun", "cri-o", "containerd", "docker", "dump", "restore")
_CONDITION = re.compile(rf"((?:{'|'.join(_WORDS)})(?:,(?:{'|'.join(_WORDS)}))*): ")
_PLACE = re.compile(r"(?<!\{)\{(\w+)\}(?!\})")
_TO_FILL_IN = re.compile(
    r"(?<![\w/$-])(?:BUNDLE|NAME|SOURCE|ROOTFS|ID|POD_ID|NEW_ID|REF)(?![\w/-])"
)
"""What `restore_commands` leaves to a person."""


@dataclass(frozen=True, slots=True)
class FixContext:
    """What is known beside the log line. Values are shell words, quoted where they must be."""

    engine: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    is_checkpoint: bool = False
    """Whether a checkpoint tells them, and not the log alone."""


def context_of_log(diagnosis: LogDiagnosis, path: str = "") -> FixContext:
    """Return what the log itself tells: a log of the criu program lies in the folder of images,
    and its head names the process. `path` is where the log lies, if it is a file."""
    attempt = diagnosis.attempt
    is_plain_criu = bool(attempt.action) and not attempt.is_quiet and not attempt.header.is_rpc
    values = {}
    if attempt.header.pid:
        values["root_pid"] = str(attempt.header.pid)
    if is_plain_criu and path and os.path.isfile(path):
        values["folder"] = shlex.quote(os.path.dirname(os.path.abspath(path)))
    return FixContext("criu" if is_plain_criu else "", values)


def context_of_checkpoint(
    log: LogDiagnosis, facts: Facts, restore: tuple[EngineRestore, ...]
) -> FixContext:
    """Return what a checkpoint tells: its engine, its folder, and how it is restored."""
    checkpoint = facts.checkpoint
    engine = checkpoint.format.engine
    values = {**context_of_log(log).values}
    own = next((way for way in restore if way.engine == engine), None)
    commands = own.commands if own else ()
    if commands and not any(_TO_FILL_IN.search(command) for command in commands):
        values["restore"] = " && ".join(commands)
        values["quoted_restore"] = shlex.quote(values["restore"])
    if engine == "criu" and checkpoint.format.name.endswith("directory"):
        values["folder"] = shlex.quote(os.path.abspath(checkpoint.source))
    if engine == "criu" and not checkpoint.mounts:
        values["root"] = "/"
        values.update(_folder_of(log, facts))
    return FixContext(engine, values, is_checkpoint=True)


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


def diagnose_with_commands(reading: LogReading, path: str = "") -> LogDiagnosis:
    """Return what a log alone says, with the commands that it is enough for."""
    diagnosis = diagnose_log(reading)
    return with_commands(diagnosis, context_of_log(diagnosis, path))


def _filled(template: str, known: Mapping[str, str]) -> str:
    filled = _PLACE.sub(lambda place: known[place[1]], template)
    return filled.replace("{{", "{").replace("}}", "}")


def with_commands(diagnosis: LogDiagnosis, context: FixContext) -> LogDiagnosis:
    """Return a diagnosis with the commands of its fix, as far as they can be whole."""
    cause = diagnosis.root_cause
    rule = optional_rule(cause.id) if cause else None
    if cause is None or rule is None:
        return diagnosis
    values = {name: shlex.quote(value) for name, value in cause.parts if value}
    known = {**values, **context.values}
    words = {context.engine, diagnosis.attempt.action}
    found = []
    for template in rule.commands:
        condition = _CONDITION.match(template)
        if condition is None or set(condition[1].split(",")) <= words:
            found.append(template[condition.end() :] if condition else template)
    if not found or any(name not in known for t in found for name in _PLACE.findall(t)):
        return diagnosis
    commands = tuple(_filled(template, known) for template in found)
    is_tried = (context.engine or "any") in rule.tried or "any" in rule.tried
    return replace(diagnosis, root_cause=replace(cause, commands=commands, commands_tried=is_tried))
