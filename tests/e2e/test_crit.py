"""Decoding, value for value against crit of the same CRIU, for kept and for fresh checkpoints."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from crit_compare import compare
from lab import Lab

NOT_MESSAGES = re.compile(r"pages-\d+\.img|tmpfs-dev-\d+\.tar\.gz\.img|descriptors\.json")
"""What lies among the images and is not an image of messages: memory, archives, podman's list."""


def decode_with_crit(lab: Lab, images: Path, name: str) -> tuple[Path, list[str]]:
    """Return the folder of crit's outputs, and the names of what crit refused."""
    inside = Path("/host") / images.relative_to(lab.host)
    done = lab.run("python3", "/lab/crit-decode-all", str(inside), f"/host/crit/{name}")
    return lab.host / "crit" / name, done.stdout.split()


def check(lab: Lab, images: Path, name: str) -> None:
    outputs, refused = decode_with_crit(lab, images, name)
    messages = [path for path in images.iterdir() if not NOT_MESSAGES.fullmatch(path.name)]
    assert not [image for image in refused if not NOT_MESSAGES.fullmatch(image)]
    compared, differences = compare(images, outputs)
    assert differences == []
    assert compared == 2 * len(messages) > 30, messages


@pytest.mark.parametrize("name", ["counter", "kinds", "sockets"])
def test_kept_images_read_as_crit_reads_them(lab: Lab, data: Path, name: str) -> None:
    images = lab.host / "kept" / name
    shutil.copytree(data / "images" / name, images)
    check(lab, images, f"kept-{name}")


@pytest.mark.parametrize(
    ("name", "archive"),
    [
        ("crio", "archives/cri-crio.tar"),
        ("containerd", "archives/cri-containerd-cri.tar"),
        ("podman", "archives/cri-podman.tar"),
        ("counter", "archives/counter.tar.zst"),
        ("rootfs", "archives/rootfs.tar.zst"),
        ("web", "demo-web/web.tar.zst"),
    ],
)
def test_images_of_every_engine_read_as_crit_reads_them(
    lab: Lab, data: Path, name: str, archive: str
) -> None:
    unpacked = lab.host / "engines" / name
    unpacked.mkdir(parents=True)
    shutil.copy(data / archive, unpacked)
    lab.script(f"cd /host/engines/{name} && tar -xf {Path(archive).name} checkpoint")
    check(lab, unpacked / "checkpoint", f"engines-{name}")


@pytest.mark.parametrize("name", ["kinds", "sockets", "rootfs", "web"])
def test_fresh_images_read_as_crit_reads_them(lab: Lab, name: str) -> None:
    lab.checkpoint(name)
    lab.script(f"mkdir -p /host/fresh/{name} && tar -C /host/fresh/{name} -xf /host/{name}.tar.zst")
    unpacked = lab.host / "fresh" / name
    shutil.copy(unpacked / "stats-dump", unpacked / "checkpoint")
    check(lab, unpacked / "checkpoint", f"fresh-{name}")


def test_all_at_once_is_what_the_crit_command_prints(lab: Lab, data: Path) -> None:
    images = lab.host / "command"
    shutil.copytree(data / "images/counter", images)
    outputs, _ = decode_with_crit(lab, images, "command")
    printed = lab.run("crit", "decode", "-i", "/host/command/core-1.img", "--pretty").stdout
    assert json.loads(printed) == json.loads((outputs / "core-1.img.pretty.json").read_text())
