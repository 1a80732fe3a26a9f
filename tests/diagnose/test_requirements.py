"""What a checkpoint needs of a host is met, unmet or unknown; unknown never counts as met."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from breakage import facts_of, findings
from test_preflight import share_host

from ckpt_tui.criu.values import capability_names
from ckpt_tui.diagnose.host import HostProfile
from ckpt_tui.diagnose.requirements import REQUIREMENTS, requirement_states, unseen
from crafted import rewrite

HOSTS_MOUNT = 97


ROOT = HostProfile(
    kernel="6.12.0",
    machine="x86_64",
    page_size=4096,
    criu="4.2",
    helpers=("tar", "ip", "iptables-restore", "nft", "apparmor_parser"),
    plugins=(),
    cpu_flags=("fpu", "sse", "avx", "avx2", "avx512f", "xsave"),
    cgroup="hybrid",
    lsms=(),
    apparmor_profiles=(),
    uid=0,
    capabilities=capability_names([0xFFFFFFFF, 0x1FF]),
    open_files=1 << 20,
    runtimes={"podman": "5.8", "runc": "1.4"},
    modules=("tun",),
    memory_free=1 << 40,
    disk_free={"/var/tmp": 1 << 40},
    pids=(1,),
    pid_max=1 << 22,
    ports=(),
    max_map_count=65530,
    aio_max=65536,
    nr_open=1 << 30,
    hugepages={"2048": 0},
    namespaces=("net", "time"),
)


def states(folder: Path, host: HostProfile) -> dict[str, str]:
    facts = facts_of(folder, host=host)
    found = requirement_states(facts, findings(folder, host=host))
    return {one.title: one.state for one in found}


def test_without_a_host_nothing_is_said(counter: Path) -> None:
    assert requirement_states(facts_of(counter), ()) == ()


def test_all_is_met_on_a_host_that_has_all(counter: Path, kinds: Path) -> None:
    for folder in (counter, kinds):
        found = states(folder, ROOT)
        assert {title for title, state in found.items() if state != "met"} == set()
        assert len(found) >= 10


@pytest.mark.parametrize(
    ("title", "field"),
    [
        ("processor architecture", "machine"),
        ("page size", "page_size"),
        ("processor features", "cpu_flags"),
        ("release of the kernel", "kernel"),
        ("capabilities of who restores", "capabilities"),
        ("descriptors of CRIU", "open_files"),
        ("container engine", "runtimes"),
        ("program tar", "helpers"),
        ("version of cgroups", "cgroup"),
        ("free memory", "memory_free"),
        ("free disk space", "disk_free"),
        ("number of mappings", "max_map_count"),
        ("limit of open files", "nr_open"),
        ("largest pid", "pid_max"),
    ],
)
def test_what_the_profile_does_not_say_is_unknown(title: str, field: str, counter: Path) -> None:
    empty = next(one for one in fields(HostProfile) if one.name == field)
    value = getattr(HostProfile(), empty.name)
    host = replace(ROOT, **{field: value})
    found = states(counter, host)
    assert [name for name, state in found.items() if state == "unknown"] == [title]
    assert title in unseen(
        facts_of(counter, host=host), requirement_states(facts_of(counter, host=host), ())
    )


def test_of_an_empty_profile_nothing_is_met_but_a_missing_criu_is_unmet(kinds: Path) -> None:
    found = states(kinds, HostProfile())
    assert {title for title, state in found.items() if state == "unmet"} == {"release of CRIU"}
    assert "met" not in found.values()


def test_root_without_the_capability_is_told(counter: Path) -> None:
    some = replace(ROOT, capabilities=("CAP_SYS_ADMIN",))
    assert states(counter, some)["capabilities of who restores"] == "unmet"
    assert "creds-caps" in {f.id for f in findings(counter, host=some)}
    bounded = replace(ROOT, capabilities=("CAP_CHOWN",))
    assert states(counter, bounded)["capabilities of who restores"] == "unmet"
    assert "not-root" in {f.id for f in findings(counter, host=bounded)}
    user = replace(ROOT, uid=1000, capabilities=())
    assert states(counter, user)["capabilities of who restores"] == "unknown"
    assert "not-root" not in {f.id for f in findings(counter, host=user)}
    confined = replace(user, bounding=("CAP_CHOWN",))
    assert states(counter, confined)["capabilities of who restores"] == "unmet"


def test_files_that_were_not_looked_at_are_named(counter: Path, kinds: Path) -> None:
    for folder, words in (
        (counter, "files of the base image (--base)"),
        (kinds, "files of the base image (--base)"),
    ):
        facts = facts_of(folder, host=ROOT)
        assert unseen(facts, requirement_states(facts, ())) == (words,)
    share_host(kinds, "mnt")
    facts = facts_of(kinds, host=ROOT)
    words = "files that CRIU opens on the host (--host this, on it)"
    assert unseen(facts, requirement_states(facts, ())) == (words,)


def test_network_of_the_host_is_needed_where_it_is_shared(sockets: Path) -> None:
    wanted = {"free ports", "IP addresses", "network interfaces", "names of Unix sockets"}
    assert not wanted & states(sockets, ROOT).keys()
    share_host(sockets, "net")
    found = states(sockets, replace(ROOT, ports=None))
    assert {found[title] for title in wanted} == {"unknown"}
    here = replace(ROOT, sockets=(), addresses=("127.0.0.1",), interfaces={"lo": 1})
    assert {states(sockets, here)[title] for title in wanted} == {"met"}


def test_each_program_that_lacks_is_named_by_itself(counter: Path) -> None:
    found = states(counter, replace(ROOT, helpers=("ip",)))
    programs = {t: s for t, s in found.items() if t.startswith("program ")}
    assert programs == {"program tar": "unmet"}
    (counter / "checkpoint" / "ifaddr-10.img").write_bytes(b"x")
    both = states(counter, replace(ROOT, helpers=("ip",)))
    assert (both["program tar"], both["program ip"]) == ("unmet", "met")


def test_files_on_a_mount_from_outside_are_named(counter: Path) -> None:
    def mount(messages: list[Any]) -> None:
        hosts = next(m for m in messages if m.mountpoint == "/etc/hosts")
        hosts.mountpoint = hosts.ext_key = "/data"

    def move(messages: list[Any]) -> None:
        messages[0].reg.mnt_id = HOSTS_MOUNT

    images = counter / "checkpoint"
    rewrite(images / "mountpoints-13.img", mount)
    rewrite(images / "files.img", move)
    assert "files on the mount /data" in unseen(facts_of(counter, host=ROOT), ())


def test_every_requirement_has_a_title_of_its_own() -> None:
    titles = [one.title for one in REQUIREMENTS]
    assert len(titles) == len(set(titles))
