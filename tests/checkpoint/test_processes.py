"""Processes, threads and credentials, from real images and from changed ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ckpt_tui.checkpoint.model import Checkpoint, Process
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.views.details import ref_sections
from crafted import IMAGES, copied, first, loaded, rewrite


@pytest.fixture(scope="module")
def kinds() -> Checkpoint:
    return loaded(IMAGES / "kinds")


@pytest.fixture(scope="module")
def counter() -> Checkpoint:
    return loaded(IMAGES / "counter")


def process(checkpoint: Checkpoint, pid: int) -> Process:
    found = checkpoint.process(pid)
    assert found is not None
    return found


def test_the_tree_is_that_of_pstree(kinds: Checkpoint) -> None:
    found = [(p.pid, p.ppid, p.pgid, p.sid, p.state, p.comm) for p in kinds.processes]
    assert found == [
        (1, 0, 1, 1, "running", "python3"),
        (9, 1, 1, 1, "running", "python3"),
        (10, 1, 10, 10, "running", "python3"),
        (11, 1, 1, 1, "running", "python3"),
    ]


def test_threads_are_listed_leader_first_with_what_they_sleep_in(kinds: Checkpoint) -> None:
    threads = process(kinds, 1).threads
    assert [t.tid for t in threads] == [1, 6, 7, 8]
    assert {t.comm for t in threads} == {"python3"}
    assert threads[0].blocked_in.startswith("clock_nanosleep(clockid MONOTONIC")
    assert threads[0].registers["orig_ax"] == 230
    assert len(threads[3].registers) == 28


def test_arguments_and_environment_come_from_the_dumped_pages(counter: Checkpoint) -> None:
    shell = process(counter, 1)
    assert shell.argv is not None
    assert shell.argv[:2] == (b"sh", b"-c")
    assert shell.argv[2].startswith(b"i=0; while :;")
    assert shell.env is not None
    assert b"container=podman" in shell.env
    assert process(counter, 8).argv == (b"sleep", b"1")


def test_arguments_whose_pages_are_missing_are_a_note(kinds: Checkpoint) -> None:
    assert process(kinds, 9).argv is None
    assert any("The arguments of 9 cannot be read" in n.text for n in kinds.notes)


def test_paths_limits_handlers_and_timers_are_told(kinds: Checkpoint) -> None:
    leader = process(kinds, 1)
    assert (leader.exe, leader.cwd, leader.root) == ("/usr/bin/python3", "/", "/")
    assert process(kinds, 11).cwd == "/tmp"
    assert leader.limits["RLIMIT_NOFILE"] == (512, 512)
    assert leader.limits["RLIMIT_CORE"][1] is None
    assert leader.handlers["SIGPIPE"] == "ignore"
    assert leader.timers[0].startswith("real: in 999")


def test_credentials_name_their_capabilities(counter: Checkpoint) -> None:
    who = process(counter, 1).credentials
    assert who is not None
    assert (who.uid, who.gid, who.euid, who.egid) == (0, 0, 0, 0)
    assert "CAP_CHOWN" in who.capabilities["effective"]
    assert "CAP_SYS_ADMIN" not in who.capabilities["effective"]
    assert who.capabilities["ambient"] == ()


def test_a_zombie_has_an_exit_code_and_its_thread_list_is_not_believed(tmp_path: Path) -> None:
    images = copied("counter", tmp_path)
    for name in ("ids-8.img", "mm-8.img", "fs-8.img", "pagemap-8.img"):
        (images / name).unlink()

    def die(core: object) -> None:
        core.tc.task_state = 2  # type: ignore[attr-defined]
        core.tc.exit_code = 3 << 8  # type: ignore[attr-defined]
        core.ClearField("thread_core")  # type: ignore[attr-defined]
        core.ClearField("thread_info")  # type: ignore[attr-defined]

    def garbage(messages: list[object]) -> None:
        del messages[1].threads[:]  # type: ignore[attr-defined]
        messages[1].threads.append(3009513808)  # type: ignore[attr-defined]

    rewrite(images / "core-8.img", first(die))
    rewrite(images / "pstree.img", garbage)
    found = loaded(images)
    zombie = process(found, 8)
    assert (zombie.state, zombie.exit_code, zombie.threads, zombie.argv) == (
        "zombie",
        3 << 8,
        (),
        None,
    )
    assert found.notes == ()
    assert process(found, 1).argv is not None


def test_a_missing_core_leaves_the_process_and_a_note(tmp_path: Path) -> None:
    images = copied("kinds", tmp_path)
    (images / "core-9.img").unlink()
    (images / "core-7.img").unlink()
    found = loaded(images)
    assert [p.pid for p in found.processes] == [1, 9, 10, 11]
    assert process(found, 9).state == "unknown"
    assert [t.comm for t in process(found, 1).threads] == ["python3", "python3", "?", "python3"]
    notes = [(n.where, n.text) for n in found.notes]
    assert ("core-9.img", "Process 9 has no core image.") in notes
    assert ("pstree.img", "Threads of process 1 have no core image: 7.") in notes


@pytest.mark.parametrize(
    ("parents", "said"),
    [
        ((8, 1), "Process 1 at byte 12 comes before its parent 8."),
        ((0, 8), "Process 8 at byte 26 is its own parent."),
        ((0, 77), "Process 8 at byte 26 has a parent, 77, that is not there."),
        ((0, 1), ""),
    ],
)
def test_a_tree_that_goes_in_circles_is_noted(
    tmp_path: Path, parents: tuple[int, int], said: str
) -> None:
    images = copied("counter", tmp_path)

    def turned(messages: list[Any]) -> list[Any]:
        for message, parent in zip(messages, parents, strict=True):
            message.ppid = parent
        return messages

    rewrite(images / "pstree.img", turned)
    found = loaded(images)
    assert [p.pid for p in found.processes] == [1, 8]
    assert [n.text for n in found.notes if n.where == "pstree.img"] == [said] * bool(said)


def test_a_process_that_comes_twice_is_kept_once(tmp_path: Path) -> None:
    images = copied("counter", tmp_path)
    rewrite(images / "pstree.img", lambda messages: [*messages, messages[0]])
    found = loaded(images)
    assert [p.pid for p in found.processes] == [1, 8]
    assert [n.text for n in found.notes] == [
        "Process 1 is listed again at byte 40; kept the first."
    ]


def test_a_thread_that_waits_for_a_descriptor_names_it(tmp_path: Path) -> None:
    images = copied("counter", tmp_path)

    def read(core: object) -> None:
        registers = core.thread_info.gpregs  # type: ignore[attr-defined]
        registers.orig_ax = registers.ax = 0
        registers.di = 1

    rewrite(images / "core-1.img", first(read))
    blocked = process(loaded(images), 1).threads[0].blocked_in
    assert blocked.startswith("read(fd 1 → pipe")

    def splice(core: object) -> None:
        registers = core.thread_info.gpregs  # type: ignore[attr-defined]
        registers.orig_ax = registers.ax = 275
        registers.di, registers.dx, registers.r9 = 0, 2, 1

    rewrite(images / "core-1.img", first(splice))
    blocked = process(loaded(images), 1).threads[0].blocked_in
    assert blocked.startswith("splice(fd_in 0 → /dev/null, off_in ")
    assert "fd_out 2 → pipe" in blocked
    assert blocked.endswith("flags SPLICE_F_MOVE)")


def test_credentials_of_old_images_are_in_an_image_of_their_own(tmp_path: Path) -> None:
    from crafted import image_of

    images = copied("counter", tmp_path)
    kept: list[bytes] = []

    def move(core: object) -> None:
        creds = core.thread_core.creds  # type: ignore[attr-defined]
        creds.uid = 1000
        kept.append(image_of("CREDS", creds))
        core.thread_core.ClearField("creds")  # type: ignore[attr-defined]

    rewrite(images / "core-1.img", first(move))
    (images / "creds-1.img").write_bytes(kept[0])
    who = process(loaded(images), 1).credentials
    assert who is not None
    assert who.uid == 1000


def test_bits_are_named_for_the_architecture_of_the_dump(tmp_path: Path) -> None:
    images = copied("counter", tmp_path)

    def other(message: Any) -> None:
        message.mtype = message.AARCH64
        message.tc.personality = 0x40000

    rewrite(images / "core-1.img", first(other))
    rewrite(images / "files.img", lambda messages: [_folder(m) for m in messages])
    checkpoint = loaded(images)
    assert checkpoint.criu.architecture == "aarch64"
    process = next(p for p in checkpoint.processes if p.pid == 1)
    assert process.personality == "LINUX | ADDR_NO_RANDOMIZE"
    opened = next(f for f in checkpoint.files if f.kind == "device")
    assert opened.flags == ("O_RDONLY", "O_DIRECTORY")


def _folder(entry: Any) -> Any:
    if entry.HasField("reg"):
        entry.reg.flags = 0o40000  # O_DIRECTORY on aarch64, O_DIRECT on x86-64
    return entry


def test_the_auxiliary_vector_is_told_by_name(kinds: Checkpoint) -> None:
    found = process(kinds, 9).auxv
    assert (found["AT_PAGESZ"], found["AT_CLKTCK"], found["AT_SECURE"]) == (4096, 100, 0)
    assert found["AT_PLATFORM"] > 1 << 40
    assert not [name for name in found if name.isdigit()]
    sections = {s.title: s for s in ref_sections(kinds, Ref.process(1), False)}
    assert ("AT_PAGESZ", "4,096") in [
        (f.label, f.value) for f in sections["Auxiliary vector"].facts
    ]
    assert [f.label for f in sections["Registers of thread 6"].facts][:1] == ["r15"]
