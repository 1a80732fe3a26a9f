"""`formats`: the ways to dump and to restore a checkpoint, computed, and measured if asked for."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from ckpt_tui.checkpoint.forms import forms
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.restore_steps import Way, amounts_of, dumps, pulls, ways
from ckpt_tui.cli.opened import opened_target
from ckpt_tui.cli.output import print_heading, print_json, print_sections, width
from ckpt_tui.cli.tables import print_table
from ckpt_tui.convert.measure import Measured, Measurement, Pull
from ckpt_tui.core.json_form import plain
from ckpt_tui.views.formats import are_timed, columns, pull_sections, way_rows
from ckpt_tui.views.forms import form_section
from ckpt_tui.views.meanings import signed

LINE = 120
"""Columns of the table that goes into a file or a pipe."""


def formats(target: str, measure: bool, as_json: bool) -> None:
    """Print what each engine reads and writes to restore; with `measure` run the data steps."""
    done: dict[str, tuple[Measured, ...]] = {}
    pull: Pull | None = None
    with opened_target(target) as (opened, progress):
        checkpoint = opened.load(progress)
        have = amounts_of(checkpoint)
        found = (*dumps(have), *ways(have))
        if measure:
            measurement = Measurement(opened, have)
            try:
                done = {
                    w.id: measurement.quickest(w, progress) for w in found if measurement.can_run(w)
                }
                pull = measurement.pull
            finally:
                measurement.close()
    if as_json:
        print_json(formats_document(checkpoint, found, done, pull))
        return
    shown = columns(min(width(), LINE), are_timed(found, done))
    print_table(shown, way_rows(found, done, shown[1].width))
    if refused := next((way.refused for way in found if way.refused), ""):
        print(signed("fails", f"refused: {refused}"))
    print_sections(pull_sections(checkpoint, pull))
    trees = form_section(checkpoint, min(width(), LINE))
    print_heading(trees.title)
    for fact in trees.facts:
        print(str(fact.value).rstrip())


def formats_document(
    checkpoint: Checkpoint,
    found: tuple[Way, ...],
    done: dict[str, tuple[Measured, ...]],
    pull: Pull | None = None,
) -> dict[str, Any]:
    """Return the ways as JSON; `seconds` and `written` of a step are None where not measured."""
    legacy, optimized, measured = pulls(checkpoint)
    return {
        "schema_version": 1,
        "source": plain(checkpoint.source),
        **{
            key: [_way(way, done.get(way.id, ())) for way in found if way.phase == phase]
            for key, phase in (("dumps", "dump"), ("ways", "restore"))
        },
        "forms": {form.name: plain(form) for form in forms(checkpoint)},
        "pull": {
            "legacy": plain(legacy),
            "optimized": {**plain(optimized), "upper_bound": not measured},
            "measured": plain(pull) if pull else None,
        },
    }


def _way(way: Way, done: tuple[Measured, ...]) -> dict[str, Any]:
    steps = [
        {
            **plain(step),
            "seconds": round(here.seconds, 6) if here else None,
            "written": here.written if here else None,
        }
        for step, here in zip_longest(way.steps, done)
    ]
    keys = ("id", "engine", "form", "refused", "reads", "writes")
    return {**{key: getattr(way, key) for key in keys}, "steps": steps}
