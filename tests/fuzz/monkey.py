"""Presses random keys in a terminal: nothing fails, and memory, threads and files come back.

    python tests/fuzz/monkey.py [--seconds 1800] [--seed N]

The program runs in tmux, in folders of its own with the checkpoints and logs of the tests, at sizes
that change. In each round something is opened in the browser, keys are pressed at random, and the
way back to the browser is taken. Compared are memory, threads and open files there after the first
rounds and at the end. The seed is printed; the same seed presses the same keys.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
DATA = HERE.parent / "data"
TUI = HERE.parent.parent / "tui"

SIZES = ((80, 24), (120, 40), (200, 60), (40, 10), (100, 30), (20, 5))

KEYS = (
    *"abcdefghijklmnoprstuvwxyzABCDEFGHIJKLMNOPRSTUVWXYZ0123456789/?.:+-*#[]()<>=,;!",
    *("Enter", "Escape", "Tab", "BTab", "Space", "BSpace", "Up", "Down", "Left", "Right"),
    *("PageUp", "PageDown", "Home", "End", "F1", "F5", "Down", "Down", "Enter", "Escape"),
    *("C-f", "C-p", "C-u", "C-w", "C-l"),
)
"""As tmux names them; not those that leave the program at once."""

WARM_UP = 10
"""Rounds before the first measurement: what is imported and cached is there then."""

MORE_MEMORY = 1.2
FAILED = re.compile(r"Traceback|Unexpected error|Exception|Error: ")


class Terminal:
    """The program in a tmux of its own."""

    def __init__(self, folder: Path) -> None:
        self._server = ["tmux", "-L", f"monkey-{os.getpid()}", "-f", str(folder / "tmux.conf")]
        self.folder = folder
        (folder / "tmux.conf").write_text("set -g remain-on-exit on\n")
        for name in ("home", "tmp", "here"):
            (folder / name).mkdir()
        for path in targets():
            copied = folder / "here" / path.name
            shutil.copytree(path, copied) if path.is_dir() else shutil.copy(path, copied)
        environment = {
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "PYTHONPATH": str(TUI),
            "PAGER": "true",
            "CKPT_TUI_TRACEBACK": "1",
            "XDG_CACHE_HOME": str(folder / "home/cache"),
        }
        pairs = [word for pair in environment.items() for word in ("-e", "=".join(pair))]
        program = [sys.executable, "-m", "ckpt_tui"]
        words = f"exec {' '.join(program)}"
        self.tmux(
            "new-session", "-d", "-x", "120", "-y", "40", "-c", str(folder / "here"), *pairs, words
        )
        self.pid = int(self.tmux("list-panes", "-F", "#{pane_pid}"))

    def tmux(self, *words: str) -> str:
        done = subprocess.run([*self._server, *words], capture_output=True, text=True)
        return done.stdout

    def press(self, *keys: str) -> None:
        for key in keys:
            self.tmux("send-keys", *(("-l", key) if len(key) == 1 else (key,)))

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p")

    def stable_screen(self) -> str:
        """Return the screen once it does not change any more, or a job only counts on."""
        before = ""
        for _ in range(20):
            time.sleep(0.4)
            found = self.screen()
            if found == before:
                break
            before = found
        return before

    def resize(self, size: tuple[int, int]) -> None:
        self.tmux("resize-window", "-x", str(size[0]), "-y", str(size[1]))

    @property
    def runs(self) -> bool:
        return Path(f"/proc/{self.pid}/status").exists()

    def figures(self) -> tuple[int, int, int]:
        """Return KiB of memory, threads and open files."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        numbers = dict(re.findall(r"(VmRSS|Threads):\s+(\d+)", status))
        return (
            int(numbers["VmRSS"]),
            int(numbers["Threads"]),
            len(os.listdir(f"/proc/{self.pid}/fd")),
        )

    def wait(self, text: str, seconds: float = 20) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.runs:
            if text in self.screen():
                return True
            time.sleep(0.1)
        return False

    def close(self) -> None:
        self.tmux("kill-server")


def targets() -> list[Path]:
    found = [DATA / f"images/{name}" for name in ("kinds", "counter", "sockets")]
    found += sorted((DATA / "archives").iterdir()) + sorted((DATA / "logs").iterdir())[:2]
    return [path for path in found if path.exists()]


class Monkey:
    def __init__(self, terminal: Terminal, seed: int) -> None:
        self._terminal = terminal
        self._chance = random.Random(seed)
        self.pressed = 0

    def round(self) -> None:
        """Open what is on some line, press keys, and go back."""
        terminal = self._terminal
        terminal.resize(self._chance.choice(SIZES[:3]))
        terminal.press("Home", *["Down"] * self._chance.randrange(40), "Enter")
        time.sleep(1)
        for _ in range(self._chance.randrange(30, 90)):
            if self._chance.random() < 0.05:
                terminal.resize(self._chance.choice(SIZES))
            terminal.press(self._chance.choice(KEYS))
            self.pressed += 1
            if self._chance.random() < 0.2:
                time.sleep(self._chance.random() / 4)
        self.back()

    def back(self) -> None:
        """Leave all screens but the browser."""
        terminal = self._terminal
        terminal.resize((120, 40))
        for _ in range(40):
            terminal.press("Escape")
            screen = terminal.stable_screen()
            assert terminal.runs, f"it ended:\n{screen}"
            assert not FAILED.search(screen), screen
            if is_browser(screen):
                terminal.press("Escape", "Escape")  # what is open in it
                return
            terminal.press("q")
            if is_browser(terminal.stable_screen()):
                return
        raise AssertionError(f"no way back:\n{terminal.screen()}")


def is_browser(screen: str) -> bool:
    return screen.partition("\n")[0].strip() == "ckpt-tui"


def play(terminal: Terminal, seed: int, seconds: float) -> None:
    """Press keys for so long; print what was measured, and raise where it is not as it was."""
    assert terminal.wait("WHERE"), terminal.screen()
    monkey, end, rounds = Monkey(terminal, seed), time.monotonic() + seconds, 0
    first = (0, 0, 0)
    while time.monotonic() < end or rounds <= WARM_UP:
        monkey.round()
        rounds += 1
        if rounds == WARM_UP:
            first = settled(terminal, (1 << 40, 0, 0))
    last = settled(terminal, first)
    print(f"{monkey.pressed:,} keys, {rounds} rounds; KiB, threads, files: {first} and {last}")
    left = [*(terminal.folder / "tmp").iterdir(), *files(terminal.folder / "home/cache")]
    assert not left, left
    assert last[0] <= MORE_MEMORY * first[0], "it takes more memory"
    assert last[1] <= first[1] + 1, "threads are left"
    assert last[2] <= first[2], "files are left open"


def settled(terminal: Terminal, wanted: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the figures once they are low enough, or do not sink any more."""
    found = terminal.figures()
    for _ in range(30):
        if found[0] <= MORE_MEMORY * wanted[0] and found[1:] <= wanted[1:]:
            break
        time.sleep(1)
        found = terminal.figures()
    return found


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="monkey-"))
    terminal = Terminal(folder)
    try:
        play(terminal, given.seed, given.seconds)
    finally:
        terminal.close()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
