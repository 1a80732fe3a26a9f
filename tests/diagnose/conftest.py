"""Real checkpoints, each in a folder of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from breakage import unpack, whole_images

from crafted import ARCHIVES


@pytest.fixture
def counter(tmp_path: Path) -> Path:
    """A small podman checkpoint."""
    return unpack(ARCHIVES / "counter.tar.zst", tmp_path / "counter")


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    """A podman checkpoint with every kind of change of the root filesystem."""
    return unpack(ARCHIVES / "rootfs.tar.zst", tmp_path / "rootfs")


@pytest.fixture
def sockets(tmp_path: Path) -> Path:
    """The images of a container with sockets of all kinds."""
    return whole_images("sockets", tmp_path / "sockets")


@pytest.fixture
def kinds(tmp_path: Path) -> Path:
    """The images of a container with files, memory and timers of all kinds."""
    return whole_images("kinds", tmp_path / "kinds")
