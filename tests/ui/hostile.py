"""Checkpoints whose every name, path and argument was chosen by an attacker."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.archive.tree import MemberKind
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.criu.frames import read_frames
from ckpt_tui.criu.kinds import RECORDS, kind_of
from ckpt_tui.criu.pages import PageMap
from ckpt_tui.criu.shown import shown

EVIL = "[kthreadd] [red]x[/] a\x1b]0;PWN\x07b\x1b[31mc\u202e\r\x9b2J"


def taint(message: Any) -> None:
    """Put the evil text before every text in a message."""
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for inner in value if field.is_repeated else (value,):
                taint(inner)
        elif shown(field).type == "string" and not field.is_repeated:
            evil = EVIL if isinstance(value, str) else EVIL.encode()
            setattr(message, field.name, evil + value)


def taint_image(path: Path) -> None:
    """Encode an image anew with evil texts; what follows the messages stays as it is."""
    found = kind_of(path.name)
    if found is None or found[0].format not in RECORDS:
        return
    data = path.read_bytes()
    frames = list(read_frames(BytesWindow(data), path.name, found[0], quiet()))
    parts = [data[: frames[0].offset]] if frames else [data]
    for index, frame in enumerate(frames):
        message: Any = found[0].message_class(index).FromString(frame.payload)
        taint(message)
        payload = message.SerializeToString()
        end = frame.extra_offset + frame.extra_size
        parts += [len(payload).to_bytes(4, "little"), payload, data[frame.extra_offset : end]]
    path.write_bytes(b"".join(parts))


def taint_memory(folder: Path) -> None:
    """Put evil text where arguments and environment were in memory."""
    for path in folder.glob("mm-*.img"):
        frame = next(read_frames(BytesWindow(path.read_bytes()), path.name, None, quiet()))
        found = kind_of(path.name)
        assert found is not None
        mm: Any = found[0].message_class(0).FromString(frame.payload)
        name = path.name.replace("mm-", "pagemap-")
        page_map = PageMap.read(BytesWindow((folder / name).read_bytes()), name, quiet())
        pages = folder / f"pages-{page_map.pages_id}.img"
        for run in page_map.runs:
            start, end = mm.mm_arg_start, mm.mm_env_end
            inside = run.start <= start and end <= run.start + run.pages * 4096
            if pages.exists() and run.first_page is not None and inside:
                data = bytearray(pages.read_bytes())
                place = run.first_page * 4096 + start - run.start
                evil = (EVIL.encode() + b"\0") * (end - start)
                data[place : place + end - start] = evil[: end - start]
                pages.write_bytes(data)


def hostile_images(source: Path, folder: Path) -> Path:
    """Copy a folder of images and spoil it."""
    shutil.copytree(source, folder)
    taint_memory(folder)
    for path in folder.iterdir():
        taint_image(path)
    (folder / "descriptors.json").write_text(json.dumps([EVIL]))
    (folder / "iptables-9.img").write_text(EVIL)
    evil_tar(folder / "tmpfs-dev-50.tar.gz.img", "w:gz")
    return folder


def hostile_archive(source: Path, folder: Path) -> Path:
    """Unpack an archive of podman's and spoil images, metadata and the changes of its root."""
    tree = open_archive(BytesWindow(source.read_bytes()), source.name, quiet())
    for member in tree.members.values():
        path = folder / member.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if member.kind is MemberKind.FILE:
            path.write_bytes(tree.window(member.name).read(0, member.size))
    tree.close()
    taint_memory(folder / "checkpoint")
    for path in (folder / "checkpoint").iterdir():
        taint_image(path)
    config = json.loads((folder / "config.dump").read_text())
    config.update(name=EVIL, rootfsImageName=EVIL)
    (folder / "config.dump").write_text(json.dumps(config))
    (folder / "deleted.files").write_text(json.dumps([EVIL]))
    evil_tar(folder / "rootfs-diff.tar", "w")
    return folder


def evil_tar(path: Path, mode: Any) -> None:
    """Write an archive with an evil name, an evil link and evil contents."""
    with tarfile.open(path, mode) as archive:
        member = tarfile.TarInfo(f"tmp/{EVIL}")
        member.size = len(EVIL.encode())
        archive.addfile(member, io.BytesIO(EVIL.encode()))
        link = tarfile.TarInfo("tmp/link")
        link.type, link.linkname = tarfile.SYMTYPE, EVIL
        archive.addfile(link)
