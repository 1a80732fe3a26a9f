"""The folders this program may write to, by the XDG base directory specification."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_NAME = "ckpt-tui"


def _path(variable: str, default: str) -> str:
    value = os.environ.get(variable, "")
    base = value if os.path.isabs(value) else os.path.join(os.path.expanduser("~"), default)
    return os.path.join(base, _NAME)


def _folder(variable: str, default: str) -> Path:
    from pathlib import Path  # 4 ms, and many commands write nothing

    return Path(_path(variable, default))


def config_path() -> str:
    """The file with the settings, absent for most people."""
    return os.path.join(_path("XDG_CONFIG_HOME", ".config"), "config.toml")


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
