"""The system call a thread waits in."""

from __future__ import annotations

from typing import Any

import pytest
from criu_images import real

from ckpt_tui.criu.blocked import arch_of, argument_text, blocked_in
from ckpt_tui.criu.schema import (
    cpu_arm_pb2,
    cpu_mips_pb2,
    cpu_ppc64_pb2,
    cpu_s390_pb2,
    cpu_x86_pb2,
    process_pb2,
)
from ckpt_tui.criu.syscalls import syscall_of

X86 = process_pb2.core_entry.X86_64
AARCH64 = process_pb2.core_entry.AARCH64


def x86_thread(number: int, result: int, **regs: Any) -> process_pb2.core_entry:
    general = cpu_x86_pb2.user_x86_regs_entry(
        orig_ax=number % 2**64, ax=result % 2**64, **{"mode": 1, **regs}
    )
    info = cpu_x86_pb2.thread_info_x86(gpregs=general)
    return process_pb2.core_entry(mtype=X86, thread_info=info)


@pytest.mark.parametrize(
    ("image", "text"),
    [
        ("counter/core-1.img", "wait4(pid -1, status 0x7fffe06ac44c, options 0, rusage 0)"),
        (
            "counter/core-8.img",
            "clock_nanosleep(clockid REALTIME, flags 0, req 0x7ffd59c9a8c8, rem 0x7ffd59c9a8c8)",
        ),
        (
            "kinds/core-6.img",
            "clock_nanosleep(clockid MONOTONIC, flags TIMER_ABSTIME, req 0x7f11e2c24bb0, rem 0)",
        ),
    ],
)
def test_the_call_of_a_real_thread(image: str, text: str) -> None:
    core: Any = real(image).first
    found = blocked_in(core)
    assert found is not None
    assert (found.text(), found.certain) == (text, True)


@pytest.mark.parametrize("result", [7, 219, -4, -512, -514, -516])
def test_a_call_that_will_be_made_again_was_blocked(result: int) -> None:
    found = blocked_in(x86_thread(7, result, di=1))
    assert found is not None
    assert found.name == "poll"


@pytest.mark.parametrize(
    "thread",
    [
        x86_thread(-1, 5),
        x86_thread(0, 100),
        x86_thread(1, 0, mode=2),
        process_pb2.core_entry(mtype=X86),
        process_pb2.core_entry(),
        process_pb2.core_entry(mtype=AARCH64),
        process_pb2.core_entry(mtype=process_pb2.core_entry.S390),
    ],
    ids=["user space", "done", "32 bit", "zombie", "empty", "no registers", "other architecture"],
)
def test_other_threads_are_in_no_call(thread: process_pb2.core_entry) -> None:
    found = blocked_in(thread)
    assert found is None


def test_on_aarch64_the_call_is_a_guess() -> None:
    regs = cpu_arm_pb2.user_aarch64_regs_entry(regs=[4, 0x5000, 3, 0, 0, 0, 0, 0, 63])
    info = cpu_arm_pb2.thread_info_aarch64(gpregs=regs)
    found = blocked_in(process_pb2.core_entry(mtype=AARCH64, ti_aarch64=info))
    assert found is not None
    assert (found.text(), found.certain) == ("read(fd 4, buf 20480, count 3) ?", False)


def test_a_number_without_a_name_is_still_a_call() -> None:
    found = blocked_in(x86_thread(9999, 9999))
    assert found is not None
    assert found.text() == "system call 9999()"


def test_numbers_depend_on_the_architecture() -> None:
    names = [syscall_of(arch, 1) for arch in ("x86_64", "aarch64", "riscv64", "sparc64")]
    assert [found and found.name for found in names] == ["write", "io_destroy", "io_destroy", None]
    for arch, number in (("x86_64", 334), ("aarch64", 291)):
        found = syscall_of(arch, number)
        assert found is not None
        assert found.name == {334: "rseq", 291: "statx"}[number]


def test_every_stable_number_has_a_name() -> None:
    assert all(syscall_of("x86_64", number) for number in [*range(335), *range(424, 451)])
    generic = [*range(244), *range(260, 295), *range(424, 451)]
    # those from 244 to 259 are left to each architecture, 295 to 423 are 32-bit twins or unused
    assert all(syscall_of("aarch64", number) for number in generic)


def test_arguments_are_short_where_they_can_be() -> None:
    assert argument_text("dirfd", 0xFFFFFF9C) == "AT_FDCWD"
    assert argument_text("timeout", 2**64 - 1) == "-1"
    assert argument_text("addr", 0x7F0000000000) == "0x7f0000000000"


def test_arguments_have_names_where_the_kernel_has_some() -> None:
    assert argument_text("op", 0x89, "futex") == "WAIT_BITSET|PRIVATE_FLAG"
    assert argument_text("op", 128, "futex") == "WAIT|PRIVATE_FLAG"
    assert argument_text("op", 1, "keyctl") == "1"
    assert argument_text("op", 1, "epoll_ctl") == "EPOLL_CTL_ADD"
    assert argument_text("flags", 0x8000, "openat", "ppc64") == "O_RDONLY|O_NOFOLLOW"
    assert argument_text("flags", 0x140, "recvfrom") == "MSG_DONTWAIT|MSG_WAITALL"
    assert argument_text("flags", 0x80, "accept4", "mips") == "SOCK_NONBLOCK"
    assert argument_text("cmd", 7, "fcntl") == "F_SETLKW"
    assert argument_text("cmd", 14, "fcntl", "mips") == "F_GETLK"
    assert argument_text("operation", 2, "flock") == "LOCK_EX"
    assert argument_text("idtype", 1, "waitid") == "P_PID"
    assert argument_text("msgflg", 0o10000, "msgrcv") == "MSG_NOERROR"
    assert argument_text("flags", 3, "splice") == "SPLICE_F_MOVE|SPLICE_F_NONBLOCK"
    assert argument_text("options", 0x40000002, "wait4") == "WUNTRACED|__WALL"
    assert argument_text("options", 0, "wait4") == "0"
    assert argument_text("clockid", 0xFFFFFFF2, "clock_nanosleep") == "4294967282"


def test_a_32_bit_process_has_its_own_architecture() -> None:
    assert arch_of(x86_thread(1, 1, mode=2)) == "i386"
    assert arch_of(process_pb2.core_entry(mtype=AARCH64)) == "aarch64"


def test_a_32_bit_process_waits_in_a_call_of_its_own_numbers() -> None:
    thread = x86_thread(114, -512 % 2**32, mode=2, bx=-1 % 2**32, cx=0xFF80, dx=2, si=0)
    found = blocked_in(thread)
    assert found is not None
    assert (
        found.text().removesuffix(" ?")
        == "wait4(pid -1, status 65408, options WUNTRACED, rusage 0)"
    )
    assert (found.number, found.certain) == (114, True)


def gprs(count: int, **some: int) -> list[int]:
    return [some.get(f"r{number}", 0) for number in range(count)]


OTHERS = {
    "arm": process_pb2.core_entry(
        mtype=process_pb2.core_entry.ARM,
        ti_arm=cpu_arm_pb2.thread_info_arm(
            gpregs=cpu_arm_pb2.user_arm_regs_entry(orig_r0=4, r1=1, r2=2, r7=3, pc=8)
        ),
    ),
    "ppc64": process_pb2.core_entry(
        mtype=process_pb2.core_entry.PPC64,
        ti_ppc64=cpu_ppc64_pb2.thread_info_ppc64(
            gpregs=cpu_ppc64_pb2.user_ppc64_regs_entry(
                gpr=gprs(32, r0=3, r3=9, r4=1, r5=2), orig_gpr3=4, trap=0xC00
            )
        ),
    ),
    "s390": process_pb2.core_entry(
        mtype=process_pb2.core_entry.S390,
        ti_s390=cpu_s390_pb2.thread_info_s390(
            gpregs=cpu_s390_pb2.user_s390_regs_entry(
                gprs=gprs(16, r3=1, r4=2), orig_gpr2=4, system_call=0x20003
            )
        ),
    ),
    "mips": process_pb2.core_entry(
        mtype=process_pb2.core_entry.MIPS,
        ti_mips=cpu_mips_pb2.thread_info_mips(
            gpregs=cpu_mips_pb2.user_mips_regs_entry(r2=5000, r4=4, r5=1, r6=2, cp0_epc=8)
        ),
    ),
}


@pytest.mark.parametrize("arch", OTHERS)
def test_the_call_is_read_from_the_registers_of_each_architecture(arch: str) -> None:
    found = blocked_in(OTHERS[arch])
    assert found is not None
    assert found.text() == "read(fd 4, buf 1, count 2) ?"


def test_an_interrupt_on_ppc64_is_no_call() -> None:
    thread = process_pb2.core_entry()
    thread.CopyFrom(OTHERS["ppc64"])
    thread.ti_ppc64.gpregs.trap = 0x500
    assert blocked_in(thread) is None


@pytest.mark.parametrize(
    ("arch", "read", "newest"),
    [("i386", 3, 469), ("arm", 3, 469), ("ppc64", 3, 469), ("s390", 3, 469), ("mips", 5000, 5469)],
)
def test_older_architectures_have_their_own_numbers(arch: str, read: int, newest: int) -> None:
    names = [syscall_of(arch, number) for number in (read, newest)]
    assert [found and found.name for found in names] == ["read", "file_setattr"]


def test_clone_takes_its_arguments_in_three_orders() -> None:
    found = [syscall_of(a, n) for a, n in (("x86_64", 56), ("i386", 120), ("s390", 120))]
    assert [call.arguments[0] for call in found if call] == ["flags", "flags", "stack"]
    assert [call.arguments[3] for call in found if call] == ["child_tid", "tls", "child_tid"]
