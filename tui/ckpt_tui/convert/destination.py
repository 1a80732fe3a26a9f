"""Where a result goes, and how a person writes that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ckpt_tui.convert.layout import ArchiveSink, LayoutSink
from ckpt_tui.convert.staging import BlobSink
from ckpt_tui.core.errors import CkptError, UsageError
from ckpt_tui.core.paths import own_store
from ckpt_tui.core.progress import Progress
from ckpt_tui.sources.keys import UserKey
from ckpt_tui.sources.reference import SCHEME, Reference, parse_place

_HINT = "It is written oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker://HOST/REPO[:TAG]."


@dataclass(frozen=True, slots=True)
class Destination:
    """An OCI layout, an OCI archive, or a repository in a registry."""

    path: Path = Path()
    """The folder of the layout, or the file of the archive; nothing for a registry."""
    tag: str = ""
    """Empty: the name of the container."""
    archive: bool = False
    repository: Reference | None = None

    def named(self, tag: str) -> str:
        """Return how a person names what is written here under `tag`."""
        if self.repository:
            return f"{SCHEME}{self.repository.name}:{tag}"
        return f"{'oci-archive' if self.archive else 'oci'}:{self.path}:{tag}"


def destination_of(text: str) -> Destination:
    """Return where a result goes; empty means the own store.

    Raises:
        UsageError: it is no such place.
    """
    if not text:
        return Destination(own_store())
    if text.startswith(SCHEME):
        place = parse_place(text)
        if not place.repository or place.digest:
            raise UsageError(f"{text} is not a place to write an image to.", "", _HINT)
        return Destination(tag=place.tag, repository=Reference(place.host, place.repository))
    scheme, _, rest = text.partition(":")
    path, tag = _path_and_tag(rest)
    if scheme not in ("oci", "oci-archive") or not path:
        raise UsageError(f"{text} is not a place to write an image to.", "", _HINT)
    return Destination(Path(path), tag, archive=scheme == "oci-archive")


def sink_of(
    destination: Destination, progress: Progress, recipients: Sequence[UserKey] = ()
) -> BlobSink:
    """Return what a conversion to `destination` writes into; it is a context manager. Layers are
    encrypted for the recipients, if there are any."""
    sink = _sink_of(destination, progress)
    sink.recipients = tuple(recipients)
    return sink


def _sink_of(destination: Destination, progress: Progress) -> BlobSink:
    if destination.repository:
        # requests and oras cost 130 ms; only registries need them
        from ckpt_tui.convert.publishing import RegistrySink

        return RegistrySink(destination.repository, progress)
    return file_sink(destination, checks=True)


def file_sink(destination: Destination, *, checks: bool = False) -> BlobSink:
    """Return the layout or the archive at `destination`; `checks`: each blob is read again."""
    sink = ArchiveSink if destination.archive else LayoutSink
    return sink(destination.path, checks=checks)


@contextmanager
def writing(name: str) -> Iterator[None]:
    """Say of what goes wrong with files that `name` cannot be written."""
    try:
        yield
    except OSError as error:
        raise CkptError(
            f"{name} cannot be written:",
            f"{error.strerror or error}.",
            "Free some space or name another target.",
        ) from error


def _path_and_tag(rest: str) -> tuple[str, str]:
    path, colon, tag = rest.rpartition(":")
    return (path, tag) if colon and "/" not in tag else (rest, "")
