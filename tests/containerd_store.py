"""The store of containerd in `data/containerd`, unpacked."""

from __future__ import annotations

import tarfile
from pathlib import Path

from ckpt_tui.sources.stores import DATABASE

PACKED = Path(__file__).parent / "data/containerd/store.tar.gz"


def database() -> bytes:
    """Return the bytes of meta.db."""
    with tarfile.open(PACKED) as archive:
        member = archive.extractfile(DATABASE)
        assert member
        return member.read()


def unpack(folder: Path) -> Path:
    """Make the store in a folder, its root."""
    with tarfile.open(PACKED) as archive:
        archive.extractall(folder, filter="data")
    return folder
