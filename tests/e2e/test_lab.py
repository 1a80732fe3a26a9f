"""The lab itself: its programs, a legacy restore, a registry, and that nothing is left behind."""

from __future__ import annotations

import subprocess
import urllib.request

import pytest
from lab import LAB, Lab


def test_lab_has_the_programs_the_tests_rely_on(lab: Lab) -> None:
    versions = lab.script("criu --version; podman --version; runc --version; crit --version").stdout
    assert "Version: 4." in versions
    assert "podman version 5." in versions
    assert "runc version 1." in versions


def test_podman_restores_a_checkpoint_and_the_counter_counts_on(lab: Lab) -> None:
    lab.checkpoint("counter")
    counts = lab.script(
        """
        before=$(tar -xO --zstd -f /host/counter.tar.zst rootfs-diff.tar | tar -xO tmp/count)
        podman container restore --import /host/counter.tar.zst >&2
        after=$before
        for _ in $(seq 100); do
            after=$(podman exec counter cat /tmp/count)
            [ "${after:-0}" -lt $((before + 2)) ] || break
            sleep 0.1
        done
        podman rm -f -t 0 counter >&2
        echo "$before" "$after"
        """
    ).stdout.split()
    before, after = map(int, counts)
    assert after >= before + 2


def test_skopeo_pushes_to_the_registry_without_certificates(lab: Lab, registry: str) -> None:
    lab.checkpoint("counter")
    lab.run("skopeo", "copy", "oci-archive:/host/base-bb.oci.tar", f"docker://{registry}/app/bb:1")
    with urllib.request.urlopen(f"http://{registry}/v2/app/bb/tags/list") as answer:
        assert b'"tags":["1"]' in answer.read()


def test_registry_is_gone_when_its_context_ends(lab: Lab) -> None:
    with lab.registry() as address:
        url = f"http://{address}/v2/"
        urllib.request.urlopen(url).close()
    with pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen(url)
    assert not list(lab.host.glob("registry*"))


def test_what_a_command_left_running_ends_with_it(lab: Lab) -> None:
    # What still runs would hold the pipe open, and this call with it.
    lab.run("sh", "-c", "sleep 4321 &", timeout_s=60)


def test_command_that_takes_too_long_is_killed_with_its_children(lab: Lab) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        lab.script("exec 9>/host/held; flock 9; sleep 4322 & sleep 4323", timeout_s=1)
    subprocess.run(["flock", "--timeout", "20", lab.host / "held", "true"], check=True)


def test_call_without_a_command_says_how_to_call() -> None:
    done = subprocess.run([LAB], capture_output=True, text=True)
    assert done.returncode == 2
    assert "lab run COMMAND" in done.stdout


def test_bases_are_back_after_the_store_was_emptied(lab: Lab) -> None:
    lab.checkpoint("counter")
    lab.checkpoint("kinds")
    lab.run("podman", "rmi", "-af")
    lab.restock()
    for image in ("bb", "py"):
        lab.run("podman", "image", "exists", f"localhost/{image}:1")
