"""Where the bytes are, as rows, tiles and bars."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime

from ckpt_tui.checkpoint.layerstack import LayerFile, StackLayer
from ckpt_tui.checkpoint.model import Share, StoredPart
from ckpt_tui.checkpoint.pagecount import PageCounts
from ckpt_tui.checkpoint.sizetree import SizeNode
from ckpt_tui.convert.rootfs import Origin
from ckpt_tui.core.text import human_bytes, printable, short_digest, some_bytes
from ckpt_tui.views.bars import BarPart
from ckpt_tui.views.meanings import kind_of, sign
from ckpt_tui.views.table import Column, LazyRows, Row, row_of
from ckpt_tui.views.tables import SIZED, sized

COLUMNS = (
    Column("PART", share=3, least=10, shrink="middle"),
    SIZED,
    Column("DETAIL", share=2, least=16, shrink="middle", optional=True),
)

PAGE_KINDS = (
    ("unique", "pages", "unique"),
    ("duplicate", "volumes", "duplicate"),
    ("shared", "delta", "in the other checkpoint"),
    ("zero", "base", "zero"),
)
"""What a page can be, the meaning whose colour it has, its name for people."""


def meaning_of(node: SizeNode) -> str:
    """Return the meaning whose colour a part has."""
    return kind_of(node.component)


def part_of(node: SizeNode) -> BarPart:
    """Return a part as a tile."""
    return BarPart(printable(node.name), node.bytes, meaning_of(node), printable(node.detail))


def node_rows(nodes: Sequence[SizeNode]) -> LazyRows[int]:
    """Return the parts, which are largest first, as rows; the key is the place in `nodes`."""
    scale = nodes[0].bytes if nodes else 0
    return LazyRows(
        range(len(nodes)), lambda n: _part_row(n, nodes[n], scale, meaning_of(nodes[n]))
    )


def share_rows(shares: Sequence[Share], meaning: str) -> list[Row]:
    """Return named parts as rows, in one colour."""
    scale = max((share.bytes for share in shares), default=0)
    return [_part_row(share.name, share, scale, meaning) for share in shares]


def _part_row(key: Hashable, part: SizeNode | Share, scale: int, meaning: str) -> Row:
    return row_of(
        key,
        (printable(part.name), part.name),
        (sized(part.bytes, scale, meaning), part.bytes),
        (printable(part.detail), part.detail),
    )


def crumbs(way: Sequence[SizeNode], ways: Sequence[str], key: str) -> str:
    """Return where one is: how the whole is divided, and the parts gone into; `key` is what
    divides it another way."""
    if not way:
        return " No bytes"
    others = ", ".join(name for name in ways if name != way[0].name)
    path = " › ".join(f"{printable(n.name)} {human_bytes(n.bytes)}" for n in way[1:])
    return f" by {way[0].name}" + (f" › {path}" if path else f"   {key}: by {others}")


def about(node: SizeNode | None) -> str:
    """Return what is known of a part, in full."""
    if node is None:
        return ""
    return printable(f"{node.name}: {node.detail}" if node.detail else node.name)


def count_parts(counts: PageCounts) -> list[BarPart]:
    """Return what the pages hold, as shares of all pages; those left to a previous dump, too."""
    parts = [BarPart(name, counts.total(kind), meaning) for kind, meaning, name in PAGE_KINDS]
    parts.append(BarPart("in the previous dump", counts.parent, "metadata"))
    return [part for part in parts if part.amount]


LAYER_COLUMNS = (
    Column("ROLE", width=10),
    Column("PACKED", width=9, align="right"),
    Column("PLAIN", width=9, align="right"),
    Column("FILES", width=6, align="right"),
    Column("HIDDEN", width=9, align="right"),
    Column("DIGEST", width=12),
    Column("MADE", width=10, optional=True),
    Column("MEDIA TYPE", share=1, shrink="middle", optional=True),
)


def layer_rows(layers: Sequence[StoredPart], origins: Mapping[str, Origin]) -> list[Row]:
    """Return one row a layer; `origins` are by digest."""
    return [
        Row(
            key=("layer", number),
            cells=(
                printable(layer.role),
                human_bytes(layer.size),
                "–" if layer.plain_size is None else human_bytes(layer.plain_size),
                str(layer.members) if layer.members else "–",
                some_bytes(layer.hidden, "–"),
                printable(short_digest(layer.digest)),
                _day(origins[layer.digest][0] if layer.digest in origins else None),
                printable(layer.media_type),
            ),
        )
        for number, layer in enumerate(layers)
    ]


def _day(when: datetime | None) -> str:
    return f"{when:%Y-%m-%d}" if when else ""


STACK_COLUMNS = (
    Column("", width=3, align="right"),
    Column("ROLE", width=5),
    Column("PACKED", width=9, align="right"),
    Column("PLAIN", width=9, align="right"),
    Column("WASTED", width=9, align="right"),
    Column("FILES", width=14),
    Column("MADE", width=10, optional=True),
    Column("BY", share=1, least=12, optional=True),
    Column("DIGEST", width=12, optional=True),
    Column("MEDIA TYPE", share=1, least=30, shrink="middle", optional=True),
)


def stack_rows(layers: Sequence[StackLayer]) -> list[Row]:
    """Return one row a layer of a root filesystem."""
    return [
        Row(
            number,
            (
                f"{number}",
                layer.role,
                human_bytes(layer.packed),
                human_bytes(layer.plain),
                some_bytes(layer.wasted, "–"),
                " ".join(
                    f"{sign(how)}{layer.counts[how]:,}"
                    for how in ("added", "changed", "deleted")
                    if layer.counts.get(how)
                ),
                _day(layer.created),
                printable(layer.command),
                printable(short_digest(layer.digest)),
                printable(layer.media_type),
            ),
        )
        for number, layer in enumerate(layers, 1)
    ]


CHANGE_COLUMNS = (
    Column("", width=1),
    Column("LAYER", width=5, align="right"),
    Column("FILE", share=1, shrink="middle"),
    Column("SIZE", width=9, align="right"),
    Column("", width=18),
)


def stack_changes(layers: Sequence[StackLayer]) -> LazyRows[tuple[int, LayerFile]]:
    """Return what a layer does to those below, and the files that one above hides."""
    found = [
        (number, file)
        for number, layer in enumerate(layers, 1)
        for file in layer.files
        if file.how != "added" or file.hidden_by is not None
    ]

    def row(of: tuple[int, LayerFile]) -> Row:
        number, file = of
        hidden = f"hidden by layer {file.hidden_by + 1}" if file.hidden_by is not None else ""
        size = human_bytes(file.size) if file.how != "deleted" else "–"
        return Row(of, (sign(file.how), f"{number}", f"/{printable(file.path)}", size, hidden))

    return LazyRows(found, row)
