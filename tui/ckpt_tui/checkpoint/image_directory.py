"""The CRIU image directory of a checkpoint: decoded images on demand, damage kept as notes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from functools import cached_property
from threading import Lock
from typing import Any, NamedTuple

from ckpt_tui.archive.tree import ByteRange, Tree
from ckpt_tui.checkpoint.chain import LINK, MAX_CHAIN, Place
from ckpt_tui.checkpoint.records import ImageFile, Note
from ckpt_tui.core.errors import CkptError, DamagedInput
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.window import BytesWindow, ByteWindow
from ckpt_tui.criu.decode import DecodedImage, UnknownCount, decode_image
from ckpt_tui.criu.extras import parse
from ckpt_tui.criu.frames import read_frames
from ckpt_tui.criu.kinds import RECORDS, Payload, kind_of
from ckpt_tui.criu.reader import BUFFER
from ckpt_tui.criu.values import ANY_HOST, Host

MAX_KEPT = 4 << 20
"""Bytes of the messages of all images that stay decoded, `RECORD` counted for each: they take
several times as much memory, and made to take more fifty times. Others are decoded again."""

RECORD = 64
"""Bytes that a record counts besides those of its message."""


class _Walked(NamedTuple):
    """What is known of an image once all its records were looked at."""

    records: int
    unknown_fields: int
    problem: str


class ImageDirectory:
    """The images below one folder of a tree.

    An image that is absent counts as empty, as it does for CRIU; one that is damaged gives what
    came before the damage, and a note, once.
    """

    def __init__(self, tree: Tree, folder: str, later: ImageDirectory | None = None) -> None:
        """`later` is the dump that goes on from this one; it gets the notes."""
        self._tree = tree
        self._folder = folder
        self._later = later
        self._chain: tuple[Place, ...] = (
            *(later._chain if later else ()),
            Place(tree, folder),
        )
        """The places of the later dumps, and of this one."""
        self._decoded: OrderedDict[str, DecodedImage] = OrderedDict()
        self._weight = 0
        self._walked: dict[str, _Walked] = {}
        """Need not be decoded again for the listing."""
        self._before: Place | None = None
        self._lock = Lock()
        """The checks and a tab may ask at the same time, each in its thread."""
        self._noted: set[Note] = set()
        self.notes: list[Note] = []
        self.names = tuple(
            name.removeprefix(folder)
            for name in tree.members
            if name.startswith(folder) and "/" not in name.removeprefix(folder)
        )

    def __contains__(self, name: str) -> bool:
        return f"{self._folder}{name}" in self._tree.members

    @property
    def tree(self) -> Tree:
        """What the images are in."""
        return self._tree

    def member_name(self, name: str) -> str:
        """Return the name in the tree of an image."""
        return f"{self._folder}{name}"

    def note(self, where: str, text: str) -> None:
        """Keep a note, if it is not there yet."""
        if self._later is not None:
            self._later.note(f"{LINK}/{where}", text)
            return
        note = Note(where, text)
        if note not in self._noted:
            self._noted.add(note)
            self.notes.append(note)

    def window(self, name: str) -> ByteWindow:
        """Return the bytes of an image; KeyError where there is no regular file of that name."""
        return self._tree.window(self.member_name(name))

    def size(self, name: str) -> int:
        """Return the bytes of an image, 0 where there is no regular file of that name."""
        member = self._tree.members.get(self.member_name(name))
        return member.size if member else 0

    def preload(self, ranges: Iterable[ByteRange], progress: Progress) -> None:
        """Make the coming reads of these ranges cheap; see `Tree.preload`."""
        self._tree.preload(ranges, progress)

    @cached_property
    def previous(self) -> ImageDirectory | None:
        """The images of the dump before this one in a chain, None where they are not at hand."""
        place = self._chain[-1].before() if len(self._chain) < MAX_CHAIN else None
        if place is None:
            return None
        if place.identity in (known.identity for known in self._chain):
            place.close()
            return None
        self._before = place
        return ImageDirectory(place.tree, place.folder, self)

    def close(self) -> None:
        """Let go of what was opened for the dumps before this one."""
        if self._before is not None and self.previous is not None:
            self.previous.close()
            self._before.close()

    @cached_property
    def host(self) -> Host:
        """The host that was dumped, as the first readable core image tells it."""
        cores = (self.image(name) for name in self.named("core-"))
        core = next((image for image in cores if image and image.first is not None), None)
        if core is None:
            return ANY_HOST
        message: Any = core.first
        arch = message.march.Name(message.mtype).lower()
        return Host(arch, core.head.byte_order)

    @property
    def page_images(self) -> tuple[str, ...]:
        """Names of the files with page contents: the bulk of a checkpoint."""
        names = self.named("pages-")
        return tuple(n for n in names if n.endswith(".img") and self._is_file(n))

    @property
    def file_names(self) -> tuple[str, ...]:
        """Names of the images that are regular files, page contents included."""
        return tuple(filter(self._is_file, self.names))

    def preload_pages(self, progress: Progress) -> None:
        """Have all page contents at hand after one pass over a compressed archive."""
        names = self.page_images
        self.preload(
            [ByteRange(self.member_name(n), 0, self.window(n).size) for n in names], progress
        )

    def image(self, name: str, progress: Progress | None = None) -> DecodedImage | None:
        """Return a decoded image, None where it is absent or cannot be read at all."""
        with self._lock:
            found = self._decoded.get(name)
            if found is not None:
                self._decoded.move_to_end(name)
                return found
        if name not in self:
            return None
        try:
            decoded = decode_image(_at_hand(self.window(name)), name, progress or quiet())
        except CkptError as error:
            self.note(name, str(error))
            return None
        except KeyError:
            self.note(name, "It is not a regular file.")
            return None
        if decoded.problem:
            self.note(name, decoded.problem)
        self._keep(name, decoded)
        self._walked[name] = _Walked(decoded.count, decoded.unknown_fields, decoded.problem)
        return decoded

    def _keep(self, name: str, decoded: DecodedImage) -> None:
        with self._lock:
            if name not in self._decoded:
                self._decoded[name] = decoded
                self._weight += _weight(decoded)
            while self._weight > MAX_KEPT and len(self._decoded) > 1:
                _, dropped = self._decoded.popitem(last=False)
                self._weight -= _weight(dropped)

    def messages(self, name: str) -> list[Any]:
        """Return the decoded records of an image; unreadable records are left out, and those
        beyond the limits of `decode_image`, which is a note: `records` has them all."""
        image = self.image(name)
        if image is None:
            return []
        if image.left_out and image.entries:
            end = image.entries[-1].offset + image.entries[-1].size
            more = (
                f"Only the records up to byte {end:,} are looked at, not {image.left_out:,} more."
            )
            self.note(name, more)
        return [e.message for e in image.entries if e.message is not None]

    def message(self, name: str) -> Any | None:
        """Return the one record of an image, None where it has none."""
        messages = self.messages(name)
        return messages[0] if messages else None

    def records(self, name: str, progress: Progress) -> Iterator[tuple[Any, bytes, int]]:
        """Yield each record of an image, decoded and as it is stored, and the byte where it begins,
        however many there are.

        What is wrong with it is a note; unreadable records are left out.
        """
        found = kind_of(name)
        if name not in self or found is None:
            return
        kind, count, unknown, problem = found[0], 0, UnknownCount(name), ""
        try:
            for frame in read_frames(self.window(name), name, kind, progress):
                cls = kind.message_class(count)
                count += 1
                try:
                    message = parse(cls, frame.payload, name, frame.payload_offset)
                except DamagedInput as damage:
                    self.note(name, str(damage))
                    problem = problem or str(damage)
                    continue
                unknown.add(cls, frame.payload)
                yield message, frame.payload, frame.offset
        except CkptError as error:
            self.note(name, str(error))
            problem = str(error)
        except KeyError:
            self.note(name, "It is not a regular file.")
            return
        self._walked[name] = _Walked(count, unknown.total, problem)

    def named(self, prefix: str) -> tuple[str, ...]:
        """Return the names of the images that start with `prefix`."""
        return tuple(name for name in self.names if name.startswith(prefix))

    def listing(self, progress: Progress, *, decode: bool = True) -> tuple[ImageFile, ...]:
        """Say what each image is, and what decoding it tells; without `decode` only of those that
        have been decoded."""
        progress.start("decoding images")
        files = []
        for name in self.names:
            files.append(self._listed(name, progress, decode))
            progress.tick(0)
        return tuple(files)

    def _listed(self, name: str, progress: Progress, decode: bool) -> ImageFile:
        found = kind_of(name)
        # not even the head of memory is read: in a compressed archive that unpacks all of it
        is_memory = found is not None and found[0].format is Payload.PAGES
        walked = self._walked.get(name)
        if walked is None and decode and self._is_file(name) and not is_memory:
            image = self.image(name, progress)
            walked = _Walked(image.count, image.unknown_fields, image.problem) if image else None
        return ImageFile(
            name=name,
            kind=found[0].name if found else "unknown",
            size=self.size(name),
            entries=walked.records if walked and found and found[0].format in RECORDS else None,
            unknown_fields=walked.unknown_fields if walked else 0,
            description=found[0].description if found else "",
            problem=walked.problem if walked else "",
        )

    def _is_file(self, name: str) -> bool:
        try:
            self.window(name)
        except (CkptError, KeyError):  # a folder, or a link such as `parent`
            return False
        return True


def _at_hand(window: ByteWindow) -> ByteWindow:
    """Return a small image read once: a file is opened anew for each read."""
    return BytesWindow(window.read(0, window.size)) if window.size <= BUFFER else window


def _weight(image: DecodedImage) -> int:
    return sum(entry.size for entry in image.entries) + RECORD * len(image.entries)
