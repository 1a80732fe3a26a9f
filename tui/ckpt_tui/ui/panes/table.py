"""PANES: the tabs of a checkpoint, in the order of their keys. A new tab is one entry here."""

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
from ckpt_tui.ui.panes.recovered import RecoveredPane
from ckpt_tui.ui.panes.sizes import SizesPane
from ckpt_tui.ui.panes.sockets import SocketsPane
from ckpt_tui.views import isolation, problems, processes, tables

Make = Callable[[OpenCheckpoint, Checkpoint], Pane]


@dataclass(frozen=True, slots=True)
class PaneEntry:
    """One tab: its name, a short one for narrow terminals, how it is made, and which kinds of
    `Ref` are shown in it."""

    name: str
    short: str
    make: Make
    holds: tuple[str, ...] = ()


def _list(shown: ListOf, kind: type[ListPane] = ListPane) -> Make:
    return lambda opened, checkpoint: kind(opened, checkpoint, shown)


PROCESSES = ListOf(
    processes.process_rows,
    processes.COLUMNS,
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
IMAGES = ListOf(
    tables.image_rows, tables.IMAGE_COLUMNS, "No images", is_problem=problems.image_problem
)

PANES: tuple[PaneEntry, ...] = (
    PaneEntry("Overview", "Over", OverviewPane),
    PaneEntry("Processes", "Proc", _list(PROCESSES), holds=("process",)),
    PaneEntry("Files", "Files", _list(FILES), holds=("file",)),
    PaneEntry("Sockets", "Sock", _list(SOCKETS, SocketsPane), holds=("socket",)),
    PaneEntry("Memory", "Mem", _list(MEMORY, MemoryPane), holds=("region",)),
    PaneEntry("Filesystem", "FS", _list(FILESYSTEM, DeltaPane), holds=("delta",)),
    PaneEntry("Mounts", "Mnt", _list(MOUNTS), holds=("mount",)),
    PaneEntry("Images", "Img", _list(IMAGES, ImagesPane), holds=("image",)),
    PaneEntry("Sizes", "Size", SizesPane),
    PaneEntry("Diagnosis", "Diag", DiagnosisPane),
    PaneEntry("Recovered", "Data", RecoveredPane, holds=("item", "recovered")),
    PaneEntry("Namespaces", "NS", _list(ISOLATION), holds=("namespace", "cgroup")),
)


def pane_holding(key: object) -> int | None:
    """Return the index of the tab in which the thing of a row's key is shown."""
    kind = key.kind if isinstance(key, Ref) else ""
    return next((i for i, pane in enumerate(PANES) if kind in pane.holds), None)
