"""What a restore keeps on this host: a folder for each container, and a record in it of what there
is to undo. One that was killed is undone by it later."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import string
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Literal

from ckpt_tui.core.document import parse_document
from ckpt_tui.core.errors import CkptError, DamagedInput, UsageError
from ckpt_tui.core.paths import data_dir
from ckpt_tui.restore import podman
from ckpt_tui.restore.runtime import Runtime, remove_cgroups

RECORD = "record.json"

NAME = frozenset(f"{string.ascii_letters}{string.digits}_.+-")
"""Characters of the id of a container, as runc takes it."""

MAX_NAME = 100

State = Literal["running", "restoring", "left over"]


@dataclass(frozen=True, slots=True)
class Record:
    """One restore."""

    name: str
    target: str
    runtime: str
    root: str = ""
    """Folder of the runtime's own state, "" for its usual one."""
    pid: int = 0
    """Of the ckpt-tui that restores it."""
    started: int = 0
    """When that started, in clock ticks since the boot: pids are used again."""
    image: str = ""
    """Image of podman's store that is mounted for it."""
    detached: bool = False
    """Goes on without ckpt-tui."""


def folder_of_all() -> Path:
    """The folder with one folder for each restore."""
    return data_dir() / "restored"


class Kept:
    """The folder of one restore, and its record."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.folder = folder_of_all() / record.name

    @property
    def runtime(self) -> Runtime:
        return Runtime(self.record.runtime, self.record.name, self.record.root)

    def change(self, **values: str | int | bool) -> None:
        """Change the record, here and on the disk."""
        self.record = replace(self.record, **values)  # type: ignore[arg-type] # of these fields
        part = self.folder / f"{RECORD}.part"
        part.write_text(json.dumps(asdict(self.record), indent=2) + "\n")
        part.rename(self.folder / RECORD)

    @property
    def is_trial(self) -> bool:
        """Whether it is in namespaces of its own, and ends with them."""
        return bool(self.record.root)

    @property
    def state(self) -> State:
        """What is to be seen of it now."""
        is_watched = _started(self.record.pid) == self.record.started != 0
        runs = not self.is_trial and self.runtime.pid() != 0
        if self.record.detached:
            return "running" if runs else "left over"
        return ("running" if runs else "restoring") if is_watched else "left over"

    def stop(self) -> None:
        """End the container.

        Raises:
            CkptError: it goes on.
        """
        if not self.is_trial:  # to which other pids belong; the kernel has killed it
            self.runtime.delete()

    def remove(self) -> None:
        """End the container, and undo all that was done for it.

        Raises:
            CkptError: something of it cannot be removed.
        """
        self.stop()
        remove_cgroups(self.record.name)
        if self.record.image and podman.is_mounted(self.record.image):
            podman.unmount(self.record.image)
        try:
            shutil.rmtree(self.folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise CkptError(
                f"{self.folder} cannot be removed:", f"{error.strerror or error}."
            ) from error


def keep(name: str, target: str, runtime: str, *, has_root: bool) -> Kept:
    """Make the folder of a restore; `has_root`: the runtime keeps its state in there.

    Raises:
        UsageError: there is one of that name, or it is not a name of a container.
        CkptError: the folder cannot be made.
    """
    if not set(name) <= NAME or not 0 < len(name) <= MAX_NAME or name[0] in ".+-":
        raise UsageError(f"{name} is not a name for a container.", "", "Name it with --name.")
    folder = folder_of_all() / name
    root = str(folder / "runtime") if has_root else ""
    pid = os.getpid()
    kept = Kept(Record(name, target, runtime, root, pid, _started(pid)))
    if folder.exists() or (not has_root and kept.runtime.pid()):
        raise UsageError(
            f"There is a container {name}.",
            "",
            f"Use --name, or end it: ckpt-tui restore --clean --name {name}",
        )
    try:
        folder.mkdir(parents=True, mode=0o700)
        kept.change()
    except OSError as error:
        raise CkptError(f"{folder} cannot be made:", f"{error.strerror or error}.") from error
    return kept


def all_kept() -> Iterator[Kept]:
    """Yield all restores that there is something of."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for folder in sorted(folder_of_all().iterdir()):
            yield Kept(_record(folder))


def _record(folder: Path) -> Record:
    """Read a record; of one that was not written yet, what its folder tells."""
    known = {field.name: type(field.default) for field in fields(Record)}
    with contextlib.suppress(OSError, DamagedInput):
        document = parse_document((folder / RECORD).read_bytes(), RECORD)
        if isinstance(document, dict) and document.get("name") == folder.name:
            return Record(**{k: v for k, v in document.items() if k in known})
    return Record(folder.name, "", "runc")


def _started(pid: int) -> int:
    """Return when a process started (proc_pid_stat(5), field 22), 0 if there is none."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[19])
    except OSError:
        return 0
