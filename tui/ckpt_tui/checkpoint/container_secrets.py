"""What an engine says of a container that looks like a secret; quick to import and to ask for."""

from __future__ import annotations

from ckpt_tui.checkpoint.records import ContainerFacts
from ckpt_tui.core.masks import secret_arguments, secrets_in, secrets_of


def container_secrets(container: ContainerFacts) -> frozenset[str]:
    """Return the values in environment, arguments and annotations that look like secrets."""
    found: set[str] = set(secret_arguments(container.command))
    for variable in container.environment:
        found.update(secrets_of(*variable.partition("=")[::2]))
    for text in container.annotations.values():
        found.update(secrets_in(text))
    return frozenset(found)
