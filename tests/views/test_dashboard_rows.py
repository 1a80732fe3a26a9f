"""The head of the first page: what is wrong first, with its fix; the host apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ckpt_tui.checkpoint.model import Checkpoint, OpenFile
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.diagnose.doctor import diagnose_log
from ckpt_tui.diagnose.finding import Finding, Verdict
from ckpt_tui.diagnose.log import read_log
from ckpt_tui.diagnose.target import TargetDiagnosis
from ckpt_tui.views.dashboard import dashboard, fix_of, lacks_text, peers_text
from crafted import ARCHIVES, DATA, IMAGES, loaded

GOOD = Verdict("good", "intact")


def finding(title: str, severity: str = "fails", *, of_host: bool = False) -> Finding:
    cure = "Do it: `now web`."
    return Finding("i", severity, "likely", title, "why", cure, of_host=of_host)  # type: ignore[arg-type]


def diagnosis(*findings: Finding, log: str = "") -> TargetDiagnosis:
    found = None
    if log:
        data = (DATA / "failed" / log / "restore.log").read_bytes()
        found = diagnose_log(read_log(BytesWindow(data), quiet()))
    return TargetDiagnosis("restore.log", found, findings, GOOD, GOOD, (), ())


def texts(checkpoint: Checkpoint, found: TargetDiagnosis | None, width: int = 100) -> list[str]:
    return [line.text.plain for line in dashboard(checkpoint, found, "", width)]


@pytest.fixture(scope="module")
def counter() -> Checkpoint:
    return loaded(ARCHIVES / "counter.tar.zst")


def test_the_reason_of_a_failed_restore_and_its_fix_come_first(counter: Checkpoint) -> None:
    found = diagnosis(finding("other"), log="tcp-flag")
    first, second, *_ = texts(counter, found, 400)
    assert first.startswith("✖ Restore failed: ")
    assert "restore.log:" in first
    assert "podman container restore --tcp-established" in second
    assert "y copies it" in second


def test_what_the_host_lacks_is_apart_from_the_checkpoint(counter: Checkpoint) -> None:
    criu = finding("CRIU is not on the host", of_host=True)
    lines = texts(counter, diagnosis(criu))
    assert lines[0] == "✔ intact"
    assert lines[-1] == "this host: no CRIU"
    assert fix_of(diagnosis(criu)) == ""
    assert lacks_text(diagnosis(finding("A port is in use", of_host=True))) == "a port is in use"


def test_the_worst_finding_stands_for_all_of_its_kind(counter: Checkpoint) -> None:
    found = diagnosis(finding("mild", "may-fail"), finding("bad"), finding("worse"))
    assert texts(counter, found)[:2] == ["✖ bad   and 1 more", "  ▶ now web   y copies it"]


def test_until_it_is_checked_it_says_so(counter: Checkpoint) -> None:
    assert texts(counter, None)[0] == "checking …"
    assert dashboard(counter, None, "stopped", 80)[0].text.plain == "stopped"


def test_no_line_is_wider_than_the_screen(counter: Checkpoint) -> None:
    found = diagnosis(finding("a very long title " * 20))
    assert all(len(line) <= 40 for line in texts(counter, found, 40))


def test_peers_are_named_once() -> None:
    assert peers_text(loaded(IMAGES / "kinds")) == "1 → outside pipe"
    ends = [
        OpenFile(1, 4, "pipe", "pipe 5, write end", ("O_WRONLY",)),
        OpenFile(9, 3, "pipe", "pipe 5, read end", ("O_RDONLY",)),
        OpenFile(9, 1, "pipe", "pipe 6, write end", ("O_WRONLY",)),
        OpenFile(9, 2, "pipe", "pipe 7, write end", ("O_WRONLY",)),
    ]
    checkpoint = replace(loaded(ARCHIVES / "counter.tar.zst"), files=ends, sockets=())
    assert peers_text(checkpoint) == "1 → 9 pipe, 9 → outside pipe"
