"""What of a checkpoint looks like a secret, and the checkpoint without it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from ckpt_tui.checkpoint.container_secrets import container_secrets
from ckpt_tui.checkpoint.model import CgroupDirectory, Checkpoint, Namespace
from ckpt_tui.core.masks import (
    covered,
    masked,
    masked_arguments,
    masked_values,
    secret_arguments,
    secrets_in,
    secrets_of,
)

HasProperties = TypeVar("HasProperties", Namespace, CgroupDirectory)


def secret_values(checkpoint: Checkpoint) -> frozenset[str]:
    """Return the values that look like secrets where they have a name or a form: in environments,
    arguments, annotations, mounts and properties. `KnownValues` finds them elsewhere."""
    processes = checkpoint.processes
    found = set(container_secrets(checkpoint.container))
    variables = {one for process in processes for one in process.env or ()}
    for variable in _texts(tuple(variables)):
        found.update(secrets_of(*variable.partition("=")[::2]))
    for process in processes:
        found.update(secret_arguments(_texts(process.argv)))
    texts = [text for mount in checkpoint.mounts for text in (mount.source, mount.options)]
    for text in texts:
        found.update(secrets_in(text))
    namespaces, directories = checkpoint.namespaces, checkpoint.cgroup_directories
    for properties in (*(n.properties for n in namespaces), *(d.properties for d in directories)):
        for name, value in properties.items():
            found.update(secrets_of(name, value))
    return frozenset(found)


def masked_checkpoint(checkpoint: Checkpoint, reveal: bool) -> Checkpoint:
    """Return the checkpoint with what looks like a secret covered, unless asked otherwise."""
    if reveal:
        return checkpoint
    facts = checkpoint.container
    container = dataclasses.replace(
        facts,
        environment=tuple(covered(v, False) for v in facts.environment),
        command=tuple(masked_arguments(facts.command, False)),
        annotations={name: masked(value, False) for name, value in facts.annotations.items()},
    )
    processes = (
        dataclasses.replace(
            process,
            env=_covered(process.env, lambda texts: [covered(v, False) for v in texts]),
            argv=_covered(process.argv, lambda texts: masked_arguments(texts, False)),
        )
        for process in checkpoint.processes
    )
    mounts = (
        dataclasses.replace(
            mount, source=masked(mount.source, False), options=masked(mount.options, False)
        )
        for mount in checkpoint.mounts
    )
    return dataclasses.replace(
        checkpoint,
        container=container,
        processes=tuple(processes),
        mounts=tuple(mounts),
        namespaces=tuple(
            dataclasses.replace(one, detail=masked(one.detail, False))
            for one in _with_values_covered(checkpoint.namespaces)
        ),
        cgroup_directories=_with_values_covered(checkpoint.cgroup_directories),
    )


def _with_values_covered(things: Iterable[HasProperties]) -> tuple[HasProperties, ...]:
    return tuple(
        dataclasses.replace(thing, properties=masked_values(thing.properties, False))
        for thing in things
    )


def _covered(
    values: tuple[bytes, ...] | None, cover: Callable[[list[str]], list[str]]
) -> tuple[bytes, ...] | None:
    if values is None:
        return None
    shown = cover(_texts(values))
    return tuple(text.encode("utf-8", "surrogateescape") for text in shown)


def _texts(values: Sequence[bytes] | None) -> list[str]:
    """Return values as texts; bytes that are not UTF-8 keep their place as surrogates."""
    return [value.decode("utf-8", "surrogateescape") for value in values or ()]
