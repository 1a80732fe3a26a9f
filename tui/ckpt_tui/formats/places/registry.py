"""Registries as places: their repositories, the tags of those, and what the tags are.

Nothing is fetched for a tag before it is asked for: some registries count each manifest as a pull.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.parallel import side_by_side
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.entries import Entry, Kind
from ckpt_tui.sources.base import Descriptor
from ckpt_tui.sources.oci import is_rootfs_tag
from ckpt_tui.sources.reference import SCHEME, parse_place

if TYPE_CHECKING:  # oras costs 130 ms; only registries need it
    from ckpt_tui.sources.registry_store import RegistryStore

AT_ONCE = 4
"""Tags that are asked about at a time."""


def registry_at(target: str) -> Entry | None:
    """Return the registry of `docker://HOST`, or the repository of `docker://HOST/REPO`."""
    place = parse_place(target) if target.startswith(SCHEME) else None
    if place is None or place.wanted:
        return None
    kind = Kind.REPOSITORY if place.repository else Kind.REGISTRY
    return Entry(kind, place.name, f"{SCHEME}{place.name}")


def repositories(registry: Entry, progress: Progress) -> Iterator[Entry]:
    """Yield the repositories of a registry.

    Raises:
        SourceUnreachable: it does not answer, or has no catalog.
    """
    with _opened(registry.path, progress) as store:
        for name in store.client.catalog(progress):
            yield Entry(Kind.REPOSITORY, name, f"{registry.path}/{name}")


def tags(repository: Entry, progress: Progress) -> Iterator[Entry]:
    """Yield the tags by name alone, without those that stand in for the referrers API.

    Raises:
        SourceUnreachable: the registry does not answer.
    """
    from ckpt_tui.sources.oci import is_referrers_tag

    path = repository.path
    with _opened(path, progress) as store:
        for tag in store.client.tags(store.repository, progress):
            if not is_referrers_tag(tag) and not is_rootfs_tag(tag):
                yield Entry(Kind.TAG, tag, path, f"{path}:{tag}")


def _opened(path: str, progress: Progress) -> closing[RegistryStore]:
    from ckpt_tui.sources.registry_store import open_repository

    place = parse_place(path)
    progress.start(f"asking {place.host}")
    return closing(open_repository(place))


class Tags:
    """Finds out what tags are; keeps the connections to their repositories until it is closed."""

    def __init__(self) -> None:
        self._stores: dict[str, RegistryStore] = {}
        self._known: dict[tuple[str, str], Entry] = {}
        """By repository and digest."""
        self._busy: set[str] = set()

    def wants(self, entry: Entry) -> bool:
        """Return whether there is more to be known of an entry, and its registry is willing."""
        return entry.kind is Kind.TAG and entry.path not in self._busy

    def ask_again(self, path: str) -> None:
        """Ask a repository again that wanted fewer requests."""
        self._busy.discard(path)

    def describe(
        self, entries: Sequence[Entry], progress: Progress, found: Callable[[int, Entry], None]
    ) -> CkptError | None:
        """Find out what some tags are, a few at a time, and give each with its number to `found`,
        in a thread; one that cannot be read has a `problem`.

        A registry that wants fewer requests is left alone from then on; returns its answer.
        """
        busy: list[CkptError] = []
        for path in {entry.path for entry in entries}:  # not by two threads at once
            self._store(path)

        def ask(number: int, entry: Entry, progress: Progress) -> None:
            described = self._asked(entry, progress, busy)
            if described is not None:
                found(number, described)

        jobs = (partial(ask, number, entry) for number, entry in enumerate(entries))
        side_by_side(jobs, AT_ONCE, progress)
        return busy[0] if busy else None

    def _asked(self, entry: Entry, progress: Progress, busy: list[CkptError]) -> Entry | None:
        from ckpt_tui.sources.registry_errors import TooManyRequests

        if not self.wants(entry):
            return None
        try:
            return self.described(entry, progress)
        except TooManyRequests as error:
            self._busy.add(entry.path)
            busy.append(error)
            return None
        except CkptError as error:
            return replace(entry, kind=Kind.IMAGE, problem=error)

    def described(self, entry: Entry, progress: Progress) -> Entry:
        """Return all of a tag: asks for its digest, which counts as no pull, then for its manifest
        and for a size those of an index. Each digest is fetched once.

        Raises:
            CkptError: the registry does not answer, or the manifest is damaged.
        """
        from ckpt_tui.formats.describing import describe_image

        store = self._store(entry.path)
        head = store.client.head(store.repository, entry.name, progress)
        known = self._known.get((entry.path, head.digest))
        if known is None:

            def fetch(child: Descriptor) -> Mapping[str, Any]:
                return store.manifest(child.digest, progress).document

            image = store.manifest(head.digest or entry.name, progress)
            known = describe_image(entry.name, image.descriptor, image.document, fetch)
            self._known[entry.path, image.descriptor.digest] = known
        return replace(known, name=entry.name, path=entry.path, target=entry.target)

    def close(self) -> None:
        for store in self._stores.values():
            store.close()

    def _store(self, path: str) -> RegistryStore:
        from ckpt_tui.sources.registry_store import open_repository

        if path not in self._stores:
            self._stores[path] = open_repository(parse_place(path))
        return self._stores[path]
