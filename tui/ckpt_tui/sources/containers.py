"""containers-storage: the local store of podman, CRI-O and buildah, read without its library.

After github.com/containers/storage: images.go, layers.go, and containers-storage.conf(5). No lock
is taken: the JSON files are replaced as a whole, never written in place.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ckpt_tui.archive.archive_tree import ArchiveTree
from ckpt_tui.archive.directory import open_folder, unreachable
from ckpt_tui.archive.tar import index
from ckpt_tui.archive.tree import Tree
from ckpt_tui.core.document import parse_document, text_at, texts_at, value_at
from ckpt_tui.core.errors import DamagedInput, SourceUnreachable, UsageError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import short_digest
from ckpt_tui.core.window import BytesWindow, ByteWindow, FileWindow
from ckpt_tui.sources.base import MEDIA_MANIFEST, Descriptor, OpenedImage, checked_digest
from ckpt_tui.sources.oci import MAX_MANIFEST, descriptors_of, missing_blob
from ckpt_tui.sources.stores import DRIVERS, Location, locations, stored_target
from ckpt_tui.sources.tar_split import TarSplitWindow

MAX_STORE_JSON = 64 << 20
"""Bytes of layers.json; 10,000 layers take some 5 MiB."""

MAX_LAYERS = 500
"""Layers of one image; overlay mounts stop at 128 or 500."""

_ID = re.compile(r"[0-9a-f]{64}")
_PLAIN_KEY = re.compile(r"[.0-9a-z]+")


class StoredImage:
    """The blobs and layers of one image in a store.

    Manifest and config are kept as they came; layers only unpacked, so that their compressed blobs
    are not to be had.
    """

    def __init__(self, location: Location, image: Mapping[str, Any]) -> None:
        self._location = location
        self._id = _checked_id(text_at(image, "id"))
        self._top = text_at(image, "layer")
        self._blobs = self._read_blobs(texts_at(image, "big-data-names"))
        self._layers: list[str] | None = None

    def manifest(self) -> Descriptor:
        """Return the descriptor of the image's manifest; not that of an index it came from."""
        for digest, data in self._blobs.items():
            document = parse_document(data, f"blob {short_digest(digest)}")
            if isinstance(value_at(document, "layers"), list):
                media_type = text_at(document, "mediaType") or MEDIA_MANIFEST
                return Descriptor(media_type, digest, len(data))
        raise SourceUnreachable(f"Image {self._id[:12]} has no manifest in its store.")

    def blob(self, digest: str) -> ByteWindow:
        data = self._blobs.get(checked_digest(digest, "the manifest"))
        if data is None:
            raise missing_blob(digest)
        return BytesWindow(data)

    def layer_tree(self, layer: Descriptor, progress: Progress) -> Tree:
        plain = self.layer_tar(layer, progress)
        try:
            name = f"layer {short_digest(layer.digest)}"
            found = index(plain, name, progress, ahead=0)  # data is in files of their own
            return ArchiveTree(found, plain, "plain", plain, close=plain.close)
        except BaseException:
            plain.close()
            raise

    def layer_tar(self, layer: Descriptor, progress: Progress) -> TarSplitWindow:
        """Return the plain tar of a layer, as its diff id has it. The caller closes it."""
        manifest = parse_document(self._blobs[self.manifest().digest], "the manifest")
        digests = [one.digest for one in descriptors_of(manifest, "layers", "the manifest")]
        chain = self._chain()
        if len(digests) != len(chain) or layer.digest not in digests:
            raise DamagedInput(
                f"image {self._id[:12]}", 0, "its manifest and its stored layers do not agree."
            )
        return self._open_layer(chain[digests.index(layer.digest)], progress)

    def close(self) -> None:
        """Nothing is open."""

    def _read_blobs(self, names: tuple[str, ...]) -> dict[str, bytes]:
        folder = self._location.root / f"{self._location.driver}-images" / self._id
        blobs = {}
        # `manifest` last: the same bytes are there under their digest, too.
        for name in sorted(names, key=lambda name: name == "manifest"):
            if name.startswith("signature"):
                continue
            with suppress(SourceUnreachable, DamagedInput):
                data = _read_file(folder / _file_name(name), MAX_MANIFEST)
                blobs["sha256:" + hashlib.sha256(data).hexdigest()] = data
        return blobs

    def _chain(self) -> list[str]:
        """Return the ids of the image's layers, lowest first; the store's list is read once."""
        if self._layers is None:
            self._layers = self._read_chain()
        return self._layers

    def _read_chain(self) -> list[str]:
        parents: dict[str, str] = {}
        folder = self._location.root / f"{self._location.driver}-layers"
        for name in ("layers.json", "volatile-layers.json"):
            with suppress(FileNotFoundError):
                for layer in read_list(folder / name):
                    parents[text_at(layer, "id")] = text_at(layer, "parent")
        chain: list[str] = []
        at = self._top
        while at and len(chain) < MAX_LAYERS:
            if at not in parents:
                raise SourceUnreachable(f"Layer {at[:12]} is not in the store.")
            chain.append(_checked_id(at))
            at = parents[at]
        return chain[::-1]

    def _open_layer(self, layer: str, progress: Progress) -> TarSplitWindow:
        root, driver = self._location.root, self._location.driver
        content = (
            root / "overlay" / layer / "diff" if driver == "overlay" else root / "vfs/dir" / layer
        )
        split = root / f"{driver}-layers" / f"{layer}.tar-split.gz"
        name = f"layer {layer[:12]}"
        packed = _open_file(split)
        try:
            progress.start(f"reading {name}", packed.size)
            return TarSplitWindow(packed, open_folder(content), name, progress)
        finally:
            packed.close()


def open_stored(target: str, progress: Progress) -> OpenedImage:
    """Open an image by name, id or `name@digest`; `[driver@root]` before it names the store.

    Raises:
        SourceUnreachable: no store has it, or the store may not be read.
        UsageError: the name is empty.
    """
    stored = stored_target(target)
    if stored is None or not stored.name:
        raise UsageError(f"{target} names no image.")
    name = stored.name
    looked_at = locations()
    if stored.root:
        drivers = (stored.within,) if stored.within else DRIVERS
        looked_at = (Location(Path(stored.root), driver) for driver in drivers)
    looked_in: list[str] = []
    denied: SourceUnreachable | None = None
    for location in looked_at:
        progress.tick(0)
        try:
            images = read_list(location.root / f"{location.driver}-images" / "images.json")
        except FileNotFoundError:
            continue
        except SourceUnreachable as error:
            denied = error
            continue
        looked_in.append(str(location.root))
        for image in images:
            if _is_called(image, name):
                return _opened(target, StoredImage(location, image))
    raise denied or SourceUnreachable(
        f"{name} is in no local store.",
        f"Looked in {', '.join(dict.fromkeys(looked_in))}." if looked_in else "There is none.",
        f"Pull it first: `podman pull {name}`.",
    )


def stored_images(location: Location, progress: Progress) -> Iterator[tuple[str, str, OpenedImage]]:
    """Yield the images of a store: name, or id where it has none; when it was made, RFC 3339.

    An image that is damaged is passed over.

    Raises:
        SourceUnreachable: the store may not be read.
        DamagedInput: its list of images is damaged.
    """
    try:
        images = read_list(location.root / f"{location.driver}-images" / "images.json")
    except FileNotFoundError:
        return
    for image in images:
        progress.tick()
        for name in texts_at(image, "names") or (text_at(image, "id")[:12],):
            target = f"containers-storage:[{location.driver}@{location.root}]{name}"
            with suppress(SourceUnreachable, DamagedInput):
                opened = _opened(target, StoredImage(location, image))
                yield name, text_at(image, "created"), opened


def _opened(target: str, store: StoredImage) -> OpenedImage:
    descriptor = store.manifest()
    window = store.blob(descriptor.digest)
    data = window.read(0, window.size)
    return OpenedImage(target, store, descriptor, parse_document(data, "the manifest"), data)


def _is_called(image: Mapping[str, Any], wanted: str) -> bool:
    """Compare as podman does: by id, or by name with what is usually left out of it."""
    image_id = text_at(image, "id")
    if re.fullmatch(r"@?[0-9a-f]{12,64}", wanted) and image_id.startswith(wanted.lstrip("@")):
        return True
    name, _, digest = wanted.partition("@")
    digests = value_at(image, "big-data-digests")
    stored = digests.values() if isinstance(digests, dict) else ()
    if digest and digest not in (text_at(image, "digest"), f"sha256:{image_id}", *stored):
        return False
    full = name if digest or ":" in name.rpartition("/")[2] else f"{name}:latest"
    known = texts_at(image, "names")
    if digest:
        known = tuple(_untagged(one.partition("@")[0]) for one in known)
        full = _untagged(full)
    prefixes = ("", "localhost/", "docker.io/", "docker.io/library/")
    return any(f"{prefix}{full}" in known for prefix in prefixes)


def _untagged(name: str) -> str:
    tag = name.rpartition(":")[2]
    return name if "/" in tag else name.removesuffix(f":{tag}")


def _file_name(key: str) -> str:
    """Return the file of a big-data key; what is not plain is in base64."""
    if _PLAIN_KEY.fullmatch(key) and not key.startswith("."):
        return key
    return "=" + base64.b64encode(key.encode("utf-8", "surrogateescape")).decode("ascii")


def _checked_id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise DamagedInput("the store", 0, "it has an invalid id.")
    return text


def _open_file(path: Path) -> FileWindow:
    try:
        return FileWindow(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
    except FileNotFoundError as error:
        raise SourceUnreachable(f"{path} is not in the store.") from error
    except (OSError, ValueError) as error:
        raise unreachable(str(path), error) from error


def _read_file(path: Path, limit: int) -> bytes:
    file = _open_file(path)
    try:
        if file.size > limit:
            raise DamagedInput(
                str(path), 0, f"it has {file.size:,} bytes, too many for such a file."
            )
        return file.read(0, file.size)
    finally:
        file.close()


def read_list(path: Path) -> list[Any]:
    """Read a list of the store; FileNotFoundError where there is no store of that driver."""
    try:
        path.stat()
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise unreachable(str(path), error) from error
    document = parse_document(_read_file(path, MAX_STORE_JSON), str(path))
    return document if isinstance(document, list) else []
