"""`--key` on every command that opens a checkpoint, and nothing of a key in any output."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ran import Run

from crafted import ARCHIVES
from keys import Pair, pair

ROOTFS, BASE = ARCHIVES / "rootfs.tar.zst", ARCHIVES / "base-bb.oci.tar"


@pytest.fixture
def locked(run: Run, tmp_path: Path) -> tuple[str, Pair]:
    """An encrypted image, and the key that opens it."""
    one = pair(tmp_path)
    target = f"oci:{tmp_path / 'locked'}:a"
    words = ("convert", ROOTFS, target, "--base", BASE, "--encrypt-to", one.recipient)
    assert run(*words).code == 0
    return target, one


COMMANDS = (
    ("inspect",),
    ("images",),
    ("decode", "inventory.img"),
    ("sizes", "--pages"),
    ("verify",),
    ("stacks",),
    ("formats",),
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_with_the_key_a_command_prints_what_it_prints_of_the_plain_image(
    command: tuple[str, ...], locked: tuple[str, Pair], run: Run, tmp_path: Path
) -> None:
    target, one = locked
    name, *more = command
    found = run(name, target, *more, "--json", "--key", one.private)
    assert found.code == 0
    refused = run(name, target, *more, "--json")  # and the key does not stay for the next call
    assert refused.out != found.out
    assert "PRIVATE KEY" not in found.out + found.err + refused.out + refused.err


def test_inspect_shows_what_is_readable_and_whose_keys_open_the_rest(
    locked: tuple[str, Pair], run: Run
) -> None:
    target, one = locked
    found = run("inspect", target)
    assert found.code == 0
    assert "not known: it is encrypted" in found.out
    assert "0 processes" not in found.out
    document = run("inspect", target, "--json").document
    assert document["format"]["locked"] is True
    (key_id,) = document["format"]["key_ids"]
    assert key_id in found.out
    opened = run("inspect", target, "--json", "--key", one.private).document
    assert (opened["format"]["locked"], opened["format"]["key_ids"]) == (False, [key_id])


@pytest.mark.parametrize("command", ["images", "stacks", "formats", "decode"])
def test_without_a_key_a_command_fails_with_its_id(
    command: str, locked: tuple[str, Pair], run: Run
) -> None:
    more = ("inventory.img",) if command == "decode" else ()
    found = run(command, locked[0], *more)
    assert (found.code, found.out) == (1, "")
    assert "is encrypted: no key was given. It asks for " in found.err.replace("\n", " ")


def test_a_search_of_what_cannot_be_read_is_not_without_a_match(
    locked: tuple[str, Pair], run: Run
) -> None:
    target, one = locked
    found = run("search", "PATH=", target)
    assert (found.code, found.out) == (1, "")
    assert "is encrypted" in found.err
    assert run("search", "PATH=", target, "--key", one.private).code == 0


def test_a_key_in_the_configuration_opens_and_encrypts(
    run: Run, own_home: Path, tmp_path: Path
) -> None:
    one = pair(tmp_path)
    config = own_home / ".config/ckpt-tui/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(
        f'[encryption]\nrecipients = ["{one.recipient}"]\nprivate_keys = ["{one.private}"]\n'
    )
    target = f"oci:{tmp_path / 'locked'}:a"
    result = run("convert", ROOTFS, target, "--base", BASE, "--encrypt", "--json").document
    assert all("+encrypted" in la["media_type"] for la in result["layers"] if la["role"] != "base")
    assert run("images", target).code == 0


def test_without_recipients_there_is_nobody_to_encrypt_for(run: Run, tmp_path: Path) -> None:
    found = run("convert", ROOTFS, f"oci:{tmp_path / 'x'}:a", "--base", BASE, "--encrypt")
    assert found.code == 2
    assert "has no `recipients`" in found.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--encrypt-to", "pkcs7:/cert.pem"), "PKCS#7"),
        (("--encrypt-to", "jwe:/nowhere.pem"), "cannot be read"),
    ],
)
def test_a_recipient_that_cannot_be_used_ends_it_before_anything_is_written(
    words: tuple[str, str], said: str, run: Run, tmp_path: Path
) -> None:
    found = run("convert", ROOTFS, f"oci:{tmp_path / 'x'}:a", "--base", BASE, *words)
    assert found.code == 2
    assert said in found.err
    assert not (tmp_path / "x").exists()


def test_the_plan_lists_what_stays_readable(run: Run, tmp_path: Path) -> None:
    one = pair(tmp_path)
    words = ("convert", ROOTFS, "--base", BASE, "--encrypt-to", one.recipient, "--dry-run")
    assert "STAYS READABLE" in run(*words).out
    document = run(*words, "--json").document
    assert len(document["encrypted_for"]) == 1
    assert any("rootfs" in text for text in document["in_clear"])
    assert run("convert", ROOTFS, "--base", BASE, "--dry-run", "--json").document["in_clear"] == []


def test_copy_encrypts_and_decrypts(locked: tuple[str, Pair], run: Run, tmp_path: Path) -> None:
    target, one = locked
    opened = f"oci:{tmp_path / 'opened'}:a"
    assert run("copy", target, opened, "--decrypt").code == 1
    assert run("copy", target, opened, "--decrypt", "--key", one.private).code == 0
    assert run("images", opened).code == 0
    again = run(
        "copy", opened, f"oci:{tmp_path / 'again'}:a", "--encrypt-to", one.recipient, "--json"
    )
    assert again.document["copied"]["digest"]
    layers = json.loads(run("ls", f"oci:{tmp_path / 'again'}:a", "--json").out)["blobs"]
    assert sum(blob["media_type"].endswith("+encrypted") for blob in layers) >= 4


def test_what_was_changed_is_damage_and_nothing_of_it_is_printed(
    locked: tuple[str, Pair], run: Run, tmp_path: Path
) -> None:
    target, one = locked
    for blob in (tmp_path / "locked/blobs/sha256").iterdir():
        data = bytearray(blob.read_bytes())
        if data[:1] not in (b"{", b"\x1f"):  # neither a document nor the base layer
            data[len(data) // 2] ^= 1
            blob.write_bytes(data)
    for command in ("verify", "inspect", "search"):
        words = ("PATH=",) if command == "search" else ()
        found = run(command, *words, target, "--key", one.private)
        assert found.code == 1
        for secret in ("/usr/local/sbin", "PRIVATE KEY", "symkey"):
            assert secret not in found.out + found.err
