"""Layouts that a conversion wrote, and archives with other members, as tests look at them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.archive.layers import LayeredTree
from ckpt_tui.archive.tree import Tree
from ckpt_tui.convert.source import Source
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow

OpenSource = Callable[[Path], Source]


@dataclass(frozen=True)
class Layout:
    """An OCI layout as a test looks at it."""

    folder: Path

    @property
    def index(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "index.json").read_bytes())
        return found

    def blob(self, digest: str) -> bytes:
        content = (self.folder / "blobs/sha256" / digest.removeprefix("sha256:")).read_bytes()
        assert "sha256:" + hashlib.sha256(content).hexdigest() == digest
        return content

    def document(self, digest: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.blob(digest))
        return found

    def tree(self, manifest_digest: str) -> LayeredTree:
        layers: list[Tree] = []
        manifest = json.loads(self.blob(manifest_digest))
        for layer in manifest["layers"]:
            content = self.blob(layer["digest"])
            assert len(content) == layer["size"]
            layers.append(open_archive(BytesWindow(content), layer["digest"], quiet()))
        return LayeredTree(layers)

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }


def contents(tree: Tree) -> Iterator[tuple[str, bytes]]:
    for name, member in tree.members.items():
        if member.kind.value == "-":
            yield name, tree.window(name).read(0, member.size)


def repacked(archive: Path, target: Path, changes: Mapping[str, bytes | None]) -> Path:
    """Copy an archive with some members changed, added, or (None) left out, as a plain tar."""
    window = BytesWindow(archive.read_bytes())
    tree = open_archive(window, archive.name, quiet())
    members = dict(contents(tree)) | {k: v for k, v in changes.items() if v is not None}
    with tarfile.open(target, "w") as tar:
        for name in [*tree.members, *(changes.keys() - tree.members.keys())]:
            info = tarfile.TarInfo(name)
            if name not in members:
                info.type, info.mode = tarfile.DIRTYPE, 0o700
                tar.addfile(info)
            elif changes.get(name, b"") is not None:
                info.size = len(members[name])
                tar.addfile(info, io.BytesIO(members[name]))
    tree.close()
    return target
