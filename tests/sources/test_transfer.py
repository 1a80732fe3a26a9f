"""Copies into registries: what is moved, mounted or left, and in which order."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator, Mapping

import pytest

from ckpt_tui.core.errors import Cancelled, CkptError, DamagedInput, SourceUnreachable
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.window import BytesWindow, ByteWindow
from ckpt_tui.sources.base import Descriptor, OpenedImage
from ckpt_tui.sources.oci import missing_blob
from ckpt_tui.sources.reference import parse_reference
from ckpt_tui.sources.registry import RegistryClient
from ckpt_tui.sources.registry_destination import RegistryDestination
from ckpt_tui.sources.registry_upload import CHUNK, upload_blob
from ckpt_tui.sources.table import resolve
from ckpt_tui.sources.transfer import AT_ONCE, BlobStep, copy_image
from fault_server import INDEX, MANIFEST, Answer, FaultServer, Seen, client_for, sha256

DATA = random.Random(7).randbytes(2_500_000)
BLOB = Descriptor("", sha256(DATA), len(DATA))


class MemoryStore:
    """Blobs in memory, under whatever digest a test says."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def add(self, data: bytes | Mapping[str, object], media_type: str = "") -> dict[str, object]:
        packed = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.blobs[sha256(packed)] = packed
        return {"mediaType": media_type, "digest": sha256(packed), "size": len(packed)}

    def blob(self, digest: str) -> ByteWindow:
        if digest not in self.blobs:
            raise missing_blob(digest)
        return BytesWindow(self.blobs[digest])

    def layer_tree(self, layer: Descriptor, progress: Progress) -> object:
        raise AssertionError("a copy reads no layers")

    def close(self) -> None:
        """Nothing is open."""

    def opened(self, document: Mapping[str, object], media_type: str = MANIFEST) -> OpenedImage:
        data = json.dumps(document).encode()
        descriptor = Descriptor(media_type, sha256(data), len(data))
        return OpenedImage("memory", self, descriptor, document, data)  # type: ignore[arg-type]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def client(server: FaultServer) -> Iterator[RegistryClient]:
    with client_for(server) as made:
        yield made


def destination(client: RegistryClient, name: str, *near: str) -> RegistryDestination:
    return RegistryDestination(client, parse_reference(f"docker://{client.host}/{name}"), near)


def pair(store: MemoryStore, **annotations: str) -> OpenedImage:
    """An index of two manifests that share a layer."""
    shared, own = store.add(b"shared" * 1000), store.add(b"own" * 1000)
    config = store.add({"rootfs": {}})
    one = store.add({"config": config, "layers": [shared]}, MANIFEST)
    two = store.add(
        {"config": config, "layers": [shared, own], "annotations": annotations}, MANIFEST
    )
    return store.opened({"manifests": [one, two]}, INDEX)


def test_everything_of_an_index_is_copied_and_its_name_comes_last(
    server: FaultServer, client: RegistryClient, store: MemoryStore
) -> None:
    image = pair(store)
    copied = copy_image(image, destination(client, "app"), "1", quiet())
    assert copied.blobs == {"copied": 3}
    assert server.manifests["app", "1"] == (INDEX, image.data)
    assert {digest for _, digest in server.blobs} < set(store.blobs)
    puts = [path for path in server.paths("PUT") if "manifests" in path]
    assert len(puts) == 3
    assert puts[-1] == "/v2/app/manifests/1"


def test_a_second_copy_moves_nothing(
    server: FaultServer, client: RegistryClient, store: MemoryStore
) -> None:
    copy_image(pair(store), destination(client, "app"), "1", quiet())
    server.seen.clear()
    copied = copy_image(pair(store), destination(client, "app"), "1", quiet())
    assert copied.blobs == {"present": 3}
    assert {seen.method for seen in server.seen} == {"HEAD"}


def test_blobs_are_mounted_from_a_repository_that_has_them(
    server: FaultServer, client: RegistryClient, store: MemoryStore
) -> None:
    server.add_blob("base", b"shared" * 1000)
    copied = copy_image(pair(store), destination(client, "app", "base"), "1", quiet())
    assert copied.blobs == {"mounted": 1, "copied": 2}


def test_the_base_image_is_found_by_its_annotation(
    server: FaultServer, client: RegistryClient, store: MemoryStore
) -> None:
    server.add_blob("library/base", b"shared" * 1000)
    base = {"org.opencontainers.image.base.name": f"{client.host}/library/base:3"}
    copied = copy_image(pair(store, **base), destination(client, "app"), "1", quiet())
    assert copied.blobs == {"mounted": 1, "copied": 2}
    other = {"org.opencontainers.image.base.name": "q.example/library/base:3"}
    copied = copy_image(pair(store, **other), destination(client, "new"), "1", quiet())
    assert copied.blobs == {"copied": 3}


def test_a_mount_that_is_refused_becomes_an_upload(
    server: FaultServer, client: RegistryClient, store: MemoryStore
) -> None:
    server.add_blob("base", b"shared" * 1000)
    server.always("POST", "mount=", Answer(403))
    copied = copy_image(pair(store), destination(client, "app", "base"), "1", quiet())
    assert copied.blobs == {"copied": 3}


def test_an_index_of_blobs_is_copied_as_such(
    server: FaultServer, client: RegistryClient, store: MemoryStore
) -> None:
    child = store.add(
        b"criu images", "application/vnd.containerd.container.criu.checkpoint.criu.tar"
    )
    copy_image(
        store.opened({"manifests": [child]}, INDEX), destination(client, "app"), "1", quiet()
    )
    assert server.blobs["app", str(child["digest"])] == b"criu images"


def test_a_blob_that_is_missing_leaves_no_name(
    server: FaultServer, client: RegistryClient, store: MemoryStore
) -> None:
    image = pair(store)
    del store.blobs[sha256(b"own" * 1000)]
    with pytest.raises(SourceUnreachable, match="not there"):
        copy_image(image, destination(client, "app"), "1", quiet())
    assert server.manifests == {}


def test_damage_in_the_source_leaves_no_name(
    server: FaultServer, client: RegistryClient, store: MemoryStore
) -> None:
    image = pair(store)
    store.blobs[sha256(b"own" * 1000)] = b"OWN" * 1000
    with pytest.raises(CkptError):
        copy_image(image, destination(client, "app"), "1", quiet())
    assert server.manifests == {}


def test_an_index_without_end_is_damage(client: RegistryClient, store: MemoryStore) -> None:
    child = store.add({"config": store.add(b"{}"), "layers": []}, MANIFEST)
    for _ in range(12):
        child = store.add({"manifests": [child]}, INDEX)
    image = store.opened({"manifests": [child]}, INDEX)
    with pytest.raises(DamagedInput, match="without end"):
        copy_image(image, destination(client, "app"), "1", quiet())


def test_each_blob_and_the_whole_are_reported(client: RegistryClient, store: MemoryStore) -> None:
    steps: list[BlobStep] = []
    progress = Progress()
    copy_image(pair(store), destination(client, "app"), "1", progress, steps.append)
    for number in (1, 2, 3):
        own = [step for step in steps if step.number == number]
        assert [step.state for step in own[:1] + own[-1:]] == ["copying", "copied"]
        assert [step.done for step in own] == sorted(step.done for step in own)
        assert own[-1].done == own[-1].blob.size
    assert {step.count for step in steps} == {3}
    whole = sum(step.blob.size for step in steps if step.state == "copied")
    assert progress.done == progress.total == whole


def test_what_refers_to_another_manifest_is_listed_by_a_tag(
    server: FaultServer, client: RegistryClient, store: MemoryStore
) -> None:
    subject = {"mediaType": MANIFEST, "digest": sha256(b"subject"), "size": 7}
    for note in ("one", "two", "two"):
        image = store.opened(
            {"config": store.add(b"{}", "a/b"), "layers": [], "subject": subject, "note": note}
        )
        copy_image(image, destination(client, "app"), note, quiet())
    found = client.referrers("app", sha256(b"subject"), quiet())
    assert len(found) == 2
    assert {one.artifact_type for one in found} == {"a/b"}


def test_a_registry_is_copied_from_as_a_stream(
    server: FaultServer, other_server: FaultServer
) -> None:
    config = other_server.add_blob("src", b"{}")
    layer = other_server.add_blob("src", DATA)
    other_server.add_manifest("src", "1", {"config": config, "layers": [layer]})
    other_server.on("GET", str(layer["digest"]), Answer(200, DATA[:1_000_000], length=len(DATA)))
    image = resolve(f"docker://{other_server.host}/src:1", quiet())
    assert isinstance(image, OpenedImage)
    progress = Progress()
    with client_for(server) as client:
        copy_image(image, destination(client, "app"), "1", progress)
    image.close()
    assert server.blobs["app", str(layer["digest"])] == DATA
    assert progress.done == len(DATA) + 2
    taken = [s for s in other_server.seen if s.path.endswith(str(layer["digest"]))]
    assert [seen.headers.get("Range") for seen in taken] == [None, "bytes=1000000-"]


def test_blobs_are_copied_at_the_same_time(
    server: FaultServer, client: RegistryClient, store: MemoryStore
) -> None:
    meeting = threading.Barrier(AT_ONCE, timeout=30)

    def meet(seen: Seen) -> None:
        if seen.method == "PUT" and "/blobs/uploads/" in seen.path:
            meeting.wait()

    server.rules.append(meet)
    layers = [store.add(bytes([n]) * 1000) for n in range(AT_ONCE - 1)]
    image = store.opened({"config": store.add(b"{}"), "layers": layers})
    assert copy_image(image, destination(client, "app"), "1", quiet()).blobs == {"copied": AT_ONCE}
    assert not meeting.broken


def test_plain_http_is_found_by_all_blobs_at_once(server: FaultServer, store: MemoryStore) -> None:
    layers = [store.add(bytes([n]) * 1000) for n in range(5)]
    image = store.opened({"config": store.add(b"{}"), "layers": layers})
    client = RegistryClient(server.host)  # it does not know yet that there is no TLS
    assert copy_image(image, destination(client, "app"), "1", quiet()).blobs == {"copied": 6}
    client.close()


def test_a_failure_ends_the_others_and_is_what_is_told(
    server: FaultServer, client: RegistryClient, store: MemoryStore
) -> None:
    layers = [store.add(bytes([n]) * 5000) for n in range(12)]
    image = store.opened({"config": store.add(b"{}"), "layers": layers})
    broken = str(layers[1]["digest"])
    store.blobs[broken] = b"x" * 5000
    with pytest.raises(CkptError, match=r"damaged|digest"):
        copy_image(image, destination(client, "app"), "1", quiet())
    assert server.manifests == {}
    assert len(server.blobs) < 12  # those that were not begun stay so


def test_a_copy_that_nobody_wants_ends_with_all_its_blobs(
    server: FaultServer, client: RegistryClient, store: MemoryStore
) -> None:
    layers = [store.add(bytes([n]) * 3_000_000) for n in range(6)]
    image = store.opened({"config": store.add(b"{}"), "layers": layers})
    begun = threading.Event()

    def seen(request: Seen) -> None:
        if request.method == "PUT":
            begun.set()

    server.rules.append(seen)
    progress = Progress(cancelled=begun.is_set)
    with pytest.raises(Cancelled):
        copy_image(image, destination(client, "app"), "1", progress)
    assert server.manifests == {}
    assert not [t for t in threading.enumerate() if t.name.startswith("copy")]


# One blob


def upload(client: RegistryClient, progress: Progress | None = None) -> None:
    pieces = [DATA[at : at + 400_000] for at in range(0, len(DATA), 400_000)]
    upload_blob(client, "app", BLOB, lambda: iter(pieces), progress or quiet())


def test_an_upload_is_one_stream_with_its_length(
    server: FaultServer, client: RegistryClient
) -> None:
    upload(client)
    (put,) = [seen for seen in server.seen if seen.method == "PUT"]
    assert put.headers["Content-Length"] == str(len(DATA))
    assert put.body == DATA
    assert server.blobs["app", BLOB.digest] == DATA


def test_an_empty_blob_can_be_uploaded(server: FaultServer, client: RegistryClient) -> None:
    upload_blob(client, "app", Descriptor("", sha256(b""), 0), lambda: iter(()), quiet())
    assert server.blobs["app", sha256(b"")] == b""


@pytest.mark.parametrize("status", [500, 404])
def test_a_broken_upload_begins_its_blob_again(
    server: FaultServer, client: RegistryClient, status: int
) -> None:
    server.on("PUT", "/uploads/", Answer(status))
    progress = Progress()
    upload(client, progress)
    assert server.blobs["app", BLOB.digest] == DATA
    assert len(server.paths("POST")) == 2
    assert progress.done == len(DATA)


def test_an_upload_that_is_refused_is_told(server: FaultServer, client: RegistryClient) -> None:
    body = b'{"errors": [{"code": "DENIED", "message": "quota exceeded"}]}'
    server.always("PUT", "/uploads/", Answer(403, body))
    with pytest.raises(SourceUnreachable, match="quota exceeded"):
        upload(client)
    assert len(server.paths("PUT")) == 1


def test_what_is_too_large_at_once_goes_in_chunks(
    server: FaultServer, client: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CHUNK >= 1 << 20
    monkeypatch.setattr("ckpt_tui.sources.registry_upload.CHUNK", 1_000_000)
    server.rules.append(
        lambda seen: Answer(413) if seen.method == "PUT" and len(seen.body) > 1_000_000 else None
    )
    upload(client)
    assert server.blobs["app", BLOB.digest] == DATA
    patches = [seen for seen in server.seen if seen.method == "PATCH"]
    assert [seen.headers["Content-Range"] for seen in patches] == [
        "0-999999",
        "1000000-1999999",
        "2000000-2499999",
    ]


def test_chunks_are_as_large_as_the_registry_wants(
    server: FaultServer, client: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ckpt_tui.sources.registry_upload.CHUNK", 1_000_000)

    def rule(seen: Seen) -> Answer | None:
        if seen.method == "PUT" and seen.body:
            return Answer(413)
        if seen.method == "POST":
            server.uploads["u"] = b""
            location = "/v2/app/blobs/uploads/u"
            return Answer(202, headers={"OCI-Chunk-Min-Length": "2000000", "Location": location})
        return None

    server.rules.append(rule)
    upload(client)
    assert [len(s.body) for s in server.seen if s.method == "PATCH"] == [2_000_000, 500_000]


@pytest.mark.parametrize("data", [DATA[:-1], DATA + b"!"], ids=["short", "long"])
def test_a_source_of_another_size_is_damage(client: RegistryClient, data: bytes) -> None:
    with pytest.raises(DamagedInput, match="size"):
        upload_blob(client, "app", BLOB, lambda: iter((data,)), quiet())


def test_an_upload_can_be_cancelled(server: FaultServer, client: RegistryClient) -> None:
    progress = Progress()

    def tick(amount: int = 1) -> None:
        progress.done += amount
        if progress.done > 1_000_000:
            raise Cancelled

    progress.tick = tick  # type: ignore[method-assign]
    with pytest.raises(Cancelled):
        upload(client, progress)
    assert server.blobs == {}
