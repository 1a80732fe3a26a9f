"""An incremental checkpoint and its pre-dump, in one image and back in one archive."""

from __future__ import annotations

from converting import COUNTS_ON, assert_counted_on, convert, restore_in_place, run_program
from lab import Lab

import crafted

COUNTED = "tar -xO --zstd -f /host/counter.tar.zst rootfs-diff.tar | tar -xO tmp/count"


def test_a_chain_is_restored_by_podman_in_place_and_from_the_way_back(
    lab: Lab, registry: str
) -> None:
    lab.checkpoint("counter")
    folder = lab.host / "chain"
    restored = f"""
        {COUNTS_ON % "podman exec counter"}
        podman rm -f -t 0 counter >&2
    """
    lab.script(
        "mkdir -p /host/chain/all; tar -x --zstd -f /host/counter.tar.zst -C /host/chain/all"
    )
    crafted.cut_chain(folder / "all")
    printed = lab.script(
        f"""
        cd /host/chain/all
        tar -cf ../before.tar config.dump spec.dump pre-checkpoint
        tar --exclude ./pre-checkpoint --transform 's,^[.]/,,' -cf ../last.tar ./*
        before=$({COUNTED})
        podman image exists localhost/bb:1 || podman load -q -i /host/base-bb.oci.tar >&2
        podman container restore --import ../last.tar --import-previous ../before.tar >&2
        {restored}
        """
    ).stdout
    assert_counted_on(printed)
    place = f"{registry}/app/chain"
    result = convert(
        str(folder / "last.tar"),
        f"docker://{place}:opt",
        "--previous",
        str(folder / "before.tar"),
        "--base",
        f"oci-archive:{lab.host / 'base-bb.oci.tar'}",
    )
    assert "criu-parent" in {layer["role"] for layer in result["layers"]}
    rootfs = f"{place}@{result['rootfs_digest']}"
    counts, _ = restore_in_place(lab, f"{place}:opt", rootfs, COUNTED)
    assert_counted_on(counts)
    run_program("convert", f"docker://{place}:opt", str(folder / "back.tar"), "--to", "archive")
    printed = lab.script(
        f"""
        cd /host/chain
        mkdir back; tar -xf back.tar -C back
        diff -r all back >&2
        before=$({COUNTED})
        podman image exists localhost/bb:1 || podman load -q -i /host/base-bb.oci.tar >&2
        podman container restore --import back.tar >&2
        {restored}
        """
    ).stdout
    assert_counted_on(printed)
