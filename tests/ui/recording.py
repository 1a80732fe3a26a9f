"""The tour of `ckpt-tui demo` as one moving picture of 30 seconds, for screenshots.py.

The program itself goes through the tour and is photographed at each stop. Everything is the same in
every run but the seconds that it measures.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import screenshots
from textual.app import App

SECONDS = 3.0
"""For which a stop is shown."""

SIZE = (100, 30)
"""Cells."""

NOW = datetime(2026, 12, 24, 12, tzinfo=UTC)

_RULE = re.compile(r"\.(terminal-\d+-r\d+) \{ (.*?) \}")
_CLASS = re.compile(r"terminal-\d+-r\d+")
_PREFIX = re.compile(r"terminal-\d+-")
_CLIPPING = re.compile(r"<clipPath id=.*?</clipPath>", re.DOTALL)
_CLIPPED = re.compile(r' clip-path="url\(#[^"]*\)"')


class Stopped(datetime):
    """A clock that stands: ages are the same in every picture."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return NOW


def stop_the_clock() -> None:
    """Let nothing of this host be in the pictures."""
    from ckpt_tui.diagnose import host
    from ckpt_tui.ui.screens import reading
    from ckpt_tui.views import browse, card, overview

    for module in (browse, card, overview):
        module.datetime = Stopped  # type: ignore[attr-defined]
    for module in (reading, host):
        module.this_host = lambda: None  # type: ignore[attr-defined]


async def frames() -> AsyncIterator[str]:
    """Yield the SVG of every stop."""
    from ckpt_tui.ui.tour import STEPS, DemoApp

    app: App[Any] = DemoApp(Path("demo"))
    made = tempfile.TemporaryDirectory()
    store = Path(made.name) / "out"
    store.mkdir()
    os.chdir(made.name)
    for path in screenshots.DEMO.iterdir():
        if path.suffix != ".py" and path.is_file():
            copied = Path(made.name, "demo", path.name)
            copied.parent.mkdir(exist_ok=True)
            copied.write_bytes(path.read_bytes())
            os.utime(copied, (NOW.timestamp() - 7200,) * 2)
    app._made = Folder("out")  # type: ignore[attr-defined]
    async with app.run_test(size=SIZE) as pilot:
        for number in range(len(STEPS)):
            if number:
                await pilot.press("n")
            await screenshots.settle(app, pilot)
            await pilot.pause(screenshots.REST_S)
            await screenshots.settle(app, pilot)
            yield app.export_screenshot(title=f"ckpt-tui demo  {number + 1} of {len(STEPS)}")
    os.chdir("/")
    made.cleanup()


class Folder:
    """In place of a temporary folder: one with a name that is the same every time."""

    def __init__(self, name: str) -> None:
        self.name = name

    def cleanup(self) -> None:
        """The one around it goes as a whole."""


def joined(pictures: list[str], seconds: float) -> str:
    """Return one SVG that shows each of some of the same size for so many seconds, again and again.

    Colours that frames share have one rule; lines are not clipped, as they are as long as the
    screen is wide.
    """
    rules: dict[str, str] = {}
    groups = []
    for number, picture in enumerate(pictures):
        styles = dict(_RULE.findall(picture))
        body = picture.partition("</style>")[2].rpartition("</svg>")[0]
        body = _CLIPPED.sub("", _CLIPPING.sub("", body)).replace("<defs>", "", 1)
        body = body.replace("</defs>", "", 1)

        def named(match: re.Match[str], styles: dict[str, str] = styles) -> str:
            style = styles.get(match.group(), "")
            return rules.setdefault(style, f"c{len(rules)}")

        body = _PREFIX.sub("t-", _CLASS.sub(named, body))
        body = re.sub(r"\n\s*", "\n", body).strip()
        groups.append(f'<g class="frame" id="f{number}">{body}</g>')
    head, _, rest = pictures[0].partition("<style>")
    common = _RULE.sub("", rest.partition("</style>")[0])
    return "\n".join(
        [
            head.partition("<!--")[0].strip(),
            "<style>",
            *(line for line in _PREFIX.sub("t-", common).splitlines() if line.strip()),
            *(f".{name} {{ {style} }}" for style, name in rules.items()),
            *moving(len(pictures), seconds),
            "</style>",
            *groups,
            "</svg>",
            "",
        ]
    )


def moving(count: int, seconds: float) -> list[str]:
    """Return the CSS that shows one frame after another; without animation the first is shown."""
    rules = [
        ".frame { visibility: hidden; animation-timing-function: step-end;"
        f" animation-duration: {count * seconds:g}s; animation-iteration-count: infinite }}",
        "#f0 { visibility: visible }",
    ]
    for number in range(count):
        start, end = 100 * number / count, 100 * (number + 1) / count
        before = "0% { visibility: hidden }" if number else ""
        rules.append(f"#f{number} {{ animation-name: k{number} }}")
        rules.append(
            f"@keyframes k{number} {{ {before} {start:g}% {{ visibility: visible }}"
            f" {end:g}% {{ visibility: hidden }} }}"
        )
    return rules


async def _all() -> list[str]:
    return [picture async for picture in frames()]


def tour() -> str:
    """Go through the tour and return the moving picture."""
    stop_the_clock()
    return joined(asyncio.run(_all()), SECONDS)
