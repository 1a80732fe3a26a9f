"""A real registry: we read what skopeo pushed, and skopeo, oras and podman what we pushed."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import Lab

from ckpt_tui.convert.copying import copy
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.opened import open_checkpoint
from ckpt_tui.sources.base import OpenedImage
from ckpt_tui.sources.registry_store import RegistryStore

TUI = Path(__file__).parents[2] / "tui"

USER = "user:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"
"""A line of an htpasswd file: the password is `secret`."""

CERTIFICATES = """
cd /host; mkdir -p tls; cd tls
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test-ca -keyout ca.key -out ca.pem
openssl req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout key.pem -out request.pem
echo subjectAltName=IP:127.0.0.1 >extensions
openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
    -extfile extensions -out certificate.pem
"""


def ckpt_tui(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the program as a person does."""
    done = subprocess.run(
        [sys.executable, "-m", "ckpt_tui", *arguments],
        env={**os.environ, "PYTHONPATH": str(TUI)},
        capture_output=True,
        text=True,
    )
    assert not check or done.returncode == 0, done.stderr
    return done


def answer(*arguments: str) -> Any:
    """Run the program with `--json`."""
    return json.loads(ckpt_tui(*arguments, "--json").stdout)


@pytest.fixture(scope="module")
def layout(lab: Lab) -> str:
    """The counter as an optimized image in a layout, `/host/optimized` inside."""
    archive = lab.checkpoint("counter")
    base = f"oci-archive:{lab.host}/base-bb.oci.tar"
    target = f"oci:{lab.host}/optimized:1"
    ckpt_tui("convert", str(archive), target, "--base", base, "--for", "localhost/counter")
    return target


def test_what_skopeo_pushed_opens_without_its_pages(lab: Lab, registry: str, layout: str) -> None:
    target = f"docker://{registry}/app/counter:1"
    lab.run("skopeo", "copy", "-q", "--all", "oci:/host/optimized:1", target)
    opened = open_checkpoint(target, quiet())
    checkpoint = opened.load(quiet())
    assert isinstance(opened.source, OpenedImage)
    assert isinstance(opened.source.store, RegistryStore)
    assert checkpoint.format.optimized
    assert checkpoint.notes == ()
    assert checkpoint.processes
    assert opened.source.store.transferred < 200_000
    opened.close()


def test_what_oras_pushed_opens(lab: Lab, registry: str, layout: str) -> None:
    image, archive = f"{registry}/app/by-oras:1", f"{registry}/app/file:1"
    lab.run("oras", "copy", "--from-oci-layout", "--to-plain-http", "/host/optimized:1", image)
    lab.run("sh", "-c", f"cd /host && oras push --plain-http {archive} counter.tar.zst")
    names = [answer("inspect", f"docker://{at}")["container"]["name"] for at in (image, archive)]
    assert names == ["counter", "counter"]


def test_a_legacy_image_opens_too(lab: Lab, registry: str) -> None:
    lab.checkpoint("counter")
    target = f"docker://{registry}/app/legacy:1"
    lab.script(f"""
        image=$(buildah from scratch)
        mkdir -p /tmp/legacy; tar -C /tmp/legacy --zstd -xf /host/counter.tar.zst
        buildah add -q "$image" /tmp/legacy /
        buildah config --annotation io.podman.annotations.checkpoint.name=counter "$image"
        buildah commit -q "$image" localhost/legacy:1
        buildah push -q localhost/legacy:1 {target}
        buildah rm "$image"; rm -r /tmp/legacy
    """)
    facts = answer("inspect", target)
    assert facts["format"]["engine"] == "podman"
    assert facts["container"]["name"] == "counter"
    assert facts["notes"] == []


def test_what_we_pushed_skopeo_and_oras_pull(lab: Lab, registry: str, layout: str) -> None:
    target = f"{registry}/app/counter:1"
    pushed = answer("copy", layout, f"docker://{target}")
    digest = pushed["copied"]["digest"]
    assert pushed["moved"]
    lab.run("skopeo", "copy", "-q", "--all", f"docker://{target}", "oci:/host/by-skopeo:1")
    lab.run("oras", "copy", "--from-plain-http", "--to-oci-layout", target, "/host/by-oras:1")
    for name in ("by-skopeo", "by-oras"):
        index = json.loads((lab.host / name / "index.json").read_text())
        assert digest in [one["digest"] for one in index["manifests"]]
        assert answer("inspect", f"oci:{lab.host / name}:1")["processes"]


def test_podman_restores_what_we_pushed(lab: Lab, registry: str, layout: str) -> None:
    target = f"{registry}/app/counter:1"
    copy(layout, f"docker://{target}", quiet())
    counts = lab.script(f"""
        podman pull -q {target} >&2
        podman container restore {target} >&2
        first=$(podman exec counter cat /tmp/count); last=$first
        for _ in $(seq 100); do
            last=$(podman exec counter cat /tmp/count)
            [ "${{last:-0}}" -lt $((first + 2)) ] || break
            sleep 0.1
        done
        podman rm -f -t 0 counter >&2
        echo "$first" "$last"
    """).stdout.split()
    first, last = map(int, counts)
    assert last >= first + 2


def test_a_second_copy_moves_nothing_and_another_repository_mounts(
    registry: str, layout: str, tmp_path: Path
) -> None:
    source, target = f"docker://{registry}/app/one:1", f"docker://{registry}/app/two:1"
    copy(layout, source, quiet())
    assert set(copy(layout, source, quiet()).copied.blobs) == {"present"}
    mounted = copy(source, target, quiet()).copied
    assert mounted.bytes["copied"] < 100_000 < mounted.bytes["mounted"]
    pulled = f"oci:{tmp_path / 'pulled'}:1"
    assert set(copy(target, pulled, quiet()).copied.blobs) == {"copied"}
    assert set(copy(target, pulled, quiet()).copied.blobs) == {"present"}
    assert copy(target, f"oci-archive:{tmp_path / 'a.tar'}", quiet()).copied.digest == (
        copy(pulled, target, quiet()).copied.digest
    )


def test_podmans_store_is_copied_from(lab: Lab, registry: str) -> None:
    lab.checkpoint("counter")
    root = lab.storage / "storage"
    root = root if root.exists() else lab.storage
    target = f"docker://{registry}/base/bb:1"
    ckpt_tui("copy", f"containers-storage:[{root}]localhost/bb:1", target)
    lab.run("podman", "pull", "-q", target.removeprefix("docker://"))
    ids = lab.script(f"""
        podman image inspect --format '{{{{.Id}}}}' localhost/bb:1 {registry}/base/bb:1
    """).stdout.split()
    assert ids[0] == ids[1]


def test_lists_of_a_registry(registry: str, layout: str) -> None:
    copy(layout, f"docker://{registry}/app/counter:v1", quiet())
    copy(layout, f"docker://{registry}/app/counter:v2", quiet())
    assert answer("ls", f"docker://{registry}")["repositories"] == ["app/counter"]
    tags = answer("ls", f"docker://{registry}/app/counter")["tags"]
    assert sorted(tag["tag"] for tag in tags) == ["v1", "v2"]
    assert {tag["engine"] for tag in tags} == {"podman"}
    assert all(tag["optimized"] for tag in tags)
    roles = [one["role"] for one in answer("ls", f"docker://{registry}/app/counter:v1")["blobs"]]
    assert {"metadata", "criu", "pages", "manifest"} <= set(roles)


@pytest.fixture(scope="module")
def safe_registry(lab: Lab) -> Iterator[str]:
    """A registry with TLS and a login; its CA is `/host/tls/ca.pem` inside."""
    lab.script(CERTIFICATES)
    (lab.host / "tls/users").write_text(USER + "\n")
    http = ", tls: {certificate: /host/tls/certificate.pem, key: /host/tls/key.pem}"
    more = "auth: {htpasswd: {realm: test, path: /host/tls/users}}"
    with lab.registry(http, more) as address:
        yield address


def log_in(home: Path, host: str, password: str) -> None:
    path = home / ".config/containers/auth.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = base64.b64encode(f"user:{password}".encode()).decode()
    path.write_text(json.dumps({"auths": {host: {"auth": packed}}}))


def test_a_login_and_an_authority_open_a_safe_registry(
    lab: Lab, safe_registry: str, layout: str, own_home: Path
) -> None:
    log_in(own_home, safe_registry, "secret")
    target = f"docker://{safe_registry}/app/counter:1"
    ca = ("--ca-file", str(lab.host / "tls/ca.pem"))
    ckpt_tui("copy", layout, target, *ca)
    assert answer("inspect", target, *ca)["processes"]
    assert answer("ls", f"docker://{safe_registry}", "--tls-verify", "false")["repositories"]


@pytest.mark.parametrize(
    ("password", "options", "sentence"),
    [
        ("secret", (), "cannot be trusted"),
        ("wrong", ("--tls-verify", "false"), "refuses the login"),
        ("", ("--tls-verify", "false"), "asks for a login"),
    ],
)
def test_what_a_safe_registry_refuses_is_one_sentence(
    safe_registry: str, own_home: Path, password: str, options: tuple[str, ...], sentence: str
) -> None:
    if password:
        log_in(own_home, safe_registry, password)
    done = ckpt_tui("inspect", f"docker://{safe_registry}/a/b:1", *options, check=False)
    assert done.returncode == 3
    assert sentence in done.stderr.splitlines()[0]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def tags_in(address: str) -> list[str]:
    return [entry["tag"] for entry in answer("ls", f"docker://{address}/app/counter")["tags"]]


def test_an_image_is_removed_from_a_registry_with_its_pair(registry: str, layout: str) -> None:
    place = f"docker://{registry}/app/counter"
    ckpt_tui("copy", layout, f"{place}:1")
    ckpt_tui("copy", layout, f"{place}:2")
    refused = ckpt_tui("rm", f"{place}:1", check=False)
    assert refused.returncode == 2
    assert f"{place}:1 is also called 2." in refused.stderr
    digest = answer("ls", f"{place}:1")["digest"]
    planned = answer("rm", f"{place}@{digest}", "--dry-run")
    assert sorted(planned["names"]) == ["1", "2"]
    assert len(planned["images"]) == 2
    assert sorted(tags_in(registry)) == ["1", "2"]
    removed = answer("rm", f"{place}@{digest}")
    assert {**removed, "dry_run": True} == planned
    for gone in (f"{place}:1", *(f"{place}@{image}" for image in removed["images"])):
        assert ckpt_tui("ls", gone, check=False).returncode == 3


def test_a_registry_without_deletion_keeps_the_image(lab: Lab, layout: str) -> None:
    with lab.registry(delete=False) as address:
        target = f"docker://{address}/app/counter:1"
        ckpt_tui("copy", layout, target)
        refused = ckpt_tui("rm", target, check=False)
        assert refused.returncode == 1
        assert "did not remove" in refused.stderr
        assert "It does not allow removal" in refused.stderr
        assert tags_in(address) == ["1"]


STOPPED = """
from ckpt_tui.convert import publishing
from ckpt_tui.core.errors import CkptError
def publish(self, root, tag, progress):
    raise CkptError("Stopped before the name.")
publishing.RegistrySink.publish = publish
from ckpt_tui.cli.main import main
main()
"""
"""Runs the program; its conversions into a registry fail at their last step."""


@pytest.mark.parametrize("allowed", [True, False])
def test_what_a_failed_conversion_sent_is_deleted_or_reported(lab: Lab, allowed: bool) -> None:
    archive, base = lab.checkpoint("counter"), f"oci-archive:{lab.host}/base-bb.oci.tar"
    links = "blobs/docker/registry/v2/repositories/app/failed/_layers/sha256/*/link"
    before = {*lab.host.glob("registry*")}
    with lab.registry(delete=allowed) as address:
        target = f"docker://{address}/app/failed:1"
        done = subprocess.run(
            [sys.executable, "-c", STOPPED, "convert", str(archive), target, "--base", base],
            env={**os.environ, "PYTHONPATH": str(TUI)},
            capture_output=True,
            text=True,
        )
        (folder,) = {*lab.host.glob("registry*")} - before
        left = [*folder.glob(links)]
    assert done.returncode == 1
    assert "Stopped before the name." in done.stderr
    assert ("stay in" in done.stderr) is not allowed
    assert bool(left) is not allowed
