"""`verify` prints what is damaged, goes on with the next target, and leaves with the worst code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ran import Run

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.text import human_bytes
from ckpt_tui.core.window import BytesWindow
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


def test_damaged_metadata_of_an_image_is_not_taken_for_a_bare_dump(
    run: Run, tmp_path: Path
) -> None:
    layout = unpacked(OPTIMIZED, tmp_path / "layout")
    blobs = layout / "blobs/sha256"
    documents = [json.loads(p.read_bytes()) for p in blobs.iterdir() if p.read_bytes()[:1] == b"{"]
    layers = [layer for document in documents for layer in document.get("layers", ())]
    (digest,) = {la["digest"] for la in layers if "metadata" in la.get("annotations", {}).values()}
    blob = blobs / digest[7:]
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.write_bytes(data)
    found = run("inspect", layout, "--json")
    assert found.code == 1
    assert found.document["format"]["name"] == "damaged image"
    assert found.document["format"]["engine"] == "podman"
    assert [note["where"] for note in found.document["notes"] if note["damaged"]] == [
        f"metadata layer {digest[7:19]}"
    ]
    diagnosed = run("diagnose", layout, "--json")
    assert (diagnosed.code, diagnosed.document["verdict"]["sign"]) == (1, "fails")
    assert "layer-damaged" in {one["id"] for one in diagnosed.document["findings"]}


def test_what_was_not_read_is_not_called_intact(run: Run, tmp_path: Path) -> None:
    folder = unpack(COUNTER, tmp_path / "counter")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    pages = (folder / "checkpoint/pages-1.img").stat().st_size
    text = run("diagnose", folder, "--json").document["verdict"]["text"]
    assert text.startswith("intact as far as read: ")
    assert text.endswith(f" of {human_bytes(size)}; ckpt-tui verify reads all")
    assert size > pages > 0
    assert run("diagnose", COUNTER, "--json").document["verdict"]["text"] == "intact"
    assert "every image could be read" not in run("inspect", folder).out


def test_a_damaged_image_leaves_with_1_wherever_it_is_read(run: Run, tmp_path: Path) -> None:
    folder = unpack(COUNTER, tmp_path / "counter")
    for command in ("inspect", "images", "diagnose"):
        assert run(command, folder).code == 0
    image = folder / "checkpoint/core-1.img"
    image.write_bytes(image.read_bytes()[:100])
    for command in ("inspect", "images", "diagnose", "verify"):
        assert run(command, folder).code == 1


def test_what_was_not_looked_at_on_the_host_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = unpack(COUNTER, tmp_path / "counter")
    host = tmp_path / "host.json"
    monkeypatch.setenv("HOME", str(tmp_path))
    profile = {"schema_version": 1, "criu": "4.2", "machine": "x86_64"}
    host.write_text(json.dumps(profile))
    found = run("diagnose", folder, "--host", host, "--json")
    assert found.document["verdict"]["text"] == "restores there as far as looked at"
    assert "largest pid" in found.document["verdict"]["unseen"]
    assert "NOT LOOKED AT" in run("diagnose", folder, "--host", host).out
    low = {**profile, "pid_max": 1}
    host.write_text(json.dumps(low))
    for words, code in (((), 0), (("--strict",), 1)):
        found = run("diagnose", folder, "--host", host, "--json", *words)
        assert (found.document["verdict"]["sign"], found.code) == ("may-fail", code)


def test_a_target_that_cannot_be_reached_is_an_error(run: Run) -> None:
    found = run("verify", "/nowhere")
    assert (found.code, found.out) == (3, "")


def unpack(archive: Path, folder: Path) -> Path:
    """Write the files of an archive to a folder; return that."""
    tree = open_archive(BytesWindow(archive.read_bytes()), archive.name, quiet())
    for name, data in ((n, tree.window(n)) for n, m in tree.members.items() if m.kind.value == "-"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data.read(0, data.size))
    tree.close()
    return folder


def test_of_a_layout_all_images_are_verified(run: Run, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    base = ARCHIVES / "base-bb.oci.tar"
    run("copy", f"oci-archive:{OPTIMIZED}", f"oci:{layout}:web")
    run("copy", f"oci-archive:{base}", f"oci:{layout}:base")
    documents = [json.loads(line) for line in run("verify", layout, "--json").out.splitlines()]
    assert [d["source"] for d in documents] == [f"oci:{layout}:web", f"oci:{layout}:base"]
    assert [d["has_checkpoint"] for d in documents] == [True, False]
    assert len(run("verify", f"oci:{layout}:web", "--json").out.splitlines()) > 1
