"""What of an encrypted image everyone can read, who may pull it."""

from __future__ import annotations

from collections.abc import Iterable

from ckpt_tui.archive.tree import Tree
from ckpt_tui.checkpoint.patterns import scan
from ckpt_tui.checkpoint.secret_rules import Match, SecretFinder
from ckpt_tui.convert.plan import Plan
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_count, listed
from ckpt_tui.core.window import chunks

_NAMED = 6


def in_clear(plan: Plan) -> tuple[str, ...]:
    """Return what stays readable, a sentence each; foreign text in them is not cleaned."""
    values = dict.fromkeys(plan.annotations.values())
    base = plan.base.reference if plan.base else "none"
    return (
        f"Annotations of the image: {listed(values, _NAMED)}.",
        "Configs of the images: architecture, time of the dump, digests of the layers.",
        "Number, roles and sizes of the layers.",
        f"The base image with its config and layers: {base}.",
    )


def secrets_in_clear(tree: Tree, documents: Iterable[str], progress: Progress) -> str:
    """Return how many secrets of the engine's documents everyone could read, a sentence; nothing
    where there are none. Memory and files are not looked at: that takes a pass over all of them."""
    finder, values = SecretFinder(), set[bytes]()
    for name in documents:
        if name not in tree.members:
            continue
        try:
            for one in scan(chunks(tree.window(name)), finder, progress):
                if isinstance(one.mark, Match):
                    at = one.mark.value[0] - one.mark.first
                    values.add(one.found[at : at + one.mark.value[1] - one.mark.value[0]])
        except (CkptError, KeyError):
            continue
    if not values:
        return ""
    return (
        f"{human_count(len(values), 'secret')} in clear in the metadata alone; `ckpt-tui secrets` "
        "lists all. Everyone who may pull the image can read them, unless it is encrypted."
    )
