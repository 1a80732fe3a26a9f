"""Where things lead and who uses them, in real checkpoints."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.openfiles import Files
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.opened import open_checkpoint
from ckpt_tui.ui.panes.table import pane_holding
from ckpt_tui.views.details import ref_sections
from ckpt_tui.views.links import links, users
from crafted import copied, rewrite


def loaded(target: Path) -> Checkpoint:
    opened = open_checkpoint(str(target), quiet())
    try:
        return opened.load(quiet())
    finally:
        opened.close()


@pytest.fixture(scope="module")
def kinds(data: Path) -> Checkpoint:
    return loaded(data / "images/kinds")


@pytest.fixture(scope="module")
def sockets(data: Path) -> Checkpoint:
    return loaded(data / "images/sockets")


def keys(checkpoint: Checkpoint, key: object) -> list[object]:
    return [link.ref for link in links(checkpoint, key)]


def test_a_loopback_connection_leads_to_its_other_end(sockets: Checkpoint) -> None:
    assert keys(sockets, Ref.socket(1, 4))[0] == Ref.socket(1, 5)
    assert keys(sockets, Ref.socket(1, 5))[0] == Ref.socket(1, 4)
    assert Ref.socket(1, 5) in [link.ref for link in users(sockets, Ref.file(1, 4))]


def test_a_unix_socket_leads_to_its_peer(sockets: Checkpoint) -> None:
    assert keys(sockets, Ref.socket(1, 9))[0] == Ref.socket(1, 10)


def test_a_listening_socket_has_no_other_end(sockets: Checkpoint) -> None:
    assert Ref.socket(1, 3) not in keys(sockets, Ref.socket(1, 3))
    assert users(sockets, Ref.socket(1, 3)) == []


def test_a_descriptor_leads_to_mount_holder_and_sharers(kinds: Checkpoint) -> None:
    found = links(kinds, Ref.file(1, 0))
    assert found[0].label == "on the mount /dev"
    assert found[1].ref == Ref.process(1)
    assert Ref.file(9, 0) in [link.ref for link in found]


def test_an_open_file_that_was_changed_leads_to_the_change(data: Path) -> None:
    checkpoint = loaded(data / "demo-web/web.tar.zst")
    changed = {entry.path for entry in checkpoint.delta.entries}
    file = next(f for f in checkpoint.files if f.target in changed)
    found = links(checkpoint, Ref.file(file.pid, file.fd))
    key = next(link.ref for link in found if link.ref.kind == "delta")
    assert Ref.file(file.pid, file.fd) in keys(checkpoint, key)


def test_a_process_leads_to_parent_children_and_images(kinds: Checkpoint) -> None:
    assert keys(kinds, Ref.process(9))[1] == Ref.process(1)
    assert {Ref.process(pid) for pid in (9, 10, 11)} <= set(keys(kinds, Ref.process(1)))
    assert Ref.image("cgroup.img") in keys(kinds, Ref.process(1))
    assert Ref.namespace("uts", 12) in keys(kinds, Ref.process(1))
    assert Ref.image("core-6.img") in keys(kinds, Ref.process(1))


def test_shared_memory_leads_to_its_other_mappers(kinds: Checkpoint) -> None:
    region = next(r for r in kinds.memory[0].regions if r.kind == "shared")
    found = keys(kinds, Ref.region(region.pid, region.start))
    assert Ref.region(9, region.start) in found
    assert Ref.image(f"pagemap-shmem-{region.shared_id}.img") in found


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("core-9.img", Ref.process(9)),
        ("core-6.img", Ref.process(1)),
        ("fdinfo-3.img", Ref.process(9)),
        ("mm-10.img", Ref.process(10)),
        ("pages-3.img", Ref.process(1)),
        ("utsns-12.img", Ref.namespace("uts", 12)),
        ("timens-0.img", Ref.namespace("time", 5)),
        ("pages-99.img", None),
        ("inventory.img", None),
    ],
)
def test_an_image_leads_to_whose_it_is(kinds: Checkpoint, name: str, key: object) -> None:
    assert keys(kinds, Ref.image(name))[:1] == ([] if key is None else [key])


def test_a_stream_leads_to_its_socket(sockets: Checkpoint) -> None:
    assert keys(sockets, Ref.image("tcp-stream-90293.img")) == [Ref.socket(1, 5)]


def test_a_namespace_and_a_thread_lead_to_processes(kinds: Checkpoint) -> None:
    members = [Ref.process(pid) for pid in (1, 9, 10, 11)]
    assert keys(kinds, Ref.namespace("uts", 12)) == [*members, Ref.image("utsns-12.img")]
    assert [link.ref for link in users(kinds, Ref.namespace("uts", 12))] == members
    assert keys(kinds, Ref.thread(1, 6)) == [Ref.process(1), Ref.image("core-6.img")]


def test_a_process_leads_to_its_cgroups_and_they_to_who_is_in_them(kinds: Checkpoint) -> None:
    members = [Ref.process(pid) for pid in (1, 9, 10, 11)]
    memory = next(
        link for link in links(kinds, Ref.process(9)) if link.label.startswith("cgroup memory /")
    )
    assert keys(kinds, memory.ref) == [*members, Ref.image("cgroup.img")]
    assert [link.ref for link in users(kinds, memory.ref)] == members


def test_what_is_not_there_leads_nowhere(kinds: Checkpoint) -> None:
    for key in (
        None,
        Ref.process(4711),
        Ref.file(1, 999),
        Ref.socket(8, 8),
        Ref.region(1, 2),
        ("what", 1),
    ):
        assert links(kinds, key) == []
        assert users(kinds, key) == []


def test_every_link_leads_to_a_tab_and_never_to_itself(
    kinds: Checkpoint, sockets: Checkpoint
) -> None:
    for checkpoint in (kinds, sockets):
        every = [Ref.file(f.pid, f.fd) for f in checkpoint.files]
        every += [Ref.mount(m.namespace, m.id) for m in checkpoint.mounts]
        every += [Ref.namespace(n.kind, n.id) for n in checkpoint.namespaces]
        every += [Ref.cgroup(number) for number in range(len(checkpoint.cgroup_directories))]
        every += [Ref.region(r.pid, r.start) for m in checkpoint.memory for r in m.regions]
        for key in [*every, *(Ref.image(i.name) for i in checkpoint.images)]:
            found = [*links(checkpoint, key), *users(checkpoint, key)]
            assert key not in [link.ref for link in found]
            assert all(pane_holding(link.ref) is not None for link in found)
            assert all(link.label.isprintable() for link in found)


def test_all_who_share_an_open_file_are_counted_and_made_when_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dup(messages: list[Any]) -> list[Any]:
        more = [type(messages[0])() for _ in range(5000)]
        for fd, copy in enumerate(more, 100):
            copy.CopyFrom(messages[0])
            copy.fd = fd
        return [*messages, *more]

    images = copied("counter", tmp_path)
    rewrite(images / "fdinfo-2.img", dup)
    checkpoint = loaded(images)
    own = Ref.file(1, 99 + 2500)
    made: list[object] = []
    make = Files.make
    monkeypatch.setattr(Files, "make", lambda *these: made.append(these) or make(*these))
    found = users(checkpoint, own)
    assert len(made) < 10
    told = [link.ref for link in found]
    assert len(told) == len(set(told)) == 5001
    assert own not in told
    assert told[-2:] == [Ref.file(1, 5099), Ref.file(8, 0)]
    assert [link.ref for link in found[5000:]] == told[5000:]
    assert len(links(checkpoint, own)) > 5001


def region_of(checkpoint: Checkpoint, pid: int, path: str, *, dumped: bool = False) -> Ref:
    memory = next(m for m in checkpoint.memory if m.pid == pid)
    region = next(r for r in memory.regions if path in r.path and bool(r.dumped) >= dumped)
    return Ref.region(pid, region.start)


def shared_of(checkpoint: Checkpoint, pid: int) -> Ref:
    memory = next(m for m in checkpoint.memory if m.pid == pid)
    return Ref.region(pid, next(r.start for r in memory.regions if r.kind == "shared"))


CHAINS: dict[str, tuple[str, list[Ref]]] = {
    "descriptor to file object": ("kinds", [Ref.file(1, 11), Ref.image("files.img")]),
    "descriptor to mount to namespace": (
        "kinds",
        [Ref.file(1, 0), Ref.mount(13, 93), Ref.namespace("mnt", 13), Ref.process(1)],
    ),
    "tmpfs to its contents": (
        "kinds",
        [Ref.mount(13, 93), Ref.image("tmpfs-dev-50.tar.gz.img"), Ref.mount(13, 93)],
    ),
    "pipe to its other end": ("sockets", [Ref.file(1, 14), Ref.file(1, 15), Ref.file(1, 14)]),
    "pipe to every holder": ("kinds", [Ref.file(1, 5), Ref.file(11, 6), Ref.process(11)]),
    "unix socket to its peer": ("sockets", [Ref.socket(1, 9), Ref.socket(1, 10), Ref.process(1)]),
    "loopback to its other end": ("sockets", [Ref.file(1, 4), Ref.socket(1, 4), Ref.socket(1, 5)]),
    "thread to its registers": ("kinds", [Ref.process(1), Ref.image("core-6.img"), Ref.process(1)]),
    "namespace to who is in it": (
        "kinds",
        [Ref.process(9), Ref.namespace("net", 10), Ref.process(10)],
    ),
    "process to namespace to image": (
        "kinds",
        [
            Ref.process(9),
            Ref.namespace("ipc", 11),
            Ref.image("ipcns-shm-11.img"),
            Ref.namespace("ipc", 11),
        ],
    ),
    "deleted file to its image": ("kinds", [Ref.image("ghost-file-1.img"), Ref.file(1, 12)]),
    "descriptor to what was deleted": (
        "kinds",
        [Ref.file(1, 12), Ref.recovered("ghost-file-1.img")],
    ),
    "image to what was deleted": (
        "kinds",
        [Ref.image("ghost-file-1.img"), Ref.recovered("ghost-file-1.img")],
    ),
    "process to cgroup": ("kinds", [Ref.process(9), Ref.cgroup(7), Ref.image("cgroup.img")]),
}
"""What it shows, in which images: each thing leads to the one behind it."""


@pytest.mark.parametrize("name", CHAINS)
def test_each_thing_leads_to_the_next(data: Path, name: str) -> None:
    images, chain = CHAINS[name]
    checkpoint = loaded(data / "images" / images)
    for here, there in pairwise(chain):
        assert there in keys(checkpoint, here), f"{here} does not lead to {there}"


def test_a_process_leads_to_its_memory_a_region_to_its_pages(data: Path) -> None:
    checkpoint = loaded(data / "images/counter")
    largest = max(checkpoint.memory[0].regions, key=lambda region: region.dumped)
    assert keys(checkpoint, Ref.process(1))[0] == Ref.region(1, largest.start)
    dumped = region_of(checkpoint, 1, "", dumped=True)
    assert Ref.image("pages-1.img") in keys(checkpoint, dumped)
    assert Ref.image("pagemap-1.img") in keys(checkpoint, dumped)
    assert Ref.process(1) in keys(checkpoint, Ref.image("pages-1.img"))


def holders(checkpoint: Checkpoint, key: object) -> set[object]:
    return {link.ref for link in users(checkpoint, key)}


def test_everything_that_is_shared_tells_all_who_have_it(
    kinds: Checkpoint, sockets: Checkpoint
) -> None:
    others = (9, 10, 11)
    ends = {Ref.file(pid, fd) for pid in (1, *others) for fd in (5, 6)}
    assert holders(kinds, Ref.file(1, 5)) == ends - {Ref.file(1, 5)}
    assert {Ref.file(pid, 11) for pid in others} <= holders(kinds, Ref.file(1, 11))
    region = shared_of(kinds, 1)
    assert {Ref.region(pid, region.ids[1]) for pid in others} <= holders(kinds, region)
    program = region_of(kinds, 1, "/usr/bin/python3")
    assert {region_of(kinds, pid, "/usr/bin/python3") for pid in others} <= holders(kinds, program)
    assert holders(sockets, Ref.socket(1, 9)) == {Ref.socket(1, 10)}
    assert Ref.file(1, 0) in holders(kinds, Ref.mount(13, 93))


def test_the_mount_of_a_file_tells_its_file_system(kinds: Checkpoint) -> None:
    shown = {
        f.label: str(f.value) for s in ref_sections(kinds, Ref.file(1, 0), False) for f in s.facts
    }
    assert shown["mount"] == "/dev (tmpfs)"
