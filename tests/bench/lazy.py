"""Measures a lazy restore: `.venv/bin/python tests/bench/lazy.py`. Needs root, for the lab.

serve   all pages of a dump in a folder, asked for in the largest requests that CRIU makes, over the
        loopback: MB/s and the peak memory of the server, beside reading the page images; with
        `--huge` also of 64 GiB of zeros
restore a program of three processes: from the start of `criu restore` until all three run, and
        until all pages are there: through `serve`, with the lazy pages of CRIU alone, and eagerly;
        and through `serve` out of a registry that takes 20 ms for each answer, also with the
        working set of the restore before

Medians of three.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent / "tui"), str(TESTS), str(TESTS / "e2e")]

from lab import Lab, build, obstacle  # noqa: E402
from test_lazy import DUMPED, pasted  # noqa: E402

from ckpt_tui.core.progress import quiet  # noqa: E402
from ckpt_tui.criu.pages import PE_LAZY, PE_PRESENT  # noqa: E402
from ckpt_tui.formats.opened import open_checkpoint  # noqa: E402
from fault_server import FaultServer  # noqa: E402
from lazy_dumps import (  # noqa: E402
    PAGE,
    Client,
    Program,
    entry,
    in_registry,
    serve_program,
    write_dump,
    write_map,
)

ROUNDS = 3
DELAY_S = 0.02
MIB = 1 << 20
SIZE_MIB = 300
"""Of each of three processes."""
HUGE_GIB = 64
HUGE_RUN = 1 << 18
"""Pages."""
REQUEST = 1024
"""Pages of one request: the most that CRIU asks for."""
WAITING = 8
"""Requests that are sent before the first is answered."""

TICKS = """
rm -f /host/ticks/*; {serve}
begun=$(date +%s.%N)
{restore}
until [ -s /host/ticks/tick.parent ] && [ -s /host/ticks/tick.one ] && [ -s /host/ticks/tick.two ]
do sleep 0.002; done
ticked=$(date +%s.%N)
while pgrep -x criu >/dev/null; do sleep 0.01; done
echo "$begun $ticked $(date +%s.%N)"
"""


def fetch_all(program: Program, runs: list[tuple[int, int, int]]) -> int:
    """Ask for all pages of the runs (process, address, pages); return their bytes."""
    asked = [
        (pid, address + n * PAGE, min(REQUEST, pages - n))
        for pid, address, pages in runs
        for n in range(0, pages, REQUEST)
    ]
    turns = threading.Semaphore(WAITING)
    with Client(program.address) as client:

        def ask() -> None:
            for request in asked:
                turns.acquire()
                client.ask(*request)

        asking = threading.Thread(target=ask)
        asking.start()
        buffer = memoryview(bytearray(REQUEST * PAGE + 32))
        total = 0
        for _, _, count in asked:
            left = count * PAGE + 32
            while left:
                left -= client.socket.recv_into(buffer[:left])
            turns.release()
            total += count * PAGE
        asking.join()
        client.close()
    return total


def peak_mib(program: Program) -> float:
    for line in Path(f"/proc/{program.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def lazy_runs(folder: Path) -> list[tuple[int, int, int]]:
    opened = open_checkpoint(f"dir:{folder}", quiet())
    runs = []
    for path in folder.glob("pagemap-[0-9]*.img"):
        pid = int(path.stem.removeprefix("pagemap-"))
        memory = opened.memory.memory(pid)
        assert memory is not None
        runs += [(pid, r.start, r.pages) for r in memory.pagemap.runs if r.flags & PE_LAZY]
    opened.close()
    return runs


def measured(what: str, folder: Path, images: Path, rounds: int) -> None:
    """Print how fast all pages of a dump are served."""
    runs = lazy_runs(folder)
    rates, peak = [], 0.0
    for _ in range(rounds):
        shutil.rmtree(images, ignore_errors=True)
        with serve_program(f"dir:{folder}", "--images", images, "--once") as program:
            begun = time.perf_counter()
            total = fetch_all(program, runs)
            rates.append(total / 1e6 / (time.perf_counter() - begun))
            peak = max(peak, peak_mib(program))
    print(f"| serve {what} | {statistics.median(rates):,.0f} MB/s | {peak:.0f} MiB |", flush=True)


def floor(folder: Path) -> None:
    rates = []
    for _ in range(ROUNDS):
        begun, total = time.perf_counter(), 0
        for path in folder.glob("pages-*.img"):
            with path.open("rb", buffering=0) as file:
                while piece := file.read(MIB):
                    total += len(piece)
        rates.append(total / 1e6 / (time.perf_counter() - begun))
    print(f"| read the page images only | {statistics.median(rates):,.0f} MB/s | |", flush=True)


def write_huge(folder: Path) -> Path:
    """Write a dump of one process of 64 GiB of zeros."""
    write_dump(folder, {})
    pages = HUGE_GIB << 18
    entries = [entry(n * PAGE, HUGE_RUN, PE_PRESENT | PE_LAZY) for n in range(0, pages, HUGE_RUN)]
    write_map(folder, "pagemap-1.img", 1, entries, b"")
    os.truncate(folder / "pages-1.img", pages * PAGE)
    return folder


def ticked(lab: Lab, serve: str, restore: str) -> tuple[float, float]:
    """Return the seconds until all processes run, and until all pages are there."""
    lines = TICKS.format(serve=serve, restore=f"{restore} --manage-cgroups=ignore >&2")
    begun, first, last = map(float, lab.script(lines).stdout.split()[-3:])
    return first - begun, last - begun


def eagerly(lab: Lab, images: Path) -> tuple[float, float]:
    return ticked(lab, "cd /", "criu restore --restore-detached --images-dir /host/dump")


def by_criu(lab: Lab, images: Path) -> tuple[float, float]:
    folder = "--images-dir /host/dump --work-dir /host"
    serve = f"cd /; criu lazy-pages --daemon {folder}"
    return ticked(lab, serve, f"criu restore --restore-detached --lazy-pages {folder}")


def through_serve(lab: Lab, images: Path, target: str = "", *more: object) -> tuple[float, float]:
    shutil.rmtree(images, ignore_errors=True)
    target = target or f"dir:{lab.host}/dump"
    with serve_program(target, "--images", images, "--once", *more) as program:
        serve, restore = pasted(lab, program).splitlines()
        found = ticked(lab, serve, restore)
        code, errors = program.end()
        assert code == 0, errors
    return found


@contextmanager
def registry_afar(dump: Path) -> Iterator[tuple[FaultServer, str]]:
    """Serve a dump out of a registry that waits before each answer."""
    server = FaultServer()
    try:
        target = in_registry(server, dump)
        server.rules.append(lambda _: time.sleep(DELAY_S))
        yield server, target
    finally:
        server.close()


def from_afar(lab: Lab, images: Path) -> None:
    """Print the same out of a registry, without a working set and with one."""
    (lab.host / "dump/dump.log").unlink(missing_ok=True)
    with registry_afar(lab.host / "dump") as (_, target):
        first, again = [], []
        for number in range(ROUNDS):
            record = lab.host / f"set{number}"
            first.append(through_serve(lab, images, target, "--record", record))
            again.append(through_serve(lab, images, target, "--working-set", record))
    told("from a registry 20 ms away", first)
    told("the same with its working set", again)


def ticks(lab: Lab, images: Path) -> None:
    """Print when a program runs, and when it has all its pages."""
    ways = (through_serve, by_criu, eagerly)
    rounds = [[way(lab, images) for way in ways] for _ in range(ROUNDS)]
    for way, found in zip(ways, zip(*rounds, strict=True), strict=True):
        told(way.__name__.replace("_", " "), found)


def told(what: str, found: Sequence[tuple[float, float]]) -> None:
    first, last = (statistics.median(times) for times in zip(*found, strict=True))
    line = f"| restore {what} | runs after {first:.3f} s | all after {last:.2f} s |"
    print(line, flush=True)


@contextmanager
def own_lab() -> Iterator[Lab]:
    if reason := obstacle() or build():
        sys.exit(reason)
    with tempfile.TemporaryDirectory(prefix="bench", ignore_cleanup_errors=True) as folder:
        made = Lab(Path(folder) / "host", Path(folder) / "storage")
        made.host.mkdir()
        made.storage.mkdir()
        yield made


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a lazy restore.")
    parser.add_argument("--huge", action="store_true", help="serve all of 64 GiB as well")
    huge = parser.parse_args().huge
    print("| task | | |\n| --- | ---: | ---: |")
    with own_lab() as lab:
        lab.script(DUMPED.replace("SIZE", str(SIZE_MIB)), timeout_s=600)
        images = lab.host / "images"
        measured(f"{3 * SIZE_MIB} MiB", lab.host / "dump", images, ROUNDS)
        floor(lab.host / "dump")
        ticks(lab, images)
        from_afar(lab, images)
        if huge:
            measured(f"{HUGE_GIB} GiB", write_huge(lab.host / "huge"), images, 1)


if __name__ == "__main__":
    main()
