"""The two forms side by side, at any width."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len

from ckpt_tui.checkpoint.forms import CheckpointForm, Piece
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.opened import open_checkpoint
from ckpt_tui.views.forms import form_lines, form_section
from ckpt_tui.views.table import plain


@pytest.mark.parametrize("width", [5, 40, 77, 117, 197])
def test_every_line_of_both_trees_fits(data: Path, width: int) -> None:
    opened = open_checkpoint(str(data / "archives/rootfs.tar.zst"), quiet())
    section = form_section(opened.load(quiet()), width)
    opened.close()
    lines = [plain(fact.value) for fact in section.facts]
    assert max(map(cell_len, lines)) <= width
    if width >= 77:
        assert "this one" in lines[0]
        assert "as it would be, unpacked" in lines[0]
        assert any("rootfs-diff.tar" in line and "checkpoint image" not in line for line in lines)


def test_layers_have_digest_and_kind_where_there_is_room() -> None:
    layer = Piece(
        "pages\x1b[2J", 7, "pages", "application/x.layer.v1.tar+zstd", "sha256:" + 64 * "a"
    )
    form = CheckpointForm("optimized", is_stored=True, root=Piece("index", 7, inside=(layer,)))
    (_, _, narrow), (_, _, wide) = ([*form_lines(form, width)] for width in (37, 58))
    assert "aaaaaaaaaaaa" not in narrow.plain
    assert "aaaaaaaaaaaa tar+zstd" in wide.plain
    assert "\x1b" not in wide.plain
