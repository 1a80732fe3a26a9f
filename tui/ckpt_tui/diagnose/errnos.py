"""The error number that a line of a log tells, in words or as a number."""

from __future__ import annotations

import errno
import os

from ckpt_tui.diagnose.linear import all_groups
from ckpt_tui.diagnose.log_lines import LogLine, Severity

_NAMES = {**errno.errorcode, errno.EAGAIN: "EAGAIN", errno.EOPNOTSUPP: "EOPNOTSUPP"}
"""Names by number, where two names have one the usual one."""

_WORDS = {os.strerror(number).lower(): name for number, name in _NAMES.items()}

_NUMBER = (
    r"(?:[ (:=]|errno )-(\d{1,3})\)?$|\(-(\d{1,3})\)|errno[ =:]{1,2}(\d{1,3})\b|"
    r"\b(?:0x)?f{8,13}([0-9a-f]{2,3})\b"
)
"""A number of the code inside of tasks, which has no words, or an address that is one."""

_LARGEST = 133
"""The largest error number that a system call returns; ENOTSUPP (524) is for the kernel alone."""

_SAME = {
    "EMFILE": "nofile-limit",
    "ENFILE": "nofile-limit",
    "ENOSPC": "storage-nospace",
    "EDQUOT": "storage-nospace",
    "ENOMEM": "mem-enomem",
    "EHOSTUNREACH": "errno-enetunreach",
    "EHOSTDOWN": "errno-enetunreach",
    "ENETDOWN": "errno-enetunreach",
    "EISDIR": "errno-enotdir",
    "ELOOP": "errno-enotdir",
    "ENXIO": "errno-enodev",
    "E2BIG": "errno-erange",
    "EOVERFLOW": "errno-erange",
    "ENOBUFS": "errno-erange",
    "ENOPROTOOPT": "errno-eopnotsupp",
    "EPROTONOSUPPORT": "errno-eopnotsupp",
    "EAFNOSUPPORT": "errno-eopnotsupp",
    "ENOTTY": "errno-eopnotsupp",
    "EUCLEAN": "errno-eio",
    "ECONNRESET": "errno-econnrefused",
    "EPIPE": "errno-econnrefused",
    "ENOTEMPTY": "errno-ebusy",
}
"""Rules for error numbers that have none of their own name."""


def errno_of(line: LogLine) -> str:
    """Return the name of the error number in a line, such as EPERM; nothing where it has none."""
    message = line.message.lower()
    found = [(message.rfind(words), len(words), name) for words, name in _WORDS.items()]
    place, _, name = max(found)
    if place >= 0:
        return name
    if line.severity is Severity.OTHER:
        return ""
    for decimal, in_brackets, named, hexadecimal in all_groups(_NUMBER, line.message):
        number = int(decimal or in_brackets or named or 0)
        if hexadecimal:
            number = (1 << 4 * len(hexadecimal)) - int(hexadecimal, 16)
        # outside of tasks -1 is just a failure
        if 1 < number <= _LARGEST or (number == 1 and "pie/" in line.file):
            return _NAMES.get(number, "")
    return ""


def rule_of_errno(name: str) -> str:
    """Return the id of the rule that tells what an error number alone means."""
    return _SAME.get(name, f"errno-{name.lower()}")
