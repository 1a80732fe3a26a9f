"""Real checkpoints in a folder of their own, in which a test breaks one thing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.archive.directory import DirectoryTree
from ckpt_tui.archive.tree import MemberKind
from ckpt_tui.checkpoint.build import Parts, build_checkpoint
from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.model import ContainerFacts, FormatFacts
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.criu.pages import PageMap
from ckpt_tui.diagnose.checks import run_checks
from ckpt_tui.diagnose.facts import Facts
from ckpt_tui.diagnose.finding import Finding
from ckpt_tui.formats.metadata import read_metadata
from ckpt_tui.formats.table import Found, recognise
from crafted import DATA


def unpack(archive: Path, folder: Path) -> Path:
    """Write the members of an archive into `folder`; also return the folder."""
    tree = open_archive(BytesWindow(archive.read_bytes()), archive.name, quiet())
    folder.mkdir(parents=True, exist_ok=True)
    for member in tree.members.values():
        path = folder / member.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if member.kind is MemberKind.DIRECTORY:
            path.mkdir(exist_ok=True)
        elif member.kind is MemberKind.FILE:
            path.write_bytes(tree.window(member.name).read(0, member.size))
    tree.close()
    return folder


def whole_images(name: str, folder: Path) -> Path:
    """Copy a folder of tests/data/images; the page images that were left out become zeros."""
    folder.mkdir(parents=True)
    for path in (DATA / "images" / name).iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    for path in folder.glob("pagemap-*.img"):
        page_map = PageMap.read(BytesWindow(path.read_bytes()), path.name, quiet())
        pages = folder / f"pages-{page_map.pages_id}.img"
        if not pages.exists():
            with pages.open("wb") as file:
                file.truncate(page_map.present * 4096)
    return folder


def facts_of(folder: Path, **more: Any) -> Facts:
    """Return the facts of a checkpoint in a folder, as the program gathers them."""
    tree = DirectoryTree(folder)
    metadata = read_metadata(tree, {}, "checkpoint/")
    found = recognise(Found(tree, metadata))
    if found is None:  # without inventory and process tree nothing tells what it is
        engine, images_folder, title, container = "criu", "", "CRIU", None
    else:
        engine, images_folder, title = found.engine, found.images, found.title
        container = found.container
    images = ImageDirectory(tree, images_folder)
    parts = Parts(
        source=str(folder),
        tree=tree,
        images=images,
        images_folder=images_folder,
        format=FormatFacts(f"{title} directory", engine, False, "plain"),
        container=container(metadata) if container else ContainerFacts(),
        packed=0,
        notes=metadata.notes,
    )
    checkpoint = build_checkpoint(parts, quiet())
    return Facts(checkpoint, images, tree, metadata.documents, **more)


def findings(folder: Path, **more: Any) -> tuple[Finding, ...]:
    """Return what the checks find in the checkpoint in `folder`."""
    return run_checks(facts_of(folder, **more), quiet())


def problems(found: Iterable[Finding]) -> set[str]:
    """Return the ids of what keeps a restore from going well; advice is left out."""
    return {f.id for f in found if f.severity != "advice"}
