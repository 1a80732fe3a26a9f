"""The secret values of a checkpoint, and where else they are."""

from __future__ import annotations

import dataclasses

import pytest

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.secret_values import masked_checkpoint, secret_values
from ckpt_tui.core.masks import COVER, KnownValues, secret_byte_spans
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.opened import open_checkpoint
from crafted import IMAGES


@pytest.fixture
def checkpoint() -> Checkpoint:
    opened = open_checkpoint(str(IMAGES / "counter"), quiet())
    found = opened.load(quiet())
    opened.close()
    process = dataclasses.replace(
        found.processes[0],
        env=(b"HOME=/root", b"DB_PASSWORD=correct horse", b"X=a\xffb"),
        argv=(b"web", b"--api-key", b"k3yk3yk3y", b"--url=http://me:hunter22@db/"),
    )
    container = dataclasses.replace(found.container, annotations={"note": "token: mellon!"})
    return dataclasses.replace(found, processes=(process,), container=container)


def test_values_are_secret_by_their_name_or_their_form(checkpoint: Checkpoint) -> None:
    assert secret_values(checkpoint) == {
        *("correct horse", "k3yk3yk3y", "://me:hunter22@", "mellon!"),
    }


def test_what_is_covered_has_no_secret_value_left(checkpoint: Checkpoint) -> None:
    shown = masked_checkpoint(checkpoint, False)
    assert secret_values(shown) <= {COVER}
    assert shown.processes[0].env == (
        *(b"HOME=/root", f"DB_PASSWORD={COVER}".encode(), b"X=a\xffb"),
    )
    assert masked_checkpoint(checkpoint, True) is checkpoint


@pytest.mark.parametrize("form", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_known_value_is_found_in_any_bytes(form: str) -> None:
    known = KnownValues({"größe 1", "größe 12", "short"})
    data = b"\xff\x01" + "größe 12".encode(form) + b"\x02" + "short".encode(form)
    size = len("größe 12".encode(form))
    assert secret_byte_spans(data) == []
    assert secret_byte_spans(data, known) == [(2, 2 + size)]


def test_no_known_values_are_nowhere() -> None:
    assert KnownValues({"", "a"}).spans(b"a" * 9) == []
