"""Lines of a comparison: what is shown, and what is only counted."""

from __future__ import annotations

from ckpt_tui.checkpoint.differences import Change, Comparison
from ckpt_tui.views.difference_lines import NOTE, line_rows, lines, shown_values


def comparison(count: int) -> Comparison:
    changes = tuple(Change("delta", f"/f{n}", "added", "", "file") for n in range(count))
    return Comparison("a", "b", (), (), (), (), changes)


def test_what_is_not_shown_is_counted() -> None:
    found = lines(comparison(1_000_000), None, most=10)
    assert len(found) == 12
    assert found[-1].title == "999,990 more differences: `ckpt-tui compare` prints them"
    assert found[-1].how == NOTE
    assert len(lines(comparison(100), None)) == 101


def test_nothing_that_differs_is_said() -> None:
    rows = line_rows(lines(comparison(0), None), reveal=False)
    assert "Nothing differs" in str(rows[0].cells[1])


def test_secrets_and_control_characters_do_not_reach_cells() -> None:
    change = Change("environment", "API_TOKEN", "changed", "a\x1b[31m", "b")
    assert shown_values(change, reveal=False) == ("••••••", "••••••")
    assert shown_values(change, reveal=True) == ("a\\x1b[31m", "b")
    words = Change("argv", "arguments", "changed", "x --password=hunter2", "")
    assert "hunter2" not in shown_values(words, reveal=False)[0]
