"""PANES: the tabs of a checkpoint, in the order of their keys. A new tab is one entry here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.ui.panes.images import ImagesPane
from ckpt_tui.ui.panes.list_pane import ListPane, Pane
from ckpt_tui.ui.panes.overview import OverviewPane, SizesPane
from ckpt_tui.ui.rows import processes, tables
from ckpt_tui.ui.rows.table import Column, Row

Make = Callable[[OpenCheckpoint, Checkpoint], Pane]


@dataclass(frozen=True, slots=True)
class PaneEntry:
    """One tab: its name, a short one for narrow terminals, how it is made, and which keys of rows
    (see `rows.details`) are shown in it."""

    name: str
    short: str
    make: Make
    holds: tuple[str, ...] = ()


def _list(
    rows: Callable[[Checkpoint], list[Row]],
    columns: tuple[Column, ...],
    empty: str,
    copied_column: int = 0,
    kind: type[ListPane] = ListPane,
) -> Make:
    return lambda opened, checkpoint: kind(
        opened, checkpoint, rows(checkpoint), columns, empty, copied_column
    )


PANES: tuple[PaneEntry, ...] = (
    PaneEntry("Overview", "Over", OverviewPane),
    PaneEntry(
        "Processes",
        "Proc",
        _list(
            processes.process_rows,
            processes.COLUMNS,
            "No processes: pstree.img is missing or empty",
            copied_column=1,
        ),
        holds=("process",),
    ),
    PaneEntry(
        "Files",
        "Files",
        _list(tables.file_rows, tables.FILE_COLUMNS, "No open files: no fdinfo image", 3),
        holds=("file",),
    ),
    PaneEntry(
        "Sockets",
        "Socks",
        _list(tables.socket_rows, tables.SOCKET_COLUMNS, "No sockets: this checkpoint has none", 5),
        holds=("socket",),
    ),
    PaneEntry(
        "Memory",
        "Mem",
        _list(tables.memory_rows, tables.MEMORY_COLUMNS, "No memory maps: no mm image", 1),
        holds=("region",),
    ),
    PaneEntry(
        "Filesystem",
        "FS",
        _list(
            tables.delta_rows,
            tables.DELTA_COLUMNS,
            "No changes: the root filesystem is as in the image, or the dump left it out",
            1,
        ),
        holds=("delta",),
    ),
    PaneEntry(
        "Mounts",
        "Mnts",
        _list(
            tables.mount_rows,
            tables.MOUNT_COLUMNS,
            "No mounts: the processes share the mount namespace of the host",
        ),
        holds=("mount",),
    ),
    PaneEntry(
        "Images",
        "Imgs",
        _list(tables.image_rows, tables.IMAGE_COLUMNS, "No images", kind=ImagesPane),
        holds=("image",),
    ),
    PaneEntry("Sizes", "Sizes", SizesPane),
)


def pane_holding(key: object) -> int | None:
    """Return the index of the tab in which the thing of a row's key is shown."""
    kind = key[0] if isinstance(key, tuple) and key else "process"
    return next((i for i, pane in enumerate(PANES) if kind in pane.holds), None)
