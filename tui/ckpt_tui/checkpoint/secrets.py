"""What of a checkpoint looks like a secret, and where: each value once, with all its places."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import get_args

from ckpt_tui.checkpoint.hits import Hit, hits
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.passages import Content, Inside, Where
from ckpt_tui.checkpoint.patterns import Finder
from ckpt_tui.checkpoint.records import Note
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.checkpoint.secret_rules import Confidence, Match, SecretFinder, is_placeholder
from ckpt_tui.core.linear import as_bytes
from ckpt_tui.core.masks import is_secret, secret_arguments
from ckpt_tui.core.progress import Progress

SHORTEST = 4
"""Bytes of a value that only its name calls a secret."""

THREADS = 2
"""That look through memory while a third reads it."""

MAX_PLACES = 1000
"""Places kept of one value; more are counted."""

MAX_SECRETS = 100_000
"""Different values kept."""

SHOWN = 4
"""Characters that a covered value shows, at most a quarter of it."""

_ORDER: tuple[Confidence, ...] = get_args(Confidence)


@dataclass(slots=True)
class Secret:
    """One value that looks like a secret. It has no text form but the covered one."""

    kind: str
    """Id of the rule."""
    title: str
    confidence: Confidence
    value: bytes = field(repr=False)
    places: list[Hit] = field(default_factory=list, repr=False)
    count: int = 0
    """Of all places, those that are not kept included."""

    @property
    def masked(self) -> str:
        """The value covered; of one with a form of its own the first characters tell its kind."""
        text = self.value.decode("latin-1")
        shown = min(SHOWN, len(text) // 4) if self.confidence == "high" else 0
        head = "".join(c for c in text[:shown] if c.isascii() and c.isprintable())
        return f"{head}••••••"


def find_secrets(
    inside: Inside,
    progress: Progress,
    problems: list[Note],
    kinds: Collection[Content] = (),
    finder: Finder | None = None,
) -> list[Secret]:
    """Return what looks like a secret, the surest first; `finder` finds by more rules.

    Raises:
        Cancelled: the caller gave up.
    """
    collected = _Collected()
    for hit, value in _by_name(inside.checkpoint, kinds):
        collected.add(hit, "named-value", _NAMED, "medium", value)
    with ThreadPoolExecutor(THREADS, "secrets") as pool:
        for hit in hits(inside, SecretFinder(), progress, problems, kinds, pool):
            match = hit.mark
            assert isinstance(match, Match)
            rule, at = match.rule, match.value[0] - match.first
            value = hit.found[at : at + match.value[1] - match.value[0]]
            collected.add(hit, rule.id, rule.title, rule.confidence, value)
    for hit in hits(inside, finder, progress, problems, kinds) if finder else ():
        name = str(hit.mark)
        collected.add(hit, name, f"match of {name}", "medium", hit.found)
    return collected.sorted()


_NAMED = "value that its name calls a secret"


class _Collected:
    def __init__(self) -> None:
        self._found: dict[bytes, Secret] = {}

    def add(self, hit: Hit, kind: str, title: str, confidence: Confidence, value: bytes) -> None:
        """Keep a value with its place; of several rules that find it, the surest tells its kind."""
        known = self._found.get(value)
        if known is None:
            if len(self._found) >= MAX_SECRETS:
                return
            known = self._found[value] = Secret(kind, title, confidence, value)
        elif _ORDER.index(confidence) < _ORDER.index(known.confidence):
            known.kind, known.title, known.confidence = kind, title, confidence
        last = known.places[-1:]
        if hit.kind != "memory" and any(
            one.where == hit.where for one in (*last, *known.places[:8])
        ):
            return
        known.count += 1
        if len(known.places) < MAX_PLACES:
            known.places.append(
                dataclasses.replace(hit, before=b"", after=b"", found=b"", mark=None)
            )

    def sorted(self) -> list[Secret]:
        found = self._found.values()
        return sorted(found, key=lambda one: (_ORDER.index(one.confidence), one.kind))


def _by_name(checkpoint: Checkpoint, kinds: Collection[Content]) -> Iterator[tuple[Hit, bytes]]:
    """Yield the values that a variable's name or an option calls secrets."""
    for process in checkpoint.processes:
        ref = Ref.process(process.pid)
        for variable in process.env or () if not kinds or "environment" in kinds else ():
            name, _, value = variable.partition(b"=")
            text = name.decode("utf-8", "surrogateescape")
            if is_secret(text, value.decode("utf-8", "surrogateescape")) and is_value(value):
                where = Where(text, ref, process.pid)
                yield _hit("environment", "variable", where, len(name) + 1), value
        if process.argv is None or (kinds and "argv" not in kinds):
            continue
        arguments = [one.decode("utf-8", "surrogateescape") for one in process.argv]
        for secret in secret_arguments(arguments):
            number = next(n for n, one in enumerate(arguments) if secret in one)
            where = Where(f"argument {number}", ref, process.pid)
            value = as_bytes(secret)
            if is_value(value):
                at = as_bytes(arguments[number]).find(value)
                yield _hit("argv", "argument", where, at), value


def _hit(kind: Content, part: str, where: Where, place: int) -> Hit:
    return Hit(kind, part, where, place, b"", b"", b"")


def is_value(value: bytes) -> bool:
    """Return whether what has the name of a secret is one, and no path, number or placeholder."""
    return (
        len(value) >= SHORTEST
        and not value.startswith((b"/", b"./", b"~"))
        and not value.isdigit()
        and not is_placeholder(value)
    )
