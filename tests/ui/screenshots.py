"""Draw the pictures in screenshots/ from the running program.

    python tests/ui/screenshots.py [NAME…]      `tour` is the moving one

Needs Fira Code (Debian: fonts-firacode), which Textual's SVG asks for.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

if __name__ == "__main__":  # before Textual is imported, which reads the environment
    for variable in [*os.environ]:
        if variable.startswith("TEXTUAL") or variable in ("NO_COLOR", "COLORTERM", "TMUX"):
            del os.environ[variable]
    sys.path.insert(0, str(ROOT / "tui"))

import resvg_py  # noqa: E402
from textual.app import App  # noqa: E402

FONTS = Path("/usr/share/fonts")

ZOOM = 2
"""Pixels of the picture for one of the SVG: sharp on dense displays."""

REST_S = 0.5
"""Seconds before the picture: the browser looks into what the cursor rests on."""

PLAIN_LETTERS = "text { letter-spacing: 0.01px; }"
"""Any spacing turns the font's ligatures off; a terminal draws `->` and `<=` as two characters."""


@dataclass(frozen=True)
class Shot:
    """One picture."""

    name: str
    """Of the files, without suffix."""
    app: Callable[[], App[Any]]
    keys: tuple[str, ...] = ()
    """Pressed one after another; what is still working ends before the next."""
    size: tuple[int, int] = (120, 36)
    """Cells."""


DEMO = ROOT / "tui" / "ckpt_tui" / "demo"
"""Pictures show the checkpoints that come along, so that everybody sees the same."""


def browser() -> App[Any]:
    """The program as `ckpt-tui demo` starts it."""
    from ckpt_tui.ui.app import CkptApp

    return CkptApp((), DEMO, "demo checkpoints")


def opened(name: str) -> Callable[[], App[Any]]:
    """The program with one of the bundled checkpoints."""

    def make() -> App[Any]:
        from ckpt_tui.ui.app import CkptApp

        os.chdir(DEMO)
        return CkptApp((name,))

    return make


def compared(*names: str) -> Callable[[], App[Any]]:
    """The program with bundled checkpoints beside each other."""

    def make() -> App[Any]:
        from ckpt_tui.ui.app import CkptApp

        os.chdir(DEMO)
        return CkptApp(compared=names)

    return make


SHOTS: tuple[Shot, ...] = (
    Shot("browser", browser, ("down", "down", "down", "down")),
    Shot("overview", opened("web.tar.zst")),
    Shot("processes", opened("web.tar.zst"), ("2",)),
    Shot("files", opened("web.tar.zst"), ("3", "end")),
    Shot("sockets", opened("web.tar.zst"), ("4",)),
    Shot("namespaces", opened("web.tar.zst"), ("7", "right_square_bracket")),
    Shot("memory", opened("web.tar.zst"), ("5", "down", "down", "down", "down")),
    Shot("images", opened("web.tar.zst"), ("8", "down", "down", "tab", "down", "down")),
    Shot("sizes", opened("web.tar.zst"), ("9", "p", "b", "b", "enter")),
    Shot("diagnosis", opened("web.tar.zst"), ("0",)),
    Shot("convert", opened("web.tar.zst"), ("c",)),
    Shot("compare", compared("counter.tar.zst", "web.tar.zst"), ("down", "down")),
    Shot("formats", opened("counter.tar.zst"), ("t", "m")),
)


TOUR = "tour"
"""Name of the moving picture."""


async def settle(app: App[Any], pilot: Any) -> None:
    """Wait until no worker runs and every message is handled."""
    await pilot.pause()
    while any(not worker.is_finished for worker in app.workers):
        await pilot.pause(0.02)
    await pilot.pause()


async def svg_of(shot: Shot) -> str:
    """Run the program, press the keys, return what is on the screen."""
    app = shot.app()
    async with app.run_test(size=shot.size) as pilot:
        await settle(app, pilot)
        for key in shot.keys:
            await pilot.press(key)
            await settle(app, pilot)
        await pilot.pause(REST_S)
        await settle(app, pilot)
        return app.export_screenshot(title=shot.name)


def png_of(svg: str) -> bytes:
    """Draw an SVG with the fonts of this system."""
    svg = svg.replace("</style>", PLAIN_LETTERS + "</style>", 1)
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=ZOOM, font_dirs=[str(FONTS)]))


def font_is_there() -> bool:
    """Return whether the letters would be those that the SVG was measured with."""
    return any(FONTS.rglob("FiraCode-Regular.*"))


def write(shot: Shot, folder: Path) -> None:
    """Write `folder`/NAME.svg and NAME.png."""
    svg = asyncio.run(svg_of(shot))
    (folder / f"{shot.name}.svg").write_text(svg)
    (folder / f"{shot.name}.png").write_bytes(png_of(svg))


def main(names: list[str]) -> int:
    """Write the pictures named, or all."""
    if not font_is_there():
        print("Fira Code is not installed; on Debian: apt-get install fonts-firacode")
        return 1
    from recording import stop_the_clock, tour  # it imports this module

    stop_the_clock()
    for shot in SHOTS:
        if not names or shot.name in names:
            write(shot, ROOT / "screenshots")
            print(f"screenshots/{shot.name}.png")
    if not names or TOUR in names:
        (ROOT / "screenshots" / f"{TOUR}.svg").write_text(tour())
        print(f"screenshots/{TOUR}.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
