import contextlib
import gc
import gzip
import os
import shutil
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ckpt_tui.core.errors import (
    CkptError,
    DamagedInput,
    NotACheckpoint,
    SourceUnreachable,
    UsageError,
)
from ckpt_tui.core.paths import cache_dir
from ckpt_tui.core.progress import quiet
from ckpt_tui.sources.base import Opened, OpenedImage, OpenedTree
from ckpt_tui.sources.oci import image_config, image_layers, verify
from ckpt_tui.sources.table import SOURCES, resolve
from crafted import tar_of

BB_MANIFEST = "sha256:f1166ded68e57fdd11d251295a45746d6c152ab51e9313b6c029919ebbf4a1c6"


@contextlib.contextmanager
def opened(target: str | Path) -> Iterator[Opened]:
    found = resolve(str(target), quiet())
    try:
        yield found
    finally:
        found.close()


def tree_of(target: str | Path) -> OpenedTree:
    found = resolve(str(target), quiet())
    assert isinstance(found, OpenedTree)
    return found


@pytest.fixture
def layout(data: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "layout"
    with tarfile.open(data / "archives/base-bb.oci.tar") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.mark.parametrize(
    ("name", "compression", "members"),
    [
        ("counter.tar.zst", "zstd", 36),
        ("cri-crio.tar", "plain", 35),
        ("cri-containerd-cri.tar", "plain", 35),
        ("cri-podman.tar", "plain", 37),
    ],
)
def test_real_archives_open_by_their_content(
    data: Path, tmp_path: Path, name: str, compression: str, members: int
) -> None:
    plain_name = tmp_path / "checkpoint"  # the name says nothing
    shutil.copy(data / "archives" / name, plain_name)
    found = tree_of(plain_name)
    assert (found.kind, found.compression) == ("archive", compression)
    assert found.packed_size == plain_name.stat().st_size
    assert len(found.tree.members) == members
    assert found.tree.notes == ()
    found.close()


def test_a_gzip_archive_opens(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(gzip.compress((data / "archives/cri-crio.tar").read_bytes(), 1))
    with opened(path) as found:
        assert isinstance(found, OpenedTree)
        assert found.compression == "gzip"


@pytest.mark.parametrize("scheme", ["", "dir:"])
def test_a_directory_opens(data: Path, scheme: str) -> None:
    found = tree_of(f"{scheme}{data / 'images/counter'}")
    assert found.kind == "directory"
    assert "inventory.img" in found.tree.members
    assert found.packed_size == sum(
        path.stat().st_size for path in (data / "images/counter").iterdir()
    )
    found.close()


def _check_base_image(found: Opened) -> None:
    assert isinstance(found, OpenedImage)
    assert not found.is_index
    assert found.descriptor.digest == BB_MANIFEST
    (layer,) = image_layers(found)
    tree = layer.open_tree(quiet())
    assert tree.members["."].mode == 0o700
    assert "bin/busybox" in tree.members
    verify(layer.descriptor.digest, found.store.blob(layer.descriptor.digest), quiet())
    assert image_config(found)["rootfs"]["diff_ids"][0].startswith("sha256:aab572d6")


@pytest.mark.parametrize(
    "target",
    [
        "{}",
        "oci-archive:{}",
        "oci-archive:{}:1",
        "oci-archive:{}:localhost/bb:1",
        "oci-archive:{}@" + BB_MANIFEST,
    ],
)
def test_a_layout_in_an_archive_opens(data: Path, target: str) -> None:
    with opened(target.format(data / "archives/base-bb.oci.tar")) as found:
        _check_base_image(found)


@pytest.mark.parametrize(
    "target", ["{}", "oci:{}", "oci:{}:1", "oci:{}:localhost/bb:1", "oci:{}@" + BB_MANIFEST]
)
def test_a_layout_in_a_directory_opens(layout: Path, target: str) -> None:
    with opened(target.format(layout)) as found:
        _check_base_image(found)


def test_a_packed_layout_archive_opens(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "bb"
    packer = zstandard.ZstdCompressor(level=1)
    path.write_bytes(packer.compress((data / "archives/base-bb.oci.tar").read_bytes()))
    with opened(path) as found:
        _check_base_image(found)


def test_standard_input_is_spooled_into_a_file_without_a_name(data: Path) -> None:
    saved = os.dup(0)
    try:
        with open(data / "archives/counter.tar.zst", "rb") as file:
            os.dup2(file.fileno(), 0)
        with opened("-") as found:
            assert isinstance(found, OpenedTree)
            assert len(found.tree.members) == 36
            assert list(cache_dir().iterdir()) == []
    finally:
        os.dup2(saved, 0)
        os.close(saved)


def test_a_fifo_is_read_to_its_end(data: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    content = (data / "archives/cri-crio.tar").read_bytes()
    writer = threading.Thread(target=fifo.write_bytes, args=(content,))
    writer.start()
    with opened(fifo) as found:
        assert isinstance(found, OpenedTree)
        assert len(found.tree.members) == 35
    writer.join()


@pytest.mark.parametrize(
    "target",
    [
        "/nonexistent/a.tar",
        "oci:/nonexistent:1",
        "dir:/nonexistent",
        "nul\0",
        "oci-archive:/nonexistent",
    ],
)
def test_what_is_absent_cannot_be_reached(target: str) -> None:
    with pytest.raises(SourceUnreachable) as caught:
        resolve(target, quiet())
    assert caught.value.exit_code == 3


def test_an_empty_file_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(NotACheckpoint, match="empty"):
        resolve(str(tmp_path / "a"), quiet())


def test_an_empty_folder_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(NotACheckpoint, match="empty"):
        resolve(str(tmp_path), quiet())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"gVisorSF" + bytes(600), "gVisor"),
        (b"\x7fELF" + bytes(600), "program"),
        (b"PK\x03\x04", "zip"),
        (b"\xfd7zXZ\x00", "xz -d"),
        (b"some text " * 100, "not a tar archive"),
        (b"\x28\xb5\x2f\xfd", "damaged"),
        (b"\x1f\x8b", "damaged"),
        (gzip.compress(b"some text", mtime=0), "not a tar archive"),
    ],
    ids=["gvisor", "program", "zip", "xz", "text", "cut zstd", "cut gzip", "gzip"],
)
def test_other_files_are_refused_with_a_reason(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises((NotACheckpoint, DamagedInput)) as caught:
        resolve(str(path), quiet())
    assert why in str(caught.value)


@pytest.mark.parametrize("target", ["oci:", "dir:", "containers-storage:"])
def test_a_target_that_cannot_be_meant_is_a_usage_error(target: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(target, quiet())
    assert caught.value.exit_code == 2


def test_a_tag_of_an_archive_that_is_no_layout_is_refused(data: Path) -> None:
    with pytest.raises(NotACheckpoint, match="not an archive of images"):
        resolve(f"oci-archive:{data / 'archives/cri-crio.tar'}:1", quiet())


def open_files() -> list[str]:
    """Return what this process has open as a file; servers of other tests may close sockets."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return sorted(name for name in found if name.startswith("/"))


def test_a_failed_open_leaves_no_descriptor(data: Path, tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"x" * 2000)
    targets = [
        tmp_path / "bad",
        f"oci-archive:{data / 'archives/cri-crio.tar'}:1",
        f"oci-archive:{data / 'archives/base-bb.oci.tar'}:absent",
        f"oci:{data / 'archives'}",
    ]
    gc.collect()  # what earlier tests left open
    before = open_files()
    for target in targets:
        with pytest.raises(CkptError):
            resolve(str(target), quiet())
    assert open_files() == before


def test_closing_leaves_no_descriptor(data: Path, layout: Path) -> None:
    gc.collect()  # what earlier tests left open
    before = open_files()
    for target in (
        data / "archives/counter.tar.zst",
        data / "archives/base-bb.oci.tar",
        data / "images/counter",
        layout,
    ):
        with opened(target):
            pass
    assert open_files() == before


def test_every_kind_of_source_says_how_it_is_written() -> None:
    assert all(source.syntax and source.description for source in SOURCES)
    assert [source.accepts("anything") for source in SOURCES][-1]


SMALL = tar_of({"spec.dump": b"{}", "n" * 200: b"x" * 900, "b": b""})
FORMS = [SMALL, zstandard.ZstdCompressor().compress(SMALL), gzip.compress(SMALL, mtime=0)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    form=st.sampled_from(FORMS),
    cut=st.integers(0, 12_000),
    patch=st.binary(max_size=3),
    at=st.integers(0, 3000),
)
def test_a_cut_or_changed_archive_opens_with_notes_or_is_refused(
    tmp_path: Path, form: bytes, cut: int, patch: bytes, at: int
) -> None:
    damaged = form[:at] + patch + form[at + len(patch) :]
    path = tmp_path / "a"
    path.write_bytes(damaged[:cut])
    with contextlib.suppress(CkptError), opened(path) as found:
        assert isinstance(found, OpenedTree)
        for name, member in found.tree.members.items():
            if member.kind.value == "-":
                assert len(found.tree.window(name).read(0, 10_000)) <= member.size
