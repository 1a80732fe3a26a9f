"""The data steps of a dump or a restore, run for real in a scratch folder and timed.

Files and folders only, with names that the tar reader has cleaned, and never through a link: no
link is made. What CRIU and the mounts do is not run; nothing needs root.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import zstandard

from ckpt_tui.archive.archive_tree import ArchiveTree
from ckpt_tui.archive.compression import sniff
from ckpt_tui.archive.tar import stream
from ckpt_tui.archive.tree import MemberKind
from ckpt_tui.checkpoint.component_sizes import component_of
from ckpt_tui.checkpoint.restore_steps import (
    Amounts,
    RestoreStep,
    StepPart,
    Way,
    dumps,
    ways,
)
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.paths import cache_dir
from ckpt_tui.core.progress import Progress, counted
from ckpt_tui.core.text import human_bytes
from ckpt_tui.core.window import FileWindow, chunks
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.sources.link import chosen_link

SLACK = 64 << 20
"""Bytes that a way may write beyond what was computed: headers, and what archives repeat."""

QUICK_S = 0.1
"""Seconds below which a way is run again, `MORE_ROUNDS` times at most."""

MORE_ROUNDS = 4

LEVEL = 3
"""Of zstd: the default of its library, and of containers/storage."""

PART_OF: dict[str, StepPart] = {
    "pages": "images",
    "images": "images",
    "delta": "delta",
    "devshm": "shm",
    "volumes": "volumes",
}
"""Component of a member to the part that restore steps speak of; any other is metadata."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one step took."""

    step: RestoreStep
    seconds: float
    written: int
    left_out: int = 0
    """Links and devices that were not made."""


@dataclass(frozen=True, slots=True)
class Pull:
    """What it took to copy an image from its registry into a layout."""

    seconds: float
    received: int
    """Bytes of its blobs."""
    link: str
    """The link that was asked for; empty: the network as it is."""


def _seconds(found: tuple[Measured, ...]) -> float:
    return sum(measured.seconds for measured in found)


class Measurement:
    """A scratch folder with the unpacked checkpoint, in which ways are run one after another.

    Close it: the folder goes with it, also when a way is just being run or the program ends.
    """

    def __init__(self, opened: OpenCheckpoint, have: Amounts) -> None:
        self._opened = opened
        self._have = have
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._lock = threading.Lock()
        self._running = self._closed = False
        self._budget = 0
        self._since = time.perf_counter()
        self.so_far: tuple[Measured, ...] = ()
        """Steps of the way that is being run, as far as they are done."""
        self.pull: Pull | None = None
        """What it took to fetch it, once that was done; None where it is no image in a registry."""
        self.written = 0
        """Bytes that it has written; both may be asked for by another thread."""

    @property
    def seconds(self) -> float:
        """How long the way is being run."""
        return time.perf_counter() - self._since

    def can_run(self, way: Way) -> bool:
        """Return whether the data for a way is at hand: an archive is, or can be made, of a legacy
        checkpoint only."""
        if way.phase == "dump":
            return True
        if way.form == "legacy archive":
            return isinstance(self._opened.tree, ArchiveTree)
        return way.form == "optimized" or not self._have.optimized

    def run(self, way: Way, progress: Progress) -> tuple[Measured, ...]:
        """Run the steps of a way.

        Raises:
            CkptError: there is no room, or it writes more than it should.
            Cancelled: the job was cancelled; what was written is removed.
        """
        with self._lock:
            if self._closed:
                return ()
            self._running = True
        try:
            self.so_far = ()
            pulled = self._pulled(progress)
            bundle = Path(tempfile.mkdtemp(dir=pulled.parent, prefix=f"{way.id}-"))
            self.written, self._since = 0, time.perf_counter()
            try:
                for step in way.steps:
                    self.so_far += (self._step(step, pulled, bundle, progress),)
                return self.so_far
            except OSError as error:
                raise CkptError("Measuring failed.", f"{bundle}: {error.strerror}.") from error
            finally:
                shutil.rmtree(bundle, ignore_errors=True)
        finally:
            with self._lock:
                self._running = False
                if self._closed:
                    self._remove()

    def quickest(self, way: Way, progress: Progress) -> tuple[Measured, ...]:
        """Run a way, a short one several times, and return the quickest run: where a step takes
        milliseconds, what else the host does takes as long. Raises as `run`."""
        found = self.run(way, progress)
        for _ in range(MORE_ROUNDS):
            if _seconds(found) < QUICK_S:
                found = min(found, self.run(way, progress) or found, key=_seconds)
        return found

    def close(self) -> None:
        """Remove the scratch folder, now or as soon as the way that is being run has stopped."""
        with self._lock:
            self._closed = True
            if not self._running:
                self._remove()

    def _remove(self) -> None:
        if self._scratch is not None:
            shutil.rmtree(self._scratch.name, ignore_errors=True)
            self._scratch.cleanup()
            self._scratch = None

    @property
    def needed(self) -> int:
        """Bytes that the scratch folder must have room for."""
        whole = self._have.of("metadata", "images", "delta", "shm", "volumes")
        most = max(way.writes for way in (*dumps(self._have), *ways(self._have)))
        return whole + max(most, self._have.packed) + SLACK

    def _pulled(self, progress: Progress) -> Path:
        """Return the folder that stands for the image in the store of an engine: every member,
        unpacked once, as a pull does."""
        if self._scratch is None:
            folder = cache_dir()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            free = shutil.disk_usage(folder).free
            if free < self.needed:
                raise CkptError(
                    "There is not enough room to measure.",
                    f"{folder} has {human_bytes(free)} free, it takes {human_bytes(self.needed)}.",
                    "Set XDG_CACHE_HOME to a folder with more room.",
                )
            self._scratch = tempfile.TemporaryDirectory(
                dir=folder, prefix="measure-", ignore_cleanup_errors=True
            )
            self._budget = self.needed
            pulled = Path(self._scratch.name) / "pulled"
            pulled.mkdir()
            tree = self._opened.tree
            progress.start("unpacking once, as a pull does")
            for name, member in tree.members.items():
                if member.kind is MemberKind.FILE:
                    self._write(pulled, name, counted(chunks(tree.window(name)), progress))
            if self._opened.transferred is not None:
                self.pull = self._measured_pull(pulled.parent / "image", progress)
        return Path(self._scratch.name) / "pulled"

    def _measured_pull(self, folder: Path, progress: Progress) -> Pull:
        """Copy the image from its registry into a layout, all of it."""
        from ckpt_tui.convert.copying import copy  # 130 ms; only registries need it

        start = time.perf_counter()
        done = copy(self._opened.target, f"oci:{folder}:1", progress)
        seconds = time.perf_counter() - start
        shutil.rmtree(folder)
        return Pull(seconds, done.copied.bytes.get("copied", 0), str(chosen_link() or ""))

    def _step(self, step: RestoreStep, pulled: Path, bundle: Path, progress: Progress) -> Measured:
        self._budget = self.needed
        progress.start(step.name, step.reads or None)
        start = time.perf_counter()
        if step.verb in ("decompress", "unpack"):
            written, left_out = self._unpack(step.parts, bundle, progress), 0
        elif step.verb in ("copy", "dump"):
            written, left_out = self._copy(step.parts, pulled, bundle, progress), 0
        elif step.verb in ("archive", "compress"):
            written, left_out = self._pack(step, pulled, bundle, progress), 0
        elif step.verb == "mount":
            written, left_out = 0, 0
        else:
            written, left_out = self._untar(step.parts[0], pulled, bundle, progress)
        return Measured(step, time.perf_counter() - start, written, left_out)

    def _part(self, name: str) -> StepPart:
        return PART_OF.get(component_of(name, self._opened.kind.images), "metadata")

    def _unpack(self, parts: tuple[StepPart, ...], bundle: Path, progress: Progress) -> int:
        """Pass over the archive, all of it, and write some of its members."""
        tree = self._opened.tree
        assert isinstance(tree, ArchiveTree)
        written = 0
        for member, reader in stream(tree.stored, "the archive", progress):
            if member.kind is MemberKind.FILE and self._part(member.name) in parts:
                written += self._write(bundle, member.name, reader.chunks())
        return written

    def _copy(
        self, parts: tuple[StepPart, ...], pulled: Path, bundle: Path, progress: Progress
    ) -> int:
        written = 0
        for name, member in self._opened.tree.members.items():
            path = pulled / name
            if member.kind is MemberKind.FILE and self._part(name) in parts and path.is_file():
                written += self._write(bundle, name, _file_chunks(path, progress))
        return written

    def _pack(self, step: RestoreStep, pulled: Path, bundle: Path, progress: Progress) -> int:
        """Write all members of some parts into one file, one after another."""

        def pieces() -> Iterator[bytes]:
            for name, member in self._opened.tree.members.items():
                path = pulled / name
                if member.kind is MemberKind.FILE and self._part(name) in step.parts:
                    yield from _file_chunks(path, progress) if path.is_file() else ()

        packed = _compressed(pieces()) if step.verb == "compress" else pieces()
        return self._write(bundle, f"{step.name}.tar", packed)

    def _untar(
        self, part: StepPart, pulled: Path, bundle: Path, progress: Progress
    ) -> tuple[int, int]:
        """Unpack the nested archives of one part, from the bundle if a step before put them there,
        else from the image."""
        written = left_out = 0
        for name in self._opened.tree.members:
            path = bundle / name if (bundle / name).is_file() else pulled / name
            if self._part(name) != part or not path.is_file() or not _is_archive(path):
                continue
            with path.open("rb") as file:
                for member, reader in stream(FileWindow(file.fileno()), name, progress):
                    if member.kind is MemberKind.FILE:
                        written += self._write(bundle / "root", member.name, reader.chunks())
                    elif member.kind is not MemberKind.DIRECTORY:
                        left_out += 1
        return written, left_out

    def _write(self, folder: Path, name: str, pieces: Iterable[bytes]) -> int:
        """Write a file below `folder` and return its bytes. A name that cannot be (too long, a file
        where a folder should be) is left out: it costs the engine nothing, too."""
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("wb")
        except (OSError, ValueError):
            return 0
        written = 0
        with file:
            for piece in pieces:
                written += len(piece)
                self.written += len(piece)
                self._budget -= len(piece)
                if self._budget < 0:
                    raise CkptError(
                        "Measuring was stopped.",
                        f"It writes more than {human_bytes(self.needed)}: the archive is not what "
                        "it says.",
                    )
                file.write(piece)
        return written


def _compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Compress by zstd at the level that podman and buildah use, with all cores."""
    packer = zstandard.ZstdCompressor(LEVEL, threads=-1).compressobj()
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


def _file_chunks(path: Path, progress: Progress) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from counted(chunks(FileWindow(file.fileno())), progress)


def _is_archive(path: Path) -> bool:
    """Return whether a file is a tar, by its magic or its compression."""
    with path.open("rb") as file:
        head = file.read(512)
    return sniff(head[:4]) != "plain" or head[257:262] == b"ustar"
