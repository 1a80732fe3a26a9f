"""What is known of a base image, and the same verdict as text, as JSON and on the screen."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from ckpt_tui.cli.conversion import plan_document
from ckpt_tui.convert.base_check import BaseCheck, BaseVerdict, check_base
from ckpt_tui.convert.base_image import BaseImage
from ckpt_tui.convert.destination import Destination
from ckpt_tui.convert.plan import Options, Plan, make_plan
from ckpt_tui.convert.source import Source
from ckpt_tui.views.conversion import plan_sections

OTHER = "sha256:" + "00" * 32


def checked(
    source: Source, base: BaseImage, engine: str, config: dict[str, Any], **more: Any
) -> BaseCheck:
    documents = {"config.dump": config, **more}
    return check_base(dataclasses.replace(source, engine=engine), base, documents)


def test_the_recorded_digest_is_that_of_the_config_or_of_a_manifest(
    counter: Source, base_bb: BaseImage
) -> None:
    digits = base_bb.config_digest.removeprefix("sha256:")
    reference = f"localhost:5000/bb@{base_bb.digests[-1]}"
    for engine, config in (
        ("podman", {"rootfsImageID": digits}),
        ("cri-o", {"rootfsImageRef": digits}),
        ("containerd", {"rootfsImageRef": reference}),
    ):
        assert checked(counter, base_bb, engine, config) == BaseCheck(BaseVerdict.VERIFIED)


@pytest.mark.parametrize(
    ("engine", "config"),
    [
        ("podman", {"rootfsImageID": "00" * 32}),
        ("cri-o", {"rootfsImageRef": "00" * 32}),
        ("containerd", {"rootfsImageRef": f"localhost/bb@{OTHER}"}),
    ],
)
def test_another_digest_is_refused_and_says_how_to_name_the_right_one(
    counter: Source, base_bb: BaseImage, engine: str, config: dict[str, str]
) -> None:
    found = checked(counter, base_bb, engine, config)
    assert found.verdict is BaseVerdict.MOVED
    for words in (OTHER, "localhost/bb:1", "--base", base_bb.config_digest):
        assert words in found.problem


def test_for_containerd_the_image_id_of_its_status_counts_too(
    counter: Source, base_bb: BaseImage
) -> None:
    config = {"rootfsImageRef": f"localhost/bb@{OTHER}"}
    status = {"status.dump": {"image_id": base_bb.config_digest}}
    found = checked(counter, base_bb, "containerd", config, **status)
    assert found.verdict is BaseVerdict.VERIFIED
    status = {"status.dump": {"image_id": OTHER}}
    assert checked(counter, base_bb, "containerd", {}, **status).verdict is BaseVerdict.MOVED


def test_the_digest_beside_the_members_counts_before_any_in_them(
    counter: Source, base_bb: BaseImage
) -> None:
    source = dataclasses.replace(counter, base_digest=OTHER)
    assert check_base(source, base_bb, {}).verdict is BaseVerdict.MOVED
    source = dataclasses.replace(counter, base_digest=base_bb.digests[-1])
    assert check_base(source, base_bb, {}).verdict is BaseVerdict.VERIFIED


@pytest.mark.parametrize(
    ("engine", "config"),
    [
        ("podman", {}),
        ("podman", {"rootfsImageID": 7}),
        ("cri-o", {}),
        ("containerd", {}),
        ("containerd", {"rootfsImageRef": "bb:1"}),
        ("runc", {}),
    ],
)
def test_without_a_recorded_digest_nothing_is_refused_and_nothing_verified(
    counter: Source, base_bb: BaseImage, engine: str, config: dict[str, Any]
) -> None:
    found = checked(counter, base_bb, engine, config)
    assert found == BaseCheck(BaseVerdict.UNRECORDED)


def shown(plan: Plan) -> tuple[str, str]:
    """Return the verdict in the JSON, and its words and sign in the text."""
    line = next(fact for fact in plan_sections(plan)[0].facts if fact.label == "base")
    return plan_document(plan)["base_verdict"], str(line.value)


def test_each_verdict_is_said_alike_in_json_and_in_words(
    counter: Source, base_bb: BaseImage
) -> None:
    def plan_of(source: Source, base: BaseImage | None, options: Options | None = None) -> Plan:
        return make_plan(source, base, Destination(Path("/nowhere")), options=options)

    plan = plan_of(counter, base_bb)
    assert shown(plan)[0] == "verified"
    assert shown(plan)[1].endswith("✔ the image of the dump")
    assert not any("No digest" in warning for warning in plan.warnings)

    unknown = plan_of(dataclasses.replace(counter, engine="containerd"), base_bb)
    assert shown(unknown)[0] == "unrecorded"
    assert shown(unknown)[1].endswith("? no digest recorded to compare with")
    assert unknown.problems == ()
    assert any("No digest" in warning for warning in unknown.warnings)

    other = plan_of(counter, dataclasses.replace(base_bb, config=base_bb.config + b" "))
    assert shown(other)[0] == "moved"
    assert shown(other)[1].endswith("✖ another image")

    assert shown(plan_of(counter, None))[0] == "missing"
    assert shown(plan_of(counter, None))[1].startswith("✖ not found")
    half = plan_of(counter, None, Options(keep_delta_tar=True))
    assert shown(half) == ("unneeded", "✔ not needed: no delta becomes a layer")
