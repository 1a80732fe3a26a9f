"""How the key of an encrypted layer is kept in its annotations, wrapped for each recipient.

After containers/ocicrypt (spec.go, keywrap/jwe): `enc.keys.jwe` has the private options (key,
nonce, digest) as JWE in its JSON form, in Base64, with commas between several; `enc.pubopts` has
what is public (cipher, HMAC). The JWE is that of the package joserfc.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from ckpt_tui.core.document import parse_document, text_at, value_at
from ckpt_tui.core.errors import CkptError, DamagedInput, KeyNeeded, UsageError
from ckpt_tui.core.text import human_count, listed, short_digest
from ckpt_tui.sources.base import DIGEST, Descriptor
from ckpt_tui.sources.keys import UserKey, private_keys, public_key
from ckpt_tui.sources.layer_cipher import ENCRYPTED, HMAC_SIZE, KEY_SIZE, NONCE_SIZE, LayerKey

PREFIX = "org.opencontainers.image.enc."
JWE_KEYS = PREFIX + "keys.jwe"
PUBLIC_OPTIONS = PREFIX + "pubopts"

CIPHER = "AES_256_CTR_HMAC_SHA256"
"""The only one that ocicrypt writes."""

CONTENT_ALGORITHM = "A256GCM"
"""Of JWE, as ocicrypt writes it."""

MAX_WRAPPED = 64 << 10
"""Characters of one wrapped key; one for RSA of 4096 bits has some 2,000."""

MAX_RECIPIENTS = 100

OTHER_SCHEMES = {"pkcs7": "PKCS#7", "pgp": "OpenPGP", "pkcs11": "PKCS#11"}
"""Ways to wrap keys that ocicrypt knows beside JWE, and their names: recognised, not opened."""

_PROVIDER = "provider."


def recipient(text: str) -> UserKey:
    """Return the key of a recipient, `jwe:FILE`.

    Raises:
        UsageError: it is another kind of recipient, or the file has no public key.
    """
    scheme, colon, path = text.partition(":")
    if colon and scheme in OTHER_SCHEMES:
        raise UsageError(
            f"{text} is a recipient of {OTHER_SCHEMES[scheme]}, which is not written.",
            "Layers are encrypted for recipients of JWE.",
            "Name a public key in PEM, DER or JWK: jwe:FILE.",
        )
    if scheme != "jwe" or not path:
        raise UsageError(f"{text} is not a recipient.", "", "Write jwe:FILE.")
    return public_key(path)


def is_encrypted(layer: Descriptor) -> bool:
    """Tell whether a layer is encrypted."""
    return layer.media_type.endswith(ENCRYPTED)


def wrapped(key: LayerKey, recipients: Sequence[UserKey]) -> dict[str, str]:
    """Return the annotations of a layer that was encrypted for some recipients."""
    from joserfc import jwe

    private = {
        "symkey": _base64(key.secret),
        "digest": key.digest,
        "cipheroptions": {"nonce": _base64(key.nonce)},
    }
    public = {"cipher": CIPHER, "hmac": _base64(key.hmac), "cipheroptions": {}}
    tokens = []
    for one in recipients:
        header = {"alg": one.algorithms[0], "enc": CONTENT_ALGORITHM, "kid": one.key_id}
        allowed = [one.algorithms[0], CONTENT_ALGORITHM]
        token = jwe.encrypt_compact(header, json.dumps(private).encode(), one.key, allowed)
        names = ("protected", "encrypted_key", "iv", "ciphertext", "tag")
        flattened = dict(zip(names, token.split("."), strict=True))
        tokens.append(_base64(json.dumps(flattened).encode()))
    return {JWE_KEYS: ",".join(tokens), PUBLIC_OPTIONS: _base64(json.dumps(public).encode())}


def key_ids(layer: Descriptor) -> tuple[str, ...]:
    """Return how an encrypted layer names the keys that open it: by their thumbprint where it is
    recorded, else by the kind of the key; other ways to wrap a key by their names."""
    found: dict[str, None] = {}
    for token in _tokens(layer.annotations.get(JWE_KEYS, "")):
        header = _header(token)
        identity = text_at(header, "kid")[:128]
        found[identity or f"{text_at(header, 'alg')[:32] or 'JWE'} (no id)"] = None
    for name in layer.annotations:
        scheme = name.removeprefix(PREFIX + "keys.")
        if scheme in OTHER_SCHEMES:
            found[OTHER_SCHEMES[scheme]] = None
        elif name.startswith(PREFIX) and scheme.startswith(_PROVIDER):
            found[f"key provider {scheme.removeprefix(_PROVIDER)[:64]}"] = None
    return tuple(found)


def layer_key(layer: Descriptor) -> LayerKey:
    """Return what opens an encrypted layer, by one of the private keys that were chosen.

    Raises:
        KeyNeeded: none of them does.
        DamagedInput: its annotations are not as ocicrypt writes them.
    """
    annotations = layer.annotations
    tokens, options = annotations.get(JWE_KEYS, ""), annotations.get(PUBLIC_OPTIONS, "")
    name = f"layer {short_digest(layer.digest)}"
    public_mac = _public_mac(options, name)
    if len(tokens) > MAX_WRAPPED * MAX_RECIPIENTS:
        raise DamagedInput(name, 0, "its wrapped keys are longer than any are.")
    keys = private_keys()
    found = _unwrapped(tokens, keys) if keys else None
    if found is None:
        raise _needed(name, len(keys), key_ids(layer))
    return _checked(found, public_mac, name)


def key_at_hand(layer: Descriptor) -> bool:
    """Tell whether an encrypted layer can be opened, or is damaged in a way that opening it says.

    Raises:
        UsageError: a key that was chosen cannot be used.
    """
    try:
        layer_key(layer)
    except KeyNeeded:
        return False
    except DamagedInput:
        pass
    return True


def plain_digest(layer: Descriptor) -> str:
    """Return the digest of a layer as it was before it was encrypted, if it was.

    Raises: as `layer_key`.
    """
    return layer_key(layer).digest if is_encrypted(layer) else layer.digest


def _needed(name: str, tried: int, wanted: tuple[str, ...]) -> KeyNeeded:
    what = f"The {name} is encrypted:"
    why = f"none of {human_count(tried, 'key')} opens it." if tried else "no key was given."
    if tried == 1:
        why = "the key does not open it."
    asked = f" It asks for {listed(wanted, 4)}." if wanted else " It names no key."
    return KeyNeeded(what, why + asked, wanted)


def _public_mac(options: str, name: str) -> bytes:
    """Return the HMAC in the public options.

    Raises:
        DamagedInput: they ask for another cipher, or for what is not known.
    """
    try:
        public = parse_document(_decoded(options), name)
        mac = _decoded(text_at(public, "hmac"))
    except (CkptError, ValueError):
        raise DamagedInput(name, 0, "its public options cannot be decoded.") from None
    if text_at(public, "cipher") != CIPHER:
        raise DamagedInput(name, 0, f"it is encrypted with another cipher than {CIPHER}.")
    if value_at(public, "cipheroptions"):  # ocicrypt would take a nonce from there before the own
        raise DamagedInput(name, 0, "its public options have some for the cipher: none are known.")
    if len(mac) != HMAC_SIZE:
        raise DamagedInput(name, 0, f"its HMAC has {len(mac)} bytes instead of {HMAC_SIZE}.")
    return mac


@lru_cache(256)
def _unwrapped(tokens: str, keys: tuple[UserKey, ...]) -> bytes | None:
    """Return the private options, None where no key opens them."""
    for token in _tokens(tokens):
        for key in keys:
            if (found := _opened(token, key)) is not None:
                return found
    return None


def _opened(token: Mapping[str, Any], key: UserKey) -> bytes | None:
    from joserfc import jwe

    allowed = [*key.algorithms, CONTENT_ALGORITHM]
    header = _header(token)
    if "zip" in header or header.get("alg") not in allowed:
        return None
    try:
        data: Any = dict(token)
        return jwe.decrypt_json(data, key.key, algorithms=allowed).plaintext
    except Exception:  # a wrong key, or a token that is made to harm: never what the library says
        return None


def _checked(private: bytes, mac: bytes, name: str) -> LayerKey:
    try:
        document = parse_document(private, name)
        secret = _decoded(text_at(document, "symkey"))
        nonce = _decoded(text_at(document, "cipheroptions", "nonce"))
        digest = text_at(document, "digest")
    except (CkptError, ValueError):
        raise DamagedInput(name, 0, "its private options cannot be decoded.") from None
    if (len(secret), len(nonce)) != (KEY_SIZE, NONCE_SIZE) or not DIGEST.fullmatch(digest):
        raise DamagedInput(name, 0, "its key, nonce or digest has a wrong length.")
    return LayerKey(secret, nonce, digest, mac)


def _tokens(text: str) -> Iterator[Mapping[str, Any]]:
    """Yield the tokens in an annotation, for each recipient its own (RFC 7516, 7.2); what is not
    one, or too long to be one, is passed over."""
    for part in text.split(",", MAX_RECIPIENTS)[:MAX_RECIPIENTS]:
        if not 0 < len(part) <= MAX_WRAPPED:
            continue
        try:
            token = parse_document(_decoded(part), "the wrapped key")
        except (CkptError, ValueError):
            continue
        if isinstance(token, dict):
            several = token.pop("recipients", None)
            recipients = several[:MAX_RECIPIENTS] if isinstance(several, list) else [{}]
            yield from ({**token, **one} for one in recipients if isinstance(one, dict))


def _header(token: Mapping[str, Any]) -> dict[str, Any]:
    """Return the header of a token, all its parts together."""
    protected = text_at(token, "protected")
    try:
        padded = protected + "=" * (-len(protected) % 4)
        found = parse_document(base64.urlsafe_b64decode(padded), "the header")
    except (CkptError, ValueError):
        found = None
    parts = found, token.get("unprotected"), token.get("header")
    return {key: value for part in parts if isinstance(part, dict) for key, value in part.items()}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError from error
