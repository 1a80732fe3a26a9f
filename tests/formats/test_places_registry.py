"""The tags of a repository, and what they cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from ckpt_tui.cli.stores import ls
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.entries import Entry, Kind
from ckpt_tui.formats.places.registry import Tags, tags
from fault_server import INDEX, FaultServer, sha256

CONFIG = "application/vnd.oci.image.config.v1+json"
PODMAN = {
    "io.podman.annotations.checkpoint.name": "web",
    "io.podman.annotations.checkpoint.criu.version": "4.1",
    "org.opencontainers.image.created": "2026-11-24T03:01:59Z",
}


@pytest.fixture
def described(server: FaultServer) -> Iterator[Callable[[str], Entry]]:
    """What is known of a tag once it was asked about."""
    made = Tags()
    yield lambda tag: made.described(tag_of(server, tag), quiet())
    made.close()


def tag_of(server: FaultServer, tag: str) -> Entry:
    path = f"docker://{server.host}/app"
    return Entry(Kind.TAG, tag, path, f"{path}:{tag}")


def image(annotations: dict[str, str] | None = None, kind: str = CONFIG) -> dict[str, object]:
    return {
        "config": {"mediaType": kind, "digest": sha256(b"c"), "size": 7},
        "layers": [{"mediaType": "x", "digest": sha256(b"l"), "size": 100}],
        **({"annotations": annotations} if annotations else {}),
    }


def requests(server: FaultServer) -> list[tuple[str, str]]:
    return [(seen.method, seen.path) for seen in server.seen if "/manifests/" in seen.path]


def test_names_cost_no_manifest(server: FaultServer) -> None:
    for tag in ("1", "2", "sha256-" + "0" * 64):
        server.add_manifest("app", tag, image())
    repository = Entry(Kind.REPOSITORY, "app", f"docker://{server.host}/app")
    assert list(tags(repository, quiet())) == [tag_of(server, "1"), tag_of(server, "2")]
    assert requests(server) == []


def test_tags_of_one_digest_are_described_once(
    server: FaultServer, described: Callable[[str], Entry]
) -> None:
    for tag in ("1", "2"):
        server.add_manifest("app", tag, image(PODMAN))
    found = [described(tag) for tag in ("1", "2")]
    assert [entry.name for entry in found] == ["1", "2"]
    assert [method for method, _ in requests(server)] == ["HEAD", "GET", "HEAD"]
    assert requests(server)[0] == ("HEAD", "/v2/app/manifests/1")


def test_a_checkpoint_is_told_by_its_annotations(
    server: FaultServer, described: Callable[[str], Entry]
) -> None:
    server.add_manifest("app", "1", image(PODMAN))
    entry = described("1")
    assert (entry.content, entry.engine, entry.criu) == ("checkpoint", "podman", "4.1")
    assert (entry.container, entry.size, entry.optimized) == ("web", 107, False)
    assert entry.created == datetime(2026, 11, 24, 3, 1, 59, tzinfo=UTC)


def test_an_optimized_index_is_as_large_as_its_images(
    server: FaultServer, described: Callable[[str], Entry]
) -> None:
    children = [server.add_manifest("app", "", image({"n": n})) for n in "12"]
    annotations = {
        "org.criu.checkpoint.format.version": "0.1",
        "org.criu.checkpoint.engine.name": "cri-o",
    }
    index = {"manifests": children, "annotations": annotations}
    server.add_manifest("app", "1", index, INDEX)
    entry = described("1")
    assert (entry.content, entry.engine, entry.optimized, entry.size) == (
        "checkpoint",
        "cri-o",
        True,
        214,
    )


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (image(), "image"),
        (image(kind="application/vnd.oci.empty.v1+json"), "artifact"),
        ({**image(), "artifactType": "a/b"}, "artifact"),
    ],
)
def test_other_things_are_told_apart(
    server: FaultServer, described: Callable[[str], Entry], document: dict[str, object], kind: str
) -> None:
    server.add_manifest("app", "1", document)
    assert described("1").content == kind


def test_an_index_of_many_platforms_has_no_size(
    server: FaultServer, described: Callable[[str], Entry]
) -> None:
    children = [server.add_manifest("app", "", image({"n": str(n)})) for n in range(20)]
    server.add_manifest("app", "1", {"manifests": children}, INDEX)
    entry = described("1")
    assert (entry.content, entry.size) == ("index", None)
    assert len(requests(server)) == 2


def test_ls_names_a_damaged_tag_and_describes_the_others(
    server: FaultServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.add_manifest("app", "bad", b"[]")
    server.add_manifest("app", "good", image())
    ls(f"docker://{server.host}/app", every=False, as_json=True)
    printed = capsys.readouterr()
    tags = json.loads(printed.out)["tags"]
    assert [(tag["tag"], tag["kind"]) for tag in tags] == [("bad", ""), ("good", "image")]
    assert "bad: " in printed.err
