"""frames.bin proves each frame of a layer that is read in parts, forged ones included."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import zstandard

from ckpt_tui.archive.seekable import SeekableZstdWindow, SeekableZstdWriter, seek_table
from ckpt_tui.convert.request import Request, prepare
from ckpt_tui.convert.run import run
from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.formats.frame_digests import FRAMES, MAGIC, decode, encode
from ckpt_tui.formats.opened import open_checkpoint
from ckpt_tui.sources import oci, registry_store, remote_blob
from crafted import ARCHIVES, unpacked
from fault_server import FaultServer

ROLE = "org.criu.checkpoint.layer.role"
PAGES = "checkpoint/pages-1.img"
LAYERS = [
    (f"sha256:{'ab' * 32}", b"1" * 64),
    (f"sha256:{'cd' * 32}", b""),
    ("sha256:" + "0" * 64, b"2" * 32),
]
DEMO = Path(__file__).parents[2] / "tui/ckpt_tui/demo/counter-optimized.oci.tar"


def test_what_is_written_is_read() -> None:
    assert decode(encode(LAYERS)) == dict(LAYERS)
    assert decode(encode([])) == {}


@pytest.mark.parametrize(
    "data", [b"", b"CRIUFRM2", MAGIC + b"x", encode(LAYERS)[:-1], encode(LAYERS) + b"\0"]
)
def test_what_is_damaged_is_said(data: bytes) -> None:
    with pytest.raises(DamagedInput, match=FRAMES):
        decode(data)


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """An optimized image, of which no layer is verified as a whole when it is opened."""
    base = f"oci-archive:{ARCHIVES / 'base-bb.oci.tar'}"
    target = f"oci:{tmp_path / 'layout'}:web"
    prepared = prepare(Request(str(ARCHIVES / "counter.tar.zst"), target, base), quiet())
    try:
        run(prepared.plan, prepared.inputs, quiet())
    finally:
        prepared.close()
    return tmp_path / "layout"


def blob_of(layout: Path, role: str) -> Path:
    """Return the blob of a layer of the checkpoint image."""
    for path in (layout / "blobs/sha256").iterdir():
        data = path.read_bytes()
        for layer in json.loads(data).get("layers", ()) if data[:1] == b"{" else ():
            if layer.get("annotations", {}).get(ROLE) == role:
                return layout / "blobs/sha256" / layer["digest"][7:]
    raise AssertionError(role)


def forge(blob: Path) -> None:
    """Change a byte of memory in a layer; every checksum of zstd and the size stay right."""
    packed = blob.read_bytes()
    window = BytesWindow(packed)
    table = seek_table(window)
    assert table is not None
    plain = bytearray(SeekableZstdWindow(window, table).read(0, table.plain_size))
    for offset in range(len(plain) // 2, len(plain)):
        plain[offset] ^= 1
        sink = io.BytesIO()
        with SeekableZstdWriter(sink) as writer:
            for start, end in zip(table.plain, table.plain[1:], strict=False):
                writer.write(plain[start:end])
                writer.end_frame()
            writer.close()
        if len(sink.getvalue()) == len(packed):
            blob.write_bytes(sink.getvalue())
            return
        plain[offset] ^= 1
    raise AssertionError("no change keeps the size")


def read_pages(target: Path | str) -> bytes:
    opened = open_checkpoint(str(target), quiet())
    try:
        window = opened.tree.window(PAGES)
        return window.read(0, window.size)
    finally:
        opened.close()


def test_a_forged_frame_is_refused_though_its_checksum_is_right(
    layout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oci, "MAX_VERIFIED", 0)
    assert len(read_pages(layout)) > 4096
    forge(blob_of(layout, "pages"))
    with pytest.raises(DamagedInput, match="frame 0 does not have its digest"):
        read_pages(layout)


def test_digests_in_a_damaged_metadata_layer_are_not_believed(
    layout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oci, "MAX_VERIFIED", 0)
    forge(blob_of(layout, "metadata"))
    with pytest.raises(DamagedInput, match="do not have the digest"):
        read_pages(layout)


def test_an_image_of_version_0_1_has_none_and_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oci, "MAX_VERIFIED", 0)
    assert len(read_pages(unpacked(DEMO, tmp_path / "old"))) > 4096


def test_frames_that_were_read_before_are_compared_too() -> None:
    sink = io.BytesIO()
    with SeekableZstdWriter(sink, frame_size=1000) as writer:
        writer.write(bytes(range(250)) * 20)
        digests = writer.close().digests
    packed = sink.getvalue()
    table = seek_table(BytesWindow(packed))
    assert table is not None
    window = SeekableZstdWindow(BytesWindow(packed), table)
    window.read(0, 10)
    window.prove(lambda: b"\0" * 32 + digests[32:])
    with pytest.raises(DamagedInput, match="frame 0"):
        window.read(2000, 10)
    for count in (len(digests) - 32, 31):
        other = SeekableZstdWindow(BytesWindow(packed), table)
        other.prove(lambda count=count: digests[:count])  # type: ignore[misc]
        with pytest.raises(DamagedInput, match="another number of frames"):
            other.read(0, 10)
    assert zstandard.decompress(packed[: table.packed[1]]) == (bytes(range(250)) * 20)[:1000]


def served(layout: Path, server: FaultServer) -> str:
    """Serve the image of a layout; the blobs may be others than their digests say."""
    for path in (layout / "blobs/sha256").iterdir():
        data = path.read_bytes()
        document = json.loads(data) if data[:1] == b"{" else {}
        if "manifests" in document or "layers" in document:
            server.manifests["app", f"sha256:{path.name}"] = (document["mediaType"], data)
        server.blobs["app", f"sha256:{path.name}"] = data
    root = json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]
    return f"docker://{server.host}/app@{root}"


@pytest.mark.parametrize("role", ["", "pages", "metadata"])
def test_frames_of_a_registry_are_compared_too(
    role: str, layout: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (registry_store, remote_blob):
        monkeypatch.setattr(module, "WHOLE", 0)  # as for layers that are fetched in parts
    if role:
        forge(blob_of(layout, role))
    target = served(layout, server)
    if not role:
        assert len(read_pages(target)) > 4096
        return
    with pytest.raises(DamagedInput, match=r"not have (its|the) digest"):
        read_pages(target)
