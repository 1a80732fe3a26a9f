"""Pairs of keys for tests, made once; they open nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec, rsa


@dataclass(frozen=True)
class Pair:
    """A key pair in files."""

    folder: Path
    name: str

    @property
    def private(self) -> Path:
        return self.folder / f"{self.name}.pem"

    @property
    def public(self) -> Path:
        return self.folder / f"{self.name}.pub.pem"

    @property
    def recipient(self) -> str:
        return f"jwe:{self.public}"


@cache
def made(kind: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    if kind.startswith("ec"):
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, 2048)


def pair(folder: Path, name: str = "rsa") -> Pair:
    """Write the pair of that name; one that begins with `ec` is of a curve."""
    key, found = made(name), Pair(folder, name)
    found.private.write_bytes(
        key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    )
    found.public.write_bytes(
        key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    )
    return found
