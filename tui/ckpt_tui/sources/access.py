"""How to reach each registry: TLS settings, and which registries a person has added.

What is remembered lies in the config folder and holds no secret: logins stay where docker and
podman keep them.
"""

from __future__ import annotations

import ipaddress
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ckpt_tui.core.document import parse_document, text_at, value_at
from ckpt_tui.core.errors import CkptError, DamagedInput
from ckpt_tui.core.paths import config_dir


@dataclass(frozen=True, slots=True)
class Access:
    """TLS settings of a registry."""

    tls_verify: bool = True
    """False: take any certificate, and plain HTTP where there is no TLS."""
    ca_file: str = ""
    """PEM file of the authorities to trust; empty: those of the system."""


@dataclass(frozen=True, slots=True)
class KnownRegistry:
    """A registry that a person has added."""

    host: str
    access: Access = Access()


class _OfThisCall:
    """What the call of the program asks for, which goes before what is remembered; and the
    registries of the settings."""

    access: Access | None = None
    hosts: tuple[str, ...] = ()


def choose_access(access: Access | None) -> None:
    """Use `access` for every registry from now on; None: each as it is remembered."""
    _OfThisCall.access = access


def choose_registries(hosts: tuple[str, ...]) -> None:
    """List these registries beside those that were added."""
    _OfThisCall.hosts = hosts


def access_for(host: str) -> Access:
    """Return the settings that hold for a host."""
    if _OfThisCall.access is not None:
        return _OfThisCall.access
    return next((one.access for one in known_registries() if one.host == host), Access())


def is_loopback(host: str) -> bool:
    """Tell whether a `HOST[:PORT]` is this machine, where plain HTTP is no risk."""
    name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def known_registries() -> tuple[KnownRegistry, ...]:
    """Return the registries that were added, in that order, and after them those of the settings.

    Raises:
        CkptError: the file cannot be read.
    """
    added = _remembered()
    hosts = {one.host for one in added}
    return added + tuple(KnownRegistry(host) for host in _OfThisCall.hosts if host not in hosts)


def _remembered() -> tuple[KnownRegistry, ...]:
    path = _file()
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise CkptError(f"{path} cannot be read.", f"{error.strerror}.") from error
    listed = value_at(parse_document(data, str(path)), "registries")
    if not isinstance(listed, list):
        raise DamagedInput(str(path), 0, "it holds no list of registries.", "Remove the file.")
    return tuple(_known(one) for one in listed if text_at(one, "host"))


def remember(registry: KnownRegistry) -> None:
    """Add a registry, or change its settings.

    Raises:
        CkptError: the file cannot be written.
    """
    others = [one for one in _remembered() if one.host != registry.host]
    _write([*others, registry])


def forget(host: str) -> None:
    """Take a registry from the list; nothing happens where it is not on it."""
    _write([one for one in _remembered() if one.host != host])


def _known(entry: Any) -> KnownRegistry:
    verify = value_at(entry, "tls_verify") is not False
    return KnownRegistry(text_at(entry, "host"), Access(verify, text_at(entry, "ca_file")))


def _write(registries: list[KnownRegistry]) -> None:
    path = _file()
    entries = [{"host": one.host, **asdict(one.access)} for one in registries]
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_text(json.dumps({"registries": entries}, indent=2) + "\n")
        os.replace(draft, path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise CkptError(f"{path} cannot be written.", f"{error.strerror}.") from error


def _file() -> Path:
    return config_dir() / "registries.json"
