"""Text for a terminal is wrapped to it; what is to be copied stays whole."""

from __future__ import annotations

import pytest

from ckpt_tui.cli import output
from ckpt_tui.cli.output import print_facts
from ckpt_tui.cli.tables import print_table
from ckpt_tui.views.table import Column, Row

SENTENCE = "CRIU compares the size of every open or mapped file with that of the dump."
COMMAND = "podman container restore --tcp-established --import /srv/a-long/path/web.tar.zst"


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    print_facts([("why", SENTENCE), ("", ""), ("copy", COMMAND + "\n"), ("", "a\x1bb")], wraps=True)
    return capsys.readouterr().out.splitlines()


def test_sentences_are_wrapped_to_a_terminal_and_commands_are_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output.sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(output, "width", lambda: 40)
    lines = printed(capsys)
    assert lines[:2] == [
        "why   CRIU compares the size of every",
        "      open or mapped file with that of",
    ]
    assert f"copy  {COMMAND}" in lines
    assert all(len(line) <= 40 for line in lines if COMMAND not in line)
    assert lines[-1] == "      a\\x1bb"


def test_nothing_is_wrapped_for_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys)[0] == f"why   {SENTENCE}"


COLUMNS = (Column("NAME", width=6), Column("SIZE", width=4, align="right"))
ROWS = [Row(1, ("a", "1")), Row(2, ("a name of many letters", "22"))]


def test_a_table_in_a_pipe_is_as_wide_as_its_cells(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(COLUMNS, ROWS)
    assert capsys.readouterr().out.splitlines() == [
        "NAME                    SIZE",
        "a                          1",
        "a name of many letters    22",
    ]


def test_a_table_on_a_terminal_is_cut_to_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output.sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "14")
    print_table(COLUMNS, ROWS)
    assert capsys.readouterr().out.splitlines() == ["NAME    SIZE", "a          1", "a nam…    22"]
