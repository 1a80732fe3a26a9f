"""Namespaces and cgroups: who is in which, and what the images keep of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ckpt_tui.checkpoint.model import CgroupDirectory, Checkpoint, Namespace
from ckpt_tui.criu.schema import namespaces_pb2, network_pb2
from crafted import IMAGES, copied, first, image_of, loaded, rewrite


@pytest.fixture(scope="module")
def kinds() -> Checkpoint:
    return loaded(IMAGES / "kinds")


def namespace(checkpoint: Checkpoint, kind: str) -> Namespace:
    return next(n for n in checkpoint.namespaces if n.kind == kind)


def test_ipc_and_uts_namespaces_have_their_sysctls_by_name(kinds: Checkpoint) -> None:
    ipc = namespace(kinds, "ipc").properties
    assert ipc["kernel.sem"] == "32000 1024000000 500 32000"
    assert ipc["fs.mqueue.msg_max"] == "10"
    assert (ipc["semaphore sets"], ipc["message queues"]) == ("1", "1")
    uts = namespace(kinds, "uts")
    assert uts.properties == {"nodename": "70bd65535154", "domainname": "(none)"}
    assert uts.detail == "host 70bd65535154"


def test_the_clocks_are_kept_though_the_time_namespace_is_the_hosts(kinds: Checkpoint) -> None:
    time = namespace(kinds, "time")
    assert not time.dumped
    assert set(time.properties) == {"monotonic", "boottime"}
    assert not namespace(kinds, "user").properties


def test_a_user_namespace_tells_its_maps(tmp_path: Path) -> None:
    images = copied("counter", tmp_path)
    entry = namespaces_pb2.userns_entry()
    entry.uid_map.add(first=0, lower_first=100000, count=65536)
    entry.gid_map.add(first=5, lower_first=7, count=1)
    rewrite(images / "ids-1.img", first(lambda ids: setattr(ids, "user_ns_id", 77)))
    (images / "userns-77.img").write_bytes(image_of("USERNS", entry))
    user = next(n for n in loaded(images).namespaces if (n.kind, n.id) == ("user", 77))
    assert (user.pids, user.dumped) == ((1,), True)
    assert user.properties == {"uids 0–65535": "100000–165535 outside", "gids 5–5": "7–7 outside"}
    assert user.detail == "1 uid ranges, 1 gid ranges"


def test_a_network_namespace_tells_links_and_settings(tmp_path: Path) -> None:
    images = copied("counter", tmp_path)
    settings, link = network_pb2.netns_entry(), network_pb2.net_device_entry()
    settings.all_conf4.add()  # not readable at the dump
    settings.all_conf4.add(type=network_pb2.CTL_32, iarg=1)
    settings.unix_conf.add(type=network_pb2.CTL_32, iarg=512)
    settings.ipv4_sysctl.add(type=network_pb2.CTL_STR, sarg="1\t0")
    settings.nsids.add(target_ns_id=3, netnsid_value=0)
    link.type, link.ifindex, link.mtu, link.flags = network_pb2.VETH, 2, 1500, 0x1043
    link.name, link.address = "eth0", bytes.fromhex("0242ac110002")
    link.conf6.add(type=network_pb2.CTL_32, iarg=-1)
    number = namespace(loaded(images), "net").id
    (images / f"netns-{number}.img").write_bytes(image_of("NETNS", settings))
    (images / f"netdev-{number}.img").write_bytes(image_of("NETDEV", link))
    net = namespace(loaded(images), "net")
    assert net.detail == "eth0"
    assert net.properties["link eth0"].startswith("veth, index 2, mtu 1500, 02:42:ac:11:00:02, ")
    assert "UP" in net.properties["link eth0"]
    assert net.properties["net.ipv4.conf.all.accept_redirects"] == "1"
    assert "net.ipv4.conf.all.accept_local" not in net.properties
    assert net.properties["net.unix.max_dgram_qlen"] == "512"
    assert net.properties["net.ipv4.ping_group_range"] == "1\t0"
    assert net.properties["netnsid 0"] == "network namespace 3"
    assert any(n.startswith("net.ipv6.conf.eth0.") for n in net.properties)


def test_cgroups_that_were_not_dumped_have_their_processes(kinds: Checkpoint) -> None:
    found = {d.hierarchy: d for d in kinds.cgroup_directories}
    assert found["memory"].path.startswith("/process_api/")
    assert (found["memory"].pids, found["memory"].dumped) == ((1, 9, 10, 11), False)
    assert found["cgroup2"].path.startswith("/libpod_parent/libpod-")


def with_directories(tmp_path: Path) -> Checkpoint:
    """A checkpoint whose memory cgroups were dumped, as with `--manage-cgroups=full`."""
    images = copied("counter", tmp_path)

    def add(cgroup: Any) -> None:
        memory = next(c for c in cgroup.controllers if list(c.cnames) == ["memory"])
        top = memory.dirs.add(dir_name="/box")
        top.dir_perms.mode, top.dir_perms.uid, top.dir_perms.gid = 0o40755, 7, 8
        top.properties.add(name="memory.limit_in_bytes", value="1048576\n")
        below = top.children.add(dir_name="inner")
        below.properties.add(name="notify_on_release", value="1")
        for one in cgroup.sets:
            for member in one.ctls:
                if member.name == "memory":
                    member.path = "/box/inner"

    rewrite(images / "cgroup.img", first(add))
    return loaded(images)


def test_dumped_cgroups_have_paths_properties_owner_and_processes(tmp_path: Path) -> None:
    found = [d for d in with_directories(tmp_path).cgroup_directories if d.hierarchy == "memory"]
    box = CgroupDirectory(
        hierarchy="memory",
        path="/box",
        pids=(),
        dumped=True,
        properties={"memory.limit_in_bytes": "1048576"},
        mode=0o40755,
        uid=7,
        gid=8,
    )
    assert found[0] == box
    assert (found[1].path, found[1].pids) == ("/box/inner", (1, 8))
    assert found[1].properties == {"notify_on_release": "1"}


def test_cgroups_are_shown_as_a_tree(tmp_path: Path) -> None:
    from ckpt_tui.views.details import ref_sections
    from ckpt_tui.views.isolation import cgroup_rows
    from ckpt_tui.views.links import links, users

    checkpoint = with_directories(tmp_path)
    rows = [row for row in cgroup_rows(checkpoint) if row.cells[0] == "memory"]
    assert [row.cells[1:] for row in rows] == [
        ("/box", "dumped", "", "1 property"),
        ("  /box/inner", "dumped", "1 8", "1 property"),
    ]
    box, inner = (row.key for row in rows)
    assert [link.ref for link in users(checkpoint, box)] == [inner]
    assert links(checkpoint, inner)[0].ref == box
    shown = {s.title: [str(f.value) for f in s.facts] for s in ref_sections(checkpoint, box, False)}
    assert shown["Properties"] == ["memory.limit_in_bytes  1048576"]
    assert "drwxr-xr-x" in shown[""]
