"""The delta as podman mounts it, against the base with the legacy delta unpacked by tar and rm.

(base − deleted) ∪ tar is what the container had. What a legacy restore gives, (base ∪ tar) −
deleted, lacks what was deleted and made again.
"""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import zstandard
from converting import LIST_TREE, Listing, convert
from lab import Lab

DIFF, DELETED = "rootfs-diff.tar", "deleted.files"

BY_HAND = f"""
cd /host/appliers
podman rmi -af >&2
image=$(podman load -q -i base.tar | sed 's/.*: //')
root=$(mktemp -d)
cp -a "$(podman image mount "$image")"/. "$root"
python3 - "$root" <<'PYTHON'
import json, os, shutil, sys, tarfile
os.chroot(sys.argv[1])
def remove(path):
    shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
for name in {{deleted}}:
    if os.path.lexists("/" + name): remove("/" + name)
for name, is_folder in {{kinds}}:
    path = "/" + name  # tar itself would not put a file in place of a folder
    if os.path.lexists(path) and os.path.isdir(path) != is_folder: remove(path)
PYTHON
tar -xf {DIFF} -C "$root" --numeric-owner
podman image unmount -f "$image" >&2
podman rmi -f "$image" >&2
python3 - "$root" <<'PYTHON'
{LIST_TREE.replace("{", "{{").replace("}", "}}")}
PYTHON
"""
"""Shell that unpacks the legacy delta on the base, and lists what is there then."""


@dataclass(frozen=True)
class Entry:
    name: str
    mode: int
    data: bytes | None = None
    """None: a folder."""


@dataclass(frozen=True)
class Case:
    """A delta as podman would write it for a container of the busybox image."""

    name: str
    entries: Sequence[Entry]
    deleted: Sequence[str]
    kinds: dict[str, str]
    """Names, and what each must be in the end: d or - as in `ls -l`, or empty for gone."""


CASES = (
    Case(
        "kinds that change",
        (
            Entry("etc/motd", 0o2750),
            Entry("etc/motd/inside", 0o600, b"was a file"),
            Entry("data/old", 0o4711, b"was a folder"),
        ),
        (),
        {"etc/motd": "d", "etc/motd/inside": "-", "data/old": "-", "data/old/deep/b": ""},
    ),
    Case(
        "a folder made again",
        (
            Entry("data/old", 0o1771),
            Entry("data/old/deep", 0o700),
            Entry("data/old/deep/new", 0o640, b"new"),
        ),
        ("/data/old", "/data/old/a", "/data/old/deep", "/data/old/deep/b", "/data/gone"),
        {"data/old": "d", "data/old/a": "", "data/old/deep/b": "", "data/gone": ""},
    ),
)


def members(archive: Path) -> dict[str, bytes]:
    """Return the files of an archive of podman."""
    with (
        archive.open("rb") as packed,
        zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as plain,
        tarfile.open(fileobj=plain, mode="r|") as tar,
    ):
        return {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}  # type: ignore[union-attr]


def packed(case: Case) -> bytes:
    """Return the rootfs-diff.tar of a case."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for entry in case.entries:
            info = tarfile.TarInfo(entry.name)
            info.mode, info.uid, info.gid = entry.mode, 7, 8
            info.type = tarfile.DIRTYPE if entry.data is None else tarfile.REGTYPE
            info.size = len(entry.data or b"")
            tar.addfile(info, io.BytesIO(entry.data or b""))
    return out.getvalue()


def with_delta(data: Path, case: Case, target: Path) -> dict[str, bytes]:
    """Write the checkpoint of the counter with another delta; return its files."""
    found = members(data / "archives/counter.tar.zst")
    found |= {DIFF: packed(case), DELETED: json.dumps(case.deleted).encode()}
    with tarfile.open(target, "w") as tar:
        for name, content in found.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return found


def compared(
    lab: Lab, registry: str, data: Path, archive: Path, files: dict[str, bytes]
) -> Listing:
    """Convert, and check what podman mounts against what is unpacked by hand; return it."""
    folder = lab.host / "appliers"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    base = data / "archives/base-bb.oci.tar"
    shutil.copy(base, folder / "base.tar")
    (folder / DIFF).write_bytes(files[DIFF])
    with tarfile.open(folder / DIFF) as tar:
        kinds = [(member.name, member.isdir()) for member in tar]
    by_hand = lab.script(BY_HAND.format(deleted=json.loads(files[DELETED]), kinds=kinds))
    place = f"{registry}/app/delta"
    result = convert(str(archive), f"docker://{place}:opt", "--base", f"oci-archive:{base}")
    rootfs = f"{place}@{result['rootfs_digest']}"
    mounted = lab.script(
        f"""
        podman pull -q {rootfs} >&2
        python3 - "$(podman image mount {rootfs})" <<'PYTHON'
{LIST_TREE}
PYTHON
        podman image unmount -a >&2
        """
    )
    found: Listing = json.loads(mounted.stdout)
    assert found == json.loads(by_hand.stdout)
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_podman_mounts_what_tar_and_rm_give(
    lab: Lab, registry: str, data: Path, tmp_path: Path, case: Case
) -> None:
    archive = tmp_path / "a.tar"
    files = with_delta(data, case, archive)
    found = compared(lab, registry, data, archive, files)
    assert {name: found[name][0][0] if name in found else "" for name in case.kinds} == case.kinds
    for entry in case.entries:
        assert found[entry.name][1:3] == [7, 8]


def test_podman_mounts_every_hard_kind_of_a_real_delta(lab: Lab, registry: str, data: Path) -> None:
    archive = data / "archives/rootfs.tar.zst"
    found = compared(lab, registry, data, archive, members(archive))
    assert "etc/motd" not in found
    assert "data/old/a" not in found
    assert "data/old/n" in found
    assert found["data/h1"] == found["data/h2"]
    assert found["data/suid"][0] == "-rwsr-xr-x"
    assert found["data/pipe"][0].startswith("p")
    assert found["data/sparse"][4] == 104857601
