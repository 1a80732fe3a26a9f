"""Keys of people, from files: public ones to encrypt for, private ones to open with.

PEM, DER and JWK; RSA and elliptic curves. What is in a key file is never part of a message, and no
passphrase is taken from the command line.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ckpt_tui.core.errors import UsageError

MAX_KEY_FILE = 64 << 10
"""Bytes."""

LEAST_RSA_BITS = 2048

RSA_ALGORITHMS = ("RSA-OAEP", "RSA-OAEP-256")
EC_ALGORITHMS = ("ECDH-ES+A256KW", "ECDH-ES+A192KW", "ECDH-ES+A128KW")
"""Algorithms of JWE by which a key is wrapped; the first is the one that ocicrypt uses."""

Ask = Callable[[str], str]
"""Asks a person for the passphrase of a key file."""

_PASSPHRASE_FILE = ":filename="


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class UserKey:
    """A key of a person. It has no text form, so that no message can show it."""

    source: str
    """The file that it is in."""
    key: Any
    """As joserfc has it."""
    algorithms: tuple[str, ...]

    @property
    def key_id(self) -> str:
        """Its thumbprint (RFC 7638), the same for both halves of a pair."""
        return str(self.key.thumbprint())


def public_key(path: str) -> UserKey:
    """Return the public key in a file.

    Raises:
        UsageError: there is none that can be used.
    """
    data = _content(path)
    if b"PRIVATE KEY" in data or _jwk(data).get("d"):
        raise _bad(path, "it is a private key", "Name the public key of the recipient.")
    if b"BEGIN CERTIFICATE" in data:
        hint = f"Take the key out of it: `openssl x509 -pubkey -noout -in {path}`."
        raise _bad(path, "it is a certificate, not a public key", hint)
    return _imported(path, partial(_load_public, data))


def private_key(text: str, ask: Ask | None = None) -> UserKey:
    """Return the private key of `FILE` or `FILE:filename=PASSPHRASE-FILE`.

    Raises:
        UsageError: there is none that can be used, or its passphrase is missing or wrong.
    """
    path, _, passphrase_file = text.partition(_PASSPHRASE_FILE)
    for marker in (":pass=", ":fd="):
        if marker in path:
            raise UsageError(
                "A passphrase is not taken from the command line.",
                "Other users of this machine could see it.",
                "Write it into a file: --key FILE:filename=PASSPHRASE-FILE, or type it when asked.",
            )
    data = _content(path)
    passphrase = None
    if passphrase_file:
        passphrase = _content(passphrase_file).removesuffix(b"\n").removesuffix(b"\r")
    elif _needs_passphrase(data):
        if ask is None:
            hint = "Name a file with it: --key FILE:filename=PASSPHRASE-FILE."
            raise _bad(path, "it is protected by a passphrase", hint)
        passphrase = ask(path).encode()
    return _imported(path, partial(_load_private, data, passphrase))


def _content(path: str) -> bytes:
    try:
        with Path(path).expanduser().open("rb") as file:
            data = file.read(MAX_KEY_FILE + 1)
    except (OSError, ValueError, RuntimeError) as error:
        why = f"{getattr(error, 'strerror', None) or 'its name is invalid'}."
        raise UsageError(f"{path} cannot be read.", why) from None
    if len(data) > MAX_KEY_FILE:
        raise _bad(path, f"it has more than {MAX_KEY_FILE >> 10} KiB")
    return data


def _bad(path: str, why: str, hint: str = "") -> UsageError:
    return UsageError(
        f"{path} is not a key that can be used:",
        f"{why}.",
        hint or "It has to be an RSA or EC key in PEM, DER or JWK.",
    )


def _jwk(data: bytes) -> dict[str, Any]:
    if not data.lstrip().startswith(b"{"):
        return {}
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _needs_passphrase(data: bytes) -> bool:
    from cryptography.hazmat.primitives import serialization

    try:
        load = _loader(data, serialization.load_pem_private_key, serialization.load_der_private_key)
        load(data, None)
    except TypeError:  # which it raises for that reason alone
        return True
    except Exception:
        return False
    return False


def _loader(data: bytes, pem: Any, der: Any) -> Any:
    return pem if b"-----BEGIN" in data else der


def _load_public(data: bytes) -> Any:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_der_public_key,
        load_pem_public_key,
    )

    if jwk := _jwk(data):
        return jwk
    found = _loader(data, load_pem_public_key, load_der_public_key)(data)
    return found.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _load_private(data: bytes, passphrase: bytes | None) -> Any:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_der_private_key,
        load_pem_private_key,
    )

    if jwk := _jwk(data):
        if "d" not in jwk:
            raise ValueError("it is a public key")
        return jwk
    found = _loader(data, load_pem_private_key, load_der_private_key)(data, passphrase)
    return found.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _imported(path: str, load: Callable[[], Any]) -> UserKey:
    """Return a key as joserfc has it. What the libraries say of a bad one is not passed on: it may
    quote the file."""
    from joserfc.jwk import ECKey, RSAKey

    try:
        given = load()
    except Exception:
        raise _bad(path, "it cannot be decoded, or the passphrase is wrong") from None
    for kind, algorithms in ((RSAKey, RSA_ALGORITHMS), (ECKey, EC_ALGORITHMS)):
        try:
            key = kind.import_key(given)
            bits = key.raw_value.key_size
        except Exception:
            continue
        if kind is RSAKey and bits < LEAST_RSA_BITS:
            raise _bad(path, f"it has {bits} bits, and less than {LEAST_RSA_BITS} are not safe")
        return UserKey(path, key, algorithms)
    raise _bad(path, "it is neither an RSA key nor one of an elliptic curve")


class _Chosen:
    """The private keys of this call; they hold for the whole program."""

    keys: tuple[str, ...] = ()
    ask: Ask | None = None
    read: tuple[UserKey, ...] | None = None


_LOCK = threading.Lock()


def choose_keys(keys: Sequence[str], ask: Ask | None = None) -> None:
    """From now on open encrypted layers with the private keys in these files, see `private_key`;
    they are read when the first such layer is met. `ask` asks for passphrases."""
    _Chosen.keys, _Chosen.ask, _Chosen.read = tuple(keys), ask, None


def add_keys(keys: Sequence[str], ask: Ask | None = None) -> Callable[[], None]:
    """Add private keys to those that were chosen; return what takes them away again."""
    before = partial(choose_keys, _Chosen.keys, _Chosen.ask)
    choose_keys((*_Chosen.keys, *keys), ask)
    return before


def private_keys() -> tuple[UserKey, ...]:
    """Return the private keys that were chosen; threads that ask at the same time ask a person
    once.

    Raises:
        UsageError: one of them cannot be used.
    """
    with _LOCK:
        if _Chosen.read is None:
            _Chosen.read = tuple(private_key(text, _Chosen.ask) for text in _Chosen.keys)
        return _Chosen.read
