"""Measures a lazy restore out of a registry afar: `.venv/bin/python tests/bench/lazy_registry.py`.

Needs root, for the lab. A container of three processes (1 GiB) is converted into a registry that is
20 ms away, by the program's own link. Its base layers are on the host. Measured: from the start of
all and from the start of `runc restore`, until it says that it has restored, until all processes
run, and until all pages are here; and what came over the wire until runc said so. Without a working
set, with that of the run before, and against `skopeo copy` into podman's store with an eager
restore from there. `--link` and `--mib` change the link and the size. Medians of three.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent / "tui"), str(TESTS), str(TESTS / "e2e")]

from converting import convert  # noqa: E402
from lab import LAB, Lab  # noqa: E402
from lazy import own_lab  # noqa: E402
from test_lazy import bundle  # noqa: E402

from ckpt_tui.cli.serve import commands  # noqa: E402
from ckpt_tui.core.progress import quiet  # noqa: E402
from ckpt_tui.formats.opened import open_checkpoint  # noqa: E402
from ckpt_tui.restore.attached import attach, attached_set  # noqa: E402
from ckpt_tui.restore.lazy_images import write_lazy_images  # noqa: E402
from ckpt_tui.restore.lazy_memory import LazyMemory  # noqa: E402
from ckpt_tui.restore.page_cache import PageCache  # noqa: E402
from ckpt_tui.restore.page_server import PageServer  # noqa: E402
from ckpt_tui.restore.working_set import WorkingSet, working_set  # noqa: E402
from ckpt_tui.sources.link import LinkProxy, choose_link, parse_link  # noqa: E402

ROUNDS = 3
LINES = """
tick() { [ -s "$1".parent ] && [ -s "$1".one ] && [ -s "$1".two ]; }
date +%s.%N >/host/begun
{restore}
date +%s.%N >/host/restored.part; mv /host/restored.part /host/restored
until tick "$bundle"/rootfs/tmp/tick; do sleep 0.002; done
date +%s.%N >/host/ticked
while pgrep -x criu >/dev/null; do sleep 0.01; done
date +%s.%N >/host/whole
runc delete -f lazily
"""


@dataclass(frozen=True)
class Found:
    """Seconds from the start of all, but for `runc`; bytes over the wire when runc had restored."""

    runc: float
    restored: float
    ticked: float
    whole: float
    wire: int = 0


def numbers(lab: Lab, begun: float, wire: int = 0) -> Found:
    names = ("begun", "restored", "ticked", "whole")
    at = {name: float((lab.host / name).read_text()) for name in names}
    return Found(
        at["ticked"] - at["begun"],
        at["restored"] - begun,
        at["ticked"] - begun,
        at["whole"] - begun,
        wire,
    )


class Prepared:
    """A shell in the lab that has made the bundle and waits to be told to restore."""

    def __init__(self, lab: Lab) -> None:
        for name in ("ready", "go", "begun", "restored", "ticked", "whole", "bundle"):
            path = lab.host / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        self._lab = lab
        lines = f"""
            set -- /host/bundle
            {bundle(lab)}
            touch /host/ready
            until [ -s /host/go ]; do sleep 0.001; done
            . /host/go
        """
        self._process = subprocess.Popen(
            [LAB, "run", "bash", "-euo", "pipefail", "-c", lines],
            env=lab.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        await_file(lab.host / "ready")

    def go(self, restore: str) -> None:
        part = self._lab.host / "go.part"
        part.write_text(LINES.replace("{restore}", restore))
        part.rename(self._lab.host / "go")

    def end(self) -> None:
        assert self._process.wait(120) == 0


def await_file(path: Path) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.001)


def lazily(lab: Lab, target: str, *, keeps: bool = False) -> Found:
    """Restore lazily; `keeps` attaches the working set."""
    import socket

    shell = Prepared(lab)
    images = lab.host / "images"
    shutil.rmtree(images, ignore_errors=True)
    begun = time.time()
    opened = open_checkpoint(target, quiet())
    first = attached_set(opened.source, quiet())
    write_lazy_images(opened, images, quiet())
    with PageCache() as pages, socket.create_server(("127.0.0.1", 0)) as listener:
        memory = LazyMemory(opened, pages)
        memory.fetch_first(first or WorkingSet({}))
        server = PageServer(memory, listener)
        thread = threading.Thread(target=server.serve)
        thread.start()
        printed = commands("/host/images", server.address, "/host/bundle", "lazily", False)
        shell.go("\n".join(printed) + " </dev/null")
        await_file(lab.host / "restored")
        wire = opened.transferred or 0
        shell.end()
        found = numbers(lab, begun, wire)
        traffic = server.traffic[0]
        print(
            f"    {traffic.requests:,} requests, {opened.transferred or 0:,} bytes,"
            f" waited {traffic.waited_s:.2f} s, {first is not None}",
            file=sys.stderr,
        )
        server.stop()
    thread.join()
    if keeps:
        attach(opened.source, working_set(traffic.asked), quiet())
    opened.close()
    return found


def eagerly(lab: Lab, reference: str) -> Found:
    """Copy the image into podman's store and restore from its mount."""
    lab.run("podman", "rmi", "-f", reference, check=False)
    shell = Prepared(lab)
    begun = time.time()
    shell.go(
        f"""
        skopeo copy -q --src-tls-verify=false docker://{reference} containers-storage:{reference}
        images=$(podman image mount {reference})
        runc restore --detach --bundle "$bundle" --image-path "$images"/checkpoint \\
            --work-path "$bundle" lazily </dev/null
        """
    )
    shell.end()
    return numbers(lab, begun)


@contextmanager
def in_registry(lab: Lab, archive: Path) -> Iterator[tuple[str, int]]:
    with lab.registry() as address:
        base = f"oci-archive:{lab.host / 'base-py.oci.tar'}"
        target = f"docker://{address}/forks:1"
        convert(str(archive), target, "--base", base)
        yield target, int(address.rpartition(":")[2])


def told(what: str, found: Sequence[Found]) -> None:
    def middle(one: Callable[[Found], float]) -> float:
        return statistics.median(map(one, found))

    print(
        f"| {what} | {middle(lambda f: f.restored):.2f} s | {middle(lambda f: f.ticked):.2f} s"
        f" | {middle(lambda f: f.runc):.2f} s | {middle(lambda f: f.whole):.2f} s"
        f" | {middle(lambda f: f.wire) / (1 << 20):.2f} MiB |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a lazy restore out of a registry.")
    parser.add_argument("--link", default="20ms")
    parser.add_argument("--mib", type=int, default=342, help="of each of three processes")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args()
    link = parse_link(asked.link)
    with own_lab() as lab:
        lab.script(f"FORKS_MB={asked.mib} bash /lab/make-checkpoints forks", timeout_s=600)
        with in_registry(lab, lab.host / "forks.tar.zst") as (target, port):
            proxy = LinkProxy(link, "127.0.0.1", port)
            choose_link(link)
            print(f"| {link} | restored | all run | from runc on | all pages | wire |")
            print("| --- | ---: | ---: | ---: | ---: | ---: |", flush=True)
            told("lazily", [lazily(lab, target) for _ in range(asked.rounds)])
            lazily(lab, target, keeps=True)
            told("lazily, working set", [lazily(lab, target) for _ in range(asked.rounds)])
            reference = f"127.0.0.1:{proxy.address[1]}/forks:1"
            told("skopeo copy and eagerly", [eagerly(lab, reference) for _ in range(asked.rounds)])
            choose_link(None)
            proxy.close()


if __name__ == "__main__":
    main()
