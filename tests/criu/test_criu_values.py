"""Names of flags and values."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message

from ckpt_tui.criu.names import table_of
from ckpt_tui.criu.render import Rendering, fields, to_plain
from ckpt_tui.criu.schema import (
    events_pb2,
    files_pb2,
    ipc_pb2,
    network_pb2,
    process_pb2,
    sockets_pb2,
    terminals_pb2,
)
from ckpt_tui.criu.values import (
    Host,
    auxiliary_vector,
    capability_names,
    control_characters,
    describe,
    device,
    flag_names,
    ip_address,
    limit_name,
    sigaction_signal,
    signal_name,
    signal_names,
    socket_name,
    task_state,
    text,
    value_name,
    wait_status,
)


def test_bits_without_a_name_stay_as_a_number() -> None:
    assert flag_names("mmap.prot", 0x13) == ("PROT_READ", "PROT_WRITE", "0x10")
    assert flag_names("no such table", 6) == ("0x6",)
    assert flag_names("mmap.prot", 0) == ()


def test_read_only_has_a_name_though_it_has_no_bit() -> None:
    assert flag_names("rfile.flags", 0) == ("O_RDONLY",)
    assert flag_names("rfile.flags", 0o2001) == ("O_WRONLY", "O_APPEND")


def test_names_of_several_bits_come_before_their_parts() -> None:
    assert flag_names("rfile.flags", 0x101002) == ("O_RDWR", "O_SYNC")
    assert flag_names("rfile.flags", 0x001002) == ("O_RDWR", "O_DSYNC")


@pytest.mark.parametrize(
    ("arch", "bit"), [("", 0x10000), ("aarch64", 0x4000), ("arm", 0x4000), ("ppc64", 0x4000)]
)
def test_an_architecture_may_have_its_own_bits(arch: str, bit: int) -> None:
    assert flag_names("rfile.flags", bit, arch) == ("O_RDONLY", "O_DIRECTORY")


def test_the_size_of_huge_pages_is_in_the_flags() -> None:
    assert flag_names("mmap.flags", 0x40022 | 21 << 26) == (
        "MAP_PRIVATE",
        "MAP_ANON",
        "MAP_HUGETLB",
        "MAP_HUGE_2MB",
    )


def test_a_value_without_a_name_is_its_number() -> None:
    assert value_name("sk.proto", 6) == "TCP"
    assert value_name("sk.proto", 1) == "ICMP"
    assert value_name("sk.proto", 99) == "99"


def test_a_value_may_have_bits_added() -> None:
    assert value_name("sched.policy", 0x40000001) == "FIFO | RESET_ON_FORK"


def test_a_zombie_is_stored_as_dead() -> None:
    states = [task_state(value) for value in (1, 2, 3, 9)]
    assert states == ["running", "zombie", "stopped", "state 9"]
    assert describe("task_state", 3) == "stopped"


def test_signals_have_names_on_every_architecture() -> None:
    assert signal_name(15) == "SIGTERM"
    assert (signal_name(7), signal_name(7, "mips")) == ("SIGBUS", "SIGEMT")
    assert (signal_name(32), signal_name(34), signal_name(64)) == (
        "SIGRTMIN",
        "SIGRTMIN+2",
        "SIGRTMIN+32",
    )
    assert signal_name(65) == "65"
    assert signal_names(1 << 1 | 1 << 63) == ("SIGINT", "SIGRTMIN+32")


def test_the_list_of_handlers_leaves_out_kill_and_stop() -> None:
    signals = [sigaction_signal(position) for position in range(62)]
    assert signals == [signal for signal in range(1, 65) if signal not in (9, 19)]


def test_capabilities_are_in_two_words() -> None:
    assert capability_names([1 << 21, 1 << 8]) == ("CAP_SYS_ADMIN", "CAP_CHECKPOINT_RESTORE")
    assert capability_names([0, 1 << 31]) == ("CAP_63",)


def test_limits_are_named_by_position() -> None:
    assert (limit_name(7), limit_name(5, "mips")) == ("RLIMIT_NOFILE", "RLIMIT_NOFILE")
    assert value_name("rlimit.value", 2**64 - 1) == "unlimited"


def test_a_wait_status_is_read_as_wait_does() -> None:
    assert wait_status(0x300) == "exited with 3"
    assert wait_status(0x8B) == "killed by SIGSEGV, core dumped"


def test_device_numbers_come_in_two_forms() -> None:
    assert device(0xFE00001) == "254:1"
    assert device(0x8801, old=True) == "136:1"


def test_addresses_are_in_the_order_of_the_host() -> None:
    assert ip_address([16777343]) == "127.0.0.1"
    assert ip_address([0x7F000001], "big") == "127.0.0.1"
    assert ip_address([0, 0, 0, 0x1000000]) == "::1"
    assert ip_address([0, 0, 0xFFFF0000, 0x100007F]) == "::ffff:127.0.0.1"
    assert ip_address([16777343, 0, 0, 0], family=2) == "127.0.0.1"
    assert ip_address([1, 2]) == "0100000002000000"
    assert ip_address([]) == ""


def test_socket_names_may_be_abstract() -> None:
    assert socket_name(b"\0abstract") == "@abstract"
    assert socket_name(b"/tmp/srv.sock\0") == "/tmp/srv.sock"
    assert socket_name(b"") == ""


def test_text_that_is_no_utf8_keeps_its_bytes() -> None:
    assert text(b"a\xff").encode("utf-8", "surrogateescape") == b"a\xff"


def test_the_auxiliary_vector_ends_with_its_end() -> None:
    assert auxiliary_vector([6, 4096, 999, 1, 0, 0, 3, 3]) == {"AT_PAGESZ": 4096, "999": 1}
    assert auxiliary_vector([6]) == {}


def test_an_architecture_replaces_names_one_by_one() -> None:
    names = {entry.name: entry.value for entry in table_of("mmap.flags", "mips")}
    assert (names["MAP_ANON"], names["MAP_SHARED"]) == (0x800, 1)


@pytest.mark.parametrize(
    ("rule", "value", "shown"),
    [
        ("file_mode", 0o100644, "-rw-r--r--"),
        ("file_mode", 0o041777, "drwxrwxrwt"),
        ("file_mode", 0o22, "0022"),
        ("kernel_device", 15 << 20 | 3, "15:3"),
        ("tty.iflag", 0x4500, "ICRNL | IXON | IUTF8"),
        ("tty.cflag", 0xBF, "B38400 | CS8 | CREAD"),
        ("tty.cflag", 0x10B2, "B115200 | CS8 | CREAD"),
        ("tty.lflag", 0x8A3B, "ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN"),
        ("x86.xfeatures", 0xE7, "FP | SSE | YMM | OPMASK | ZMM_Hi256 | Hi16_ZMM"),
        ("x86.eflags", 0x246, "FIXED | PF | ZF | IF"),
        ("task.flags", 0x400140, "PF_FORKNOEXEC | PF_SUPERPRIV | PF_RANDOMIZE"),
        ("personality", 0x0040000, "LINUX | ADDR_NO_RANDOMIZE"),
    ],
)
def test_modes_devices_and_bits_have_names(rule: str, value: int, shown: str) -> None:
    assert describe(rule, value, "x86_64") == shown


def test_no_protection_and_kinds_of_file_handles_have_names() -> None:
    assert describe("mmap.prot", 0) == "PROT_NONE"
    assert describe("mmap.flags", 0) == "0"
    assert describe("fh.type", 0xF8) == "OVL_FILEID_V1"
    assert describe("address", 0x7FFE) == "0x7ffe"


def test_bits_of_terminals_and_socket_types_are_those_of_the_architecture() -> None:
    assert describe("tty.lflag", 0x8103, "mips") == "ISIG | ICANON | TOSTOP | IEXTEN"
    assert describe("tty.lflag", 0x583, "ppc64") == "ISIG | ICANON | ECHOE | ECHOKE | IEXTEN"
    assert describe("tty.cflag", 0xF11, "ppc64") == "B115200 | CS8 | CSTOPB | CREAD"
    assert describe("sk.type", 1, "mips") == "DGRAM"


def test_a_build_id_is_one_number() -> None:
    entry = files_pb2.reg_file_entry(build_id=[0x04030201, 0x08070605])
    assert fields(entry)[0].value_text == "0102030405060708"
    assert to_plain(entry)["build_id_text"] == "0102030405060708"


@pytest.mark.parametrize(
    ("message", "field", "shown"),
    [
        (sockets_pb2.packet_sock_entry(protocol=0x0300), "protocol", "ETH_P_ALL (768)"),
        (sockets_pb2.packet_sock_entry(protocol=0x3412), "protocol", "0x1234 (13330)"),
        (sockets_pb2.packet_sock_entry(version=2), "version", "TPACKET_V3 (2)"),
        (sockets_pb2.packet_mclist(type=1), "type", "PACKET_MR_PROMISC (1)"),
        (sockets_pb2.scm_entry(type=1), "type", "SCM_RIGHTS (1)"),
        (sockets_pb2.netlink_sk_entry(state=1), "state", "NETLINK_CONNECTED (1)"),
        (events_pb2.fanotify_file_entry(faflags=5), "faflags", "FAN_CLOEXEC | FAN_CLASS_CONTENT"),
        (events_pb2.fanotify_mark_entry(mflags=0x10), "mflags", "FAN_MARK_MOUNT"),
        (files_pb2.memfd_inode_entry(hugetlb_flag=21 << 26), "hugetlb_flag", "MAP_HUGE_2MB"),
        (ipc_pb2.ipc_shm_entry(hugetlb_flag=30 << 26), "hugetlb_flag", "MAP_HUGE_1GB"),
        (files_pb2.bpfmap_file_entry(map_flags=0x401), "map_flags", "BPF_F_NO_PREALLOC | BPF_F_"),
        (network_pb2.macvlan_link_entry(flags=1), "flags", "MACVLAN_FLAG_NOPROMISC"),
        (network_pb2.sit_entry(proto=41), "proto", "IPPROTO_IPV6 (41)"),
        (network_pb2.sit_entry(encap_type=1), "encap_type", "TUNNEL_ENCAP_FOU (1)"),
        (terminals_pb2.termios_entry(c_line=0), "c_line", "N_TTY (0)"),
    ],
)
def test_what_has_a_name_in_linux_has_it_in_the_tree(
    message: Message, field: str, shown: str
) -> None:
    (view,) = fields(message)
    assert view.name == field
    assert view.value_text.startswith(shown)


def test_control_characters_are_those_of_the_architecture() -> None:
    message = terminals_pb2.termios_entry(c_cc=[0x157F1C03, 0x00010004])
    shown = "VINTR=^C, VQUIT=^\\, VERASE=^?, VKILL=^U, VEOF=^D, VTIME=0, VMIN=1"
    assert fields(message)[0].value_text == shown
    assert to_plain(message)["c_cc_text"] == shown
    assert control_characters([0x031C7F15, 0x04010000], Host("ppc64", "big")) == {
        "VINTR": "^C",
        "VQUIT": "^\\",
        "VERASE": "^?",
        "VKILL": "^U",
        "VEOF": "^D",
        "VMIN": "1",
        "VTIME": "0",
    }
    assert control_characters([0, 4], Host("mips"))["VMIN"] == "4"


@pytest.mark.parametrize(
    ("words", "host", "shown"),
    [
        ((15, 0, 0, 0, 7, 1000, 0), Host("x86_64"), "SIGTERM, SI_USER, process 7, uid 1000"),
        ((10, 0, -6, 7, 1000, 0, 0), Host("arm"), "SIGUSR1, SI_TKILL, process 7, uid 1000"),
        ((17, 0, 1, 0, 9, 0, 0), Host("x86_64"), "SIGCHLD, CLD_EXITED, process 9, uid 0"),
        ((14, 0, 0x80, 0, 0, 0, 0), Host("x86_64"), "SIGALRM, SI_KERNEL"),
        ((14, -3, 0, 0, 0, 0, 0), Host("mips", "big"), "SIGALRM, SI_TIMER"),
        ((29, 0, 77, 0, 0, 0, 0), Host("x86_64"), "SIGIO, code 77"),
    ],
)
def test_a_pending_signal_says_why_and_from_whom(
    words: tuple[int, ...], host: Host, shown: str
) -> None:
    data = b"".join(word.to_bytes(4, host.byte_order, signed=True) for word in words)
    entry = process_pb2.siginfo_entry(siginfo=data + bytes(100))
    assert fields(entry, host)[0].value_text == shown
    assert to_plain(entry, Rendering(host=host))["siginfo_text"] == shown


def test_a_pending_signal_that_is_cut_stays_bytes() -> None:
    assert fields(process_pb2.siginfo_entry(siginfo=b"\x0f\0"))[0].value_text == "0f 00"
