"""Rules of YARA as a finder, by the package yara-x where it is installed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ckpt_tui.checkpoint.patterns import Finder
from ckpt_tui.core.errors import UsageError

MAX_RULES = 4 << 20
"""Bytes of one file of rules."""

REACH = 4096
"""Bytes that a match may have where it lies across two pieces."""


class YaraFinder:
    """Finds what the patterns of some rules match; conditions are judged piece by piece."""

    reach = REACH

    def __init__(self, rules: Any) -> None:
        self._rules = rules

    def spans(self, buffer: bytes, start: int) -> Iterator[tuple[int, int, object]]:
        """Yield where patterns match, each with the name of its rule."""
        if not buffer.strip(b"\0"):
            return
        found = [
            (match.offset, match.offset + match.length, str(rule.identifier))
            for rule in self._rules.scan(buffer).matching_rules
            for pattern in rule.patterns
            for match in pattern.matches
            if match.offset >= start and match.length
        ]
        end = start
        for first, last, name in sorted(found):
            if first >= end:
                yield first, last, name
                end = last


def yara_finder(files: Sequence[str]) -> Finder | None:
    """Return what finds by the rules in some files; None without any.

    Raises:
        UsageError: yara-x is not installed, or a file is not of such rules.
    """
    if not files:
        return None
    try:
        import yara_x
    except ImportError:
        raise UsageError(
            "--rules needs the package yara-x.",
            "It is not installed.",
            "Install it: `pip install 'ckpt-tui[yara]'`.",
        ) from None
    compiler = yara_x.Compiler()
    for file in files:
        try:
            with Path(file).open("rb") as opened:
                text = opened.read(MAX_RULES + 1)
        except (OSError, ValueError) as error:
            why = f"{getattr(error, 'strerror', None) or 'its name is invalid'}."
            raise UsageError(f"{file} cannot be read.", why) from None
        if len(text) > MAX_RULES:
            raise UsageError(f"{file} has more than {MAX_RULES >> 20} MiB, too many for rules.")
        try:
            compiler.add_source(text.decode())
        except (ValueError, yara_x.CompileError) as error:
            raise UsageError(f"{file} has no valid rules of YARA.", f"{error}") from None
    return YaraFinder(compiler.build())
