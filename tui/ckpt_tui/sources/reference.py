"""Names of images in registries: `docker://HOST[:PORT]/REPOSITORY[:TAG|@DIGEST]`.

The grammar is the distribution specification's ("Pulling manifests"); what Docker leaves out of a
name is added as github.com/distribution/reference does it (normalize.go).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ckpt_tui.core.errors import UsageError
from ckpt_tui.sources.base import DIGEST

SCHEME = "docker://"

DOCKER_HUB = "docker.io"
"""The host that a name without one means."""

_HUB_NAMES = (DOCKER_HUB, "index.docker.io", "registry-1.docker.io")
_HUB_SERVER = "registry-1.docker.io"

MAX_REPOSITORY = 255
"""Characters; what most registries take (distribution-spec, the note below the grammar)."""

_HOST = re.compile(
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*"
    r"|\[[0-9a-fA-F:.]{2,45}\])(?::[0-9]{1,5})?"
)
_REPOSITORY = re.compile(
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
)
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")

_HINT = "Write docker://HOST[:PORT]/REPOSITORY[:TAG|@DIGEST]."


@dataclass(frozen=True, slots=True)
class Reference:
    """A registry, a repository in it, or an image in that."""

    host: str
    """As a person writes it, port included."""
    repository: str = ""
    """Empty: the registry as a whole."""
    tag: str = ""
    digest: str = ""
    """Wins over the tag, as everywhere."""

    @property
    def server(self) -> str:
        """The host to talk to: Docker Hub answers under another name."""
        return _HUB_SERVER if self.host == DOCKER_HUB else self.host

    @property
    def wanted(self) -> str:
        """What to ask the repository for."""
        return self.digest or self.tag

    @property
    def name(self) -> str:
        """Host and repository."""
        return f"{self.host}/{self.repository}" if self.repository else self.host

    def __str__(self) -> str:
        wanted = f"@{self.digest}" if self.digest else f":{self.tag}" if self.tag else ""
        return f"{SCHEME}{self.name}{wanted}"


def parse_reference(target: str) -> Reference:
    """Return what `docker://…` names: an image, with the tag `latest` where none is written.

    Raises:
        UsageError: it is written wrong.
    """
    rest = target.removeprefix(SCHEME)
    # a word and a number may be an image and its tag: `redis:7`
    if _is_host(rest):
        found = Reference(_checked_host(target, rest.removesuffix("/")))
    else:
        found = _parsed(target)
    if not found.repository:
        what = f"{target} names a registry, not an image in it."
        raise UsageError(what, "", f"`ckpt-tui ls {SCHEME}{found.host}` says what is there.")
    return found if found.wanted else replace(found, tag="latest")


def parse_place(target: str) -> Reference:
    """Return what `docker://…` names: an image, a repository, or a whole registry.

    `docker://HOST` and `docker://HOST/` are a registry where HOST has a dot, is localhost, or has
    nothing but a port behind its colon.

    Raises:
        UsageError: it is written wrong.
    """
    rest = target.removeprefix(SCHEME)
    if _is_host(rest) or re.fullmatch(r"[^:/]+:[0-9]{2,5}", rest):
        return Reference(_checked_host(target, rest.removesuffix("/")))
    return _parsed(target)


def _is_host(rest: str) -> bool:
    """Whether a name without its scheme can be nothing but a registry."""
    host = rest.removesuffix("/")
    if "/" in host:
        return False
    is_name = "." in host or host.startswith("[") or host.partition(":")[0] == "localhost"
    return rest.endswith("/") or is_name


def _parsed(target: str) -> Reference:
    rest = target.removeprefix(SCHEME)
    host, slash, path = rest.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, path = DOCKER_HUB, rest
    host = _checked_host(target, host)
    path, at, digest = path.partition("@")
    if at and not DIGEST.fullmatch(digest):
        raise UsageError(f"{target} has an invalid digest.", "", _HINT)
    repository, colon, tag = path.partition(":")
    if colon and not TAG.fullmatch(tag):
        raise UsageError(f"{target} has a tag that no registry takes.", "", _HINT)
    if host == DOCKER_HUB and repository and "/" not in repository:
        repository = f"library/{repository}"
    if repository or colon or at:
        checked_repository(repository, target)
    return Reference(host, repository, tag, digest)


def _checked_host(target: str, host: str) -> str:
    if not _HOST.fullmatch(host):
        raise UsageError(f"{target} names no host.", "", _HINT)
    return DOCKER_HUB if host in _HUB_NAMES else host


def checked_repository(repository: str, target: str) -> str:
    """Return `repository` if it may become part of a URL; `target` is what an error names.

    Raises:
        UsageError: it is not a name of a repository.
    """
    if len(repository) > MAX_REPOSITORY or not _REPOSITORY.fullmatch(repository):
        raise UsageError(
            f"{target} names no repository.",
            "Its parts are lower-case letters and digits, with . _ or - between them.",
            _HINT,
        )
    return repository
