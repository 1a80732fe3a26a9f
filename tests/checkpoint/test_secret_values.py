"""The secret values of a checkpoint, and where else they are."""

from __future__ import annotations

import dataclasses

import pytest

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.secret_values import masked_checkpoint, secret_values
from ckpt_tui.core.known_values import COVER, MOST_CLOSED, KnownValues, Secrets
from ckpt_tui.core.masks import secret_byte_spans
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.text import printable
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
    assert known.spans(data) == [(2, 2 + size)]


def test_no_known_values_are_nowhere() -> None:
    assert KnownValues({"", "a"}).spans(b"a" * 9) == []


def test_values_that_overlap_are_covered_to_the_end() -> None:
    assert KnownValues({"abcabc", "bcabcX"}).spans(b"..abcabcabcX..") == [(2, 12)]


def test_a_value_of_other_bytes_is_found_where_it_lies() -> None:
    known = KnownValues({b"passw\xffrd".decode("utf-8", "surrogateescape"), "half \ud800 pair"})
    assert known.spans(b"..passw\xffrd..") == [(2, 10)]
    assert known.cover("a half \ud800 pair of it").startswith("a " + COVER)


def test_a_value_that_is_cut_off_is_covered_at_both_ends() -> None:
    known = KnownValues({"correct horse battery"})
    assert known.spans(b"battery and correct ho") == [(0, 7), (12, 22)]
    assert known.spans(b"attery and corre") == [(0, 6)]


def test_texts_are_covered_until_they_are_revealed_or_forgotten() -> None:
    secrets = Secrets()
    secrets.know(lambda: ["correct horse"])
    assert printable("a correct horse\n") == f"a {COVER}\\x0a"
    assert printable("a correct horse", reveal=True) == "a correct horse"
    secrets.reveal(True)
    assert printable("a correct horse") == "a correct horse"
    assert secret_byte_spans(b"\xff correct horse \xff") == [(2, 15)]
    secrets.close()
    secrets.reveal(False)
    assert COVER in printable("a correct horse")
    for _ in range(MOST_CLOSED + 1):
        other = Secrets()
        other.know(list)
        other.close()
    Secrets().know(list)
    assert printable("a correct horse") == "a correct horse"
