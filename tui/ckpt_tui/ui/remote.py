"""Registries in the browser: repositories, tags, and what an image is made of. No widgets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ckpt_tui.core.errors import CkptError, SourceUnreachable
from ckpt_tui.core.parallel import side_by_side
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_bytes, short_digest
from ckpt_tui.sources.reference import SCHEME, parse_place
from ckpt_tui.views.browse import Node

if TYPE_CHECKING:  # 200 ms that the first frame need not wait for
    from ckpt_tui.formats.listing import RepositoryListing, TagEntry
    from ckpt_tui.formats.parts import Part

AT_ONCE = 4
"""Tags that are asked about at a time."""


class Repositories:
    """Connections to the repositories that are looked at, as long as the browser is there."""

    def __init__(self) -> None:
        self._listings: dict[str, RepositoryListing] = {}
        self._busy: set[str] = set()

    def children(self, path: str, progress: Progress) -> Iterator[Node]:
        """Yield the repositories of a registry; the tags of a repository, by name alone."""
        # oras costs 130 ms; only registries need it
        from ckpt_tui.sources.registry_store import open_repository

        place = parse_place(path)
        progress.start(f"asking {place.host}")
        if place.repository:
            self._busy.discard(path)
            for tag in self._listing(path).tags(progress):
                target = f"{path}:{tag}"
                yield Node(tag, path, target, is_image=True, is_known=False)
            return
        store = open_repository(place)
        try:
            for name in store.client.catalog(progress):
                yield Node(name, f"{path}/{name}")
        finally:
            store.close()

    def wants(self, node: Node) -> bool:
        """Tell whether there is more to be known of a node, and its registry is willing."""
        return not node.is_known and node.path not in self._busy

    def describe(self, nodes: Sequence[Node], progress: Progress) -> None:
        """Find out what some tags are, a few at a time; a node that is damaged or refused keeps its
        name.

        A registry that wants fewer requests is left alone from then on, until it is listed anew.
        """
        jobs: Iterator[Callable[[Progress], None]] = (partial(self._ask, node) for node in nodes)
        side_by_side(jobs, AT_ONCE, progress)

    def _ask(self, node: Node, progress: Progress) -> None:
        from ckpt_tui.sources.registry_errors import TooManyRequests

        if node.path in self._busy:
            return
        try:
            show(node, self._listing(node.path).describe(node.label, progress))
        except TooManyRequests:
            self._busy.add(node.path)
        except CkptError as error:
            node.is_known, node.what = True, "?"
            node.facts = (("", str(error)),)

    def close(self) -> None:
        for listing in self._listings.values():
            listing.close()

    def _listing(self, path: str) -> RepositoryListing:
        from ckpt_tui.formats.listing import RepositoryListing
        from ckpt_tui.sources.registry_store import open_repository

        if path not in self._listings:
            self._listings[path] = RepositoryListing(open_repository(parse_place(path)))
        return self._listings[path]


def show(node: Node, entry: TagEntry) -> Node:
    """Put what is known of a tag into its node, and return that."""
    node.is_known = True
    node.what = "optimized" if entry.optimized else entry.kind
    node.size = entry.size or 0
    node.mtime = entry.created.timestamp() if entry.created else 0
    node.digest = entry.digest
    criu = f"CRIU {entry.criu}" if entry.criu else ""
    node.note = " ".join(filter(None, (entry.engine, entry.container, criu)))
    node.facts = (
        ("reference", node.target),
        ("digest", entry.digest),
        ("type", entry.media_type),
        ("engine", entry.engine),
        ("container", entry.container),
        ("CRIU", entry.criu),
    )
    return node


def image_nodes(target: str, progress: Progress) -> Iterator[Node]:
    """Yield what an image is made of, and what refers to it.

    Raises:
        CkptError: it cannot be read.
    """
    from ckpt_tui.formats.parts import image_parts, referrers
    from ckpt_tui.sources.base import OpenedImage
    from ckpt_tui.sources.table import resolve

    opened = resolve(target, progress)
    try:
        if not isinstance(opened, OpenedImage):
            raise SourceUnreachable(f"{target} is no image.")
        base = _without_name(target)
        for part in (*image_parts(opened, progress), *referrers(opened, progress)):
            yield _part(part, target, base)
    finally:
        opened.close()


def _without_name(target: str) -> str:
    """Return where a digest can be put behind: of a registry, the repository."""
    if not target.startswith(SCHEME):
        return ""
    return f"{SCHEME}{parse_place(target).name}"


def _part(part: Part, path: str, base: str) -> Node:
    one = part.descriptor
    opens = part.role == "referrer" and base
    return Node(
        label=f"{part.name}  {short_digest(one.digest)}",
        path=path,
        target=f"{base}@{one.digest}" if opens else "",
        what=_what(one.artifact_type or one.media_type),
        size=one.size,
        note=part.problem,
        is_open=bool(part.parts),
        children=[_part(inner, path, base) for inner in part.parts] or None,
        digest=one.digest,
        facts=(
            ("role", part.role),
            ("digest", one.digest),
            ("type", one.artifact_type or one.media_type),
            ("size", human_bytes(one.size)),
            *sorted(one.annotations.items()),
        ),
        is_image=bool(opens),
        is_part=not opens,
    )


def _what(media_type: str) -> str:
    """Return the telling end of a media type: `tar+zstd` of a layer, `config` of a config."""
    end = media_type.rpartition("/")[2].removesuffix("+json").removesuffix("+proto")
    words = [word for word in end.split(".") if not re.fullmatch("v[0-9]+", word)]
    return words[-1] if words else ""
