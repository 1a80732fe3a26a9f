"""Writes OCI layouts and archives: complete and checked under their names, or not at all.

Blobs are staged in a folder of their own beside the target and move to their names only when the
index is about to name them, so a cancelled or failed job leaves nothing behind. Blobs are not
synced to disk one by one: every reader checks them against their digests.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.convert.digest import Digest, Known
from ckpt_tui.convert.headers import END, header, padding
from ckpt_tui.convert.verify import check_blob
from ckpt_tui.core.document import read_object, text_at
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import CHUNK, FileWindow
from ckpt_tui.sources.base import LAYER_PREFIX, REF_NAME, Descriptor

LAYER = LAYER_PREFIX + "v1.tar"

DIGEST_THREADS = 2
"""Threads that hash: the bytes of a layer and those of its blob, which are two digests."""

ASK_S = 0.1
"""Seconds of waiting after which it is asked whether anybody still wants the result."""

_STAGING = ".ckpt-tui-"
_MARKER = b'{"imageLayoutVersion":"1.0.0"}'


def _create(path: Path) -> BinaryIO:
    """Make a file that only its owner may read: a checkpoint holds memory, secrets included."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


class Blob:
    """A file that learns its digest while it is written."""

    def __init__(
        self, path: Path, create: Callable[[Path], BinaryIO], digest: Digest | Known
    ) -> None:
        self._path = path
        self._digest = digest
        self._file = create(path)
        self.size = 0

    def write(self, data: bytes | memoryview) -> int:
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)
        return len(data)

    def close(self) -> str:
        """Finish the file; return its digest, `sha256:…`."""
        self._file.close()
        return self._digest.value()

    def discard(self) -> None:
        """Let go of an unfinished file; what it could not write does not matter any more."""
        with suppress(OSError):
            self._file.close()

    @property
    def path(self) -> Path:
        return self._path


class Staging:
    """Blobs on their way into a layout. Leaving it without `publish` removes everything.

    Raises:
        CkptError: the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        create: Callable[[Path], BinaryIO] = _create,
        *,
        final: bool = True,
        checks: bool = False,
    ) -> None:
        """`final`: blobs that `folder` has count as written. `checks`: each blob is read again as
        soon as it is written, beside what is written next."""
        self.folder = folder
        self._create = create
        self._final = final
        self._made = not folder.exists()
        self._blobs: dict[str, Path] = {}
        self._reused: dict[str, None] = {}
        self._open: list[Blob] = []
        self._count = 0
        self._path = Path()
        self._pools = [ThreadPoolExecutor(1, "sha256") for _ in range(DIGEST_THREADS)]
        self._digests = cycle(self._pools)
        self._checks = checks
        self._checker = ThreadPoolExecutor(1, "check")
        self._checked: dict[str, Future[None]] = {}
        self._checking = Progress(cancelled=lambda: self._ended)
        self._ended = False
        self._lock = -1

    def __enter__(self) -> Staging:
        self.folder.mkdir(parents=True, exist_ok=True)
        with _locked(self.folder):
            _remove_abandoned(self.folder)
            self._path = Path(tempfile.mkdtemp(prefix=_STAGING, dir=self.folder))
            self._lock = os.open(self._path, os.O_RDONLY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, error, trace
        self._ended = True
        for pool in (*self._pools, self._checker):
            pool.shutdown(cancel_futures=True)
        for blob in self._open:
            blob.discard()
        shutil.rmtree(self._path, ignore_errors=True)
        os.close(self._lock)
        if self._made and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def new_digest(self) -> Digest:
        """Return a digest that is worked out beside the main thread."""
        return Digest(next(self._digests))

    def look_near(self, names: Iterable[str]) -> None:
        """Name images whose layers may be where the result goes, in any form of a target."""

    def new_blob(self, known: str = "") -> Blob:
        """Begin a blob; `known` is the digest of what others check on its way."""
        self._count += 1
        digest = Known(known) if known else self.new_digest()
        blob = Blob(self._path / f"blob-{self._count}", self._create, digest)
        self._open.append(blob)
        return blob

    def keep(self, blob: Blob, *, needed: bool = False) -> tuple[str, int]:
        """Finish a blob; return digest and size. `needed`: it will be read again."""
        del needed
        digest = blob.close()
        self._open.remove(blob)
        if digest in self._blobs or self.holds(digest, blob.size):
            blob.path.unlink()
        else:
            self._blobs[digest] = blob.path
        if self._checks:
            self._check_later(digest)
        return digest, blob.size

    def add(
        self,
        data: bytes,
        media_type: str,
        annotations: Mapping[str, str] | None = None,
        platform: Mapping[str, str] | None = None,
    ) -> Descriptor:
        """Stage a small blob."""
        blob = self.new_blob()
        blob.write(data)
        digest, size = self.keep(blob)
        return Descriptor(media_type, digest, size, annotations or {}, platform or {})

    def holds(self, digest: str, size: int) -> bool:
        """Tell whether the target already has this blob in full."""
        if not self._final:
            return False
        try:
            found = self._target(digest).stat().st_size == size
        except OSError:
            return False
        if found:
            self._reused[digest] = None
        return found

    def _target(self, digest: str) -> Path:
        algorithm, _, digits = digest.partition(":")
        return self.folder / "blobs" / algorithm / digits

    def path(self, digest: str) -> Path:
        """Return where the bytes of a blob lie until it is published, or lay before."""
        return self._blobs.get(digest) or self._target(digest)

    @contextmanager
    def window(self, digest: str) -> Iterator[FileWindow]:
        """Open a blob for reading."""
        opened = FileWindow(os.open(self.path(digest), os.O_RDONLY))
        try:
            yield opened
        finally:
            opened.close()

    @property
    def digests(self) -> tuple[str, ...]:
        """Digests of the blobs that the result is made of, those found in the target included."""
        return (*self._blobs, *self._reused)

    def check(self, progress: Progress) -> None:
        """Re-read every blob of the result.

        Raises:
            CkptError: one does not have its digest.
        """
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

    @property
    def scratch_folder(self) -> Path:
        """A folder for what does not fit in memory; it goes with the staging."""
        return self._path

    def publish(self, root: Descriptor, tag: str) -> None:
        """Give every blob its name and then name `root` in the index, under a lock.

        Whatever else the index names stays; an entry of the same tag is replaced.
        """
        with _locked(self.folder):
            for digest, path in self._blobs.items():
                target = self._target(digest)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)
            marker = self.folder / "oci-layout"
            if not marker.exists():
                self._replace(marker, _MARKER)
            index = self.folder / "index.json"
            self._replace(index, dump(_with_entry(_read_index(index), root, tag)))

    def publish_archive(self, root: Descriptor, tag: str, file: Path, progress: Progress) -> None:
        """Write every blob and an index that names `root` into an OCI archive, `file`."""
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
            for name, data in (
                ("index.json", dump(_with_entry({}, root, tag))),
                ("oci-layout", _MARKER),
            ):
                out.write(_file_header(name, len(data)) + data + padding(len(data)))
            out.write(END)
        os.replace(draft, file)

    def _replace(self, target: Path, data: bytes) -> None:
        draft = self._path / target.name
        with self._create(draft) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)


def _file_header(name: str, size: int) -> bytes:
    return header(Member(name, MemberKind.FILE, size, mode=0o644))


def dump(document: Mapping[str, Any]) -> bytes:
    """Return JSON without white space, keys in their order."""
    return json.dumps(document, separators=(",", ":")).encode()


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
    ).document()
    others = [
        other
        for other in _entries(index)
        if other != entry and not (tag and text_at(other, "annotations", REF_NAME) == tag)
    ]
    return {"schemaVersion": 2, **index, "manifests": [*others, entry]}


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other writers of the same layout out; the lock is on the folder, so no file is left."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_abandoned(folder: Path) -> None:
    """Remove what a killed process left: staging folders that nobody holds."""
    for path in folder.glob(_STAGING + "*"):
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(descriptor)
