"""`decode` covers what looks like a secret, in text and JSON alike."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from ckpt_tui.cli.decode import Shape, decode
from crafted import copied, first, rewrite


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = copied("counter", tmp_path)

    def put(mount: Any) -> None:
        mount.options = "password=mellon,ro"

    rewrite(folder / "mountpoints-13.img", first(put))

    def filtered(seccomp: Any) -> None:
        seccomp.seccomp_filters[0].filter = b"api_token=mellon"

    rewrite(folder / "seccomp.img", first(filtered))
    return folder


def printed(capsys: pytest.CaptureFixture[str], images: Path, name: str, **how: bool) -> str:
    options = {"as_json": False, "crit": False, "pretty": False, "reveal": False, **how}
    decode(str(images), name, Shape(**options))
    return capsys.readouterr().out


@pytest.mark.parametrize("as_json", [False, True])
def test_strings_are_covered_until_revealed(
    images: Path, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    covered = printed(capsys, images, "mountpoints-13.img", as_json=as_json)
    assert "mellon" not in covered
    revealed = printed(capsys, images, "mountpoints-13.img", as_json=as_json, reveal=True)
    assert "password=mellon,ro" in revealed


def test_bytes_in_json_are_as_many_with_the_secret_blotted_out(
    images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for reveal, secret in ((False, b"******"), (True, b"mellon")):
        text = printed(capsys, images, "seccomp.img", as_json=True, reveal=reveal)
        message = json.loads(text)["entries"][0]["message"]
        found = base64.b64decode(message["seccomp_filters"][0]["filter"])
        assert found == b"api_token=" + secret


def test_what_crit_prints_is_not_covered(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "password=mellon,ro" in printed(capsys, images, "mountpoints-13.img", crit=True)
