"""The model as the JSON that `--json` promises."""

from __future__ import annotations

import dataclasses
from typing import Any

from ckpt_tui.checkpoint.model import Checkpoint, Credentials, Delta, Process
from ckpt_tui.core.json_form import plain

SCHEMA_VERSION = 1
"""Grows when a key changes its meaning or goes away; new keys alone do not count."""


def checkpoint_document(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return everything known of a checkpoint: what `inspect --json` prints."""
    names = [f.name for f in dataclasses.fields(checkpoint) if f.name != "state"]
    fields = {n: getattr(checkpoint, n) for n in names if n not in ("processes", "delta")}
    document = {
        "schema_version": SCHEMA_VERSION,
        **plain(fields),
        "processes": [_process(p) for p in checkpoint.processes],
        "delta": _delta(checkpoint.delta),
    }
    return {name: document[name] for name in ("schema_version", *names)}


def _delta(delta: Delta) -> dict[str, Any]:
    changes: dict[str, list[Any]] = {"added": [], "changed": [], "deleted": [], "written": []}
    for entry in delta.entries:
        changes[entry.change].append(plain(entry))
    return {"dialect": delta.dialect, "bytes": delta.bytes, **changes}


def _process(process: Process) -> dict[str, Any]:
    document: dict[str, Any] = plain(process)
    who: Credentials | None = process.credentials
    document["uid"] = who.uid if who else None
    document["gid"] = who.gid if who else None
    document["capabilities"] = plain(who.capabilities) if who else {}
    return document
