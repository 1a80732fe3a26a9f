"""The line of a log leads to what it is about in the images."""

from __future__ import annotations

from pathlib import Path

import pytest
from breakage import facts_of

from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.diagnose.doctor import diagnose_log, to_json
from ckpt_tui.diagnose.finding import Evidence
from ckpt_tui.diagnose.log import read_log
from ckpt_tui.diagnose.proof import proof
from ckpt_tui.diagnose.target import diagnose_opened
from ckpt_tui.formats.opened import open_checkpoint
from crafted import DATA

END = "(00.9) Error (criu/cr-restore.c:2331): Restoring FAILED.\n"


def proved(folder: Path, log: bytes) -> tuple[Evidence, ...]:
    return proof(diagnose_log(read_log(BytesWindow(log), quiet())), facts_of(folder))


def of_line(folder: Path, message: str, pid: int = 1) -> list[tuple[str, Ref | None]]:
    line = f"(00.1)      {pid}: Error (criu/any.c:1): {message}\n"
    return [(e.text, e.link) for e in proved(folder, (line + END).encode())]


@pytest.mark.parametrize(
    ("fixture", "log", "text", "link"),
    [
        ("counter", "file-size", "/bin/busybox: executable of process 1", Ref.process(1)),
        ("counter", "file-missing", "/bin/busybox: executable of process 1", Ref.process(1)),
        ("counter", "root-mode", "/: working folder of process 1", Ref.process(1)),
        ("counter", "mount-gone", "mount of cgroup2 at /sys/fs/cgroup", Ref.mount(13, 101)),
        ("counter", "image-cut", "mm-1.img", Ref.image("mm-1.img")),
        ("counter", "wrong-magic", "pstree.img", Ref.image("pstree.img")),
        ("kinds", "pagemap-gone", "pagemap-6.img is not in the checkpoint", None),
        ("kinds", "core-gone", "process 1 (python3)", Ref.process(1)),
    ],
)
def test_real_failure_leads_to_its_object(
    request: pytest.FixtureRequest, fixture: str, log: str, text: str, link: Ref | None
) -> None:
    folder = request.getfixturevalue(fixture)
    found = proved(folder, (DATA / "failed" / log / "restore.log").read_bytes())
    assert [(e.text, e.link) for e in found] == [(text, link)]


def test_descriptor_named_after_the_cause_gives_the_connection(sockets: Path) -> None:
    found = proved(sockets, (DATA / "failed/net-unreachable/restore.log").read_bytes())
    assert [e.link for e in found] == [Ref.file(1, 4)]
    assert "TCP 127.0.0.1:37084 → 127.0.0.1:8080 ESTABLISHED" in found[0].text


def test_mapping_is_found_by_an_address_in_it(counter: Path) -> None:
    pid, vma = next(r for r in facts_of(counter).regions if r[0] == 1)
    message = f"Can't restore {vma.start + 16:#x} mapping with 0xfffffffffffffff4"
    assert [link for _, link in of_line(counter, message)] == [Ref.region(pid, vma.start)]


def test_process_that_cannot_be_made_is_named(counter: Path) -> None:
    assert of_line(counter, "Can't fork for 8: File exists")[0][1] == Ref.process(8)


def test_mount_is_found_below_the_folder_that_criu_builds_it_in(counter: Path) -> None:
    place = "/tmp/.criu.mntns.7JfA22/12-0000000000/etc/hosts"
    message = f"mnt: Can't mount at {place}: No such file or directory"
    assert [text for text, _ in of_line(counter, message)] == ["mount of tmpfs at /etc/hosts"]


@pytest.mark.parametrize(
    "message",
    ["File no/such has bad size 1 (expect 2)", "Unable to open fd=1 id=0xffffff", "id 999999999 ("],
)
def test_what_is_in_no_image_leads_to_the_process_alone(counter: Path, message: str) -> None:
    assert [link for _, link in of_line(counter, message)] == [Ref.process(1)]
    assert of_line(counter, message, pid=4711) == []


def test_log_of_a_dump_has_pids_of_its_host(counter: Path) -> None:
    log = b"(00.1) Error (criu/cr-dump.c:1): Dump files (pid: 1) failed with -1\n"
    assert proved(counter, log + b"(00.2) Error (criu/cr-dump.c:1): Dumping FAILED.\n") == ()


def test_what_a_check_found_of_the_same_failure_goes_before() -> None:
    opened = open_checkpoint(str(DATA / "demo-web" / "web.tar.zst"), quiet())
    try:
        found = diagnose_opened(opened, opened.load(quiet()), quiet())
    finally:
        opened.close()
    assert found.log is not None
    assert found.log.root_cause is not None
    assert found.log.root_cause.id == "tcp-established-restore"
    same = next(f for f in found.findings if f.id == found.log.root_cause.id)
    assert found.proof == same.evidence
    cause = to_json(found.log, found.proof)["root_cause"]
    assert isinstance(cause, dict)
    assert [proof["link"] for proof in cause["proof"]] == [str(e.link) for e in same.evidence]
