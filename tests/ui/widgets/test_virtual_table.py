"""The table: moving, choosing, many rows, hostile names."""

from __future__ import annotations

from typing import Any

from demo import HOSTILE, Demo, assert_harmless, screen_text
from textual.message import Message

from ckpt_tui.core.styled import styled
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.meanings import OPEN, signed
from ckpt_tui.views.table import Column, LazyRows, ListRows, Row

COLUMNS = (
    Column("PID", width=6, align="right"),
    Column("COMMAND", share=2),
    Column("PATH", share=3, shrink="middle"),
    Column("SIZE", width=9, align="right"),
)


def row_of(number: int) -> Row:
    path = f"/usr/lib/x86_64-linux-gnu/some/deep/folder/lib{number}.so.6"
    return Row(number, (str(number), f"worker {number}", path, f"{number} MiB"))


def many(count: int) -> Demo:
    return Demo(lambda: VirtualTable(COLUMNS, LazyRows(range(count), row_of)))


def few(rows: list[Row], empty: str = "Nothing here") -> Demo:
    return Demo(lambda: VirtualTable(COLUMNS, ListRows(rows), empty=empty))


def seen(messages: list[Message], kind: type[Any]) -> list[Any]:
    return [message for message in messages if isinstance(message, kind)]


async def test_keys_move_the_cursor_and_keep_it_in_view() -> None:
    app = many(1000)
    async with app.run_test(size=(80, 24)) as pilot:
        table = app.query_one(VirtualTable)
        table.focus()
        steps = {"down": 1, "j": 2, "k": 1, "pagedown": 24, "ctrl+d": 35, "ctrl+u": 24}
        for key, expected in {**steps, "end": 999, "up": 998, "home": 0}.items():
            await pilot.press(key)
            assert table.cursor == expected, key
            assert f"worker {expected} " in screen_text(app)
        await pilot.press("up")
        assert table.cursor == 0


async def test_fifty_million_rows_are_never_made() -> None:
    made: list[int] = []

    def counted(number: int) -> Row:
        made.append(number)
        return row_of(number)

    app = Demo(lambda: VirtualTable(COLUMNS, LazyRows(range(50_000_000), counted)))
    async with app.run_test(size=(80, 24)) as pilot:
        table = app.query_one(VirtualTable)
        table.focus()
        await pilot.press("end", "pageup")
        assert "49,999,976" in f"{table.cursor:,}"
        assert "worker 49999976" in screen_text(app)
    assert len(made) < 400


async def test_messages_name_the_row_by_key() -> None:
    messages: list[Message] = []
    app = few([Row("a", ("1", "x", "", "")), Row("b", ("2", "y", "", ""))])
    async with app.run_test(message_hook=messages.append) as pilot:
        app.query_one(VirtualTable).focus()
        await pilot.press("down", "enter")
        await pilot.pause()
    highlighted = seen(messages, VirtualTable.RowHighlighted)
    assert list(dict.fromkeys((m.index, m.key) for m in highlighted)) == [(0, "a"), (1, "b")]
    assert {(m.index, m.key) for m in seen(messages, VirtualTable.RowChosen)} == {(1, "b")}


async def test_a_click_moves_and_a_second_one_chooses() -> None:
    messages: list[Message] = []
    app = many(100)
    async with app.run_test(size=(80, 24), message_hook=messages.append) as pilot:
        table = app.query_one(VirtualTable)
        await pilot.click(VirtualTable, offset=(10, 5))
        assert table.cursor == 4
        assert not seen(messages, VirtualTable.RowChosen)
        await pilot.click(VirtualTable, offset=(10, 5))
        await pilot.pause()
    assert {m.key for m in seen(messages, VirtualTable.RowChosen)} == {4}


async def test_a_click_on_a_title_names_its_column() -> None:
    messages: list[Message] = []
    app = many(100)
    async with app.run_test(size=(80, 24), message_hook=messages.append) as pilot:
        for x in (2, 12, 40, 75):
            await pilot.click(VirtualTable, offset=(x, 0))
        await pilot.pause()
    columns = [m.column for m in seen(messages, VirtualTable.HeaderChosen)]
    assert list(dict.fromkeys(columns)) == [0, 1, 2, 3]


async def test_the_wheel_scrolls_and_the_title_stays() -> None:
    app = many(100)
    async with app.run_test(size=(80, 24)) as pilot:
        table = app.query_one(VirtualTable)
        table.scroll_to(y=50, animate=False)
        await pilot.pause()
        lines = screen_text(app).split("\n")
    assert "COMMAND" in lines[0]
    assert "worker 50 " in lines[1]


async def test_other_rows_keep_the_cursor_on_its_key() -> None:
    rows = [Row(n, (str(n), f"c{n % 3}", "", ""), (n,)) for n in range(50)]
    app = few(rows)
    async with app.run_test(size=(80, 24)) as pilot:
        table = app.query_one(VirtualTable)
        table.cursor = 31
        table.set_rows(ListRows(rows[::-1]))
        assert table.highlighted is not None
        assert (table.cursor, table.highlighted.key) == (18, 31)
        table.set_rows(ListRows(rows[::3]))
        assert table.highlighted.key != 31
        table.set_rows(ListRows(rows[:3]))
        assert table.cursor == 2
        table.set_rows(ListRows())
        assert table.highlighted is None
        table.set_rows(ListRows(rows))
        assert table.go_to(7)
        assert not table.go_to("absent")
        await pilot.pause()
        assert table.highlighted.key == 7


async def test_a_row_that_replaces_another_in_place_is_announced() -> None:
    messages: list[Message] = []
    app = few([Row("a", ("1", "x", "", ""))])
    async with app.run_test(message_hook=messages.append) as pilot:
        await pilot.pause()
        app.query_one(VirtualTable).set_rows(ListRows([Row("b", ("2", "y", "", ""))]))
        await pilot.pause()
    assert [m.key for m in seen(messages, VirtualTable.RowHighlighted)][-1] == "b"


async def test_rows_may_be_set_before_the_table_is_on_a_screen() -> None:
    def made() -> VirtualTable:
        table = VirtualTable(COLUMNS)
        table.set_rows(LazyRows(range(100), row_of))
        table.go_to(60)
        return table

    app = Demo(made)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert app.query_one(VirtualTable).cursor == 60
        assert "worker 60 " in screen_text(app)


async def test_no_rows_say_why() -> None:
    app = few([], empty="No sockets: this checkpoint has none")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("down", "enter", "end")
        assert "No sockets: this checkpoint has none" in screen_text(app)
    app = few([], empty="Timers are not recorded by CRIU before 3.14")
    async with app.run_test(size=(20, 10)):
        assert "recorded by CRIU" in screen_text(app)


async def test_hostile_names_are_only_letters() -> None:
    app = few(
        [Row(1, (HOSTILE, styled((HOSTILE, "good")), styled(HOSTILE), HOSTILE))], empty=HOSTILE
    )
    async with app.run_test(size=(160, 24)) as pilot:
        assert_harmless(app)
        app.query_one(VirtualTable).set_rows(ListRows())
        await pilot.pause()
        assert_harmless(app)


async def test_a_change_of_theme_recolours_the_lines() -> None:
    app = few([Row(1, ("1", signed("fails", "broken"), "", ""))])
    async with app.run_test(size=(80, 24)) as pilot:
        table = app.query_one(VirtualTable)
        await pilot.pause()
        dark = table.render_line(1)
        app.theme = "ckpt-light"
        await pilot.pause()
        assert table.render_line(1) != dark
        assert table.render_line(1).text == dark.text


async def test_a_bar_keeps_its_colour_where_the_cursor_is_drawn_in_reverse() -> None:
    rows = [Row(1, ("1", styled(("██▎   ", "pages")), styled(("text", "pages")), ""))]
    app = Demo(lambda: VirtualTable(COLUMNS, ListRows(rows)), "ckpt-ansi")
    async with app.run_test(size=(80, 24)) as pilot:
        table = app.query_one(VirtualTable)
        table.focus()
        await pilot.pause()
        styles = {s.text: s.style for s in table.render_line(1) if s.style and s.text.strip()}
        assert styles["██▎"].color == styles["text"].color, "of the pages"
        assert not styles["██▎"].reverse, "reversed, the area would be a hole"
        assert styles["text"].reverse, "and the rest of the line is that of the cursor"
        blank = [s.style for s in table.render_line(1) if s.style and not s.text.strip()]
        assert styles["text"].color not in [style.color for style in blank], "only the bar is"


async def test_a_single_column_is_as_wide_as_the_table() -> None:
    app = few([Row(1, ("1", "日本語" * 30, "/a" * 90, "9"))])
    async with app.run_test(size=(61, 8)) as pilot:
        await pilot.pause()
        table = app.query_one(VirtualTable)
        assert {table.render_line(y).cell_length for y in range(8)} == {61}


def demo_rows() -> list[Row]:
    names = ("sh -c exec …", "python3 app.py", "worker", "worker", "zombie")
    rows = [row_of(n) for n in range(3, 45)]
    for n, name in enumerate(names):
        mark = styled("  " * min(n, 2), f"{OPEN} " if n < 2 else "  ", name)
        rows.insert(n, Row(f"p{n}", (str(n), mark, "/usr/bin/python3", "12 MiB")))
    rows.insert(5, Row("bad", ("9", signed("fails", "exit 1"), signed("may-fail", "AVX"), "0 B")))
    rows.insert(6, Row("off", ("8", "left out", "/proc", "0 B"), meaning="muted"))
    return rows


def shown() -> Demo:
    return few(demo_rows())


async def _settle(pilot: Any) -> None:
    table = pilot.app.query_one(VirtualTable)
    table.focus()
    table.show_sorted(3, descending=True)
    table.cursor = 5
    await pilot.pause()


def test_looks_narrow(snap_compare: Any) -> None:
    assert snap_compare(shown(), terminal_size=(80, 24), run_before=_settle)


def test_looks_wide(snap_compare: Any) -> None:
    assert snap_compare(shown(), terminal_size=(120, 40), run_before=_settle)


def test_looks_empty(snap_compare: Any) -> None:
    app = few([], empty="No sockets: this checkpoint has none")
    assert snap_compare(app, terminal_size=(80, 24))
