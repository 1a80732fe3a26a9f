"""The optimized image, restored for real: by stock podman from a registry, by runc in place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lab import Lab

TUI = Path(__file__).resolve().parents[2] / "tui"

COUNTS_ON = """
count() { %s cat /tmp/count 2>/dev/null || echo 0; }
after=$before
for _ in $(seq 100); do
    after=$(count)
    [ "${after:-0}" -lt $((before + 2)) ] || break
    sleep 0.1
done
echo "$before" "$after"
"""
"""Shell that waits until the counter went on from $before, and prints both numbers."""

BUNDLE = """
import json, os, sys
bundle, spec = sys.argv[1:]
spec = json.load(open(spec))
spec["root"] = {"path": bundle + "/rootfs"}
for mount in spec["mounts"]:
    if mount.get("type") == "bind":
        path = bundle + "/binds" + mount["destination"]
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if mount["destination"] == "/dev/shm":
            os.makedirs(path, exist_ok=True)
        else:
            open(path, "a").close()
        mount["source"] = path
spec["linux"].pop("cgroupsPath", None)
json.dump(spec, open(bundle + "/config.json", "w"))
"""
"""Makes the config.json of a runc bundle from spec.dump, with sources for its bind mounts."""


def convert(*arguments: str, storage: Path | None = None) -> dict[str, Any]:
    """Run `ckpt-tui convert … --json` and return what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(TUI)}
    if storage is not None:
        environment["CONTAINERS_STORAGE_CONF"] = str(storage)
    done = subprocess.run(
        [sys.executable, "-m", "ckpt_tui", "convert", *arguments, "--json"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


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


def assert_counted_on(printed: str) -> None:
    before, after = map(int, printed.split()[-2:])
    assert after >= before + 2, printed


def test_stock_podman_restores_the_pair_from_a_registry(
    lab: Lab, published: tuple[str, dict[str, Any]]
) -> None:
    reference, _ = published
    printed = lab.script(
        f"""
        before=$(tar -xO --zstd -f /host/counter.tar.zst rootfs-diff.tar | tar -xO tmp/count)
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
    printed = lab.script(
        f"""
        before=$(tar -xO --zstd -f /host/counter.tar.zst rootfs-diff.tar | tar -xO tmp/count)
        podman pull -q {reference} >&2
        podman pull -q {rootfs} >&2
        images=$(podman image mount {reference})
        lower=$(podman image mount {rootfs})
        bundle=$(mktemp -d); mkdir "$bundle"/rootfs "$bundle"/work "$bundle"/overlay
        mount -t tmpfs overlay "$bundle"/overlay
        mkdir -m 755 "$bundle"/overlay/upper "$bundle"/overlay/work
        chmod --reference="$lower" "$bundle"/overlay/upper
        mount -t overlay overlay "$bundle"/rootfs \
            -o "lowerdir=$lower,upperdir=$bundle/overlay/upper,workdir=$bundle/overlay/work"
        mkdir "$bundle"/images
        mount --bind "$images" "$bundle"/images
        mount -o remount,ro,bind "$bundle"/images
        python3 - "$bundle" "$bundle"/images/spec.dump <<'PYTHON'
{BUNDLE}
PYTHON
        runc restore --detach --bundle "$bundle" --image-path "$bundle"/images/checkpoint \
            --work-path "$bundle"/work counter-in-place >&2 </dev/null ||
            {{ grep -a Error "$bundle"/work/restore.log >&2; exit 1; }}
        {COUNTS_ON % "runc exec counter-in-place"}
        runc delete -f counter-in-place >&2
        """
    ).stdout
    assert_counted_on(printed)


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
        before=$(tar -xO --zstd -f /host/counter.tar.zst rootfs-diff.tar | tar -xO tmp/count)
        podman image exists localhost/bb:1 || podman load -q -i /host/base-bb.oci.tar >&2
        podman container restore --import /host/counter-back.tar.zst >&2
        {COUNTS_ON % "podman exec counter"}
        podman rm -f -t 0 counter >&2
        """
    ).stdout
    assert_counted_on(printed)
