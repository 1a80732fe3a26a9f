"""The catalogue: which place a target names, and what is in places of every kind."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ckpt_tui.core.errors import Cancelled, SourceUnreachable, UsageError
from ckpt_tui.core.paths import own_store
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.formats import roots
from ckpt_tui.formats.catalogue import PLACES, children, place_at
from ckpt_tui.formats.entries import Entry, Kind
from ckpt_tui.formats.metadata import file_time
from ckpt_tui.formats.places.image import look_inside
from ckpt_tui.formats.places.registry import Tags
from ckpt_tui.sources.access import KnownRegistry, known_registries, remember
from ckpt_tui.sources.stores import Store, StoreKind
from containerd_store import unpack
from crafted import ARCHIVES, DATA
from docker_saved import DIGEST, GOOD, entry, save
from fault_server import Answer, FaultServer

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def listed(target: str | Path) -> list[Entry]:
    return list(children(place_at(str(target)), quiet()))


def add_image(server: FaultServer, tag: str, **more: object) -> dict[str, object]:
    config = {"mediaType": CONFIG, **server.add_blob("app", b"{}")}
    layer = {"mediaType": LAYER, **server.add_blob("app", tag.encode())}
    return server.add_manifest("app", tag, {"config": config, "layers": [layer], **more})


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("docker://", Kind.REGISTRY),
        ("docker://reg.example", Kind.REGISTRY),
        ("docker://reg.example:5000/", Kind.REGISTRY),
        ("docker://reg.example/app/web", Kind.REPOSITORY),
        ("docker://reg.example/app/web:1", Kind.IMAGE),
        (f"docker://reg.example/app/web@sha256:{'0' * 64}", Kind.IMAGE),
        ("containers-storage:localhost/web", Kind.IMAGE),
        ("containerd:[k8s.io@/x]web", Kind.IMAGE),
        ("{}/layout", Kind.LAYOUT),
        ("oci:{}/layout", Kind.LAYOUT),
        ("oci:{}/layout:1", Kind.IMAGE),
        ("{}/saved.tar", Kind.ARCHIVE),
        ("docker-archive:{}/saved.tar", Kind.ARCHIVE),
        ("docker-archive:{}/saved.tar:web:1", Kind.IMAGE),
        ("{}/containerd", Kind.STORE),
        ("{}", Kind.FOLDER),
        ("{}/absent", Kind.FOLDER),
    ],
)
def test_a_target_names_a_place(tmp_path: Path, target: str, kind: Kind) -> None:
    shutil.copytree(DATA / "ctr-counter", tmp_path / "layout")
    (tmp_path / "saved.tar").touch()
    (tmp_path / "containerd/io.containerd.metadata.v1.bolt").mkdir(parents=True)
    (tmp_path / "containerd/io.containerd.metadata.v1.bolt/meta.db").touch()
    assert place_at(target.format(tmp_path)).kind is kind


def test_a_place_that_is_written_wrong_is_refused() -> None:
    with pytest.raises(UsageError):
        place_at("docker://reg.example/App")


def test_every_kind_that_leads_on_is_in_the_table_once() -> None:
    kinds = [kind for place in PLACES for kind in place.kinds]
    assert len(kinds) == len(set(kinds))
    leaves = {Kind.CHECKPOINT, Kind.PART, Kind.LOG, Kind.PROBLEM}
    assert set(Kind) - set(kinds) == leaves


def test_a_folder_is_in_natural_order_with_folders_last(tmp_path: Path) -> None:
    for name in ("web-10.tar", "Web-9.tar", "a.tar"):
        shutil.copy(ARCHIVES / "cri-crio.tar", tmp_path / name)
    for name in ("b2", "b10"):
        (tmp_path / name).mkdir()
    assert [e.name for e in listed(tmp_path)] == ["a.tar", "Web-9.tar", "web-10.tar", "b2", "b10"]
    (archive, *_, folder) = listed(tmp_path)
    assert (archive.target, folder.target) == (str(tmp_path / "a.tar"), "")
    assert archive.created == file_time((tmp_path / "a.tar").stat().st_mtime)


def test_a_time_beyond_every_calendar_is_not_known() -> None:
    assert file_time(1e20) is None
    assert file_time(0) is None


def test_a_layout_gives_targets_that_open_and_names_a_damaged_image(tmp_path: Path) -> None:
    layout = shutil.copytree(DATA / "ctr-counter", tmp_path / "layout")
    (image,) = listed(layout)
    assert (image.path, image.target) == (str(layout), f"oci:{layout}:{image.name}")
    assert (image.content, image.engine) == ("checkpoint", "containerd")
    blob = layout / "blobs" / image.digest.replace(":", "/")
    blob.write_bytes(b"[]")
    (damaged,) = listed(layout)
    assert (damaged.name, damaged.digest) == (image.name, image.digest)
    assert damaged.content == ""
    assert "do not have the digest" in str(damaged.problem)


def test_an_archive_of_docker_has_the_parts_of_its_images(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tar", [entry(f"{DIGEST}.tar", "web:1")], GOOD)
    (image,) = listed(path)
    assert [part.role for part in children(image, quiet())] == ["layer", "config"]
    assert [part.role for part in listed(image.target)] == ["layer", "config"]


def test_a_checkpoint_folder_is_no_image_to_look_inside(tmp_path: Path) -> None:
    shutil.copy(ARCHIVES / "cri-crio.tar", tmp_path / "a.tar")
    with pytest.raises(SourceUnreachable, match="not an image"):
        look_inside(Entry(Kind.IMAGE, "a", target=str(tmp_path / "a.tar")), quiet())


def test_an_index_has_manifests_with_their_parts(tmp_path: Path) -> None:
    layout = shutil.copytree(DATA / "ctr-counter", tmp_path / "layout")
    (image,) = listed(layout)
    parts = {part.role: part for part in children(image, quiet())}
    assert {"criu", "manifest"} <= set(parts)
    manifest = parts["manifest"]
    if manifest.parts is None:
        assert manifest.problem is not None
    flat = [one.role for one in manifest.flat()]
    assert flat[0] == "manifest"
    assert parts["criu"].content == "tar"
    assert parts["criu"].digest[7:19] in parts["criu"].name


def test_a_store_has_checkpoints_first_and_problems_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = unpack(tmp_path / "containerd")
    found = listed(root)
    assert found[0].name == "localhost/counter:checkpoint"
    assert found[0].path == str(root)
    names = [e.name for e in found if e.name.startswith("registry.example/team/bb:")]
    assert names[:3] == [f"registry.example/team/bb:{n}" for n in (1, 2, 3)]
    absent = Store(StoreKind.DOCKER, str(tmp_path / "docker"))
    monkeypatch.setattr(roots, "known_stores", lambda: iter([absent]))
    (store,) = roots.engine_stores()
    (problem,) = children(store, quiet())
    assert problem.kind is Kind.PROBLEM
    assert "cannot be read" in problem.name


def test_listing_can_be_cancelled(tmp_path: Path) -> None:
    shutil.copy(ARCHIVES / "cri-crio.tar", tmp_path / "a.tar")
    with pytest.raises(Cancelled):
        list(children(place_at(str(tmp_path)), Progress(cancelled=lambda: True)))


def test_a_registry_has_repositories_and_those_have_tags_by_name_alone(
    server: FaultServer,
) -> None:
    add_image(server, "v1")
    (repository,) = listed(f"docker://{server.host}")
    assert repository == Entry(Kind.REPOSITORY, "app", f"docker://{server.host}/app")
    (tag,) = children(repository, quiet())
    path = f"docker://{server.host}/app"
    assert tag == Entry(Kind.TAG, "v1", path, f"{path}:v1")
    assert server.paths("HEAD") == []


def test_tags_come_as_they_arrive(server: FaultServer) -> None:
    server.tags["app"] = [f"v{number}" for number in range(5)]
    found = children(place_at(f"docker://{server.host}/app"), quiet())
    assert isinstance(found, Iterator)
    assert next(found).name == "v0"


def test_an_image_in_a_registry_has_its_referrers(server: FaultServer) -> None:
    image = add_image(server, "v1")
    referrer = {"mediaType": CONFIG, "artifactType": "a/signature", **add_image(server, "sig")}
    name = str(image["digest"]).replace(":", "-")
    server.add_manifest("app", name, {"manifests": [referrer]})
    inside = look_inside(place_at(f"docker://{server.host}/app:v1"), quiet())
    assert inside.digest == image["digest"]
    layer, config, other = inside.parts or ()
    assert (layer.content, layer.size, config.role) == ("tar+gzip", 2, "config")
    assert (other.kind, other.content, other.role) == (Kind.IMAGE, "signature", "referrer")
    assert other.target == f"docker://{server.host}/app@{referrer['digest']}"
    assert (layer.kind, layer.target) == (Kind.PART, "")


def described(server: FaultServer, tags: Tags) -> tuple[list[Entry], object]:
    entries = listed(f"docker://{server.host}/app")
    return entries, tags.describe(list(entries), quiet(), entries.__setitem__)


def test_tags_are_described_where_they_are_listed(server: FaultServer) -> None:
    add_image(server, "v1")
    server.add_manifest("app", "bad", b"[]")
    tags = Tags()
    entries, busy = described(server, tags)
    tags.close()
    assert busy is None
    good = next(e for e in entries if e.name == "v1")
    bad = next(e for e in entries if e.name == "bad")
    assert (good.kind, good.content, good.problem) == (Kind.IMAGE, "image", None)
    assert good.target == f"docker://{server.host}/app:v1"
    assert (bad.kind, bad.content, bad.target) == (
        Kind.IMAGE,
        "",
        f"docker://{server.host}/app:bad",
    )
    assert bad.problem is not None


def test_a_registry_that_is_busy_is_left_alone_until_it_is_asked_again(
    server: FaultServer,
) -> None:
    add_image(server, "v1")
    server.always("HEAD", "/manifests/", Answer(429, headers={"Retry-After": "3600"}))
    tags = Tags()
    (entry,), busy = described(server, tags)
    assert "requests" in str(busy)
    assert (entry.kind, tags.wants(entry)) == (Kind.TAG, False)
    asked = len(server.paths("HEAD"))
    described(server, tags)
    assert len(server.paths("HEAD")) == asked
    tags.ask_again(entry.path)
    assert tags.wants(entry)
    tags.close()


def test_the_own_store_is_a_place_whether_it_exists_or_not(tmp_path: Path) -> None:
    here, store, *_ = roots.roots(tmp_path, "here")
    assert (here.name, here.path, here.kind) == ("here", str(tmp_path), Kind.FOLDER)
    assert (store.parts, store.note) == ((), "empty: c converts into it")
    own_store().mkdir(parents=True)
    (own_store() / "oci-layout").touch()
    _, store, *_ = roots.roots(tmp_path)
    assert (store.kind, store.path, store.parts) == (Kind.LAYOUT, str(own_store()), None)


def test_without_a_folder_the_working_folder_or_the_home_is_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    assert roots.roots()[0].path == str(gone)
    gone.rmdir()
    assert roots.roots()[0].path == os.environ["HOME"]
    home = os.environ["HOME"]
    assert roots.short_path(f"{home}/x") == "~/x"
    assert roots.short_path(f"{home}x") == f"{home}x"


def test_registries_are_those_that_were_added_and_those_with_a_login(own_home: Path) -> None:
    assert roots.registries().note == "none yet: a adds one"
    logins = own_home / ".docker/config.json"
    logins.parent.mkdir()
    auths = {"reg.example": {"auth": "eDp5"}, "b.example": {"auth": "eDp5"}, "no host": {}}
    logins.write_text(json.dumps({"auths": auths}))
    remember(KnownRegistry("b.example"))
    found = roots.registries()
    assert found.note == ""
    assert [(e.name, e.path, e.note) for e in found.parts or ()] == [
        ("b.example", "docker://b.example", ""),
        ("reg.example", "docker://reg.example", "logged in"),
    ]
    assert tuple(children(found, quiet())) == found.parts


def test_a_registry_is_added_once_and_forgotten(own_home: Path) -> None:
    added = roots.add_registry("other.example:5000/app")
    assert (added.kind, added.path) == (Kind.REPOSITORY, "docker://other.example:5000/app")
    added = roots.add_registry("docker://other.example:5000")
    assert added == Entry(Kind.REGISTRY, "other.example:5000", "docker://other.example:5000")
    assert [one.host for one in known_registries()] == ["other.example:5000"]
    roots.forget_registry(added)
    assert known_registries() == ()
    with pytest.raises(UsageError, match="Only a registry"):
        roots.forget_registry(roots.registries())
    logins = own_home / ".docker/config.json"
    logins.parent.mkdir()
    logins.write_text(json.dumps({"auths": {"other.example:5000": {"auth": "eDp5"}}}))
    with pytest.raises(UsageError, match="stays on the list"):
        roots.forget_registry(added)
