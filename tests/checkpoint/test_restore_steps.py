"""What each engine moves to restore, against the cost table of the formats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ckpt_tui.checkpoint.restore_steps import Amounts, amounts_of, dumps, pulls, ways
from ckpt_tui.core.progress import quiet
from ckpt_tui.demo import demo_folder
from ckpt_tui.formats.opened import open_checkpoint

PACKED, META, C, D, DZ, S, V = 1_000, 1, 10, 100, 40, 3, 5

HAVE = Amounts(PACKED, META, C, D, D, S, V)
ZIPPED = Amounts(PACKED, META, C, D, DZ, 0, 0)


@pytest.mark.parametrize(
    ("way", "have", "written"),
    [
        ("podman-archive", HAVE, META + S + C + 2 * D + 2 * V + 2 * S),
        ("podman-image", HAVE, C + 2 * D + 2 * V + 2 * S),
        ("cri-o-archive", HAVE, META + S + C + 2 * D + S),
        ("cri-o-image", HAVE, C + 2 * D + S),
        ("containerd-archive", ZIPPED, META + C + DZ + D),
        ("containerd-image", ZIPPED, META + C + DZ + D),
        ("podman-optimized", HAVE, C + 2 * V + 2 * S),
        ("cri-o-optimized", HAVE, C + S),
        ("in-place", HAVE, V + S),
        ("in-place", ZIPPED, 0),
    ],
)
def test_each_way_writes_what_the_engines_write(way: str, have: Amounts, written: int) -> None:
    found = {w.id: w for w in ways(have)}
    assert found[way].writes == written


@pytest.mark.parametrize(
    ("way", "have", "written"),
    [
        ("podman-dump", HAVE, C + D + S + V + PACKED),
        ("cri-o-dump", HAVE, C + D + META + C + D + S),
        ("containerd-dump", ZIPPED, 3 * C + 2 * DZ + META + C + DZ),
        ("optimized-dump", HAVE, C + PACKED),
    ],
)
def test_each_dump_writes_what_the_engines_write(way: str, have: Amounts, written: int) -> None:
    found = {w.id: w for w in dumps(have)}
    assert found[way].writes == written
    assert {w.phase for w in found.values()} == {"dump"}


def test_a_dump_is_refused_by_no_engine() -> None:
    assert not [way for way in dumps(replace(HAVE, engine="podman")) if way.refused]


def test_an_archive_is_read_twice() -> None:
    found = {w.id: w for w in ways(HAVE)}
    for engine in ("podman", "cri-o", "containerd"):
        passes = [s for s in found[f"{engine}-archive"].steps if s.reads == PACKED]
        assert len(passes) == 2


@pytest.mark.parametrize("made_by", ["podman", "cri-o", "containerd"])
def test_an_engine_refuses_what_another_one_made(made_by: str) -> None:
    found = ways(replace(HAVE, engine=made_by))
    taken = {way.engine.lower() for way in found if not way.refused}
    assert taken == {made_by, "in place"}
    refused = [way for way in found if way.refused]
    assert len(refused) == 6
    assert {way.refused for way in refused} == {
        f"made by {made_by}, and an engine restores only its own checkpoints"
    }


def test_a_folder_of_images_is_refused_by_none() -> None:
    assert not [way for way in ways(HAVE) if way.refused]


def test_steps_that_move_nothing_are_left_out_but_for_mounting() -> None:
    found = {w.id: [s.name for s in w.steps] for w in ways(ZIPPED)}
    assert found["in-place"] == ["mount"]
    assert "volumes" not in found["podman-archive"]


def test_amounts_of_a_real_archive_are_its_members(data: Path) -> None:
    opened = open_checkpoint(str(data / "archives/rootfs.tar.zst"), quiet())
    try:
        have = amounts_of(opened.load(quiet()))
        members = opened.tree.members
    finally:
        opened.close()
    delta = members["rootfs-diff.tar"].size + members["deleted.files"].size
    assert have.delta_stored == delta
    assert have.packed == (data / "archives/rootfs.tar.zst").stat().st_size
    images = sum(m.size for n, m in members.items() if n.startswith("checkpoint/"))
    assert have.images == images


def test_the_optimized_form_lists_for_less() -> None:
    with demo_folder() as folder:
        opened = open_checkpoint(str(folder / "counter-optimized.oci.tar"), quiet())
        try:
            legacy, optimized, measured = pulls(opened.load(quiet()))
        finally:
            opened.close()
    assert measured
    assert optimized.listing < optimized.next_one < optimized.restore == legacy.restore
