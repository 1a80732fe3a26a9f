"""What looks like a secret: all that were planted, and none where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from planted import PLANTED, planted_archive

from ckpt_tui.checkpoint.patterns import scan
from ckpt_tui.checkpoint.records import Note
from ckpt_tui.checkpoint.secret_rules import SecretFinder, secret_rules
from ckpt_tui.checkpoint.secrets import Secret, find_secrets
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.opened import open_checkpoint
from ckpt_tui.formats.searching import inside_of
from crafted import ARCHIVES, DATA, IMAGES


def found_in(target: object) -> list[Secret]:
    opened = open_checkpoint(str(target), quiet())
    problems: list[Note] = []
    try:
        return find_secrets(inside_of(opened, quiet()), quiet(), problems)
    finally:
        opened.close()
        assert problems == []


def found_by(text: bytes) -> list[tuple[str, bytes]]:
    """Return id and value of what is found in a few bytes."""
    marks = [one.mark for one in scan((text,), SecretFinder(), quiet())]
    return [(m.rule.id, text[slice(*m.value)]) for m in marks]  # type: ignore[attr-defined]


def test_every_rule_has_a_secret_that_was_planted() -> None:
    assert {rule.id for rule in secret_rules()} == PLANTED.keys()
    assert len(PLANTED) >= 40


@pytest.mark.parametrize("name", PLANTED)
def test_a_secret_of_each_kind_is_found_alone(name: str) -> None:
    value, text = PLANTED[name]
    found = found_by(b"\0\0" + text.encode() + b"\0\0")
    assert [one for one, _ in found] == [name]
    assert found[0][1].decode().strip() == value.strip()


def test_all_planted_secrets_are_found_in_memory_files_and_metadata(tmp_path: Path) -> None:
    found = {one.value.decode().strip(): one for one in found_in(planted_archive(tmp_path))}
    missing = []
    for name, (value, _) in PLANTED.items():
        written = value.strip()
        known = found.get(written) or found.get(written.replace("\n", "\\n"))
        if known is None or known.kind != name:
            missing.append(name)
    assert missing == []
    assert len(found) == len(PLANTED)
    kinds = {place.kind for one in found.values() for place in one.places}
    assert kinds == {"memory", "delta", "metadata"}


CLEAN = (
    *(ARCHIVES / name for name in ("counter.tar.zst", "rootfs.tar.zst", "cri-podman.tar")),
    *(IMAGES / name for name in ("counter", "sockets")),
    DATA / "ctr-counter",
    Path(__file__).parents[2] / "tui/ckpt_tui/demo/counter-optimized.oci.tar",
)


@pytest.mark.parametrize("target", CLEAN, ids=lambda path: path.name)
def test_nothing_is_found_where_there_is_nothing(target: Path) -> None:
    assert [(one.kind, one.value) for one in found_in(target)] == []


@pytest.mark.parametrize(
    "text",
    [
        b"-----BEGIN RSA PRIVATE KEY-----\0-----END RSA PRIVATE KEY-----\0",
        b"AKIAIOSFODNN7EXAMPLE",
        b"ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        b"ghp_" + b"a" * 36,
        b"http://user:password@example.org/",
        b"http://example.org:8080/a@b",
        b"API_TOKEN=${API_TOKEN}",
        b"DB_PASSWORD=changeme",
        b"eyJhbGciOiJ9.eyJhbGciOiJ9aaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaa",
        b"sha256:" + bytes(range(48, 58)) * 6 + b"0123",
        bytes(range(256)) * 20,
        b'{"password": "********"}',
        b"login\x00password\x00",
        b"host=a password=<secret>",
    ],
    ids=lambda text: repr(text[:24]),
)
def test_what_only_stands_for_a_secret_is_none(text: bytes) -> None:
    assert found_by(text) == []


def test_many_random_characters_alone_are_none() -> None:
    from planted import LETTERS, some

    text = "\n".join(some(64, LETTERS + "+/") for _ in range(2000)).encode()
    assert found_by(text) == []


def test_a_value_is_told_once_with_all_its_places() -> None:
    (secret,) = found_in(DATA / "demo-web/web.tar.zst")
    assert (secret.kind, secret.value) == ("named-value", b"hunter2-demo")
    assert {place.kind for place in secret.places} == {"environment", "metadata", "memory"}
    assert secret.count == len(secret.places) == 10
    assert secret.masked == "••••••"
    assert "hunter2" not in repr(secret)


def test_a_better_rule_tells_the_kind_of_a_named_value() -> None:
    value, text = PLANTED["github-token"]
    assert found_by(f"GITHUB_TOKEN={text}".encode()) == [("github-token", value.encode())]


def test_secrets_across_pieces_and_threads_are_found_once() -> None:
    from concurrent.futures import ThreadPoolExecutor

    value, _ = PLANTED["github-token"]
    data = b"".join(b"." * 5000 + value.encode() for _ in range(200))
    pieces = [data[at : at + 7000] for at in range(0, len(data), 7000)]
    with ThreadPoolExecutor(2) as pool:
        places = [one.place for one in scan(pieces, SecretFinder(), quiet(), 0, pool)]
    assert places == [one.place for one in scan((data,), SecretFinder(), quiet())]
    assert len(places) == 200
