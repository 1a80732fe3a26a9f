"""The places to begin with: a folder, the own store, the stores of engines, and registries."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ckpt_tui.core.errors import UsageError
from ckpt_tui.core.paths import own_store
from ckpt_tui.formats.entries import Entry, Kind
from ckpt_tui.sources.access import KnownRegistry, forget, known_registries, remember
from ckpt_tui.sources.credentials import logged_in_hosts
from ckpt_tui.sources.reference import SCHEME, parse_place
from ckpt_tui.sources.stores import known_stores


def roots(folder: Path | None = None, label: str = "") -> list[Entry]:
    """Return the places to begin with; `label` is the name of the folder, its path without one."""
    here = str(folder or _working_folder())
    store = str(own_store())
    is_there = os.path.exists(os.path.join(store, "oci-layout"))
    return [
        Entry(Kind.FOLDER, label or short_path(here), here),
        Entry(Kind.LAYOUT, "own store", store)
        if is_there
        else Entry(Kind.LAYOUT, "own store", store, note="empty: c converts into it", parts=()),
        *engine_stores(),
        registries(),
    ]


def engine_stores() -> list[Entry]:
    """Return the stores of engines on this machine, whether they may be read or not."""
    return [
        Entry(
            Kind.STORE,
            store.kind.value,
            store.root,
            engine=store.kind.value,
            note=short_path(store.root),
        )
        for store in known_stores()
    ]


def registries() -> Entry:
    """Return the registries that were added and those with a login."""
    hosts = dict.fromkeys((one.host for one in known_registries()), "")
    for host in logged_in_hosts():
        with suppress(UsageError):
            hosts.setdefault(parse_place(f"{SCHEME}{host}/").host, "logged in")
    parts = tuple(
        Entry(Kind.REGISTRY, host, f"{SCHEME}{host}", note=note) for host, note in hosts.items()
    )
    note = "" if parts else "none yet: a adds one"
    return Entry(Kind.REGISTRIES, "registries", SCHEME, note=note, parts=parts)


def add_registry(text: str) -> Entry:
    """Remember the registry of `HOST[:PORT][/REPO]` and return the place that was meant.

    Raises:
        UsageError: it is written wrong.
    """
    place = parse_place(f"{SCHEME}{text.removeprefix(SCHEME)}")
    if all(one.host != place.host for one in known_registries()):
        remember(KnownRegistry(place.host))
    kind = Kind.REPOSITORY if place.repository else Kind.REGISTRY
    return Entry(kind, place.name, f"{SCHEME}{place.name}")


def forget_registry(entry: Entry) -> None:
    """Take a registry from the list.

    Raises:
        UsageError: it is not a registry, or it was not added.
    """
    if entry.kind is not Kind.REGISTRY:
        raise UsageError("Only a registry can be forgotten.")
    forget(entry.name)
    if any(part.name == entry.name for part in registries().parts or ()):
        raise UsageError(
            f"{entry.name} stays on the list.", "It is in the settings, or you are logged in to it."
        )


def short_path(path: str) -> str:
    """Return a path with `~` for the home folder."""
    home = str(Path.home())
    return "~" + path.removeprefix(home) if path.startswith(home + "/") else path


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:  # it was removed
        return Path.home()
