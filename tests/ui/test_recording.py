"""The moving picture of the README: whole frames, one at a time."""

from __future__ import annotations

import re
from typing import Any
from xml.dom import minidom

from demo import Demo
from recording import joined, moving
from textual.widgets import Static


async def picture(text: str) -> str:
    app: Any = Demo(lambda: Static(text))
    async with app.run_test(size=(40, 6)) as pilot:
        await pilot.pause()
        return str(app.export_screenshot(title="x"))


async def test_frames_keep_their_text_and_colours() -> None:
    pictures = [await picture("[bold red]one[/]"), await picture("[bold red]two[/] plain")]
    whole = joined(pictures, 2)
    document = minidom.parseString(whole)
    frames = [g for g in document.getElementsByTagName("g") if g.getAttribute("class") == "frame"]
    assert [("one" in f.toxml(), "two" in f.toxml()) for f in frames] == [
        (True, False),
        (False, True),
    ]
    rules = dict(re.findall(r"\.(c\d+) \{ (.*?) \}", whole))
    used = set(re.findall(r'class="(c\d+)"', whole))
    assert used <= set(rules)
    red = [name for name, style in rules.items() if "bold" in style]
    assert len(red) == 1, "a colour that both have is there once"
    assert not re.search(r"terminal-\d", whole)


def test_every_moment_has_one_frame() -> None:
    shown = []
    for rule in moving(4, 2.5):
        shown += re.findall(r"([\d.]+)% \{ visibility: visible \} ([\d.]+)% ", rule)
    assert [(float(a), float(b)) for a, b in shown] == [(0, 25), (25, 50), (50, 75), (75, 100)]
    assert "animation-duration: 10s" in moving(4, 2.5)[0]
