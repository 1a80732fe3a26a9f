"""The commands of a fix, whole and in order, filled in from the log and the checkpoint.

A template of the rule table may begin with what it is for (`criu: `, `podman,restore: `; all of the
words must hold) and has names in braces. Where one is not known, none of the fix's commands are
given: what to do is then in its text alone.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ckpt_tui.diagnose.doctor import LogDiagnosis, diagnose_log
from ckpt_tui.diagnose.log import LogReading

_WORDS = ("criu", "podman", "runc", "crun", "cri-o", "containerd", "docker", "dump", "restore")
_CONDITION = re.compile(rf"((?:{'|'.join(_WORDS)})(?:,(?:{'|'.join(_WORDS)}))*): ")
_PLACE = re.compile(r"(?<!\{)\{(\w+)\}(?!\})")


@dataclass(frozen=True, slots=True)
class FixContext:
    """What is known beside the log line. Values are shell words, quoted where they must be."""

    engine: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


def context_of_log(diagnosis: LogDiagnosis, path: str = "") -> FixContext:
    """Return what the log itself tells: a log of the criu program lies in the folder of images,
    and its head names the process. `path` is where the log lies, if it is a file."""
    attempt = diagnosis.attempt
    is_plain_criu = bool(attempt.action) and not attempt.is_quiet and not attempt.header.is_rpc
    values = {}
    if attempt.header.pid:
        values["root_pid"] = str(attempt.header.pid)
    if is_plain_criu and path and os.path.isfile(path):
        values["log_folder"] = shlex.quote(os.path.dirname(os.path.abspath(path)))
        if attempt.action != "restore":  # one lies where the work folder is
            values["folder"] = values["log_folder"]
    return FixContext("criu" if is_plain_criu else "", values)


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
    if cause is None:
        return diagnosis
    values = {name: shlex.quote(value) for name, value in cause.parts if value}
    known = {**values, **context.values}
    words = {context.engine, diagnosis.attempt.action}
    found = []
    for template in cause.templates:
        condition = _CONDITION.match(template)
        if condition is None or set(condition[1].split(",")) <= words:
            found.append(template[condition.end() :] if condition else template)
    if not found or any(name not in known for t in found for name in _PLACE.findall(t)):
        return diagnosis
    commands = tuple(_filled(template, known) for template in found)
    is_tried = (context.engine or "any") in cause.tried or "any" in cause.tried
    return replace(diagnosis, root_cause=replace(cause, commands=commands, commands_tried=is_tried))
