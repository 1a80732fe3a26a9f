"""`decode`: CRIU images as text, as JSON, or as crit's JSON.

People decode one image after the other in a loop. So this imports nothing that reads other
images; a test holds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

from ckpt_tui.cli.opened import opened_target
from ckpt_tui.cli.output import narrate, print_json
from ckpt_tui.core.errors import CkptError, UsageError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_count, printable
from ckpt_tui.criu.decode import DecodedImage
from ckpt_tui.criu.kinds import RECORDS, Payload, kind_of
from ckpt_tui.formats.opened import OpenCheckpoint


class Shape(NamedTuple):
    """How decoded images are printed."""

    as_json: bool = False
    crit: bool = False
    pretty: bool = False
    reveal: bool = False
    every: bool = False
    """Whether it is one of several: JSON documents are one a line then, and crit's have the name of
    the image."""


def decode(target: str, name: str | None, shape: Shape) -> int:
    """Print one decoded image, or all but page contents; return 1 if one of them is unreadable.

    Raises:
        UsageError: neither an image nor `every` was asked for, or both; no such image.
        CkptError: the image cannot be read.
    """
    if (name is None) is not shape.every:
        raise UsageError(
            "`decode` needs the name of an image, or --all.",
            hint="`ckpt-tui images TARGET` lists the images.",
        )
    with opened_target(target) as (opened, progress):
        if name is not None:
            _decode(opened, name, shape, progress)
            return 0
        failed = False
        for image in _all_names(opened, shape):
            try:
                _decode(opened, image, shape, progress)
            except CkptError as error:
                narrate(str(error))
                failed = True
        return int(failed)


def _all_names(opened: OpenCheckpoint, shape: Shape) -> Iterator[str]:
    """Yield the images with records and other readable files; for crit those that it reads."""
    for name in opened.images.file_names:
        found = kind_of(name)
        if found and (found[0].first if shape.crit else found[0].format is not Payload.PAGES):
            yield name


def _decode(opened: OpenCheckpoint, name: str, shape: Shape, progress: Progress) -> None:
    if name not in opened.images:
        near = [n for n in opened.images.names if n.split("-")[0] == name.split("-")[0]]
        raise UsageError(
            f"Image {name} not found in {opened.target}.",
            hint=f"Available images: {', '.join(near or opened.images.names[:12])}.",
        )
    image = opened.images.image(name, progress)
    if image is None:
        raise CkptError(f"{name} cannot be read:", *(n.text for n in opened.images.notes[-1:]))
    if shape.crit:
        from ckpt_tui.criu.crit import to_crit

        document = to_crit(image, opened.images.window(name), pretty=shape.pretty)
        named = {"image": printable(name)} if shape.every else {}
        print_json({**named, **document}, in_a_line=shape.every)
        return
    lines = _lines(opened, image, shape.reveal, progress)
    if shape.as_json:
        print_json(_document(opened, image, lines, shape.reveal), in_a_line=shape.every)
    else:
        _print(opened, image, lines, shape)


def _lines(
    opened: OpenCheckpoint, image: DecodedImage, reveal: bool, progress: Progress
) -> list[str]:
    if image.kind is None or image.kind.format in RECORDS:
        return []
    from ckpt_tui.checkpoint.raw import RawImage, raw_lines  # with the model: 90 ms
    from ckpt_tui.core.masks import masked

    raw = RawImage(image.name, opened.images, partial(opened.load, progress))
    lines = raw_lines(raw, progress)
    return [masked(printable(line, reveal=reveal), reveal) for line in lines]


def _document(
    opened: OpenCheckpoint, image: DecodedImage, lines: list[str], reveal: bool
) -> dict[str, Any]:
    from ckpt_tui.core.masks import masked, masked_bytes  # 2 ms, and crit's form covers nothing
    from ckpt_tui.criu.render import Rendering, to_plain

    form = Rendering(
        host=opened.images.host,
        text=lambda text: masked(text, reveal),
        data=lambda data: masked_bytes(data, reveal),
    )
    return {
        "schema_version": 1,
        "image": image.name,
        "kind": image.kind.name if image.kind else None,
        "records": image.count,
        "unknown_fields": image.unknown_fields,
        "problem": image.problem,
        "lines": lines,
        "entries": [
            {
                "offset": entry.offset,
                "size": entry.size,
                "extra": {"offset": entry.extra[0], "size": entry.extra[1]},
                "problem": entry.problem,
                "message": None if entry.message is None else to_plain(entry.message, form),
            }
            for entry in image.entries
        ],
    }


def _print(opened: OpenCheckpoint, image: DecodedImage, lines: list[str], shape: Shape) -> None:
    from ckpt_tui.criu.render import fields, walk
    from ckpt_tui.views.field_text import value_text

    kind = f"{image.kind.name}: {image.kind.description}" if image.kind else "unknown kind"
    print(f"{printable(image.name)}  {kind}")
    for line in lines:
        print(f"  {line}")
    for index, entry in enumerate(image.entries):
        print(f"\n[{index}] at byte {entry.offset}, {human_count(entry.size, 'byte')}")
        if entry.message is not None:
            for depth, view in walk(fields(entry.message, opened.images.host)):
                print(f"  {'  ' * depth}{printable(view.name)}  {value_text(view, shape.reveal)}")
        if entry.extra[1]:
            print(f"  and {human_count(entry.extra[1], 'byte')} of data at byte {entry.extra[0]}")
    if image.left_out:
        narrate(f"{image.left_out:,} more records of {image.name} are not decoded.")
    if image.problem:
        narrate(image.problem)
    if shape.every:
        print()
