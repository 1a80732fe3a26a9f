"""Logs in a file, a compressed file, an archive or a folder: each with its name."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.archive.compression import Compression, decompressed, sniff
from ckpt_tui.archive.tree import MemberKind
from ckpt_tui.core.errors import CkptError, DamagedInput, UsageError
from ckpt_tui.core.log_heads import HEAD, is_log, why_no_log
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow, FileWindow
from ckpt_tui.formats.logs import open_log

LogBytes = ByteWindow | io.BufferedIOBase
"""A log, in a file or as a stream."""

MOST_LOGS = 200
"""Logs read of one folder or archive."""

MOST_FILES = 10_000
"""Files of a folder or archive that are looked at."""

MOST_BYTES = 4 << 30
"""Plain bytes read of one compressed log."""

_NAMES = (".log", ".txt", ".err", ".out")
_HINT = "A log is the dump.log or restore.log of CRIU, or what an engine printed."


class StreamedLog(io.BufferedIOBase):
    """A log that is read from start to end, its first bytes known already."""

    def __init__(self, head: bytes, readinto: Callable[[memoryview], int], name: str) -> None:
        super().__init__()
        self._head = head
        self._readinto = readinto
        self._name = name
        self._read = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to `size` bytes, at most a MiB; nothing at the end.

        Raises:
            DamagedInput: the compressed bytes are damaged, or far more than a log has.
        """
        length = 1 << 20 if size is None or size < 0 else min(size, 1 << 20)
        if self._head:
            piece, self._head = self._head[:length], self._head[length:]
        else:
            piece = _filled(self._readinto, length)
        self._read += len(piece)
        if self._read > MOST_BYTES:
            raise DamagedInput(self._name, 0, f"It unpacks to more than {MOST_BYTES >> 30} GiB.")
        return piece


def each_log(path: str, progress: Progress) -> Generator[tuple[str, LogBytes]]:
    """Yield the logs of a file, archive or folder with what each is called; each is to be read
    before the next one is asked for.

    Raises:
        UsageError: no log was found in it.
        SourceUnreachable: it may not be read.
    """
    found = _in_folder(path, progress) if os.path.isdir(path) else _in_file(path, path, progress)
    count = 0
    for name, log in found:
        count += 1
        if count > MOST_LOGS:
            return
        yield name, log
    if not count:
        raise UsageError(f"No logs found in {path}.", "", _HINT)


def holds_log(path: str, progress: Progress) -> bool:
    """Tell whether a path is a log, perhaps compressed, and nothing else that commands take."""
    if not os.path.isfile(path):
        return False
    try:
        with closing(open_log(path)) as window:
            return is_log(_head(window, progress, path)[1])
    except CkptError:
        return False


def stream_of(stream: io.BufferedIOBase, name: str) -> StreamedLog:
    """Return a stream as a log.

    Raises:
        UsageError: it is not a log.
    """
    head = stream.read(HEAD)
    _expect_log(head, name)
    return StreamedLog(head, stream.readinto, name)


def _expect_log(head: bytes, name: str) -> None:
    if why := why_no_log(head):
        raise UsageError(f"{name} is not a log.", why, _HINT)


def _in_folder(path: str, progress: Progress) -> Iterator[tuple[str, LogBytes]]:
    seen = 0
    for folder, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            seen += 1
            whole = os.path.join(folder, name)
            if seen > MOST_FILES:
                return
            is_named_so = Path(name).suffix in (*_NAMES, ".gz", ".zst") or ".log." in name
            if is_named_so and holds_log(whole, progress):
                yield from _in_file(whole, whole, progress)


def _in_file(path: str, name: str, progress: Progress) -> Iterator[tuple[str, LogBytes]]:
    with closing(open_log(path)) as window:
        compression, head = _head(window, progress, name)
        if compression == "plain" and head.startswith(b"PK\x03\x04"):
            yield from _in_zip(path, name)
            return
        if head[257:262] == b"ustar":
            yield from _in_archive(window, name, progress)
            return
        _expect_log(head, name)
        if compression == "plain":
            yield name, window
            return
        readinto = _unpacked(window, compression, progress, name)
        yield name, StreamedLog(b"", readinto, name)


def _in_archive(
    window: FileWindow, name: str, progress: Progress
) -> Iterator[tuple[str, LogBytes]]:
    with closing(open_archive(window, name, progress)) as tree:
        for number, (member, found) in enumerate(tree.members.items()):
            if number > MOST_FILES:
                return
            if found.kind is MemberKind.FILE and Path(member).suffix in _NAMES:
                log = tree.window(member)
                if is_log(log.read(0, HEAD)):
                    yield f"{name}: {member}", log


def _in_zip(path: str, name: str) -> Iterator[tuple[str, LogBytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            for found in archive.infolist()[:MOST_FILES]:
                if found.is_dir() or Path(found.filename).suffix not in _NAMES:
                    continue
                with io.BufferedReader(archive.open(found)) as member:  # type: ignore[type-var]
                    head = member.read(HEAD)
                    if is_log(head):
                        whole = f"{name}: {found.filename}"
                        yield whole, StreamedLog(head, member.readinto, whole)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise DamagedInput(name, 0, f"{error}.") from error


def _head(window: ByteWindow, progress: Progress, name: str) -> tuple[Compression, bytes]:
    """Return how a file is compressed, and its first plain bytes."""
    head = window.read(0, HEAD)
    compression = sniff(head)
    if compression != "plain":
        head = _filled(_unpacked(window, compression, progress, name), HEAD)
    return compression, head


def _unpacked(
    window: ByteWindow, compression: Compression, progress: Progress, name: str
) -> Callable[[memoryview], int]:
    return decompressed(window, compression, progress, name).readinto


def _filled(readinto: Callable[[memoryview], int], length: int) -> bytes:
    """Return `length` bytes, fewer only at the end."""
    buffer = bytearray(length)
    view = memoryview(buffer)
    filled = 0
    while filled < length and (count := readinto(view[filled:])):
        filled += count
    return bytes(view[:filled])
