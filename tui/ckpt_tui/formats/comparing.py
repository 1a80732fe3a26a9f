"""Opened checkpoints beside each other: two in all their parts, more of them as a chain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from ckpt_tui.archive.tree import ByteRange, Tree
from ckpt_tui.checkpoint.delta import DIFF
from ckpt_tui.checkpoint.differences import Comparison, compare_checkpoints
from ckpt_tui.checkpoint.file_differences import FileComparison, common_files, compare_files
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.page_differences import MemoryComparison, Side, compare_memory
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.parallel import both
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.fetching import BeforeFetching, TooMuchUnasked
from ckpt_tui.formats.opened import OpenCheckpoint, open_checkpoint


@dataclass(frozen=True, slots=True)
class Difference:
    """All that differs between two checkpoints."""

    comparison: Comparison
    memory: MemoryComparison | None
    """None where the contents of pages were not compared; `files` likewise."""
    files: FileComparison | None
    one_dump: bool = False
    """Whether both are the same dump, one of them optimized."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be compared, and why; a sentence each."""
        return (
            *self.comparison.notes,
            *(self.memory.notes if self.memory else ()),
            *(self.files.notes if self.files else ()),
        )

    @property
    def same(self) -> bool:
        """Whether no difference was found."""
        regions = (r for _, some in self.memory.processes for r in some) if self.memory else ()
        files = self.files.files if self.files else ()
        return (
            self.comparison.same
            and not any(region.differs for region in regions)
            and not any(pair.changed for pair in files)
        )

    @property
    def complete(self) -> bool:
        """Whether everything could be compared, so that `same` is proof."""
        if self.notes or self.memory is None or self.files is None:
            return False
        regions = (r for _, some in self.memory.processes for r in some)
        return not any(r.problem or r.unknown for r in regions) and not any(
            pair.problem for pair in self.files.files
        )


Loaded = tuple[OpenCheckpoint, Checkpoint]


def side(loaded: Loaded) -> Side:
    """Return what a comparison of memory needs of a checkpoint."""
    opened, checkpoint = loaded
    return Side(checkpoint, opened.images, opened.memory)


def compare_loaded(
    before: Loaded, after: Loaded, progress: Progress, *, contents: bool = True
) -> Difference:
    """Compare two opened checkpoints; with `contents` those of pages and files, too."""
    comparison = compare_checkpoints(before[1], after[1], progress)
    memory = files = None
    if contents:
        memory = compare_memory(side(before), side(after), comparison.processes, progress)
        files = compare_deltas(before, after, progress)
    return Difference(comparison, memory, files, is_one_dump(before[1], after[1]))


def is_one_dump(before: Checkpoint, after: Checkpoint) -> bool:
    """Return whether two checkpoints are the two formats of one dump: of one container, at one
    time, and one of them optimized."""
    one, other = before.container, after.container
    return (
        before.format.optimized != after.format.optimized
        and bool(one.id and one.checkpointed)
        and (one.id, one.checkpointed) == (other.id, other.checkpointed)
    )


def compare_deltas(before: Loaded, after: Loaded, progress: Progress) -> FileComparison:
    """Compare the contents of the files that both containers wrote."""
    deltas = before[1].delta, after[1].delta
    if not common_files(*deltas):
        return FileComparison()
    try:
        trees = both(_open_delta, before[0], after[0], progress, _close)
    except CkptError as error:
        return FileComparison(notes=(f"The files cannot be read: {error}",))
    try:
        return compare_files((deltas[0], trees[0]), (deltas[1], trees[1]), progress)
    finally:
        for tree in trees:
            _close(tree)


def _open_delta(opened: OpenCheckpoint, progress: Progress) -> Tree | None:
    """Open a delta. One that fits into memory is kept there: no file of all pages is made."""
    if DIFF in opened.tree.members:
        size = opened.tree.members[DIFF].size
        opened.tree.preload([ByteRange(DIFF, 0, size)], progress)
    return opened.open_delta(progress)


def _close(tree: Tree | None) -> None:
    if tree is not None:
        tree.close()


@dataclass(frozen=True, slots=True)
class StepCounts:
    """A difference in numbers, for a line of a chain."""

    processes: dict[str, int]
    """How many are the same, changed, added or deleted."""
    differences: int
    memory: dict[str, int]
    """Bytes that are same, changed, only_before, only_after or unknown."""
    files: dict[str, int]
    """Of the root filesystem: how many added, changed or deleted; changed contents included."""
    complete: bool


def counts_of(difference: Difference) -> StepCounts:
    """Return a difference in numbers."""
    comparison, memory = difference.comparison, difference.memory
    files = {change.what: change.how for change in comparison.delta}
    for pair in difference.files.files if difference.files else ():
        if pair.changed:
            files.setdefault(pair.path, "changed")
    fields = ("same", "changed", "only_before", "only_after", "unknown")
    return StepCounts(
        processes=dict(Counter(pair.how for pair in comparison.processes)),
        differences=sum(1 for _ in comparison.changes()),
        memory={f: memory.total(f) for f in fields} if memory else {},
        files=dict(Counter(files.values())),
        complete=difference.complete,
    )


@dataclass(frozen=True, slots=True)
class Link:
    """One checkpoint of a chain, and what differs from the one before."""

    target: str
    checkpointed: datetime | None = None
    processes: int = 0
    dumped: int = 0
    """Bytes of pages."""
    packed: int = 0
    files: int = 0
    """Entries of the delta."""
    problem: str = ""
    """Why it cannot be read; the next one is compared with the last that can."""
    before: str = ""
    """Target it is compared with, empty for the first."""
    counts: StepCounts | None = None
    difference: Difference | None = None


def compare_chain(
    targets: Sequence[str],
    progress: Progress,
    *,
    contents: bool = True,
    before_fetching: BeforeFetching | None = None,
) -> Iterator[Link]:
    """Compare each of several checkpoints with the one before; at most two are open at a time.

    Raises:
        Cancelled: it was stopped. What cannot be opened is a link with a problem.
        TooMuchUnasked: of `before_fetching`.
    """
    before: Loaded | None = None
    try:
        for target in targets:
            try:
                after = load(target, progress, before_fetching)
            except TooMuchUnasked:
                raise
            except CkptError as error:
                yield Link(target, problem=str(error))
                continue
            last, before = before, after
            try:
                yield _link(last, after, progress, contents)
            finally:
                if last is not None:
                    last[0].close()
    finally:
        if before is not None:
            before[0].close()


def load_both(
    before: str, after: str, progress: Progress, before_fetching: BeforeFetching | None = None
) -> tuple[Loaded, Loaded]:
    """Open two checkpoints at a time, see `load`; `before_fetching` is called in two threads."""
    load_one = partial(load, before_fetching=before_fetching)
    return both(load_one, before, after, progress, lambda loaded: loaded[0].close())


def load(target: str, progress: Progress, before_fetching: BeforeFetching | None = None) -> Loaded:
    """Open a checkpoint and decode all but its pages; the caller closes it.

    Raises:
        CkptError: as `open_checkpoint`.
    """
    opened = open_checkpoint(target, progress, before_fetching=before_fetching)
    try:
        return opened, opened.load(progress)
    except BaseException:
        opened.close()
        raise


def _link(before: Loaded | None, after: Loaded, progress: Progress, contents: bool) -> Link:
    difference = compare_loaded(before, after, progress, contents=contents) if before else None
    opened, checkpoint = after
    return Link(
        target=opened.target,
        checkpointed=checkpoint.container.checkpointed,
        processes=len(checkpoint.processes),
        dumped=sum(m.dumped_bytes for m in checkpoint.memory),
        packed=checkpoint.sizes.packed,
        files=len(checkpoint.delta.entries),
        before=before[0].target if before else "",
        counts=counts_of(difference) if difference else None,
        difference=difference,
    )
