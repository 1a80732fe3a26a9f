"""Needles of regular expressions: what is found with them is what is found without."""

from __future__ import annotations

import random
import re

import pytest

from ckpt_tui.checkpoint.needles import needles_of
from ckpt_tui.checkpoint.search import Pattern, parse_pattern


def needles(text: str) -> tuple[bytes, ...] | None:
    found = needles_of(re.compile(text.encode(), re.DOTALL), 4096)
    return found.needles if found else None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("never-[0-9]+-there", (b"never-",)),
        ("[0-9a-f]{8}-4[0-9a-f]{3}", (b"-4",)),
        ("(password|token)=.+", (b"password", b"token")),
        ("x(abc)+y?", (b"abc",)),
        ("(?i)Bearer +[a-z]+", (b"bearer",)),
        ("(abc)?[0-9]", None),
        ("(abc|[0-9]+)", None),
        ("(?i:abc)[0-9]", None),
        ("[A-Z]{16}", None),
        ("a.b.c", None),
        ("(?!abc)[0-9]", None),
        ("abc|defg|", None),
    ],
)
def test_a_match_has_one_of_them(text: str, found: tuple[bytes, ...] | None) -> None:
    assert needles(text) == found


def test_a_match_reaches_as_far_as_its_expression_says() -> None:
    short = needles_of(re.compile(b"[0-9]{4}-xy"), 4096)
    endless = needles_of(re.compile(b"[0-9]+-xy"), 4096)
    assert short is not None
    assert endless is not None
    assert (short.reach, endless.reach) == (7, 4096)


@pytest.mark.parametrize(
    "text",
    ["ab[cd]*a", "(ab|cda)+", "(?i)AB.{0,5}CD", "[abcd]{3}ab", r"\bab\b", "(?<=c)ab(?=d)", "aab?"],
)
def test_nothing_is_missed_and_nothing_is_added(text: str) -> None:
    pattern = parse_pattern(f"re:{text}")
    assert pattern.needles is not None
    chance = random.Random(7)
    for length in (0, 3, 50, 4000):
        buffer = bytes(chance.choice(b"abcdAB \0") for _ in range(length)) + b"-" * 600
        buffer += bytes(chance.choice(b"abcd") for _ in range(length))
        for start in (0, length // 3):
            plain = Pattern(expression=pattern.expression)
            assert list(pattern.spans(buffer, start)) == list(plain.spans(buffer, start))
