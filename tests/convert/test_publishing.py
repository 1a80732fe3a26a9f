"""Conversions straight into a registry: what is sent, what is mounted, and what goes wrong."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ckpt_tui.convert import publishing
from ckpt_tui.convert.publishing import RegistrySink
from ckpt_tui.convert.request import Request, prepare
from ckpt_tui.convert.run import ConvertedImage, run
from ckpt_tui.core import progress
from ckpt_tui.core.errors import Cancelled, CkptError, notes_of
from ckpt_tui.core.paths import cache_dir
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.sources.reference import parse_reference
from fault_server import Answer


def sent(data: Path, server: Any, progress: Progress | None = None, **more: str) -> ConvertedImage:
    base = more.pop("base", f"oci-archive:{data / 'archives/base-bb.oci.tar'}")
    request = Request(
        str(data / "archives/counter.tar.zst"), f"docker://{server.host}/app/c:opt", base, **more
    )
    prepared = prepare(request, quiet())
    try:
        return run(prepared.plan, prepared.inputs, progress or quiet())
    finally:
        prepared.close()


def local(data: Path, server: Any, folder: Path) -> ConvertedImage:
    request = Request(
        str(data / "archives/counter.tar.zst"),
        f"oci:{folder}:opt",
        f"oci-archive:{data / 'archives/base-bb.oci.tar'}",
        f"{server.host}/app/c",
    )
    prepared = prepare(request, quiet())
    try:
        return run(prepared.plan, prepared.inputs, quiet())
    finally:
        prepared.close()


def uploads(server: Any) -> list[str]:
    return [s.path for s in server.seen if s.method == "POST" and "/uploads/" in s.path]


def nothing_left_behind() -> bool:
    return not any(path.is_file() for path in cache_dir().rglob("*"))


def test_the_registry_gets_what_a_layout_would_have(
    data: Path, server: Any, tmp_path: Path
) -> None:
    result = sent(data, server)
    expected = local(data, server, tmp_path / "out")
    assert result.digest == expected.digest
    assert result.name == f"docker://{server.host}/app/c:opt"
    stored = {digest: blob for (_, digest), blob in server.blobs.items()}
    stored |= {d: m for (_, d), (_, m) in server.manifests.items() if d.startswith("sha256:")}
    files = {
        f"sha256:{path.name}": path.read_bytes()
        for path in (tmp_path / "out/blobs/sha256").iterdir()
    }
    assert stored == files
    assert nothing_left_behind()


def test_the_name_comes_last(data: Path, server: Any) -> None:
    sent(data, server)
    writes = [s.path for s in server.seen if s.method in ("PUT", "POST", "PATCH")]
    assert writes[-1].endswith("/manifests/opt")
    assert sum("/manifests/" in path for path in writes) == 3


def test_a_second_run_sends_no_blob(data: Path, server: Any) -> None:
    first = sent(data, server)
    server.seen.clear()
    assert sent(data, server).digest == first.digest
    assert uploads(server) == []


def test_a_run_after_a_failure_sends_what_is_missing_alone(data: Path, server: Any) -> None:
    refusal = Answer(400, b'{"errors": [{"code": "MANIFEST_INVALID"}]}')
    server.on("PUT", "/manifests/", refusal)
    with pytest.raises(CkptError):
        sent(data, server)
    assert not any(tag == "opt" for _, tag in server.manifests)
    assert nothing_left_behind()
    server.seen.clear()
    sent(data, server)
    assert uploads(server) == []
    assert ("app/c", "opt") in server.manifests


def test_layers_of_a_base_in_the_same_registry_are_mounted(data: Path, server: Any) -> None:
    from ckpt_tui.convert.copying import copy

    copy(
        f"oci-archive:{data / 'archives/base-bb.oci.tar'}",
        f"docker://{server.host}/base/bb:1",
        quiet(),
    )
    server.seen.clear()
    result = sent(data, server, base=f"docker://{server.host}/base/bb:1")
    layer = next(w.layer.descriptor.digest for w in result.layers if w.role == "base")
    assert [p for p in uploads(server) if "mount=" in p]
    assert ("app/c", layer) in server.blobs
    assert not [p for p in server.paths("PUT") if layer[7:] in p]


def test_a_registry_that_is_gone_in_the_middle_is_one_error_and_leaves_nothing(
    data: Path, server: Any
) -> None:
    server.always("PUT", "/uploads/", Answer(503, b"gone"))
    with pytest.raises(CkptError) as caught:
        sent(data, server)
    assert server.host in str(caught.value)
    assert not server.manifests
    assert nothing_left_behind()


def test_a_registry_that_lost_a_blob_is_not_believed(data: Path, server: Any) -> None:
    result = sent(data, server)
    pages = next(w.layer.descriptor.digest for w in result.layers if w.role == "pages")
    before = len(server.manifests)
    server.blobs.clear()
    server.always("HEAD", pages[7:], Answer(404))
    with pytest.raises(CkptError, match="does not have what it was sent"):
        sent(data, server)
    assert len(server.manifests) == before


def test_cancelling_ends_the_uploads_and_leaves_nothing(data: Path, server: Any) -> None:
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 3

    with pytest.raises(Cancelled):
        sent(data, server, Progress(cancelled=cancelled))
    assert not server.manifests
    assert nothing_left_behind()


def test_blobs_do_not_pile_up_on_disk(
    data: Path, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file is gone once it is sent, but that of the delta, which is read again."""
    left: list[set[str]] = []
    check = "ckpt_tui.convert.publishing.RegistrySink.check"

    def looked(self: Any, progress: Progress) -> None:
        self._await_jobs(0)
        found = {path for path in self.scratch_folder.iterdir() if path.name.startswith("blob-")}
        left.append({hashlib.sha256(path.read_bytes()).hexdigest() for path in found})

    monkeypatch.setattr(check, looked)
    result = sent(data, server)
    delta = next(w.layer.descriptor.digest for w in result.layers if w.role == "delta")
    assert left == [{delta[7:]}]


def test_config_dump_names_the_repository_that_it_was_sent_to(data: Path, server: Any) -> None:
    result = sent(data, server)
    manifest = json.loads(server.manifests["app/c", result.checkpoint][1])
    assert result.repository == f"{server.host}/app/c"
    assert manifest["annotations"]["org.criu.checkpoint.format.version"] == "0.2"


def test_an_upload_under_way_ends_when_nobody_wants_it(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry answers the beginning of the upload only once it is not wanted any more."""
    monkeypatch.setattr(progress, "YIELD_S", 0.0)  # else 4 MiB may be there before one looks
    monkeypatch.setattr(progress, "REPORT_S", 0.0)
    place = parse_reference(f"docker://{server.host}/app/c")
    staging = RegistrySink(place, quiet())
    begun, never = threading.Event(), threading.Event()

    def answer_late(seen: Any) -> None:
        while seen.method == "POST" and not staging._ended:
            begun.set()
            never.wait(0.001)

    server.rules.append(answer_late)
    with staging:
        staging.begin(())
        blob = staging.new_blob()
        blob.write(bytes(4 << 20))
        staging.keep(blob)
        assert begun.wait(10)
    assert not server.blobs
    assert nothing_left_behind()


def test_a_question_does_not_wait_for_the_upload_before_it(server: Any) -> None:
    """The registry takes the first blob only once it was asked for the second."""
    asked = threading.Event()
    in_time: list[bool] = []
    second = hashlib.sha256(b"second").hexdigest()

    def wait_for_question(seen: Any) -> None:
        if seen.method == "HEAD" and second in seen.path:
            asked.set()
        elif seen.method == "PUT" and second not in seen.path:
            in_time.append(asked.wait(10))

    server.rules.append(wait_for_question)
    with RegistrySink(parse_reference(f"docker://{server.host}/app/c"), quiet()) as staging:
        staging.begin(())
        for content in (b"first", b"second"):
            blob = staging.new_blob()
            blob.write(content)
            staging.keep(blob)
        staging.check(quiet())
    assert in_time == [True]


def test_a_blob_that_changed_on_its_way_is_refused_by_the_registry(
    data: Path, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = publishing._pieces

    def changed(path: Path) -> Iterator[bytes]:
        return (bytes([piece[0] ^ 1]) + piece[1:] for piece in pieces(path))

    monkeypatch.setattr(publishing, "_pieces", changed)
    with pytest.raises(CkptError, match="digest invalid"):
        sent(data, server)
    assert not server.manifests
    assert nothing_left_behind()


def failed(data: Path, server: Any, *, at_once: bool = True) -> CkptError:
    """Let a conversion fail at its last step, and return the error."""
    server.always("PUT", "manifests/opt", Answer(500))
    archive, base = data / "archives/counter.tar.zst", data / "archives/base-bb.oci.tar"
    request = Request(str(archive), f"docker://{server.host}/app/c:opt", f"oci-archive:{base}")
    prepared = prepare(request, quiet(), at_once=at_once)
    try:
        with pytest.raises(CkptError) as caught:
            run(prepared.plan, prepared.inputs, quiet())
    finally:
        prepared.close()
    return caught.value


@pytest.mark.parametrize("at_once", [True, False])
def test_what_was_sent_is_removed_when_the_conversion_fails(
    data: Path, server: Any, at_once: bool
) -> None:
    def delete(seen: Any) -> Answer | None:
        if seen.method != "DELETE":
            return None
        kind, _, digest = seen.path.removeprefix("/v2/app/c/").partition("/")
        kept = server.blobs if kind == "blobs" else server.manifests
        return Answer(202 if kept.pop(("app/c", digest), None) else 404)

    server.rules.append(delete)
    error = failed(data, server, at_once=at_once)
    assert notes_of(error) == []
    assert uploads(server)
    assert not [name for name, _ in server.blobs if name == "app/c"]
    assert not server.manifests


def test_where_the_registry_removes_nothing_the_error_says_so(data: Path, server: Any) -> None:
    server.always("DELETE", "", Answer(405))
    error = failed(data, server)
    there = [name for name, _ in (*server.blobs, *server.manifests) if name == "app/c"]
    assert there
    (note,) = notes_of(error)
    assert f"stay in {server.host}/app/c without a name" in note


def test_blobs_that_were_there_before_stay(data: Path, server: Any) -> None:
    sent(data, server)
    del server.manifests["app/c", "opt"]
    before = dict(server.blobs), dict(server.manifests)
    failed(data, server)
    assert (server.blobs, server.manifests) == before
    assert not [s for s in server.seen if s.method == "DELETE"]
