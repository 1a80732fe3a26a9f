"""An upper folder of overlayfs as a layer: marks, links, attributes, and what is refused."""

from __future__ import annotations

import dataclasses
import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from layer_order import faults
from layouts import Layout, contents

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.convert.back import convert_back
from ckpt_tui.convert.inputs import Beside
from ckpt_tui.convert.request import Request, prepare
from ckpt_tui.convert.run import run
from ckpt_tui.convert.upper import UpperFolder, deleted_names, plan_upper
from ckpt_tui.core.errors import CkptError, SourceUnreachable, UsageError
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow

Opener = Callable[[], UpperFolder]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty upper folder in which extended attributes work."""
    made = tmp_path / "upper"
    made.mkdir()
    try:
        os.setxattr(made, "user.test", b"")
    except OSError:
        pytest.skip("The file system has no user attributes.")
    os.removexattr(made, "user.test")
    return made


@pytest.fixture
def opened(folder: Path) -> Iterator[Opener]:
    found: list[UpperFolder] = []

    def open_it() -> UpperFolder:
        found.append(UpperFolder(str(folder), quiet()))
        return found[-1]

    yield open_it
    for one in found:
        one.close()


def mark(path: Path, name: str, value: bytes = b"y") -> None:
    os.setxattr(path, f"user.overlay.{name}", value)


def whiteout(path: Path) -> None:
    """Mark a deletion without a device, which only root can make."""
    path.parent.mkdir(exist_ok=True)
    path.touch()
    mark(path, "whiteout")


def test_a_folder_comes_before_its_marks_and_these_before_what_it_holds(
    folder: Path, opened: Opener
) -> None:
    (folder / "b").mkdir(mode=0o1777)
    (folder / "b").chmod(0o1777)
    (folder / "b/new").write_bytes(b"12")
    whiteout(folder / "b/zero")
    mark(folder / "b", "opaque")
    (folder / "a").write_bytes(b"1")
    members = opened().members
    assert [*members] == [".", "a", "b", "b/.wh..wh..opq", "b/.wh.zero", "b/new"]
    assert members["b"].mode == 0o1777
    assert members["b/new"].size == 2
    assert members["b/.wh.zero"].size == members["b/.wh.zero"].mode == 0
    assert faults([*members.values()]) == []


def test_a_folder_that_only_may_have_marked_files_is_not_opaque(
    folder: Path, opened: Opener
) -> None:
    whiteout(folder / "b/zero")
    mark(folder / "b", "opaque", b"x")
    assert [*opened().members] == [".", "b", "b/.wh.zero"]


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root makes devices.")
def test_a_device_of_number_zero_is_a_deletion_and_another_is_a_device(
    folder: Path, opened: Opener
) -> None:
    os.mknod(folder / "gone", stat.S_IFCHR, os.makedev(0, 0))
    os.mknod(folder / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.setxattr(folder, "trusted.overlay.opaque", b"y")
    members = opened().members
    assert [*members] == [".", ".wh..wh..opq", ".wh.gone", "null"]
    assert members["null"].kind is MemberKind.CHARACTER
    assert members["null"].device == (1, 3)


def test_names_of_one_file_stay_names_of_one_file(folder: Path, opened: Opener) -> None:
    (folder / "z").write_bytes(b"data")
    os.link(folder / "z", folder / "a")
    members = opened().members
    assert members["a"].kind is MemberKind.FILE
    assert (members["z"].kind, members["z"].link, members["z"].size) == (
        MemberKind.HARDLINK,
        "a",
        0,
    )


def test_attributes_of_the_container_stay_and_those_of_the_mount_do_not(
    folder: Path, opened: Opener
) -> None:
    (folder / "a").write_bytes(b"")
    os.setxattr(folder / "a", "user.mine", b"\xff\x00=\n")
    mark(folder / "a", "origin", b"\x00")
    found = opened().members["a"].pax
    assert found == {"SCHILY.xattr.user.mine": b"\xff\x00=\n".decode("utf-8", "surrogateescape")}


def test_a_socket_is_left_out_with_a_note(
    folder: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)  # the path of a socket has to be short
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("s")
    upper = opened()
    assert [*upper.members] == ["."]
    assert any("1 sockets" in note for note in upper.notes)


@pytest.mark.parametrize("name", ["redirect", "metacopy"])
def test_what_has_its_content_in_the_layers_below_is_refused(
    folder: Path, opened: Opener, name: str
) -> None:
    (folder / "moved").mkdir()
    mark(folder / "moved", name, b"/old")
    assert any("'moved'" in problem for problem in opened().problems)


def test_a_folder_that_fuse_overlayfs_hides_is_opaque(folder: Path, opened: Opener) -> None:
    (folder / "b").mkdir()
    os.setxattr(folder / "b", "user.fuseoverlayfs.opaque", b"y")
    members = opened().members
    assert [*members] == [".", "b", "b/.wh..wh..opq"]
    assert members["b"].pax == {}


def fuse_stat(path: Path, value: bytes, space: str = "containers") -> None:
    path.touch()
    os.setxattr(path, f"user.{space}.override_stat", value)


@pytest.mark.parametrize("space", ["fuseoverlayfs", "containers"])
def test_owners_and_modes_that_fuse_overlayfs_keeps_in_attributes_are_those_of_the_layer(
    folder: Path, opened: Opener, space: str
) -> None:
    (folder / "dir").mkdir()
    fuse_stat(folder, b"0:0:0555:dir", space)
    fuse_stat(folder / "dir", b"33:34:1777", space)
    fuse_stat(folder / "dir/data", b"1000:1001:04755:file", space)
    (folder / "dir/data").write_bytes(b"123")
    members = opened().members
    assert [
        (m.name, m.kind.value, m.mode, m.uid, m.gid, m.size, m.pax) for m in members.values()
    ] == [
        (".", "d", 0o555, 0, 0, 0, {}),
        ("dir", "d", 0o1777, 33, 34, 0, {}),
        ("dir/data", "-", 0o4755, 1000, 1001, 3, {}),
    ]


def test_of_two_owners_the_one_that_fuse_overlayfs_prefers_counts(
    folder: Path, opened: Opener
) -> None:
    fuse_stat(folder / "a", b"1:1:600", "fuseoverlayfs")
    fuse_stat(folder / "a", b"2:2:600")
    assert opened().members["a"].uid == 2


def test_devices_and_pipes_that_fuse_overlayfs_could_not_make_are_what_they_mean(
    folder: Path, opened: Opener
) -> None:
    for name, value in (
        ("disk", b"0:6:0660:block-8-1"),
        ("null", b"0:0:0666:char-1-3"),
        ("pipe", b"5:5:0600:pipe"),
        ("sock", b"5:5:0600:socket"),
    ):
        fuse_stat(folder / name, value)
    upper = opened()
    assert {n: (m.kind.value, m.device, m.mode) for n, m in upper.members.items() if n != "."} == {
        "disk": ("b", (8, 1), 0o660),
        "null": ("c", (1, 3), 0o666),
        "pipe": ("p", (0, 0), 0o600),
    }
    assert upper.problems == []
    assert any("1 sockets" in note for note in upper.notes)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"1000:1000",
        b"-1:0:0755",
        b"0:0:0999",
        b"0:0:0755:what",
        b"0:0:0755:dir",
        b"0:0:0755:char-0-0",
        b"0:0:0755:char-1",
        b"99999999999:0:0755",
        b"0:0:0755\n",
    ],
)
def test_an_owner_that_makes_no_sense_is_refused(
    folder: Path, opened: Opener, value: bytes
) -> None:
    fuse_stat(folder / "a", value)
    assert any("'a'" in one and "owner" in one for one in opened().problems)


def test_a_file_with_data_is_no_device(folder: Path, opened: Opener) -> None:
    fuse_stat(folder / "a", b"0:0:0600:char-1-3")
    (folder / "a").write_bytes(b"data")
    assert any("'a'" in one for one in opened().problems)


def test_a_capability_that_fuse_overlayfs_put_aside_is_one_in_the_layer(
    folder: Path, opened: Opener
) -> None:
    fuse_stat(folder / "ping", b"0:0:0755:file")
    os.setxattr(folder / "ping", "user.containers.override_security.capability", b"\x01")
    assert opened().members["ping"].pax == {"SCHILY.xattr.security.capability": "\x01"}


def test_deletions_and_hidden_folders_by_name_are_marks_of_fuse_overlayfs(
    folder: Path, opened: Opener
) -> None:
    (folder / "b").mkdir()
    fuse_stat(folder / "b", b"0:0:0755:dir")
    for name in (".wh.gone", "b/.wh..wh..opq", "b/.wh.old", "b/new"):
        (folder / name).touch()
    upper = opened()
    assert upper.problems == []
    assert [*upper.members] == [".", ".wh.gone", "b", "b/.wh..wh..opq", "b/.wh.old", "b/new"]
    assert faults([*upper.members.values()]) == []
    base = {name: Member(name, MemberKind.FILE, 0) for name in ("gone", "b/old", "b/other", "kept")}
    assert set(plan_upper(upper, base).tree) == {".", "b", "b/new", "kept"}


@pytest.mark.parametrize("name", [".wh.", ".wh..wh.plnk", ".wh.full"])
def test_names_that_are_no_marks_of_fuse_overlayfs_are_refused(
    folder: Path, opened: Opener, name: str
) -> None:
    fuse_stat(folder, b"0:0:0755:dir")
    (folder / name).write_bytes(b"data" if name == ".wh.full" else b"")
    assert any(repr(name) in problem for problem in opened().problems)


def test_a_name_that_a_layer_reads_as_a_deletion_is_refused(folder: Path, opened: Opener) -> None:
    (folder / ".wh.mine").touch()
    assert any("'.wh.mine'" in problem for problem in opened().problems)


def test_links_are_not_followed(folder: Path, opened: Opener, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").touch()
    (folder / "link").symlink_to(tmp_path / "outside")
    upper = opened()
    assert [*upper.members] == [".", "link"]
    assert upper.members["link"].link == str(tmp_path / "outside")
    with pytest.raises(SourceUnreachable):
        list(upper.pieces("link/secret", 10))


def test_no_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreachable):
        UpperFolder(str(tmp_path / "absent"), quiet())


def test_too_many_entries_are_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ckpt_tui.convert.upper.MAX_ENTRIES", 3)
    for name in "abc":
        (folder / name).touch()
    with pytest.raises(CkptError, match="more than 3 entries"):
        UpperFolder(str(folder), quiet())


@pytest.mark.parametrize("change", ["content", "new", "gone"])
def test_a_change_meanwhile_is_noticed(folder: Path, opened: Opener, change: str) -> None:
    (folder / "a").write_bytes(b"1")
    upper = opened()
    upper.check()
    if change == "content":
        (folder / "a").write_bytes(b"2")
        os.utime(folder / "a", ns=(1, 1))
    elif change == "new":
        (folder / "b").touch()
    else:
        (folder / "a").unlink()
    with pytest.raises(CkptError, match="changed"):
        upper.check()


def test_facts_say_what_is_new_changed_gone_and_made_again(folder: Path, opened: Opener) -> None:
    base = {
        name: Member(name, kind, 0)
        for name, kind in (
            ("dir", MemberKind.DIRECTORY),
            ("dir/old", MemberKind.FILE),
            ("dir/kept", MemberKind.FILE),
            ("same", MemberKind.FILE),
            ("gone", MemberKind.FILE),
        )
    }
    (folder / "dir").mkdir()
    mark(folder / "dir", "opaque")
    (folder / "dir/kept").write_bytes(b"1")
    (folder / "new").touch()
    whiteout(folder / "gone")
    upper = opened()
    plan = plan_upper(upper, base)
    facts = plan.facts
    assert (facts.changed, facts.deleted, facts.remade) == (1, 1, 1)
    assert facts.added == 2  # the root, which this base has no entry for, and `new`
    assert set(plan.tree) == {".", "dir", "dir/kept", "same", "new"}
    assert deleted_names(upper, base) == ["/dir/old", "/gone"]


@pytest.fixture
def dumped(folder: Path, data: Path, tmp_path: Path) -> tuple[Request, Path]:
    """A request to convert images beside an upper folder that lies on the busybox image."""
    (folder / "etc").mkdir()
    whiteout(folder / "etc/motd")
    (folder / "data/old").mkdir(parents=True)
    mark(folder / "data/old", "opaque")
    (folder / "data/old/n").write_bytes(b"new\n")
    (folder / "tmp").mkdir()
    (folder / "tmp").chmod(0o1777)
    (folder / "tmp/count").write_bytes(b"7\n")
    request = Request(
        f"dir:{data / 'images/counter'}",
        f"oci:{tmp_path / 'out'}:opt",
        f"oci-archive:{data / 'archives/base-bb.oci.tar'}",
        beside=Beside(upper=str(folder)),
    )
    return request, tmp_path / "out"


def test_a_dump_with_its_upper_folder_becomes_the_pair(dumped: tuple[Request, Path]) -> None:
    request, target = dumped
    prepared = prepare(request, quiet())
    result, layout = run(prepared.plan, prepared.inputs, quiet()), Layout(target)
    prepared.close()
    tree = layout.tree(result.rootfs)
    assert not {"etc/motd", "data/old/a", "data/old/deep"} & set(tree.members)
    assert tree.members["tmp"].mode == 0o1777
    found = dict(contents(tree))
    assert (found["tmp/count"], found["data/old/n"]) == (b"7\n", b"new\n")


def test_the_way_back_from_a_dump_is_an_archive_with_a_delta_of_engines(
    dumped: tuple[Request, Path], tmp_path: Path
) -> None:
    request, target = dumped
    prepared = prepare(request, quiet())
    run(prepared.plan, prepared.inputs, quiet())
    prepared.close()
    back = convert_back(f"oci:{target}:opt", tmp_path / "a.tar", quiet())
    assert not back.exact
    found = dict(
        contents(open_archive(BytesWindow((tmp_path / "a.tar").read_bytes()), "a", quiet()))
    )
    assert found["deleted.files"] == b'["/data/old/a", "/data/old/deep", "/etc/motd"]'
    delta = open_archive(BytesWindow(found["rootfs-diff.tar"]), "delta", quiet())
    assert [*delta.members] == [
        "data",
        "data/old",
        "data/old/n",
        "etc",
        "tmp",
        "tmp/count",
    ]


def test_an_upper_folder_needs_the_base_image(dumped: tuple[Request, Path]) -> None:
    prepared = prepare(dataclasses.replace(dumped[0], base=""), quiet())
    prepared.close()
    assert any("--base" in problem for problem in prepared.plan.problems)


def test_an_upper_folder_has_no_delta_tar_to_keep(dumped: tuple[Request, Path]) -> None:
    prepared = prepare(dataclasses.replace(dumped[0], keep_delta_tar=True), quiet())
    prepared.close()
    with pytest.raises(UsageError, match="no delta tar"):
        run(prepared.plan, prepared.inputs, quiet())


def test_an_upper_folder_with_nothing_in_it_gives_no_layer(
    folder: Path, data: Path, tmp_path: Path
) -> None:
    request = Request(
        f"dir:{data / 'images/counter'}",
        f"oci:{tmp_path / 'out'}:opt",
        f"oci-archive:{data / 'archives/base-bb.oci.tar'}",
        beside=Beside(upper=str(folder)),
    )
    prepared = prepare(request, quiet())
    result = run(prepared.plan, prepared.inputs, quiet())
    prepared.close()
    assert [w.role for w in result.layers if w.role in ("base", "delta")] == ["base"]


@pytest.mark.parametrize("content", [b"10\n", b"9\n"], ids=["another size", "the same size"])
def test_a_file_of_the_upper_folder_that_changes_meanwhile_ends_the_conversion(
    dumped: tuple[Request, Path], folder: Path, content: bytes
) -> None:
    request, target = dumped
    prepared = prepare(request, quiet())
    (folder / "tmp/count").write_bytes(content)
    os.utime(folder / "tmp/count", ns=(1, 1))
    with pytest.raises(CkptError, match="changed while it was read"):
        run(prepared.plan, prepared.inputs, quiet())
    prepared.close()
    assert not target.exists()
