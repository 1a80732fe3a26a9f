"""The optimized image, restored for real: by stock podman from a registry, by runc in place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from converting import COUNTED, COUNTS_ON, assert_counted_on, convert, restore_in_place
from lab import Lab


@pytest.fixture
def published(lab: Lab, registry: str) -> tuple[str, dict[str, Any]]:
    """Convert the counter, copy the pair into a registry; return its reference and the result."""
    archive = lab.checkpoint("counter")
    repository = f"{registry}/app/counter"
    name = f"layout-{registry.rpartition(':')[2]}"
    result = convert(
        str(archive),
        f"oci:{lab.host / name}:counter",
        "--base",
        f"oci-archive:{lab.host / 'base-bb.oci.tar'}",
        "--for",
        repository,
    )
    lab.run("skopeo", "copy", "--all", f"oci:/host/{name}:counter", f"docker://{repository}:opt")
    return f"{repository}:opt", result


def test_stock_podman_restores_the_pair_from_a_registry(
    lab: Lab, published: tuple[str, dict[str, Any]]
) -> None:
    reference, _ = published
    printed = lab.script(
        f"""
        before=$({COUNTED})
        podman rmi -af >&2
        podman pull -q {reference} >&2
        podman container restore {reference} >&2
        {COUNTS_ON % "podman exec counter"}
        podman rm -f -t 0 counter >&2
        """
    ).stdout
    assert_counted_on(printed)


def test_runc_restores_straight_from_the_mounted_images(
    lab: Lab, published: tuple[str, dict[str, Any]]
) -> None:
    reference, result = published
    rootfs = f"{reference.rpartition(':')[0]}@{result['rootfs_digest']}"
    counts, _ = restore_in_place(lab, reference, rootfs, COUNTED)
    assert_counted_on(counts)


def test_podmans_local_store_is_where_the_base_is_found(lab: Lab, tmp_path: Path) -> None:
    archive = lab.checkpoint("counter")
    lab.script("podman image exists localhost/bb:1 || podman load -q -i /host/base-bb.oci.tar")
    config = tmp_path / "storage.conf"
    graphroot = lab.storage / "storage"
    lines = ("[storage]", 'driver = "overlay"', f'graphroot = "{graphroot}"')
    config.write_text("\n".join(lines))
    result = convert(str(archive), f"oci:{tmp_path / 'layout'}", storage=config)
    assert result["base"].startswith("containers-storage:")
    assert {layer["role"] for layer in result["layers"]} >= {"base", "delta", "pages", "criu"}


def test_podman_restores_the_archive_that_the_way_back_gives(
    lab: Lab, published: tuple[str, dict[str, Any]]
) -> None:
    _, result = published
    back = lab.host / "counter-back.tar.zst"
    back.unlink(missing_ok=True)
    convert(result["destination"], str(back), "--to", "archive")
    printed = lab.script(
        f"""
        before=$({COUNTED})
        podman image exists localhost/bb:1 || podman load -q -i /host/base-bb.oci.tar >&2
        podman container restore --import /host/counter-back.tar.zst >&2
        {COUNTS_ON % "podman exec counter"}
        podman rm -f -t 0 counter >&2
        """
    ).stdout
    assert_counted_on(printed)
