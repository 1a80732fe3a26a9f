"""The small parts of a conversion: digests, spool, headers, checks."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from layer_order import faults

from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.checkpoint.model import ContainerFacts
from ckpt_tui.convert import spool as spool_module
from ckpt_tui.convert.delta_names import real_name
from ckpt_tui.convert.digest import SMALL, Digest
from ckpt_tui.convert.filetree import apply_layer, differences
from ckpt_tui.convert.header_writer import END, header, padding
from ckpt_tui.convert.layer_writer import LayerWriter, copy_blob
from ckpt_tui.convert.layout import LayoutSink
from ckpt_tui.convert.manifests import (
    checkpoint_annotations,
    container_name,
    default_tag,
    local_repository,
)
from ckpt_tui.convert.spool import MemberSpool
from ckpt_tui.convert.unpacking import TarEntry
from ckpt_tui.convert.verify import check_blob, check_delta
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.sources.base import Descriptor


@pytest.fixture
def pool() -> Generator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def test_small_and_large_pieces_are_hashed_in_their_order(pool: ThreadPoolExecutor) -> None:
    pieces = [b"a" * SMALL, b"b", b"c" * (3 * SMALL), b"", b"d" * SMALL, b"e"] * 7
    digest = Digest(pool)
    for piece in pieces:
        digest.update(piece)
    assert digest.value() == "sha256:" + hashlib.sha256(b"".join(pieces)).hexdigest()


@pytest.mark.parametrize("limit", [0, 4, 1 << 20])
def test_what_is_spooled_comes_back_in_any_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(spool_module, "IN_MEMORY", limit)
    spool = MemberSpool(tmp_path)
    spool.add("a", [b"1", b"23"])
    spool.add("empty", [])
    spool.add("b", [b"45"])
    assert [spool.content(name) for name in ("b", "empty", "a")] == [b"45", b"", b"123"]
    spool.close()


MEMBERS = [
    Member(".", MemberKind.DIRECTORY, 0, mode=0o1777),
    Member("n" * 300, MemberKind.FILE, 3, mode=0o4755, uid=3_000_000, mtime=12.5),
    Member("ü/\udcff", MemberKind.SYMLINK, 0, link="t" * 200, mode=0o777),
    Member("x", MemberKind.FILE, 1, pax={"SCHILY.xattr.user.a": "1\udc80\n2", "path": "wrong"}),
    Member("big", MemberKind.FILE, 9 << 30),
    Member("null", MemberKind.CHARACTER, 0, device=(1, 3)),
    Member("l", MemberKind.HARDLINK, 0, link="x"),
]


@pytest.mark.parametrize("member", MEMBERS, ids=lambda m: m.kind.name)
def test_a_header_says_all_of_its_member(member: Member) -> None:
    block = header(member)
    assert len(block) % 512 == 0
    with tarfile.open(fileobj=io.BytesIO(block + END), errorlevel=2) as tar:
        info = tar.next()
    assert info is not None
    assert info.name == ("." if member.name == "." else member.name)
    assert (info.size, info.mode, info.uid) == (member.size, member.mode, member.uid)
    assert (info.mtime, info.linkname) == (member.mtime, member.link)
    assert (info.devmajor, info.devminor) == member.device
    xattrs = {k: v for k, v in info.pax_headers.items() if k.startswith("SCHILY.")}
    assert xattrs == {k: v for k, v in member.pax.items() if k.startswith("SCHILY.")}


def test_headers_are_plain_ustar_where_that_is_enough() -> None:
    assert len(header(Member("checkpoint/pages-1.img", MemberKind.FILE, 4096))) == 512
    assert [len(padding(size)) for size in (0, 1, 512, 513)] == [0, 511, 0, 511]


def test_a_member_with_other_bytes_than_its_size_is_an_error(tmp_path: Path) -> None:
    member = Member("x", MemberKind.FILE, 5)
    with (
        LayoutSink(tmp_path) as staging,
        LayerWriter(staging, "criu") as writer,
        pytest.raises(CkptError, match="changed while it was read"),
    ):
        writer.add(member, [b"1234"])


def test_a_blob_with_another_digest_is_not_copied(tmp_path: Path) -> None:
    with LayoutSink(tmp_path) as staging, pytest.raises(CkptError, match="damaged"):
        copy_blob(staging, Descriptor("x", "sha256:00", 4), BytesWindow(b"1234"), quiet())


def test_a_blob_that_the_disk_changed_is_found(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(b"right")
    digest = "sha256:" + hashlib.sha256(b"right").hexdigest()
    check_blob(path, digest, quiet())
    path.write_bytes(b"wrong")
    with pytest.raises(CkptError, match=digest):
        check_blob(path, digest, quiet())


BASE = {
    ".": Member(".", MemberKind.DIRECTORY, 0, mode=0o755),
    "d": Member("d", MemberKind.DIRECTORY, 0, mode=0o755),
    "d/a": Member("d/a", MemberKind.FILE, 1),
}
ENTRY = TarEntry(Member("d/x", MemberKind.FILE, 1), "d/x", 0, 512, 1024)
DIGEST = hashlib.sha256(b"1").hexdigest()


def layer_of(*members: tuple[Member, bytes]) -> BytesWindow:
    parts = [header(member) + data + padding(len(data)) for member, data in members]
    return BytesWindow(b"".join(parts) + END)


def test_a_delta_layer_that_means_the_same_passes() -> None:
    layer = layer_of((ENTRY.member, b"1"))
    check_delta(BASE, [ENTRY], [], {0: DIGEST}, layer, quiet())


@pytest.mark.parametrize(
    "member",
    [
        Member("d/x", MemberKind.FILE, 1, mode=0o600),
        Member("d/x", MemberKind.FILE, 1, uid=1),
        Member("d/y", MemberKind.FILE, 1),
        Member("d/x", MemberKind.FILE, 1, pax={"SCHILY.xattr.user.a": "b"}),
        Member("d/.wh.a", MemberKind.FILE, 1),
    ],
)
def test_a_delta_layer_that_means_something_else_is_an_error(member: Member) -> None:
    with pytest.raises(CkptError, match="does not mean"):
        check_delta(BASE, [ENTRY], [], {0: DIGEST}, layer_of((member, b"1")), quiet())


def test_other_data_in_a_delta_layer_is_an_error() -> None:
    with pytest.raises(CkptError, match="d/x"):
        check_delta(BASE, [ENTRY], [], {0: DIGEST}, layer_of((ENTRY.member, b"2")), quiet())


def test_a_missing_whiteout_is_an_error() -> None:
    with pytest.raises(CkptError, match="d/a"):
        check_delta(BASE, [], ["/d/a"], {}, layer_of(), quiet())


def test_hard_links_count_as_one_file_with_two_names() -> None:
    link = (Member("d/l", MemberKind.HARDLINK, 0, link="d/x"), "")
    file = (ENTRY.member, "1")
    linked = apply_layer(BASE, [file, link])
    copied = apply_layer(BASE, [file, (Member("d/l", MemberKind.FILE, 1), "1")])
    assert [d.name for d in differences(linked, copied)] == ["d/x"]  # named for the first of both


def test_whiteouts_hide_only_what_is_below_the_layer() -> None:
    tree = apply_layer(
        BASE,
        [(Member("d/a", MemberKind.FILE, 9), "n"), (Member("d/.wh.a", MemberKind.FILE, 0), "")],
    )
    assert tree.nodes["d/a"][0].size == 9


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["d", "d/x", "d/x"], "twice"),
        (["d/x"], "without its folder"),
        (["d", "d/x", "d/.wh.y"], "after its siblings"),
        (["d/x", "d"], "after what it holds"),
    ],
)
def test_a_layer_in_a_bad_order_is_told(names: list[str], complaint: str) -> None:
    found = faults([Member(name, MemberKind.FILE, 0) for name in names])
    assert any(complaint in one for one in found)


@pytest.mark.parametrize(
    ("name", "real"),
    [("l/x", "d/x"), ("l", "l"), ("up/x", "x"), ("abs/x", "d/x"), ("none/x", "none/x"), (".", ".")],
)
def test_names_are_followed_inside_the_root(name: str, real: str) -> None:
    links = {"l": "d", "up": "../../..", "abs": "/d"}
    tree = BASE | {n: Member(n, MemberKind.SYMLINK, 0, link=to) for n, to in links.items()}
    assert real_name(tree.get, name) == real


@pytest.mark.parametrize(
    ("name", "repository"),
    [("web", "localhost/web"), ("My App_1", "localhost/my-app_1"), ("..", "localhost/checkpoint")],
)
def test_a_container_name_becomes_a_repository(name: str, repository: str) -> None:
    assert local_repository(name) == repository


@pytest.mark.parametrize(
    ("name", "moment", "tag"),
    [
        ("web", None, "web"),
        ("web", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "web-20260102-030405"),
        ("web", datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=1))), "web-20260101-230000"),
        ("w" * 200, datetime(2026, 1, 2, tzinfo=UTC), "w" * 100 + "-20260102-000000"),
    ],
)
def test_every_checkpoint_of_a_container_has_a_tag_of_its_own(
    name: str, moment: datetime | None, tag: str
) -> None:
    assert default_tag(ContainerFacts(name=name, checkpointed=moment)) == tag


def test_a_pods_container_goes_by_its_short_name_and_its_runtime_by_podmans_word() -> None:
    facts = ContainerFacts(
        name="k8s_web_pod_ns_uid_0",
        runtime="io.containerd.runc.v2",
        annotations={"io.kubernetes.container.name": "web"},
    )
    assert container_name(facts) == "web"
    found = checkpoint_annotations("containerd", facts, {}, "arm64")
    assert found["io.podman.annotations.checkpoint.runtime.name"] == "runc"
    assert found["org.criu.checkpoint.host.arch"] == "arm64"


def test_annotations_of_the_source_stay_but_for_its_base_image() -> None:
    prefix = "io.podman.annotations.checkpoint."
    carried = {prefix + "criu.version": "4.2", prefix + "rootfsImageID": "old", "other": "x"}
    found = checkpoint_annotations("podman", ContainerFacts(name="c"), carried, "amd64")
    assert found[prefix + "criu.version"] == "4.2"
    assert prefix + "rootfsImageID" not in found
    assert "other" not in found


def test_an_attribute_whose_name_is_no_text_is_an_error_and_no_traceback() -> None:
    member = Member("a", MemberKind.FILE, 0, pax={"SCHILY.xattr.user.\udc80": "1"})
    with pytest.raises(CkptError, match="cannot be in an archive"):
        header(member)
