"""The stores of engines, laid out as podman 5.4, Docker 26 and containerd 1.7 leave them."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.entries import Entry, Kind
from ckpt_tui.formats.opened import open_checkpoint
from ckpt_tui.formats.places import kept
from ckpt_tui.formats.places.engine import list_store
from ckpt_tui.formats.places.folder import is_folder_of_checkpoints, list_folder
from ckpt_tui.sources import stores
from ckpt_tui.sources.stores import Store, StoreKind, known_stores, store_at
from containerd_store import unpack
from crafted import ARCHIVES, DATA, IMAGES

CONTAINER = "d6fe9cca9a24ef68fa8bd4684adb1df95e02d6ce72e1109ba25b38376ea12a22"
SPEC = {
    "ociVersion": "1.2.0",
    "process": {"args": ["sh", "-c", "count"], "env": ["HOME=/"]},
    "annotations": {"io.container.manager": "libpod"},
}


def podman_store(root: Path, driver: str = "overlay", name: str = "containers.json") -> Path:
    """A container that was checkpointed with `--keep`, and the base image beside it."""
    for part in ("images", "layers"):
        shutil.copytree(DATA / f"containers-storage/overlay-{part}", root / f"{driver}-{part}")
    folder = root / f"{driver}-containers"
    userdata = folder / CONTAINER / "userdata"
    shutil.copytree(IMAGES / "counter", userdata / "checkpoint")
    (userdata / "config.json").write_text(json.dumps(SPEC))
    (userdata / "dump.log").write_text("(00.1) Dumping finished successfully\n")
    record = {
        "id": CONTAINER,
        "names": ["counter"],
        "metadata": json.dumps({"image-name": "localhost/bb:1"}),
    }
    (folder / name).write_text(json.dumps([record, {"id": "../x"}, 7]))
    return root


def docker_store(root: Path) -> Path:
    """A container with two checkpoints, one without."""
    for identity in (CONTAINER, "e" * 64):
        (root / "containers" / identity).mkdir(parents=True)
    (root / "engine-id").write_text("id")
    folder = root / "containers" / CONTAINER
    for name in ("first", "second"):
        shutil.copytree(IMAGES / "counter", folder / "checkpoints" / name)
    config = {"Name": "/counter", "Config": {"Image": "localhost/bb:1"}}
    (folder / "config.v2.json").write_text(json.dumps(config))
    return root


def listed(path: Path) -> tuple[list[Entry], list[CkptError]]:
    """Return what is in a store as it is stored, and what cannot be read of it."""
    store = store_at(str(path))
    assert store is not None
    found = list(list_store(store, quiet()))
    entries = [entry for entry in found if entry.kind is not Kind.PROBLEM]
    return entries, [entry.problem for entry in found if entry.problem and entry not in entries]


@pytest.mark.parametrize("driver", ["overlay", "vfs"])
@pytest.mark.parametrize("name", ["containers.json", "volatile-containers.json"])
def test_what_podman_keeps_is_listed(tmp_path: Path, driver: str, name: str) -> None:
    entries, problems = listed(podman_store(tmp_path, driver, name))
    assert problems == []
    assert [(e.name, e.content) for e in entries] == [
        ("counter", "checkpoint"),
        ("counter dump.log", "log"),
        ("localhost/bb:1", "image"),
    ]
    checkpoint, log, image = entries
    assert (checkpoint.container, checkpoint.image) == ("counter", "localhost/bb:1")
    assert checkpoint.size == sum(p.stat().st_size for p in (IMAGES / "counter").iterdir())
    assert image.target == f"containers-storage:[{driver}@{tmp_path}]localhost/bb:1"
    assert Path(log.target).read_text().startswith("(00.1)")
    opened = open_checkpoint(checkpoint.target, quiet())
    loaded = opened.load(quiet())
    assert loaded.format.engine == "podman"
    assert loaded.container.command == ("sh", "-c", "count")
    opened.close()


def test_dockers_checkpoints_are_listed(tmp_path: Path) -> None:
    entries, problems = listed(docker_store(tmp_path))
    assert problems == []
    assert [(e.name, e.image) for e in entries] == [
        ("counter first", "localhost/bb:1"),
        ("counter second", "localhost/bb:1"),
    ]
    opened = open_checkpoint(entries[1].target, quiet())
    assert opened.load(quiet()).processes
    opened.close()


@pytest.mark.parametrize("config", [b"{", b"[]", b"\xff", b'{"Name": 7}', None])
def test_a_damaged_record_costs_the_name_alone(tmp_path: Path, config: bytes | None) -> None:
    path = docker_store(tmp_path) / "containers" / CONTAINER / "config.v2.json"
    path.unlink() if config is None else path.write_bytes(config)
    entries, problems = listed(tmp_path)
    assert problems == []
    assert [e.name for e in entries] == [f"{CONTAINER[:12]} first", f"{CONTAINER[:12]} second"]


def test_what_containerd_keeps_is_listed(tmp_path: Path) -> None:
    root = unpack(tmp_path)
    bundle = root / "io.containerd.runtime.v2.task/k8s.io/web"
    bundle.mkdir(parents=True)
    (bundle / "criu-dump.log").write_text("(00.1) Error")
    entries, problems = listed(root)
    assert problems == []
    assert [(e.name, e.content, e.engine) for e in entries[:3]] == [
        ("web criu-dump.log", "log", "containerd"),
        ("localhost/bb:1", "image", ""),
        ("localhost/counter:checkpoint", "checkpoint", "containerd"),
    ]
    assert len(entries) == 304
    assert {e.namespace for e in entries[1:]} == {"default", "k8s.io"}
    opened = open_checkpoint(entries[2].target, quiet())
    assert opened.load(quiet()).processes
    opened.close()


def test_an_image_whose_content_is_gone_has_its_name(tmp_path: Path) -> None:
    root = unpack(tmp_path)
    shutil.rmtree(root / "io.containerd.content.v1.content/blobs/sha256")
    entries, problems = listed(root)
    assert problems == []
    assert len(entries) == 303
    assert entries[0].content == ""


def test_kubelets_folder_is_listed(tmp_path: Path) -> None:
    shutil.copy(ARCHIVES / "cri-crio.tar", tmp_path / "checkpoint-web.tar")
    (tmp_path / "note").write_text("no archive")
    entries = list(list_store(Store(StoreKind.KUBELET, str(tmp_path)), quiet()))
    assert [(e.name, e.content) for e in entries] == [("checkpoint-web.tar", "checkpoint")]


@pytest.mark.parametrize(
    ("damaged", "left"),
    [
        ("overlay-images/images.json", ["counter", "counter dump.log"]),
        ("overlay-containers/containers.json", ["localhost/bb:1"]),
    ],
)
def test_damage_is_told_and_the_rest_goes_on(tmp_path: Path, damaged: str, left: list[str]) -> None:
    (podman_store(tmp_path) / damaged).write_text("{")
    entries, problems = listed(tmp_path)
    assert [e.name for e in entries] == left
    assert len(problems) == 1
    assert damaged in problems[0].what


def test_missing_rights_are_told_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = podman_store(tmp_path)
    real = kept.read_list

    def refused(path: Path) -> object:
        if path.name == "containers.json" and path.exists():
            raise kept.unreachable(str(path), PermissionError(13, "Permission denied"))
        return real(path)

    monkeypatch.setattr(kept, "read_list", refused)
    entries, problems = listed(root)
    assert [e.name for e in entries] == ["localhost/bb:1"]
    assert [p.why for p in problems] == ["Permission denied."]
    assert "root for the files of an engine" in problems[0].hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up its rights")
def test_a_store_that_may_not_be_read_is_a_sentence() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is behind folders of root's
        Path(folder).chmod(0o711)
        root = podman_store(Path(folder) / "store")
        (root / "overlay-containers").chmod(0o700)
        os.seteuid(65534)
        try:
            entries, problems = listed(root)
        finally:
            os.seteuid(0)
    assert [e.name for e in entries] == ["localhost/bb:1"]
    assert any("Permission denied" in p.why for p in problems)


def test_stores_are_known_by_their_content(tmp_path: Path) -> None:
    roots = {
        "podman": podman_store(tmp_path / "podman"),
        "docker": docker_store(tmp_path / "docker"),
        "containerd": unpack(tmp_path / "containerd"),
    }
    kinds = {name: store_at(str(root)) for name, root in roots.items()}
    assert {name: store.kind for name, store in kinds.items() if store} == {
        "podman": StoreKind.CONTAINERS,
        "docker": StoreKind.DOCKER,
        "containerd": StoreKind.CONTAINERD,
    }
    assert store_at(str(tmp_path)) is None
    entries = {e.name: e.kind for e in list_folder(str(tmp_path), quiet())}
    assert set(entries.values()) == {Kind.STORE}
    assert all(is_folder_of_checkpoints(str(root)) for root in roots.values())


def test_the_stores_of_this_machine_are_those_that_are_there(
    tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(tmp_path / "absent"))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    rootless = podman_store(own_home / ".local/share/containers/storage")
    fixed = ((StoreKind.DOCKER, str(docker_store(tmp_path / "d"))), (StoreKind.KUBELET, "/no/such"))
    monkeypatch.setattr(stores, "FIXED", fixed)
    found = {store.root: store.kind for store in known_stores()}
    found.pop("/var/lib/containers/storage", None)
    assert found == {str(rootless): StoreKind.CONTAINERS, str(tmp_path / "d"): StoreKind.DOCKER}


def test_the_state_of_the_running_containerd_is_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = tmp_path / "state/io.containerd.runtime.v2.task/default/web/work"
    task.mkdir(parents=True)
    (task / "restore.log").write_text("x")
    (task / "dump.log").symlink_to("/etc/passwd")
    monkeypatch.setattr(kept, "CONTAINERD_ROOT", str(tmp_path))
    monkeypatch.setattr(kept, "CONTAINERD_STATE", str(tmp_path / "state"))
    found = list(kept.containerd_kept(str(tmp_path), quiet()))
    assert [(one.container, one.name) for one in found] == [("web", "web restore.log")]
