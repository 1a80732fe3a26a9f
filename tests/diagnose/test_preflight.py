"""What a restore needs, on which image and host it would fail, and how each engine is told."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from breakage import facts_of, findings, problems, unpack

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.archive.layers import LayeredTree
from ckpt_tui.archive.tree import ByteRange, Member, MemberKind, Tree
from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.document import parse_document
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.window import BytesWindow, ByteWindow
from ckpt_tui.criu.values import Host
from ckpt_tui.diagnose.checks import left_out, run_checks
from ckpt_tui.diagnose.elf import build_id
from ckpt_tui.diagnose.facts import Facts
from ckpt_tui.diagnose.finding import Extent, Finding, verdict
from ckpt_tui.diagnose.host import HostProfile
from ckpt_tui.diagnose.restore_command import restore_commands
from ckpt_tui.formats.opened import open_checkpoint
from crafted import ARCHIVES, DATA, rewrite

HOST = HostProfile(
    kernel="6.12.1-generic",
    machine="x86_64",
    page_size=4096,
    criu="4.2",
    helpers=("tar", "ip"),
    plugins=(),
    cpu_flags=("avx", "avx2", "avx512f", "ospke", "sse2", "la57", "amx_tile", "user_shstk"),
    cgroup="hybrid",
    lsms=("capability", "apparmor"),
    apparmor_profiles=("containers-default",),
    memory_free=8 << 30,
    disk_free={"/var/tmp": 8 << 30},
    pids=(1, 2, 700),
    pid_max=32768,
    ports=("tcp 22",),
    max_map_count=65530,
    aio_max=65536,
    namespaces=("mnt", "net", "pid", "time"),
)
"""A host on which every checkpoint of tests/data restores."""


class Base:
    """The base image bb, some of its files changed or gone."""

    def __init__(self, members: Mapping[str, Member], **instead: ByteWindow) -> None:
        self.members = members
        self.notes = ()
        self._instead = instead

    def window(self, name: str) -> ByteWindow:
        return self._instead.get(name.rpartition("/")[2]) or BB.window(name)

    def preload(self, ranges: Iterable[ByteRange], progress: Progress) -> None:
        BB.preload(ranges, progress)

    def close(self) -> None:
        """BB stays open."""


def base_image() -> Tree:
    """Return the layers of base-bb, merged."""
    data = (ARCHIVES / "base-bb.oci.tar").read_bytes()
    layout = open_archive(BytesWindow(data), "base", quiet())

    def blob(digest: str) -> bytes:
        name = f"blobs/sha256/{digest.removeprefix('sha256:')}"
        return layout.window(name).read(0, layout.members[name].size)

    index = parse_document(layout.window("index.json").read(0, 1 << 20), "index")
    manifest = parse_document(blob(index["manifests"][0]["digest"]), "manifest")
    layers = [
        open_archive(BytesWindow(blob(layer["digest"])), "layer", quiet())
        for layer in manifest["layers"]
    ]
    return LayeredTree(layers)


BB = base_image()
BASE = BB.members


def ids(found: tuple[Finding, ...]) -> set[str]:
    return {f.id for f in found}


def changed(name: str, **values: Any) -> Base:
    return Base({**BASE, name: dataclasses.replace(BASE[name], **values)})


def without(name: str) -> Base:
    return Base({n: m for n, m in BASE.items() if n != name and not n.startswith(name + "/")})


@pytest.mark.parametrize("name", ["counter.tar.zst", "rootfs.tar.zst", "cri-podman.tar"])
def test_right_base_and_host_leave_no_problem(name: str, tmp_path: Path) -> None:
    folder = unpack(ARCHIVES / name, tmp_path / "checkpoint")
    found = findings(folder, host=HOST, base=BB)
    assert problems(found) == set()
    assert left_out(facts_of(folder, host=HOST, base=BB)) == ()


def test_checks_without_host_and_base_are_told_as_left_out(counter: Path) -> None:
    assert {"files", "memory"} <= {check.id for check in left_out(facts_of(counter))}


@pytest.mark.parametrize(
    ("base", "wanted"),
    [
        (without("bin/busybox"), "file-missing"),
        (changed("bin/busybox", size=2024545), "file-bad-size"),
        (changed("bin/busybox", size=0), "file-bad-size"),
        (changed("bin/busybox", mode=0o700), "file-bad-mode"),
    ],
    ids=["missing", "grown", "empty", "mode"],
)
def test_executable_that_differs_from_the_dump_is_foreseen(
    counter: Path, base: Base, wanted: str
) -> None:
    found = [f for f in findings(counter, base=base) if f.severity == "fails"]
    assert {f.id for f in found} == {wanted}
    assert found[0].evidence[0].text == "executable of process 1"
    assert found[0].evidence[0].link == Ref.process(1)
    assert verdict(found, Extent(9, 9)).text == "will fail: 1 reason"


def test_root_folder_of_another_mode_is_foreseen(counter: Path) -> None:
    assert problems(findings(counter, base=changed(".", mode=0o755))) == set()

    def narrow(messages: list[Any]) -> None:
        next(m for m in messages if m.reg.name == "/").reg.mode = 0o40750

    rewrite(counter / "checkpoint" / "files.img", narrow)
    assert problems(findings(counter, base=BB)) == {"file-bad-mode"}
    assert problems(findings(counter, base=changed(".", mode=0o750))) == set()


def test_working_folder_that_is_gone_is_foreseen(counter: Path) -> None:
    def go(messages: list[Any]) -> None:
        # descriptor tables name no folder here, so the first root or cwd record will do
        entry = next(m for m in messages if m.reg.name == "/")
        entry.reg.name, entry.reg.mode = "/data", 0o40755

    rewrite(counter / "checkpoint" / "files.img", go)
    assert problems(findings(counter, base=BB)) == set()
    assert problems(findings(counter, base=without("data"))) == {"file-missing"}


def test_file_that_podman_left_out_is_explained(counter: Path) -> None:
    def write(messages: list[Any]) -> None:
        messages[0].reg.name, messages[0].reg.size = "/etc/motd", 9999
        messages[0].reg.mode = 0o100000 | BASE["etc/motd"].mode

    rewrite(counter / "checkpoint" / "files.img", write)
    found = [f for f in findings(counter, base=BB) if f.severity == "fails"]
    assert [f.id for f in found] == ["file-bad-size"]
    assert "podman and CRI-O leave a changed file out" in found[0].why


def test_file_that_the_restore_deletes_again_is_foreseen(rootfs: Path) -> None:
    def move(messages: list[Any]) -> None:
        messages[0].reg.name, messages[0].reg.mode = "/data/old/n", 0o100644
        messages[0].reg.ClearField("size")

    rewrite(rootfs / "checkpoint" / "files.img", move)
    assert "file-missing" in problems(findings(rootfs, base=BB))


def test_links_in_the_base_are_followed_and_loops_end(counter: Path) -> None:
    def move(messages: list[Any]) -> None:
        messages[0].reg.name = "/usr/loop/../sbin/busybox"

    rewrite(counter / "checkpoint" / "files.img", move)
    link = {
        "usr/sbin": Member("usr/sbin", MemberKind.SYMLINK, 0, link="../bin"),
        "usr/loop": Member("usr/loop", MemberKind.DIRECTORY, 0),
    }
    assert problems(findings(counter, base=Base({**BASE, **link}))) == set()
    link["usr/loop"] = Member("usr/loop", MemberKind.SYMLINK, 0, link="../usr/loop/x")
    assert problems(findings(counter, base=Base({**BASE, **link}))) == {"file-missing"}


def test_name_that_is_no_utf8_is_looked_for_all_the_same(counter: Path) -> None:
    def move(messages: list[Any]) -> None:
        messages[0].reg.name = "/bin/busyboz"

    path = counter / "checkpoint" / "files.img"
    rewrite(path, move)
    path.write_bytes(path.read_bytes().replace(b"busyboz", b"busybo\xff"))
    found = [f for f in findings(counter, base=BB) if f.severity == "fails"]
    assert [f.id for f in found] == ["file-missing"]
    assert "busybo\udcff" in found[0].title


def test_other_build_of_the_same_size_is_foreseen(counter: Path) -> None:
    real = BB.window("bin/busybox")
    there = build_id(real)
    assert len(there) == 20
    other = BytesWindow(real.read(0, real.size).replace(there, bytes(20)))
    found = findings(counter, base=Base(BASE, busybox=other))
    assert problems(found) == {"file-bad-build-id"}


@pytest.mark.parametrize("size", [0, 3, 16, 52, 63, 64, 200, 4096])
def test_cut_programs_have_no_build_id(size: int) -> None:
    real = BB.window("bin/busybox")
    assert build_id(BytesWindow(real.read(0, size))) in (b"", build_id(real))


def test_connections_and_locks_are_advice_with_the_socket_as_proof(
    sockets: Path, kinds: Path
) -> None:
    found = next(f for f in findings(sockets) if f.id == "tcp-established-restore")
    assert found.severity == "advice"
    assert found.evidence[0].link == Ref.file(1, 4)
    assert "file-locks-restore" in ids(findings(kinds))


def test_dump_with_tcp_close_asks_for_it_again(sockets: Path) -> None:
    def close(messages: list[Any]) -> None:
        messages[0].tcp_close = True

    rewrite(sockets / "inventory.img", close)
    found = ids(findings(sockets))
    assert "tcp-close-option-needed" in found
    assert "tcp-established-restore" not in found


def test_mount_that_the_configuration_lacks_is_foreseen(counter: Path) -> None:
    spec = json.loads((counter / "spec.dump").read_text())
    spec["mounts"] = [m for m in spec["mounts"] if m["destination"] != "/etc/hosts"]
    (counter / "spec.dump").write_text(json.dumps(spec))
    found = [f for f in findings(counter) if f.severity == "fails"]
    assert [f.id for f in found] == ["mnt-no-mapping"]
    assert "/etc/hosts" in found[0].title
    assert found[0].evidence[0].link == Ref.mount(13, 97)


def edit_first(name: str, **values: Any) -> Callable[[Path], None]:
    def change(messages: list[Any]) -> None:
        for field, value in values.items():
            setattr(messages[0], field, value)

    return lambda folder: rewrite(folder / name, change)


def test_shell_job_is_told_and_no_engine_takes_it(counter: Path) -> None:
    edit_first("pstree.img", sid=4242, pgid=4242)(counter / "checkpoint")
    facts = facts_of(counter)
    found = run_checks(facts, quiet())
    assert "tty-shell-job" in ids(found)
    engines = {r.engine: r for r in restore_commands(facts, found)}
    assert "--shell-job" in engines["podman"].refusal
    assert "--shell-job" in engines["runc"].commands[-1]


def share_host(folder: Path, kind: str) -> None:
    """Make the dump one of processes in the host's own namespace of that kind."""
    field = f"{kind}_ns_id"
    own: list[int] = []
    rewrite(folder / "inventory.img", lambda m: own.append(getattr(m[0].root_ids, field)))
    for path in folder.glob("ids-*.img"):
        rewrite(path, lambda m: setattr(m[0], field, own[0]))


HOSTS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("architecture", {"machine": "aarch64"}, "arch-mismatch"),
    ("page size", {"page_size": 65536}, "host-page-size"),
    ("no criu", {"criu": ""}, "rt-criu-missing"),
    ("old criu", {"criu": "4.1.1"}, "img-version"),
    ("cgroup", {"cgroup": "v2"}, "cgroup-path-missing"),
    ("memory", {"memory_free": 4096}, "mem-enomem"),
    ("disk", {"disk_free": {"/var/tmp": 1}}, "storage-nospace"),
    ("mappings", {"max_map_count": 3}, "mem-enomem-mapping"),
    ("pids", {"pid_max": 8}, "pid-max"),
    ("no tar", {"helpers": ("ip",)}, "helper-exec"),
    ("no time namespace", {"namespaces": ("mnt", "net")}, "timens"),
)


@pytest.mark.parametrize(("values", "wanted"), [h[1:] for h in HOSTS], ids=[h[0] for h in HOSTS])
def test_host_that_lacks_one_thing_is_told_only_that(
    counter: Path, values: dict[str, Any], wanted: str
) -> None:
    found = findings(counter, host=dataclasses.replace(HOST, **values))
    assert problems(found) == {wanted}


def test_link_in_place_of_rules_does_not_stop_the_check(counter: Path) -> None:
    (counter / "checkpoint" / "iptables-10.img").symlink_to("/etc/passwd")
    host = dataclasses.replace(HOST, helpers=("ip",))
    assert "helper-exec" in problems(findings(counter, host=host))


def test_kernel_that_is_newer_than_criu_expects_is_told(counter: Path) -> None:
    host = dataclasses.replace(HOST, kernel="6.13.0", criu="4.0")
    assert "vdso-rt-bounds" in problems(findings(counter, host=host))


def test_unknown_values_of_a_host_are_not_checked(counter: Path) -> None:
    assert problems(findings(counter, host=HostProfile(criu="4.2"))) == set()


def test_registers_that_the_processor_lacks_are_told(counter: Path) -> None:
    def narrow(messages: list[Any]) -> None:
        messages[0].thread_info.fpregs.xsave.xstate_bv = 3

    rewrite(counter / "checkpoint" / "core-1.img", narrow)
    flags = tuple(flag for flag in HOST.cpu_flags if flag != "avx512f")
    host = dataclasses.replace(HOST, cpu_flags=flags)
    found = [f for f in findings(counter, host=host) if f.severity == "fails"]
    assert [f.id for f in found] == ["cpu-fpu-missing"]
    assert [e.link for e in found[0].evidence] == [Ref.image("core-8.img")]


def test_security_module_and_profile_must_be_there(counter: Path) -> None:
    images = counter / "checkpoint"
    edit_first("inventory.img", lsmtype=2)(images)
    host = dataclasses.replace(HOST, lsms=("capability", "selinux"))
    assert problems(findings(counter, host=host)) == {"lsm-mismatch"}

    def confine(messages: list[Any]) -> None:
        messages[0].thread_core.creds.lsm_profile = "other-profile"

    rewrite(images / "core-1.img", confine)
    assert problems(findings(counter, host=HOST)) == {"lsm-profile-write"}


def test_plugin_must_be_there(counter: Path) -> None:
    rewrite(
        counter / "checkpoint" / "inventory.img",
        lambda m: m[0].plugins_entry.plugins.append("cuda_plugin"),
    )
    assert problems(findings(counter, host=HOST)) == {"plugin-missing"}
    host = dataclasses.replace(HOST, plugins=("cuda_plugin",))
    assert problems(findings(counter, host=host)) == set()
    assert "plugin-missing" in ids(findings(counter))


def test_addresses_are_read_by_the_byte_order_of_the_host(
    sockets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listen_there(messages: list[Any]) -> None:
        inet = [m.isk for m in messages if m.HasField("isk") and len(m.isk.src_addr) == 1]
        for socket in inet:
            socket.src_addr[0] = 0x7F000001
        inet[0].src_addr[0] = 0x0A000007

    rewrite(sockets / "files.img", listen_there)
    monkeypatch.setattr(ImageDirectory, "host", Host("s390", "big"))
    found = next(f for f in findings(sockets) if f.id == "inet-bind-addr-missing")
    bound = {e.text.rpartition(":")[0] for e in found.evidence if "[" not in e.text}
    assert bound == {"10.0.0.7"}


def test_pids_and_ports_count_only_in_namespaces_of_the_host(sockets: Path) -> None:
    host = dataclasses.replace(HOST, pids=(1,), ports=("tcp 8080", "udp 5353"))
    assert problems(findings(sockets, host=host)) == set()
    share_host(sockets, "pid")
    assert problems(findings(sockets, host=host)) == {"pid-in-use"}
    share_host(sockets, "net")
    found = findings(sockets, host=host)
    assert problems(found) == {"pid-in-use", "inet-bind-addr-in-use"}
    ports = next(f for f in found if f.id == "inet-bind-addr-in-use")
    assert [e.text for e in ports.evidence] == ["tcp 8080", "udp 5353"]


def test_opened_checkpoint_gives_its_facts() -> None:
    opened = open_checkpoint(str(DATA / "demo-web" / "web.tar.zst"), quiet())
    try:
        facts = Facts.of(opened, opened.load(quiet()), host=HOST)
        found = run_checks(facts, quiet())
    finally:
        opened.close()
    assert problems(found) == set()
    assert "tcp-established-restore" in ids(found)


def test_path_longer_than_any_is_answered_at_once(counter: Path) -> None:
    def lengthen(messages: list[Any]) -> None:
        messages[0].reg.name = "/a" * 500_000

    rewrite(counter / "checkpoint" / "files.img", lengthen)
    link = Member("bin", MemberKind.SYMLINK, 0, link="../bin/" * 100_000)
    assert problems(findings(counter, base=Base({**BASE, "bin": link}))) == {"file-missing"}


def test_what_podman_asks_for_is_told(counter: Path) -> None:
    (counter / "volumes").mkdir()
    (counter / "volumes" / "data.tar").write_bytes(bytes(10240))
    config = json.loads((counter / "config.dump").read_text())
    config["pod"] = "0123456789ab"
    (counter / "config.dump").write_text(json.dumps(config))
    found = findings(counter)
    assert {"rt-podman-volume-exists", "rt-podman-pod"} <= ids(found)
    assert problems(found) == set()


def test_base_image_without_a_name_is_told(counter: Path) -> None:
    config = json.loads((counter / "config.dump").read_text())
    config["rootfsImageName"] = ""
    (counter / "config.dump").write_text(json.dumps(config))
    assert problems(findings(counter)) == {"base-unnamed"}


def test_engine_of_the_host_must_restore(tmp_path: Path) -> None:
    folder = unpack(ARCHIVES / "cri-containerd-cri.tar", tmp_path / "containerd")
    for release, found in {
        "1.7.24": {"rt-cri-unimplemented"},
        "2.1.9": set(),
        "2.4.0": {"rt-containerd-restore-removed"},
        "": set(),
    }.items():
        host = dataclasses.replace(HOST, runtimes={"containerd": release})
        assert problems(findings(folder, host=host)) == found, release
    host = dataclasses.replace(HOST, runtimes={"containerd": "2.3.4"})
    assert "rt-containerd-restore-switch" in ids(findings(folder, host=host))
    host = dataclasses.replace(HOST, runtimes={"podman": "5.4.0"})
    assert "engine-missing" in ids(findings(folder, host=host))


@pytest.mark.parametrize("release", ["1.7.24", "2.4.0"])
def test_any_containerd_restores_what_ctr_made(release: str) -> None:
    opened = open_checkpoint(str(DATA / "ctr-counter"), quiet())
    host = dataclasses.replace(HOST, runtimes={"containerd": release})
    facts = dataclasses.replace(Facts.of(opened, opened.load(quiet())), host=host)
    asked = ids(run_checks(facts, quiet()))
    assert not {name for name in asked if name.startswith(("rt-c", "engine"))}
    opened.close()
