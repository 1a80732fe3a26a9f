"""Damage in one part is a note beside the rest: nothing raises, everything else is shown."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckpt_tui.archive.joined import MemoryTree
from ckpt_tui.archive.tree import ByteRange, Tree
from ckpt_tui.checkpoint.build import MAX_NOTES, Parts, build_checkpoint
from ckpt_tui.checkpoint.export import checkpoint_document
from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.model import Checkpoint, ContainerFacts, FormatFacts
from ckpt_tui.core.errors import CkptError, SourceUnreachable
from ckpt_tui.core.json_form import to_json
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.window import BytesWindow, ByteWindow
from ckpt_tui.criu import decode
from ckpt_tui.criu.frames import read_frames
from ckpt_tui.criu.kinds import Payload, kind_of
from crafted import ARCHIVES, IMAGES, copied, loaded

KEY_IMAGES = (
    *("inventory.img", "pstree.img", "core-1.img", "ids-1.img", "mm-1.img", "fs-1.img"),
    *("files.img", "fdinfo-2.img", "pagemap-1.img", "pages-1.img", "mountpoints-13.img"),
    *("cgroup.img", "utsns-12.img", "stats-dump", "seccomp.img"),
)


@functools.cache
def contents(name: str) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted((IMAGES / name).iterdir())}


def built(tree: Tree) -> Checkpoint:
    """Build the model of a tree of CRIU images, and what `--json` makes of it."""
    checkpoint = build_checkpoint(
        Parts(
            source="here",
            tree=tree,
            images=ImageDirectory(tree, ""),
            images_folder="",
            format=FormatFacts("CRIU directory", "criu", False, "plain"),
            container=ContainerFacts(),
            packed=0,
        ),
        quiet(),
    )
    assert to_json(checkpoint_document(checkpoint)).isascii()
    return checkpoint


def cut(files: dict[str, bytes], name: str, size: int) -> dict[str, bytes]:
    return {**files, name: files[name][:size]}


def ends_between_records(data: bytes, name: str, size: int) -> bool:
    """Whether nothing in the image itself tells that it was cut there."""
    kind, _ = kind_of(name) or (None, "")
    if kind is None or kind.format is not Payload.MANY:
        return False
    frames = list(read_frames(BytesWindow(data), name, kind, quiet()))
    return size in (frames[0].offset, *(f.extra_offset + f.extra_size for f in frames))


@pytest.mark.parametrize("name", KEY_IMAGES)
def test_an_image_cut_anywhere_leaves_the_others(name: str) -> None:
    files = contents("counter")
    whole = built(MemoryTree(files))
    for size in sorted({0, 3, 4, 8, 11, 12, 13, len(files[name]) // 2, len(files[name]) - 1}):
        found = built(MemoryTree(cut(files, name, size)))
        assert {i.name for i in found.images} == {i.name for i in whole.images}
        if not ends_between_records(files[name], name, size):
            assert any(n.where.endswith(name) for n in found.notes)
        if name not in ("pstree.img", "core-1.img"):
            assert [p.pid for p in found.processes] == [1, 8]
        if name not in ("files.img", "fdinfo-2.img", "ids-1.img", "pstree.img", "core-1.img"):
            assert found.files == whole.files


def test_every_image_cut_in_half_still_gives_a_list(tmp_path: Path) -> None:
    files = {n: data[: len(data) // 2] for n, data in contents("kinds").items()}
    found = built(MemoryTree(files))
    assert len(found.images) == len(files)
    assert len([n for n in found.notes if n.where.endswith(".img")]) > 10


def test_no_image_at_all_gives_an_empty_checkpoint() -> None:
    found = built(MemoryTree({}))
    assert (found.processes, found.files, found.memory) == ((), (), ())
    assert [n.where for n in found.notes] == ["inventory.img"]


def test_without_an_inventory_the_rest_is_shown() -> None:
    files = {n: d for n, d in contents("counter").items() if n != "inventory.img"}
    found = built(MemoryTree(files))
    assert [p.comm for p in found.processes] == ["sh", "sleep"]
    text = "There is no readable inventory: CRIU refuses such a checkpoint."
    assert [(n.where, n.text) for n in found.notes] == [("inventory.img", text)]
    assert found.criu.architecture == "x86_64"


@pytest.mark.parametrize("name", KEY_IMAGES)
def test_an_image_with_the_magic_of_another_is_named(name: str) -> None:
    files = contents("counter")
    other = files["fs-1.img" if name != "fs-1.img" else "ids-1.img"]
    found = built(MemoryTree({**files, name: other}))
    if name not in ("pages-1.img", "stats-dump"):
        assert any(n.where == name and "magic" in n.text for n in found.notes)


def test_a_folder_or_link_in_place_of_an_image_is_a_note(tmp_path: Path) -> None:
    images = copied("counter", tmp_path)
    for name in ("pagemap-1.img", "tmpfs-dev-50.tar.gz.img", "fdinfo-2.img", "pages-2.img"):
        (images / name).unlink()
        (images / name).mkdir()
    (images / "mm-8.img").unlink()
    (images / "mm-8.img").symlink_to("/etc/passwd")
    found = loaded(images)
    notes = {n.where: n.text for n in found.notes}
    assert notes["fdinfo-2.img"] == "It is not a regular file."
    assert notes["mm-8.img"] == "It is not a regular file."
    assert [p.pid for p in found.processes] == [1, 8]
    assert {f.pid for f in found.files} == {8}


class OutOfReach(MemoryTree):
    """A tree some of whose members cannot be read any more."""

    def __init__(self, files: dict[str, bytes], gone: str) -> None:
        super().__init__(files)
        self.gone = gone

    def window(self, name: str) -> ByteWindow:
        window = super().window(name)
        return _Gone(window.size) if name == self.gone else window

    def preload(self, ranges: Iterable[ByteRange], progress: Progress) -> None:
        if any(r.name == self.gone for r in ranges):
            raise SourceUnreachable("It was removed.")


class _Gone:
    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, offset: int, length: int) -> bytes:
        raise SourceUnreachable("It was removed.")


@pytest.mark.parametrize("name", KEY_IMAGES)
def test_an_image_out_of_reach_is_a_note(name: str) -> None:
    files = contents("counter")
    found = built(OutOfReach(files, name))
    assert any("It was removed." in n.text for n in found.notes)
    assert len(found.images) == len(files)


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(sorted(n for n in contents("kinds") if not n.startswith("seccomp"))),
    at=st.integers(0, 4000),
    put=st.binary(min_size=1, max_size=12),
)
def test_bytes_written_anywhere_never_raise(name: str, at: int, put: bytes) -> None:
    files = contents("kinds")
    data = files[name]
    at %= len(data) + 1
    built(MemoryTree({**files, name: data[:at] + put + data[at + len(put) :]}))


@pytest.mark.parametrize(
    ("name", "share"),
    [
        # zstd gives nothing of its first block of 128 KiB before it is whole
        *(("counter.tar.zst", share) for share in (0.8, 0.95)),
        *(("cri-podman.tar", share) for share in (0.2, 0.4, 0.6, 0.8, 0.95)),
    ],
)
def test_an_archive_cut_behind_its_first_members_is_shown(
    tmp_path: Path, name: str, share: float
) -> None:
    found = loaded(cut_archive(tmp_path, name, share))
    assert found.notes
    assert found.images


@pytest.mark.parametrize("name", ["counter.tar.zst", "cri-podman.tar"])
def test_an_archive_cut_before_that_says_what_it_is_not(tmp_path: Path, name: str) -> None:
    for share in (0, 0.001):
        with pytest.raises(CkptError) as caught:
            loaded(cut_archive(tmp_path, name, share))
        assert caught.value.what
        assert caught.value.why


def cut_archive(folder: Path, name: str, share: float) -> Path:
    data = (ARCHIVES / name).read_bytes()
    path = folder / name
    path.write_bytes(data[: int(len(data) * share)])
    return path


def test_records_beyond_the_limit_are_told_with_file_and_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decode, "MAX_KEPT_ENTRIES", 1)
    checkpoint = loaded(IMAGES / "counter")
    assert [p.pid for p in checkpoint.processes] == [1]
    size = len(contents("counter")["pstree.img"])
    note = next(n.text for n in checkpoint.notes if n.where == "pstree.img")
    assert note.endswith(", not 1 more.")
    place = int(note.removeprefix("Only the records up to byte ").partition(" ")[0])
    assert 12 < place < size


def test_a_record_of_too_many_items_is_told_with_file_and_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decode, "MAX_KEPT", 500)
    checkpoint = loaded(IMAGES / "counter")
    told = {n.where: n.text for n in checkpoint.notes}
    assert told["mm-1.img"] == "The record at byte 12 is too large to be decoded."
    assert [p.pid for p in checkpoint.processes] == [1, 8]


@pytest.mark.parametrize("kind", ["fdinfo-2.img", "pagemap-1.img", "mountpoints-13.img"])
def test_one_record_many_times_over_is_bounded(tmp_path: Path, kind: str) -> None:
    images = copied("counter", tmp_path)
    head = 12 if kind.startswith("pagemap") else 8
    data = (images / kind).read_bytes()
    size = 4 + int.from_bytes(data[head : head + 4], "little")
    if head == 12:
        head += size - 4
        size = 4 + int.from_bytes(data[head : head + 4], "little")
    (images / kind).write_bytes(data + data[head : head + size] * 5000)
    checkpoint = loaded(images)
    assert len(checkpoint.notes) <= MAX_NOTES + 1
    assert checkpoint.processes
    to_json(checkpoint_document(checkpoint))
