"""OCI layouts and archives as places to write to: complete under their names, or not there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.convert.header_writer import END, header, padding
from ckpt_tui.convert.staging import Blob, BlobSink, dump, locked, take_back
from ckpt_tui.convert.verify import check_blob
from ckpt_tui.core.document import read_object, text_at
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import CHUNK, FileWindow
from ckpt_tui.sources.base import REF_NAME, Descriptor

ASK_S = 0.1
"""Seconds of waiting after which cancellation is looked for."""

_MARKER = b'{"imageLayoutVersion":"1.0.0"}'


class _FileSink(BlobSink):
    """Blobs that stay on this machine, each read again as soon as it is written if `checks`."""

    def __init__(self, folder: Path, *, checks: bool = False) -> None:
        super().__init__(folder)
        self._checks = checks
        self._checker = ThreadPoolExecutor(1, "check")
        self._checked: dict[str, Future[None]] = {}
        self._checking = Progress(cancelled=lambda: self._ended)

    def __exit__(self, *error: object) -> None:
        self._ended = True
        self._checker.shutdown(cancel_futures=True)
        super().__exit__(*error)

    def _take(self, digest: str, blob: Blob, needed: bool) -> None:
        if self.holds(digest, blob.size):
            blob.path.unlink()
        else:
            super()._take(digest, blob, needed)
        if self._checks:
            self._check_later(digest)

    def check(self, progress: Progress) -> None:
        progress.start("checking what was written", len(self.digests))
        for digest in self.digests:
            self._check_later(digest)
        for job in self._checked.values():
            while not wait([job], timeout=ASK_S).done:
                progress.tick(0)
            job.result()
            progress.tick()

    def _check_later(self, digest: str) -> None:
        if digest not in self._checked:
            job = self._checker.submit(check_blob, self.path(digest), digest, self._checking)
            self._checked[digest] = job


class LayoutSink(_FileSink):
    """A layout in a folder."""

    def __init__(self, folder: Path, *, checks: bool = False) -> None:
        super().__init__(folder, checks=checks)
        self._reused: dict[str, None] = {}

    def holds(self, digest: str, size: int) -> bool:
        try:
            found = self._target(digest).stat().st_size == size
        except OSError:
            return False
        if found:
            self._reused[digest] = None
        return found

    def path(self, digest: str) -> Path:
        return self._blobs.get(digest) or self._target(digest)

    @property
    def digests(self) -> tuple[str, ...]:
        """Digests of the blobs that the result is made of, those found in the layout included."""
        return (*self._blobs, *self._reused)

    def publish(self, root: Descriptor, tag: str, progress: Progress) -> None:
        """Give every blob its name and then name `root` in the index, under a lock.

        An entry of the same tag is replaced.

        Raises:
            CkptError: a blob that was there already is gone.
        """
        del progress
        with locked(self.folder):
            if any(not self._target(digest).exists() for digest in self._reused):
                raise CkptError(
                    f"Writing {self.folder} failed:",
                    "blobs that were in it have been removed meanwhile.",
                    "Run the command again.",
                )
            fresh = {digest: self._target(digest) for digest in self._blobs}
            fresh = {digest: path for digest, path in fresh.items() if not path.exists()}
            names = (str(path.relative_to(self.folder)) for path in fresh.values())
            self.note_moved(root.digest, names)
            try:
                for digest, path in self._blobs.items():
                    target = self._target(digest)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    os.replace(path, target)
                marker = self.folder / "oci-layout"
                if not marker.exists():
                    self._replace(marker, _MARKER)
                index = self.folder / "index.json"
                document = _read_index(index)
                for manifest, name in (*self.other_names, (root, tag)):
                    document = _with_entry(document, manifest, name)
                self._replace(index, dump(document))
            except BaseException:
                take_back(self.folder, self._path)
                raise

    def locked(self) -> AbstractContextManager[None]:
        """Keep other writers of the layout out."""
        return locked(self.folder)

    def rewrite(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Replace the index by what `change` makes of it; the caller holds the lock."""
        index = self.folder / "index.json"
        self._replace(index, dump(change(_read_index(index))))

    def delete(self, digests: Iterable[str]) -> None:
        """Remove blobs, those that are gone already left out; the caller holds the lock."""
        for digest in digests:
            self._target(digest).unlink(missing_ok=True)

    def _target(self, digest: str) -> Path:
        algorithm, _, digits = digest.partition(":")
        return self.folder / "blobs" / algorithm / digits

    def _replace(self, target: Path, data: bytes) -> None:
        draft = self._path / target.name
        with self._create(draft) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)


class ArchiveSink(_FileSink):
    """A layout in a tar archive, which is written once all blobs are there."""

    def __init__(self, file: Path, *, checks: bool = False) -> None:
        super().__init__(file.parent, checks=checks)
        self._target = file

    def holds(self, digest: str, size: int) -> bool:
        del digest, size
        return False

    def publish(self, root: Descriptor, tag: str, progress: Progress) -> None:
        """Write every blob and an index that names `root`."""
        draft = self._path / "archive"
        total = sum(path.stat().st_size for path in self._blobs.values())
        progress.start("writing the archive", total)
        with self._create(draft) as out:
            for folder in ("blobs/", "blobs/sha256/"):
                out.write(header(Member(folder, MemberKind.DIRECTORY, 0, mode=0o755)))
            for digest, path in sorted(self._blobs.items()):
                out.write(_file_header(f"blobs/sha256/{digest[7:]}", path.stat().st_size))
                with path.open("rb") as blob:
                    while piece := blob.read(CHUNK):
                        out.write(piece)
                        progress.tick(len(piece))
                out.write(padding(path.stat().st_size))
            document: dict[str, Any] = {}
            for manifest, name in (*self.other_names, (root, tag)):
                document = _with_entry(document, manifest, name)
            for name, data in (
                ("index.json", dump(document)),
                ("oci-layout", _MARKER),
            ):
                out.write(_file_header(name, len(data)) + data + padding(len(data)))
            out.write(END)
        os.replace(draft, self._target)


def _file_header(name: str, size: int) -> bytes:
    return header(Member(name, MemberKind.FILE, size, mode=0o644))


def _read_index(path: Path) -> dict[str, Any]:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    window = FileWindow(descriptor)
    try:
        return read_object(window, str(path))
    finally:
        window.close()


def names(folder: Path, tag: str) -> bool:
    """Whether the index of a layout, if there is one, has an entry of that tag.

    Raises:
        CkptError: the index cannot be read.
    """
    entries = _entries(_read_index(folder / "index.json"))
    return any(text_at(entry, "annotations", REF_NAME) == tag for entry in entries)


def _entries(index: Mapping[str, Any]) -> list[Any]:
    entries = index.get("manifests", [])
    if not isinstance(entries, list):
        raise CkptError("index.json of the layout cannot be read:", "its manifests are no list.")
    return entries


def _with_entry(index: dict[str, Any], root: Descriptor, tag: str) -> dict[str, Any]:
    entry = Descriptor(
        root.media_type,
        root.digest,
        root.size,
        {**root.annotations, **({REF_NAME: tag} if tag else {})},
        root.platform,
        root.artifact_type,
    ).document()
    others = [
        other
        for other in _entries(index)
        if other != entry and not (tag and text_at(other, "annotations", REF_NAME) == tag)
    ]
    return {"schemaVersion": 2, **index, "manifests": [*others, entry]}
