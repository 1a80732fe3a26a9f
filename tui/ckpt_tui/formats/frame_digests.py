"""frames.bin: the SHA-256 of every zstd frame of an optimized image, so that any range is proven.

A file of the metadata layer, from version 0.2 of the format on. After eight bytes of magic there is
one block for each layer of the checkpoint image that is stored in frames, but for the metadata
layer, in the order of the manifest: the 32 bytes of the SHA-256 of the layer's tar (its diff id,
which stays the same when the layer is encrypted), the number of frames as a little-endian 32-bit
number, and 32 bytes for each frame: the SHA-256 of the frame as it is stored, before encryption.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from ckpt_tui.core.errors import DamagedInput

FRAMES = "frames.bin"

MAGIC = b"CRIUFRM1"

DIGEST_SIZE = 32

MAX_FRAMES_FILE = 256 << 20
"""Bytes of frames.bin that are read: 8 TiB in frames of 1 MiB."""

_HEAD = struct.Struct("<32sI")

_PREFIX = "sha256:"


def encode(layers: Iterable[tuple[str, bytes]]) -> bytes:
    """Return the file; of each layer its diff id and the digests of its frames in a row."""
    parts = [MAGIC]
    for diff_id, digests in layers:
        key = bytes.fromhex(diff_id.removeprefix(_PREFIX))
        parts += [_HEAD.pack(key, len(digests) // DIGEST_SIZE), digests]
    return b"".join(parts)


def decode(data: bytes) -> dict[str, bytes]:
    """Return the digests of the frames in a row, by the diff id of their layer.

    Raises:
        DamagedInput: it is not what `encode` writes.
    """
    if not data.startswith(MAGIC):
        raise DamagedInput(FRAMES, 0, "it does not begin with its magic number.")
    found: dict[str, bytes] = {}
    position = len(MAGIC)
    while position < len(data):
        if position + _HEAD.size > len(data):
            raise DamagedInput(FRAMES, position, "it ends in the middle of a block.")
        key, count = _HEAD.unpack_from(data, position)
        start = position + _HEAD.size
        position = start + count * DIGEST_SIZE
        if position > len(data):
            raise DamagedInput(FRAMES, start, f"it has less than {count:,} digests there.")
        found[f"{_PREFIX}{key.hex()}"] = data[start:position]
    return found
