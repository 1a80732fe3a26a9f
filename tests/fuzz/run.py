"""Feeds damaged images and archives to the program until something else than its own error comes.

    pip install atheris
    PYTHONPATH=tui:tests python tests/fuzz/run.py PART [FOLDER] [-max_total_time=600 …]

PART is one of:

image     one image: its records, their texts, the JSON forms, its lines, its page map
model     a whole checkpoint in which one image is damaged: the model, its JSON, who refers to
          what, what can be recovered, the checks
archive   a tar, gzip or zstd archive: its members and their first bytes

FOLDER keeps what was reached (a new one if left out), and is filled from tests/data at first. The
options are those of libFuzzer. The first input for each place that raises is told and written to
FOLDER.found; one that hangs or takes too much memory ends the run. Two bytes in front of an input
choose the image that it stands for. Pytest does not collect this; what it found became tests of
what it found it in.
"""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["ckpt_tui"]):
    from ckpt_tui.archive.archive_tree import open_archive
    from ckpt_tui.archive.joined import MemoryTree
    from ckpt_tui.archive.tree import MemberKind
    from ckpt_tui.checkpoint.build import Parts, build_checkpoint
    from ckpt_tui.checkpoint.export import checkpoint_document
    from ckpt_tui.checkpoint.image_directory import ImageDirectory
    from ckpt_tui.checkpoint.memory import MemoryReader
    from ckpt_tui.checkpoint.model import Checkpoint, ContainerFacts, FormatFacts
    from ckpt_tui.checkpoint.raw import RawImage, has_lines, raw_lines
    from ckpt_tui.checkpoint.recovered import recover
    from ckpt_tui.checkpoint.ref import Ref
    from ckpt_tui.core.errors import CkptError
    from ckpt_tui.core.json_form import to_json
    from ckpt_tui.core.progress import quiet
    from ckpt_tui.core.window import BytesWindow
    from ckpt_tui.criu.crit import to_crit
    from ckpt_tui.criu.decode import decode_image
    from ckpt_tui.criu.pages import PageMap
    from ckpt_tui.criu.render import fields, to_plain, walk
    from ckpt_tui.diagnose.checks import CHECKS
    from ckpt_tui.diagnose.facts import Facts
    from ckpt_tui.views.details import ref_sections
    from ckpt_tui.views.links import links, users

DATA = Path(__file__).parent.parent / "data"
IMAGES = sorted(
    path
    for folder in ("images/kinds", "images/counter", "images/sockets", "netlink", "crit")
    for path in (DATA / folder).iterdir()
    if path.is_file() and path.stat().st_size < 1 << 20
)
"""Real images: the names that an input can have, and the first inputs."""

NAMES = sorted({path.name for path in IMAGES})
WHOLE = {p.name: p.read_bytes() for p in IMAGES if p.parent.name in ("kinds", "netlink")}


def split(data: bytes) -> tuple[str, bytes]:
    """Return the name of the image that an input stands for, and its bytes."""
    return NAMES[int.from_bytes(data[:2], "little") % len(NAMES)], data[2:]


def image(data: bytes) -> None:
    name, content = split(data)
    window = BytesWindow(content)
    decoded = decode_image(window, name, quiet())
    for message in decoded.messages:
        for _, view in walk(fields(message)):
            str(view.value_text)
        to_json(to_plain(message))
    with suppress(CkptError):
        for pretty in (False, True):
            to_json(to_crit(decoded, window, pretty=pretty))
    if name.startswith("pagemap-"):
        PageMap.read(window, name, quiet())


def directory(name: str, content: bytes) -> tuple[MemoryTree, ImageDirectory, Checkpoint]:
    tree = MemoryTree(WHOLE | {name: content})
    images = ImageDirectory(tree, "")
    facts = FormatFacts("fuzzed", "criu", optimized=False, compression="plain")
    parts = Parts("fuzzed", tree, images, "", facts, ContainerFacts(), 0)
    return tree, images, build_checkpoint(parts, quiet())


def model(data: bytes) -> None:
    name, content = split(data)
    tree, images, checkpoint = directory(name, content)
    to_json(checkpoint_document(checkpoint))
    keys = [Ref.process(process.pid) for process in checkpoint.processes]
    keys += [Ref.file(file.pid, file.fd) for file in checkpoint.files[:50]]
    keys += [Ref.socket(socket.pid, socket.fd) for socket in checkpoint.sockets[:50]]
    keys += [Ref.region(r.pid, r.start) for m in checkpoint.memory[:4] for r in m.regions[:20]]
    keys += [Ref.mount(mount.namespace, mount.id) for mount in checkpoint.mounts[:20]]
    keys += [Ref.image(name)]
    for key in keys:
        ref_sections(checkpoint, key, reveal=True)
        links(checkpoint, key)
        users(checkpoint, key)
    found = recover(tree, images, MemoryReader(images), checkpoint, quiet())
    for item in found.items:
        item.window.read(0, 4096)
    found.close()
    if has_lines(name):
        raw_lines(RawImage(name, images, lambda: checkpoint), quiet())
    facts = Facts(checkpoint, images, tree, {})
    for check in (check for check in CHECKS if check.can_run(facts)):
        deque(check.run(facts), maxlen=0)


def archive(data: bytes) -> None:
    try:
        tree = open_archive(BytesWindow(data), "fuzzed", quiet())
    except CkptError:
        return
    for member in list(tree.members.values())[:50]:
        if member.kind is MemberKind.FILE:
            with suppress(CkptError):
                tree.window(member.name).read(0, 4096)
    tree.close()


def first_inputs(part: str, folder: Path) -> None:
    """Fill a new folder with real images or archives."""
    if part == "archive":
        for path in DATA.glob("archives/*"):
            if path.stat().st_size < 1 << 20:
                (folder / path.name).write_bytes(path.read_bytes())
        return
    for path in IMAGES:
        number = NAMES.index(path.name).to_bytes(2, "little")
        (folder / f"{path.parent.name}-{path.name}").write_bytes(number + path.read_bytes())


class Watched:
    """A part that goes on after what it finds."""

    def __init__(self, feed: Callable[[bytes], None], folder: Path) -> None:
        self._feed, self._folder = feed, folder
        self._seen: set[tuple[str, int]] = set()

    def __call__(self, data: bytes) -> None:
        try:
            self._feed(data)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = frame.filename, frame.lineno or 0
            if place in self._seen:
                return
            self._seen.add(place)
            self._folder.mkdir(exist_ok=True)
            (self._folder / f"{Path(place[0]).stem}-{place[1]}").write_bytes(data)
            traceback.print_exc()


PARTS: dict[str, Callable[[bytes], None]] = {"image": image, "model": model, "archive": archive}


def main() -> None:
    part, *rest = sys.argv[1:]
    given = [Path(word) for word in rest if not word.startswith("-")]
    place = given[0] if given else Path(tempfile.mkdtemp(prefix=f"fuzz-{part}-"))
    if place.is_dir() and not any(place.iterdir()):
        first_inputs(part, place)
    options = [word for word in rest if word.startswith("-")]
    limits = ["-timeout=20", "-rss_limit_mb=1500", "-max_len=70000"]
    watched = Watched(PARTS[part], place.with_name(f"{place.name}.found"))
    atheris.Setup([sys.argv[0], str(place), *limits, *options], watched)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
