"""References to parts of a checkpoint."""

from __future__ import annotations

import pytest

from ckpt_tui.checkpoint.ref import Ref


@pytest.mark.parametrize(
    ("ref", "text"),
    [
        (Ref.process(7), "process:7"),
        (Ref.file(7, 3), "file:7:3"),
        (Ref.region(7, 0x7F00), "region:7:7f00"),
        (Ref.mount(13, 119), "mount:13:119"),
        (Ref.namespace("uts", 12), "namespace:uts:12"),
        (Ref.image("core-7.img"), "image:core-7.img"),
    ],
)
def test_the_text_names_the_kind_and_what_identifies_it(ref: Ref, text: str) -> None:
    assert str(ref) == text


def test_a_file_and_a_socket_of_one_descriptor_are_two() -> None:
    assert len({Ref.file(1, 4), Ref.socket(1, 4), Ref.file(1, 4)}) == 2
