"""Exit codes, errors in three sentences, closed pipes, and what is imported for what."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from ran import Run

from ckpt_tui.core.errors import Cancelled
from crafted import ARCHIVES, DATA, IMAGES

SOURCE = Path(__file__).parent.parent.parent / "tui"


def program(*words: object, shell: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program as a process of its own, `shell` says how; $P is the program."""
    command = [sys.executable, "-m", "ckpt_tui", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "P": f"{sys.executable} -m ckpt_tui"}
    if shell:
        command = ["bash", "-c", shell]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize(
    ("words", "code", "sentences"),
    [
        (("inspect", "/nowhere"), 3, ["/nowhere cannot be read.", "There is no such file"]),
        (("inspect", "oci:/nowhere"), 3, ["/nowhere cannot be read."]),
        (("inspect", __file__), 1, ["is not a tar archive"]),
        (
            ("convert", ARCHIVES / "counter.tar.zst", "/tmp/x"),
            2,
            ["is not a place", "It is written"],
        ),
        (("diagnose",), 2, ["Nothing to diagnose is named."]),
        (("diagnose", "--log", "/nowhere.log"), 3, ["/nowhere.log cannot be read:"]),
        (("sizes",), 2, ["Missing argument 'TARGET...'"]),
        (("inspect", "--bogus"), 2, ["No such option"]),
        (("--bogus",), 2, ["No such option"]),
    ],
)
def test_failures_have_their_code_and_their_sentences(
    run: Run, words: tuple[object, ...], code: int, sentences: list[str]
) -> None:
    found = run(*words)
    assert (found.code, found.out) == (code, "")
    for sentence in sentences:
        assert sentence in found.err


def test_a_log_that_is_no_file_is_not_taken_for_an_empty_one(run: Run, tmp_path: Path) -> None:
    fifo = tmp_path / "restore.log"
    os.mkfifo(fifo)
    found = run("diagnose", "--log", fifo)
    assert (found.code, found.out) == (3, "")
    assert "It is not a regular file." in found.err
    assert "`--log -` reads standard input." in found.err


def test_an_empty_file_says_so(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "empty.tar"
    path.touch()
    found = run("inspect", path)
    assert found.code == 1
    assert found.err.splitlines()[:2] == [f"ckpt-tui: {path} is empty.", "It has no bytes."]


def test_an_interruption_has_the_code_of_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(*_: object, **__: object) -> None:
        raise Cancelled

    monkeypatch.setattr("ckpt_tui.cli.opened.open_checkpoint", give_up)
    found = run("inspect", IMAGES / "kinds")
    assert (found.code, found.err) == (130, "Interrupted.\n")


def test_a_mistake_of_the_program_is_told_without_a_traceback(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("oh\x1b[31m")

    monkeypatch.delenv("CKPT_TUI_TRACEBACK", raising=False)
    monkeypatch.setattr("ckpt_tui.cli.opened.open_checkpoint", fail)
    found = run("inspect", IMAGES / "kinds")
    assert found.code == 1
    assert found.err.splitlines()[1] == "RuntimeError: oh\\x1b[31m."


def test_the_screens_want_a_terminal() -> None:
    for words in ((), ("demo",), (ARCHIVES / "counter.tar.zst",)):
        found = program(*words)
        assert (found.returncode, found.stdout) == (2, "")
        assert found.stderr.startswith("ckpt-tui: The screens need a terminal.")
        assert "ckpt-tui inspect TARGET" in found.stderr


def test_a_reader_that_left_is_no_error() -> None:
    found = program(
        shell=f"$P inspect {IMAGES / 'kinds'} --json | head -c 1; exit ${{PIPESTATUS[0]}}"
    )
    assert found.returncode == 128 + signal.SIGPIPE
    assert found.stderr == ""


def test_streams_that_the_caller_closed_are_no_error() -> None:
    target = IMAGES / "counter"
    assert program(shell=f"$P inspect {target} >&-").returncode == 0
    assert program(shell=f"$P images {target} --json 2>&- | grep -c pstree").stdout == "1\n"
    assert program(shell="$P <&-").returncode == 2


def test_a_terminal_of_another_encoding_gets_escapes() -> None:
    found = program(shell=f"PYTHONIOENCODING=ascii $P sizes {IMAGES / 'counter'}")
    assert found.returncode == 0
    assert "\\u2588" in found.stdout


def test_standard_input_is_a_target() -> None:
    archive = ARCHIVES / "counter.tar.zst"
    found = program(shell=f"cat {archive} | $P images - --json | grep -c '\"name\"'")
    assert int(found.stdout) > 20


MODULES = textwrap.dedent("""
    import sys
    from ckpt_tui.cli import main
    try:
        main(sys.argv[1:])
    except SystemExit:
        pass
    print("MODULES", *sys.modules, file=sys.stderr)
""")


def imported(*words: object) -> set[str]:
    found = subprocess.run(
        [sys.executable, "-c", MODULES, *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    return set(found.stderr.rpartition("MODULES ")[2].split())


def test_help_pays_for_nothing() -> None:
    heavy = {"textual", "rich", "oras", "requests", "google", "zstandard", "isal"}
    assert not heavy & imported("--help")
    assert not heavy & imported("convert", "--help")


COUNTER = ARCHIVES / "counter.tar.zst"
SCREEN = {"textual", "rich", "ckpt_tui.ui"}
REGISTRY = {"oras", "requests", "urllib3"}
MODEL = {"ckpt_tui.checkpoint.model", "ckpt_tui.checkpoint.build", "ckpt_tui.views.table"}
PACKED = {"zstandard", "isal", "ckpt_tui.archive.archive_tree", "ckpt_tui.sources.oci"}
WRITING = {"ckpt_tui.convert.run", "ckpt_tui.convert.plan"}


@pytest.mark.parametrize(
    ("words", "unneeded"),
    [
        (("decode", f"dir:{IMAGES / 'kinds'}", "core-1.img"), MODEL | PACKED | WRITING),
        (("decode", IMAGES / "kinds", "core-1.img", "--crit"), MODEL | PACKED | {"pathlib"}),
        (("decode", IMAGES / "kinds", "core-1.img", "--json"), MODEL | PACKED | {"pathlib"}),
        (("decode", COUNTER, "core-1.img", "--crit"), MODEL | {"tomllib", "ckpt_tui.views"}),
        (("inspect", COUNTER), WRITING | {"tomllib", "ckpt_tui.sources.stores"}),
        (("images", IMAGES / "kinds"), WRITING | {"tomllib"}),
        (("sizes", COUNTER, "--json"), WRITING),
        (("diagnose", COUNTER), WRITING),
        (("diagnose", "--log", DATA / "demo-web/restore.log"), WRITING | {"tomllib"}),
        (("formats", COUNTER), {"tomllib"}),
        (("compare", COUNTER, COUNTER, "--no-pages"), WRITING),
        (("ls", DATA), WRITING | {"google.protobuf", "ckpt_tui.checkpoint.build"}),
        (("host",), WRITING),
        (("man",), MODEL | PACKED | {"google.protobuf"}),
    ],
    ids=lambda one: (
        " ".join(getattr(word, "name", str(word)) for word in one) if isinstance(one, tuple) else ""
    ),
)
def test_a_headless_command_imports_only_what_it_needs(
    words: tuple[object, ...], unneeded: set[str]
) -> None:
    modules = imported(*words)
    assert "ckpt_tui.cli.main" in modules
    assert sorted((SCREEN | REGISTRY | unneeded) & modules) == []


def test_help_names_every_command_and_exits_well(run: Run) -> None:
    found = run("--help")
    assert found.code == 0
    for command in ("inspect", "images", "decode", "sizes", "diagnose", "convert", "demo"):
        assert f"\n  {command} " in found.out
    assert run("--version").out.startswith("ckpt-tui, version ")


def test_the_first_frame_waits_for_nothing_that_looks_into_checkpoints() -> None:
    shown = "ckpt_tui.ui.app, ckpt_tui.ui.screens.browse, ckpt_tui.ui.tour"
    code = f"import sys, {shown}; print(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    modules = set(found.stdout.split())
    heavy = {"google.protobuf", "oras", "requests", "ckpt_tui.convert.run"}
    assert not {*heavy, "ckpt_tui.diagnose.checks"} & modules
