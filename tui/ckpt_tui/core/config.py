"""The settings of a person: `config.toml` in the config folder, read and checked.

theme = "light"              # dark, light, ansi, or a theme that Textual brings
masks = ["PIN", "DSN"]       # more words that make a variable's value a secret
registries = ["registry.example:5000"]      # in the browser, beside those added there

[encryption]
recipients = ["jwe:team.pub.pem"]    # whom `convert --encrypt` encrypts for
private_keys = ["team.pem:filename=team.passphrase"]    # what encrypted images are opened with

[keys]                       # id of a command to its keys; a wrong id lists all there are
convert = "x"
search = "ctrl+f,slash"
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ckpt_tui.core.errors import UsageError
from ckpt_tui.core.paths import config_path

MAX_CONFIG = 64 << 10
"""Bytes. Settings written by hand are shorter."""

MAX_WORD = 60
"""Characters of a word among the masks."""


@dataclass(frozen=True, slots=True)
class Config:
    """What may be set; empty where it is not."""

    theme: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Id of a command to its keys, comma between."""
    masks: tuple[str, ...] = ()
    """Words that make a variable's value a secret, beside those that always do."""
    registries: tuple[str, ...] = ()
    """HOST[:PORT] of registries that the browser lists."""
    recipients: tuple[str, ...] = ()
    """Whom images are encrypted for where that is asked for; `jwe:FILE`."""
    private_keys: tuple[str, ...] = ()
    """Files of keys that open encrypted images, as `--key` takes them."""


def config_file() -> Path:
    """Return where the settings are."""
    return Path(config_path())


def load_config() -> Config:
    """Return the settings of the user; without a file all are empty.

    Raises:
        UsageError: the file cannot be read or has something wrong in it; names file and key.
    """
    path = config_file()
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise UsageError(f"{path} cannot be read.", f"{error.strerror}.") from error
    return parse_config(data, str(path))


def parse_config(data: bytes, where: str) -> Config:
    """Return the settings in a TOML document; `where` is what errors call it.

    Raises:
        UsageError: it is not TOML, has an unknown key, or a value of the wrong kind.
    """
    import tomllib  # 6 ms, and most people have no such file

    if len(data) > MAX_CONFIG:
        raise UsageError(f"{where} has {len(data):,} bytes, too many for settings.")
    try:
        found = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{where} is not TOML.", f"{error}.") from error
    for key in found:
        if key not in ("theme", "keys", "masks", "registries", "encryption"):
            hint = "There are theme, keys, masks, registries and encryption."
            raise wrong(where, key, "no such setting", hint)
    return Config(
        theme=_theme(found.get("theme", ""), where),
        keys=_keys(found.get("keys", {}), where),
        masks=_masks(found.get("masks", []), where),
        registries=_registries(found.get("registries", []), where),
        **_encryption(found.get("encryption", {}), where),
    )


def wrong(where: str, key: str, problem: str, hint: str = "") -> UsageError:
    """Return the error for one setting."""
    return UsageError(f"{where}: {key}: {problem}.", hint=hint)


def _theme(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise wrong(where, "theme", "it is not text")
    return value


def _keys(value: Any, where: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise wrong(
            where, "keys", "it is not a table", 'Write [keys], then lines as convert = "x".'
        )
    for command, keys in value.items():
        if not isinstance(keys, str) or not all(part.strip() for part in keys.split(",")):
            raise wrong(where, f"keys.{command}", "keys are a text with commas between them")
    return {
        name: ",".join(part.strip() for part in keys.split(",")) for name, keys in value.items()
    }


def _encryption(value: Any, where: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise wrong(where, "encryption", "it is not a table", "Write [encryption].")
    found = {}
    for name, files in value.items():
        key = f"encryption.{name}"
        if name not in ("recipients", "private_keys"):
            raise wrong(where, key, "no such setting", "There are recipients and private_keys.")
        if not isinstance(files, list) or not all(isinstance(one, str) and one for one in files):
            raise wrong(where, key, "it is not a list of files")
        found[name] = tuple(files)
    return found


def _masks(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise wrong(where, "masks", "it is not a list of words")
    for word in value:
        if not isinstance(word, str) or not 0 < len(word.strip()) <= MAX_WORD:
            raise wrong(where, "masks", f"{word!r} is not a word of at most {MAX_WORD} characters")
    return tuple(word.strip() for word in value)


_HOST = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?"
)


def _registries(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise wrong(where, "registries", "it is not a list of HOST[:PORT]")
    for host in value:
        if not isinstance(host, str) or len(host) > 255 or not _HOST.fullmatch(host):
            raise wrong(where, "registries", f"{str(host)[:60]!r} is not HOST[:PORT]")
    return tuple(dict.fromkeys(value))
