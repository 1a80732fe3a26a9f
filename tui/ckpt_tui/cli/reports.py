"""`inspect` and `images`: what the screens show, as text or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ckpt_tui.checkpoint.export import checkpoint_document
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.secret_values import masked_checkpoint
from ckpt_tui.cli.opened import opened_target
from ckpt_tui.cli.output import narrate, print_facts, print_heading, print_json, print_sections
from ckpt_tui.cli.several import run_each
from ckpt_tui.cli.tables import print_table
from ckpt_tui.core.json_form import plain
from ckpt_tui.views import isolation, processes, tables
from ckpt_tui.views.details import filter_facts, process_sections
from ckpt_tui.views.overview import overview_sections

LONG_SECTIONS = ("Registers", "Auxiliary vector", "Limits", "Files", "Seccomp")
"""What a person does not want to scroll through for each process; --json has it. Filters of system
calls are printed once."""


def inspect(targets: Sequence[str], as_json: bool, reveal: bool) -> int:
    """Print everything known of each checkpoint; return 1 if damage was met."""
    return run_each(targets, partial(_inspect, as_json=as_json, reveal=reveal))


def _inspect(target: str, as_json: bool, reveal: bool) -> int:
    with opened_target(target, locked=True) as (opened, progress):
        checkpoint = opened.load(progress)
    if as_json:
        document = checkpoint_document(masked_checkpoint(checkpoint, reveal))
        fetched = {} if opened.transferred is None else {"transferred": opened.transferred}
        print_json({**document, **fetched})
    else:
        _print_checkpoint(checkpoint, reveal)
    return int(checkpoint.is_damaged)


def _print_checkpoint(checkpoint: Checkpoint, reveal: bool) -> None:
    print_sections(overview_sections(checkpoint))
    if checkpoint.format.locked:
        # 60 ms; only what no key opens is shown so
        from ckpt_tui.views.size_rows import LAYER_COLUMNS, layer_rows

        print_heading("Layers")
        print_table(LAYER_COLUMNS, layer_rows(checkpoint.sizes.layers, {}))
        return
    print_heading("Processes")
    print_table(processes.COLUMNS, processes.process_rows(checkpoint))
    for process in checkpoint.processes:
        print_heading(f"Process {process.pid}")
        sections = process_sections(checkpoint, process, reveal)
        print_facts(
            (f"{section.title.lower()} {fact.label}".strip(), fact.value)
            for section in sections
            if not section.title.startswith(LONG_SECTIONS)
            for fact in section.facts
        )
    for one in checkpoint.seccomp:
        print_heading("Seccomp filter " + ", ".join(map(str, one.numbers)))
        print_facts((fact.label, fact.value) for fact in filter_facts(one))
    for title, columns, rows in (
        ("Files", tables.FILE_COLUMNS, tables.file_rows(checkpoint)),
        ("Sockets", tables.SOCKET_COLUMNS, tables.socket_rows(checkpoint)),
        ("Mounts", tables.MOUNT_COLUMNS, tables.mount_rows(checkpoint, reveal)),
        ("Namespaces", isolation.COLUMNS, isolation.namespace_rows(checkpoint)),
        ("Cgroups", isolation.COLUMNS, isolation.cgroup_rows(checkpoint)),
        ("Root filesystem", tables.DELTA_COLUMNS, tables.delta_rows(checkpoint)),
    ):
        print_heading(title)
        print_table(columns, rows) if rows else print_facts([("", "none")])
    for title, values in isolation.properties(checkpoint, reveal):
        print_heading(title)
        print_facts(values)


def images(target: str, as_json: bool) -> int:
    """List the CRIU images; return 1 if one is damaged."""
    with opened_target(target) as (opened, progress):
        listing = opened.images.listing(progress)
    if as_json:
        print_json({"schema_version": 1, "source": target, "images": plain(listing)})
    else:
        print_table(tables.IMAGE_COLUMNS, tables.listing_rows(listing))
    damaged = [image for image in listing if image.problem]
    for image in damaged:
        narrate(f"{image.name}: {image.problem}")
    return int(bool(damaged))
