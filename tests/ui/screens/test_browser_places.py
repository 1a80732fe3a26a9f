"""Registries and stores of engines in the browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from browsing import browser, card, go_to, labels
from demo import screen_text
from driving import settle, without_pause

from ckpt_tui.formats import roots
from ckpt_tui.sources.access import KnownRegistry, known_registries, remember
from ckpt_tui.sources.stores import Store, StoreKind
from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.screens import browse as browse_screen
from ckpt_tui.ui.screens.browse_card import BrowseCard
from ckpt_tui.ui.screens.checkpoint import CheckpointScreen
from ckpt_tui.ui.screens.copy import CopyScreen
from ckpt_tui.ui.screens.view import ViewScreen
from containerd_store import unpack
from fault_server import Answer, FaultServer
from served import legacy

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


@pytest.fixture(autouse=True)
def still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working folder, and no stores but those of a test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(roots, "known_stores", lambda: iter(()))
    monkeypatch.setattr(BrowseCard, "set_timer", without_pause)


@pytest.fixture
def server(server: FaultServer) -> FaultServer:
    """A registry that was added."""
    remember(KnownRegistry(server.host))
    return server


def add_image(server: FaultServer, tag: str, size: int = 10, **more: object) -> dict[str, object]:
    config = {"mediaType": CONFIG, **server.add_blob("app", b"{}")}
    layer = {"mediaType": f"{LAYER}+gzip", **server.add_blob("app", tag.encode() * size)}
    return server.add_manifest("app", tag, {"config": config, "layers": [layer], **more})


async def browse(pilot: Any, server: FaultServer, repository: str = "app") -> None:
    """Open the registry and a repository in it."""
    await settle(pilot)
    await go_to(pilot, server.host, "enter")
    await go_to(pilot, repository, "enter")


async def test_tags_come_with_what_they_are(server: FaultServer) -> None:
    notes = {
        "org.criu.checkpoint.engine.name": "podman",
        "org.criu.checkpoint.container.name": "counter",
        "org.criu.checkpoint.criu.version": "4.2",
    }
    add_image(server, "v1", annotations=notes)
    add_image(server, "v2")
    app = CkptApp(())
    async with app.run_test(size=(160, 40)) as pilot:
        await browse(pilot, server)
        text = screen_text(app)
        assert "v1  podman counter" in text
        line = next(line for line in text.splitlines() if " v2" in line)
        assert "image" in line
        digest = str(add_image(server, "v2")["digest"])
        assert digest[7:19] in line
        await go_to(pilot, "v2")
        assert f"docker://{server.host}/app:v2" in card(app).replace("\n", "").replace(" ", "")


async def test_right_shows_what_an_image_is_made_of_and_what_refers_to_it(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = add_image(server, "v1")
    referrer = {"mediaType": CONFIG, "artifactType": "a/signature", **add_image(server, "sig")}
    name = str(image["digest"]).replace(":", "-")
    server.add_manifest("app", name, {"manifests": [referrer]})
    copied: list[str] = []

    async def keep(app: object, text: str, what: str) -> None:
        del app, what
        copied.append(text)

    monkeypatch.setattr(browse_screen, "send_to_clipboard", keep)
    app = CkptApp(())
    async with app.run_test(size=(120, 40)) as pilot:
        await browse(pilot, server)
        await go_to(pilot, "v1", "right")
        inside = labels(app)[labels(app).index("v1") + 1 :][:3]
        assert [label.split()[0] for label in inside] == ["layer", "config", "referrer"]
        await go_to(pilot, inside[0], "Y", "y")
        assert copied[0] == copied[1]
        assert copied[0].startswith("sha256:")
        assert "tar+gzip" in card(app)
        await go_to(pilot, "v1", "y", "Y")
        assert copied[2:] == [f"docker://{server.host}/app:v1", image["digest"]]
        await go_to(pilot, inside[2], "right")
        assert any(label.startswith("layer") for label in labels(app)[-3:])
        await go_to(pilot, inside[0], "left")
        line = browser(app).line
        assert line is not None
        assert line.entry.name == "v1"
        await pilot.press("left")
        assert inside[0] not in labels(app)


async def test_looking_again_lists_the_tags_again(server: FaultServer) -> None:
    add_image(server, "v1")
    app = CkptApp(())
    async with app.run_test(size=(120, 40)) as pilot:
        await browse(pilot, server)
        await go_to(pilot, "v1")
        assert "enter looks for one" in " ".join(card(app).split())
        add_image(server, "v2")
        await pilot.press("r")
        await settle(pilot)
        assert labels(app)[-2:] == ["v1", "v2"]


async def test_lines_sort_and_are_filtered(server: FaultServer) -> None:
    for tag, size in (("v10", 30), ("v9", 500), ("v1", 7)):
        add_image(server, tag, size)
    app = CkptApp(())
    async with app.run_test(size=(120, 40)) as pilot:
        await browse(pilot, server)
        assert labels(app)[-3:] == ["v10", "v9", "v1"]
        await pilot.press("s")
        assert labels(app)[-3:] == ["v1", "v9", "v10"]
        await pilot.press("s")
        assert labels(app)[-3:] == ["v1", "v10", "v9"]
        await pilot.press("S")
        assert labels(app)[-3:] == ["v9", "v10", "v1"]
        await pilot.press("slash", *"v1")
        await settle(pilot)
        assert labels(app) == ["v10", "v1"]


async def test_only_tags_in_view_are_asked_about(server: FaultServer) -> None:
    add_image(server, "v0000")
    server.tags["app"] = [f"v{n:04}" for n in range(10_000)]
    for tag in server.tags["app"]:
        server.manifests["app", tag] = server.manifests["app", "v0000"]
    app = CkptApp(())
    async with app.run_test(size=(120, 40)) as pilot:
        await browse(pilot, server)
        assert len(labels(app)) > 10_000
        asked = {path for path in server.paths() if "/manifests/v" in path}
        assert 20 < len(asked) < 60
        assert "image" in screen_text(app)
        await pilot.press("end")
        await settle(pilot)
        await go_to(pilot, "v9999")
        assert any("v9999" in path for path in server.paths())


async def test_tags_are_there_before_anything_is_known_of_them(server: FaultServer) -> None:
    add_image(server, "v1")
    server.always("HEAD", "/manifests/", Answer(429, headers={"Retry-After": "3600"}))
    app = CkptApp(())
    async with app.run_test(size=(120, 40)) as pilot:
        await browse(pilot, server)
        assert "v1" in labels(app)
        asked = len(server.paths("HEAD"))
        await go_to(pilot, "app")
        await go_to(pilot, "v1")
        assert len(server.paths("HEAD")) == asked  # it is left alone


async def test_a_registry_is_added_and_forgotten(server: FaultServer, own_home: Path) -> None:
    logins = own_home / ".docker/config.json"
    logins.parent.mkdir()
    logins.write_text(json.dumps({"auths": {"reg.example": {"auth": "eDp5"}, "no host": {}}}))
    app = CkptApp(())
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        assert labels(app)[-3:] == ["registries", server.host, "reg.example"]
        await pilot.press("a", *"other.example:5000", "enter")
        await settle(pilot)
        await go_to(pilot, "other.example:5000", "delete")
        assert labels(app)[-3:] == ["registries", server.host, "reg.example"]
        assert [one.host for one in known_registries()] == [server.host]
        await go_to(pilot, "reg.example", "delete")
        await go_to(pilot, "registries", "delete")
        said = [n.message for n in app._notifications]
        assert "logged in" in said[0]
        assert said[1] == "Only a registry can be forgotten."
        assert labels(app)[-3:] == ["registries", server.host, "reg.example"]


async def test_a_registry_without_a_catalog_asks_for_a_repository(server: FaultServer) -> None:
    server.always("GET", "/_catalog", Answer(404))
    add_image(server, "v1")
    app = CkptApp(())
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await go_to(pilot, server.host, "enter")
        assert "offers no catalog" in card(app)
        assert "Name a repository" in card(app)
        await pilot.press("a", *f"{server.host}/app", "enter")
        await settle(pilot)
        assert "v1" in labels(app)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "is not JSON"),
        (b"[" * 1000 + b"]" * 1000, "nested too deep"),
        (b" " * (5 << 20), "more than 4,194,304 bytes"),
        (b"[]", "holds no object"),
    ],
)
async def test_a_damaged_tag_is_told_and_the_browser_goes_on(
    server: FaultServer, body: bytes, said: str
) -> None:
    server.add_manifest("app", "bad", body)
    add_image(server, "good")
    app = CkptApp(())
    async with app.run_test(size=(120, 40)) as pilot:
        await browse(pilot, server)
        await go_to(pilot, "bad")
        assert said in " ".join(card(app).split())
        await go_to(pilot, "good")
        assert "sha256:" in card(app)


async def test_a_large_layer_is_not_fetched_for_the_card(server: FaultServer) -> None:
    legacy(server, "gzip")
    manifest = server.manifests["app", "gzip"]
    body = manifest[1][:-1] + b', "annotations": {"org.criu.checkpoint.engine.name": "podman"}}'
    server.add_manifest("app", "gzip", body)
    app = CkptApp(())
    async with app.run_test(size=(120, 40)) as pilot:
        await browse(pilot, server)
        await go_to(pilot, "gzip")
        assert "must be downloaded before it can be read: 3.19 MiB" in " ".join(card(app).split())
        assert all("Range" in s.headers for s in server.seen if "/blobs/" in s.path)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of containerd where it usually is, with a log of a dump that failed."""
    root = unpack(tmp_path / "containerd")
    task = root / "io.containerd.runtime.v2.task/default/web"
    task.mkdir(parents=True)
    (task / "criu-dump.log").write_text(
        "(00.000001) Version: 4.2 (gitid 0)\n"
        "(00.010000) Error (criu/sk-inet.c:1): inet: Connected TCP socket, consider using "
        "--tcp-established option.\n(00.020000) Error (criu/cr-dump.c:2): Dumping FAILED.\n"
    )
    found = [Store(StoreKind.CONTAINERD, str(root)), Store(StoreKind.DOCKER, "/no/such")]
    monkeypatch.setattr(roots, "known_stores", lambda: iter(found))
    return root


async def test_stores_of_engines_are_places(store: Path) -> None:
    app = CkptApp(())
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert {"containerd", "Docker"} <= set(labels(app))
        await go_to(pilot, "Docker", "enter")
        assert "/no/such" in card(app)
        await go_to(pilot, "containerd", "enter")
        first = labels(app).index("localhost/counter:checkpoint")
        assert labels(app)[first + 1] == "web criu-dump.log"
        await go_to(pilot, "localhost/counter:checkpoint")
        assert "ctr image" in card(app)
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, CheckpointScreen)
        await pilot.press("q")
        await go_to(pilot, "localhost/counter:checkpoint", "p")
        assert isinstance(app.screen, CopyScreen)


async def test_a_log_is_explained_and_opens(store: Path) -> None:
    app = CkptApp(())
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await go_to(pilot, "containerd", "enter")
        await go_to(pilot, "web criu-dump.log")
        assert "TCP" in card(app)
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, ViewScreen)
        assert "Connected TCP socket" in screen_text(app)


async def test_the_root_of_a_store_in_a_folder_is_one(tmp_path: Path) -> None:
    unpack(tmp_path / "copy")
    app = CkptApp(())
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await go_to(pilot, "copy", "enter")
        assert "localhost/counter:checkpoint" in labels(app)
