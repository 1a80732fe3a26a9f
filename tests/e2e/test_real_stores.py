"""Stores that the engines themselves left: containerd's, and podman's with what it keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from converting import run_program
from lab import Lab

SERVE = """
        mkdir -p /tmp/c; cat >/tmp/c/config.toml <<END
version = 2
root = "/host/%s"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
END
        containerd -c /tmp/c/config.toml >/dev/null 2>&1 &
        for _ in $(seq 100); do ctr version >/dev/null 2>&1 && break; sleep 0.1; done
"""
"""Shell that starts containerd on a store below /host."""


def answer(*arguments: str, allowed: tuple[int, ...] = (0,)) -> Any:
    """Run the program with `--json`; `allowed` are the exit codes that are no failure."""
    return json.loads(run_program(*arguments, "--json", allowed=allowed))


def entries(root: Path) -> dict[str, dict[str, Any]]:
    """Return what `ls` finds in a store, by name, the first of each."""
    (store,) = answer("ls", str(root))["stores"]
    assert store["problems"] == []
    found: dict[str, dict[str, Any]] = {}
    for entry in store["entries"]:
        found.setdefault(entry["name"], entry)
    return found


@pytest.fixture(scope="module")
def containerd(lab: Lab) -> Path:
    """The root of containerd's store, with a checkpoint that `ctr` made."""
    lab.checkpoint("counter")
    lab.run("bash", "/lab/make-containerd", "40")
    return lab.host / "containerd"


def test_containerds_images_have_their_names(lab: Lab, containerd: Path) -> None:
    found = entries(containerd)
    assert len(found) == 42
    checkpoint = found["localhost/counter:checkpoint"]
    assert (checkpoint["kind"], checkpoint["engine"]) == ("checkpoint", "containerd")
    assert found["localhost/bb:1"]["kind"] == "image"
    facts = answer("inspect", checkpoint["target"])
    assert facts["notes"] == []
    assert facts["processes"][0]["comm"] == "sh"
    digests = lab.script(f"""
        {SERVE % "containerd"}
        ctr image ls | awk 'NR > 1 {{ print $1, $3 }}'
    """).stdout
    assert dict(line.split() for line in digests.splitlines()) == {
        name: found[name]["digest"] for name in ("localhost/bb:1", "localhost/counter:checkpoint")
    }


def test_a_ctr_checkpoint_goes_from_containerds_store_into_a_registry(
    lab: Lab, registry: str, containerd: Path
) -> None:
    source = entries(containerd)["localhost/counter:checkpoint"]
    target = f"docker://{registry}/ctr/counter:1"
    copied = answer("copy", source["target"], target)["copied"]
    assert copied["digest"] == source["digest"]
    assert answer("inspect", target)["processes"]
    roles = [one["role"] for one in answer("ls", target)["blobs"]]
    assert {"criu", "config", "manifest", "delta"} <= set(roles)


@pytest.mark.parametrize("where", ["containerd:", "oci:", "docker://"])
def test_ctr_restores_with_the_commands_that_are_printed(
    lab: Lab, registry: str, containerd: Path, where: str
) -> None:
    made = entries(containerd)["localhost/counter:checkpoint"]["target"]
    target = {
        "containerd:": made,
        "oci:": f"oci:{lab.host}/ctr-layout:counter",
        "docker://": f"docker://{registry}/ctr/restored:1",
    }[where]
    if target != made:
        answer("copy", made, target)
    ways = answer("diagnose", target, allowed=(0, 1))["restore"]
    (commands,) = (way["commands"] for way in ways if way["engine"] == "containerd")
    own = "containerd" if target == made else f"containerd-{where[:3]}"
    told = "\n".join(commands).replace(str(lab.host), "/host").replace("NEW_ID", "again")
    told = told.replace("REF", "$(ctr image ls -q | grep -v localhost/bb:1)")
    told = told.replace("content fetch", "content fetch --plain-http")
    count = lab.script(f"""
        {SERVE % own}
        ctr image import --snapshotter native --index-name localhost/bb:1 /host/base-bb.oci.tar
        {told}
        [ "$(ctr task ls | awk '$1 == "again" {{ print $3 }}')" = RUNNING ]
        ctr task exec --exec-id look again cat /tmp/count
        ctr task kill -s KILL again; sleep 1; ctr task rm again; ctr container rm again
    """).stdout.splitlines()[-1]
    assert int(count) > 0


def test_what_podman_keeps_of_containers_is_found(lab: Lab) -> None:
    lab.checkpoint("counter")
    lab.script("""
        podman run -d --net none --name kept localhost/bb:1 \
            sh -c 'i=0; while :; do i=$((i+1)); echo $i >/tmp/count; sleep 0.1; done' >&2
        for _ in $(seq 100); do podman exec kept cat /tmp/count >&2 && break; sleep 0.1; done
        podman container checkpoint --keep kept >&2
    """)
    root = lab.storage / "storage"
    found = entries(root if root.exists() else lab.storage)
    assert found["kept"]["kind"] == "checkpoint"
    assert found["kept"]["image"] == "localhost/bb:1"
    assert found["kept dump.log"]["kind"] == "log"
    assert found["localhost/bb:1"]["kind"] == "image"
    facts = answer("inspect", found["kept"]["target"])
    assert facts["format"]["engine"] == "podman"
    assert facts["container"]["command"][0] == "sh"
    assert facts["notes"] == []
    lab.run("podman", "rm", "-f", "-t", "0", "kept")
