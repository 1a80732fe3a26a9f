"""Checkpoints made out of the real ones in `data`: copied to a folder of the test, then changed."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.criu.decode import decode_image
from ckpt_tui.criu.kinds import COMMON_MAGIC, KINDS
from ckpt_tui.formats.opened import open_checkpoint

DATA = Path(__file__).parent / "data"
IMAGES = DATA / "images"
ARCHIVES = DATA / "archives"

HOSTILE = b"[kthreadd] [red]x[/] a\x1b]0;PWN\x07b\x1b[31mc\x9b2J\x7f \xe2\x80\xae\xff"
"""A name as an attacker would choose it: markup, a terminal's title, C1, DEL, bidi, no UTF-8."""


def copied(name: str, folder: Path) -> Path:
    """Copy the images of `kinds`, `counter` or `sockets` to a folder named so; return that."""
    target = folder / name
    shutil.copytree(IMAGES / name, target)
    target.chmod(0o755)
    for path in target.iterdir():
        path.chmod(0o644)
    return target


def loaded(target: Path | str) -> Checkpoint:
    """Open a checkpoint, read it and let go of it."""
    opened = open_checkpoint(str(target), quiet())
    try:
        return opened.load(quiet())
    finally:
        opened.close()


def rewrite(image: Path, change: Callable[[list[Any]], list[Any] | None]) -> None:
    """Decode the records of an image, let `change` edit or replace them, and write them back.

    What follows a message in the file stays with it.
    """
    data = image.read_bytes()
    decoded = decode_image(BytesWindow(data), image.name, quiet())
    assert not decoded.problem, decoded.problem
    messages = [entry.message for entry in decoded.entries]
    extras = {id(e.message): data[e.extra[0] : e.extra[0] + e.extra[1]] for e in decoded.entries}
    kept = change(messages)
    records = [
        encoded(message) + extras.get(id(message), b"")
        for message in (messages if kept is None else kept)
    ]
    image.write_bytes(data[: decoded.head.offset] + b"".join(records))


def first(change: Callable[[Any], object]) -> Callable[[list[Any]], None]:
    """Return a change for `rewrite` of the first record alone."""
    return lambda messages: (change(messages[0]), None)[1]


def encoded(message: Message) -> bytes:
    """Return one record: its length and the message, required fields missing or not."""
    payload = message.SerializePartialToString()
    return len(payload).to_bytes(4, "little") + payload


def image_of(kind: str, *messages: Message) -> bytes:
    """Return a whole image of a kind (`FILES`, `FDINFO`) as today's CRIU writes it."""
    magic = next(k.magic for k in KINDS if k.name == kind)
    assert magic is not None
    head = COMMON_MAGIC.to_bytes(4, "little") + magic.to_bytes(4, "little")
    return head + b"".join(map(encoded, messages))


def set_bytes(message: Message, field: str, value: bytes) -> None:
    """Put any bytes into a `string` field, which the generated classes refuse to take."""
    number = message.DESCRIPTOR.fields_by_name[field].number
    message.ClearField(field)
    message.MergeFromString(_varint(number << 3 | 2) + _varint(len(value)) + value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def unpacked(archive: Path, folder: Path) -> Path:
    """Unpack a plain archive of the tests to a folder; return that."""
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="fully_trusted")
    return folder


def tar_of(members: Mapping[str, bytes]) -> bytes:
    """Return a tar with these members, whatever their names."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in members.items():
            one = tarfile.TarInfo(name)
            one.size = len(data)
            tar.addfile(one, io.BytesIO(data))
    return sink.getvalue()


def tarred(path: Path, members: Mapping[str, bytes]) -> Path:
    """Write a tar with these members; return where."""
    path.write_bytes(tar_of(members))
    return path


PAGE = 4096

IN_PARENT, PRESENT = 1, 4
"""Flags of a run of pages (criu/include/pagemap.h)."""


def cut_chain(folder: Path) -> None:
    """Make a chain of the dump in `folder`/checkpoint: every second run of pages moves to
    `folder`/pre-checkpoint, as CRIU leaves it where the kernel tracks changed memory."""
    images, before = folder / "checkpoint", folder / "pre-checkpoint"
    before.mkdir(mode=0o700)
    for name in ("inventory.img", "pstree.img"):
        shutil.copy(images / name, before)
    moved = 0
    for pagemap in images.glob("pagemap-[0-9]*.img"):
        shutil.copy(pagemap, before)
        runs: list[tuple[int, bool]] = []

        def change(messages: list[Any], runs: list[tuple[int, bool]] = runs) -> None:
            for number, entry in enumerate(messages[1:]):
                present = bool(entry.flags & PRESENT)
                moves = present and number % 2 == 0
                if present:
                    runs.append((entry.nr_pages or entry.compat_nr_pages, moves))
                if moves:
                    entry.flags = IN_PARENT

        number: list[int] = []
        rewrite(pagemap, lambda messages, n=number: n.append(messages[0].pages_id))
        rewrite(pagemap, change)
        pages = images / f"pages-{number[0]}.img"
        shutil.copy(pages, before)
        content, position, kept = pages.read_bytes(), 0, b""
        for count, moves in runs:
            if not moves:
                kept += content[position : position + count * PAGE]
            position += count * PAGE
            moved += moves
        pages.write_bytes(kept)
    (images / "parent").symlink_to("../pre-checkpoint")
    assert moved
