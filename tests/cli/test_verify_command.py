"""`verify` prints what is damaged, goes on with the next target, and leaves with the worst code."""

from __future__ import annotations

import json
from pathlib import Path

from ran import Run

from crafted import ARCHIVES, unpacked

OPTIMIZED = Path(__file__).parents[2] / "tui/ckpt_tui/demo/counter-optimized.oci.tar"
COUNTER = ARCHIVES / "counter.tar.zst"


def damaged(folder: Path) -> tuple[Path, str]:
    """Return a layout with a bit flipped in its largest blob, and the digest of that."""
    layout = unpacked(OPTIMIZED, folder)
    blob = max((layout / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.write_bytes(data)
    return layout, f"sha256:{blob.name}"


def test_what_is_intact_is_said_with_what_was_read(run: Run) -> None:
    found = run("verify", COUNTER)
    assert (found.code, found.err) == (0, "")
    assert found.out.splitlines() == [
        f"{COUNTER}: intact",
        "  27.7 KiB read, checksums of zstd compared, 21 CRIU images decoded",
    ]


def test_damage_is_listed_by_blob_and_leaves_with_1(run: Run, tmp_path: Path) -> None:
    layout, digest = damaged(tmp_path / "layout")
    found = run("verify", layout)
    assert found.code == 1
    assert f"{layout}: damaged: 1 problem" in found.out
    assert f"DAMAGED\n{digest}, " in found.out


def test_of_several_each_has_a_line_and_the_worst_code_counts(run: Run, tmp_path: Path) -> None:
    layout, digest = damaged(tmp_path / "layout")
    found = run("verify", layout, "/nowhere", COUNTER, "--json")
    documents = [json.loads(line) for line in found.out.splitlines()]
    assert [document["intact"] for document in documents] == [False, True]
    assert documents[0]["problems"][0]["where"] == digest
    assert "/nowhere cannot be read." in found.err
    assert found.code == 3


def test_a_target_that_cannot_be_reached_is_an_error(run: Run) -> None:
    found = run("verify", "/nowhere")
    assert (found.code, found.out) == (3, "")
