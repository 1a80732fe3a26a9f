"""Blobs as they are made: files in a folder of their own, which learn their digests meanwhile.

Blobs are staged in a folder beside the target and move to their names only when the index is about
to name them, so a cancelled or failed job leaves nothing behind. They are not synced to disk one by
one: every reader checks them against their digests.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import re
import shutil
import stat
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path
from typing import Any, BinaryIO, Self

from ckpt_tui.convert.digest import Digest, Known
from ckpt_tui.convert.seal import Seal
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import FileWindow
from ckpt_tui.sources.base import Descriptor
from ckpt_tui.sources.keys import UserKey

DIGEST_THREADS = 2
"""Threads that hash: the bytes of a layer and those of its blob, which are two digests."""

_STAGING = ".ckpt-tui-"

_LOCK = "ckpt-tui.lock"
"""The file in a staging folder that is locked as long as its process runs, and what it holds."""
_MARK = b"staging of ckpt-tui\n"

_BLOB = re.compile(r"blobs/sha256/[0-9a-f]{64}")

_MOVED = "moved"
"""The file in a staging folder that lists what was moved out of it: the digest that will lead to
it, and names below the folder beside which the staging lies."""

_INDEX = "index.json"
"""The file that leads to it when it has that digest in it."""


def _create(path: Path) -> BinaryIO:
    """Make a file that only its owner may read: a checkpoint holds memory, secrets included."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


class Blob:
    """A file that learns its digest while it is written."""

    def __init__(
        self, path: Path, create: Callable[[Path], BinaryIO], digest: Digest | Known
    ) -> None:
        self.path = path
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


class Staging:
    """A folder of blobs. Leaving it removes those that were not taken out of it.

    Raises:
        OSError: the folder cannot be written.
    """

    def __init__(self, folder: Path, create: Callable[[Path], BinaryIO] = _create) -> None:
        self.folder = folder
        self._create = create
        self._made = not folder.exists()
        self._blobs: dict[str, Path] = {}
        self._open: list[Blob] = []
        self._count = 0
        self._path = Path()
        self._pools = [ThreadPoolExecutor(1, "sha256") for _ in range(DIGEST_THREADS)]
        self._digests = cycle(self._pools)
        self._ended = False
        self._lock = -1
        self.recipients: tuple[UserKey, ...] = ()
        """Whom layers are encrypted for."""

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder):
            _remove_abandoned(self.folder)
            self._path = Path(tempfile.mkdtemp(prefix=_STAGING, dir=self.folder))
            try:
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                self._lock = os.open(self._path / _LOCK, flags, 0o600)
                fcntl.flock(self._lock, fcntl.LOCK_EX)
                os.write(self._lock, _MARK)
            except BaseException:
                self.__exit__()
                raise
        return self

    def __exit__(self, *error: object) -> None:
        self._ended = True
        for pool in self._pools:
            pool.shutdown(cancel_futures=True)
        for blob in self._open:
            blob.discard()
        _remove(self._path)
        if self._lock >= 0:
            os.close(self._lock)
        if self._made and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def note_moved(self, root: str, names: Iterable[str]) -> None:
        """Note what is about to be moved to these names below the folder; until the index there
        has the digest `root`, nothing leads to it."""
        with self._create(self._path / _MOVED) as file:
            file.write("\n".join((root, *names)).encode())

    @property
    def scratch_folder(self) -> Path:
        """A folder for what does not fit in memory; it goes with the staging."""
        return self._path

    def new_digest(self, mac: hmac.HMAC | None = None) -> Digest:
        """Return a digest that is worked out beside the main thread; with `mac` that one."""
        return Digest(next(self._digests), mac)

    def new_seal(self, blob: Blob, role: str) -> Seal | None:
        """Return what encrypts a layer of that role into a blob; None where it stays as it is: no
        recipients were named, or it belongs to the base image."""
        recipients = self.recipients
        return Seal(blob, recipients, self.new_digest) if recipients and role else None

    def new_blob(self, known: str = "") -> Blob:
        """Begin a blob; `known` is its digest where its bytes come verified."""
        self._count += 1
        digest = Known(known) if known else self.new_digest()
        blob = Blob(self._path / f"blob-{self._count}", self._create, digest)
        self._open.append(blob)
        return blob

    def keep(self, blob: Blob, *, needed: bool = False) -> tuple[str, int]:
        """Finish a blob; return digest and size. `needed`: it will be read again."""
        digest = blob.close()
        self._open.remove(blob)
        self._take(digest, blob, needed)
        return digest, blob.size

    def _take(self, digest: str, blob: Blob, needed: bool) -> None:
        """Do with a finished blob what is to be done."""
        del needed
        if digest in self._blobs:
            blob.path.unlink()
        else:
            self._blobs[digest] = blob.path

    def add(
        self,
        data: bytes,
        media_type: str,
        annotations: Mapping[str, str] | None = None,
        platform: Mapping[str, str] | None = None,
    ) -> Descriptor:
        """Stage a small blob."""
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        made = Descriptor(media_type, digest, len(data), annotations or {}, platform or {})
        self._take_small(made, data)
        return made

    def _take_small(self, made: Descriptor, data: bytes) -> None:
        blob = self.new_blob(made.digest)
        blob.write(data)
        self.keep(blob)

    def path(self, digest: str) -> Path:
        """Return where the bytes of a blob lie."""
        return self._blobs[digest]

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
        """Digests of the blobs in the folder."""
        return tuple(self._blobs)


class BlobSink(Staging, ABC):
    """Where an image is written: an OCI layout, an OCI archive, or a repository of a registry.

    What is made is begun with `new_blob` and handed over with `keep` or `add`, whichever it is, and
    named with `publish`. Without that, nothing names what was written.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.other_names: list[tuple[Descriptor, str]] = []
        """Manifests with a tag of their own, which `publish` gives them."""

    def begin(self, near: Iterable[str]) -> None:
        """Let blobs leave this machine: what will be written is settled. Until then none does.

        `near` names images, in any form of a target, whose layers may be where this one goes.
        """

    @abstractmethod
    def holds(self, digest: str, size: int) -> bool:
        """Tell whether the target has this blob in full, and need not be given it."""

    @abstractmethod
    def check(self, progress: Progress) -> None:
        """Make sure that every blob arrived as it was made.

        Raises:
            CkptError: one did not.
        """

    def abandon(self, error: BaseException) -> None:
        """Take back what left this machine, where nothing will name it because of an error; what
        cannot be, as it holds memory, is added to the error as a note."""

    @abstractmethod
    def publish(self, root: Descriptor, tag: str, progress: Progress) -> None:
        """Name `root`, a manifest or index that was added; all else that has a name keeps it."""


def dump(document: Mapping[str, Any]) -> bytes:
    """Return JSON without white space, keys in their order."""
    return json.dumps(document, separators=(",", ":")).encode()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other writers of the same layout out; the lock is on the folder, so no file is left."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_abandoned(folder: Path) -> None:
    """Remove what a killed process left: staging folders whose lock no process holds, or that are
    empty. What only has such a name is left alone."""
    for path in folder.glob(_STAGING + "*"):
        lock = _open_lock(path)
        if lock is None:
            with suppress(OSError):
                path.rmdir()  # the process was killed before it made the lock
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            take_back(folder, path)
            _remove(path)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)


def take_back(folder: Path, staging: Path) -> None:
    """Remove what was moved out of a staging folder below `folder` and that nothing names yet."""
    with suppress(OSError):
        note = os.open(staging / _MOVED, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(note, "rb") as file:
            root, *names = file.read().decode().split("\n")
        with suppress(FileNotFoundError):
            if root.encode() in (folder / _INDEX).read_bytes():
                return
        for name in names:
            if _BLOB.fullmatch(name):
                (folder / name).unlink(missing_ok=True)


def _remove(path: Path) -> None:
    """Remove a staging folder, its lock last: a process may be killed meanwhile."""
    with suppress(OSError):
        for entry in os.scandir(path):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name != _LOCK:
                os.unlink(entry)
    shutil.rmtree(path, ignore_errors=True)


def _open_lock(path: Path) -> int | None:
    """Open the lock of a staging folder of this user; None where it is not one. No link is
    followed, and nothing waits for the other end of a FIFO."""
    careful = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        inside = os.open(path, os.O_RDONLY | os.O_DIRECTORY | careful)
    except OSError:
        return None
    try:
        lock = os.open(_LOCK, os.O_RDWR | careful, dir_fd=inside)
    except OSError:
        return None
    finally:
        os.close(inside)
    found = os.fstat(lock)
    own = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
    if own and _MARK.startswith(os.read(lock, len(_MARK) + 1)):
        return lock
    os.close(lock)
    return None
