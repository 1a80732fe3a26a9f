"""Core files: what the dump has of a process, in the layout that debuggers read."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
from read_core import ReadCore

from ckpt_tui.cli.core_files import core
from ckpt_tui.core.errors import CkptError, UsageError
from ckpt_tui.core.progress import quiet
from ckpt_tui.criu.schema import process_pb2
from ckpt_tui.formats.opened import open_checkpoint
from crafted import ARCHIVES, IMAGES, copied, first, rewrite

X86_ORDER = (
    "r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax ip cs flags sp ss "
    "fs_base gs_base ds es fs gs"
)
"""struct user_regs_struct (arch/x86/include/asm/user_64.h)."""

PAGE = 4096


def written(target: Path, pid: int, folder: Path) -> ReadCore:
    path = folder / f"{pid}.core"
    core(str(target), pid, str(path), every=False, as_json=False)
    return ReadCore(path)


def messages(target: Path, name: str) -> list[Any]:
    opened = open_checkpoint(str(target), quiet())
    try:
        return opened.images.messages(name)
    finally:
        opened.close()


@pytest.mark.parametrize("target", [IMAGES / "counter", ARCHIVES / "counter.tar.zst"])
def test_all_dumped_pages_are_at_their_addresses(target: Path, tmp_path: Path) -> None:
    opened = open_checkpoint(str(target), quiet())
    memory = opened.memory.memory(1)
    assert memory is not None
    found = written(target, 1, tmp_path)
    runs = list(memory.pagemap.runs)
    assert runs
    for run in runs:
        for address in range(run.start, run.start + run.pages * PAGE, PAGE):
            assert found.memory(address, PAGE) == memory.read(address, PAGE).data
    opened.close()


def test_registers_are_those_of_the_images(tmp_path: Path) -> None:
    found = written(IMAGES / "kinds", 1, tmp_path)
    assert found.machine == 62
    (tree,) = (m for m in messages(IMAGES / "kinds", "pstree.img") if m.pid == 1)
    assert found.threads() == list(tree.threads)
    for tid, values in zip(found.threads(), found.registers(27), strict=True):
        saved = messages(IMAGES / "kinds", f"core-{tid}.img")[0].thread_info.gpregs
        assert list(values) == [getattr(saved, name) for name in X86_ORDER.split()]


def test_floating_point_registers_have_the_kernel_s_layout(tmp_path: Path) -> None:
    found = written(IMAGES / "counter", 1, tmp_path)
    saved = messages(IMAGES / "counter", "core-1.img")[0].thread_info.fpregs
    (legacy,) = found.of_kind(2)
    assert len(legacy) == 512
    assert struct.unpack_from("<H", legacy)[0] == saved.cwd
    assert struct.unpack_from("<I", legacy, 24)[0] == saved.mxcsr
    assert list(struct.unpack_from("<64I", legacy, 160)) == list(saved.xmm_space)
    (extended,) = found.of_kind(0x202)
    upper = saved.xsave.ymmh_space
    assert list(struct.unpack_from(f"<{len(upper)}I", extended, 576)) == list(upper)
    assert struct.unpack_from("<Q", extended, 464)[0] & 7 == 7, "x87, SSE and AVX"


def test_mappings_and_program_are_told(tmp_path: Path) -> None:
    found = written(IMAGES / "counter", 1, tmp_path)
    assert {name for *_, name in found.files()} == {"/bin/busybox"}
    opened = open_checkpoint(str(IMAGES / "counter"), quiet())
    checkpoint = opened.load(quiet())
    opened.close()
    regions = next(m.regions for m in checkpoint.memory if m.pid == 1)
    covered = [(start, start + size) for _, _, _, start, _, _, size, _ in found.loads]
    for region in regions:
        pieces = [(s, e) for s, e in covered if region.start <= s and e <= region.end]
        assert sum(e - s for s, e in pieces) == region.end - region.start
    (information,) = found.of_kind(3)
    assert len(information) == 136
    process = checkpoint.process(1)
    assert process is not None
    assert information[40:56].rstrip(b"\0").decode() == process.comm
    auxv = messages(IMAGES / "counter", "mm-1.img")[0].mm_saved_auxv
    (words,) = found.of_kind(6)
    assert list(struct.unpack(f"<{len(auxv)}Q", words)) == list(auxv)


def test_pages_of_zeros_take_no_room(tmp_path: Path) -> None:
    folder = copied("counter", tmp_path)
    pages = folder / "pages-1.img"
    pages.write_bytes(bytes(pages.stat().st_size))
    written(folder, 1, tmp_path)
    facts = (tmp_path / "1.core").stat()
    assert facts.st_size > pages.stat().st_size
    assert facts.st_blocks * 512 < 16 * PAGE


def test_a_thread_of_aarch64(tmp_path: Path) -> None:
    folder = copied("counter", tmp_path)

    def turn(message: Any) -> None:
        message.mtype = process_pb2.core_entry.AARCH64
        message.ClearField("thread_info")
        arm = message.ti_aarch64
        arm.clear_tid_addr, arm.tls = 0, 0x7000
        arm.gpregs.regs.extend(range(100, 131))
        arm.gpregs.sp, arm.gpregs.pc, arm.gpregs.pstate = 1, 2, 3
        arm.fpsimd.vregs.extend(range(64))
        arm.fpsimd.fpsr, arm.fpsimd.fpcr = 4, 5

    rewrite(folder / "core-1.img", first(turn))
    rewrite(folder / "core-8.img", first(turn))
    found = written(folder, 1, tmp_path)
    assert found.machine == 183
    assert found.registers(34) == [(*range(100, 131), 1, 2, 3)]
    assert found.of_kind(0x401) == [struct.pack("<Q", 0x7000)]
    (vectors,) = found.of_kind(2)
    assert struct.unpack_from("<64Q", vectors) == tuple(range(64))
    assert struct.unpack_from("<II", vectors, 512) == (4, 5)


def test_a_signal_that_waits_is_told(tmp_path: Path) -> None:
    folder = copied("counter", tmp_path)
    siginfo = struct.pack("<iii", 11, 0, 1).ljust(128, b"\0")

    def wait(message: Any) -> None:
        message.thread_core.signals_p.signals.add().siginfo = siginfo

    rewrite(folder / "core-1.img", first(wait))
    found = written(folder, 1, tmp_path)
    assert found.of_kind(0x53494749) == [siginfo]
    assert struct.unpack_from("<i", found.of_kind(1)[0])[0] == 11


def test_each_thread_has_the_signal_that_waits_for_it(tmp_path: Path) -> None:
    folder = copied("kinds", tmp_path)

    def wait(message: Any) -> None:
        siginfo = struct.pack("<iii", 10, 0, -6).ljust(128, b"\0")
        message.thread_core.signals_p.signals.add().siginfo = siginfo

    for tid in (6, 8):
        rewrite(folder / f"core-{tid}.img", first(wait))
    kinds = [
        (struct.unpack_from("<I", data, 32)[0], struct.unpack_from("<h", data, 12)[0])
        if kind == 1
        else struct.unpack_from("<i", data)[0]
        for kind, data in written(folder, 1, tmp_path).notes
        if kind in (1, 0x53494749)
    ]
    assert kinds == [(1, 10), 10, (6, 0), 10, (7, 0), (8, 0), 10]


def test_regions_that_overlap_and_run_backwards_are_bounded(tmp_path: Path) -> None:
    folder = copied("counter", tmp_path)

    def twist(message: Any) -> None:
        one = message.vmas.add()
        one.CopyFrom(message.vmas[0])
        one.end = (1 << 64) - PAGE
        two = message.vmas.add()
        two.CopyFrom(message.vmas[1])
        two.start, two.end = two.end, two.start

    rewrite(folder / "mm-1.img", first(twist))
    found = written(folder, 1, tmp_path)
    ends = 0
    for _, _, _, start, _, _, size, _ in found.loads:
        assert start >= ends
        ends = start + size
    assert len(found.data) < 1 << 20


def test_pages_that_are_missing_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied("counter", tmp_path)
    (folder / "pages-1.img").write_bytes(b"\1" * PAGE)
    core(str(folder), 1, str(tmp_path / "a"), every=False, as_json=True)
    captured = capsys.readouterr()
    (one,) = json.loads(captured.out)["cores"]
    assert one["data_bytes"] == PAGE
    assert one["lost_bytes"] == (IMAGES / "counter/pages-1.img").stat().st_size - PAGE
    assert "are not in the checkpoint" in captured.err


def test_one_of_each_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    core(str(IMAGES / "counter"), None, str(tmp_path / "all"), every=True, as_json=True)
    captured = capsys.readouterr()
    cores = json.loads(captured.out)["cores"]
    assert [one["pid"] for one in cores] == [1, 8]
    for one in cores:
        assert os.path.getsize(one["file"]) == one["size"]
        assert ReadCore(Path(one["file"])).threads() == [one["pid"]]
    assert "secrets" in captured.err


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    target, path = str(IMAGES / "counter"), tmp_path / "out"
    with pytest.raises(UsageError, match="no process 99"):
        core(target, 99, str(path), every=False, as_json=False)
    with pytest.raises(UsageError, match="2 processes"):
        core(target, None, str(path), every=False, as_json=False)
    with pytest.raises(UsageError, match="exclude"):
        core(target, 1, str(path), every=True, as_json=False)
    path.write_bytes(b"mine")
    with pytest.raises(CkptError, match="there already"):
        core(target, 1, str(path), every=False, as_json=False)
    assert [*tmp_path.iterdir()] == [path]
