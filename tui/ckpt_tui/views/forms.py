"""The two forms of a checkpoint as trees beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from ckpt_tui.checkpoint.forms import CheckpointForm, Piece, forms
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.core.styled import Styled, styled
from ckpt_tui.core.text import printable, short_digest, some_bytes
from ckpt_tui.views.facts import Fact, Section
from ckpt_tui.views.meanings import MEANINGS
from ckpt_tui.views.table import GAP, fit, plain

NUMBER = 9
"""Cells of a size."""

_DIGEST = 58
"""Cells of a tree from which layers have digest and kind beside them."""

_COLOURS = {meaning.name for meaning in MEANINGS}


def form_section(checkpoint: Checkpoint, width: int) -> Section:
    """Return both trees side by side in `width` cells."""
    room = max(1, (width - GAP) // 2)
    left, right = ([*form_lines(form, room)] for form in forms(checkpoint))
    blank = styled(" " * room)
    lines = zip_longest(left, right, fillvalue=blank)
    facts = [Fact("", styled(one, " " * GAP, other)) for one, other in lines]
    return Section("What the image is made of", facts)


def form_lines(form: CheckpointForm, width: int) -> Iterator[Styled]:
    """Yield a tree, a line for each piece with its size, each exactly `width` cells."""
    said = "this one" if form.is_stored else "as it would be, unpacked"
    yield styled((plain(fit(f"{form.name}: {said}", width)), "strong"))
    yield from _lines(form.root, "", "", width)


def _lines(piece: Piece, edge: str, below: str, width: int) -> Iterator[Styled]:
    size = some_bytes(piece.bytes, "–").rjust(NUMBER)
    about = ""
    if piece.digest and width >= _DIGEST:
        about = f"{short_digest(piece.digest)} {_kind(piece.media_type)}"
    name = printable(piece.name)
    room = width - len(edge) - NUMBER - 1
    words = plain(fit(f"{name}  {printable(about)}" if about else name, room, shrink="middle"))
    sign = piece.component if piece.component in _COLOURS else ""
    line = styled((edge, "muted"), (words, sign), " ", size)
    yield line[:width]
    for number, inner in enumerate(piece.inside, 1):
        last = number == len(piece.inside)
        yield from _lines(
            inner,
            below + ("└ " if last else "├ "),
            below + ("  " if last else "│ "),
            width,
        )


def _kind(media_type: str) -> str:
    """Return the end of a media type that tells the layers apart: `tar+zstd`."""
    return media_type.rpartition(".")[2]
