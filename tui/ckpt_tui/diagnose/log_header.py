"""What the first lines of an attempt tell: versions, kernel, options, what was to be done."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_VERSION = re.compile(r"Version: (\d[\w.+~-]*)(?: \(gitid ([^)]*)\))?")
_RUNNING = re.compile(r"Running on (\S+) Linux (\S+) (?:.* )?(\S+)$")
_TIME = re.compile(r"\(\d+\.\d{4,6}\) ?")

_OPTIONS = (
    ("Will dump/restore TCP connections", "tcp-established"),
    ("Will drop all TCP connections on restore", "tcp-close"),
    ("Will skip in-flight TCP connections", "skip-in-flight"),
    ("Will allow link remaps on FS", "link-remap"),
    ("Will skip non-existent sysctls on restore", "weak-sysctls"),
    ("Will do snapshot from ", "prev-images-dir"),
)
"""Sentences of criu/config.c and criu/crtools.c that say an option is on."""

_DUMPED = re.compile(r"(?:Pre-d|D)umping processes \(pid: (\d{1,9})\b")
_CONFIG = re.compile(r"Parsing config file (\S.*)$")

_MILESTONES = (
    ("Pre-dumping", "pre-dump"),
    ("Dumping processes (pid", "dump"),
    ("Dump CRIU run id", "restore"),
    ("Reading image tree", "restore"),
    ("Will restore in ", "restore"),
)


@dataclass(frozen=True, slots=True)
class Header:
    """Facts of the head of one attempt; empty where the log does not say."""

    criu: str = ""
    """CRIU's version, such as `4.2.1`."""
    gitid: str = ""
    host: str = ""
    kernel: str = ""
    arch: str = ""
    options: tuple[str, ...] = ()
    """Option words known to be on, then `config FILE` for each configuration file read."""
    action: str = ""
    """dump, pre-dump, restore, or nothing."""
    pid: int = 0
    """The root process of a dump; 0 where it is not told."""
    is_rpc: bool = False
    """Whether an engine drove CRIU, and not a command line."""


def read_header(lines: Iterable[str]) -> Header:
    """Gather the facts from the first lines of an attempt."""
    criu = gitid = host = kernel = arch = action = ""
    pid, is_rpc = 0, False
    options: list[str] = []
    # Two lines may be glued: a message of CRIU 3 about $HOME lacks its line end.
    for line in (part for raw in lines for part in _TIME.split(raw.strip()[:4096])):
        if not criu and (version := _VERSION.match(line)):
            criu, gitid = version[1], version[2] or ""
        elif not kernel and (running := _RUNNING.match(line)):
            host, kernel, arch = running[1], running[2], running[3]
        elif config := _CONFIG.match(line):
            options.append(f"config {config[1]}")
        elif dumped := _DUMPED.match(line):
            pid = pid or int(dumped[1])
        is_rpc = is_rpc or "RPC" in line
        options += (name for sentence, name in _OPTIONS if line.startswith(sentence))
        action = action or next((name for start, name in _MILESTONES if line.startswith(start)), "")
    return Header(
        criu, gitid, host, kernel, arch, tuple(dict.fromkeys(options)), action, pid, is_rpc
    )


def version_tuple(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: `6.18.44-fc` is (6, 18, 44); nothing is ()."""
    leading = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part[:9]) for part in leading[0].split(".")[:4]) if leading else ()
