"""Completion of a shell, the plugin of checkpointctl, and a config file that is wrong."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ran import Run

from ckpt_tui.cli import main
from ckpt_tui.cli.commands import cli
from ckpt_tui.cli.plugin import main as plugin
from ckpt_tui.core.config import config_file


def completed(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> set[str]:
    monkeypatch.setenv("_CKPT_TUI_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
    with pytest.raises(SystemExit):
        main([])
    return set(capsys.readouterr().out.split())


def test_a_shell_completes_commands_options_and_files(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert {"plain,convert", "plain,compare", "plain,copy"} <= completed(
        "ckpt-tui co", monkeypatch, capsys
    )
    assert completed("ckpt-tui inspect --j", monkeypatch, capsys) == {"plain,--json"}
    assert completed("ckpt-tui inspect /tm", monkeypatch, capsys) == {"file,/tm"}


COMPLETE = """
compopt() { echo compopt "$@"; }  # the real one works at a prompt only
eval "$(_CKPT_TUI_COMPLETE=bash_source ckpt-tui)"
COMP_WORDS=(ckpt-tui "$1"); COMP_CWORD=1; COMPREPLY=()
_ckpt_tui_completion ckpt-tui "$1" ckpt-tui
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
@pytest.mark.parametrize(
    ("word", "offered"),
    [
        ("ins", ["inspect"]),
        ("co", ["compare", "convert", "copy", "core"]),
        ("web.t", [""]),
        ("", sorted(name for name, command in cli.commands.items() if not command.hidden)),
    ],
)
def test_bash_completes_commands_and_else_files(word: str, offered: list[str]) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", COMPLETE, "bash", word],
        env={**os.environ, "PATH": path},
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout.splitlines() == ["compopt -o default", *offered]


@pytest.mark.parametrize(
    "line",
    [
        "diagnose --log /tm",
        "diagnose --host /tm",
        "sizes x --with /tm",
        "report x -o /tm",
        "convert dir:x --upper /tm",
        "convert x --base /tm",
        "copy x /tm",
    ],
)
def test_a_shell_completes_files_wherever_one_is_asked_for(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert completed(f"ckpt-tui {line}", monkeypatch, capsys) == {"file,/tm"}


def test_checkpointctl_gets_a_description_with_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["checkpointctl-tui", "--plugin-description"])
    with pytest.raises(SystemExit) as left:
        plugin()
    assert left.value.code == 42
    assert capsys.readouterr().out.count("\n") == 1


def test_as_a_plugin_it_is_the_same_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["checkpointctl-tui", "--version"])
    with pytest.raises(SystemExit) as left:
        plugin()
    assert left.value.code == 0
    assert "ckpt-tui" in capsys.readouterr().out


def test_a_wrong_setting_is_said_with_file_and_key(capsys: pytest.CaptureFixture[str]) -> None:
    config_file().parent.mkdir(parents=True)
    config_file().write_text('thme = "light"')
    with pytest.raises(SystemExit) as left:
        main(["images", "none.tar"])
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert "config.toml: thme" in said
    assert "Traceback" not in said


def test_every_command_has_an_example_that_it_takes(run: Run) -> None:
    for name, command in cli.commands.items():
        if command.hidden or name == "demo":
            continue
        text = run(name, "--help").out
        examples = [ln.split("ckpt-tui ", 1)[1] for ln in text.splitlines() if "ckpt-tui " in ln]
        own = [line for line in examples if line.startswith(f"{name} ") and "[OPTIONS]" not in line]
        assert own or "ckpt-tui host >" in text, name
        for line in own:
            words = shlex.split(re.split(r" [|>&]|   ", line)[0])[1:]
            with command.make_context(name, words, resilient_parsing=True) as context:
                assert not context.args, line
            options = {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
            assert {w for w in words if w.startswith("-") and w != "-"} <= options, line
