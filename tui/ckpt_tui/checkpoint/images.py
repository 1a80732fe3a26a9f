"""The CRIU image directory of a checkpoint: decoded images on demand, damage kept as notes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ckpt_tui.archive.tree import ByteRange, Tree
from ckpt_tui.checkpoint.model import ImageFile, Note
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.criu.decode import DecodedImage, decode_image
from ckpt_tui.criu.kinds import kind_of


class ImageDirectory:
    """The images below one folder of a tree.

    An image that is absent counts as empty, as it does for CRIU; one that is damaged gives what
    came before the damage, and a note, once.
    """

    def __init__(self, tree: Tree, folder: str) -> None:
        self._tree = tree
        self._folder = folder
        self._decoded: dict[str, DecodedImage] = {}
        self.notes: list[Note] = []
        self.names = tuple(
            name.removeprefix(folder)
            for name in tree.members
            if name.startswith(folder) and "/" not in name.removeprefix(folder)
        )

    def __contains__(self, name: str) -> bool:
        return f"{self._folder}{name}" in self._tree.members

    def member_name(self, name: str) -> str:
        """Return the name in the tree of an image."""
        return f"{self._folder}{name}"

    def window(self, name: str) -> ByteWindow:
        """Return the bytes of an image; KeyError where there is none."""
        return self._tree.window(self.member_name(name))

    def preload(self, ranges: Iterable[ByteRange], progress: Progress) -> None:
        """Make the coming reads of these ranges cheap; see `Tree.preload`."""
        self._tree.preload(ranges, progress)

    def image(self, name: str, progress: Progress | None = None) -> DecodedImage | None:
        """Return a decoded image, None where it is absent or cannot be read at all."""
        if name not in self._decoded:
            if name not in self:
                return None
            try:
                decoded = decode_image(self.window(name), name, progress or quiet())
            except (CkptError, KeyError) as error:
                self.notes.append(Note(name, str(error)))
                return None
            self._decoded[name] = decoded
            if decoded.problem:
                self.notes.append(Note(name, decoded.problem))
        return self._decoded[name]

    def messages(self, name: str) -> list[Any]:
        """Return the decoded records of an image; unreadable records are left out."""
        image = self.image(name)
        return [e.message for e in image.entries if e.message is not None] if image else []

    def message(self, name: str) -> Any | None:
        """Return the one record of an image, None where it has none."""
        messages = self.messages(name)
        return messages[0] if messages else None

    def named(self, prefix: str) -> tuple[str, ...]:
        """Return the names of the images that start with `prefix`."""
        return tuple(name for name in self.names if name.startswith(prefix))

    def listing(self, progress: Progress) -> tuple[ImageFile, ...]:
        """Decode every image and say what each one is."""
        progress.start("decoding images")
        files = []
        for name in self.names:
            files.append(self._listed(name))
            progress.tick(0)
        return tuple(files)

    def _listed(self, name: str) -> ImageFile:
        found = kind_of(name)
        try:
            size = self.window(name).size
        except KeyError:  # a folder, or a link such as `parent`
            return ImageFile(name, found[0].name if found else "unknown", 0, None)
        image = self.image(name)
        return ImageFile(
            name=name,
            kind=found[0].name if found else "unknown",
            size=size,
            entries=len(image.entries) if image and image.head is not None else None,
            unknown_fields=image.unknown_fields if image else 0,
            description=found[0].description if found else "",
            problem=image.problem if image else "",
        )
