"""Each rule knows its own lines in other versions' clothes, and leaves near misses alone."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from ckpt_tui.diagnose.errnos import errno_of, rule_of_errno
from ckpt_tui.diagnose.fix_commands import _CONDITION
from ckpt_tui.diagnose.linear import PatternSet
from ckpt_tui.diagnose.log_lines import parse_line
from ckpt_tui.diagnose.log_reasons import reasons
from ckpt_tui.diagnose.rules import Rule, RuleClass, first_match, optional_rule, rule_by_id, rules

LINES = [
    tuple(row.split("\t"))
    for row in (Path(__file__).parent / "rule_lines.tsv").read_text("utf-8").splitlines()[1:]
]

PROGRAMS = (
    *("apt-get", "chmod", "criu", "crictl", "docker", "export", "install", "ip", "iptables"),
    *("kill", "mkdir", "mkfifo", "modprobe", "mount", "mv", "podman", "ps", "rm", "script", "ss"),
    *("sysctl", "systemctl", "truncate", "ulimit"),
)
"""What a command of a fix begins with."""

NOT_WHOLE = re.compile(r"\b(?:NAME|FILE|FOLDER|ID|PID)\b|(?<!\$)\bPATH\b(?!=)|…|--ignore-")
"""What a person had to fill in, and what hides a difference."""

WHOLE = ("restore", "reserve_huge_pages")
"""Commands that a checkpoint gives as they are."""

ERRNOS = [
    *("EPERM", "EACCES", "ENOENT", "EROFS", "EBUSY", "EEXIST", "EINVAL", "ENOSYS", "EOPNOTSUPP"),
    *("ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH", "ETIMEDOUT", "EADDRINUSE", "EADDRNOTAVAIL"),
    *("ENOTDIR", "EISDIR", "ELOOP", "ENODEV", "ENXIO", "EIO", "ESTALE", "EFBIG", "ETXTBSY"),
    *("EAGAIN", "ESRCH", "EBADF", "EFAULT", "ERANGE", "E2BIG", "EMFILE", "ENFILE", "ENOSPC"),
    *("EDQUOT", "ENOMEM", "EPROTONOSUPPORT", "EAFNOSUPPORT", "ENOPROTOOPT", "ECONNRESET", "EPIPE"),
    "ENOTEMPTY",
]


@pytest.mark.parametrize(("rule", "text"), LINES)
def test_line_is_of_its_rule_and_near_misses_are_not(rule: str, text: str) -> None:
    found = first_match(parse_line(1, text))
    found_id = found.id if found else None
    if rule.startswith("-"):
        assert found_id != rule[1:]
    else:
        assert found_id == rule


def test_every_rule_has_a_line() -> None:
    told = {rule.id for rule in rules() if rule.error or rule.text}
    assert told <= {rule for rule, _ in LINES}


@pytest.mark.parametrize("number", ERRNOS)
def test_an_unknown_message_is_told_by_its_error_number(number: str) -> None:
    words = os.strerror(getattr(errno, number))
    line = parse_line(1, f"(00.1) Error (criu/strange.c:1): Something strange: {words}")
    assert errno_of(line) == number
    assert optional_rule(rule_of_errno(number)) is not None


@pytest.mark.parametrize("text", [t for r, t in LINES if "Error (" in t and r[0] != "-"])
def test_an_error_s_message_as_a_warning_is_no_cause(text: str) -> None:
    found = first_match(parse_line(1, text.replace("Error (", "Warn  (")))
    assert found is None or found.text != ""


def test_ids_are_unique_and_causes_say_what_to_do() -> None:
    ids = [rule.id for rule in rules()]
    assert len(ids) == len(set(ids)) > 274
    for rule in rules():
        assert rule.title
        if rule.kind not in (RuleClass.NOISE, RuleClass.END):
            assert rule.cause.endswith((".", ")"))
            assert rule.fix
            assert rule.source


def test_commands_are_whole_and_offer_nothing_that_the_text_does_not() -> None:
    for rule in (*rules(), *reasons()):
        for template in rule.commands:
            command = _CONDITION.sub("", template)
            assert command.split()[0].strip("{}") in (*PROGRAMS, *WHOLE), template
            told = template.removesuffix(" --ignore-static-ip --ignore-static-mac")
            assert not NOT_WHOLE.search(told), template


def test_an_unknown_id_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        rule_by_id("no-such-rule")


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.id)
def test_every_pattern_is_one_of_re2_and_so_linear(rule: Rule) -> None:
    assert PatternSet((*rule.patterns, rule.near or ".")).matching("") == []


def test_a_hostile_line_is_of_no_rule() -> None:
    nasty = "Error (criu/mount.c:1): mnt: " + "Can't open file a -> " * 200 + "x: " * 200
    assert first_match(parse_line(1, nasty)) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("pie: 7: Error (criu/pie/restorer.c:1): can't do it -13", "EACCES"),
        ("pie: 7: Error (criu/pie/restorer.c:1): can't do it (-1)", "EPERM"),
        ("Error (criu/cr-dump.c:1): Dump files (pid: 7) failed with -23", "ENFILE"),
        ("Error (criu/cr-dump.c:1): Dump files (pid: 7) failed with -1", ""),
        (
            "pie: 7: Error (criu/pie/restorer.c:1): Can't map 0x7f00 with 0xfffffffffffffff4",
            "ENOMEM",
        ),
        ("Error (criu/x.c:1): No such device or address", "ENXIO"),
        ('level=error msg="open /x: permission denied"', "EACCES"),
        ('level=error msg="exit code -13"', ""),
    ],
)
def test_error_number_is_read_from_words_and_numbers(text: str, number: str) -> None:
    assert errno_of(parse_line(1, text)) == number
