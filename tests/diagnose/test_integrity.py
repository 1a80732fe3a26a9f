"""One thing broken in a real checkpoint gives the finding for it, and no other."""

from __future__ import annotations

import dataclasses
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from breakage import facts_of, findings, problems, unpack, whole_images

from ckpt_tui.archive.joined import MemoryTree
from ckpt_tui.checkpoint import image_directory
from ckpt_tui.core.errors import Cancelled
from ckpt_tui.core.json_form import plain, to_json
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.diagnose import checks
from ckpt_tui.diagnose.checks import CHECKS, Check, run_checks
from ckpt_tui.diagnose.finding import Extent, Finding, verdict
from ckpt_tui.diagnose.integrity_archive import archive_notes
from ckpt_tui.diagnose.integrity_pages import page_runs
from ckpt_tui.diagnose.integrity_records import records
from ckpt_tui.diagnose.target import diagnose_opened
from ckpt_tui.formats.opened import open_checkpoint
from crafted import ARCHIVES, DATA, rewrite, tar_of

Break = Callable[[Path], object]

HEALTHY = (
    ARCHIVES / "counter.tar.zst",
    ARCHIVES / "rootfs.tar.zst",
    ARCHIVES / "cri-containerd-cri.tar",
    ARCHIVES / "cri-crio.tar",
    ARCHIVES / "cri-podman.tar",
    DATA / "demo-web" / "web.tar.zst",
)


@pytest.mark.parametrize("archive", HEALTHY, ids=lambda path: path.name)
def test_healthy_archive_has_no_problem(archive: Path, tmp_path: Path) -> None:
    found = findings(unpack(archive, tmp_path / "checkpoint"))
    assert problems(found) == set()
    assert verdict(found, Extent(9, 9)).text == "intact"
    assert verdict(found, Extent(9, 9), "here", ["x"]).text == "restores here as far as looked at"
    assert verdict(found, Extent(9, 9), "there").text == "restores there"


@pytest.mark.parametrize("name", ["counter", "kinds", "sockets"])
def test_healthy_images_have_no_problem(name: str, tmp_path: Path) -> None:
    assert problems(findings(whole_images(name, tmp_path / name))) == set()


def remove(name: str) -> Break:
    return lambda folder: (folder / name).unlink()


def cut(name: str, size: int) -> Break:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:size])


def append(name: str, data: bytes) -> Break:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes() + data)


def overwrite(name: str, at: int, data: bytes) -> Break:
    def change(folder: Path) -> None:
        old = (folder / name).read_bytes()
        (folder / name).write_bytes(old[:at] + data + old[at + len(data) :])

    return change


def edit(name: str, change: Callable[[list[Any]], object]) -> Break:
    return lambda folder: rewrite(folder / name, change)


def put(message: Any, field: str, value: object) -> None:
    setattr(message, field, value)


def swap(messages: list[Any]) -> None:
    messages[0], messages[1] = messages[1], messages[0]


def drop_last(messages: list[Any]) -> None:
    del messages[-1]


def unset(name: str, field: str) -> Break:
    return edit(name, lambda messages: messages[0].ClearField(field))


def drop(messages: list[Any], file_id: int) -> None:
    messages[:] = [m for m in messages if m.id != file_id]


MOUNTS = "mountpoints-13.img"

COUNTER: tuple[tuple[str, Break, str], ...] = (
    ("inventory gone", remove("inventory.img"), "img-missing"),
    ("inventory empty", cut("inventory.img", 0), "img-truncated"),
    ("version 9", edit("inventory.img", lambda m: put(m[0], "img_version", 9)), "img-version"),
    ("no root_ids", unset("inventory.img", "root_ids"), "img-inconsistent"),
    ("old fdinfo", unset("inventory.img", "fdinfo_per_id"), "img-version"),
    ("cg_set 0", edit("inventory.img", lambda m: put(m[0], "root_cg_set", 0)), "img-inconsistent"),
    ("pstree gone", remove("pstree.img"), "img-missing"),
    ("pstree empty", edit("pstree.img", lambda m: m.clear()), "img-truncated"),
    ("core gone", remove("core-8.img"), "img-missing"),
    ("mm gone", remove("mm-8.img"), "img-missing"),
    ("fs gone", remove("fs-1.img"), "img-missing"),
    ("ids gone", remove("ids-8.img"), "img-missing"),
    ("fdinfo gone", remove("fdinfo-3.img"), "img-missing"),
    ("pagemap gone", remove("pagemap-8.img"), "img-missing"),
    ("files gone", remove("files.img"), "img-missing"),
    ("mounts gone", remove("mountpoints-13.img"), "img-missing"),
    ("utsns gone", remove("utsns-12.img"), "img-missing"),
    ("pages gone", remove("pages-2.img"), "img-missing"),
    ("pages cut", cut("pages-2.img", 8192), "pages-data-bad"),
    ("pages too long", append("pages-1.img", bytes(4096)), "pages-data-bad"),
    ("map of pages cut", edit("pagemap-1.img", drop_last), "pages-data-bad"),
    ("process cut off", edit("pstree.img", drop_last), "img-inconsistent"),
    ("tmpfs gone", remove("tmpfs-dev-53.tar.gz.img"), "img-missing"),
    ("wrong magic", overwrite("pstree.img", 0, b"XXXX"), "img-magic"),
    ("other kind", overwrite("mm-1.img", 4, b"\x20\x30\x43\x54"), "img-magic"),
    ("protobuf cut", cut("mm-1.img", 60), "img-truncated"),
    ("no message", overwrite("mm-1.img", 12, b"\xff" * 12), "img-unpack"),
    ("cut in a length", cut("files.img", 10), "img-truncated"),
    ("trailing", append("fs-1.img", b"\x01\x00\x00\x00\x00"), "img-trailing"),
    ("tmpfs cut", cut("tmpfs-dev-50.tar.gz.img", 40), "mnt-tmpfs-content"),
    ("twice", edit("pstree.img", lambda m: m.append(m[1])), "img-inconsistent"),
    ("no parent", edit("pstree.img", lambda m: put(m[1], "ppid", 77)), "img-inconsistent"),
    ("child first", edit("pstree.img", swap), "img-inconsistent"),
    ("two roots", edit("pstree.img", lambda m: put(m[1], "ppid", 0)), "img-inconsistent"),
    ("shared tid", edit("pstree.img", lambda m: m[1].threads.append(1)), "img-inconsistent"),
    ("bad fd", edit("fdinfo-2.img", lambda m: put(m[0], "id", 999)), "img-inconsistent"),
    ("bad exe", edit("mm-1.img", lambda m: put(m[0], "exe_file_id", 999)), "img-inconsistent"),
    ("bad cwd", edit("fs-1.img", lambda m: put(m[0], "cwd_id", 999)), "img-inconsistent"),
    ("bad vma", edit("mm-1.img", lambda m: put(m[0].vmas[0], "shmid", 999)), "img-inconsistent"),
    (
        "bad mount parent",
        edit(MOUNTS, lambda m: put(m[0], "parent_mnt_id", 7)),
        "mnt-not-mountable",
    ),
    ("bad mount", edit("files.img", lambda m: put(m[0].reg, "mnt_id", 999)), "file-mount-unknown"),
    ("same pages", edit("pagemap-8.img", lambda m: put(m[0], "pages_id", 1)), "img-inconsistent"),
    ("overlap", edit("pagemap-1.img", lambda m: put(m[1], "nr_pages", 1 << 9)), "img-inconsistent"),
    ("out of order", edit("pagemap-1.img", lambda m: put(m[2], "vaddr", 4096)), "img-inconsistent"),
    ("stray page", edit("pagemap-1.img", lambda m: put(m[1], "vaddr", 4096)), "pages-data-bad"),
    ("cgroup gone", remove("cgroup.img"), "img-missing"),
    ("no cgroup", unset("cgroup.img", "sets"), "cgroup-controller-missing"),
    ("no descriptors", remove("descriptors.json"), "descriptors-missing"),
    ("odd descriptors", overwrite("descriptors.json", 0, b"{"), "rt-archive-bad"),
)
"""Name, what is broken in checkpoint/, and the id that must be among the findings."""

KINDS: tuple[tuple[str, Break, str], ...] = (
    ("thread gone", remove("core-7.img"), "img-missing"),
    ("list of ghosts gone", remove("remap-fpath.img"), "img-missing"),
    ("ghost gone", remove("ghost-file-1.img"), "img-missing"),
    ("shmem gone", remove("pagemap-shmem-2045.img"), "img-missing"),
    ("memfd gone", remove("memfd.img"), "img-inconsistent"),
    ("bad remap", edit("remap-fpath.img", lambda m: put(m[0], "orig_id", 999)), "img-inconsistent"),
    ("ghost cut", cut("ghost-file-1.img", 100), "file-bad-size"),
)

SOCKETS: tuple[tuple[str, Break, str], ...] = (
    ("tcp gone", remove("tcp-stream-90292.img"), "img-missing"),
    ("tcp cut", cut("tcp-stream-90293.img", 60), "img-truncated"),
    ("queue cut", cut("sk-queues.img", 20), "img-truncated"),
    ("peer gone", edit("files.img", lambda m: drop(m, 20)), "img-inconsistent"),
)


def expect(found: tuple[Finding, ...], wanted: str) -> None:
    worst = {f.id for f in found if f.severity == "fails"} or problems(found)
    assert wanted in worst, found
    assert not any(f.id == "check-failed" for f in found)
    assert verdict(found, Extent(9, 9)).sign != "good"


@pytest.mark.parametrize(
    ("change", "wanted"), [c[1:] for c in COUNTER], ids=[c[0] for c in COUNTER]
)
def test_damage_of_an_archive_is_found(counter: Path, change: Break, wanted: str) -> None:
    change(counter / "checkpoint")
    expect(findings(counter), wanted)


@pytest.mark.parametrize(("change", "wanted"), [c[1:] for c in KINDS], ids=[c[0] for c in KINDS])
def test_damage_of_memory_and_files_is_found(kinds: Path, change: Break, wanted: str) -> None:
    change(kinds)
    expect(findings(kinds), wanted)


@pytest.mark.parametrize(
    ("change", "wanted"), [c[1:] for c in SOCKETS], ids=[c[0] for c in SOCKETS]
)
def test_damage_of_sockets_is_found(sockets: Path, change: Break, wanted: str) -> None:
    change(sockets)
    expect(findings(sockets), wanted)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (remove("core-8.img"), {"img-missing"}),
        (cut("pages-2.img", 8192), {"pages-data-bad"}),
        (overwrite("pstree.img", 0, b"XXXX"), {"img-magic"}),
        (cut("mm-1.img", 60), {"img-truncated"}),
        (remove("inventory.img"), {"img-missing"}),
        (remove("files.img"), {"img-missing"}),
        (remove("pagemap-8.img"), {"img-missing"}),
    ],
)
def test_failures_of_the_lab_have_no_other_finding(
    counter: Path, change: Break, wanted: set[str]
) -> None:
    change(counter / "checkpoint")
    assert problems(findings(counter)) == wanted


@pytest.mark.parametrize("name", ["fdinfo-3.img", "cgroup.img"])
def test_loss_that_criu_does_not_notice_is_no_certain_failure(counter: Path, name: str) -> None:
    (counter / "checkpoint" / name).unlink()
    found = findings(counter)
    assert problems(found) == {"img-missing"}
    assert verdict(found, Extent(9, 9)).text == "may be damaged: 1 reason"


def test_bytes_that_are_no_page_harm_nobody(counter: Path) -> None:
    append("pages-1.img", b"12345678")(counter / "checkpoint")
    (found,) = (f for f in findings(counter) if f.id == "pages-data-bad")
    assert found.severity == "may-fail"


def test_group_without_its_leader_is_no_problem(counter: Path) -> None:
    edit("pstree.img", lambda m: put(m[1], "pgid", 5555))(counter / "checkpoint")
    assert findings(counter) == ()


def test_thread_list_of_a_zombie_is_not_believed(kinds: Path) -> None:
    def die(messages: list[Any]) -> None:
        messages[0].tc.task_state = 2

    rewrite(kinds / "core-10.img", die)
    rewrite(kinds / "pstree.img", lambda m: m[2].threads.append(3009513808))
    for image in ("ids", "fs", "mm", "pagemap"):
        (kinds / f"{image}-10.img").unlink()
    assert problems(findings(kinds)) == set()


def test_parent_that_is_not_at_hand_is_found_and_one_that_is_is_not(counter: Path) -> None:
    images = counter / "checkpoint"
    rewrite(images / "pagemap-8.img", lambda m: put(m[1], "flags", 1))
    pages = (images / "pages-2.img").read_bytes()
    first: list[int] = []
    rewrite(images / "pagemap-8.img", lambda m: first.append(m[1].nr_pages))
    (images / "pages-2.img").write_bytes(pages[first[0] * 4096 :])
    assert problems(findings(counter)) == {"pagemap-parent-missing"}
    before = counter / "pre-checkpoint"
    before.mkdir()
    (images / "parent").symlink_to("../pre-checkpoint")
    assert problems(findings(counter)) == {"pagemap-parent-missing"}
    (before / "pagemap-8.img").write_bytes((images / "pagemap-8.img").read_bytes())
    assert problems(findings(counter)) == set()


def test_pre_dump_is_named_and_not_blamed_for_what_it_lacks(tmp_path: Path) -> None:
    folder = whole_images("counter", tmp_path / "pre")
    for path in folder.iterdir():
        if not path.name.startswith(("pagemap-", "pages-", "inventory")):
            path.unlink()

    def before(messages: list[Any]) -> None:
        messages[0].Clear()
        messages[0].pre_dump_mode = 1

    rewrite(folder / "inventory.img", before)
    assert problems(findings(folder)) == {"pre-dump"}


def test_encrypted_checkpoint_is_named_and_not_called_damaged(counter: Path) -> None:
    images = counter / "checkpoint"
    for path in images.glob("*.img"):
        path.write_bytes(path.read_bytes()[::-1])
    (images / "cipher.img").write_bytes(b"x" * 40)
    found = findings(counter)
    assert "encrypted" in {f.id for f in found}
    assert not {"img-magic", "img-truncated"} & {f.id for f in found}


def test_pages_with_a_lazy_server_are_told(counter: Path) -> None:
    images = counter / "checkpoint"
    first: list[int] = []
    rewrite(images / "pagemap-8.img", lambda m: first.append(m[1].nr_pages))
    rewrite(images / "pagemap-8.img", lambda m: put(m[1], "flags", 2))
    pages = (images / "pages-2.img").read_bytes()
    (images / "pages-2.img").write_bytes(pages[first[0] * 4096 :])
    assert problems(findings(counter)) == {"lazy-pages"}


def test_layer_in_a_podman_archive_is_told(counter: Path, tmp_path: Path) -> None:
    other = unpack(ARCHIVES / "cri-containerd-cri.tar", tmp_path / "containerd")
    (counter / "rootfs-diff.tar").write_bytes((other / "rootfs-diff.tar").read_bytes())
    assert problems(findings(counter)) == {"delta-dialect"}


def test_containerd_archive_without_status_and_with_links_is_refused(tmp_path: Path) -> None:
    folder = unpack(ARCHIVES / "cri-containerd-cri.tar", tmp_path / "containerd")
    (folder / "checkpoint" / "parent").symlink_to("../pre")
    assert problems(findings(folder)) == {"containerd-link"}


def test_arguments_in_pages_that_were_cut_off_are_no_finding_of_their_own(counter: Path) -> None:
    cut("pages-2.img", 4096)(counter / "checkpoint")
    assert "no-arguments" not in {f.id for f in findings(counter)}


def test_what_the_load_told_is_not_decoded_again(
    counter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = facts_of(counter)
    maps = facts.page_maps

    def refuse(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(image_directory, "decode_image", refuse)
    facts.images._decoded.clear()
    assert len(maps) == 2
    assert [*records(facts), *page_runs(facts)] == []


def test_what_is_odd_about_an_archive_is_told_once(counter: Path) -> None:
    tree = MemoryTree({})
    tree.notes = ("It is cut.", "Two members have one name.", "9 bytes that are no padding follow")
    tree.notes += ("9 bytes that are no padding follow the end mark",)
    found = list(archive_notes(dataclasses.replace(facts_of(counter), tree=tree)))
    assert [(f.id, len(f.evidence)) for f in found] == [
        ("archive-trailing", 1),
        ("rt-archive-bad", 3),
    ]


def test_folder_made_again_is_advice(tmp_path: Path) -> None:
    found = findings(unpack(ARCHIVES / "rootfs.tar.zst", tmp_path / "rootfs"))
    lost = [f for f in found if f.id == "delta-remade-folder"]
    assert [f.severity for f in lost] == ["advice"]
    assert lost[0].evidence[0].text == "/data/old: 1 file"


@pytest.mark.parametrize(
    ("name", "data", "wanted"),
    [
        ("deleted.files", b"[1, 2]", "rt-archive-bad"),
        ("deleted.files", json.dumps(["/../../etc/passwd"]).encode(), "delta-escape"),
        ("rootfs-diff.tar", b"no tar" * 200, "rt-archive-bad"),
        ("devshm-checkpoint.tar", b"no tar" * 200, "rt-archive-bad"),
        ("spec.dump", b"{", "rt-archive-bad"),
    ],
)
def test_damaged_member_is_told(counter: Path, name: str, data: bytes, wanted: str) -> None:
    (counter / name).write_bytes(data)
    assert wanted in problems(findings(counter))


def test_check_that_raises_becomes_a_finding(
    counter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(facts: object) -> Any:
        raise ZeroDivisionError
        yield

    bad = Check("bad", "Is it bad?", "integrity", explode)
    monkeypatch.setattr(checks, "CHECKS", (bad, *CHECKS))
    assert [f.id for f in findings(counter) if f.id == "check-failed"] == ["check-failed"]


def test_nobody_waits_for_checks_that_nobody_wants(counter: Path) -> None:
    facts = facts_of(counter)
    with pytest.raises(Cancelled):
        run_checks(facts, Progress(cancelled=lambda: True))


def test_findings_are_json_without_control_characters(counter: Path) -> None:
    rewrite(counter / "checkpoint" / "files.img", lambda m: put(m[0].reg, "name", "/\x1b[31m"))
    rewrite(counter / "checkpoint" / "files.img", lambda m: put(m[0].reg, "mnt_id", 999))
    printed = to_json(plain(findings(counter)))
    assert json.loads(printed)[0]["id"] == "file-mount-unknown"
    assert "\x1b" not in printed


def test_ids_of_checks_are_there_once() -> None:
    assert len({check.id for check in CHECKS}) == len(CHECKS)


@pytest.mark.parametrize("seed", range(12))
def test_random_damage_never_breaks_a_check(counter: Path, seed: int) -> None:
    import random

    chance = random.Random(seed)
    for path in sorted((counter / "checkpoint").glob("*.img")):
        data = bytearray(path.read_bytes())
        for _ in range(4):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
    found = run_checks(facts_of(counter), quiet())
    assert not any(f.id == "check-failed" for f in found)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_that_an_archive_is_cut_comes_first(
    counter: Path, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    paths = sorted(path for path in counter.rglob("*") if path.is_file())
    data = pack(tar_of({str(p.relative_to(counter)): p.read_bytes() for p in paths}))
    archive = tmp_path / "cut.tar"
    archive.write_bytes(data[: len(data) * 3 // 4])
    opened = open_checkpoint(str(archive), quiet())
    try:
        found = diagnose_opened(opened, opened.load(quiet()), quiet())
    finally:
        opened.close()
    assert found.findings[0].id == "archive-cut"
    assert found.verdict.text.startswith("damaged: ")
