"""An incremental checkpoint and its pre-dump, in one image and back in one archive.

A chain is cut out of one real dump: every second run of pages moves to the pre-dump, as CRIU leaves
it where the kernel tracks changed memory; that of the lab need not.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from converting import COUNTS_ON, assert_counted_on, convert, restore_in_place, run_program
from lab import Lab

import crafted

COUNTED = "tar -xO --zstd -f /host/counter.tar.zst rootfs-diff.tar | tar -xO tmp/count"

PAGE = 4096
IN_PARENT, PRESENT = 1, 4
"""Flags of a run of pages (criu/include/pagemap.h)."""


def cut(folder: Path) -> None:
    """Make a chain of the unpacked checkpoint in `folder`."""
    images, before = folder / "checkpoint", folder / "pre-checkpoint"
    before.mkdir(mode=0o700)
    for name in ("inventory.img", "pstree.img"):
        shutil.copy(images / name, before)
    moved = 0
    for pagemap in images.glob("pagemap-[0-9]*.img"):
        shutil.copy(pagemap, before)
        runs: list[tuple[int, bool]] = []

        def change(messages: list[Any], runs: list[tuple[int, bool]] = runs) -> None:
            for number, entry in enumerate(messages[1:]):
                present = bool(entry.flags & PRESENT)
                moves = present and number % 2 == 0
                if present:
                    runs.append((entry.nr_pages or entry.compat_nr_pages, moves))
                if moves:
                    entry.flags = IN_PARENT

        number: list[int] = []
        crafted.rewrite(pagemap, lambda messages, n=number: n.append(messages[0].pages_id))
        crafted.rewrite(pagemap, change)
        pages = images / f"pages-{number[0]}.img"
        shutil.copy(pages, before)
        content, position, kept = pages.read_bytes(), 0, b""
        for count, moves in runs:
            if not moves:
                kept += content[position : position + count * PAGE]
            position += count * PAGE
            moved += moves
        pages.write_bytes(kept)
    (images / "parent").symlink_to("../pre-checkpoint")
    assert moved


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
    cut(folder / "all")
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
