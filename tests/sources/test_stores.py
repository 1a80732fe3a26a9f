"""Targets in local stores, taken apart."""

from __future__ import annotations

import pytest

from ckpt_tui.core.errors import UsageError
from ckpt_tui.core.progress import quiet
from ckpt_tui.sources.stores import PODMAN_STORE as PODMAN
from ckpt_tui.sources.stores import StoredTarget, stored_target
from ckpt_tui.sources.table import resolve


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        (f"{PODMAN}:bb:1", (PODMAN, "", "", "bb:1")),
        (f"{PODMAN}:[/srv/x]bb@sha256:0", (PODMAN, "", "/srv/x", "bb@sha256:0")),
        (f"{PODMAN}:[vfs@/srv/x+/run/x:a=b]bb", (PODMAN, "vfs", "/srv/x", "bb")),
        (f"{PODMAN}:[vfs@]bb", (PODMAN, "vfs", "", "bb")),
        ("containerd:[k8s.io@/srv/a+b]bb:1", ("containerd", "k8s.io", "/srv/a+b", "bb:1")),
        ("containerd:[@/srv/x]bb", ("containerd", "", "/srv/x", "bb")),
        ("containerd:[open", ("containerd", "", "", "[open")),
        ("containerd:a\nb", ("containerd", "", "", "a\nb")),
    ],
)  # fmt: skip
def test_a_target_says_store_place_and_name(target: str, parts: tuple[str, ...]) -> None:
    assert stored_target(target) == StoredTarget(*parts)


@pytest.mark.parametrize("target", ["oci:[x@y]z", "docker://h/r", "web.tar", "a containerd:x", ""])
def test_another_target_is_in_no_store(target: str) -> None:
    assert stored_target(target) is None


@pytest.mark.parametrize("target", ["containerd:", f"{PODMAN}:", "containerd:[a@/b]"])
def test_a_target_without_a_name_is_a_wrong_call(target: str) -> None:
    with pytest.raises(UsageError, match="names no image"):
        resolve(target, quiet())
