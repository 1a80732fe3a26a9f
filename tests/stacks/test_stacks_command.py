"""`ckpt-tui stacks` on real checkpoints; what gdb says of them is written down beside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import ckpt_tui
from ckpt_tui.cli.stacks import stacks
from ckpt_tui.core.errors import UsageError
from crafted import ARCHIVES, IMAGES, copied, first, rewrite

COUNTER, BASE = ARCHIVES / "counter.tar.zst", ARCHIVES / "base-bb.oci.tar"

OPTIMIZED = Path(ckpt_tui.__file__).parent / "demo/counter-optimized.oci.tar"

GDB = [0x4AE3F5, 0x4AE41D, 0x4CB247, 0x52FB3C]
"""What `bt` of gdb 13 prints of the shell in COUNTER; it goes no further."""


def document(capsys: pytest.CaptureFixture[str], target: Path, base: str = "") -> dict:
    stacks(str(target), None, base, True)
    return json.loads(capsys.readouterr().out)


def test_frames_are_those_of_gdb(capsys: pytest.CaptureFixture[str]) -> None:
    shell, sleep = document(capsys, COUNTER, str(BASE))["processes"]
    (thread,) = shell["threads"]
    assert [frame["address"] for frame in thread["frames"][:4]] == GDB
    assert {frame["module"] for frame in thread["frames"][:4]} == {"/bin/busybox"}
    assert [frame["how"] for frame in thread["frames"][:4]] == ["registers", *["table"] * 3]
    assert thread["blocked_in"].startswith("wait4(")
    assert sleep["threads"][0]["blocked_in"].startswith("clock_nanosleep(")
    assert shell["notes"] == []


def test_an_optimized_image_has_its_base_image_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    shell = document(capsys, OPTIMIZED)["processes"][0]
    assert [frame["how"] for frame in shell["threads"][0]["frames"][:4]] == [
        "registers", *["table"] * 3,
    ]  # fmt: skip
    assert shell["notes"] == []


def test_without_the_program_the_stack_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    shell = document(capsys, IMAGES / "counter")["processes"][0]
    assert shell["threads"][0]["frames"][0]["address"] == GDB[0]
    assert shell["threads"][0]["frames"][0]["module"] == "/bin/busybox"
    assert shell["notes"] == ["/bin/busybox is not available: the base image was not found."]


def test_a_program_of_another_size_is_not_used(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = copied("counter", tmp_path)

    def change(messages: list) -> None:
        for message in messages:
            if message.reg.name == "/bin/busybox":
                message.reg.ClearField("build_id")
                message.reg.size += 1

    rewrite(folder / "files.img", change)
    stacks(str(folder), 1, str(BASE), False)
    printed = capsys.readouterr()
    assert "/bin/busybox is another file: the process had one of" in printed.err
    assert "#0  0x00000000004ae3f5  ??  busybox+0xae3f5" in printed.out


def test_a_program_of_another_build_is_not_used(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = copied("counter", tmp_path)

    def change(messages: list) -> None:
        for message in messages:
            if message.reg.name == "/bin/busybox":
                message.reg.build_id[0] ^= 1

    rewrite(folder / "files.img", change)
    shell = document(capsys, folder, str(BASE))["processes"][0]
    (note,) = shell["notes"]
    assert note.startswith("/bin/busybox is another build: the process ran ")


def test_one_process_is_shown_or_refused(capsys: pytest.CaptureFixture[str]) -> None:
    stacks(str(COUNTER), 8, str(BASE), False)
    assert "PROCESS 8  SLEEP" in capsys.readouterr().out
    with pytest.raises(UsageError, match="no process 9"):
        stacks(str(COUNTER), 9, str(BASE), False)


def test_registers_that_lead_nowhere_end_the_stack(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = copied("counter", tmp_path)

    def twist(message: object) -> None:
        message.thread_info.gpregs.ip = 0x10  # type: ignore[attr-defined]
        message.thread_info.gpregs.sp = (1 << 64) - 4  # type: ignore[attr-defined]

    rewrite(folder / "core-1.img", first(twist))
    (thread,) = document(capsys, folder, str(BASE))["processes"][0]["threads"]
    assert [frame["address"] for frame in thread["frames"]] == [0x10]
    assert thread["note"] == "0x10 is not code."


def test_a_guard_within_a_stack_does_not_hide_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """glibc 2.42 and later guard the stacks of threads so."""
    folder = copied("counter", tmp_path)

    def guard(message: Any) -> None:
        place = message.mm_start_stack
        one = message.vmas.add()
        one.CopyFrom(next(vma for vma in message.vmas if vma.start <= place < vma.end))
        one.end, one.status = one.start + 4096, 0x10000

    rewrite(folder / "mm-1.img", first(guard))
    shell = document(capsys, folder, str(BASE))["processes"][0]
    assert [frame["address"] for frame in shell["threads"][0]["frames"][:4]] == GDB
