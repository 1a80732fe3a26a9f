"""Processes as a tree, and their command lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from ckpt_tui.checkpoint.model import Process
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.known_values import COVER
from ckpt_tui.core.masks import covered, is_secret, masked, masked_arguments
from ckpt_tui.core.styled import Styled
from ckpt_tui.views.details import ref_sections
from ckpt_tui.views.processes import command_line, exit_text, process_rows
from ckpt_tui.views.table import tree_order
from crafted import ARCHIVES, IMAGES, loaded


def process(pid: int, ppid: int, *argv: bytes, state: str = "running") -> Process:
    return Process(pid, ppid, pid, pid, state, "name", argv=argv or None)


def walk(processes: tuple[Process, ...]) -> Iterator[tuple[int, Process]]:
    return tree_order(processes, lambda p: p.pid, lambda p: p.ppid)


def test_parents_come_before_their_children() -> None:
    found = list(walk((process(3, 2), process(1, 0), process(2, 1), process(4, 1))))
    assert [(depth, p.pid) for depth, p in found] == [(0, 1), (1, 2), (2, 3), (1, 4)]


def test_a_process_whose_parent_is_elsewhere_stands_at_the_root() -> None:
    found = list(walk((process(7, 5), process(9, 7))))
    assert [(depth, p.pid) for depth, p in found] == [(0, 7), (1, 9)]


def test_processes_that_are_their_own_ancestors_are_each_shown_once() -> None:
    found = list(walk((process(1, 2), process(2, 1), process(3, 3))))
    assert sorted(p.pid for _, p in found) == [1, 2, 3]


def test_arguments_are_quoted_as_a_shell_would_take_them() -> None:
    shown = command_line(process(1, 0, b"sh", b"-c", b"echo 'hi'; ls", b"", b"\xff\x1b"))
    assert shown == "sh -c 'echo '\\''hi'\\''; ls' '' '\\xff\\x1b'"


def test_arguments_that_were_written_over_are_not_told_one_by_one() -> None:
    counter = loaded(ARCHIVES / "counter.tar.zst")
    renamed = dataclasses.replace(counter.processes[0], argv=(b"redis *:6379", *[b""] * 45))
    assert command_line(renamed) == "'redis *:6379'"
    checkpoint = dataclasses.replace(counter, processes=(renamed,))
    arguments = ref_sections(checkpoint, Ref.process(1), False)[1]
    assert [str(fact.value) for fact in arguments.facts] == [
        "redis *:6379",
        "45 empty arguments: the process overwrote its command line",
    ]
    few = process(1, 0, b"printf", b"%s", b"", b"")
    assert command_line(few) == "printf %s '' ''"
    assert command_line(process(1, 0, b"", b"", b"", b"")) == "''"


def test_without_arguments_there_is_the_short_name() -> None:
    assert command_line(process(1, 0)) == "name"
    dead = dataclasses.replace(process(1, 0, state="zombie"), exit_code=9)
    assert command_line(dead) == "name (zombie, killed by signal 9)"
    assert exit_text(3 << 8) == "exit code 3"
    assert exit_text(None) == "no exit code"


def test_a_long_command_does_not_hide_what_the_process_did() -> None:
    counter = loaded(ARCHIVES / "counter.tar.zst")
    long = dataclasses.replace(counter.processes[0], argv=(b"python3", b"-c", b"x" * 10_000))
    checkpoint = dataclasses.replace(counter, processes=(long,))
    first, arguments = ref_sections(checkpoint, Ref.process(1), False)[:2]
    facts = {fact.label: str(fact.value) for fact in first.facts}
    assert facts["command"] == f"python3 -c {'x' * 148}…"
    assert [str(fact.value) for fact in arguments.facts] == ["python3", "-c", "x" * 10_000]


def test_secrets_in_arguments_are_covered_until_asked_for() -> None:
    one = process(1, 0, b"app", b"--token=abc", b"--db-password", b"hunter2", b"-v")
    assert command_line(one) == f"app --token={COVER} --db-password {COVER} -v"
    assert command_line(one, reveal=True) == "app --token=abc --db-password hunter2 -v"


def test_rows_have_memory_threads_and_files() -> None:
    rows = process_rows(loaded(ARCHIVES / "counter.tar.zst"))
    assert [row.key for row in rows] == [Ref.process(1), Ref.process(8)]
    assert str(rows[1].cells[1]) == "  sleep 1"
    assert isinstance(rows[0].cells[2], Styled)
    assert rows[0].values[2:] == (73728, 1, 3, 0)
    kinds = process_rows(loaded(IMAGES / "kinds"))
    assert [str(row.cells[3]) for row in kinds] == ["4", "1", "1", "1"]


@pytest.mark.parametrize(
    ("variable", "shown"),
    [
        ("API_TOKEN=abc", f"API_TOKEN={COVER}"),
        ("PATH=/bin", "PATH=/bin"),
        ("DATABASE_URL=postgres://me:pw@db/x", f"DATABASE_URL={COVER}"),
        ("EMPTY_SECRET=", "EMPTY_SECRET="),
        ("no equals sign", "no equals sign"),
        ("A=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2ln", f"A={COVER}"),
        ("AKIAABCDEFGHIJKLMNOP", COVER),
    ],
)
def test_variables_that_look_like_secrets(variable: str, shown: str) -> None:
    assert covered(variable, reveal=False) == shown
    assert covered(variable, reveal=True) == variable
    assert is_secret("X_KEY", "") is False


def test_an_option_without_a_value_covers_no_other_option() -> None:
    assert masked_arguments(["--password", "--verbose"], False) == ["--password", "--verbose"]
    assert masked_arguments(["x", "--password"], False) == ["x", "--password"]


@pytest.mark.parametrize(
    "text", ["eyJ-", "secret", "://a:b", "eyJaaaaaaaa.", "ghp_", "-----BEGIN "]
)
def test_long_foreign_text_is_gone_through_once(text: str) -> None:
    assert masked(text * 100_000, False)
