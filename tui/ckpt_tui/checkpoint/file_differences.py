"""The files that two containers wrote, compared by content, in one pass over both deltas."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_tui.archive.tree import Tree
from ckpt_tui.checkpoint.bytediff import Run, add_run, differing
from ckpt_tui.checkpoint.delta import file_window, has_bytes
from ckpt_tui.checkpoint.model import Delta, DeltaEntry
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import CHUNK, ByteWindow

MAX_PLACES = 256
"""Runs of changed bytes remembered of one file, to jump to; the bytes are all counted."""


@dataclass(frozen=True, slots=True)
class FilePair:
    """A file that both deltas have, and that differs or cannot be compared."""

    path: str
    before_ref: Ref
    """The row that shows it in the first checkpoint."""
    after_ref: Ref
    before_size: int
    after_size: int
    changed: int = 0
    """Bytes that differ; those that only the longer one has are among them."""
    places: tuple[Run, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class FileComparison:
    """The files of both deltas."""

    files: tuple[FilePair, ...] = ()
    """Those with other contents, or with a problem."""
    same: int = 0
    """Files with equal contents."""
    notes: tuple[str, ...] = ()


def common_files(before: Delta, after: Delta) -> list[tuple[int, int]]:
    """Return the places of the files that both deltas have, in the order of the first."""
    others = {e.path: i for i, e in enumerate(after.entries) if has_bytes(e)}
    return [
        (i, others[e.path])
        for i, e in enumerate(before.entries)
        if e.path in others and has_bytes(e)
    ]


def compare_files(
    before: tuple[Delta, Tree | None], after: tuple[Delta, Tree | None], progress: Progress
) -> FileComparison:
    """Compare the contents of every file that both deltas have. Progress counts bytes of both.

    Raises:
        Cancelled: the job was cancelled. Damage is reported with the file.
    """
    (delta, tree), (other_delta, other_tree) = before, after
    pairs = common_files(delta, other_delta)
    sizes = (delta.entries[i].size + other_delta.entries[j].size for i, j in pairs)
    progress.start("comparing files", sum(sizes))
    found: list[FilePair] = []
    for i, j in pairs:
        pair = _compare(
            tree, other_tree, delta.entries[i], other_delta.entries[j], (i, j), progress
        )
        if pair.changed or pair.problem:
            found.append(pair)
    return FileComparison(tuple(found), len(pairs) - len(found))


def _compare(
    tree: Tree | None,
    other_tree: Tree | None,
    one: DeltaEntry,
    other: DeltaEntry,
    places: tuple[int, int],
    progress: Progress,
) -> FilePair:
    refs = Ref.delta(places[0]), Ref.delta(places[1])
    changed, problem = 0, ""
    runs: list[Run] = []
    sizes = one.size, other.size
    try:
        windows = file_window(tree, one.path), file_window(other_tree, other.path)
        sizes = windows[0].size, windows[1].size
        changed, runs = _differences(*windows, progress)
    except CkptError as error:
        problem = str(error)
    return FilePair(one.path, *refs, *sizes, changed, tuple(runs), problem)


def _differences(
    before: ByteWindow, after: ByteWindow, progress: Progress
) -> tuple[int, list[Run]]:
    count, runs = 0, list[Run]()
    for offset, left, right in _beside(before, after, progress):
        some, changed = differing(left, right)
        count += changed
        for start, length in some[: MAX_PLACES - len(runs)]:
            add_run(runs, offset + start, offset + start + length)
    return count, runs


def _beside(
    before: ByteWindow, after: ByteWindow, progress: Progress
) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield both in pieces; of what only one has, no more than its length is looked at."""
    for offset in range(0, max(before.size, after.size), CHUNK):
        left, right = before.read(offset, CHUNK), after.read(offset, CHUNK)
        progress.tick(len(left) + len(right))
        yield offset, left, right
