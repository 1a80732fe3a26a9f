"""What restoring an encrypted image needs besides: the private key, where each engine takes it."""

from __future__ import annotations

import shlex

from ckpt_tui.diagnose.facts import Facts
from ckpt_tui.sources.oci import is_rootfs_tag

KEY = "KEY.pem"
"""The private key, for the user to fill in."""

_FLAG = f"--decryption-key {KEY}"

_PULLS = ("podman pull ", "skopeo copy ")
"""Commands that take the key, by how they begin."""

_KEY_NOTE = f"{KEY} is a private key that opens the layers."

CRIO_NOTE = (
    "CRI-O decrypts with the keys in `decryption_keys_path` of [crio.runtime], /etc/crio/keys/ by "
    "default: put KEY.pem there. This was not tried."
)

CONTAINERD_NOTE = (
    'containerd decrypts by imgcrypt: `image_decryption.key_model = "node"` in the CRI plugin, and '
    "a [stream_processors] entry for each media type with +encrypted, with ctd-decoder as its path "
    "and --decryption-keys-path and the folder of KEY.pem as its args. This was not tried."
)

_NOTES = {"cri-o": CRIO_NOTE, "containerd": CONTAINERD_NOTE}
"""Engines that take keys from their configuration."""


def with_key(
    facts: Facts, engine: str, commands: tuple[str, ...], notes: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return commands and notes of an engine for a checkpoint whose layers are encrypted, with the
    key for what the commands pull; of others as they are."""
    if not facts.checkpoint.format.key_ids or not commands:
        return commands, notes
    notes = (*notes, _NOTES.get(engine, _KEY_NOTE))
    if engine in _NOTES:
        return commands, notes
    keyed = tuple(map(_with_key, commands))
    rootfs = facts.checkpoint.container.image
    if engine == "podman" and is_rootfs_tag(rootfs.rpartition(":")[2]):
        keyed = (f"podman pull {_FLAG} {shlex.quote(rootfs)}", *keyed)
    return keyed, notes


def _with_key(command: str) -> str:
    for start in _PULLS:
        if command.startswith(start):
            return f"{start}{_FLAG} {command.removeprefix(start)}"
    return command
