"""Expressions for RE2: what they find is what `re` finds."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ckpt_tui.checkpoint.expressions import Expression, quick

ATOMS = (
    *(
        "a",
        "b",
        "k",
        "A",
        "-",
        " ",
        "é",
        ".",
        "{,2}",
        "\\xe9",
        "\\xc9",
        "\\012",
        "\\n",
        "\\v",
        "\\.",
    ),
    *(
        "\\s",
        "\\S",
        "\\w",
        "\\W",
        "\\d",
        "\\D",
        "[ab]",
        "[^ab]",
        "[a-c1]",
        "[^\\s]",
        "[\\W_]",
        "[]a]",
    ),
    *("[^\\xe9]", "(?i:[^é])", "(?i:[A-Z])", "(?i:k)", "(?-i:a)", "(?-s:.)"),
    *("\\b", "\\B", "\\A", "\\Z", "^", "$", "(?m:^)", "(?m:$)"),
)
REPEATS = ("*", "+", "?", "*?", "+?", "??", "{2}", "{0,2}", "{,2}", "{1,3}?", "{2,}", "{,3}?")


def larger(smaller: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    repeated = st.tuples(smaller, st.sampled_from(REPEATS))
    return st.one_of(
        st.tuples(smaller, smaller).map("".join),
        st.tuples(smaller, smaller).map("|".join),
        st.lists(smaller, min_size=2, max_size=3).map(lambda some: f"({'|'.join(some)})"),
        repeated.map(lambda some: f"(?:{some[0]}){some[1]}"),
        smaller.map(lambda one: f"(?i:{one})"),
        smaller.map(lambda one: f"(?P<name>{one})"),
    )


texts = st.recursive(st.sampled_from(ATOMS), larger, max_leaves=8)
# no newline at the end: `$` is the end alone
buffers = st.lists(
    st.sampled_from(b"aabbckABK- 01_.\x00\n\x0b\xc3\xa9\xe9\xc9\xff"), max_size=40
).map(lambda some: bytes(some).rstrip(b"\n"))


def spans(expression: Expression, buffer: bytes, start: int = 0) -> list[tuple[int, int]]:
    found = [match.span() for match in expression.finditer(buffer, start)]
    return [(first, last) for first, last in found if last > first]


@settings(max_examples=500)
@given(st.sampled_from(("", "(?i)", "(?m)", "(?im)", "(?x)")), texts, buffers, st.integers(0, 6))
def test_what_both_know_finds_the_same(flags: str, text: str, buffer: bytes, start: int) -> None:
    try:
        expression = re.compile((flags + text).encode(), re.DOTALL)
    except re.error:  # as a name that is there twice
        assume(False)
    found = quick(expression)
    assume(found is not None)
    assert found is not None
    assert spans(found, buffer, start) == spans(expression, buffer, start)


@pytest.mark.parametrize(
    ("text", "buffer"),
    [
        (r"\s+", b"a\x0bb \t"),
        (r"[^\s]+", b"a\x0bb"),
        ("a{,2}b", b"aaab{,2}"),
        (r"[\[:x\]]+", b"[:x:]"),
        ("(?i)größe", b"GR\xc3\xb6\xc3\x9fE gr\xe3\xb6\xc3\x9fe"),
        (r"(?i)\xe9+", b"\xe9\xc9"),
        ("a|ab", b"ab"),
        (r"(a)\101", b"aA"),
        ("a.c", b"a\nc"),
        (r"(?m)^a$", b"a\na\nb"),
        ("(?x) a  b # and no more", b"ab a  b"),
    ],
)
def test_where_the_two_differ_python_is_followed(text: str, buffer: bytes) -> None:
    expression = re.compile(text.encode(), re.DOTALL)
    found = quick(expression)
    assert found is not None
    assert spans(found, buffer) == spans(expression, buffer)


@pytest.mark.parametrize(
    "text",
    [
        *("a(?=b)", "(?<!a)b", r"(a)\1", "(?>ab)", "a++", "(a)?(?(1)b|c)"),
        *("a*", "a?|b", r"\b"),
        *("a{2000}", "(?L)a", "(?L:a)"),
    ],
)
def test_what_re2_does_not_know_is_left_to_re(text: str) -> None:
    assert quick(re.compile(text.encode(), re.DOTALL)) is None


def test_the_end_is_the_end_alone() -> None:
    found = quick(re.compile(b"a$"))
    assert found is not None
    assert spans(found, b"a\na") == [(2, 3)]
    assert spans(found, b"a\n") == []
