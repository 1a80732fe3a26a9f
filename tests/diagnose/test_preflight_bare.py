"""Processes that shared the mounts and network of their host: are its files and sockets there?"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from breakage import facts_of, problems
from test_preflight import HOST, share_host

from ckpt_tui.core.progress import quiet
from ckpt_tui.diagnose.checks import left_out, run_checks
from ckpt_tui.diagnose.finding import Finding
from ckpt_tui.diagnose.host import HostProfile
from ckpt_tui.diagnose.host_files import HostFiles
from ckpt_tui.diagnose.preflight_files import compared_files
from crafted import rewrite

FULL = dataclasses.replace(
    HOST,
    uid=0,
    capabilities=("CAP_SYS_ADMIN",),
    sockets=(),
    addresses=("127.0.0.1", "::1"),
    interfaces={"lo": 1},
)
"""Its root has few rights, which the finding about them says."""


@pytest.fixture(params=["kinds", "sockets"])
def bare(request: pytest.FixtureRequest) -> Path:
    """The images of processes that shared the mounts of their host."""
    folder: Path = request.getfixturevalue(request.param)
    share_host(folder, "mnt")
    return folder


@pytest.fixture
def host(bare: Path, tmp_path: Path) -> Path:
    """The root of a host that has all files of the dump."""
    root = tmp_path / "root"
    for found in compared_files(facts_of(bare)):
        path = root / found.path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = found.mode or 0
        if stat.S_ISREG(mode):
            path.touch()
            os.truncate(path, found.size or 0)
        elif stat.S_ISFIFO(mode):
            os.mkfifo(path)
        else:
            path.mkdir(exist_ok=True)
        if path != root:
            path.chmod(stat.S_IMODE(mode))
    (root / "etc").mkdir(exist_ok=True)  # which a process watches
    return root


def said(folder: Path, root: Path, profile: HostProfile = HOST) -> tuple[Finding, ...]:
    facts = facts_of(folder, host=profile, files=HostFiles(root))
    root.chmod(0o555)  # as in the images
    found = run_checks(facts, quiet())
    root.chmod(0o755)
    return found


def test_host_that_has_all_leaves_no_problem(bare: Path, host: Path) -> None:
    assert problems(said(bare, host)) == set()
    facts = facts_of(bare, host=HOST, files=HostFiles(host))
    assert left_out(facts) == ()


def test_files_of_another_host_are_not_looked_at(bare: Path) -> None:
    facts = facts_of(bare, host=HOST)
    assert {"files", "build-ids"} <= {c.id for c in left_out(facts) if c.needs == "host"}
    assert "base" not in {c.needs for c in left_out(facts)}
    assert problems(run_checks(facts, quiet())) == set()


def grow(path: Path) -> None:
    os.truncate(path, path.stat().st_size + 1)


def become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def unlink_parent(path: Path) -> None:
    path.parent.chmod(0o755)
    shutil.rmtree(path.parent)
    path.parent.touch()


BROKEN: tuple[tuple[str, Callable[[Path], None], set[str]], ...] = (
    ("usr/bin/python3", Path.unlink, {"file-missing"}),
    ("usr/bin/python3", grow, {"file-bad-size"}),
    ("usr/bin/python3", lambda path: path.chmod(0o700), {"file-bad-mode"}),
    ("usr/bin/python3", become_folder, {"file-bad-mode"}),
    ("lib/x86_64-linux-gnu/libm.so.6", unlink_parent, {"file-missing"}),
)


@pytest.mark.parametrize(("name", "breaking", "wanted"), BROKEN)
def test_file_that_differs_on_the_host_is_foreseen(
    bare: Path, host: Path, name: str, breaking: Callable[[Path], None], wanted: set[str]
) -> None:
    breaking(host / name)
    found = [f for f in said(bare, host) if f.severity != "advice"]
    assert {f.id for f in found} == wanted
    assert any(f"/{name}" in f.title for f in found)
    assert "image" not in found[0].cure


@pytest.mark.parametrize("bare", ["sockets"], indirect=True)
def test_socket_without_its_folder_is_foreseen(bare: Path, host: Path) -> None:
    def name(messages: list[Any]) -> None:
        first = next(m.usk for m in messages if m.HasField("usk"))
        first.name = b"/run/service/sock"

    rewrite(bare / "files.img", name)
    assert problems(said(bare, host)) == {"unix-bind-failed"}
    (host / "run/service").mkdir(parents=True)
    assert problems(said(bare, host)) == set()
    (host / "run/service/sock").touch()  # it is replaced
    assert problems(said(bare, host)) == set()
    (host / "run/service/sock").unlink()
    (host / "run/service/sock").mkdir()
    assert problems(said(bare, host)) == {"unix-bind-failed"}


@pytest.mark.parametrize("bare", ["kinds"], indirect=True)
def test_deleted_file_whose_folder_is_a_file_is_foreseen(bare: Path, host: Path) -> None:
    def move(messages: list[Any]) -> None:
        next(m.reg for m in messages if m.id == 24).name = "/data/old/name"

    rewrite(bare / "files.img", move)
    assert problems(said(bare, host)) == set()  # CRIU makes the folders
    (host / "data").touch()
    assert problems(said(bare, host)) == {"ghost-create"}


@pytest.mark.parametrize("bare", ["kinds"], indirect=True)
def test_lock_that_another_holds_is_foreseen(bare: Path, host: Path) -> None:
    status = (host / "tmp/lock").stat()
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    table = host / "proc/locks"
    table.parent.mkdir()
    for held, wanted in (
        (f"1: FLOCK  ADVISORY  WRITE 4711 {device} 0 EOF", {"file-lock-held"}),
        (f"1: POSIX  ADVISORY  WRITE 4711 {device} 0 EOF", set()),
        (f"1: FLOCK  ADVISORY  WRITE 4711 {device}9 0 EOF", set()),
        ("damaged\n1: FLOCK", set()),
    ):
        table.write_text(f"{held}\n")
        assert problems(said(bare, host)) == wanted, held


SOCKETS: tuple[tuple[str, set[str]], ...] = (
    ("tcp listen 0.0.0.0:8080", {"inet-bind-addr-in-use"}),
    ("tcp listen [::]:8080", {"inet-bind-addr-in-use"}),
    ("tcp listen 0.0.0.0:8081", set()),
    ("udp bound 0.0.0.0:8080", set()),
    ("tcp connected 127.0.0.1:22", set()),
    ("tcp listen", set()),
)


@pytest.mark.parametrize(("held", "wanted"), SOCKETS)
def test_port_is_in_use_where_the_addresses_overlap(
    sockets: Path, held: str, wanted: set[str]
) -> None:
    share_host(sockets, "net")
    facts = facts_of(sockets, host=dataclasses.replace(HOST, sockets=(held,)))
    assert problems(run_checks(facts, quiet())) == wanted


def test_addresses_and_interfaces_must_be_there(sockets: Path) -> None:
    def bind(messages: list[Any]) -> None:
        inet = [m.isk for m in messages if m.HasField("isk") and len(m.isk.src_addr) == 1]
        inet[0].src_addr[0] = int.from_bytes(socket.inet_aton("10.0.0.7"), "little")
        inet[0].opts.so_bound_dev = "eth7"

    share_host(sockets, "net")
    rewrite(sockets / "files.img", bind)
    facts = facts_of(sockets, host=FULL)
    wanted = {"inet-bind-addr-missing", "inet-bind-device-missing"}
    assert wanted <= problems(run_checks(facts, quiet()))
    there = dataclasses.replace(
        FULL, addresses=("10.0.0.7", "::1"), interfaces={"lo": 1, "eth7": 7}
    )
    facts = facts_of(sockets, host=there)
    assert not wanted & problems(run_checks(facts, quiet()))


def test_root_without_a_right_of_the_processes_is_told(counter: Path) -> None:
    found = run_checks(facts_of(counter, host=FULL), quiet())
    rights = next(f for f in found if f.id == "creds-caps")
    assert "CAP_NET_ADMIN" in rights.title
    assert "CAP_CHOWN" in rights.title
    unknown = dataclasses.replace(FULL, capabilities=None)
    assert "creds-caps" not in problems(run_checks(facts_of(counter, host=unknown), quiet()))


def test_fewer_descriptors_than_in_use_are_told_where_the_limit_cannot_be_raised(
    counter: Path,
) -> None:
    few = dataclasses.replace(FULL, open_files=20)
    assert "nofile-limit" in problems(run_checks(facts_of(counter, host=few), quiet()))
    for fine in ({"open_files": -1}, {"capabilities": ("CAP_SYS_ADMIN", "CAP_SYS_RESOURCE")}):
        host = dataclasses.replace(few, **fine)  # type: ignore[arg-type]
        assert "nofile-limit" not in problems(run_checks(facts_of(counter, host=host), quiet()))


def test_source_of_a_mount_that_podman_gives_again_must_be_there(
    counter: Path, tmp_path: Path
) -> None:
    def mount(messages: list[Any]) -> None:
        hosts = next(m for m in messages if m.mountpoint == "/etc/hosts")
        hosts.mountpoint = hosts.ext_key = "/data"

    rewrite(counter / "checkpoint" / "mountpoints-13.img", mount)
    spec = json.loads((counter / "spec.dump").read_text())
    given = {"destination": "/data", "type": "bind", "source": "/srv/data"}
    (counter / "spec.dump").write_text(json.dumps(spec | {"mounts": [*spec["mounts"], given]}))
    assert problems(said(counter, tmp_path)) == {"rt-mount-source"}
    (tmp_path / "srv/data").mkdir(parents=True)
    assert problems(said(counter, tmp_path)) == set()


def test_runtime_of_the_dump_must_be_there(counter: Path) -> None:
    host = dataclasses.replace(HOST, runtimes={"podman": "5.8", "crun": "1.28"})
    assert problems(run_checks(facts_of(counter, host=host), quiet())) == {"rt-other-runtime"}
