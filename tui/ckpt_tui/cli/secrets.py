"""`secrets`: what in checkpoints looks like a secret, a gate before they are given away."""

from __future__ import annotations

from collections.abc import Sequence

from ckpt_tui.checkpoint.records import Note
from ckpt_tui.checkpoint.secrets import Secret, find_secrets
from ckpt_tui.checkpoint.yara_rules import yara_finder
from ckpt_tui.cli.output import narrate, print_json, print_line
from ckpt_tui.cli.search import chosen_kinds
from ckpt_tui.cli.several import run_in_turn
from ckpt_tui.cli.telling import asking_before_fetching, told_progress
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.text import human_count
from ckpt_tui.formats.searching import inside_of, opened_checkpoints
from ckpt_tui.views.secrets import secret_document, secret_lines

FOUND = 1
"""Exit code when something was found, or not all could be read."""


def secrets(
    targets: Sequence[str], rules: Sequence[str], kinds: str, as_json: bool, reveal: bool
) -> int:
    """Print what looks like a secret in each target; return 1 if there is something, or what could
    not be looked at."""
    finder, wanted = yara_finder(rules), chosen_kinds(kinds)

    def look_at(target: str) -> int:
        code = 0
        with told_progress() as progress:
            for name, opened in opened_checkpoints(target, progress, asking_before_fetching()):
                if isinstance(opened, CkptError):
                    narrate(f"{name}: {opened}")
                    code = max(code, opened.exit_code)
                    continue
                problems: list[Note] = []
                inside = inside_of(opened, progress)
                found = find_secrets(inside, progress, problems, wanted, finder)
                for secret in found:
                    _print(secret, name, as_json, reveal)
                for note in problems:
                    narrate(f"{name}: {note.where}: {note.text}")
                narrate(f"{name}: {human_count(len(found), 'secret')}")
                code = max(code, FOUND if found or problems else 0)
        return code

    return run_in_turn(targets, look_at)


def _print(secret: Secret, target: str, as_json: bool, reveal: bool) -> None:
    if as_json:
        print_json(secret_document(secret, target, reveal), in_a_line=True)
        return
    for line in secret_lines(secret, reveal):
        print_line(line)
