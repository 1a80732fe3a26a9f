"""`serve`: what it prints and writes, and how it ends."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path

import pytest
from ran import Run

from ckpt_tui.restore.working_set import read_working_set
from fault_server import Answer, FaultServer
from lazy_dumps import (
    LAZY,
    PAGE,
    PRESENT,
    Client,
    in_registry,
    page,
    serve_program,
    write_dump,
)


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    return write_dump(tmp_path / "dump", {7: ((0x10000, 40, PRESENT | LAZY),)})


def test_it_ends_after_one_restore_where_told(dump: Path, tmp_path: Path) -> None:
    record = tmp_path / "set.json"
    words = ("--images", tmp_path / "lazy", "--once", "--record", record)
    with serve_program(dump, *words) as program:
        with Client(program.address) as client:
            assert client.got(7, 0x12000, 1) == page(7, 0x12000)
            client.close()
        code, errors = program.end()
    assert (code, errors.count("\n")) == (0, 2)
    said, asked = errors.splitlines()
    assert said.endswith(": 1 requests, 4.00 KiB, waited 0.0 s. Done.")
    assert asked == "Asked for first: 4.00 KiB, 2.5% of the pages"
    assert read_working_set(record.read_bytes()).runs == {7: ((0x12000, 1),)}


def test_it_serves_until_a_signal(dump: Path, tmp_path: Path) -> None:
    with serve_program(dump, "--images", tmp_path / "lazy") as program:
        for _ in range(2):
            with Client(program.address) as client:
                client.got(7, 0x12000, 1)
                client.close()
        code, errors = program.end(signal.SIGTERM)
    assert (code, errors.count("Done.")) == (0, 2)


def test_ended_in_the_middle_it_says_what_that_means(dump: Path, tmp_path: Path) -> None:
    with (
        serve_program(dump, "--images", tmp_path / "lazy") as program,
        Client(program.address) as client,
    ):
        client.got(7, 0x12000, 1)
        code, errors = program.end(signal.SIGINT)
    assert code == 1
    assert "Memory that has not arrived reads as zeros" in errors


def test_a_failure_is_said_while_the_container_waits(dump: Path, tmp_path: Path) -> None:
    with serve_program(dump, "--images", tmp_path / "lazy") as program:
        with Client(program.address) as client:
            client.got(7, 0x12000, 1)
            client.ask(7, 0x99000, 1)
            assert program.error_line().endswith("Stop it before this server.\n")
        code, errors = program.end(signal.SIGTERM)
    assert code == 1
    assert "Pages of process 7 at 0x99000 were asked for." in errors


def test_a_working_set_is_read(dump: Path, tmp_path: Path) -> None:
    known = tmp_path / "set.json"
    known.write_text('{"schema_version": 1, "processes": [{"pid": 7, "runs": [["0x10000", 3]]}]}')
    words = ("--images", tmp_path / "lazy", "--working-set", known)
    with serve_program(dump, *words) as program, Client(program.address) as client:
        assert client.got(7, 0x10000, 1) == page(7, 0x10000)
        client.close()


def test_the_commands_can_be_pasted(dump: Path, tmp_path: Path) -> None:
    folder, bundle = tmp_path / "its images", tmp_path / "a bundle"
    words = ("--images", folder, "--bundle", bundle, "--name", "my web")
    with serve_program(dump, *words) as program:
        serving, restoring = map(shlex.split, program.document["commands"])
        port = program.document["port"]
    assert serving[:7] == [
        *("criu", "lazy-pages", "--page-server", "--address", "127.0.0.1", "--port", str(port))
    ]
    assert serving[serving.index("--images-dir") + 1] == str(folder)
    assert serving[serving.index("--work-dir") + 1] == str(bundle)
    assert restoring[:3] == ["runc", "restore", "--lazy-pages"]
    assert restoring[restoring.index("--bundle") + 1] == str(bundle)
    assert restoring[-1] == "my web"


def test_without_a_bundle_criu_restores(dump: Path, tmp_path: Path) -> None:
    with serve_program(dump, "--images", tmp_path / "lazy") as program:
        commands = program.document["commands"]
        assert program.document["lazy"] == 40 * PAGE
    assert [command.split()[:2] for command in commands] == [
        ["criu", "lazy-pages"],
        ["criu", "restore"],
    ]
    assert not [word for command in commands for word in command.split() if word.isupper()]


def test_another_address_is_warned_of(dump: Path, tmp_path: Path) -> None:
    words = ("--images", tmp_path / "lazy", "--listen", "0.0.0.0:0")
    with serve_program(dump, *words) as program:
        assert program.error_line().endswith("travel in clear. Use --tls.\n")


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("--listen", "here"), 2, "not an address and a port"),
        (("--listen", "127.0.0.1:99999"), 2, "not an address and a port"),
        (("--listen", "192.0.2.1:9000"), 1, "cannot be listened on"),
        (("--tls", "--tls-cert", "/nowhere"), 1, "TLS cannot be used"),
        (("--working-set", "/nowhere"), 3, "/nowhere cannot be read"),
        (("--cache", "1"), 2, "--cache"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_is_refused(
    words: tuple[str, ...], code: int, text: str, dump: Path, tmp_path: Path, run: Run
) -> None:
    done = run("serve", dump, "--images", tmp_path / "lazy", *words)
    assert done.code == code
    assert text in done.err
    assert not (tmp_path / "lazy").exists()


def test_an_attached_working_set_is_used_by_the_next(
    dump: Path, tmp_path: Path, server: FaultServer
) -> None:
    target = in_registry(server, dump)
    for number in range(2):
        words = ("--images", tmp_path / f"lazy{number}", "--once", "--attach")
        with serve_program(target, *words) as program:
            known = program.document["working_set"]
            with Client(program.address) as client:
                assert client.got(7, 0x12000, 2) == page(7, 0x12000) + page(7, 0x13000)
                client.close()
            code, errors = program.end()
        assert (code, known and known["bytes"]) == (0, 8192 if number else None)
        assert "Asked for first: 8.00 KiB, 5.0% of the pages" in errors


def test_without_a_working_set_that_can_be_read_it_serves(
    dump: Path, tmp_path: Path, server: FaultServer
) -> None:
    target = in_registry(server, dump)
    server.always("GET", "/referrers/", Answer(500))
    with serve_program(target, "--images", tmp_path / "lazy") as program:
        assert program.document["working_set"] is None
        with Client(program.address) as client:
            assert client.got(7, 0x12000, 1) == page(7, 0x12000)
            client.close()
        _, errors = program.end(signal.SIGTERM)
    assert "without a working set" in errors


def test_what_cannot_be_attached_is_said_first(dump: Path, tmp_path: Path, run: Run) -> None:
    done = run("serve", dump, "--images", tmp_path / "lazy", "--attach")
    assert done.code == 2
    assert "cannot be attached" in done.err
    assert not (tmp_path / "lazy").exists()
