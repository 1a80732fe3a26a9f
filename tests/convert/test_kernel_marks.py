"""Nothing in a delta that instructs a kernel becomes a layer."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest
from layouts import OpenSource, repacked

from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.convert.base_image import BaseImage
from ckpt_tui.convert.destination import Destination
from ckpt_tui.convert.kernel_marks import MAX_NAMED, kernel_marks
from ckpt_tui.convert.plan import Options, Plan, make_plan

LIBARCHIVE = "LIBARCHIVE.xattr.trusted%2Eoverlay%2Eopaque"


def tar_of(name: str, pax: dict[str, str] | None = None, **facts: object) -> bytes:
    """Return a tar of one entry and one that is a deletion in a layer."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo(name)
        info.pax_headers = pax or {}
        for fact, value in facts.items():
            setattr(info, fact, value)
        tar.addfile(info)
    return sink.getvalue()


def planned(
    data: Path, base: BaseImage, open_source: OpenSource, folder: Path, diff: bytes, **options: bool
) -> Plan:
    archive = repacked(
        data / "archives/counter.tar.zst",
        folder / "a.tar",
        {"rootfs-diff.tar": diff},
    )
    given = Options(**options)  # type: ignore[arg-type]
    return make_plan(open_source(archive), base, Destination(Path("/nowhere")), options=given)


REFUSED = {
    "opaque": tar_of("etc", {"SCHILY.xattr.trusted.overlay.opaque": "y"}, type=tarfile.DIRTYPE),
    "redirect": tar_of("etc", {"SCHILY.xattr.user.overlay.redirect": "/"}, type=tarfile.DIRTYPE),
    "fuse": tar_of("etc", {"SCHILY.xattr.user.fuseoverlayfs.opaque": "y"}, type=tarfile.DIRTYPE),
    "owner": tar_of("sh", {"SCHILY.xattr.user.containers.override_stat": "0:0:104755"}),
    "libarchive": tar_of("etc", {LIBARCHIVE: "eQ"}, type=tarfile.DIRTYPE),
    "gone": tar_of("etc/passwd", type=tarfile.CHRTYPE),
    "gone-block": tar_of("etc/passwd", type=tarfile.BLKTYPE),
}


@pytest.mark.parametrize("packed", [bytes, gzip.compress], ids=["tar", "layer"])
@pytest.mark.parametrize("kind", REFUSED)
def test_an_instruction_to_a_kernel_is_refused_whatever_is_asked_for(
    kind: str,
    packed: type,
    data: Path,
    base_bb: BaseImage,
    open_source: OpenSource,
    tmp_path: Path,
) -> None:
    diff = packed(REFUSED[kind])
    plan = planned(data, base_bb, open_source, tmp_path, diff, keep_devices=True)
    (problem,) = plan.problems
    assert "attributes of an overlay mount" in problem or "devices 0:0" in problem


@pytest.mark.parametrize("packed", [bytes, gzip.compress], ids=["tar", "layer"])
def test_a_block_device_is_converted_only_if_asked_for(
    packed: type, data: Path, base_bb: BaseImage, open_source: OpenSource, tmp_path: Path
) -> None:
    diff = packed(tar_of("sda", type=tarfile.BLKTYPE, devmajor=8, devminor=1))
    (problem,) = planned(data, base_bb, open_source, tmp_path, diff).problems
    assert "sda (8:1). `--keep-devices`" in problem
    kept = planned(data, base_bb, open_source, tmp_path, diff, keep_devices=True)
    assert kept.problems == ()
    assert "Block devices in the delta: sda (8:1)." in kept.warnings


@pytest.mark.parametrize("packed", [bytes, gzip.compress], ids=["tar", "layer"])
def test_files_with_the_rights_of_others_are_listed(
    packed: type, data: Path, base_bb: BaseImage, open_source: OpenSource, tmp_path: Path
) -> None:
    plan = planned(data, base_bb, open_source, tmp_path, packed(tar_of("bin/x", mode=0o4755)))
    assert plan.problems == ()
    assert "Setuid or setgid, 1 file of the delta: bin/x (4755)." in plan.warnings


def test_a_layer_that_is_already_one_is_looked_at_too(
    data: Path, base_bb: BaseImage, open_source: OpenSource, tmp_path: Path
) -> None:
    diff = tar_of(".wh.x")[: tarfile.BLOCKSIZE] + REFUSED["gone"]
    (problem,) = planned(data, base_bb, open_source, tmp_path, diff).problems
    assert "devices 0:0" in problem


def test_memory_does_not_grow_with_the_delta() -> None:
    found = kernel_marks(
        Member(f"b{number}", MemberKind.BLOCK, 0, device=(8, number)) for number in range(5000)
    )
    assert len(found.blocks.names) == MAX_NAMED
    assert f"and {5000 - MAX_NAMED:,} more" in found.problems(keep_devices=False)[0]


def test_records_that_members_share_are_looked_at_once() -> None:
    class Counted(dict[str, str]):
        looks = 0

        def __iter__(self):  # type: ignore[no-untyped-def]
            type(self).looks += 1
            return super().__iter__()

    shared = Counted({"SCHILY.xattr.user.x": "1"})
    kernel_marks(Member(f"f{number}", MemberKind.FILE, 0, pax=shared) for number in range(50))
    assert Counted.looks == 1
