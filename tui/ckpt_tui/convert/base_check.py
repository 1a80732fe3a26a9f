"""Is an image the one that the container ran from? Told by the digest that its engine recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ckpt_tui.convert.base_image import BaseImage
from ckpt_tui.convert.manifests import recorded_image
from ckpt_tui.convert.roles import CONFIG_DUMP, DIFF_TAR
from ckpt_tui.convert.source import Source
from ckpt_tui.core.document import text_at

STATUS_DUMP = "status.dump"
"""Where containerd keeps the id of the image, in its archives."""


class BaseVerdict(StrEnum):
    """What is known of the base image of a conversion."""

    VERIFIED = "verified"
    """It has the digest that the engine recorded."""
    UNRECORDED = "unrecorded"
    """The engine recorded none: the user who named the image has to know."""
    MOVED = "moved"
    """It has another one; the tag names another image by now, or the wrong one was given."""
    MISSING = "missing"
    """It is not at hand."""
    UNNEEDED = "unneeded"
    """There is no delta to lay on it, or that stays a tar."""


@dataclass(frozen=True, slots=True)
class BaseCheck:
    """A verdict, and why it forbids the conversion, if it does."""

    verdict: BaseVerdict
    problem: str = ""


def check_base(
    source: Source, base: BaseImage | None, documents: Mapping[str, object]
) -> BaseCheck:
    """Tell whether the delta of `source` can lie on `base`.

    `documents` holds config.dump and, for containerd, status.dump.
    """
    if base is None:
        return _without(source)
    recorded = _recorded(source, documents)
    if not recorded:
        return BaseCheck(BaseVerdict.UNRECORDED)
    found = (base.config_digest, *base.digests)
    if not recorded.isdisjoint(found):
        return BaseCheck(BaseVerdict.VERIFIED)
    return BaseCheck(
        BaseVerdict.MOVED,
        f"{base.reference} is not the base image: the container ran from "
        f"{source.container.image or 'an image'} with {' or '.join(sorted(recorded))}, this one "
        f"has {', '.join(found)}. The tag may have moved; name the image by its digest, or give a "
        "copy of it with --base.",
    )


def _without(source: Source) -> BaseCheck:
    if source.upper:
        image = source.container.image or "The base image"
        return BaseCheck(
            BaseVerdict.MISSING,
            f"{image} is not at hand, and the layer has to lie on it: give it with --base.",
        )
    if source.bare and DIFF_TAR not in source.tree.members:
        return BaseCheck(BaseVerdict.UNNEEDED)
    image = source.container.image or "the base image"
    return BaseCheck(
        BaseVerdict.MISSING,
        f"{image} is not at hand, and the delta cannot become a layer without it: give it with "
        "--base, or keep the delta as it is with --keep-delta-tar.",
    )


def _recorded(source: Source, documents: Mapping[str, object]) -> set[str]:
    """Return the digests, sha256:…, that the engine recorded: of the config, of a manifest."""
    if source.base_digest:
        return {source.base_digest}
    config = documents.get(CONFIG_DUMP)
    image_id = recorded_image(source.engine, config)
    if image_id:
        return {f"sha256:{image_id}"}
    manifest = text_at(config, "rootfsImageRef").rpartition("@")[2]
    in_status = text_at(documents.get(STATUS_DUMP), "image_id")
    return {digest for digest in (manifest, in_status) if digest.startswith("sha256:")}
