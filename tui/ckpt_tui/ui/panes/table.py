"""PANES: the lists in the tabs of a checkpoint, in their order. A new one is one entry here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.ui.panes.delta import DeltaPane
from ckpt_tui.ui.panes.diagnosis import DiagnosisPane
from ckpt_tui.ui.panes.images import ImagesPane
from ckpt_tui.ui.panes.list_pane import ListOf, ListPane
from ckpt_tui.ui.panes.memory import MemoryPane
from ckpt_tui.ui.panes.overview import OverviewPane
from ckpt_tui.ui.panes.pane import Pane
from ckpt_tui.ui.panes.processes import ProcessesPane
from ckpt_tui.ui.panes.recovered import RecoveredPane
from ckpt_tui.ui.panes.sizes import SizesPane
from ckpt_tui.ui.panes.sockets import SocketsPane
from ckpt_tui.views import isolation, problems, process_tree, tables


@dataclass(frozen=True, slots=True)
class PaneEntry:
    """What a tab shows, or one of its lists: the tab, its own name, what shows it, the rows of one
    that has only rows, and which kinds of `Ref` are in it."""

    tab: str
    name: str
    kind: type[Pane]
    shown: ListOf | None = None
    holds: tuple[str, ...] = ()

    def make(self, opened: OpenCheckpoint, checkpoint: Checkpoint) -> Pane:
        """Return the tab of a checkpoint."""
        make: Callable[..., Pane] = self.kind
        return make(opened, checkpoint, *(() if self.shown is None else (self.shown,)))


PROCESSES = ListOf(
    lambda checkpoint: process_tree.ProcessTree(checkpoint, {}, (), reading=False).rows(),
    process_tree.COLUMNS,
    "No processes: pstree.img is missing or empty",
    copied_column=1,
    is_problem=problems.process_problem,
)
FILES = ListOf(
    tables.file_rows,
    tables.FILE_COLUMNS,
    "No open files: no fdinfo image",
    copied_column=3,
    is_problem=problems.file_problem,
)
SOCKETS = ListOf(
    tables.socket_rows,
    tables.SOCKET_COLUMNS,
    "No sockets: this checkpoint has none",
    copied_column=5,
    is_problem=problems.socket_problem,
)
MEMORY = ListOf(
    tables.memory_rows,
    tables.MEMORY_COLUMNS,
    "No memory maps: no mm image",
    copied_column=1,
    is_problem=problems.region_problem,
)
FILESYSTEM = ListOf(
    tables.delta_rows,
    tables.DELTA_COLUMNS,
    "No changes: the root filesystem is as in the image, or the dump left it out",
    copied_column=1,
)
MOUNTS = ListOf(
    tables.mount_rows,
    tables.MOUNT_COLUMNS,
    "No mounts: the processes share the mount namespace of the host",
)
ISOLATION = ListOf(
    isolation.isolation_rows,
    isolation.COLUMNS,
    "No namespaces: no ids image",
    copied_column=1,
)
SECCOMP = ListOf(
    isolation.seccomp_rows,
    isolation.SECCOMP_COLUMNS,
    "No seccomp filters: the processes may use every system call",
    copied_column=3,
)
IMAGES = ListOf(
    tables.image_rows, tables.IMAGE_COLUMNS, "No images", is_problem=problems.image_problem
)

PANES: tuple[PaneEntry, ...] = (
    PaneEntry("Overview", "Overview", OverviewPane),
    PaneEntry(
        "Processes", "Processes", ProcessesPane, PROCESSES, holds=("process", "thread", "frame")
    ),
    PaneEntry("Files", "Open files", ListPane, FILES, holds=("file",)),
    PaneEntry("Files", "Recovered", RecoveredPane, holds=("item", "recovered")),
    PaneEntry("Sockets", "Sockets", SocketsPane, SOCKETS, holds=("socket",)),
    PaneEntry("Memory", "Memory", MemoryPane, MEMORY, holds=("region", "address")),
    PaneEntry("Disk", "Disk", DeltaPane, FILESYSTEM, holds=("delta",)),
    PaneEntry("System", "Mounts", ListPane, MOUNTS, holds=("mount",)),
    PaneEntry(
        "System", "Namespaces and cgroups", ListPane, ISOLATION, holds=("namespace", "cgroup")
    ),
    PaneEntry("System", "Seccomp filters", ListPane, SECCOMP, holds=("seccomp",)),
    PaneEntry("Images", "Images", ImagesPane, IMAGES, holds=("image",)),
    PaneEntry("Sizes", "Sizes", SizesPane),
    PaneEntry("Diagnosis", "Diagnosis", DiagnosisPane),
)

TABS: tuple[str, ...] = tuple(dict.fromkeys(pane.tab for pane in PANES))
"""Names of the tabs, in the order of their keys."""


def pane_holding(key: object) -> int | None:
    """Return the number of the list in which the thing of a row's key is shown."""
    kind = key.kind if isinstance(key, Ref) else ""
    return next((n for n, pane in enumerate(PANES, 1) if kind in pane.holds), None)


def pane_number(name: str) -> int:
    """Return the number of a list, or of the first one of a tab; they count from 1."""
    return next(n for n, pane in enumerate(PANES, 1) if name in (pane.tab, pane.name))


def lists_of(tab: str) -> list[int]:
    """Return the numbers of the lists of a tab."""
    return [n for n, pane in enumerate(PANES, 1) if pane.tab == tab]
