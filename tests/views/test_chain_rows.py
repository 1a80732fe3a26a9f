"""A time line of checkpoints: when, what changed, how much."""

from __future__ import annotations

from datetime import UTC, datetime

from ckpt_tui.formats.comparing import Link, StepCounts
from ckpt_tui.views.chain import BAR, elapsed, link_rows, link_sections, signs

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def link(name: str, same: int, changed: int) -> Link:
    memory = {"same": same, "changed": changed, "only_before": 0, "only_after": 0, "unknown": 0}
    counts = StepCounts({"same": 1}, 0, memory, {}, complete=False)
    return Link(name, NOON.replace(minute=1), before="a", counts=counts)


def test_bars_have_one_scale_and_say_what_became_of_the_pages() -> None:
    rows = link_rows([Link("a", NOON), link("b", 1 << 20, 1 << 20), link("c", 1 << 20, 0)])
    assert str(rows[1].cells[3]).count("█") == BAR
    assert str(rows[2].cells[3]).count("█") == BAR // 2
    assert str(rows[1].cells[3]).startswith("1.00 MiB")
    assert str(rows[2].cells[3]).strip().startswith("none")


def test_times_are_told_from_the_one_before() -> None:
    rows = link_rows([Link("a", NOON), link("b", 1, 0)])
    assert rows[0].cells[0] == "2026-01-02 12:00"
    assert rows[1].cells[0] == "12:01:00 + 60 s"
    assert elapsed(NOON, NOON.replace(hour=9)) == "− 3 h"


def test_nothing_changed_is_said_in_words() -> None:
    assert signs({"same": 4}).plain == "the same"
    assert signs({"added": 2, "deleted": 1, "same": 1}).plain == "+2 −1"


def test_what_is_damaged_or_not_compared_has_a_sign() -> None:
    rows = link_rows([Link("a\x1b[31m", problem="No \x1b bytes.")])
    assert str(rows[0].cells[0]) == "✖"
    assert "\x1b" not in "".join(map(str, rows[0].cells))
    facts = [
        str(fact.value) for section in link_sections(link("b", 1, 1)) for fact in section.facts
    ]
    assert any(text.startswith("▲ Not everything could be compared") for text in facts)
