"""Real images for the tests, and images put together by hand."""

from __future__ import annotations

from pathlib import Path

from google.protobuf.message import Message

from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.criu.decode import DecodedImage, decode_image
from ckpt_tui.criu.kinds import COMMON_MAGIC, KINDS, Kind

IMAGES = Path(__file__).parent.parent / "data/images"
REAL = sorted(path for path in IMAGES.glob("*/*") if path.suffix == ".img" or "stats" in path.name)


def label(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def real(name: str) -> DecodedImage:
    """Decode `counter/core-1.img`."""
    path = IMAGES / name
    return decode_image(BytesWindow(path.read_bytes()), path.name, quiet())


def decoded(data: bytes, name: str) -> DecodedImage:
    return decode_image(BytesWindow(data), name, quiet())


def kind_named(name: str) -> Kind:
    return next(kind for kind in KINDS if kind.name == name)


def word(value: int, order: str = "little") -> bytes:
    return value.to_bytes(4, order)  # type: ignore[arg-type]


def record(message: Message, order: str = "little") -> bytes:
    payload = message.SerializeToString()
    return word(len(payload), order) + payload


def image(kind: str, *parts: Message | bytes, order: str = "little", version: int = 2) -> bytes:
    """Put an image together from messages and what follows them."""
    magic = kind_named(kind).magic
    assert magic is not None
    head = [word(COMMON_MAGIC, order)] * (version == 2) + [word(magic, order)]
    body = [part if isinstance(part, bytes) else record(part, order) for part in parts]
    return b"".join(head + body)
