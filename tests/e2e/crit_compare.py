"""Our form of `crit decode` against crit's own output, value for value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.criu.crit import to_crit
from ckpt_tui.criu.decode import decode_image

SUFFIXES = {False: ".json", True: ".pretty.json"}
"""`core-1.img.json` has the output of crit decode, `core-1.img.pretty.json` that with --pretty."""


def compare(images: Path, outputs: Path) -> tuple[int, list[str]]:
    """Compare every image of a directory with crit's outputs for it in another.

    Returns how many outputs were compared, and a line for each value that differs. An image without
    an output is one that crit does not decode.
    """
    compared = 0
    differences: list[str] = []
    for path in sorted(images.iterdir()):
        for pretty, suffix in SUFFIXES.items():
            output = outputs / f"{path.name}{suffix}"
            if not output.exists() or not output.stat().st_size:
                continue
            window = BytesWindow(path.read_bytes())
            ours = to_crit(decode_image(window, path.name, quiet()), window, pretty=pretty)
            theirs = json.loads(output.read_text())
            compared += 1
            where = f"{path.name}{' --pretty' if pretty else ''}"
            differences += [f"{where}: {line}" for line in _differ(ours, theirs, "")]
    return compared, differences


def _differ(ours: object, theirs: object, path: str) -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if list(ours) != list(theirs):
            yield f"{path}: fields {list(ours)}, crit has {list(theirs)}"
        for key in ours.keys() & theirs.keys():
            yield from _differ(ours[key], theirs[key], f"{path}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            yield f"{path}: {len(ours)} items, crit has {len(theirs)}"
        for index, (mine, other) in enumerate(zip(ours, theirs, strict=False)):
            yield from _differ(mine, other, f"{path}[{index}]")
    elif type(ours) is not type(theirs) or ours != theirs:
        yield f"{path}: {ours!r}, crit has {theirs!r}"
