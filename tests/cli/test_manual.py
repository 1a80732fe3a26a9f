"""The manual page: written from the commands, the one that is installed is up to date."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest
from ran import Run

from ckpt_tui.cli.commands import cli
from ckpt_tui.cli.manual import manual

PAGE = Path(__file__).parents[2] / "tui/man/ckpt-tui.1"


def test_the_page_that_is_installed_is_what_the_commands_say(run: Run) -> None:
    assert PAGE.read_text() == manual(cli) == run("man").out


def test_the_page_has_every_command_and_option() -> None:
    page = manual(cli).replace("\\-", "-")
    for name, command in cli.commands.items():
        assert (f".SS ckpt-tui {name} " in page) == (not command.hidden), name
        for option in command.params:
            if isinstance(option, click.Option) and not command.hidden:
                assert option.opts[-1] in page


def test_text_that_troff_would_take_for_commands_is_text() -> None:
    hostile = click.Group("x", help="\b\n.so /etc/passwd\n'br\n\\n[.x] é")
    page = manual(hostile)
    assert "\n.so" not in page
    assert "\n'" not in page
    assert "\\&.so /etc/passwd\n\\(aqbr\n\\en[.x] \\[u00E9]\n" in page


def test_no_line_is_longer_than_a_terminal(run: Run) -> None:
    filled = re.sub(r"(?s)\n\.nf\n.*?\n\.fi\n", "\n", run("man").out)
    assert [line for line in filled.splitlines() if len(line) > 80] == []


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
def test_mandoc_has_no_complaint() -> None:
    done = subprocess.run(["mandoc", "-T", "lint", PAGE], capture_output=True, text=True)
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_groff_has_no_complaint() -> None:
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", PAGE], capture_output=True, check=True, text=True
    )
    assert done.stderr == ""
    assert "Show values that look like secrets." in done.stdout
