"""Writes valid images of many processes with many descriptors, out of those of a real checkpoint.

    PYTHONPATH=tui:tests python tests/bench/many.py FOLDER [PROCESSES] [DESCRIPTORS]

Every process has a core image, a memory map, a table of descriptors of its own and no pages. Nine
of ten descriptors are files, the tenth is a UDP socket that is connected to another one.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.criu.decode import decode_image
from ckpt_tui.criu.schema import descriptors_pb2, memory_pb2, process_pb2
from crafted import IMAGES, image_of

LIKE = IMAGES / "counter"
ROOT_MOUNT = 91

OF_PROCESSES = ("core-*", "mm-*", "fs-*", "ids-*", "fdinfo-*", "pagemap-*", "pages-*")
"""What is written anew; the rest is as in the real one."""


def messages(name: str) -> list[Any]:
    """Return the records of an image of the real checkpoint."""
    image = decode_image(BytesWindow((LIKE / name).read_bytes()), name, quiet())
    return list(image.messages)


def _object(number: int) -> Any:
    entry = descriptors_pb2.file_entry(id=number)
    if number % 10:
        entry.type = descriptors_pb2.REG
        path = f"/srv/data/{number % 997}/file-{number:07d}.bin"
        entry.reg.MergeFrom(entry.reg.__class__(id=number, flags=0o100002, pos=0, name=path))
        entry.reg.mode, entry.reg.size, entry.reg.mnt_id = 0o100644, number, ROOT_MOUNT
        return entry
    entry.type = descriptors_pb2.INETSK
    socket = entry.isk
    socket.id, socket.ino, socket.family, socket.type, socket.proto = number, number, 2, 2, 17
    here, there = 10000 + number // 10 % 50000, 10000 + (number // 10 ^ 1) % 50000
    socket.state, socket.src_port, socket.dst_port = 1, here, there
    socket.src_addr.append(0x0100007F)
    socket.dst_addr.append(0x0100007F)
    return entry


def write_many(folder: Path, processes: int = 5_000, descriptors: int = 1_000_000) -> None:
    """Write the images to a new folder."""
    shutil.copytree(LIKE, folder, ignore=shutil.ignore_patterns(*OF_PROCESSES))
    core, mm, fs, ids = (messages(f"{kind}-1.img")[0] for kind in ("core", "mm", "fs", "ids"))
    each, number = descriptors // processes, 100
    objects = [entry for entry in messages("files.img") if entry.id < number]
    tree = []
    for pid in range(1, processes + 1):
        above = max(1, pid // 10) if pid > 1 else 0
        tree.append(process_pb2.pstree_entry(pid=pid, ppid=above, pgid=1, sid=1, threads=[pid]))
        ids.files_id = ids.fs_id = ids.vm_id = ids.sighand_id = pid
        core.tc.comm = f"worker-{pid}"
        for kind, one in (("core", core), ("mm", mm), ("fs", fs), ("ids", ids)):
            (folder / f"{kind}-{pid}.img").write_bytes(image_of(kind.upper(), one))
        page_map = memory_pb2.pagemap_head(pages_id=pid)
        (folder / f"pagemap-{pid}.img").write_bytes(image_of("PAGEMAP", page_map))
        table = []
        for fd in range(each):
            entry = _object(number)
            objects.append(entry)
            table.append(descriptors_pb2.fdinfo_entry(id=number, flags=0, type=entry.type, fd=fd))
            number += 1
        (folder / f"fdinfo-{pid}.img").write_bytes(image_of("FDINFO", *table))
    (folder / "pstree.img").write_bytes(image_of("PSTREE", *tree))
    (folder / "files.img").write_bytes(image_of("FILES", *objects))


if __name__ == "__main__":
    place, *counts = sys.argv[1:]
    write_many(Path(place), *map(int, counts))
