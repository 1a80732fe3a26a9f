"""`ls` of local places: what is in them as text and as JSON, and what cannot be read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from ran import Run

from ckpt_tui.cli import stores
from ckpt_tui.core.errors import SourceUnreachable
from ckpt_tui.formats import roots
from ckpt_tui.formats.places.registry import Tags
from ckpt_tui.sources.stores import Store, StoreKind
from containerd_store import unpack
from crafted import ARCHIVES, DATA
from fault_server import Answer, FaultServer


def test_a_store_is_listed_with_what_opens_each_thing(run: Run, tmp_path: Path) -> None:
    root = unpack(tmp_path / "containerd")
    ran = run("ls", root)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == f"containerd  {root}"
    assert "localhost/counter:checkpoint" in lines[2]  # checkpoints first
    document = json.loads(run("ls", root, "--json").out)
    (store,) = document["stores"]
    assert store["engine"] == "containerd"
    assert store["problems"] == []
    (entry,) = [one for one in store["entries"] if one["kind"] == "checkpoint"]
    assert entry["target"] == f"containerd:[default@{root}]localhost/counter:checkpoint"
    assert json.loads(run("inspect", entry["target"], "--json").out)["processes"]


def test_without_a_target_the_stores_of_this_machine_are_listed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, absent = unpack(tmp_path / "containerd"), tmp_path / "docker"
    found = [Store(StoreKind.DOCKER, str(absent)), Store(StoreKind.CONTAINERD, str(good))]
    monkeypatch.setattr(roots, "known_stores", lambda: iter(found))
    ran = run("ls")
    assert ran.code == 0
    assert f"Docker, {absent}: {absent}/containers cannot be read." in ran.err
    assert "localhost/counter:checkpoint" in ran.out
    monkeypatch.setattr(roots, "known_stores", lambda: iter(()))
    ran = run("ls")
    assert (ran.code, ran.out) == (0, "")
    assert "No engine has a store" in ran.err


def test_a_layout_and_a_folder_are_listed(run: Run, tmp_path: Path) -> None:
    shutil.copytree(DATA / "ctr-counter", tmp_path / "layout")
    shutil.copy(ARCHIVES / "cri-crio.tar", tmp_path / "web.tar")
    document = json.loads(run("ls", tmp_path, "--json").out)
    assert [(e["name"], e["kind"]) for e in document["entries"]] == [
        ("layout", "OCI layout"),
        ("web.tar", "archive"),
    ]
    tags = json.loads(run("ls", tmp_path / "layout", "--json").out)["tags"]
    assert [tag["engine"] for tag in tags] == ["containerd"]


@pytest.mark.parametrize("scheme", ["", "oci-archive:"])
def test_the_images_of_an_archive_are_listed(run: Run, scheme: str) -> None:
    document = json.loads(run("ls", f"{scheme}{ARCHIVES / 'base-bb.oci.tar'}", "--json").out)
    (tag,) = document["tags"]
    assert (tag["tag"], tag["kind"], tag["size"]) == ("localhost/bb:1", "image", 1120710)


def test_a_checkpoint_is_no_place(run: Run) -> None:
    ran = run("ls", ARCHIVES / "cri-crio.tar")
    assert (ran.code, ran.out) == (1, "")
    assert "cri-crio.tar holds no images." in ran.err


def test_what_is_no_place_is_one_sentence(run: Run, tmp_path: Path) -> None:
    ran = run("ls", tmp_path / "absent")
    assert ran.code == 3
    assert "cannot be read" in ran.err


def test_an_image_is_listed_by_its_parts(run: Run) -> None:
    layout = DATA / "ctr-counter"
    (tag,) = json.loads(run("ls", layout, "--json").out)["tags"]
    document = json.loads(run("ls", f"oci:{layout}:{tag['tag']}", "--json").out)
    assert document["digest"] == tag["digest"]
    assert "criu" in [blob["role"] for blob in document["blobs"]]
    assert document["referrers"] == []
    ran = run("ls", f"oci:{layout}:{tag['tag']}")
    assert ran.out.splitlines()[0] == tag["digest"]
    assert ran.out.splitlines()[1].split() == ["DIGEST", "ROLE", "SIZE", "TYPE"]


def test_a_registry_is_listed(run: Run, server: FaultServer) -> None:
    for repository in ("app", "web"):
        server.add_manifest(repository, "v1", {})
    place = f"docker://{server.host}"
    assert run("ls", place).out.split() == ["app", "web"]
    document = json.loads(run("ls", f"{place}/", "--json").out)
    assert document == {"schema_version": 1, "target": place, "repositories": ["app", "web"]}


def test_tags_of_a_busy_registry_are_listed_by_name(run: Run, server: FaultServer) -> None:
    server.add_manifest("app", "v1", {})
    server.always("HEAD", "/manifests/", Answer(429, headers={"Retry-After": "3600"}))
    ran = run("ls", f"docker://{server.host}/app", "--json")
    assert (ran.code, [tag["tag"] for tag in json.loads(ran.out)["tags"]]) == (0, ["v1"])
    assert "The other tags are listed by name." in ran.err


def test_no_more_than_a_hundred_tags_are_described_unless_all_are_asked_for(
    run: Run, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "MAX_DESCRIBED", 2)
    for tag in ("v1", "v2", "v3"):
        server.add_manifest("app", tag, {"layers": []})
    place = f"docker://{server.host}/app"
    ran = run("ls", place, "--json")
    assert [tag["digest"] == "" for tag in json.loads(ran.out)["tags"]] == [False, False, True]
    assert "1 tag is listed by name only: --all describes them." in ran.err
    ran = run("ls", place, "--all", "--json")
    assert [tag["digest"] == "" for tag in json.loads(ran.out)["tags"]] == [False] * 3
    assert "by name only" not in ran.err


def test_a_registry_that_breaks_off_is_a_failure(
    run: Run, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add_manifest("app", "v1", {})

    def break_off(*_: object) -> None:
        raise SourceUnreachable("The registry does not answer.")

    monkeypatch.setattr(Tags, "described", break_off)
    ran = run("ls", f"docker://{server.host}/app")
    assert (ran.code, ran.out) == (3, "")


def test_checkpoints_of_a_folder_have_a_verdict_when_it_is_asked_for(
    run: Run, tmp_path: Path
) -> None:
    shutil.copy(ARCHIVES / "counter.tar.zst", tmp_path / "c10.tar.zst")
    shutil.copy(ARCHIVES / "cri-crio.tar", tmp_path / "c9.tar")
    (tmp_path / "c1.tar").touch()
    entries = json.loads(run("ls", tmp_path, "--check", "--json").out)["entries"]
    assert [(e["name"], e["engine"]) for e in entries] == [
        ("c1.tar", ""),
        ("c9.tar", "cri-o"),
        ("c10.tar.zst", "podman"),
    ]
    verdicts = [entry["verdict"] for entry in entries]
    assert verdicts[0] is None
    assert verdicts[1].startswith("intact as far as read")
    assert verdicts[2] == "intact"
    assert entries[0]["note"] == "c1.tar is empty."
    unchecked = json.loads(run("ls", tmp_path, "--json").out)["entries"]
    assert {entry["verdict"] for entry in unchecked} == {None}
    assert "VERDICT" in run("ls", tmp_path, "--check").out


def test_a_tag_that_is_no_text_loses_its_row_and_not_the_list(
    run: Run, server: FaultServer
) -> None:
    tags = ["one", "t\ud800", "/x", "..", "\0", "two"]
    for tag in ("one", "two"):
        server.add_manifest("app", tag, {"schemaVersion": 2, "layers": [], "config": {}})
    server.always("GET", "tags/list", Answer(body=json.dumps({"tags": tags}).encode()))
    listed = run("ls", f"docker://{server.host}/app")
    assert "one" in listed.out
    assert "two" in listed.out
    assert "Unexpected" not in listed.err
