"""Memory, mounts, namespaces, cgroups, sizes and the facts of the dump, from real images."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.checkpoint import build
from ckpt_tui.checkpoint.delta import layer_entries
from ckpt_tui.checkpoint.filetable import FileTable
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.validated import validated_files
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.opened import open_checkpoint
from crafted import ARCHIVES, DATA, IMAGES, copied, first, loaded, rewrite, tarred


@pytest.fixture(scope="module")
def kinds() -> Checkpoint:
    return loaded(IMAGES / "kinds")


@pytest.fixture(scope="module")
def counter() -> Checkpoint:
    return loaded(ARCHIVES / "counter.tar.zst")


def test_the_dumped_bytes_of_the_regions_are_those_of_the_process(kinds: Checkpoint) -> None:
    assert [m.pid for m in kinds.memory] == [1, 9, 10, 11]
    for memory in kinds.memory:
        assert sum(r.dumped for r in memory.regions) == memory.dumped_bytes
    assert sum(m.dumped_bytes for m in kinds.memory) == 8903 * 4096


def test_regions_are_told_by_kind(kinds: Checkpoint) -> None:
    regions = kinds.memory[0].regions
    counts = {r.kind for r in regions}
    assert {"heap", "stack", "anonymous", "file", "shared", "vdso", "vvar"} <= counts
    stack = next(r for r in regions if r.kind == "stack")
    assert (stack.protection, "MAP_GROWSDOWN" in stack.flags) == ("rw-p", True)
    program = next(r for r in regions if r.path == "/usr/bin/python3" and "x" in r.protection)
    assert (program.kind, program.protection) == ("file", "r-xp")


def test_shared_anonymous_memory_is_no_file(kinds: Checkpoint) -> None:
    shared = [r for r in kinds.memory[0].regions if r.kind == "shared"]
    assert shared
    assert not any("/dev/zero" in r.path for r in shared)
    assert {r.shared_id for r in shared} == {2046}


def test_a_mapping_that_ends_before_it_begins_has_no_bytes(tmp_path: Path) -> None:
    images = copied("counter", tmp_path)

    def turn(mm: Any) -> None:
        mm.vmas[0].start, mm.vmas[0].end = mm.vmas[0].end, mm.vmas[0].start

    rewrite(images / "mm-1.img", first(turn))
    region = loaded(images).memory[0].regions[0]
    assert region.dumped == 0


def test_mounts_have_their_archives_once(kinds: Checkpoint) -> None:
    found = {m.mountpoint: m for m in kinds.mounts}
    assert len(found) == 19
    assert found["/"].fstype == "overlayfs"
    assert (found["/dev"].fstype, found["/dev"].dumped_bytes) == ("tmpfs", 368)
    assert found["/dev/shm"].external_key == "/dev/shm"
    assert found["/sys/firmware"].dumped_bytes == 99
    # a bind mount of /dev/null, from the same tmpfs
    assert found["/proc/keys"].dumped_bytes == 0
    assert sum(m.dumped_bytes for m in kinds.mounts) == 368 + 99 + 99


def test_namespaces_say_who_is_in_them_and_whether_they_were_dumped(kinds: Checkpoint) -> None:
    found = {n.kind: n for n in kinds.namespaces}
    assert found["mnt"].pids == (1, 9, 10, 11)
    assert {n.kind for n in kinds.namespaces if not n.dumped} == {"time", "user"}
    assert found["uts"].detail == "host 70bd65535154"


def test_cgroup_sets_name_their_paths(kinds: Checkpoint) -> None:
    sets = {c.id: c for c in kinds.cgroups}
    assert sets[2].pids == (1,)
    assert sets[2].paths["cgroup2"].startswith("/libpod_parent/libpod-70bd")


def test_the_facts_of_the_dump(kinds: Checkpoint) -> None:
    criu = kinds.criu
    assert (criu.image_version, criu.at_least, criu.architecture) == (2, "4.2", "x86_64")
    assert (criu.page_size, criu.lsm, criu.plugins) == (4096, "NO_LSM", ())
    assert criu.stats["pages_written"] == 8903
    assert criu.run_id == "9f32e5b8-d100-4ab1-8ab6-b189abd54952"


def test_the_release_is_named_where_the_engine_left_it() -> None:
    assert loaded(ARCHIVES / "cri-crio.tar").criu.version == "4.2.1"


def test_sizes_add_up_to_the_members(counter: Checkpoint) -> None:
    sizes = counter.sizes
    assert sizes.packed == (ARCHIVES / "counter.tar.zst").stat().st_size
    assert sum(s.bytes for s in sizes.components) == sizes.plain
    names = [s.name for s in sizes.components]
    assert names == ["pages", "images", "metadata", "delta", "devshm"]
    assert sum(s.bytes for s in sizes.files) == sizes.plain
    pages = next(s.bytes for s in sizes.components if s.name == "pages")
    assert pages == sum(m.dumped_bytes for m in counter.memory)
    assert sum(s.bytes for s in sizes.memory) == pages


def test_every_image_is_listed_with_its_records(counter: Checkpoint) -> None:
    found = {i.name: i for i in counter.images}
    assert (found["pstree.img"].kind, found["pstree.img"].entries) == ("PSTREE", 2)
    assert (found["pages-1.img"].kind, found["pages-1.img"].entries) == ("PAGES", None)
    assert not any(i.problem for i in counter.images)
    assert not any(i.unknown_fields for i in counter.images)


def test_the_changes_of_a_podman_archive_are_written_or_deleted() -> None:
    found = loaded(ARCHIVES / "cri-podman.tar").delta
    assert found.dialect == "files"
    changes = {e.path: e.change for e in found.entries}
    assert changes["/tmp/count"] == "written"
    assert changes["/etc/motd"] == "deleted"
    assert next(e for e in found.entries if e.path == "/data/link").link == "/bin/busybox"


def test_the_changes_of_containerd_are_a_layer() -> None:
    found = loaded(ARCHIVES / "cri-containerd-cri.tar").delta
    assert found.dialect == "layer"
    assert {e.path for e in found.entries if e.change == "deleted"} >= {"/etc/motd", "/data/gone"}


def test_an_opaque_folder_and_a_whiteout_at_the_root_are_deletions() -> None:
    names = ("gone/.wh..wh..opq", ".wh.at-root", "there", "fresh")
    members = {n: Member(n, MemberKind.FILE, 1) for n in names}
    found = [(e.path, e.change) for e in layer_entries(members, {"there": members["there"]})]
    assert found == [
        ("/gone", "deleted"),
        ("/at-root", "deleted"),
        ("/there", "changed"),
        ("/fresh", "added"),
    ]


def test_a_list_of_deletions_that_is_none_is_a_note(tmp_path: Path) -> None:
    with_members = {p.name: p.read_bytes() for p in (IMAGES / "counter").iterdir()}
    path = tarred(tmp_path / "a.tar", {**with_members, "deleted.files": b'{"no": "list"}'})
    assert ("deleted.files", "It is JSON, but not a list of paths.") in [
        (n.where, n.text) for n in loaded(path).notes
    ]


def test_files_that_criu_compares_are_on_the_root_mount() -> None:
    opened = open_checkpoint(str(DATA / "demo-web/web.tar.zst"), quiet())
    try:
        checkpoint = opened.load(quiet())
        found = {v.path: v for v in validated_files(FileTable(opened.images), checkpoint.mounts)}
    finally:
        opened.close()
    assert "/bin/busybox" in found
    busybox = found["/bin/busybox"]
    assert busybox.mode is not None
    assert stat.S_ISREG(busybox.mode)
    assert busybox.size
    assert "/dev/null" not in found
    assert found["/"].size is None


def test_more_notes_than_a_person_reads_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "MAX_NOTES", 2)
    found = loaded(copied("kinds", tmp_path)).notes
    assert len(found) == 3
    assert found[-1].text == "10 more notes were left out."
