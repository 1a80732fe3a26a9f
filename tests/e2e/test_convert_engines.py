"""Checkpoints of every engine, converted straight into a registry and restored in place by runc,
that of crun by crun.

The root filesystem is compared file by file with what unpacking and deleting by hand gives, in the
order that keeps what the container had: (base − deleted) ∪ delta.
"""

from __future__ import annotations

import json
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from converting import (
    COUNTS_ON,
    LIST_TREE,
    Listing,
    assert_counted_on,
    assert_ran_on,
    convert,
    restore_in_place,
)
from lab import Lab

COUNTED = "tar -xOf /host/{name}/a.tar rootfs-diff.tar | tar -xO{gzip}f - tmp/count"


@dataclass(frozen=True)
class Case:
    """A checkpoint archive and the base image it ran from, both in the data of the tests."""

    archive: str
    base: str
    gzip: str = ""
    """z where rootfs-diff.tar is a compressed layer."""
    root_mode: str = ""


CASES = (
    Case("rootfs.tar.zst", "base-bb.oci.tar"),
    Case("cri-podman.tar", "cri-base-bb.oci.tar"),
    Case("cri-crio.tar", "cri-base-bb.oci.tar"),
    Case("cri-containerd-cri.tar", "cri-base-bb.oci.tar", "z", "755"),
)


def unpacked_by_hand(lab: Lab, folder: str, base: Path, gzip: str) -> Listing:
    """Return the base image with the delta of /host/FOLDER/a.tar applied with tar, rm and mknod."""
    shutil.copy(base, lab.host / folder / "base.tar")
    # a folder that is deleted and made again is in both: first delete, then unpack
    printed = lab.script(
        f"""
        cd /host/{folder}
        podman rmi -af >&2
        image=$(podman load -q -i base.tar | sed 's/.*: //')
        root=$(mktemp -d)
        cp -a "$(podman image mount "$image")"/. "$root"
        mkdir members; tar -xf a.tar -C members
        if [ -e members/deleted.files ]; then
            python3 -c 'import json; print(*json.load(open("members/deleted.files")), sep="\\n")' |
                while read -r name; do rm -r "$root/$name"; done
        fi
        tar -x{gzip}f members/rootfs-diff.tar -C "$root" --numeric-owner
        find "$root" -name '.wh.*' | while read -r mark; do
            name=$(basename "$mark"); folder=$(dirname "$mark")
            rm -r "$mark" "$folder/${{name#.wh.}}"
        done
        podman image unmount -f "$image" >&2
        podman rmi -f "$image" >&2
        python3 - "$root" <<'PYTHON'
{LIST_TREE}
PYTHON
        """
    ).stdout
    listing: Listing = json.loads(printed)
    return listing


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.archive)
def test_runc_restores_the_archive_of_each_engine_from_the_registry(
    lab: Lab, registry: str, data: Path, case: Case
) -> None:
    archives = data / "archives"
    folder = f"engine-{case.archive}"
    (lab.host / folder).mkdir()
    shutil.copy(archives / case.archive, lab.host / folder / "a.tar")
    expected = unpacked_by_hand(lab, folder, archives / case.base, case.gzip)
    repository = f"{registry}/app/{case.archive}"
    result = convert(
        str(archives / case.archive),
        f"docker://{repository}:opt",
        "--base",
        f"oci-archive:{archives / case.base}",
    )
    assert result["destination"] == f"docker://{repository}:opt"
    counts, found = restore_in_place(
        lab,
        f"{repository}:opt",
        f"{repository}@{result['rootfs_digest']}",
        COUNTED.format(name=folder, gzip=case.gzip),
        case.root_mode,
    )
    if case.root_mode:
        del expected["."], found["."]
    assert found == expected
    assert_ran_on(counts, archives / case.archive)


def test_crun_restores_its_own_dump_from_the_registry(lab: Lab, registry: str) -> None:
    lab.checkpoint("counter")
    lab.script(
        """
        podman image exists localhost/bb:1 || podman load -q -i /host/base-bb.oci.tar >&2
        podman --runtime crun run -d --name crun --network none localhost/bb:1 \
            sh /programs/counter.sh >&2
        until podman --runtime crun exec crun grep -q . /tmp/count; do :; done
        mkdir /host/crun
        podman --runtime crun container checkpoint --compress none -e /host/crun/a.tar crun >&2
        podman --runtime crun rm -f crun >&2
        """
    )
    base = lab.host / "base-bb.oci.tar"
    expected = unpacked_by_hand(lab, "crun", base, "")
    place = f"{registry}/app/crun"
    result = convert(
        str(lab.host / "crun/a.tar"), f"docker://{place}:opt", "--base", f"oci-archive:{base}"
    )
    counts, found = restore_in_place(
        lab,
        f"{place}:opt",
        f"{place}@{result['rootfs_digest']}",
        COUNTED.format(name="crun", gzip=""),
        runtime="crun",
    )
    assert found == expected
    assert_counted_on(counts)


def test_an_index_of_ctr_is_restored_in_place(
    lab: Lab, registry: str, data: Path, tmp_path: Path
) -> None:
    layout = shutil.copytree(data / "ctr-counter", tmp_path / "ctr")
    with tarfile.open(data / "archives/base-bb.oci.tar") as base:
        for member in base:
            if member.name.startswith("blobs/sha256/") and member.isfile():
                base.extract(member, layout, filter="data")
    result = convert(f"oci:{layout}", f"docker://{registry}/app/ctr:opt")
    assert [layer["role"] for layer in result["layers"]][:2] == ["base", "delta"]
    counts, _ = restore_in_place(
        lab,
        f"{registry}/app/ctr:opt",
        f"{registry}/app/ctr@{result['rootfs_digest']}",
        "echo 0",
        "755",
    )
    assert_ran_on(counts, layout)


def test_a_dump_goes_into_the_registry_without_an_archive_in_between(
    lab: Lab, registry: str
) -> None:
    lab.checkpoint("counter")
    lab.script(
        """
        podman image exists localhost/bb:1 || podman load -q -i /host/base-bb.oci.tar >&2
        podman run -d --name live --network none localhost/bb:1 sh /programs/counter.sh >&2
        podman exec live sh -c '
            rm /etc/motd; rm -r /data/old /data/gone; mkdir -m 1771 /data/old; echo new >/data/old/n
            echo twice >/data/hard1; ln /data/hard1 /data/hard2; ln -s /bin/cat /data/link
            mkfifo /data/pipe; chmod 1770 /data; echo changed >>/programs/counter.sh
            while [ ! -s /tmp/count ]; do sleep 0.1; done'
        podman container checkpoint --keep live >&2
        podman inspect live --format '{{.StaticDir}} {{.GraphDriver.Data.UpperDir}}' >/host/places
        """
    )
    bundle, upper = (
        lab.storage / Path(place).relative_to("/var/lib/containers")
        for place in (lab.host / "places").read_text().split()
    )
    expected = json.loads(
        lab.script(f"python3 - \"$(podman mount live)\" <<'PYTHON'\n{LIST_TREE}\nPYTHON").stdout
    )
    before = (upper / "tmp/count").read_text()
    result = convert(
        f"dir:{bundle / 'checkpoint'}",
        f"docker://{registry}/app/live:opt",
        "--upper",
        str(upper),
        "--spec",
        str(bundle / "config.json"),
        "--base",
        f"oci-archive:{lab.host / 'base-bb.oci.tar'}",
    )
    lab.run("podman", "rm", "-f", "live")
    counts, found = restore_in_place(
        lab,
        f"{registry}/app/live:opt",
        f"{registry}/app/live@{result['rootfs_digest']}",
        f"echo {before}",
    )
    assert found == expected
    assert found["data"][0] == "drwxrwx--T"
    assert_counted_on(counts)


def test_podmans_checkpoint_image_goes_from_registry_to_registry(lab: Lab, registry: str) -> None:
    lab.checkpoint("counter")
    legacy, place = f"{registry}/legacy/counter:1", f"{registry}/app/counter"
    printed = lab.script(
        f"""
        podman image exists localhost/bb:1 || podman load -q -i /host/base-bb.oci.tar >&2
        podman run -d --name counter --network none localhost/bb:1 sh /programs/counter.sh >&2
        until podman exec counter grep -q . /tmp/count; do :; done
        podman container checkpoint --create-image {legacy} counter >&2
        cat "$(podman mount counter)"/tmp/count
        podman rm -f counter >&2
        podman push -q {legacy} >&2
        """
    ).stdout
    convert(
        f"docker://{legacy}",
        f"docker://{place}:opt",
        "--base",
        f"oci-archive:{lab.host / 'base-bb.oci.tar'}",
    )
    counts = lab.script(
        f"""
        before={printed.strip()}
        podman rmi -af >&2
        podman pull -q {place}:opt >&2
        podman container restore {place}:opt >&2
        {COUNTS_ON % "podman exec counter"}
        podman rm -f -t 0 counter >&2
        """
    ).stdout
    assert_counted_on(counts)
