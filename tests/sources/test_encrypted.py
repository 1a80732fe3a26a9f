"""Encrypted layers: any range, the HMAC over all, and what lies refused without a byte of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwe

from ckpt_tui.archive.tree import Tree
from ckpt_tui.core.errors import CkptError, DamagedInput, KeyNeeded
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.window import BytesWindow, ByteWindow
from ckpt_tui.sources import encrypted
from ckpt_tui.sources.base import Descriptor
from ckpt_tui.sources.encrypted import encrypted_tree, encrypted_window
from ckpt_tui.sources.key_wrap import JWE_KEYS, PUBLIC_OPTIONS, key_ids, recipient, wrapped
from ckpt_tui.sources.keys import choose_keys, private_key
from ckpt_tui.sources.layer_cipher import DecipheredWindow, LayerKey, new_key
from keys import Pair, pair

SECRET = b"not for everyone"


def tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("note")
        member.size = len(SECRET)
        archive.addfile(member, io.BytesIO(SECRET))
    return out.getvalue()


@dataclass
class Store:
    """One blob."""

    data: bytes = b""
    asked: list[str] = field(default_factory=list)

    def blob(self, digest: str) -> ByteWindow:
        self.asked.append(digest)
        return BytesWindow(self.data)

    def layer_tree(self, layer: Descriptor, progress: Progress) -> Tree:
        raise AssertionError

    def close(self) -> None:
        pass


@pytest.fixture
def rsa(tmp_path: Path) -> Iterator[Pair]:
    found = pair(tmp_path)
    choose_keys([str(found.private)])
    yield found
    choose_keys([])


def sealed(plain: bytes, *pairs: Pair) -> tuple[Descriptor, Store, LayerKey]:
    """Encrypt as ocicrypt does, step by step."""
    secret, nonce = new_key()
    key = LayerKey(secret, nonce, f"sha256:{hashlib.sha256(plain).hexdigest()}", b"")
    stored = bytes(key.cipher().update(plain))
    key = replace(key, hmac=hmac.new(secret, stored, hashlib.sha256).digest())
    annotations = wrapped(key, [recipient(one.recipient) for one in pairs])
    digest = f"sha256:{hashlib.sha256(stored).hexdigest()}"
    media_type = "application/vnd.oci.image.layer.v1.tar+encrypted"
    return Descriptor(media_type, digest, len(stored), annotations), Store(stored), key


def opened(layer: Descriptor, store: Store) -> bytes:
    tree = encrypted_tree(store, layer, False, quiet())
    window = tree.window("note")
    return window.read(0, window.size)


def test_a_layer_is_opened_with_the_key_of_each_recipient(tmp_path: Path) -> None:
    pairs = [pair(tmp_path, name) for name in ("rsa", "ec", "rsa2")]
    layer, store, _ = sealed(tar(), *pairs)
    for one in pairs:
        choose_keys([str(one.private)])
        assert opened(layer, store) == SECRET
    choose_keys([str(pair(tmp_path, "stranger").private), *(str(p.private) for p in pairs[2:])])
    assert opened(layer, store) == SECRET
    choose_keys([])


@pytest.mark.parametrize("offset", [0, 1, 15, 16, 17, 4095, 1 << 20, (1 << 20) + 5])
def test_any_range_can_be_read_alone(offset: int) -> None:
    plain = os.urandom((1 << 20) + 100)
    key = LayerKey(os.urandom(32), b"\xff" * 15 + b"\xfe", "", b"")  # the counter runs over
    window = DecipheredWindow(BytesWindow(bytes(key.cipher().update(plain))), key)
    assert window.read(offset, 50) == plain[offset : offset + 50]
    assert window.read(len(plain), 50) == b""


def test_without_a_key_the_ids_of_those_that_open_it_are_said(tmp_path: Path) -> None:
    one = pair(tmp_path)
    layer, store, _ = sealed(tar(), one)
    ids = (private_key(str(one.private)).key_id,)
    assert key_ids(layer) == ids
    for given, said in (
        ([], "no key was given"),
        ([str(pair(tmp_path, "stranger").private)], "the key does not open it"),
    ):
        choose_keys(given)
        with pytest.raises(KeyNeeded, match=said) as needed:
            opened(layer, store)
        assert needed.value.key_ids == ids
        assert ids[0] in str(needed.value)
        assert store.asked == []
    choose_keys([])


@pytest.mark.parametrize("at", [0, 700, -1])
def test_a_flipped_bit_is_refused_by_the_hmac(at: int, rsa: Pair) -> None:
    layer, store, _ = sealed(tar(), rsa)
    data = bytearray(store.data)
    data[at] ^= 1
    with pytest.raises(DamagedInput, match="do not have the HMAC"):
        opened(layer, Store(bytes(data)))


def test_a_cut_layer_is_refused(rsa: Pair) -> None:
    layer, store, _ = sealed(tar(), rsa)
    with pytest.raises(DamagedInput, match="bytes instead of"):
        opened(layer, Store(store.data[:-1]))


def test_a_digest_of_other_bytes_is_refused(rsa: Pair) -> None:
    layer, store, key = sealed(tar(), rsa)
    lying = wrapped(replace(key, digest="sha256:" + "0" * 64), [recipient(rsa.recipient)])
    with pytest.raises(DamagedInput, match="do not have the digest of the layer"):
        opened(replace(layer, annotations=lying), store)


def test_a_large_layer_is_read_by_ranges(rsa: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encrypted, "MAX_VERIFIED", 0)
    layer, store, _ = sealed(tar(), rsa)
    tree = encrypted_tree(store, layer, False, quiet())
    assert not tree.was_read
    assert tree.window("note").read(4, 3) == SECRET[4:7]
    monkeypatch.setattr(encrypted, "MAX_WHOLE", 100)
    with pytest.raises(DamagedInput, match="more than one ever has"):
        encrypted_tree(store, layer, True, quiet())


def encoded(document: object) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


def public(**changes: object) -> str:
    options = {
        "cipher": "AES_256_CTR_HMAC_SHA256",
        "hmac": base64.b64encode(bytes(32)).decode(),
        "cipheroptions": {},
    }
    return encoded({**options, **changes})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", "cannot be decoded"),
        ("!!!", "cannot be decoded"),
        (encoded([]), "another cipher"),
        (public(cipher="AES_256_GCM"), "another cipher"),
        (public(cipher=7), "another cipher"),
        (public(hmac="AAAA"), "HMAC has 3 bytes"),
        (public(hmac=None), "HMAC has 0 bytes"),
        (public(cipheroptions={"nonce": "AAAA"}), "some for the cipher"),
        (public(), "do not have the HMAC"),
    ],
)
def test_public_options_that_lie_are_refused(options: str, said: str, rsa: Pair) -> None:
    layer, store, _ = sealed(tar(), rsa)
    lying = replace(layer, annotations={**layer.annotations, PUBLIC_OPTIONS: options})
    with pytest.raises(DamagedInput, match=said):
        opened(lying, store)


def token(private: object, one: Pair, **header: Any) -> str:
    """Wrap any private options for a key."""
    key = recipient(one.recipient).key
    head = {"alg": "RSA-OAEP", "enc": "A256GCM", **header}
    allowed = [head["alg"], head["enc"], "DEF"]
    made = jwe.encrypt_compact(head, json.dumps(private).encode(), key, allowed)
    names = ("protected", "encrypted_key", "iv", "ciphertext", "tag")
    return encoded(dict(zip(names, made.split("."), strict=True)))


def unsigned(**changes: object) -> str:
    header = base64.urlsafe_b64encode(b'{"alg": "none", "enc": "A256GCM"}').decode().rstrip("=")
    return encoded(
        {"protected": header, "encrypted_key": "", "iv": "", "ciphertext": "e30", **changes}
    )


@pytest.mark.parametrize(
    "annotation",
    [
        "",
        ",,,",
        "%%%",
        "A" * (1 << 20),
        ",".join(["e30="] * 10_000),
        encoded([1, 2]),
        encoded({}),
        encoded({"protected": 7, "recipients": [7, {}]}),
        encoded({"recipients": [{"header": {"alg": "none"}}] * 10_000}),
        unsigned(),
        unsigned(tag="AAAA", iv=[], encrypted_key={}),
    ],
    ids=lambda text: text[:12],
)
def test_what_wraps_no_key_opens_nothing(annotation: str, rsa: Pair) -> None:
    layer, store, _ = sealed(tar(), rsa)
    strange = replace(layer, annotations={**layer.annotations, JWE_KEYS: annotation})
    with pytest.raises(KeyNeeded):
        opened(strange, store)


@pytest.mark.parametrize(
    "private",
    [
        [],
        {},
        {"symkey": "AAAA", "digest": "sha256:" + "0" * 64, "cipheroptions": {"nonce": "AAAA"}},
        {"symkey": base64.b64encode(bytes(32)).decode(), "digest": "md5:0", "cipheroptions": {}},
        {"symkey": 7, "cipheroptions": 8},
    ],
)
def test_private_options_of_a_wrong_shape_are_refused(private: object, rsa: Pair) -> None:
    layer, store, _ = sealed(tar(), rsa)
    strange = replace(layer, annotations={**layer.annotations, JWE_KEYS: token(private, rsa)})
    with pytest.raises(DamagedInput, match=r"wrong length|cannot be decoded"):
        opened(strange, store)


def test_a_compressed_token_is_not_unpacked(rsa: Pair) -> None:
    layer, store, _ = sealed(tar(), rsa)
    packed = token({"symkey": "A" * 100_000}, rsa, zip="DEF")
    strange = replace(layer, annotations={**layer.annotations, JWE_KEYS: packed})
    with pytest.raises(KeyNeeded):
        opened(strange, store)


def test_other_ways_to_wrap_are_named() -> None:
    prefix = "org.opencontainers.image.enc.keys."
    annotations = {f"{prefix}pkcs7": "x", f"{prefix}pgp": "y", f"{prefix}provider.attest": "z"}
    layer = Descriptor("x+encrypted", "sha256:" + "0" * 64, 1, annotations)
    assert key_ids(layer) == ("PKCS#7", "OpenPGP", "key provider attest")


def test_no_error_has_a_secret_of_the_layer(rsa: Pair) -> None:
    layer, store, key = sealed(tar(), rsa)
    data = bytearray(store.data)
    data[600] ^= 1
    shown = [
        base64.b64encode(key.secret).decode(),
        key.secret.hex(),
        SECRET.decode(),
        repr(key.secret),
    ]
    with pytest.raises(CkptError) as refused:
        opened(layer, Store(bytes(data)))
    for text in (str(refused.value), repr(refused.value), repr(key), str(key)):
        assert not any(secret in text for secret in shown)


def test_the_size_is_compared_before_anything_is_read(rsa: Pair) -> None:
    layer, store, _ = sealed(tar(), rsa)
    with pytest.raises(DamagedInput):
        encrypted_window(store, replace(layer, size=layer.size + 1))
