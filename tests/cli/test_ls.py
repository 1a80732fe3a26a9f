"""`ls` of local places: what is in them as text and as JSON, and what cannot be read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from ran import Run

from ckpt_tui.formats import roots
from ckpt_tui.sources.stores import Store, StoreKind
from containerd_store import unpack
from crafted import ARCHIVES, DATA


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
