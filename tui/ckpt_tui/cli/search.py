"""`search`: where in checkpoints something occurs, printed as it is found."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import cast

from ckpt_tui.checkpoint.passages import WALKS, Content
from ckpt_tui.checkpoint.patterns import Form, pattern_of
from ckpt_tui.cli.output import narrate, print_json, print_line
from ckpt_tui.cli.several import run_in_turn
from ckpt_tui.cli.telling import asking_before_fetching, told_progress
from ckpt_tui.core.errors import UsageError
from ckpt_tui.formats.searching import Found, search_targets
from ckpt_tui.views.hits import hit_document, hit_line

NO_MATCH = 1
"""Exit code when nothing was found."""


def search(
    text: str, targets: Sequence[str], form: Form, kinds: str, as_json: bool, reveal: bool
) -> int:
    """Print each place in the targets where the text occurs; return the exit code: 1 where nothing
    was found, else that of the worst target."""
    pattern, wanted = pattern_of(text, form), chosen_kinds(kinds)
    matches = 0

    def look_through(target: str) -> int:
        nonlocal matches
        code = 0
        with told_progress() as progress:
            asking = asking_before_fetching()
            for found in search_targets(target, pattern, progress, wanted, asking):
                matches += found.hit is not None
                code = max(code, found.error.exit_code if found.error else 0)
                shown = "" if [found.target] == [*targets] else found.target
                _print(found, as_json, reveal, shown)
        return code

    code = run_in_turn(targets, look_through)
    return code if matches else max(code, NO_MATCH)


def chosen_kinds(text: str) -> Collection[Content]:
    """Return the kinds of content in a list with commas; nothing for all.

    Raises:
        UsageError: there is no such kind.
    """
    kinds = [kind for kind in text.split(",") if kind]
    for kind in kinds:
        if kind not in WALKS:
            raise UsageError(f"Unknown kind {kind}.", "", f"Name one of: {', '.join(WALKS)}.")
    return cast("Collection[Content]", kinds)


def _print(found: Found, as_json: bool, reveal: bool, target: str) -> None:
    if found.hit is None:
        narrate(f"{found.target}: {found.error or found.problem}")
    elif as_json:
        print_json(hit_document(found.hit, found.target, reveal), in_a_line=True)
    else:
        print_line(hit_line(found.hit, reveal, target))
