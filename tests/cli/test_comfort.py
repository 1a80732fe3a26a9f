"""Completion of a shell, the plugin of checkpointctl, and a config file that is wrong."""

from __future__ import annotations

import sys

import pytest

from ckpt_tui.cli import main
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
