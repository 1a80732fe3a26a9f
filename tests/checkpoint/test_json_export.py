"""What `--json` promises of a checkpoint: keys, escapes, times."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from ckpt_tui.checkpoint.export import SCHEMA_VERSION, checkpoint_document
from ckpt_tui.checkpoint.model import ContainerFacts, OpenFile, Process
from ckpt_tui.core.json_form import Many, json_pieces, plain, to_json
from crafted import ARCHIVES, IMAGES, loaded

TOP = {
    *("schema_version", "source", "format", "container", "criu", "processes", "files", "sockets"),
    *("mounts", "namespaces", "cgroups", "memory", "delta", "sizes", "notes", "images"),
}

PROMISED: dict[str, set[str]] = {
    "format": {"name", "engine", "optimized", "compression"},
    "container": {"id", "name", "image", "runtime", "created", "checkpointed", "pod"},
    "criu": {"image_version", "at_least", "version", "architecture", "page_size", "stats"},
    "processes": {
        *("pid", "ppid", "pgid", "sid", "state", "comm", "exe", "cwd", "root", "argv", "env"),
        *("uid", "gid", "capabilities", "threads"),
    },
    "files": {"pid", "fd", "kind", "target", "flags", "position", "deleted", "shared_with"},
    "sockets": {"pid", "fd", "family", "type", "state", "local", "remote", "queued"},
    "mounts": {"id", "parent_id", "namespace", "mountpoint", "fstype", "source", "flags"},
    "namespaces": {"id", "kind", "pids", "dumped"},
    "cgroups": {"id", "pids", "paths"},
    "memory": {"pid", "regions", "dumped_bytes", "zero_bytes", "shared_bytes"},
    "delta": {"added", "changed", "deleted"},
    "sizes": {"packed", "plain", "components", "images", "processes", "memory", "files"},
}


@pytest.fixture(scope="module")
def document() -> Any:
    return json.loads(to_json(checkpoint_document(loaded(IMAGES / "sockets"))))


def test_every_promised_key_is_there(document: Any) -> None:
    assert set(document) >= TOP
    assert document["schema_version"] == SCHEMA_VERSION == 1
    for part, keys in PROMISED.items():
        found = document[part]
        for record in found if isinstance(found, list) else [found]:
            assert set(record) >= keys, part


def test_threads_regions_and_notes_have_their_keys(document: Any) -> None:
    thread = document["processes"][0]["threads"][0]
    assert set(thread) >= {"tid", "comm", "registers", "blocked_in"}
    region = document["memory"][0]["regions"][0]
    assert set(region) >= {"start", "end", "kind", "protection", "path", "dumped"}
    assert set(document["notes"][0]) == {"where", "text", "damaged"}


def test_values_are_those_of_the_checkpoint(document: Any) -> None:
    process = document["processes"][0]
    assert (process["uid"], process["gid"]) == (0, 0)
    assert "CAP_CHOWN" in process["capabilities"]["effective"]
    assert process["argv"] is None
    connected = next(s for s in document["sockets"] if s["fd"] == 4)
    assert (connected["remote"], connected["peer"]) == ("127.0.0.1:8080", [1, 5])


def test_times_are_rfc_3339_in_utc() -> None:
    found = checkpoint_document(loaded(ARCHIVES / "cri-crio.tar"))["container"]
    assert found["created"].endswith("Z")
    assert datetime.fromisoformat(found["created"]).tzinfo is not None
    odd = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2, minutes=3, seconds=4)))
    assert plain(odd) == "2026-01-01T09:56:56Z"
    assert plain(datetime(2026, 1, 1, 0, 0, 0, 5, tzinfo=UTC)) == "2026-01-01T00:00:00.000005Z"


def test_bytes_that_are_no_text_are_escaped_and_whole_beside() -> None:
    process = plain(Process(1, 0, 1, 1, "running", "a\udcff", argv=(b"ok", b"\xff\x1b")))
    assert process["comm"] == "a\\xff"
    assert base64.b64decode(process["comm_base64"]) == b"a\xff"
    assert process["argv"] == ["ok", "\\xff\x1b"]
    assert [base64.b64decode(v) for v in process["argv_base64"]] == [b"ok", b"\xff\x1b"]
    assert "env_base64" not in process


def test_valid_text_is_given_exactly_and_json_escapes_it() -> None:
    file = plain(OpenFile(1, 3, "regular", "/ä\x1b]0;x\x07"))
    assert file["target"] == "/ä\x1b]0;x\x07"
    assert "target_base64" not in file
    assert "\x1b" not in to_json(file)
    assert to_json(file).isascii()


def test_half_a_surrogate_pair_from_an_engine_does_not_stop_it() -> None:
    found = plain(ContainerFacts(name="\ud800x", annotations={"\ud800": "\ud83d"}))
    assert to_json(found).isascii()
    assert base64.b64decode(found["name_base64"]) == b"\xed\xa0\x80x"


@pytest.mark.parametrize(
    "document",
    [{}, [], {"a": []}, {"a": {}, "b": [1, {"c": ["x\ny"]}]}, [[], [{}]], "é", None, {"é": 1}],
)
def test_pieces_are_what_json_writes_at_once(document: object) -> None:
    assert "".join(json_pieces(document)) == json.dumps(document, indent=2)


def test_long_lists_are_written_item_by_item(monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = loaded(IMAGES / "sockets")
    whole = to_json(checkpoint_document(checkpoint))
    monkeypatch.setattr("ckpt_tui.core.json_form.AT_ONCE", 3)
    document = checkpoint_document(checkpoint)
    assert isinstance(document["files"], Many)
    assert to_json(document) == whole
    longest = max(map(len, json_pieces(document["files"])))
    assert longest < len(whole) / 10
