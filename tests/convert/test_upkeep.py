"""Images are removed from layouts with what belongs to them, and blobs that nothing names."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from ckpt_tui.convert.copying import copy
from ckpt_tui.convert.upkeep import collect, remove_image
from ckpt_tui.core.errors import CkptError, UsageError
from ckpt_tui.core.progress import quiet
from ckpt_tui.diagnose.verification import verify_target
from ckpt_tui.sources.base import MEDIA_MANIFEST, REF_NAME

PAIR = Path(__file__).parents[2] / "tui/ckpt_tui/demo/counter-optimized.oci.tar"


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """A layout with the optimized image under the tag `web`, and a base image under `base`."""
    folder = tmp_path / "layout"
    copy(f"oci-archive:{PAIR}", f"oci:{folder}:web", quiet())
    base = Path(__file__).parents[1] / "data/archives/base-bb.oci.tar"
    copy(f"oci-archive:{base}", f"oci:{folder}:base", quiet())
    return folder


def index_of(layout: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads((layout / "index.json").read_text())["manifests"]
    return entries


def tags(layout: Path) -> list[str]:
    return [entry.get("annotations", {}).get(REF_NAME, "") for entry in index_of(layout)]


def blobs(layout: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in (layout / "blobs/sha256").iterdir()}


def add_entry(layout: Path, document: dict[str, Any], tag: str = "") -> str:
    """Write a manifest and name it in the index; return its digest."""
    data = json.dumps(document).encode()
    digest = hashlib.sha256(data).hexdigest()
    (layout / "blobs/sha256" / digest).write_bytes(data)
    entry = {"mediaType": MEDIA_MANIFEST, "digest": f"sha256:{digest}", "size": len(data)}
    name_entry(layout, {**entry, **({"annotations": {REF_NAME: tag}} if tag else {})})
    return f"sha256:{digest}"


def name_entry(layout: Path, entry: dict[str, Any]) -> None:
    path = layout / "index.json"
    index = json.loads(path.read_text())
    index["manifests"].append(entry)
    path.write_text(json.dumps(index))


def test_an_image_goes_with_the_blobs_that_only_it_had(layout: Path) -> None:
    before = blobs(layout)
    removal = remove_image(layout, "web", quiet(), dry_run=False)
    assert tags(layout) == ["base"]
    gone = before.keys() - blobs(layout).keys()
    assert (removal.names, removal.blobs) == (("web",), len(gone))
    assert removal.bytes == sum(before[name] for name in gone)
    found = verify_target(f"oci:{layout}:base", quiet())
    assert found.problems == []


def test_a_base_that_another_image_has_as_well_keeps_its_layers(layout: Path) -> None:
    remove_image(layout, "base", quiet(), dry_run=False)
    assert tags(layout) == ["web"]
    assert verify_target(f"oci:{layout}:web", quiet()).problems == []


def test_a_dry_run_changes_nothing_and_says_the_same(layout: Path) -> None:
    before = {path: path.read_bytes() for path in layout.rglob("*") if path.is_file()}
    planned = remove_image(layout, "web", quiet(), dry_run=True)
    assert {path: path.read_bytes() for path in layout.rglob("*") if path.is_file()} == before
    assert remove_image(layout, "web", quiet(), dry_run=False) == planned


def test_another_tag_of_the_same_image_keeps_it(layout: Path) -> None:
    entry = next(e for e in index_of(layout) if e["annotations"][REF_NAME] == "web")
    name_entry(layout, {**entry, "annotations": {REF_NAME: "latest"}})
    before = blobs(layout)
    removal = remove_image(layout, "web", quiet(), dry_run=False)
    assert (removal.other_names, removal.blobs) == (("latest",), 0)
    assert blobs(layout) == before
    assert tags(layout) == ["base", "latest"]


def test_referrers_and_tags_made_of_its_digest_go_along(layout: Path) -> None:
    entry = next(e for e in index_of(layout) if e["annotations"][REF_NAME] == "web")
    subject = {"mediaType": entry["mediaType"], "digest": entry["digest"], "size": entry["size"]}
    referrer = add_entry(layout, {"schemaVersion": 2, "subject": subject, "layers": []})
    digits = entry["digest"].removeprefix("sha256:")
    add_entry(layout, {"schemaVersion": 2, "layers": [], "n": 1}, f"sha256-{digits}.sig")
    other = f"sha256-{'0' * 64}.sig"
    add_entry(layout, {"schemaVersion": 2, "layers": [], "n": 2}, other)
    removal = remove_image(layout, "web", quiet(), dry_run=False)
    assert removal.names == ("web", f"sha256-{digits}.sig")
    assert removal.referrers == (referrer,)
    assert tags(layout) == ["base", other]


def test_only_blobs_that_nothing_names_are_collected(layout: Path) -> None:
    named = blobs(layout)
    lost = layout / "blobs/sha256" / ("a" * 64)
    lost.write_bytes(b"x" * 500)
    (layout / "blobs/sha256/notes.txt").write_text("of a person")
    assert collect(layout, quiet(), dry_run=True).blobs == 1
    assert lost.exists()
    found = collect(layout, quiet(), dry_run=False)
    assert (found.blobs, found.bytes, found.kept) == (1, 500, sum(named.values()))
    assert blobs(layout).keys() == {*named, "notes.txt"}


def test_nothing_is_collected_where_a_manifest_cannot_be_read(layout: Path) -> None:
    entry = next(e for e in index_of(layout) if e["annotations"][REF_NAME] == "web")
    (layout / "blobs/sha256" / entry["digest"][7:]).write_bytes(b"{}")
    before = blobs(layout)
    with pytest.raises(CkptError):
        collect(layout, quiet(), dry_run=False)
    assert blobs(layout) == before


def test_a_link_in_place_of_the_blobs_is_not_followed(layout: Path, tmp_path: Path) -> None:
    os.rename(layout / "blobs", tmp_path / "elsewhere")
    (layout / "blobs").symlink_to(tmp_path / "elsewhere")
    stranger = tmp_path / "elsewhere/sha256" / ("b" * 64)
    stranger.write_bytes(b"of another")
    with pytest.raises(CkptError):
        collect(layout, quiet(), dry_run=False)
    assert stranger.exists()


def test_what_is_no_layout_or_not_in_it_is_refused(layout: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no image other"):
        remove_image(layout, "other", quiet(), dry_run=False)
    with pytest.raises(UsageError, match="has 2 images"):
        remove_image(layout, "", quiet(), dry_run=False)
    with pytest.raises(UsageError, match="is not an OCI layout"):
        collect(tmp_path, quiet(), dry_run=False)
