"""A working set beside its image: attached, found again, and no harm where it is bad."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ckpt_tui.convert.copying import copy
from ckpt_tui.core.errors import CkptError, UsageError
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.catalogue import children, place_at
from ckpt_tui.restore.attached import EMPTY, TYPE, attach, attached_set
from ckpt_tui.restore.working_set import MAX_SIZE, WorkingSet
from ckpt_tui.sources.base import Opened, OpenedImage
from ckpt_tui.sources.table import resolve
from fault_server import MANIFEST, Answer, FaultServer
from lazy_dumps import LAZY, PRESENT, in_registry, write_dump

FOUND = WorkingSet({7: ((0x10000, 3),)}, "runc")
LATER = WorkingSet({7: ((0x20000, 1),)}, "runc")


@contextmanager
def opened(target: str) -> Iterator[Opened]:
    found = resolve(target, quiet())
    try:
        yield found
    finally:
        found.close()


@pytest.fixture
def image(server: FaultServer, tmp_path: Path) -> str:
    return in_registry(server, write_dump(tmp_path / "dump", {7: ((0x10000, 9, PRESENT | LAZY),)}))


@pytest.fixture(params=["registry", "layout"])
def target(request: pytest.FixtureRequest, image: str, tmp_path: Path) -> str:
    if request.param == "registry":
        return image
    copy(image, f"oci:{tmp_path / 'layout'}:1", quiet())
    return f"oci:{tmp_path / 'layout'}"


def test_what_is_attached_is_found(target: str) -> None:
    with opened(target) as source:
        assert attached_set(source, quiet()) is None
        attach(source, FOUND, quiet())
    with opened(target) as source:
        assert attached_set(source, quiet()) == FOUND


def test_the_last_one_counts(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", "2026-01-01T00:00:00Z"])
    monkeypatch.setattr("ckpt_tui.restore.attached.now", lambda: next(moments))
    for number in (1, 2, 3):
        with opened(target) as source:
            attach(source, LATER if number == 2 else FOUND, quiet())
    with opened(target) as source:
        assert attached_set(source, quiet()) == LATER


def test_the_image_is_opened_and_listed_as_before(target: str) -> None:
    with opened(target) as source:
        assert isinstance(source, OpenedImage)
        before = source.descriptor
        attach(source, FOUND, quiet())
    with opened(target) as source:
        assert isinstance(source, OpenedImage)
        assert source.descriptor == before


def test_a_layout_lists_it_with_its_image_and_not_as_one(image: str, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    copy(image, f"oci:{layout}:1", quiet())
    with opened(f"oci:{layout}") as source:
        made = attach(source, FOUND, quiet())
    (listed,) = children(place_at(str(layout)), quiet())
    assert listed.name == "1"
    inside = children(place_at(f"oci:{layout}:1"), quiet())
    assert [e.descriptor.digest for e in inside if e.role == "referrer" and e.descriptor] == [
        made.digest
    ]


def test_the_api_is_asked_where_there_is_one(image: str, server: FaultServer) -> None:
    with opened(image) as source:
        made = attach(source, FOUND, quiet())
        assert isinstance(source, OpenedImage)
        subject = source.descriptor.digest
    (tag,) = [name for _, name in server.manifests if name.startswith("sha256-")]
    assert tag == subject.replace(":", "-")
    listed = server.manifests.pop(("app", tag))[1]
    server.always("GET", f"/referrers/{subject}", Answer(200, listed))
    with opened(image) as source:
        assert attached_set(source, quiet()) == FOUND
    assert made.digest in listed.decode()


@pytest.mark.parametrize("name", ["archive", "directory"])
def test_nothing_is_attached_elsewhere(name: str, image: str, tmp_path: Path) -> None:
    target = str(tmp_path / "dump")
    if name == "archive":
        target = f"oci-archive:{tmp_path / 'a.tar'}:1"
        copy(image, target, quiet())
    with opened(target) as source:
        with pytest.raises(UsageError, match="cannot be attached"):
            attach(source, FOUND, quiet())
        assert attached_set(source, quiet()) is None


def referring(server: FaultServer, layers: object) -> None:
    """Let the image have a referrer that says that it holds a working set."""
    name = next(name for _, name in server.manifests if name.startswith("sha256:"))
    config = {"mediaType": EMPTY, **server.add_blob("app", b"{}")}
    document = {"config": config, "layers": layers, "artifactType": TYPE}
    descriptor = {**server.add_manifest("app", "", document), "artifactType": TYPE}
    server.add_manifest("app", name.replace(":", "-"), {"manifests": [descriptor]})


@pytest.mark.parametrize(
    "bad", ["no layers", "two layers", "too large", "other bytes", "absent", "not JSON", "a text"]
)
def test_a_bad_one_is_refused(bad: str, image: str, server: FaultServer) -> None:
    good = {"mediaType": TYPE, **server.add_blob("app", FOUND.document())}
    layers: object = {
        "no layers": [],
        "two layers": [good, good],
        "too large": [{**good, "size": MAX_SIZE + 1}],
        "other bytes": [good],
        "absent": [{**good, "digest": "sha256:" + "0" * 64}],
        "not JSON": [{"mediaType": TYPE, **server.add_blob("app", b"[" * 100_000)}],
        "a text": "layers",
    }[bad]
    if bad == "other bytes":
        server.blobs["app", str(good["digest"])] = LATER.document()
    referring(server, layers)
    with opened(image) as source, pytest.raises(CkptError):
        attached_set(source, quiet())


def test_others_are_passed_over(image: str, server: FaultServer) -> None:
    name = next(name for _, name in server.manifests if name.startswith("sha256:"))
    other = {"mediaType": MANIFEST, "digest": "sha256:" + "1" * 64, "size": 3}
    listed = {"manifests": [other, {**other, "artifactType": "a/signature"}]}
    server.add_manifest("app", name.replace(":", "-"), listed)
    with opened(image) as source:
        assert attached_set(source, quiet()) is None
