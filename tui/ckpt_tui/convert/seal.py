"""Encrypts a layer on its way to its blob, in the same pass."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import replace

from ckpt_tui.archive.seekable import Sink
from ckpt_tui.convert.digest import Digest
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.sources.key_wrap import wrapped
from ckpt_tui.sources.keys import UserKey
from ckpt_tui.sources.layer_cipher import DecipheredWindow, LayerKey, new_key


class Seal:
    """Takes the bytes of a layer and writes them encrypted, under a key of its own."""

    def __init__(
        self, sink: Sink, recipients: Sequence[UserKey], new_digest: Callable[..., Digest]
    ) -> None:
        self._sink = sink
        self._recipients = recipients
        secret, nonce = new_key()
        self._key = LayerKey(secret, nonce, "", b"")
        self._cipher = self._key.cipher()
        self._plain = new_digest()
        self._mac = new_digest(hmac.new(secret, digestmod=hashlib.sha256))

    def write(self, data: bytes | memoryview, /) -> None:
        self._plain.update(data)
        stored = bytes(self._cipher.update(data))
        self._mac.update(stored)
        self._sink.write(stored)

    def close(self) -> tuple[LayerKey, dict[str, str]]:
        """Return the key of the layer, and the annotations that have it for the recipients."""
        mac = bytes.fromhex(self._mac.hexdigest())
        key = replace(self._key, digest=self._plain.value(), hmac=mac)
        return key, wrapped(key, self._recipients)


def unsealed(window: ByteWindow, key: LayerKey | None) -> ByteWindow:
    """Return a layer as it was before it was encrypted, if it was."""
    return DecipheredWindow(window, key) if key else window
