"""Archives of `docker save`, `podman save` and skopeo's `docker-archive:`, as images.

After the Docker image specification 1.2, "Combined Image JSON + Filesystem Changeset Format". There
is not a manifest with digests in it: one is made, of what the config says of the layers, which are
plain tars. Newer `docker save` writes an OCI layout, which is opened as that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.archive.names import clean_name
from ckpt_tui.archive.tree import MemberKind, Tree
from ckpt_tui.core.document import parse_document, text_at, texts_at
from ckpt_tui.core.errors import CkptError, DamagedInput, SourceUnreachable, UsageError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import short_digest
from ckpt_tui.core.window import BytesWindow, ByteWindow
from ckpt_tui.sources.base import (
    MEDIA_CONFIG,
    MEDIA_LAYER,
    MEDIA_MANIFEST,
    Descriptor,
    OpenedImage,
    checked_digest,
)
from ckpt_tui.sources.oci import MAX_MANIFEST, missing_blob

LIST = "manifest.json"
"""Member that lists the images of the archive."""

MAX_IMAGES = 1000


class DockerArchiveStore:
    """The config and the layers of one image in an archive, by their digests."""

    def __init__(self, tree: Tree, entry: Mapping[str, Any]) -> None:
        """The store owns `tree`.

        Raises:
            DamagedInput: the entry of the image does not agree with its config.
        """
        self._tree = tree
        self._members: dict[str, str] = {}
        self._made: dict[str, bytes] = {}
        config = _small(tree, self._file(text_at(entry, "Config")))
        diff_ids = texts_at(parse_document(config, "the config"), "rootfs", "diff_ids")
        layers = texts_at(entry, "Layers")
        if len(layers) != len(diff_ids):
            raise DamagedInput(LIST, 0, "an image in it and its config have not the same layers.")
        for digest, layer in zip(diff_ids, layers, strict=True):
            self._members[checked_digest(digest, "the config")] = self._file(layer)
        document = {
            "schemaVersion": 2,
            "mediaType": MEDIA_MANIFEST,
            "config": self._keep(config, MEDIA_CONFIG).document(),
            "layers": [
                Descriptor(MEDIA_LAYER, digest, self.blob(digest).size).document()
                for digest in diff_ids
            ],
        }
        self.document: Mapping[str, Any] = document
        self.data = json.dumps(document, separators=(",", ":")).encode()
        self.manifest = self._keep(self.data, MEDIA_MANIFEST)

    def blob(self, digest: str) -> ByteWindow:
        if checked_digest(digest, "the manifest") in self._made:
            return BytesWindow(self._made[digest])
        if digest not in self._members:
            raise missing_blob(digest)
        return self._tree.window(self._members[digest])

    def layer_tree(self, layer: Descriptor, progress: Progress) -> Tree:
        # `docker load` takes compressed layers, too, whose digest is that of the plain tar
        return open_archive(
            self.blob(layer.digest), f"layer {short_digest(layer.digest)}", progress
        )

    def close(self) -> None:
        self._tree.close()

    def _keep(self, data: bytes, media_type: str) -> Descriptor:
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self._made[digest] = data
        return Descriptor(media_type, digest, len(data))

    def _file(self, name: str) -> str:
        """Return the regular file that a name in the list is; layers that others share are links
        to these."""
        found = clean_name(name) or ""
        member = self._tree.members.get(found)
        if member is not None and member.kind is MemberKind.SYMLINK:
            folder = found.rpartition("/")[0]
            found = _beside(folder, member.link)
            member = self._tree.members.get(found)
        if member is None or member.kind not in (MemberKind.FILE, MemberKind.HARDLINK):
            raise SourceUnreachable(f"{name or 'A file'} is not in the archive.")
        return found


def is_docker_archive(tree: Tree) -> bool:
    """Tell whether a tree is such an archive; a checkpoint may have a manifest.json of its own."""
    if LIST not in tree.members or "config.dump" in tree.members:
        return False
    try:
        return bool(_entries(tree))
    except (DamagedInput, KeyError):
        return False


def open_docker_image(target: str, tree: Tree, wanted: str) -> OpenedImage:
    """Open the image of an archive that `wanted` names, or the only one.

    Raises:
        UsageError: there is no such one, or several and none named.
        DamagedInput, SourceUnreachable: it is not whole.
    """
    entries = _entries(tree)
    named = [one for one in entries if not wanted or _is_called(one, wanted)]
    if len(named) != 1:
        names = [name for one in entries[:8] for name in texts_at(one, "RepoTags")]
        hint = f"Name one of: {', '.join(names)}." if names else ""
        what = f"has no image {wanted}" if wanted and not named else f"has {len(named)} images"
        raise UsageError(f"{target} {what}.", "", hint)
    store = DockerArchiveStore(tree, named[0])
    return OpenedImage(target, store, store.manifest, store.document, store.data)


def docker_images(
    tree: Tree,
) -> Iterator[tuple[tuple[str, ...], DockerArchiveStore | None]]:
    """Yield the images of an archive: their names, and their store, None where it is damaged. All
    stores own the same tree."""
    for entry in _entries(tree):
        names = texts_at(entry, "RepoTags")
        try:
            yield names, DockerArchiveStore(tree, entry)
        except CkptError:
            yield names, None


def _entries(tree: Tree) -> list[Mapping[str, Any]]:
    found = parse_document(_small(tree, LIST), LIST)
    if not isinstance(found, list) or len(found) > MAX_IMAGES:
        return []
    return [one for one in found if isinstance(one, dict) and text_at(one, "Config")]


def _is_called(entry: Mapping[str, Any], wanted: str) -> bool:
    """Compare with a whole name, or with its tag alone."""
    names = texts_at(entry, "RepoTags")
    return any(wanted in (name, name.rpartition(":")[2]) for name in names)


def _small(tree: Tree, name: str) -> bytes:
    window = tree.window(name)
    if window.size > MAX_MANIFEST:
        raise DamagedInput(name, 0, f"it has {window.size:,} bytes, too many for such a file.")
    return window.read(0, window.size)


def _beside(folder: str, link: str) -> str:
    """Return where a link leads, "" if that is outside of the archive."""
    steps = folder.split("/") if folder else []
    for step in link.split("/"):
        if step == "..":
            if not steps:
                return ""
            steps.pop()
        elif step not in ("", "."):
            steps.append(step)
    return "" if link.startswith("/") else "/".join(steps)
