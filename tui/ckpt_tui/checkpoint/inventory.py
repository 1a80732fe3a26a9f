"""What the images say of the dump itself: inventory.img, stats-dump, the architecture."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain, islice
from typing import Any

from ckpt_tui.archive.tree import Tree
from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.model import CriuFacts, Note
from ckpt_tui.checkpoint.records import VERSION_KEYS
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import quiet
from ckpt_tui.criu.decode import decode_image, unknown_fields
from ckpt_tui.criu.pages import page_size_of
from ckpt_tui.criu.schema import inventory_pb2
from ckpt_tui.criu.values import text, value_name

COMPRESS_FIELD = 15
"""inventory_entry.compress of CRIU's development tree of 2026: page images are LZ4."""

PAGE_MAPS = 100
"""Page maps looked at: one release wrote all of them, and hardly any has no pages."""

LOG_VERSION = re.compile(rb"^(?:\([\d.]+\) )?Version: (\d[\w.-]*)", re.MULTILINE)
LOG_HEAD = 64 << 10
"""Bytes of dump.log that hold the header in every log seen."""


def build_criu_facts(
    images: ImageDirectory, tree: Tree, annotations: Mapping[str, str], notes: list[Note]
) -> CriuFacts:
    """Return the facts of the dump; without an inventory, what the other images tell."""
    inventory = images.message("inventory.img")
    if inventory is None:
        notes.append(
            Note("inventory.img", "There is no readable inventory: CRIU refuses such a checkpoint.")
        )
        inventory = inventory_pb2.inventory_entry()
    mm = next((m for n in images.named("mm-") if (m := images.message(n))), None)
    lock = inventory.network_lock_method
    return CriuFacts(
        image_version=inventory.img_version if inventory.HasField("img_version") else None,
        at_least=_at_least(images, inventory),
        version=_version(tree, annotations),
        lsm=inventory_pb2.lsmtype.Name(inventory.lsmtype) if inventory.HasField("lsmtype") else "",
        network_lock=value_name("inventory.network_lock_method", lock) if lock else "",
        tcp_close=inventory.tcp_close,
        pre_dump=inventory.HasField("pre_dump_mode"),
        plugins=tuple(text(p) for p in inventory.plugins_entry.plugins)
        if inventory.HasField("plugins_entry")
        else None,
        run_id=text(inventory.dump_criu_run_id),
        architecture=images.host.arch,
        page_size=page_size_of(list(mm.mm_saved_auxv)) if mm else 4096,
        compressed_pages=any(
            f.number == COMPRESS_FIELD and f.value for f in unknown_fields(inventory)
        ),
        encrypted="cipher.img" in images,
        stats=_stats(tree, images, notes),
    )


def _at_least(images: ImageDirectory, inventory: Any) -> str:
    """Return the first release that wrote the newest field in use (CRIU's images/*.proto)."""
    maps = images.named("pagemap-")[:PAGE_MAPS]
    runs = chain.from_iterable(islice(images.records(name, quiet()), 1, 2) for name in maps)
    first = next(runs, None)
    if first is not None and first[0].HasField("nr_pages"):
        return "4.2"
    for field, release in (
        ("plugins_entry", "4.1"),
        ("dump_criu_run_id", "4.1"),
        ("network_lock_method", "3.16"),
        ("tcp_close", "3.14"),
        ("lsmtype", "1.6"),
    ):
        if inventory.HasField(field):
            return release
    return ""


def _version(tree: Tree, annotations: Mapping[str, str]) -> str:
    """Return the release that an annotation or the header of dump.log names."""
    for key in VERSION_KEYS:
        if annotations.get(key):
            return annotations[key]
    if "dump.log" in tree.members:
        try:
            found = LOG_VERSION.search(tree.window("dump.log").read(0, LOG_HEAD))
        except (CkptError, KeyError):
            return ""
        return found.group(1).decode() if found else ""
    return ""


def _stats(tree: Tree, images: ImageDirectory, notes: list[Note]) -> dict[str, int]:
    """Return the fields of stats-dump: beside the image directory (podman, CRI-O) or in it."""
    for name in ("stats-dump", images.member_name("stats-dump")):
        if name not in tree.members:
            continue
        try:
            image = decode_image(tree.window(name), "stats-dump", quiet())
        except (CkptError, KeyError) as error:
            notes.append(Note(name, str(error)))
            continue
        message: Any = image.first
        if message is not None:
            return {f.name: int(v) for f, v in message.dump.ListFields()}
    return {}
