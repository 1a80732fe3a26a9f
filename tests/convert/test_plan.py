"""What a plan says before anything is written."""

from __future__ import annotations

import dataclasses
import io
import tarfile
from pathlib import Path

import pytest
import zstandard
from layouts import OpenSource, repacked

from ckpt_tui.archive import header_window
from ckpt_tui.archive.archive_tree import ArchiveTree, open_archive
from ckpt_tui.archive.seekable import SeekableZstdWriter
from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.convert import roles, rootfs_diff
from ckpt_tui.convert.base_image import BaseImage
from ckpt_tui.convert.destination import Destination
from ckpt_tui.convert.layout import LayoutSink
from ckpt_tui.convert.plan import Options, Plan, make_plan
from ckpt_tui.convert.remarks import RecordedFile
from ckpt_tui.convert.roles import plan_layers, role_of
from ckpt_tui.convert.source import Feed, Source
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.sources.base import MEDIA_INDEX


def plan_of(source: Source, base: BaseImage | None, **more: object) -> Plan:
    return make_plan(source, base, Destination(Path("/nowhere")), **more)  # type: ignore[arg-type]


def test_a_sound_checkpoint_with_its_base_has_no_problems(
    counter: Source, base_bb: BaseImage
) -> None:
    plan = plan_of(counter, base_bb)
    assert plan.problems == ()
    assert [loss.partition(":")[0] for loss in plan.losses] == [
        "Files of the base image that the container changed in place may be missing"
    ]
    assert (plan.tag, plan.repository) == ("counter-20261124-030146", "localhost/counter")
    assert [layer.role for layer in plan.layers] == ["metadata", "criu", "pages", "devshm"]
    assert plan.architecture == "amd64"


def test_the_figures_say_what_changes(rootfs: Source, base_bb: BaseImage, data: Path) -> None:
    plan = plan_of(rootfs, base_bb)
    assert plan.before.nested > 100_000_000
    assert plan.after.nested == 1536
    assert plan.before.listing == (data / "archives/rootfs.tar.zst").stat().st_size
    assert plan.after.listing < 150_000
    assert plan.after.layers == 5


def test_what_a_legacy_restore_would_lose_is_said(rootfs: Source, base_bb: BaseImage) -> None:
    plan = plan_of(rootfs, base_bb)
    assert any("data/old/n" in warning for warning in plan.warnings)
    assert any("second checkpoint" in warning for warning in plan.warnings)


def test_without_a_base_the_hint_is_the_half_step(counter: Source) -> None:
    (problem,) = plan_of(counter, None).problems
    assert "localhost/bb:1" in problem
    assert "--keep-delta-tar" in problem
    assert plan_of(counter, None, options=Options(keep_delta_tar=True)).problems == ()


def test_a_wrong_base_is_a_problem(counter: Source, base_bb: BaseImage) -> None:
    other = dataclasses.replace(base_bb, config=base_bb.config + b" ")
    assert "not the base image" in plan_of(counter, other).problems[0]


@pytest.mark.parametrize(
    "repository", ["Upper/case", "no-slash", "host/../x", "host/x:tag", "a b/c"]
)
def test_a_repository_that_no_registry_takes_is_a_problem(
    counter: Source, base_bb: BaseImage, repository: str
) -> None:
    assert repr(repository) in plan_of(counter, base_bb, repository=repository).problems[0]


@pytest.mark.parametrize(
    "repository", ["localhost/a", "127.0.0.1:5000/app/ck", "quay.io/a/b.c_d__e---f"]
)
def test_names_that_registries_take_are_taken(
    counter: Source, base_bb: BaseImage, repository: str
) -> None:
    assert plan_of(counter, base_bb, repository=repository).problems == ()


def test_a_name_that_is_taken_is_said(counter: Source, base_bb: BaseImage, tmp_path: Path) -> None:
    def said() -> list[str]:
        plan = make_plan(counter, base_bb, Destination(tmp_path, "web"))
        return [warning for warning in plan.warnings if "is there already" in warning]

    assert said() == []
    with LayoutSink(tmp_path) as staging:
        staging.publish(staging.add(b"{}", MEDIA_INDEX), "other", quiet())
    assert said() == []
    with LayoutSink(tmp_path) as staging:
        staging.publish(staging.add(b"[]", MEDIA_INDEX), "web", quiet())
    assert said() == [
        f"oci:{tmp_path}:web is there already. If that is another image, nothing will name it any "
        "more."
    ]


def test_a_bad_tag_is_a_problem(counter: Source, base_bb: BaseImage) -> None:
    plan = make_plan(counter, base_bb, Destination(Path("/nowhere"), "-x"))
    assert "'-x'" in plan.problems[0]


@pytest.mark.parametrize("name", ["config.dump", "spec.dump", "checkpoint/inventory.img"])
def test_a_missing_part_is_a_problem_that_names_it(
    name: str, data: Path, open_source: OpenSource, base_bb: BaseImage, tmp_path: Path
) -> None:
    archive = repacked(data / "archives/counter.tar.zst", tmp_path / "a.tar", {name: None})
    if name != "checkpoint/inventory.img":
        source = dataclasses.replace(
            open_source(data / "archives/counter.tar.zst"), tree=open_bare(archive)
        )
    else:
        source = open_source(archive)
    assert any(name in problem for problem in plan_of(source, base_bb).problems)


def open_bare(path: Path) -> ArchiveTree:
    return open_archive(BytesWindow(path.read_bytes()), path.name, quiet())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("deleted.files", b"{}"),
        ("deleted.files", b"not json"),
        ("deleted.files", b'["/../x"]'),
        ("rootfs-diff.tar", b"x" * 600),
        ("rootfs-diff.tar", b"\x1f\x8b cut"),
        ("config.dump", b"[]"),
    ],
)
def test_a_damaged_part_is_a_problem_and_no_traceback(
    name: str,
    content: bytes,
    data: Path,
    open_source: OpenSource,
    base_bb: BaseImage,
    tmp_path: Path,
) -> None:
    archive = repacked(data / "archives/counter.tar.zst", tmp_path / "a.tar", {name: content})
    assert plan_of(open_source(archive), base_bb).problems


def test_a_cut_rootfs_diff_is_a_problem(
    data: Path, open_source: OpenSource, base_bb: BaseImage, tmp_path: Path
) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("x")
        info.size = 4000
        tar.addfile(info, io.BytesIO(b"1" * 4000))
    archive = repacked(
        data / "archives/counter.tar.zst",
        tmp_path / "a.tar",
        {"rootfs-diff.tar": out.getvalue()[:1024]},
    )
    assert "ends within 'x'" in plan_of(open_source(archive), base_bb).problems[0]


def test_a_delta_with_too_many_entries_is_a_problem_but_not_for_the_half_step(
    rootfs: Source, base_bb: BaseImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rootfs_diff, "MAX_ENTRIES", 5)
    assert "--keep-delta-tar" in plan_of(rootfs, base_bb).problems[0]
    assert plan_of(rootfs, None, options=Options(keep_delta_tar=True)).problems == ()


def test_what_all_entries_have_in_common_is_kept_once(
    data: Path, open_source: OpenSource, tmp_path: Path
) -> None:
    sink = io.BytesIO()
    shared = {f"SCHILY.xattr.user.{number}": "x" for number in range(100)}
    with tarfile.open(fileobj=sink, mode="w", pax_headers=shared) as tar:
        for name in "abc":
            tar.addfile(tarfile.TarInfo(name))
    archive = repacked(
        data / "archives/counter.tar.zst",
        tmp_path / "shared.tar",
        {"rootfs-diff.tar": sink.getvalue()},
    )
    entries = rootfs_diff.read_diff(open_source(archive), quiet()).entries
    assert [entry.member.pax["SCHILY.xattr.user.7"] for entry in entries] == ["x"] * 3
    assert len({id(entry.member.pax) for entry in entries}) == 1


def test_a_delta_in_an_archive_that_can_be_read_anywhere_costs_no_pass(
    data: Path, open_source: OpenSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header_window, "MAX_KEPT_HEADERS", 0)
    stream = data / "archives/rootfs.tar.zst"
    path = tmp_path / "seekable.tar.zst"
    with stream.open("rb") as packed, path.open("wb") as file, SeekableZstdWriter(file) as writer:
        for piece in zstandard.ZstdDecompressor().read_to_iter(packed):
            writer.write(piece)
        writer.close()

    def refuse(_: Progress) -> Feed:
        raise AssertionError("a whole pass")

    source = dataclasses.replace(open_source(path), feed=refuse)
    expected = rootfs_diff.read_diff(open_source(stream), quiet())
    assert rootfs_diff.read_diff(source, quiet()) == expected


def test_a_large_delta_is_read_alike_by_kept_headers_and_in_a_pass(
    data: Path, open_source: OpenSource, rootfs: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = rootfs_diff.read_diff(rootfs, quiet())
    monkeypatch.setattr(header_window, "MAX_KEPT_HEADERS", 0)
    again = open_source(data / "archives/rootfs.tar.zst")
    assert isinstance(again.tree, ArchiveTree)
    assert again.tree.headers("rootfs-diff.tar") is None
    assert rootfs_diff.read_diff(again, quiet()) == kept
    assert kept.entries


def test_what_an_engine_leaves_out_of_the_delta_is_a_loss(
    data: Path, open_source: OpenSource, base_bb: BaseImage
) -> None:
    losses = plan_of(open_source(data / "archives/cri-crio.tar"), base_bb).losses
    assert any("changed in place" in loss and "cri-o archives" in loss for loss in losses)
    assert losses[1].startswith("1 folder that the container removed and made again")
    assert losses[1].endswith("cri-o does not archive those of the new one: data/old.")
    assert plan_of(open_source(data / "archives/cri-containerd-cri.tar"), base_bb).losses == ()


def test_an_open_file_that_is_not_as_criu_left_it_is_a_loss(
    counter: Source, base_bb: BaseImage
) -> None:
    recorded = [
        RecordedFile("/tmp/count", 2, 0o644),
        RecordedFile("/etc/motd", 99),
        RecordedFile("/data/old/a", 2, 0o600),
        RecordedFile("/data/new", 1),
        RecordedFile("/bin/busybox", base_bb.tree["bin/busybox"].size),
    ]
    losses = plan_of(counter, base_bb, recorded=recorded).losses
    assert [loss.split()[0] for loss in losses if loss[0] == "/"] == [
        "/etc/motd",
        "/data/old/a",
        "/data/new",
    ]


def test_a_link_in_the_checkpoint_is_a_problem_but_for_its_parent(
    data: Path, open_source: OpenSource, base_bb: BaseImage, tmp_path: Path
) -> None:
    archive = repacked(data / "archives/counter.tar.zst", tmp_path / "a.tar", {})
    with tarfile.open(archive, "a") as tar:
        for name in ("checkpoint/parent", "checkpoint/core-9.img"):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, "../pre-checkpoint"
            tar.addfile(info)
    plan = plan_of(open_source(archive), base_bb)
    assert [p.split()[0] for p in plan.problems] == ["checkpoint/core-9.img"]
    assert any("incremental" in warning for warning in plan.warnings)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("config.dump", "metadata"),
        ("artifacts", "metadata"),
        ("checkpoint/inventory.img", "criu"),
        ("checkpoint/descriptors.json", "criu"),
        ("checkpoint/pages-12.img", "pages"),
        ("checkpoint/amdgpu-pages-1.img", "pages"),
        ("checkpoint/pagemap-1.img", "criu"),
        ("pages-1.img", "metadata"),
        ("pre-checkpoint/pages-1.img", "criu-parent"),
        ("devshm-checkpoint.tar", "devshm"),
        ("volumes/data.tar", "volumes"),
    ],
)
def test_each_member_has_its_layer(name: str, role: str) -> None:
    assert role_of(name) == role


def test_only_so_many_files_get_a_layer_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "MAX_OWN_LAYERS", 2)
    sizes = {"checkpoint/pages-1.img": 5, "checkpoint/pages-2.img": 7, "checkpoint/pages-3.img": 6}
    members = {
        name: Member(name, MemberKind.FILE, size * roles.LARGE) for name, size in sizes.items()
    }
    layers = plan_layers(members, ())
    assert [[m.name[-5] for m in layer.members[1:]] for layer in layers] == [["1"], ["2"], ["3"]]
    assert [layer.alone for layer in layers] == [False, True, True]


def test_an_archive_does_not_replace_a_link_that_leads_nowhere(
    counter: Source, base_bb: BaseImage, tmp_path: Path
) -> None:
    link = tmp_path / "a.tar"
    link.symlink_to(tmp_path / "nowhere")
    plan = make_plan(counter, base_bb, Destination(link, archive=True))
    assert any("exists already" in problem for problem in plan.problems)
