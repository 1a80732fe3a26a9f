"""Settings: read whole, or refused with the file and the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from ckpt_tui.core.config import Config, config_file, load_config, parse_config
from ckpt_tui.core.errors import UsageError


def test_everything_may_be_set() -> None:
    text = (
        b'theme = "light"\nmasks = ["PIN", " DSN "]\nregistries = ["r.example:5000", "[::1]"]\n'
        b'[keys]\nconvert = "x, ctrl+x"\n'
    )
    assert parse_config(text, "c") == Config(
        "light", {"convert": "x,ctrl+x"}, ("PIN", "DSN"), ("r.example:5000", "[::1]")
    )


def test_without_a_file_all_is_as_it_comes() -> None:
    assert load_config() == Config()


def test_the_file_is_in_the_config_folder(own_home: Path) -> None:
    path = config_file()
    path.parent.mkdir(parents=True)
    path.write_text('theme = "ansi"')
    assert own_home in path.parents
    assert load_config().theme == "ansi"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"theme =", "not TOML"),
        (b"\xff", "not TOML"),
        (b'thme = "x"', "thme: no such setting"),
        (b"theme = 3", "theme: it is not text"),
        (b'keys = "x"', "keys: it is not a table"),
        (b"[keys]\nconvert = 3", "keys.convert: keys are a text"),
        (b'[keys]\nconvert = "a,,b"', "keys.convert: keys are a text"),
        (b'masks = "PIN"', "masks: it is not a list"),
        (b'masks = [""]', "masks: '' is not a word"),
        (b'registries = "r.example"', "registries: it is not a list"),
        (b'registries = ["https://r.example/x"]', "registries: 'https://r.example/x' is not HOST"),
        (b"x" * (1 << 20), "too many"),
        (b"a = " + b"[" * 5000, "not TOML"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(text: bytes, said: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_config(text, "c")
    assert str(error.value).startswith("c")
    assert said in str(error.value)
