"""`convert`: the plan as text, the conversion, the result."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ckpt_tui.cli.output import print_json, print_sections
from ckpt_tui.cli.telling import asking_before_fetching, told_progress
from ckpt_tui.convert.clear import in_clear
from ckpt_tui.convert.inputs import Beside
from ckpt_tui.convert.plan import Plan
from ckpt_tui.convert.request import Request, prepare
from ckpt_tui.convert.run import ConvertedImage, run
from ckpt_tui.core.config import config_file, load_config
from ckpt_tui.core.errors import CkptError, UsageError
from ckpt_tui.core.json_form import plain
from ckpt_tui.core.text import human_bytes
from ckpt_tui.views.conversion import LOSSES, WARNINGS, plan_sections, result_sections


def convert(
    source: str,
    destination: str | None,
    to: str,
    base: str | None,
    repository: str | None,
    keep_delta_tar: bool,
    keep_devices: bool,
    encrypt_to: tuple[str, ...],
    encrypt: bool,
    minimal_annotations: bool,
    dry_run: bool,
    as_json: bool,
    **beside: str | None,
) -> None:
    """Convert one checkpoint; with `dry_run` only print the plan. `beside` has the fields of
    `Beside`, None where they were not given."""
    if to == "archive":
        _back(source, destination, as_json)
        return
    given = Beside(**{name: path or "" for name, path in beside.items()})
    request = Request(
        *(source, destination or "", base or "", repository or "", keep_delta_tar, given),
        keep_devices=keep_devices,
        encrypt_to=(*encrypt_to, *(configured_recipients() if encrypt else ())),
        minimal_annotations=minimal_annotations,
    )
    with told_progress() as progress:
        asking = asking_before_fetching()
        prepared = prepare(request, progress, at_once=not dry_run, before_fetching=asking)
        try:
            plan = prepared.plan
            if dry_run:
                if as_json:
                    print_json(plan_document(plan))
                else:
                    print_sections(plan_sections(plan))
                return
            if plan.problems:
                raise CkptError(f"{source} cannot be converted:", *plan.problems[:2])
            start = time.monotonic()
            result = run(plan, prepared.inputs, progress)
            seconds = time.monotonic() - start
        finally:
            prepared.close()
    if as_json:
        print_json(result_document(plan, result, seconds))
    else:
        known = [s for s in plan_sections(plan) if s.title in (LOSSES, WARNINGS)]
        print_sections([*result_sections(plan, result, seconds), *known])


def configured_recipients() -> tuple[str, ...]:
    """Return the recipients in the configuration.

    Raises:
        UsageError: there are none.
    """
    found = load_config().recipients
    if not found:
        raise UsageError(
            "No recipients to encrypt for:",
            f"{config_file()} has no `recipients` in [encryption].",
            "Add some, or name them with --encrypt-to jwe:FILE.",
        )
    return found


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON."""
    return {
        "schema_version": 1,
        "source": plan.source.label,
        "destination": plain(plan.destination.named(plan.tag)),
        "tag": plan.tag,
        "repository": plan.repository,
        "base": plan.base.reference if plan.base else None,
        "base_verdict": plan.base_verdict,
        "layers": [{"role": la.role, "plain_size": la.plain_size} for la in plan.layers],
        "before": plain(plan.before),
        "after": plain(plan.after),
        "encrypted_for": [one.key_id for one in plan.options.recipients],
        "in_clear": plain(in_clear(plan)) if plan.options.recipients else [],
        "problems": plain(plan.problems),
        "losses": plain(plan.losses),
        "warnings": plain(plan.warnings),
    }


def result_document(plan: Plan, result: ConvertedImage, seconds: float) -> dict[str, Any]:
    """Return a result as JSON."""
    return {
        **plan_document(plan),
        "destination": plain(result.name),
        "tag": result.tag,
        "repository": result.repository,
        "digest": result.digest,
        "checkpoint_digest": result.checkpoint,
        "rootfs_digest": result.rootfs or None,
        "layers": [
            {
                "role": w.role,
                "digest": w.layer.descriptor.digest,
                "size": w.layer.descriptor.size,
                "media_type": w.layer.descriptor.media_type,
            }
            for w in result.layers
        ],
        "stored_size": result.stored_size,
        "reversible_exactly": result.exact,
        "seconds": round(seconds, 3),
    }


def _back(source: str, destination: str | None, as_json: bool) -> None:
    """Write the archive that an optimized image was made from."""
    from ckpt_tui.convert.back import convert_back

    if not destination:
        raise UsageError(
            "Conversion to an archive needs a destination file.", hint="Name it after the source."
        )
    with told_progress() as progress:
        written = convert_back(source, Path(destination), progress)
    if as_json:
        print_json({"schema_version": 1, **plain(written), "path": str(written.path)})
        return
    print(f"{written.path}  {human_bytes(written.size)}, {written.members} members")
    if not written.exact:
        print("rootfs-diff.tar has the same content as the original, but not the same bytes.")
