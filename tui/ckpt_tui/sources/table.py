"""SOURCES: the kinds of places that checkpoints are in, and how a target becomes one of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ckpt_tui.core.errors import UsageError
from ckpt_tui.core.progress import Progress
from ckpt_tui.sources.base import Opened, SourceKind
from ckpt_tui.sources.directory import is_plain_directory, open_directory

if TYPE_CHECKING:
    from ckpt_tui.archive.archive_tree import Taker


def _after_scheme(target: str) -> str:
    rest = target.partition(":")[2]
    if not rest:
        raise UsageError(f"{target} names nothing.", "Something has to follow the colon.")
    return rest


def split_reference(rest: str) -> tuple[str, str]:
    """Return the path and what it names in there: a tag, `@digest` or nothing.

    A path that exists as it is has no tag, whatever colons are in it.
    """
    if os.path.exists(rest):
        return rest, ""
    path, at, digest = rest.rpartition("@")
    if at and path:
        return path, f"@{digest}"
    # The first colon after an existing path: podman's tags are references with colons of their own.
    for position, character in enumerate(rest):
        if character == ":" and position and os.path.exists(rest[:position]):
            return rest[:position], rest[position + 1 :]
    return rest, ""


# Each opener imports what only it needs: archives cost 45 ms, images 10, the stores of engines 10.


def _open_path(target: str, progress: Progress, taker: Taker | None = None) -> Opened:
    if is_plain_directory(target):
        return open_directory(target, target, progress)
    from ckpt_tui.sources.local import open_path

    return open_path(target, progress, taker)


def _open_stdin(target: str, progress: Progress, taker: Taker | None = None) -> Opened:
    from ckpt_tui.sources.local import open_stdin

    return open_stdin(target, progress, taker)


def _open_oci(target: str, progress: Progress) -> Opened:
    from ckpt_tui.sources.local import open_layout

    path, wanted = split_reference(_after_scheme(target))
    return open_layout(target, path, wanted, progress)


def _open_archive(target: str, progress: Progress) -> Opened:
    from ckpt_tui.sources.local import open_file

    path, wanted = split_reference(_after_scheme(target))
    return open_file(target, path, wanted, progress)


def _open_dir(target: str, progress: Progress) -> Opened:
    return open_directory(target, _after_scheme(target), progress)


def _open_stored(target: str, progress: Progress) -> Opened:
    from ckpt_tui.sources.containers import open_stored

    return open_stored(target, progress)


def _open_containerd(target: str, progress: Progress) -> Opened:
    from ckpt_tui.sources.containerd import open_containerd

    return open_containerd(target, progress)


def _open_registry(target: str, progress: Progress) -> Opened:
    # oras and requests cost 130 ms; only registries need them
    from ckpt_tui.sources.registry_store import open_registry_image

    return open_registry_image(target, progress)


SOURCES: tuple[SourceKind, ...] = (
    SourceKind("-", "standard input", lambda target: target == "-", _open_stdin),
    SourceKind(
        "oci:DIR[:TAG|@DIGEST]",
        "an OCI image layout",
        lambda target: target.startswith("oci:"),
        _open_oci,
    ),
    SourceKind(
        "oci-archive:FILE[:TAG]",
        "an OCI image layout in a tar archive",
        lambda target: target.startswith("oci-archive:"),
        _open_archive,
    ),
    SourceKind(
        "docker-archive:FILE[:NAME]",
        "an archive of `docker save` or `podman save`",
        lambda target: target.startswith("docker-archive:"),
        _open_archive,
    ),
    SourceKind(
        "dir:DIR",
        "a directory of CRIU images",
        lambda target: target.startswith("dir:"),
        _open_dir,
    ),
    SourceKind(
        "containers-storage:NAME",
        "an image in the local store of podman, CRI-O and buildah",
        lambda target: target.startswith("containers-storage:"),
        _open_stored,
    ),
    SourceKind(
        "containerd:NAME",
        "an image in the local store of containerd",
        lambda target: target.startswith("containerd:"),
        _open_containerd,
    ),
    SourceKind(
        "docker://HOST/REPO:TAG",
        "an image in a registry",
        lambda target: target.startswith("docker://"),
        _open_registry,
    ),
    SourceKind("PATH", "a file or a directory, by its content", lambda _target: True, _open_path),
)
"""First match wins; the last one takes what is left."""


def resolve(target: str, progress: Progress, taker: Taker | None = None) -> Opened:
    """Open what a person named. The caller closes it.

    Members of an archive that is a file, named by its path, or standard input, are offered to
    `taker`.

    Raises: as `SourceKind.open`.
    """
    source = next(source for source in SOURCES if source.accepts(target))
    for offering in (_open_path, _open_stdin):
        if taker and source.open is offering:
            return offering(target, progress, taker)
    return source.open(target, progress)
