"""The folders this program may write to, by the XDG base directory specification."""

from __future__ import annotations

import os
from pathlib import Path

_NAME = "ckpt-tui"


def _folder(variable: str, default: str) -> Path:
    value = os.environ.get(variable, "")
    base = Path(value) if os.path.isabs(value) else Path.home() / default
    return base / _NAME


def cache_dir() -> Path:
    """Spill files of compressed page images; nothing here outlives the process."""
    return _folder("XDG_CACHE_HOME", ".cache")


def data_dir() -> Path:
    """The program's own store of converted checkpoints."""
    return _folder("XDG_DATA_HOME", ".local/share")


def config_dir() -> Path:
    """Settings and remembered registries, never a secret."""
    return _folder("XDG_CONFIG_HOME", ".config")


def own_store() -> Path:
    """The OCI layout that conversions go to when no target is named."""
    return data_dir() / "store"
