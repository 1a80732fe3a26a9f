"""Archives that are converted as they are opened: the same result in one pass over their bytes."""

from __future__ import annotations

import dataclasses
import errno
import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from layouts import Layout, contents

from ckpt_tui.archive import archive_tree, compression, tar
from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.archive.compression import PlainStream
from ckpt_tui.checkpoint.inventory import build_criu_facts
from ckpt_tui.convert import first_pass, roles
from ckpt_tui.convert import request as request_module
from ckpt_tui.convert import staging as staging_module
from ckpt_tui.convert.request import Prepared, Request, prepare
from ckpt_tui.convert.run import ConvertedImage, run
from ckpt_tui.core.errors import Cancelled, CkptError, DamagedInput
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.window import BytesWindow
from fault_server import FaultServer

PAGES = "checkpoint/pages-1.img"


@pytest.fixture(autouse=True)
def _much_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the members of small archives be taken as those of large ones are."""
    for module in (roles, first_pass):
        monkeypatch.setattr(module, "LARGE", 20_000)
    for module in (archive_tree, first_pass):
        monkeypatch.setattr(module, "MAX_KEPT_MEMBER", 3000)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is decompressed, by name."""
    names: list[str] = []

    def counted(*arguments: Any) -> PlainStream:
        names.append(arguments[3])
        return compression.decompressed(*arguments)

    for module in (archive_tree, tar):
        monkeypatch.setattr(module, "decompressed", counted)
    return names


def passes_over(archive: Path, passes: list[str]) -> int:
    return sum(name in (archive.name, str(archive)) for name in passes)


def prepared(
    data: Path, archive: Path, folder: Path, progress: Progress | None = None, **more: Any
) -> Prepared:
    base = {"base": f"oci-archive:{data / 'archives/base-bb.oci.tar'}"}
    if more.get("keep_delta_tar"):
        base = {}
    at_once = more.pop("at_once", True)
    request = Request(str(archive), f"oci:{folder}:opt", **{**base, **more})
    return prepare(request, progress or quiet(), at_once=at_once)


def converted(data: Path, archive: Path, folder: Path, **more: Any) -> ConvertedImage:
    made = prepared(data, archive, folder, **more)
    try:
        return run(made.plan, made.inputs, quiet())
    finally:
        made.close()


def gzipped(archive: Path, target: Path, change: Callable[[list[Any]], list[Any]]) -> Path:
    """Pack the members of an archive, after a change to the list of them with their bytes."""
    tree = open_archive(BytesWindow(archive.read_bytes()), archive.name, quiet())
    data = dict(contents(tree))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as written:
        for name, kind, content in change(
            [(m.name, m.kind.value, data.get(m.name, b"")) for m in tree.members.values()]
        ):
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE if kind == "d" else tarfile.REGTYPE
            info.size, info.mode = len(content), 0o700
            written.addfile(info, io.BytesIO(content))
    tree.close()
    target.write_bytes(gzip.compress(out.getvalue(), 1))
    return target


def test_another_plan_of_an_open_source_costs_no_pass(
    data: Path, tmp_path: Path, passes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_tree, "MAX_KEPT_MEMBER", 1 << 20)
    archive = data / "archives/rootfs.tar.zst"
    base = f"oci-archive:{data / 'archives/base-bb.oci.tar'}"
    made = prepared(data, archive, tmp_path / "1", at_once=False)
    half = Request(str(archive), f"oci:{tmp_path / '2'}:x", keep_delta_tar=True)
    made = made.again(half, quiet())
    assert not made.plan.optimized
    made = made.again(Request(str(archive), f"oci:{tmp_path / '2'}:x", base), quiet())
    assert passes_over(archive, passes) == 1
    result = run(made.plan, made.inputs, quiet())
    made.close()
    assert passes_over(archive, passes) == 2
    assert result.digest == converted(data, archive, tmp_path / "3").digest


def test_a_plan_that_fails_lets_go_of_the_source(data: Path, tmp_path: Path) -> None:
    archive = data / "archives/counter.tar.zst"
    made = prepared(data, archive, tmp_path / "1", at_once=False)
    with pytest.raises(CkptError):
        made.again(Request(str(archive), "oci:x:y", base="oci:/nowhere:1"), quiet())
    with pytest.raises(CkptError, match="Bad file descriptor"):
        run(made.plan, made.inputs, quiet())


def test_standard_input_is_decompressed_once(data: Path, tmp_path: Path, passes: list[str]) -> None:
    archive = data / "archives/counter.tar.zst"
    expected = converted(data, archive, tmp_path / "1")
    passes.clear()
    saved = os.dup(0)
    try:
        with archive.open("rb") as file:
            os.dup2(file.fileno(), 0)
            found = converted(data, Path("-"), tmp_path / "2")
    finally:
        os.dup2(saved, 0)
        os.close(saved)
    assert passes.count("standard input") == 1
    assert found.digest == expected.digest


@pytest.mark.parametrize("name", ["counter", "rootfs"])
@pytest.mark.parametrize("keep_delta_tar", [False, True], ids=["whole", "half"])
def test_one_pass_gives_what_two_give(
    data: Path, tmp_path: Path, passes: list[str], name: str, keep_delta_tar: bool
) -> None:
    archive = data / f"archives/{name}.tar.zst"
    first = converted(data, archive, tmp_path / "1", keep_delta_tar=keep_delta_tar)
    assert passes_over(archive, passes) == 1
    passes.clear()
    second = converted(data, archive, tmp_path / "2", keep_delta_tar=keep_delta_tar, at_once=False)
    assert passes_over(archive, passes) > 1
    assert Layout(tmp_path / "1").files() == Layout(tmp_path / "2").files()
    assert dataclasses.replace(first, name="") == dataclasses.replace(second, name="")


def test_what_is_taken_is_written_once_and_the_delta_waits(data: Path, tmp_path: Path) -> None:
    made = prepared(data, data / "archives/rootfs.tar.zst", tmp_path / "out")
    assert made.inputs.first is not None
    assert [*made.inputs.first.written] == [PAGES, "checkpoint/pages-2.img"]
    assert made.plan.diff.entries
    made.close()


def test_a_plan_that_nobody_runs_leaves_nothing(data: Path, tmp_path: Path) -> None:
    made = prepared(data, data / "archives/rootfs.tar.zst", tmp_path / "out")
    assert [*tmp_path.rglob(".ckpt-tui-*")]
    made.close()
    assert not [*tmp_path.iterdir()]


def test_pages_that_must_stay_plain_are_read_again(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def marked(*arguments: Any) -> Any:
        return dataclasses.replace(build_criu_facts(*arguments), compressed_pages=True)

    monkeypatch.setattr(request_module, "build_criu_facts", marked)
    archive = data / "archives/counter.tar.zst"
    converted(data, archive, tmp_path / "1")
    converted(data, archive, tmp_path / "2", at_once=False)
    assert Layout(tmp_path / "1").files() == Layout(tmp_path / "2").files()


def test_folders_that_come_after_their_files_are_read_again(data: Path, tmp_path: Path) -> None:
    def late(members: list[Any]) -> list[Any]:
        return [m for m in members if m[1] != "d"] + [m for m in members if m[1] == "d"]

    archive = gzipped(data / "archives/counter.tar.zst", tmp_path / "late.tar.gz", late)
    converted(data, archive, tmp_path / "1")
    converted(data, archive, tmp_path / "2", at_once=False)
    assert Layout(tmp_path / "1").files() == Layout(tmp_path / "2").files()


def test_of_more_large_files_than_layers_the_smallest_go_together(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (roles, first_pass):
        monkeypatch.setattr(module, "MAX_OWN_LAYERS", 1)
    archive = data / "archives/counter.tar.zst"
    converted(data, archive, tmp_path / "1")
    converted(data, archive, tmp_path / "2", at_once=False)
    assert Layout(tmp_path / "1").files() == Layout(tmp_path / "2").files()


@pytest.mark.parametrize("name", [PAGES, "rootfs-diff.tar"])
def test_what_is_large_and_comes_twice_is_refused(data: Path, tmp_path: Path, name: str) -> None:
    def doubled(members: list[Any]) -> list[Any]:
        return [*members, next(m for m in members if m[0] == name)]

    archive = gzipped(data / "archives/rootfs.tar.zst", tmp_path / "twice.tar.gz", doubled)
    with pytest.raises(CkptError, match=f"{name} comes twice"):
        converted(data, archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_delta_larger_than_may_wait_is_read_again(
    data: Path, tmp_path: Path, passes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_pass, "MAX_WAITING", 5000)
    archive = data / "archives/rootfs.tar.zst"
    converted(data, archive, tmp_path / "1")
    assert passes_over(archive, passes) > 1
    converted(data, archive, tmp_path / "2", at_once=False)
    assert Layout(tmp_path / "1").files() == Layout(tmp_path / "2").files()


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_cut_archive_is_damage_and_leaves_nothing(
    data: Path, tmp_path: Path, part: float
) -> None:
    whole = (data / "archives/rootfs.tar.zst").read_bytes()
    (tmp_path / "cut.tar.zst").write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(DamagedInput):
        converted(data, tmp_path / "cut.tar.zst", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["cut.tar.zst"]


def test_an_archive_that_changes_after_it_was_read_is_refused(data: Path, tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.zst"
    archive.write_bytes((data / "archives/counter.tar.zst").read_bytes())
    made = prepared(data, archive, tmp_path / "out")
    os.utime(archive, (1, 1))
    with pytest.raises(CkptError, match="changed while it was read"):
        run(made.plan, made.inputs, quiet())
    made.close()
    assert not (tmp_path / "out").exists()


def test_a_disk_that_fills_in_the_first_pass_is_one_error_and_leaves_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(staging_module.Staging.__init__, "__defaults__", (full,))
    with pytest.raises(CkptError, match="No space left") as caught:
        converted(data, data / "archives/rootfs.tar.zst", tmp_path / "out")
    assert caught.value.hint
    assert not [*tmp_path.iterdir()]


def test_cancelling_the_first_pass_leaves_nothing(data: Path, tmp_path: Path) -> None:
    def cancelled() -> bool:
        return bool([*tmp_path.rglob("blob-*")])

    with pytest.raises(Cancelled):
        prepared(
            data, data / "archives/rootfs.tar.zst", tmp_path / "o", Progress(cancelled=cancelled)
        )
    assert not [*tmp_path.iterdir()]


def to_registry(data: Path, server: FaultServer, base: str) -> Prepared:
    archive = str(data / "archives/rootfs.tar.zst")
    return prepare(
        Request(archive, f"docker://{server.host}/app/c:opt", base), quiet(), at_once=True
    )


def writes(server: FaultServer) -> set[str]:
    return {seen.method for seen in server.seen} - {"GET", "HEAD"}


def test_a_refused_conversion_has_uploaded_nothing(data: Path, server: FaultServer) -> None:
    made = to_registry(data, server, f"oci-archive:{data / 'archives/base-bb.oci.tar'}")
    assert made.inputs.first is not None  # page images were made while it was opened
    refused = dataclasses.replace(made.plan, problems=("No.",))
    with pytest.raises(CkptError, match="cannot be converted"):
        run(refused, made.inputs, quiet())
    made.close()
    assert server.seen == []


def test_what_was_made_before_the_plan_is_sent_once_it_holds(
    data: Path, server: FaultServer
) -> None:
    made = to_registry(data, server, f"oci-archive:{data / 'archives/base-bb.oci.tar'}")
    assert made.inputs.first is not None
    assert writes(server) == set()
    result = run(made.plan, made.inputs, quiet())
    made.close()
    assert ("app/c", "opt") in server.manifests
    assert {("app/c", one.layer.descriptor.digest) for one in result.layers} <= set(server.blobs)
