import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpt_tui.core.text import human_bytes, human_duration, middle, printable, short_digest


def test_a_terminal_escape_becomes_visible() -> None:
    assert printable("a\x1b]0;PWN\x07b") == r"a\x1b]0;PWN\x07b"


def test_bytes_that_are_no_utf8_are_shown_as_hex() -> None:
    assert printable(b"caf\xe9") == r"caf\xe9"


def test_brackets_and_letters_of_any_script_stay() -> None:
    assert printable("[kthreadd] naïve – 文件") == "[kthreadd] naïve – 文件"


def test_direction_controls_become_visible() -> None:
    assert printable("a\u202eb") == r"a\u202eb"


@given(st.text())
def test_nothing_that_moves_a_cursor_is_left(text: str) -> None:
    shown = printable(text)
    assert not any(
        ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in shown
    )
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "0.98 KiB"),
        (1024, "1.00 KiB"),
        (304_128, "297 KiB"),
        (1_567_000_000, "1.46 GiB"),
        (1 << 60, "1.00 EiB"),
    ],
)
def test_sizes_have_three_digits(size: int, text: str) -> None:
    assert human_bytes(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.42, "0.42 s"), (3, "3 s"), (180, "3 min"), (9000, "2 h"), (999999, "12 d")],
)
def test_spans_are_short(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


def test_paths_are_shortened_in_the_middle() -> None:
    assert middle("/usr/lib/x86_64-linux-gnu/libc.so.6", 15) == "/usr/li…bc.so.6"
    assert middle("short", 15) == "short"


def test_digests_are_shortened_but_other_text_is_not() -> None:
    assert short_digest("sha256:" + "a" * 64) == "a" * 12
    assert short_digest("localhost/bb:1") == "localhost/bb:1"
