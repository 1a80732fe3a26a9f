"""The commands that `diagnose` prints restore for real, as they are printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from converting import BUNDLE, COUNTED, COUNTS_ON, assert_counted_on, convert, run_program
from lab import Lab

MOUNTED = ("/etc/hosts", "/etc/hostname", "/run/.containerenv", "/dev/shm")
"""What podman gave the container, which a bare CRIU wants to be told of."""

ROOTFS = """
        image=$(podman image mount localhost/bb:1)
        mkdir -p bundle/rootfs bundle/upper bundle/work
        mount -t tmpfs overlay bundle
        mkdir -p bundle/rootfs bundle/upper bundle/work
        tar -xO --zstd -f /host/counter.tar.zst rootfs-diff.tar | tar -xC bundle/upper
        chmod 555 bundle/upper
        mount -t overlay overlay bundle/rootfs \
            -o "lowerdir=$image,upperdir=$PWD/bundle/upper,workdir=$PWD/bundle/work"
"""
"""Shell that makes the root filesystem as the notes say: the base image, the changes over it."""


def ways(target: str) -> dict[str, Any]:
    """Return what `diagnose` says of each engine; it leaves with 1 where something may fail."""
    printed = run_program("diagnose", target, "--json", allowed=(0, 1))
    return {way["engine"]: way for way in json.loads(printed)["restore"]}


def commands(lab: Lab, target: str, engine: str) -> str:
    """Return the commands for an engine as shell for the lab."""
    way = ways(target)[engine]
    assert way["commands"], way["refusal"]
    return "\n".join(way["commands"]).replace(str(lab.host), "/host")


@pytest.fixture
def pair(lab: Lab, registry: str) -> str:
    """The counter as an optimized pair in a registry."""
    archive = lab.checkpoint("counter")
    base = f"oci-archive:{lab.host / 'base-bb.oci.tar'}"
    return str(
        convert(str(archive), f"docker://{registry}/counter:1", "--base", base)["destination"]
    )


def restored_by_podman(lab: Lab, told: str) -> str:
    return lab.script(
        f"""
        cd "$(mktemp -d)"
        before=$({COUNTED})
        podman image exists localhost/bb:1 || podman load -q -i /host/base-bb.oci.tar >&2
        exec 3>&1 >&2
        {told}
        exec >&3
        {COUNTS_ON % "podman exec counter"}
        podman rm -f -t 0 counter >&2
        """
    ).stdout


def test_podman_restores_an_archive(lab: Lab) -> None:
    told = commands(lab, str(lab.checkpoint("counter")), "podman")
    assert_counted_on(restored_by_podman(lab, told))


def test_podman_restores_an_unpacked_archive(lab: Lab) -> None:
    lab.checkpoint("counter")
    folder = lab.host / "an unpacked archive"
    lab.script(
        f"mkdir -p '/host/{folder.name}'; tar -C '/host/{folder.name}' -xf /host/counter.tar.zst"
    )
    assert_counted_on(restored_by_podman(lab, commands(lab, str(folder), "podman")))


def test_podman_restores_a_pair_from_a_registry(lab: Lab, pair: str) -> None:
    assert_counted_on(restored_by_podman(lab, commands(lab, pair, "podman")))


def test_podman_restores_a_pair_from_a_layout(lab: Lab, pair: str, tmp_path: Path) -> None:
    layout = lab.host / f"layout-{tmp_path.name}"
    run_program("copy", pair, f"oci:{layout}:counter")
    assert_counted_on(restored_by_podman(lab, commands(lab, f"oci:{layout}:counter", "podman")))


@pytest.mark.parametrize("engine", ["runc", "criu"])
@pytest.mark.parametrize("form", ["archive", "pair"])
def test_runtimes_restore_what_is_unpacked(lab: Lab, pair: str, engine: str, form: str) -> None:
    target = pair if form == "pair" else str(lab.checkpoint("counter"))
    told = commands(lab, target, engine)
    told = (
        told.replace("BUNDLE", "bundle")
        .replace("NAME", "again")
        .replace("ROOTFS", "$PWD/bundle/rootfs")
    )
    *before, restore = told.splitlines()
    spec = "bundle/spec.dump"
    if engine == "criu":
        restore += " --restore-detached --manage-cgroups=ignore"
        for place in MOUNTED:
            named = f"mnt[{place}]:"
            restore = restore.replace(f"{named}SOURCE", f"{named}'$PWD'/bundle/binds{place}")
    printed = lab.script(
        f"""
        cd "$(mktemp -d)"
        before=$({COUNTED})
        podman image exists localhost/bb:1 || podman load -q -i /host/base-bb.oci.tar >&2
        {ROOTFS}
        exec 3>&1 >&2
        {chr(10).join(before)}
        tar -xO --zstd -f /host/counter.tar.zst spec.dump > {spec}
        ip netns add restored 2>/dev/null || :
        python3 - "$PWD/bundle" {spec} <<'PYTHON'
{BUNDLE}
PYTHON
        mkdir -p bundle/rootfs/etc bundle/rootfs/run
        touch {" ".join(f"bundle/rootfs{place}" for place in MOUNTED)}
        {restore} </dev/null || {{ grep -a Error /tmp/restore.log; exit 1; }}
        exec >&3
        {COUNTS_ON % "cat bundle/rootfs/tmp/count; :"}
        """
    ).stdout
    assert_counted_on(printed)
