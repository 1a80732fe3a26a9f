"""Can every image be read to its end? Magic, lengths, messages, what follows the last record."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.archive.tree import MemberKind
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.errors import CkptError, DamagedInput
from ckpt_tui.core.text import human_count
from ckpt_tui.criu.decode import DecodedImage
from ckpt_tui.criu.frames import HeadForm, read_frames, read_head
from ckpt_tui.criu.kinds import RECORDS, Kind, Payload, Status, kind_of
from ckpt_tui.diagnose.facts import Facts, some
from ckpt_tui.diagnose.finding import Evidence, Finding
from ckpt_tui.diagnose.integrity_presence import AGAIN

MAX_TMPFS = 1 << 30
"""Bytes of a packed tmpfs archive that are read to see whether it is whole."""

_READ_LATE = frozenset({"stats-dump", "stats-restore", "irmap-cache"})
"""Images that no restore reads."""


def encrypted(facts: Facts) -> Iterator[Finding]:
    """Encrypted images cannot be looked into."""
    if facts.encrypted:
        yield Finding(
            "encrypted",
            "advice",
            "certain",
            "The images are encrypted",
            "Nothing in them was checked. Only a CRIU with the same patches and the key restores "
            "them.",
            "Decrypt them first, with the key that belongs to the certificate of the dump.",
            "cipher.img",
        )


def records(facts: Facts) -> Iterator[Finding]:
    """Each image has the magic of its kind, whole records and nothing after them."""
    if facts.encrypted:
        return
    for name in facts.each(facts.images.names):
        found = kind_of(name)
        member = facts.tree.members[facts.images.member_name(name)]
        if found is None or found[0].format not in RECORDS or name in _READ_LATE:
            continue
        if member.kind is not MemberKind.FILE:
            continue
        if not facts.is_readable(name):
            yield _damage("img-permission", name, "It cannot be read.", "cannot be read")
        elif facts.listed[name].problem and (image := facts.images.image(name, facts.progress)):
            yield from _record_damage(facts, name, found[0], image)


def _record_damage(facts: Facts, name: str, kind: Kind, image: DecodedImage) -> Iterator[Finding]:
    """Tell what kind of damage it is; the words of the decoder are the evidence."""
    size = facts.images.window(name).size
    head = read_head(facts.images.window(name), kind)
    broken = next((entry.problem for entry in image.entries if entry.problem), "")
    if size < (4 if head.form is HeadForm.INVENTORY else 8):
        yield _damage("img-truncated", name, image.problem, "is cut short")
    elif head.form is HeadForm.NONE or head.magic != kind.magic:
        yield _damage("img-magic", name, image.problem, "is not the image its name says")
    elif broken:
        yield _damage("img-unpack", name, broken, "holds bytes that are no message of its kind")
    else:
        yield from _framing_damage(facts, name, kind)


def _framing_damage(facts: Facts, name: str, kind: Kind) -> Iterator[Finding]:
    """Walk the records once more: only a damaged length or what follows it counts, not our limit on
    how many are kept."""
    count = 0
    try:
        for _frame in read_frames(facts.images.window(name), name, kind, facts.progress):
            count += 1
    except DamagedInput as damage:
        if kind.format is Payload.ONE and count:
            yield Finding(
                "img-trailing",
                "may-fail",
                "possible",
                f"{name} has bytes after its only record",
                "CRIU 4.2 restores without reading them, but none writes such an image.",
                AGAIN,
                name,
                (Evidence(str(damage), Ref.image(name)),),
            )
        else:
            yield _damage("img-truncated", name, str(damage), "is cut short")


def _damage(finding_id: str, name: str, proof: str, what: str) -> Finding:
    return Finding(
        finding_id,
        "fails",
        "certain",
        f"{name} {what}",
        "CRIU stops when it reads this image.",
        AGAIN,
        name,
        (Evidence(proof, Ref.image(name)),),
    )


def raw_images(facts: Facts) -> Iterator[Finding]:
    """Images that other programs wrote begin as those programs begin them."""
    for name in facts.each(facts.images.names):
        found = kind_of(name)
        if facts.encrypted or found is None or not _is_file(facts, name):
            continue
        kind = found[0]
        window = facts.images.window(name)
        if kind.format is Payload.IPROUTE and kind.magic is not None and window.size:
            start = window.read(0, 4)
            if kind.magic not in (int.from_bytes(start, "little"), int.from_bytes(start, "big")):
                yield _damage("img-magic", name, "iproute2's magic is not there", "is damaged")
        elif kind.format is Payload.TAR_GZ and window.size <= MAX_TMPFS:
            yield from _tmpfs(facts, name)


def _tmpfs(facts: Facts, name: str) -> Iterator[Finding]:
    """A tmpfs archive is a whole tar.gz."""
    try:
        archive = open_archive(facts.images.window(name), name, facts.progress)
    except CkptError as error:
        problem = str(error)
    else:
        problem = next(iter(archive.notes), "")
        archive.close()
    if problem:
        yield Finding(
            "mnt-tmpfs-content",
            "fails",
            "likely",
            f"{name} is not a complete archive",
            "CRIU has tar unpack it into a tmpfs of the container and stops if tar fails.",
            AGAIN,
            name,
            (Evidence(problem, Ref.image(name)),),
        )


def unknown(facts: Facts) -> Iterator[Finding]:
    """What this program does not know: kinds of images, and fields of a newer CRIU."""
    strange = [
        name
        for name in facts.each(facts.images.names)
        if name.endswith(".img") and kind_of(name) is None and _is_file(facts, name)
        if name != "cipher.img"  # has a finding of its own
    ]
    if strange:
        yield Finding(
            "img-unknown-kind",
            "advice",
            "possible",
            f"{human_count(len(strange), 'image')} of a kind that is not known here",
            "A newer CRIU or a plugin wrote them. An older CRIU ignores them without a word.",
            "Restore with the release of CRIU that made the checkpoint.",
            strange[0],
            some(Evidence(name, Ref.image(name)) for name in strange),
        )
    newer = [image for image in facts.checkpoint.images if image.unknown_fields]
    if newer:
        yield Finding(
            "img-unknown-fields",
            "advice",
            "possible",
            f"{human_count(len(newer), 'image')} with fields that are not known here",
            "A newer CRIU wrote them; an older one ignores what it does not know.",
            "Restore with the release of CRIU that made the checkpoint.",
            newer[0].name,
            some(
                Evidence(f"{i.name}: {human_count(i.unknown_fields, 'field')}", Ref.image(i.name))
                for i in newer
            ),
        )


def dropped_kinds(facts: Facts) -> Iterator[Finding]:
    """Images of ancient releases that no CRIU of today reads."""
    for image in facts.checkpoint.images:
        found = kind_of(image.name)
        if found and found[0].status is Status.DROPPED:
            yield Finding(
                "img-version",
                "fails",
                "likely",
                f"{image.name} is of a kind that CRIU no longer reads",
                "What it holds is lost to a CRIU of today.",
                "Restore with a release of CRIU from the time of the dump.",
                image.name,
                (Evidence(found[0].description, Ref.image(image.name)),),
            )


def _is_file(facts: Facts, name: str) -> bool:
    return facts.tree.members[facts.images.member_name(name)].kind is MemberKind.FILE
