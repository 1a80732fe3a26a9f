"""`ckpt-tui sizes`: layers, breakdowns, pages."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ran import Run

from ckpt_tui.cli.sizes import sizes
from ckpt_tui.demo import demo_folder


def test_pages_are_counted_only_when_asked_for(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = str(data / "archives/counter.tar.zst")
    sizes([target], as_json=True)
    assert json.loads(capsys.readouterr().out)["pages"] is None
    sizes([target], as_json=True, pages=True)
    pages = json.loads(capsys.readouterr().out)["pages"]
    assert pages["bytes"] == pages["zero"] + pages["duplicate"] + pages["unique"] > 0
    assert pages["complete"] is True


def test_pages_of_another_checkpoint_are_told_apart(run: Run, data: Path) -> None:
    archives = data / "archives"
    crio, podman = archives / "cri-crio.tar", archives / "cri-podman.tar"
    pages = run("sizes", crio, "--with", podman, "--json").document["pages"]
    assert 0 < pages["shared"] < pages["bytes"], "the text of busybox is the same"
    itself = run("sizes", crio, "--with", crio, "--json").document["pages"]
    assert itself["unique"] == itself["duplicate"] == 0
    assert "in the other checkpoint" in run("sizes", crio, "--with", podman).out


def test_layers_of_an_image_are_listed_with_roles(capsys: pytest.CaptureFixture[str]) -> None:
    with demo_folder() as folder:
        target = str(folder / "counter-optimized.oci.tar")
        sizes([target], as_json=False)
        text = capsys.readouterr().out
        sizes([target], as_json=True)
        layers = json.loads(capsys.readouterr().out)["sizes"]["layers"]
    assert "LAYERS" in text
    assert {la["role"] for la in layers} >= {"metadata", "criu", "pages", "delta", "base"}
    assert all("hidden" in la and la["media_type"] for la in layers)
    assert all(la["created"] for la in layers), "as old as their images say"
    assert all(la["created"][:10] in text for la in layers)


def test_an_index_of_blobs_has_its_layers(run: Run, data: Path) -> None:
    ran = run("sizes", data / "ctr-counter", "--json")
    assert ran.code == 0
    layers = ran.document["sizes"]["layers"]
    assert {la["role"] for la in layers} >= {"criu", "delta"}
    assert all("created" in la for la in layers)


def test_text_has_every_breakdown(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes([str(data / "archives/cri-crio.tar")], as_json=False, pages=True)
    text = capsys.readouterr().out
    for title in ("COMPONENT", "PROCESS", "KIND OF MEMORY", "KIND OF IMAGE", "PAGES"):
        assert title in text


def test_the_largest_files_of_the_delta_are_named(run: Run, data: Path) -> None:
    archive = data / "archives/rootfs.tar.zst"
    found = run("sizes", archive, "--json").document
    delta = run("inspect", archive, "--json").document["delta"]
    entries = [e for how in ("added", "changed", "written") for e in delta[how] if e["size"]]
    largest = sorted(entries, key=lambda e: (-e["size"], e["path"]))
    named = [(e["path"], e["size"], e["change"]) for e in largest]
    shares = [(s["name"], s["bytes"], s["detail"]) for s in found["sizes"]["delta"]]
    assert shares == named[: len(shares)]
    assert len(shares) == min(200, len(named)) > 0
    assert "LARGEST FILES OF THE DELTA" in run("sizes", archive).out


def test_pages_are_added_up(run: Run, data: Path) -> None:
    archive = data / "archives/counter.tar.zst"
    pages = run("sizes", archive, "--pages", "--json").document["pages"]
    text = run("sizes", archive, "--pages").out
    assert re.search(rf"all: unique +█+ +{pages['unique'] >> 10}\.?\d* KiB", text)


def test_layers_say_who_changed_what(run: Run) -> None:
    with demo_folder() as folder:
        pair = run("sizes", folder / "counter-optimized.oci.tar", "--layers", "--json").document
        archive = run("sizes", folder / "counter.tar.zst", "--layers", "--json").document
        text = run("sizes", folder / "counter.tar.zst", "--layers").out
        bare = run("sizes", folder / "base-bb.oci.tar", "--json").document
        said = run("sizes", folder / "base-bb.oci.tar").out
        assert run("sizes", folder / "web.restore.log").code == 1
    for stack in (pair["rootfs"], archive["rootfs"]):
        base, delta = stack
        assert (base["role"], delta["role"]) == ("base", "delta")
        assert base["files"] == [
            {**one, "hidden_by": file["hidden_by"]}
            for one, file in zip(bare["rootfs"][0]["files"], base["files"], strict=True)
        ]
        hidden = {file["path"] for file in base["files"] if file["hidden_by"] == 1}
        others = {file["path"] for file in delta["files"] if file["how"] != "added"}
        assert hidden <= others
        assert base["wasted"] == sum(f["size"] for f in base["files"] if f["path"] in hidden)
    layer = bare["rootfs"][0]
    assert layer["digest"][7:19] in said
    assert layer["media_type"] in said
    assert pair["rootfs"][1]["counts"] == archive["rootfs"][1]["counts"]
    assert "LAYERS OF THE ROOT FILESYSTEM" in text


def test_a_base_that_is_not_here_is_asked_for(run: Run, data: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.tar.zst"
    alone.write_bytes((data / "archives/counter.tar.zst").read_bytes())
    ran = run("sizes", alone, "--layers")
    assert ran.code == 1
    assert "--base IMAGE" in ran.err
    assert "BY COMPONENT" in ran.out, "the rest is told"
    base = data / "archives/base-bb.oci.tar"
    assert run("sizes", alone, "--base", base, "--json").document["rootfs"]
