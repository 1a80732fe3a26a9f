"""The panel of facts in an app."""

from __future__ import annotations

from typing import Any

from demo import HOSTILE, Demo, assert_harmless, screen_text
from textual.message import Message

from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.views.facts import Fact, Section
from ckpt_tui.views.meanings import signed

SECTIONS = [
    Section(
        "",
        [
            Fact("command", "/usr/bin/python3 app.py --port 8080 --workers 4  --config web.yml"),
            Fact("user", "uid 1000, gid 1000"),
            Fact("parent", "1 sh", link=Ref.process(1)),
            Fact("verdict", signed("fails", "has an established connection")),
        ],
    ),
    Section("ENVIRONMENT", [Fact("", "PATH=/usr/local/bin:/usr/bin:/bin"), Fact("", "TOKEN=••••")]),
    Section("TIMERS", [], empty="not recorded by CRIU before 3.14"),
    Section("FILES", [Fact(str(n), f"/var/log/file-{n}.log") for n in range(30)]),
]


async def test_facts_scroll_with_the_keys_of_lists() -> None:
    app = Demo(lambda: Facts(SECTIONS))
    async with app.run_test(size=(60, 20)) as pilot:
        facts = app.query_one(Facts)
        facts.focus()
        await pilot.press("ctrl+d")
        assert facts.scroll_y == 10
        await pilot.press("G")
        await pilot.pause()
        facts.scroll_end(animate=False)
        await pilot.pause()
        assert "file-29" in screen_text(app)
        facts.show(SECTIONS[:1])
        await pilot.pause()
        assert facts.scroll_y == 0
        assert "file-29" not in screen_text(app)


async def test_a_click_on_a_link_names_where_it_leads() -> None:
    messages: list[Message] = []
    app = Demo(lambda: Facts(SECTIONS))
    async with app.run_test(size=(100, 30), message_hook=messages.append) as pilot:
        lines = screen_text(app).split("\n")
        row = next(number for number, line in enumerate(lines) if "parent" in line)
        await pilot.click(Facts, offset=(lines[row].index("1 sh"), row))
        await pilot.click(Facts, offset=(2, row))
        await pilot.pause()
    links = {m.link for m in messages if isinstance(m, Facts.LinkChosen)}
    assert links == {Ref.process(1)}
    assert len({id(m) for m in messages if isinstance(m, Facts.LinkChosen)}) == 1


async def test_text_can_be_selected() -> None:
    app = Demo(lambda: Facts(SECTIONS[1:2]))
    async with app.run_test(size=(60, 20)) as pilot:
        app.screen.text_select_all()
        await pilot.pause()
        assert "PATH=/usr/local/bin:/usr/bin:/bin" in (app.screen.get_selected_text() or "")


async def test_nothing_to_show_says_why() -> None:
    app = Demo(lambda: Facts((), empty="Nothing is under the cursor"))
    async with app.run_test(size=(60, 20)):
        assert "Nothing is under the cursor" in screen_text(app)


async def test_hostile_facts_are_only_letters() -> None:
    section = Section(
        HOSTILE, [Fact(HOSTILE, HOSTILE), Fact("x", signed("good", HOSTILE), HOSTILE)]
    )
    app = Demo(lambda: Facts([section]))
    async with app.run_test(size=(160, 20)):
        assert_harmless(app)


def test_looks_narrow(snap_compare: Any) -> None:
    assert snap_compare(Demo(lambda: Facts(SECTIONS)), terminal_size=(80, 24))


def test_looks_wide(snap_compare: Any) -> None:
    assert snap_compare(Demo(lambda: Facts(SECTIONS, id="f")), terminal_size=(120, 40))
