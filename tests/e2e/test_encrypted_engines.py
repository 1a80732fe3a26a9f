"""Encrypted images with stock skopeo and podman, both ways: what one writes the other opens."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from converting import COUNTED, COUNTS_ON, assert_counted_on, convert, run_program
from lab import Lab


@pytest.fixture(scope="module")
def keys(lab: Lab) -> Path:
    """A folder with the pairs rsa.pem, ec.pem and other.pem, inside the lab /host/keys."""
    folder = lab.host / "keys"
    folder.mkdir(exist_ok=True)
    make = ("openssl", "genpkey", "-quiet", "-algorithm")
    rsa, curve = ("RSA", "-pkeyopt", "rsa_keygen_bits:2048"), ("EC", "-pkeyopt")
    for name, kind in (
        ("rsa", rsa),
        ("other", rsa),
        ("ec", (*curve, "ec_paramgen_curve:P-256")),
    ):
        pem = str(folder / f"{name}.pem")
        subprocess.run([*make, *kind, "-out", pem], check=True)
        public = ["openssl", "pkey", "-in", pem, "-pubout", "-out", str(folder / f"{name}.pub.pem")]
        subprocess.run(public, check=True)
    return folder


def published(lab: Lab, registry: str, keys: Path, name: str, *recipients: str) -> str:
    """Convert the counter straight into a registry, encrypted for the recipients; return its
    reference."""
    reference = f"{registry}/app/{name}:1"
    convert(
        str(lab.checkpoint("counter")),
        f"docker://{reference}",
        "--base",
        f"oci-archive:{lab.host / 'base-bb.oci.tar'}",
        *(word for one in recipients for word in ("--encrypt-to", f"jwe:{keys / one}.pub.pem")),
    )
    return reference


def test_podman_restores_with_the_key_and_not_without(lab: Lab, registry: str, keys: Path) -> None:
    reference = published(lab, registry, keys, "locked", "rsa")
    repository = reference.rpartition(":")[0]
    (rootfs,) = [t for t in tags(lab, repository) if t.endswith(".rootfs")]
    for wrong in ("", "--decryption-key /host/keys/other.pem"):
        refused = lab.script(f"podman rmi -af >&2; podman pull -q {wrong} {reference}", check=False)
        assert refused.returncode != 0
    printed = lab.script(
        f"""
        before=$({COUNTED})
        podman rmi -af >&2
        podman pull -q --decryption-key /host/keys/rsa.pem {repository}:{rootfs} >&2
        podman pull -q --decryption-key /host/keys/rsa.pem {reference} >&2
        podman container restore {reference} >&2
        {COUNTS_ON % "podman exec counter"}
        podman rm -f -t 0 counter >&2
        """
    ).stdout
    assert_counted_on(printed)


def tags(lab: Lab, repository: str) -> list[str]:
    found = json.loads(lab.run("skopeo", "list-tags", f"docker://{repository}").stdout)["Tags"]
    return [str(tag) for tag in found]


@pytest.mark.parametrize("key", ["rsa", "ec"])
def test_skopeo_decrypts_what_was_converted_and_each_layer_is_the_plain_one(
    key: str, lab: Lab, registry: str, keys: Path
) -> None:
    reference = published(lab, registry, keys, f"for-both-{key}", "rsa", "ec")
    plain = f"oci:{lab.host / f'plain-{key}'}:1"
    convert(
        str(lab.checkpoint("counter")),
        plain,
        "--base",
        f"oci-archive:{lab.host / 'base-bb.oci.tar'}",
        "--for",
        reference.rpartition(":")[0],
    )
    opened = f"/host/opened-{key}"
    lab.script(
        f"rm -rf {opened}; skopeo copy -q --decryption-key /host/keys/{key}.pem "
        f"docker://{reference} dir:{opened}"
    )
    manifest = json.loads((lab.host / f"opened-{key}/manifest.json").read_text())
    roles = role_digests(manifest)
    index = json.loads(run_program("ls", plain, "--json"))
    expected = {
        blob["annotations"]["org.criu.checkpoint.layer.role"]: blob["digest"]
        for blob in index["blobs"]
        if "org.criu.checkpoint.layer.role" in blob.get("annotations", {})
    }
    for role in ("criu", "pages"):
        assert roles[role] == expected[role]
    assert not any(layer["mediaType"].endswith("+encrypted") for layer in manifest["layers"])


def role_digests(manifest: dict[str, list[dict[str, dict[str, str]]]]) -> dict[str, str]:
    return {
        layer["annotations"]["org.criu.checkpoint.layer.role"]: str(layer["digest"])
        for layer in manifest["layers"]
    }


def test_what_skopeo_encrypts_is_opened(lab: Lab, registry: str, keys: Path) -> None:
    plain = published(lab, registry, keys, "plain")
    index = json.loads(lab.run("skopeo", "inspect", "--raw", f"docker://{plain}").stdout)
    checkpoint = index["manifests"][0]["digest"]
    repository = plain.rpartition(":")[0]
    lab.run(
        "skopeo",
        "copy",
        "-q",
        "--encryption-key",
        "jwe:/host/keys/other.pub.pem",
        "--encryption-key",
        "jwe:/host/keys/ec.pub.pem",
        f"docker://{repository}@{checkpoint}",
        f"docker://{repository}:skopeos",
    )
    target = f"docker://{repository}:skopeos"
    without = json.loads(run_program("inspect", target, "--json"))
    assert without["format"]["locked"]
    assert without["processes"] == []
    for key in ("other", "ec"):
        found = json.loads(
            run_program("inspect", target, "--json", "--key", str(keys / f"{key}.pem"))
        )
        assert found["processes"][0]["comm"] == "sh"
        verified = run_program("verify", target, "--key", str(keys / f"{key}.pem"))
        assert verified.splitlines()[0].endswith(": intact")
    refused = run_program("search", "x", target, "--key", str(keys / "rsa.pem"), allowed=(1,))
    assert refused == ""


def test_the_commands_that_diagnose_prints_restore_with_the_key(
    lab: Lab, registry: str, keys: Path
) -> None:
    reference = published(lab, registry, keys, "diagnosed", "rsa")
    words = ("diagnose", f"docker://{reference}", "--json", "--key", str(keys / "rsa.pem"))
    found = json.loads(run_program(*words, allowed=(0, 1)))
    (way,) = [way for way in found["restore"] if way["engine"] == "podman"]
    commands = "\n".join(way["commands"]).replace("KEY.pem", "/host/keys/rsa.pem")
    assert commands.count("--decryption-key") == 2
    printed = lab.script(
        f"""
        before=$({COUNTED})
        podman rmi -af >&2
        exec 3>&1 >&2
        {commands}
        exec >&3
        {COUNTS_ON % "podman exec counter"}
        podman rm -f -t 0 counter >&2
        """
    ).stdout
    assert_counted_on(printed)


PLANTED = "PLANTED-7c1e"
"""Begins every value that a registry must not be told."""

PLANT = f"""
podman image exists localhost/bb:1 || podman load -q -i /host/base-bb.oci.tar
podman run -d --name planted --network none --env API_TOKEN={PLANTED}-variable localhost/bb:1 \
    sh -c 'echo {PLANTED}-file >/data/secret; exec 7</data/secret; v={PLANTED}-heap
    while :; do echo on >/tmp/count; sleep 0.2; done' name {PLANTED}-argument
sleep 1
podman container checkpoint --export /host/planted.tar.zst planted
podman rm -f -t 0 planted
"""


def test_a_dump_of_the_registry_has_nothing_of_the_container(
    lab: Lab, registry: str, keys: Path
) -> None:
    lab.checkpoint("counter")  # which brings the base image
    lab.script(PLANT)
    archive = str(lab.host / "planted.tar.zst")
    found = run_program("search", PLANTED, archive, "--json").splitlines()
    kinds = {json.loads(line)["kind"] for line in found}
    assert kinds >= {"argv", "environment", "metadata", "delta", "memory"}
    convert(
        archive,
        f"docker://{registry}/app/planted:1",
        "--base",
        f"oci-archive:{lab.host / 'base-bb.oci.tar'}",
        "--encrypt-to",
        f"jwe:{keys / 'rsa.pub.pem'}",
    )
    (storage,) = [
        path for path in lab.host.glob("registry*/blobs") if any(path.rglob("app/planted"))
    ]
    files = [path for path in storage.rglob("*") if path.is_file()]
    assert len(files) > 20
    for path in files:
        assert PLANTED.encode() not in path.read_bytes(), path
    target = f"docker://{registry}/app/planted:1"
    again = run_program("search", PLANTED, target, "--json", "--key", str(keys / "rsa.pem"))
    assert {json.loads(line)["kind"] for line in again.splitlines()} == kinds
