"""A conversion in words: the plan before it, the result after it, and how to restore that."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_tui.archive.tree import MemberKind
from ckpt_tui.convert.base_check import BaseVerdict
from ckpt_tui.convert.clear import in_clear
from ckpt_tui.convert.manifests import rootfs_tag
from ckpt_tui.convert.plan import Plan
from ckpt_tui.convert.run import ConvertedImage
from ckpt_tui.core.styled import Styled, styled
from ckpt_tui.core.text import human_bytes, human_count, printable, short_digest
from ckpt_tui.views.bars import bar
from ckpt_tui.views.facts import Fact, Section, known
from ckpt_tui.views.meanings import LOCK, kind_of, signed

BAR = 12
"""Cells of a bar in the comparison of before and after."""

BASE_VERDICTS = {
    BaseVerdict.VERIFIED: ("good", "the image of the dump"),
    BaseVerdict.UNRECORDED: ("unknown", "no digest recorded to compare with"),
    BaseVerdict.MOVED: ("fails", "another image"),
    BaseVerdict.MISSING: ("fails", "not found: name it with b, or --base"),
    BaseVerdict.UNNEEDED: ("good", "not needed: no delta becomes a layer"),
}
"""What is known of the base image: a meaning and words."""

LOSSES, WARNINGS = "Lost in the dump", "Warnings"
"""Titles of what a result says, too."""

NAMED = 2
"""Files of a layer that are named; more are counted."""


def plan_sections(plan: Plan) -> list[Section]:
    """Return what will be written where, what it needs, and what speaks against it."""
    return [
        Section(
            "",
            known(
                ("from", printable(f"{plan.source.label}  ({plan.source.kind})")),
                ("to", printable(plan.destination.named(plan.tag))),
                ("repository", printable(plan.repository)),
                ("base", _base(plan)),
                ("encrypted", _box(plan)),
            ),
        ),
        *_encryption(plan),
        Section("Layers", list(_layers(plan))),
        Section("Before and after", list(_figures(plan))),
        Section("Cannot convert", [_signed("fails", p) for p in plan.problems]),
        Section(LOSSES, [_signed("may-fail", p) for p in plan.losses]),
        Section(WARNINGS, [_signed("may-fail", w) for w in plan.warnings]),
    ]


def _box(plan: Plan) -> str:
    count = len(plan.options.recipients)
    return f"[x] {LOCK}for {human_count(count, 'key')}" if count else "[ ] no"


def _encryption(plan: Plan) -> Iterator[Section]:
    """Yield whom the image is encrypted for, and what of it stays readable."""
    recipients = plan.options.recipients
    if recipients:
        keys = [Fact("key", printable(f"{one.key_id}  {one.source}")) for one in recipients]
        yield Section("Encrypted for", keys)
        yield Section("Stays readable", [Fact("", printable(text)) for text in in_clear(plan)])


def _base(plan: Plan) -> Styled:
    mark = signed(*BASE_VERDICTS[plan.base_verdict])
    if plan.base is None:
        return mark
    digest = short_digest(plan.base.config_digest)
    return styled(printable(plan.base.reference), f" ({digest})  ", mark)


def _layers(plan: Plan) -> Iterator[Fact]:
    scale = max((layer.plain_size for layer in plan.layers), default=0)
    for layer in plan.layers:
        files = [m for m in layer.members if m.kind is not MemberKind.DIRECTORY]
        names = ", ".join(m.name.rpartition("/")[2] for m in files[:NAMED])
        more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
        yield _bar_fact(layer.role, layer.plain_size, scale, f"{names}{more}")
    if plan.delta is not None:
        facts, size = plan.delta.facts, sum(m.size for m in plan.delta.members)
        words = f"{facts.added} added, {facts.changed} changed, {facts.deleted} deleted"
        yield _bar_fact("delta", size, max(scale, size), words)


def _bar_fact(role: str, size: int, scale: int, words: str) -> Fact:
    line = styled(
        (bar(size, scale, BAR), kind_of(role)),
        (human_bytes(size).rjust(10), "strong"),
        (f"  {printable(words)}", "muted"),
    )
    return Fact(role, line)


def _figures(plan: Plan) -> Iterator[Fact]:
    before, after = plan.before, plan.after
    for label, then, now in (
        ("bytes, unpacked", before.plain, after.plain),
        ("in nested tars", before.nested, after.nested),
        ("read to list", before.listing, after.listing),
    ):
        yield Fact(label, f"{human_bytes(then)} → {human_bytes(now)}")


def _signed(meaning: str, text: str) -> Fact:
    return Fact("", signed(meaning, printable(text)))


def result_sections(plan: Plan, result: ConvertedImage, seconds: float) -> list[Section]:
    """Return what was written, compared with what there was, and how to go on."""
    before = plan.source.stored_size
    written = [w for w in result.layers if w.role != "base"]
    scale = max([before, *(w.layer.descriptor.size for w in written)], default=0)
    layers = [
        _bar_fact(w.role, w.layer.descriptor.size, scale, w.layer.descriptor.digest)
        for w in written
    ]
    done = known(
        ("", signed("good", f"Written and verified in {seconds:.1f} s")),
        ("image", printable(result.name)),
        ("digest", result.digest),
    )
    first = _bar_fact("before", before, scale, plan.source.kind)
    last = Fact("total", f"{human_bytes(result.stored_size)}, without the base image")
    return [
        Section("", done),
        Section("Stored", [first, *layers, last]),
        Section("Next steps", [Fact("", command) for command in next_commands(plan, result)]),
    ]


def next_commands(plan: Plan, result: ConvertedImage) -> list[str]:
    """Return the commands that publish and restore a result, each to be copied."""
    if plan.options.recipients:
        return _commands_with_key(plan, result)
    if result.repository.startswith("localhost/"):
        return [printable(f"ckpt-tui copy {result.name} docker://HOST/REPO:{result.tag}")]
    reference = f"{result.repository}:{result.tag}"
    is_there = plan.destination.repository is not None
    commands = [] if is_there else [f"skopeo copy --all {result.name} docker://{reference}"]
    if plan.source.engine == "podman":
        commands += [f"podman pull {reference}", f"podman container restore {reference}"]
    elif result.rootfs and not plan.source.bare:
        commands.append(f"crictl pull {result.repository}@{result.rootfs}")
    return [printable(c) for c in commands]


def _commands_with_key(plan: Plan, result: ConvertedImage) -> list[str]:
    """Return the same for an encrypted result. KEY.pem and PUB.pem are for a person to fill in."""
    if result.repository.startswith("localhost/"):  # another name in config.dump, encrypted anew
        copy = f"ckpt-tui copy {result.name} docker://HOST/REPO:{result.tag}"
        return [printable(f"{copy} --key KEY.pem --encrypt-to jwe:PUB.pem")]
    reference = f"{result.repository}:{result.tag}"
    is_there = plan.destination.repository is not None
    commands = [] if is_there else [f"ckpt-tui copy {result.name} docker://{reference}"]
    if plan.source.engine == "podman":
        names = [f"{result.repository}:{rootfs_tag(result.rootfs)}"] if result.rootfs else []
        commands += [f"podman pull --decryption-key KEY.pem {n}" for n in (*names, reference)]
        commands.append(f"podman container restore {reference}")
    return [printable(c) for c in commands]
