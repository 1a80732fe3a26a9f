"""`ckpt-tui sizes`: layers, breakdowns, pages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ran import Run

from ckpt_tui.cli.sizes import sizes
from ckpt_tui.demo import demo_folder


def test_pages_are_counted_only_when_asked_for(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = str(data / "archives/counter.tar.zst")
    sizes(target, False, (), True)
    assert json.loads(capsys.readouterr().out)["pages"] is None
    sizes(target, True, (), True)
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
    assert "in the other, too" in run("sizes", crio, "--with", podman).out


def test_layers_of_an_image_are_listed_with_roles(capsys: pytest.CaptureFixture[str]) -> None:
    with demo_folder() as folder:
        target = str(folder / "counter-optimized.oci.tar")
        sizes(target, False, (), False)
        text = capsys.readouterr().out
        sizes(target, False, (), True)
        layers = json.loads(capsys.readouterr().out)["sizes"]["layers"]
    assert "LAYERS" in text
    assert {la["role"] for la in layers} >= {"metadata", "criu", "pages", "delta", "base"}
    assert all("hidden" in la and la["media_type"] for la in layers)


def test_text_has_every_breakdown(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes(str(data / "archives/cri-crio.tar"), True, (), False)
    text = capsys.readouterr().out
    for title in ("COMPONENT", "PROCESS", "KIND OF MEMORY", "KIND OF IMAGE", "PAGES"):
        assert title in text
