"""Keys in files: every form that is taken, and what is refused without showing any of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from ckpt_tui.core.errors import UsageError
from ckpt_tui.sources.key_wrap import recipient
from ckpt_tui.sources.keys import private_key, public_key
from keys import made, pair

Encoding, Private, Public = form.Encoding, form.PrivateFormat, form.PublicFormat


def write(folder: Path, data: bytes) -> str:
    path = folder / "key"
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize("kind", ["rsa", "ec"])
@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_pem_and_der_of_both_kinds_are_one_key(
    kind: str, encoding: Encoding, tmp_path: Path
) -> None:
    key = made(kind)
    expected = public_key(str(pair(tmp_path, kind).public)).key_id
    der = key.public_key().public_bytes(encoding, Public.SubjectPublicKeyInfo)
    assert public_key(write(tmp_path, der)).key_id == expected
    for shape in (Private.PKCS8, Private.TraditionalOpenSSL):
        data = key.private_bytes(encoding, shape, form.NoEncryption())
        assert private_key(write(tmp_path, data)).key_id == expected


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_jwk_is_taken(kind: str, tmp_path: Path) -> None:
    own = private_key(str(pair(tmp_path, kind).private))
    whole: dict[str, Any] = own.key.as_dict(private=True)
    public = {
        name: value for name, value in whole.items() if name in ("kty", "n", "e", "crv", "x", "y")
    }
    assert private_key(write(tmp_path, json.dumps(whole).encode())).key_id == own.key_id
    assert public_key(write(tmp_path, json.dumps(public).encode())).key_id == own.key_id
    with pytest.raises(UsageError, match="it is a private key"):
        public_key(write(tmp_path, json.dumps(whole).encode()))


def protected(folder: Path) -> str:
    secret = form.BestAvailableEncryption(b"open sesame")
    return write(folder, made("rsa").private_bytes(Encoding.PEM, Private.PKCS8, secret))


def test_a_passphrase_comes_from_a_file_or_a_person(tmp_path: Path) -> None:
    path, phrase = protected(tmp_path), tmp_path / "phrase"
    phrase.write_text("open sesame\n")
    expected = public_key(str(pair(tmp_path).public)).key_id
    assert private_key(f"{path}:filename={phrase}").key_id == expected
    asked: list[str] = []
    assert private_key(path, lambda name: asked.append(name) or "open sesame").key_id == expected  # type: ignore[func-returns-value]
    assert asked == [path]
    with pytest.raises(UsageError, match="it is protected by a passphrase"):
        private_key(path)
    with pytest.raises(UsageError, match="the passphrase is wrong"):
        private_key(path, lambda _: "wrong")


@pytest.mark.parametrize("way", ["pass=open sesame", "fd=0"])
def test_no_passphrase_is_taken_from_the_command_line(way: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not taken from the command line") as refused:
        private_key(f"{protected(tmp_path)}:{way}")
    assert "sesame" not in str(refused.value)


def bad_keys() -> dict[str, bytes]:
    small = rsa.generate_private_key(65537, 1024).public_key()
    other = ed25519.Ed25519PrivateKey.generate().public_key()
    shape = Public.SubjectPublicKeyInfo
    return {
        "nothing": b"",
        "text": b"SECRETTEXT in a file",
        "cut": b"-----BEGIN PUBLIC KEY-----\nSECRETTEXT\n-----END PUBLIC KEY-----\n",
        "large": b"SECRETTEXT" * 10_000,
        "deep": b'{"n":' + b"[" * 20_000,
        "empty object": b"{}",
        "jwk without a kind": b'{"n": "SECRETTEXT", "e": "AQAB"}',
        "jwk that is not one": b'{"kty": "RSA", "n": "SECRETTEXT!", "e": "AQAB"}',
        "symmetric": b'{"kty": "oct", "k": "SECRETTEXT"}',
        "small": small.public_bytes(Encoding.PEM, shape),
        "another kind": other.public_bytes(Encoding.PEM, shape),
        "certificate": b"-----BEGIN CERTIFICATE-----\nSECRETTEXT\n-----END CERTIFICATE-----\n",
    }


@pytest.mark.parametrize("name", bad_keys())
@pytest.mark.parametrize("load", [public_key, private_key])
def test_what_is_not_such_a_key_is_refused_in_a_sentence(
    name: str, load: Any, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="is not a key that can be used") as refused:
        load(write(tmp_path, bad_keys()[name]))
    assert "SECRETTEXT" not in str(refused.value)


def test_a_file_that_is_not_there_is_said() -> None:
    with pytest.raises(UsageError, match="No such file"):
        private_key("/nowhere/key.pem")
    with pytest.raises(UsageError, match="cannot be read"):
        private_key("a\0b")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pkcs7:cert.pem", "a recipient of PKCS#7, which is not written"),
        ("pgp:someone@example.org", "a recipient of OpenPGP"),
        ("key.pem", "is not a recipient"),
        ("jwe:", "is not a recipient"),
    ],
)
def test_other_recipients_are_named_and_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        recipient(text)


def test_no_text_form_of_a_key_shows_it(tmp_path: Path) -> None:
    key = private_key(str(pair(tmp_path).private))
    whole = key.key.as_dict(private=True)
    for text in (repr(key), str(key)):
        assert whole["d"] not in text
        assert whole["n"] not in text
