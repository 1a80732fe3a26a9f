"""What of an encrypted image everyone can read, who may pull it."""

from __future__ import annotations

from ckpt_tui.convert.plan import Plan
from ckpt_tui.core.text import listed

_NAMED = 6


def in_clear(plan: Plan) -> tuple[str, ...]:
    """Return what stays readable, a sentence each; foreign text in them is not cleaned."""
    values = dict.fromkeys(plan.annotations.values())
    base = plan.base.reference if plan.base else "none"
    return (
        f"Annotations of the image: {listed(values, _NAMED)}.",
        "Configs of the images: architecture, time of the dump, digests of the layers.",
        "Number, roles and sizes of the layers.",
        f"The base image with its config and layers: {base}.",
    )
