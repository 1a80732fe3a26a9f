"""A profile of a host is read from a made-up /proc and /sys, and survives a file."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from ckpt_tui.core.errors import CkptError, DamagedInput
from ckpt_tui.diagnose.host import HostProfile, from_json, this_host, to_json
from ckpt_tui.diagnose.host_reading import version_of

FILES = {
    "proc/sys/kernel/osrelease": "6.12.3-test\n",
    "proc/sys/kernel/pid_max": "4194304\n",
    "proc/sys/vm/max_map_count": "65530\n",
    "proc/sys/fs/aio-max-nr": "65536\n",
    "proc/sys/fs/nr_open": "1048576\n",
    "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages": "12\n",
    "etc/criu/runc.conf": "# of ours\n--tcp-established\nlog-file x.log # here\n\n",
    "proc/cpuinfo": "model name\t: Test CPU\nflags\t\t: fpu sse avx\n\nmodel name\t: Test CPU\n",
    "proc/meminfo": "MemTotal:  8000 kB\nMemAvailable:     4000 kB\n",
    "proc/self/status": "Name:\tx\nCapEff:\t0000000000200001\nCapBnd:\t0000000000200000\n",
    "proc/self/limits": "Limit  Soft Limit  Hard Limit  Units\n"
    "Max open files            1024                 20000                files     \n",
    "proc/self/cgroup": "4:memory:/x\n2:cpu,cpuacct:/\n1:name=systemd:/\n0::/\n",
    "proc/self/ns/time": "",
    "proc/self/ns/net": "",
    "proc/modules": "tun 61440 0 - Live 0x0\nloop 1 0 - Live 0x0\n",
    "lib/modules/6.12.3-test/modules.builtin": "kernel/fs/overlayfs/overlay.ko\n",
    "proc/17/comm": "",
    "proc/17/stat": "17 (a) b (c)) S 1 16 15 0 -1",
    "proc/17/task/17/comm": "",
    "proc/17/task/19/comm": "",
    "proc/net/unix": "Num  RefCount Protocol Flags Type St Inode Path\n"
    "0000000000000000: 00000002 00000000 00010000 0001 01  1537 /run/a b\n"
    "0000000000000000: 00000002 00000000 00000000 0001 03   1538\n"
    "0000000000000000: 00000002 00000000 00010000 0001 01 192593 @name\nbad\n",
    "proc/net/dev": "Inter-| Receive\n face |bytes\n    lo: 1 2 3\n  no9: 1 2\n",
    "proc/net/fib_trie": "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 host UNICAST\n"
    "     |-- 10.0.0.2\n        /32 host LOCAL\n     |-- 10.0.0.255\n        /32 link BROADCAST\n",
    "proc/net/if_inet6": "fd000000000000000000000000000002 04 40 00 80     eth0\nbad\n",
    "proc/net/tcp": "  sl  local_address rem_address   st\n"
    "   0: 00000000:1F90 00000000:0000 0A 0 0\n"
    "   1: 0100007F:9C40 0100007F:1F90 01 0 0\n",
    "proc/net/udp6": "  sl  local_address rem_address   st\n"
    "   0: 00000000000000000000000000000000:0035 0:0000 07 0\n   1: bad\n",
    "sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
    "sys/kernel/security/lsm": "lockdown,capability,apparmor",
    "sys/kernel/security/apparmor/profiles": "containers-default (enforce)\na (b) c (complain)\n",
    "usr/lib/criu/cuda_plugin.so": "",
    "usr/lib/x86_64-linux-gnu/criu/amdgpu_plugin.so": "",
    "var/tmp/x": "",
}
VERSIONS = {"criu": "4.2", "runc": "1.3.0"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    program = tmp_path / "usr/bin/tar"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return tmp_path


def read(root: Path) -> HostProfile:
    return this_host(root, lambda program: VERSIONS.get(program, ""))


def test_large_files_are_read_in_pieces_that_the_kernel_allows(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.read

    def refusing(descriptor: int, length: int) -> bytes:
        if length > 1 << 20:  # as /proc/sys does from 4 MiB on
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return really(descriptor, length)

    modules = "".join(f"module_{n} 1 0 - Live 0x0\n" for n in range(100_000))
    (root / "proc/modules").write_text(f"{modules}tun 61440 0 - Live 0x0\n")
    monkeypatch.setattr(os, "read", refusing)
    host = read(root)
    assert (host.pid_max, host.max_map_count, host.aio_max) == (4194304, 65530, 65536)
    assert host.modules == ("tun", "overlay")


@pytest.mark.skipif(not Path("/proc/sys/kernel/pid_max").exists(), reason="needs /proc/sys")
def test_limits_of_a_real_kernel_are_read() -> None:
    assert this_host().pid_max == int(Path("/proc/sys/kernel/pid_max").read_text())


def test_profile_has_what_proc_and_sys_say(root: Path) -> None:
    host = read(root)
    assert host.kernel == "6.12.3-test"
    assert (host.criu, host.runtimes) == ("4.2", {"runc": "1.3.0"})
    assert host.helpers == ("tar",)
    assert host.plugins == ("amdgpu_plugin", "cuda_plugin")
    assert (host.cpu, host.cpu_flags) == ("Test CPU", ("avx", "fpu", "sse"))
    assert host.cgroup == "v2"
    assert host.cgroup_controllers == ("cpu", "memory", "cpuacct", "name=systemd")
    assert (host.bounding, host.open_files) == (("CAP_SYS_ADMIN",), 20000)
    assert host.sockets == (
        "tcp listen 0.0.0.0:8080",
        "tcp connected 127.0.0.1:40000",
        "udp bound [::]:53",
        "unix bound /run/a b",
        "unix bound @name",
    )
    assert host.addresses == ("10.0.0.2", "fd00::2")
    assert host.interfaces is not None
    assert list(host.interfaces) == ["lo", "no9"]
    assert host.lsms == ("lockdown", "capability", "apparmor")
    assert host.apparmor_profiles == ("containers-default", "a (b) c")
    assert host.capabilities == ("CAP_CHOWN", "CAP_SYS_ADMIN")
    assert host.may_restore is True
    assert host.modules == ("tun", "overlay")
    assert host.memory_free == 4000 * 1024
    assert list(host.disk_free) == ["/var/tmp"]
    assert (host.pids, host.pid_max) == ((15, 16, 17, 19), 4194304)
    assert host.ports == ("tcp 8080", "udp 53")
    assert (host.max_map_count, host.aio_max) == (65530, 65536)
    assert host.namespaces == ("net", "time")


def test_empty_root_gives_a_profile_that_says_nothing(tmp_path: Path) -> None:
    host = this_host(tmp_path, lambda program: "")
    assert (host.cpu_flags, host.lsms, host.cgroup, host.pids) == ((), None, "", ())


def test_profile_survives_a_file(root: Path) -> None:
    host = read(root)
    assert from_json(json.dumps(to_json(host)).encode(), "host.json") == host


def test_keys_of_later_versions_are_left_out(root: Path) -> None:
    host = read(root)  # once: the free space of the disk changes meanwhile
    document = to_json(host) | {"colour": "blue"}
    assert from_json(json.dumps(document).encode(), "host.json") == host


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        "no",
        '{"schema_version": 1, "kernel": 4}',
        '{"schema_version": 1, "pids": ["a"]}',
        '{"schema_version": 1, "ports": "tcp 1"}',
        '{"schema_version": 1, "disk_free": {"/": "much"}}',
        '{"schema_version": 1, "page_size": true}',
    ],
)
def test_file_that_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(DamagedInput):
        from_json(text.encode(), "host.json")


def test_profile_of_a_later_program_is_refused() -> None:
    with pytest.raises(CkptError, match="schema_version is 2"):
        from_json(b'{"schema_version": 2}', "host.json")


def test_version_is_that_of_the_program_in_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "criu"
    program.write_text("#!/bin/sh\necho 'Version: 4.2.1'\necho 'GitID: 0'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert version_of("criu") == "4.2.1"
    assert version_of("no-such-program") == ""


def test_limits_huge_pages_and_configured_options_are_read(root: Path) -> None:
    host = read(root)
    assert (host.nr_open, host.hugepages) == (1048576, {"2048": 12})
    assert host.criu_options == (
        "/etc/criu/runc.conf tcp-established",
        "/etc/criu/runc.conf log-file",
    )
    assert from_json(json.dumps(to_json(host)).encode(), "x") == host


def test_of_a_host_that_tells_nothing_everything_is_unknown(tmp_path: Path) -> None:
    host = read(tmp_path)
    assert (host.capabilities, host.ports, host.hugepages, host.lsms) == (None, None, None, None)
    assert (host.nr_open, host.pid_max, host.criu_options) == (0, 0, ())
    assert (host.sockets, host.addresses, host.interfaces) == (None, None, None)
    assert (host.bounding, host.open_files) == (None, None)
