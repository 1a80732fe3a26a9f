import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from ckpt_tui.archive.directory import DirectoryTree
from ckpt_tui.core.errors import CkptError, DamagedInput, SourceUnreachable, UsageError
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.sources.base import MEDIA_INDEX, MEDIA_MANIFEST, REF_NAME, OpenedImage
from ckpt_tui.sources.oci import LayoutStore, descriptor_of, image_layers, manifests, verify
from ckpt_tui.sources.table import resolve


class Layout:
    """Writes a layout in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "blobs/sha256").mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, document: object, media_type: str = MEDIA_MANIFEST) -> dict[str, object]:
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        digest = hashlib.sha256(data).hexdigest()
        (self.folder / "blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def index(self, *descriptors: Mapping[str, object]) -> None:
        document = {"schemaVersion": 2, "manifests": list(descriptors)}
        (self.folder / "index.json").write_text(json.dumps(document))

    def open(self, reference: str = "") -> OpenedImage:
        found = resolve(f"oci:{self.folder}{reference}", quiet())
        assert isinstance(found, OpenedImage)
        found.close()
        return found


def named(descriptor: Mapping[str, object], name: str) -> dict[str, object]:
    return {**descriptor, "annotations": {REF_NAME: name}}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def test_an_image_is_chosen_by_tag_or_whole_reference(layout: Layout) -> None:
    one, two = layout.blob({"layers": [], "n": 1}), layout.blob({"layers": [], "n": 2})
    layout.index(named(one, "v1"), named(two, "quay.io/a/b:v2"))
    assert layout.open(":v1").document["n"] == 1
    assert layout.open(":v2").document["n"] == 2
    assert layout.open(":quay.io/a/b:v2").document["n"] == 2
    assert layout.open(f"@{two['digest']}").document["n"] == 2


def test_several_images_and_none_named_is_a_usage_error(layout: Layout) -> None:
    one, two = layout.blob({"n": 1}), layout.blob({"n": 2})
    layout.index(named(one, "v1"), two)
    with pytest.raises(UsageError, match="2 images") as caught:
        layout.open()
    assert "v1" in caught.value.hint
    assert str(two["digest"]) in caught.value.hint


def test_several_names_of_one_image_are_one_image(layout: Layout) -> None:
    one = layout.blob({"n": 1})
    layout.index(named(one, "v1"), named(one, "latest"))
    assert layout.open().document["n"] == 1


def test_an_unknown_tag_names_those_there_are(layout: Layout) -> None:
    layout.index(named(layout.blob({}), "v1"))
    with pytest.raises(UsageError, match="no image v9") as caught:
        layout.open(":v9")
    assert "v1" in caught.value.hint


def test_a_layout_without_images_says_so(layout: Layout) -> None:
    layout.index()
    with pytest.raises(UsageError, match="no image at all"):
        layout.open()


def test_manifests_of_nested_indexes_come_once_and_in_order(layout: Layout) -> None:
    first, second, other = (layout.blob({"n": number}) for number in range(3))
    other["mediaType"] = "application/x-unknown"
    inner = layout.blob({"manifests": [second, other, first]}, MEDIA_INDEX)
    missing = {"mediaType": MEDIA_INDEX, "digest": f"sha256:{'0' * 64}", "size": 1}
    outer = layout.blob({"manifests": [first, inner, missing]}, MEDIA_INDEX)
    layout.index(outer)
    found = layout.open()
    assert found.is_index
    store = LayoutStore(DirectoryTree(layout.folder))
    digests = [one.digest for one in manifests(store, store.index())]
    assert digests == [first["digest"], second["digest"], other["digest"]]
    assert layout.open(f"@{second['digest']}").document["n"] == 1
    store.close()


def test_indexes_nested_without_end_are_damage(layout: Layout) -> None:
    descriptor = layout.blob({"manifests": []}, MEDIA_INDEX)
    for _ in range(20):
        descriptor = layout.blob({"manifests": [descriptor]}, MEDIA_INDEX)
    layout.index(descriptor)
    store = LayoutStore(DirectoryTree(layout.folder))
    with pytest.raises(DamagedInput, match="without end"):
        list(manifests(store, store.index()))
    store.close()


@pytest.mark.parametrize(
    "digest",
    [
        "sha256:../../../etc/passwd",
        "sha256:" + "A" * 64,
        "sha256:" + "0" * 63,
        "md5:00",
        "",
        7,
        "sha256:" + "0" * 64 + "\n",
    ],
)
def test_what_is_no_digest_never_becomes_a_path(layout: Layout, digest: object) -> None:
    layout.index({"mediaType": MEDIA_MANIFEST, "digest": digest, "size": 1})
    with pytest.raises(DamagedInput, match="invalid digest"):
        layout.open()
    store = LayoutStore(DirectoryTree(layout.folder))
    with pytest.raises(DamagedInput, match="invalid digest"):
        store.blob(str(digest))
    store.close()


@pytest.mark.parametrize("size", [None, -1, "1", True, 1.5])
def test_a_descriptor_without_a_size_is_damage(size: object) -> None:
    with pytest.raises(DamagedInput, match="no size"):
        descriptor_of({"digest": f"sha256:{'0' * 64}", "size": size}, "x")


def test_a_manifest_of_other_bytes_is_damage(layout: Layout) -> None:
    one = layout.blob({"n": 1})
    layout.index(one)
    (layout.folder / "blobs/sha256" / str(one["digest"])[7:]).write_text("{}")
    with pytest.raises(DamagedInput, match="digest"):
        layout.open()


def test_a_missing_manifest_cannot_be_reached(layout: Layout) -> None:
    one = layout.blob({"n": 1})
    layout.index(one)
    (layout.folder / "blobs/sha256" / str(one["digest"])[7:]).unlink()
    with pytest.raises(SourceUnreachable, match="not there"):
        layout.open()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"[" * 100_000,
        b'{"manifests": [1]}',
        b'{"manifests": {}}',
        b'{"manifests": [[]]}',
        b" " * (5 << 20),
    ],
    ids=["empty", "list", "null", "cut", "deep", "number", "object", "nested", "large"],
)
def test_an_index_of_another_shape_is_an_error(layout: Layout, data: bytes) -> None:
    (layout.folder / "index.json").write_bytes(data)
    with pytest.raises(CkptError):
        layout.open()


def test_an_index_larger_than_registries_take_is_not_parsed(layout: Layout) -> None:
    (layout.folder / "index.json").write_bytes(b'{"manifests": []}'.ljust((4 << 20) + 1))
    with pytest.raises(DamagedInput, match="more than a manifest"):
        layout.open()


def test_a_manifest_of_another_shape_has_no_layers(layout: Layout) -> None:
    for layers in (None, 7, "x", {}):
        layout.index(layout.blob({"layers": layers}))
        assert image_layers(layout.open()) == ()
    layout.index(layout.blob({"layers": [7]}))
    with pytest.raises(DamagedInput):
        image_layers(layout.open())


def test_annotations_that_are_no_text_are_left_out() -> None:
    document = {"digest": f"sha256:{'0' * 64}", "size": 1, "annotations": {"a": "b", "c": 1}}
    assert descriptor_of(document, "x").annotations == {"a": "b"}


def test_a_blob_is_verified_and_counted() -> None:
    data = bytes(3 << 20)
    progress = Progress()
    for algorithm in ("sha256", "sha512"):
        verify(
            f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}", BytesWindow(data), progress
        )
    assert progress.done == 2 * len(data)
    with pytest.raises(DamagedInput, match="digest"):
        verify(f"sha256:{'0' * 64}", BytesWindow(data), quiet())
