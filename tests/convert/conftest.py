"""Real checkpoints and their base image, opened the way the program does it."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from layouts import OpenSource

from ckpt_tui.archive.archive_tree import ArchiveTree, open_archive
from ckpt_tui.convert.base_image import BaseImage, read_image
from ckpt_tui.convert.base_search import find_base
from ckpt_tui.convert.source import Source, archive_source
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import FileWindow
from ckpt_tui.formats.metadata import read_metadata
from ckpt_tui.formats.table import Found, recognise

Opener = Callable[[Path], FileWindow]


@pytest.fixture
def open_file() -> Generator[Opener]:
    """Open files that are closed after the test."""
    opened: list[FileWindow] = []

    def open_one(path: Path) -> FileWindow:
        opened.append(FileWindow(os.open(path, os.O_RDONLY)))
        return opened[-1]

    yield open_one
    for window in opened:
        window.close()


@pytest.fixture
def open_source(open_file: Opener) -> Generator[OpenSource]:
    """Open an archive as a source of a conversion."""
    trees: list[ArchiveTree] = []

    def open_one(path: Path) -> Source:
        window = open_file(path)
        tree = open_archive(window, path.name, quiet())
        trees.append(tree)
        metadata = read_metadata(tree, {}, "checkpoint/")
        form = recognise(Found(tree, metadata))
        assert form is not None
        return archive_source(
            window,
            path.name,
            f"{form.title} archive",
            form.engine,
            tree.compression,
            tree,
            form.container(metadata),
        )

    yield open_one
    for tree in trees:
        tree.close()


@pytest.fixture
def base_bb(data: Path, open_source: OpenSource) -> Generator[BaseImage]:
    """The base image of the busybox checkpoints."""
    source = open_source(data / "archives/counter.tar.zst")
    found = find_base(source, f"oci-archive:{data / 'archives/base-bb.oci.tar'}", quiet())
    assert found is not None
    base = read_image(found, quiet())
    yield base
    base.close()


@pytest.fixture
def counter(data: Path, open_source: OpenSource) -> Source:
    return open_source(data / "archives/counter.tar.zst")


@pytest.fixture
def rootfs(data: Path, open_source: OpenSource) -> Source:
    return open_source(data / "archives/rootfs.tar.zst")
