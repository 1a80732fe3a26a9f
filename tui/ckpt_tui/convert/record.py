"""conversion.json: what a legacy archive had that the optimized image has no place for.

With it the archive can be made again, member by member. It holds no time and no name of the
machine, so that the same input gives the same digest.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ckpt_tui.archive.names import clean_name
from ckpt_tui.archive.tar import MAX_NAME
from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.convert.header_writer import MAX_DEVICE
from ckpt_tui.convert.roles import IMAGES, RECORD
from ckpt_tui.core.document import parse_document
from ckpt_tui.core.errors import DamagedInput

VERSION = 1
"""Version of this record; a reader refuses a higher one."""

FORMAT_VERSION = "0.2"
"""Version of the optimized format that is written."""

_KINDS = (MemberKind.FILE, MemberKind.DIRECTORY)
_PARENT = (MemberKind.SYMLINK, f"{IMAGES}/parent")
"""The kinds that a conversion takes: engines refuse others in an image."""

_DEFAULT = Member("", MemberKind.FILE, 0, mode=0)


@dataclass(frozen=True, slots=True)
class FromLayer:
    """Bytes of the nested tar that lie in the delta layer (as a tar, decompressed)."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Zeros:
    length: int


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes of the nested tar that are not in the layer: replaced headers, overwritten members."""

    data: bytes


Piece = FromLayer | Zeros | Bytes


@dataclass(frozen=True, slots=True)
class DeltaRecord:
    """How rootfs-diff.tar is made again from the delta layer."""

    size: int
    digest: str
    """sha256:… of rootfs-diff.tar."""
    whole_blob: bool = False
    """The layer's blob is the file itself, byte for byte."""
    exact: bool = True
    """False: too much of it is not in the layer; it can be made again only with other headers."""
    pieces: tuple[Piece, ...] = ()
    synthetic: tuple[str, ...] = ()
    """Names in the layer that were not in the tar."""


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """What was converted."""

    kind: str
    engine: str
    compression: str = ""
    digest: str = ""
    """sha256:… of the file, or the manifest digest of an image."""


@dataclass(frozen=True, slots=True)
class Record:
    source: SourceRecord
    members: tuple[Member, ...]
    """Every member of the source in order, as its headers had it."""
    originals: Mapping[str, bytes]
    """Members that the image has in another form or not at all: config.dump, deleted.files."""
    digests: Mapping[str, str]
    """Name of a nested tar → its digest."""
    delta: DeltaRecord | None = None
    rootfs: str = ""
    """sha256:… of the rootfs image's manifest, where config.dump names that by a tag."""

    def encode(self) -> bytes:
        """Return the file; the same record gives the same bytes."""
        document = {
            "version": VERSION,
            "format": FORMAT_VERSION,
            "source": {
                "kind": self.source.kind,
                "engine": self.source.engine,
                "compression": self.source.compression,
                "digest": self.source.digest,
            },
            "members": [_member_document(member) for member in self.members],
            "originals": {name: _base64(data) for name, data in sorted(self.originals.items())},
            "digests": dict(sorted(self.digests.items())),
            "delta": _delta_document(self.delta) if self.delta else None,
            **({"rootfs": self.rootfs} if self.rootfs else {}),
        }
        return json.dumps(document, indent=1).encode() + b"\n"


def read_record(data: bytes) -> Record:
    """Read conversion.json.

    Raises:
        DamagedInput: it is not what `Record.encode` writes, or of a later version.
    """
    document = parse_document(data, RECORD)
    try:
        if document["version"] > VERSION:
            raise DamagedInput(
                RECORD, 0, f"it has version {document['version']}.", "Use a newer ckpt-tui."
            )
        source = document["source"]
        delta = document["delta"]
        return Record(
            SourceRecord(
                str(source["kind"]),
                str(source["engine"]),
                str(source["compression"]),
                str(source["digest"]),
            ),
            _members(document["members"]),
            {str(k): base64.b64decode(v) for k, v in document["originals"].items()},
            {str(k): str(v) for k, v in document["digests"].items()},
            _delta(delta) if delta is not None else None,
            str(document.get("rootfs", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, binascii.Error) as error:
        raise DamagedInput(RECORD, 0, f"it lacks what a conversion writes ({error}).") from None


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _member_document(member: Member) -> dict[str, Any]:
    """Return the fields that differ from those of an empty member."""
    document: dict[str, Any] = {"name": member.name, "kind": member.kind.value}
    for field in ("size", "mode", "uid", "gid", "uname", "gname", "mtime", "link"):
        value = getattr(member, field)
        if value != getattr(_DEFAULT, field):
            document[field] = value
    if member.device != (0, 0):
        document["device"] = list(member.device)
    if member.pax:
        document["pax"] = dict(sorted(member.pax.items()))
    return document


def _members(documents: list[Any]) -> tuple[Member, ...]:
    members = tuple(_member(item) for item in documents)
    if len({member.name for member in members}) < len(members):
        raise ValueError("a member is named twice")
    return members


def _member(document: Mapping[str, Any]) -> Member:
    major, minor = document.get("device", (0, 0))
    mtime = document.get("mtime", 0)
    member = Member(
        str(document["name"]),
        MemberKind(document["kind"]),
        int(document.get("size", 0)),
        mode=int(document.get("mode", 0)),
        uid=int(document.get("uid", 0)),
        gid=int(document.get("gid", 0)),
        uname=str(document.get("uname", "")),
        gname=str(document.get("gname", "")),
        mtime=mtime if isinstance(mtime, int | float) else 0,
        link=str(document.get("link", "")),
        device=(int(major), int(minor)),
        pax={str(k): str(v) for k, v in document.get("pax", {}).items()},
    )
    if clean_name(member.name) != member.name or len(member.name) > MAX_NAME:
        raise ValueError(f"the name {member.name!r:.80}")
    if member.kind not in _KINDS and (member.kind, member.name) != _PARENT:
        raise ValueError(f"{member.name!r:.80} is of the kind {member.kind.name}")
    numbers = (member.size, member.mode, member.uid, member.gid, *member.device)
    if not all(0 <= number < 1 << 63 for number in numbers) or max(member.device) > MAX_DEVICE:
        raise ValueError(f"a number of {member.name!r:.80}")
    texts = (
        member.name,
        member.uname,
        member.gname,
        member.link,
        *member.pax,
        *member.pax.values(),
    )
    for text in texts:
        text.encode("utf-8", "surrogateescape")  # raises where it stands for no bytes
    return member


def _delta_document(delta: DeltaRecord) -> dict[str, Any]:
    return {
        "size": delta.size,
        "digest": delta.digest,
        "whole_blob": delta.whole_blob,
        "exact": delta.exact,
        "pieces": [_piece_document(piece) for piece in delta.pieces],
        "synthetic": list(delta.synthetic),
    }


def _piece_document(piece: Piece) -> list[Any]:
    match piece:
        case FromLayer(offset, length):
            return ["layer", offset, length]
        case Zeros(length):
            return ["zeros", length]
        case Bytes(data):
            return ["bytes", _base64(data)]


def _delta(document: Mapping[str, Any]) -> DeltaRecord:
    return DeltaRecord(
        int(document["size"]),
        str(document["digest"]),
        bool(document["whole_blob"]),
        bool(document["exact"]),
        tuple(_piece(item) for item in document["pieces"]),
        tuple(str(name) for name in document["synthetic"]),
    )


def _piece(item: list[Any]) -> Piece:
    match item:
        case ["layer", int(offset), int(length)] if offset >= 0 and length >= 0:
            return FromLayer(offset, length)
        case ["zeros", int(length)] if length >= 0:
            return Zeros(length)
        case ["bytes", str(text)]:
            return Bytes(base64.b64decode(text))
    raise ValueError(f"an unknown piece {item!r:.40}")
