"""`decode`: one image, or all of a checkpoint in one call."""

from __future__ import annotations

import json

import pytest
from ran import Run

from crafted import ARCHIVES, IMAGES

KINDS = IMAGES / "kinds"


def documents(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_all_images_are_one_document_a_line_each_as_it_is_alone(run: Run) -> None:
    found = documents(run("decode", KINDS, "--all", "--json").out)
    names = [str(document["image"]) for document in found]
    assert names == [p.name for p in sorted(KINDS.iterdir()) if not p.name.startswith("pages-")]
    for name, document in zip(names, found, strict=True):
        assert run("decode", KINDS, name, "--json").document == document


def test_all_images_as_crit_has_them_carry_their_names(run: Run) -> None:
    found = documents(run("decode", KINDS, "--all", "--crit").out)
    assert "core-1.img" in [document["image"] for document in found]
    for document in found:
        name = document.pop("image")
        assert run("decode", KINDS, name, "--crit").document == document


def test_all_images_as_text_are_apart(run: Run) -> None:
    text = run("decode", ARCHIVES / "counter.tar.zst", "--all").out
    one = run("decode", ARCHIVES / "counter.tar.zst", "pstree.img").out
    assert f"\n\n{one}\n" in text


def test_after_an_image_that_fails_the_others_are_decoded(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = [one["image"] for one in documents(run("decode", KINDS, "--all", "--crit").out)]
    monkeypatch.setattr("ckpt_tui.criu.crit.MAX_EXTRA", 0)
    found = run("decode", KINDS, "--all", "--crit")
    names = [one["image"] for one in documents(found.out)]
    assert (found.code, names[-1]) == (1, every[-1])
    assert [name for name in every if name not in names] == ["ghost-file-1.img", "ipcns-sem-11.img"]
    assert "ghost-file-1.img is too large for crit's form:" in found.err


@pytest.mark.parametrize("words", [(), ("core-1.img", "--all")])
def test_an_image_or_all_of_them_must_be_named(words: tuple[str, ...], run: Run) -> None:
    found = run("decode", KINDS, *words)
    assert (found.code, found.out) == (2, "")
    assert "`decode` needs the name of an image, or --all." in found.err
