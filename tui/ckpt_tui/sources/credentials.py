"""Logins that podman, skopeo and docker have stored, and their credential helpers.

Files and order as in containers-auth.json(5) and in docker's `config.json`. Nothing of it is kept,
logged or shown: only where a login comes from.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ckpt_tui.core.document import MAX_DOCUMENT, parse_document, text_at
from ckpt_tui.core.errors import CkptError

HELPER_TIMEOUT_S = 15
"""Seconds for a credential helper to answer; some ask a service of the cloud."""

_HUB_KEYS = ("docker.io", "registry-1.docker.io", "index.docker.io")
_HUB_URL = "https://index.docker.io/v1/"
"""What docker calls Docker Hub when it stores a login or asks a helper."""

_TOKEN_USER = "<token>"
"""User name by which a helper says that the secret is an identity token
(github.com/docker/docker-credential-helpers, README)."""

_HELPER = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Login:
    """A login to one registry."""

    origin: str
    """The file or the helper that it comes from, for people."""
    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    """Traded for a bearer token in place of user name and password."""


Runner = Callable[[str, str], bytes]
"""Runs a helper: the program and what it gets on standard input; what it printed."""


def run_helper(program: str, question: str) -> bytes:
    """Ask a credential helper; b"" if it fails, is missing or takes too long."""
    try:
        done = subprocess.run(
            [program, "get"],
            input=question.encode(),
            capture_output=True,
            timeout=HELPER_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return b""
    return done.stdout


def find_login(host: str, repository: str = "", run: Runner = run_helper) -> Login | None:
    """Return the login for a repository, None without one.

    A file that cannot be read counts as empty: other tools own it, and reading without a login may
    do.
    """
    for path in auth_files():
        config = _read(path)
        if login := _login_in(config, str(path), host, repository, run):
            return login
    return None


def logged_in_hosts() -> dict[str, str]:
    """Return the registries that there is a login for, each with the file that says so."""
    found: dict[str, str] = {}
    for path in auth_files():
        config = _read(path)
        for key in (*_entries(config, "auths"), *_entries(config, "credHelpers")):
            found.setdefault(
                "docker.io" if _host_of(key) in _HUB_KEYS else _host_of(key), str(path)
            )
    return found


def auth_files() -> Iterator[Path]:
    """Yield the files that may hold logins, the first to count first."""
    if explicit := os.environ.get("REGISTRY_AUTH_FILE"):
        yield Path(explicit)
        return
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    yield Path(
        f"{runtime}/containers" if runtime else f"/run/containers/{os.getuid()}", "auth.json"
    )
    home = Path.home()
    yield Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "containers/auth.json"
    yield Path(os.environ.get("DOCKER_CONFIG") or home / ".docker") / "config.json"


def _read(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            found = parse_document(file.read(MAX_DOCUMENT), str(path))
    except (OSError, CkptError):
        return {}
    return found if isinstance(found, dict) else {}


def _entries(config: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = config.get(key)
    return value if isinstance(value, dict) else {}


def _login_in(
    config: Mapping[str, Any], origin: str, host: str, repository: str, run: Runner
) -> Login | None:
    names = _HUB_KEYS if host in _HUB_KEYS else (host,)
    helpers = _entries(config, "credHelpers")
    for name in names:
        if login := _ask(text_at(helpers, name), _question(name), run):
            return login
    auths = _entries(config, "auths")
    for name in names:
        for key in _narrowing(name, repository):
            if login := _stored(auths.get(key), origin):
                return login
    for key, entry in auths.items():
        if _host_of(key) in names and (login := _stored(entry, origin)):
            return login
    return _ask(text_at(config, "credsStore"), _question(host), run)


def _narrowing(host: str, repository: str) -> Iterator[str]:
    """Yield `host/a/b`, `host/a`, `host`: podman stores logins for parts of a registry."""
    key = f"{host}/{repository}" if repository else host
    while key != host:
        yield key
        key = key.rpartition("/")[0]
    yield host


def _host_of(key: str) -> str:
    """Return the host of a key; docker's old clients wrote `https://host/v1/`."""
    scheme, separator, rest = key.partition("://")
    return rest.partition("/")[0] if separator else re.sub(r"/v[12]/?$", "", scheme)


def _question(host: str) -> str:
    return _HUB_URL if host in _HUB_KEYS else host


def _stored(entry: object, origin: str) -> Login | None:
    if token := text_at(entry, "identitytoken"):
        return Login(origin, identity_token=token)
    username, password = text_at(entry, "username"), text_at(entry, "password")
    if not username and (packed := text_at(entry, "auth")):
        try:
            plain = base64.b64decode(packed, validate=True).decode()
        except ValueError:
            return None
        username, _, password = plain.partition(":")
        password = password.rstrip("\0")  # as docker does it: old clients padded it
    return Login(origin, username, password) if username else None


def _ask(helper: str, question: str, run: Runner) -> Login | None:
    if not _HELPER.fullmatch(helper):
        return None
    program = f"docker-credential-{helper}"
    try:
        answer = json.loads(run(program, question))
    except (ValueError, RecursionError):
        return None
    username, secret = text_at(answer, "Username"), text_at(answer, "Secret")
    if not secret:
        return None
    if username == _TOKEN_USER:
        return Login(program, identity_token=secret)
    return Login(program, username, secret)
