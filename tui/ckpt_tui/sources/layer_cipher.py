"""The cipher of encrypted layers: AES-256-CTR, with an HMAC-SHA256 over what is stored.

After containers/ocicrypt, blockcipher/blockcipher_aes_ctr.go. The cipher is that of the package
cryptography. Any range can be deciphered alone; that all of it is as it was written, is known when
it was read from start to end.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.window import ByteWindow

ENCRYPTED = "+encrypted"
"""What the media type of an encrypted layer ends with."""

KEY_SIZE, NONCE_SIZE, HMAC_SIZE = 32, 16, 32

_BLOCK = 16


@dataclass(frozen=True, slots=True, repr=False)
class LayerKey:
    """What opens one layer. It has no text form, so that no message can show it."""

    secret: bytes
    nonce: bytes
    digest: str
    """sha256:… of the layer before it was encrypted."""
    hmac: bytes
    """Of the layer as it is stored."""

    def cipher(self, offset: int = 0) -> Any:
        """Return what deciphers (and enciphers) from a byte on: its `update` takes bytes."""
        # 40 ms; only encrypted layers need it
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        number, inside = divmod(offset, _BLOCK)
        counter = (int.from_bytes(self.nonce, "big") + number) % (1 << 128)
        mode = modes.CTR(counter.to_bytes(NONCE_SIZE, "big"))
        made = Cipher(algorithms.AES256(self.secret), mode).decryptor()
        made.update(bytes(inside))
        return made


def new_key() -> tuple[bytes, bytes]:
    """Return a secret and a nonce for one layer; no two layers may have the same."""
    return os.urandom(KEY_SIZE), os.urandom(NONCE_SIZE)


class DecipheredWindow:
    """An encrypted layer as it was before; single ranges are not compared with anything."""

    def __init__(self, window: ByteWindow, key: LayerKey) -> None:
        self.stored = window
        """The layer as it is stored."""
        self._key = key

    @property
    def size(self) -> int:
        return self.stored.size

    def read(self, offset: int, length: int) -> bytes:
        data = self.stored.read(offset, length)
        return bytes(self._key.cipher(offset).update(data)) if data else b""


def deciphered(pieces: Iterable[bytes], key: LayerKey, name: str) -> Iterator[bytes]:
    """Yield a layer as it was before it was encrypted; `name` is what an error names.

    Raises:
        DamagedInput: at the end: HMAC or digest are others.
    """
    cipher = key.cipher()
    mac, plain = hmac.new(key.secret, digestmod=hashlib.sha256), hashlib.sha256()
    for piece in pieces:
        mac.update(piece)
        data = bytes(cipher.update(piece))
        plain.update(data)
        yield data
    if not hmac.compare_digest(mac.digest(), key.hmac):
        raise DamagedInput(name, 0, "its bytes do not have the HMAC that they were encrypted with.")
    if f"sha256:{plain.hexdigest()}" != key.digest:
        raise DamagedInput(name, 0, "decrypted, its bytes do not have the digest of the layer.")
