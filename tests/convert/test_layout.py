"""Writing layouts: whole under their names, or not there."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path
from typing import BinaryIO

import pytest

from ckpt_tui.convert import layout
from ckpt_tui.convert.layout import ArchiveSink, LayoutSink
from ckpt_tui.convert.staging import Staging
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.sources.base import MEDIA_CONFIG, MEDIA_INDEX, Descriptor


def publish(folder: Path, data: bytes, tag: str) -> Descriptor:
    with LayoutSink(folder) as staging:
        root = staging.add(data, MEDIA_INDEX)
        staging.publish(root, tag, quiet())
    return root


def entries(folder: Path) -> list[dict[str, object]]:
    manifests = json.loads((folder / "index.json").read_bytes())["manifests"]
    assert isinstance(manifests, list)
    return manifests


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_blob_lies_under_its_digest_and_the_tag_names_it(tmp_path: Path) -> None:
    root = publish(tmp_path / "store", b"{}", "one")
    digest = hashlib.sha256(b"{}").hexdigest()
    assert root.digest == "sha256:" + digest
    assert files(tmp_path / "store") == {f"blobs/sha256/{digest}", "index.json", "oci-layout"}
    entry = entries(tmp_path / "store")[0]
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "one"}
    assert entry["size"] == 2


def test_other_tags_stay_and_the_same_tag_moves(tmp_path: Path) -> None:
    first = publish(tmp_path, b"1", "one")
    publish(tmp_path, b"2", "two")
    moved = publish(tmp_path, b"3", "two")
    assert [entry["digest"] for entry in entries(tmp_path)] == [first.digest, moved.digest]


def test_foreign_parts_of_an_index_stay(tmp_path: Path) -> None:
    foreign = {"mediaType": "x/y", "digest": "sha256:00", "size": 1, "data": "AA=="}
    index = {"schemaVersion": 2, "annotations": {"a": "b"}, "manifests": [foreign]}
    (tmp_path / "index.json").write_text(json.dumps(index))
    publish(tmp_path, b"1", "one")
    assert entries(tmp_path)[0] == foreign
    assert json.loads((tmp_path / "index.json").read_bytes())["annotations"] == {"a": "b"}


def test_leaving_without_publishing_leaves_nothing(tmp_path: Path) -> None:
    with LayoutSink(tmp_path / "new" / "store") as staging:
        staging.add(b"data", MEDIA_CONFIG)
        staging.new_blob().write(b"half")
    assert files(tmp_path) == set()
    assert not (tmp_path / "new" / "store").exists()


def test_a_blob_that_is_there_in_full_is_used_again(tmp_path: Path) -> None:
    publish(tmp_path, b"same", "one")
    before = next((tmp_path / "blobs/sha256").iterdir()).stat()
    with LayoutSink(tmp_path) as staging:
        again = staging.add(b"same", MEDIA_CONFIG)
        assert staging.holds(again.digest, 4)
        assert not staging.holds(again.digest, 5)
        staging.publish(again, "two", quiet())
    assert next((tmp_path / "blobs/sha256").iterdir()).stat().st_ino == before.st_ino


def test_a_blob_that_was_cut_short_is_written_again(tmp_path: Path) -> None:
    root = publish(tmp_path, b"whole", "one")
    path = tmp_path / "blobs/sha256" / root.digest[7:]
    path.write_bytes(b"wh")
    publish(tmp_path, b"whole", "one")
    assert path.read_bytes() == b"whole"


class FullDisk(io.BytesIO):
    """A file on a disk that has room for ten bytes."""

    def write(self, data: object) -> int:
        assert isinstance(data, bytes)
        if self.tell() + len(data) > 10:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


def test_a_full_disk_leaves_the_layout_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path, b"1", "one")
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}

    def create(path: Path) -> BinaryIO:
        path.touch()
        return FullDisk()

    monkeypatch.setattr(Staging.__init__, "__defaults__", (create,))
    with pytest.raises(OSError, match="No space"), LayoutSink(tmp_path) as staging:
        staging.add(b"more than ten bytes", MEDIA_CONFIG)
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


def staged(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Staging:
    """Begin to stage in a folder of that name; the one who holds it never lets go of it."""
    path = folder / f".ckpt-tui-{name}"

    def made(prefix: str, dir: Path) -> str:  # noqa: A002
        del prefix, dir
        path.mkdir()
        return str(path)

    with monkeypatch.context() as patched:
        patched.setattr("ckpt_tui.convert.staging.tempfile.mkdtemp", made)
        staging = Staging(folder).__enter__()
    (path / "blob-1").write_bytes(b"x")
    return staging


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_has_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = staged(tmp_path, "dead", monkeypatch)
    alive = staged(tmp_path, "alive", monkeypatch)
    os.close(dead._lock)
    publish(tmp_path, b"1", "one")
    assert not (tmp_path / ".ckpt-tui-dead").exists()
    assert (tmp_path / ".ckpt-tui-alive" / "blob-1").exists()
    alive.__exit__()


def test_what_others_call_so_is_left_alone(tmp_path: Path) -> None:
    """A folder without a lock, with one of another program, with a FIFO or a link in its place;
    and a link or a FIFO in place of the folder."""
    layout_folder, outside = tmp_path / "layout", tmp_path / "outside"
    for folder in (layout_folder, outside):
        folder.mkdir()
    (outside / "ckpt-tui.lock").write_bytes(b"staging of ckpt-tui\n")
    (outside / "kept").touch()
    for name in ("bare", "other", "fifo", "link"):
        (layout_folder / f".ckpt-tui-{name}").mkdir()
        (layout_folder / f".ckpt-tui-{name}" / "kept").touch()
    (layout_folder / ".ckpt-tui-other" / "ckpt-tui.lock").write_text("mine")
    os.mkfifo(layout_folder / ".ckpt-tui-fifo" / "ckpt-tui.lock")
    (layout_folder / ".ckpt-tui-link" / "ckpt-tui.lock").symlink_to(outside / "ckpt-tui.lock")
    (layout_folder / ".ckpt-tui-linked").symlink_to(outside)
    os.mkfifo(layout_folder / ".ckpt-tui-pipe")
    publish(layout_folder, b"1", "one")
    assert sorted(path.name for path in layout_folder.glob(".ckpt-tui-*")) == [
        *(".ckpt-tui-bare", ".ckpt-tui-fifo", ".ckpt-tui-link"),
        *(".ckpt-tui-linked", ".ckpt-tui-other", ".ckpt-tui-pipe"),
    ]
    assert len([*layout_folder.glob(".ckpt-tui-*/kept")]) == 5


def test_an_archive_is_a_layout_in_a_tar_and_always_the_same(tmp_path: Path) -> None:
    made = []
    for number in range(2):
        target = tmp_path / f"{number}.tar"
        with ArchiveSink(target) as staging:
            root = staging.add(b"{}", MEDIA_INDEX)
            staging.publish(root, "one", quiet())
        made.append(target.read_bytes())
    assert made[0] == made[1]
    with tarfile.open(fileobj=io.BytesIO(made[0])) as tar:
        assert tar.getnames()[-2:] == ["index.json", "oci-layout"]
        member = tar.extractfile(f"blobs/sha256/{root.digest[7:]}")
        assert member is not None
        assert member.read() == b"{}"
    assert files(tmp_path) == {"0.tar", "1.tar"}


def sink_in(folder: Path, kind: str, *, checks: bool) -> LayoutSink | ArchiveSink:
    sink = LayoutSink if kind == "layout" else ArchiveSink
    return sink(folder if kind == "layout" else folder / "a.tar", checks=checks)


@pytest.mark.parametrize("kind", ["layout", "archive"])
@pytest.mark.parametrize("checks", [True, False])
def test_a_digest_that_came_with_the_bytes_is_checked(
    tmp_path: Path, kind: str, checks: bool
) -> None:
    with sink_in(tmp_path, kind, checks=checks) as sink:
        sink.add(b"right", MEDIA_CONFIG)
        blob = sink.new_blob("sha256:" + hashlib.sha256(b"promised").hexdigest())
        blob.write(b"other")
        sink.keep(blob)
        with pytest.raises(CkptError, match="was not written as it should be"):
            sink.check(quiet())


@pytest.mark.parametrize("checks", [True, False])
def test_a_blob_of_the_layout_that_is_used_again_is_checked(tmp_path: Path, checks: bool) -> None:
    root = publish(tmp_path, b"same", "one")
    (tmp_path / "blobs/sha256" / root.digest[7:]).write_bytes(b"else")
    with LayoutSink(tmp_path, checks=checks) as sink:
        assert sink.add(b"same", MEDIA_INDEX) == root
        with pytest.raises(CkptError, match=root.digest):
            sink.check(quiet())


@pytest.mark.parametrize("checks", [True, False])
def test_each_blob_is_read_again_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checks: bool
) -> None:
    read: list[str] = []
    monkeypatch.setattr(layout, "check_blob", lambda _path, digest, _progress: read.append(digest))
    publish(tmp_path, b"there", "one")
    progress = Progress()
    with LayoutSink(tmp_path, checks=checks) as sink:
        made = [sink.add(data, MEDIA_CONFIG).digest for data in (b"1", b"there", b"2", b"1")]
        sink.check(progress)
        assert sorted(read) == sorted(set(made)) == sorted(sink.digests)
    assert (progress.done, progress.total) == (3, 3)


def test_blobs_of_a_write_that_fails_are_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path, b"1", "one")
    before = files(tmp_path)

    def full(self: LayoutSink, target: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(LayoutSink, "_replace", full)
    with pytest.raises(OSError, match="No space"):
        publish(tmp_path, b"2", "two")
    assert files(tmp_path) == before


@pytest.mark.parametrize("named", [True, False])
def test_what_a_process_killed_while_it_named_blobs_left_goes_unless_the_index_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    publish(tmp_path, b"1", "one")
    before = files(tmp_path)
    dead = LayoutSink(tmp_path)
    dead.__enter__()
    root = dead.add(b"2", MEDIA_INDEX)

    def killed(self: LayoutSink, target: Path, data: bytes) -> None:
        if named:
            replace(self, target, data)
        raise SystemExit

    replace = LayoutSink._replace
    with monkeypatch.context() as patched:
        patched.setattr(LayoutSink, "_replace", killed)
        patched.setattr("ckpt_tui.convert.layout.take_back", lambda folder, staging: None)
        with pytest.raises(SystemExit):
            dead.publish(root, "two", quiet())
    os.close(dead._lock)
    with LayoutSink(tmp_path):
        pass
    blob = f"blobs/sha256/{root.digest[7:]}"
    assert files(tmp_path) == (before | {blob} if named else before)


def test_a_staging_that_cannot_begin_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("ckpt_tui.convert.staging.os.write", full)
        with pytest.raises(OSError, match="No space"):
            Staging(tmp_path).__enter__()
    assert [*tmp_path.iterdir()] == []
