"""Real failures, made in the lab, and what `diagnose` says of their logs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lab import Lab

TUI = Path(__file__).resolve().parents[2] / "tui"

CAUSES = {
    "tcp-flag": "tcp-established-restore",
    "podman-tcp-flag": "tcp-established-restore",
    "net-unreachable": "tcp-connect-back-failed",
    "file-missing": "file-missing",
    "file-size": "file-bad-size",
    "file-empty": "file-bad-size",
    "file-mode": "file-bad-mode",
    "root-mode": "file-bad-mode",
    "cwd-gone": "file-missing",
    "mount-gone": "mnt-no-mapping",
    "inventory-gone": "img-missing",
    "core-gone": "img-missing",
    "files-gone": "img-missing",
    "pagemap-gone": "img-missing",
    "wrong-magic": "img-magic",
    "image-cut": "img-truncated",
    "pages-cut": "pages-data-bad",
    "dump-tcp": "tcp-established-dump",
    "dump-locks": "file-locks-needed",
}
"""Case of lab/make-failures to the cause it must be given."""

HEALTHY = ("good-counter", "good-kinds", "no-locks-flag", "read-only", "podman-good")
"""Cases that go well, and whose logs have errors all the same."""


@pytest.fixture(scope="module")
def failures(lab: Lab) -> Path:
    """Make every case, and return the folder with a folder for each."""
    for name in ("counter", "rootfs", "kinds", "sockets", "web"):
        lab.checkpoint(name)
    lab.run("bash", "/lab/make-failures", *CAUSES, *HEALTHY, timeout_s=900)
    return lab.host / "failed"


def diagnosed(folder: Path) -> tuple[int, dict[str, object]]:
    """Run `ckpt-tui diagnose --log` on the log of a case; return exit code and JSON."""
    log = next(folder.glob("*.log"))
    done = subprocess.run(
        [sys.executable, "-m", "ckpt_tui", "diagnose", "--log", str(log), "--json"],
        env={**os.environ, "PYTHONPATH": str(TUI)},
        capture_output=True,
        text=True,
    )
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("case", CAUSES)
def test_cause_of_a_real_failure_is_named(failures: Path, case: str) -> None:
    code, document = diagnosed(failures / case)
    cause = document["root_cause"]
    assert isinstance(cause, dict), (failures / case / "note").read_text()
    assert cause["id"] == CAUSES[case], cause
    assert code == 1


@pytest.mark.parametrize("case", HEALTHY)
def test_healthy_log_gives_no_cause(failures: Path, case: str) -> None:
    code, document = diagnosed(failures / case)
    assert document["root_cause"] is None
    assert code == 0
