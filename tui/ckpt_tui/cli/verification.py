"""`verify`: whether checkpoints are intact, all of their bytes read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from ckpt_tui.cli.output import print_facts, print_heading, print_json, print_line
from ckpt_tui.cli.several import run_each
from ckpt_tui.cli.telling import asking_before_fetching, tell_transferred, told_progress
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.json_form import plain
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.text import human_bytes, human_count
from ckpt_tui.diagnose.verification import Problem, Verification, verify_target
from ckpt_tui.formats.places.layout import layout_at, layout_images

DAMAGED = 1
"""Exit code when something is damaged or missing."""


def verify(targets: Sequence[str], as_json: bool) -> int:
    """Verify each target, of a layout each of its images, and print the result; return the highest
    exit code of all."""
    every = [one for target in targets for one in _images_of(target)]
    return run_each(every, partial(_verify, as_json=as_json), titles=False)


def _images_of(target: str) -> list[str]:
    """Return the targets of the images of a layout that has several, else the target itself."""
    place = layout_at(target)
    if place is None:
        return [target]
    try:
        images = [entry.target for entry in layout_images(place, quiet())]
    except CkptError:  # which is what verifying it says
        return [target]
    return images if len(images) > 1 else [target]


def _verify(target: str, as_json: bool) -> int:
    with told_progress() as progress:
        found = verify_target(target, progress, asking_before_fetching())
    if as_json:
        print_json(document(found))
    else:
        _print(found)
    tell_transferred(found.transferred)
    return DAMAGED if found.problems else 0


def document(found: Verification) -> dict[str, Any]:
    """Return a result as JSON."""
    return {
        "schema_version": 1,
        "source": plain(found.source),
        "verdict": found.verdict,
        "intact": not found.problems,
        "bytes_read": found.bytes_read,
        "has_checkpoint": found.has_checkpoint,
        "images": found.images,
        "parts": plain(found.parts),
        "problems": plain(found.problems),
        "unproven": plain(found.unproven),
    }


def _print(found: Verification) -> None:
    print_line(f"{found.source}: {found.verdict}")
    digests = sum(part.proof == "digest" for part in found.parts)
    checksums = sorted({part.proof for part in found.parts} - {"", "digest"})
    read = [f"{human_bytes(found.bytes_read)} read"]
    if digests:
        read.append(f"{human_count(digests, 'blob')} compared with the digest")
    read += [f"checksums of {name} compared" for name in checksums]
    if found.images:
        read.append(f"{human_count(found.images, 'CRIU image')} decoded")
    if not found.has_checkpoint:
        read.append("no checkpoint found in the image")
    print_facts([("", ", ".join(read))])
    for title, certain in (("Damaged", True), ("May be damaged", False)):
        problems = [problem for problem in found.problems if problem.certain is certain]
        if problems:
            print_heading(title)
            print_facts((_place(found, problem), problem.text) for problem in problems)
    if found.unproven:
        print_heading("Not proven")
        print_facts([("", text) for text in found.unproven])


def _place(found: Verification, problem: Problem) -> str:
    """Return the blob or image of a problem, with its role and the byte."""
    role = next((part.role for part in found.parts if part.name == problem.where), "")
    byte = "" if problem.offset is None else f"byte {problem.offset:,}"
    return ", ".join(filter(None, (problem.where, role, byte)))
