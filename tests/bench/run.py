"""Measures the program beside its peers and prints a table: `.venv/bin/python tests/bench/run.py`.

Needs root (for the lab, which has most of the peers), zstd, 6 GB below the folder for temporary
files and some ten minutes; nothing else should run. `--only PART` measures one of archive, decode
and restore alone.

Ours and its peer take turns, three times each, and the best of each counts; files are in the page
cache. What is measured:

open      `ckpt-tui images A`: one pass, all members known, every image read but the memory
convert   into an OCI layout, checked again, against the floor, which is what no converter can go
          without: decompressing and SHA-256 of the plain bytes in a pipe, then zstd -1 with two
          threads of the plain bytes into a file; and against unpacking, `buildah copy`, `commit`
decode    every image of a checkpoint as the JSON that crit prints, against `crit decode` on each
restore   runc from the mounted images, overlay mount included, against podman from the archive

A is 1.2 GiB, half of it packed: see archive.py. Restored is a real checkpoint of 1 GiB of memory.
Peak memory is that of the largest process (getrusage of children); 11 MiB is what measuring takes
and says that it was less. CPU and memory of the restored process itself are not in it.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent / "tui"), str(TESTS), str(TESTS / "e2e")]

import converting  # noqa: E402
import lab as lab_module  # noqa: E402
from lab import Lab  # noqa: E402

from archive import write_archive  # noqa: E402

ROUNDS = 3
MEMORY_MIB, DELTA_MIB = 1088, 128

MEASURE = """
import json, os, subprocess, sys, time
before, command = sys.argv[1:]
quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
subprocess.run(["bash", "-euo", "pipefail", "-c", before], check=True, **quiet)
begun = time.perf_counter()
child = subprocess.Popen(["bash", "-euo", "pipefail", "-c", command], **quiet)
_, status, used = os.wait4(child.pid, 0)
seconds = time.perf_counter() - begun
assert status == 0, command
print(json.dumps([seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""
"""Python: runs a shell command, after another; prints its seconds, CPU seconds and peak in MiB."""

SHA256 = """
import hashlib, sys
found = hashlib.sha256()
while piece := sys.stdin.buffer.read(1 << 20):
    found.update(piece)
"""

DECODE_ALL = """
import json, sys
from pathlib import Path
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.criu.crit import to_crit
from ckpt_tui.criu.decode import decode_image
for path in map(Path, sys.argv[1:]):
    window = BytesWindow(path.read_bytes())
    json.dump(to_crit(decode_image(window, path.name, quiet()), window, pretty=False), sys.stdout)
"""

MOUNTED = """
podman rm -af -t 0; podman rmi -af
podman pull -q {place}:opt; podman pull -q {place}@{rootfs}
images=$(podman image mount {place}:opt)
mkdir -p /run/bundle/rootfs /run/bundle/work /run/bundle/images /run/bundle/overlay
mount -t tmpfs overlay /run/bundle/overlay
mkdir -m 755 /run/bundle/overlay/upper /run/bundle/overlay/work
lower=$(podman image mount {place}@{rootfs})
chmod --reference="$lower" /run/bundle/overlay/upper
echo "$lower" >/run/lower
mount --bind "$images" /run/bundle/images
mount -o remount,ro,bind /run/bundle/images
ip netns add restored 2>/dev/null || :
cat "$images"/checkpoint/*.img >/dev/null
python3 -c {bundle} /run/bundle /run/bundle/images/spec.dump
"""
IN_PLACE = """
cd /run/bundle
mount -t overlay overlay rootfs \
    -o "lowerdir=$(cat /run/lower),upperdir=overlay/upper,workdir=overlay/work"
runc restore --detach --bundle /run/bundle --image-path /run/bundle/images/checkpoint \
    --work-path /run/bundle/work in-place </dev/null
"""
IMPORTED = "podman container restore --import /host/big.tar.zst"


@dataclass(frozen=True)
class Measured:
    seconds: float
    cpu: float
    """Seconds of all processes."""
    peak: float
    """MiB of the largest process."""


@dataclass(frozen=True)
class Command:
    """A shell command to measure, inside the lab or outside, and what to do before it."""

    line: str
    before: str = ""
    lab: Lab | None = None

    def measure(self) -> Measured:
        environment = {**os.environ, "PYTHONPATH": str(TESTS.parent / "tui")}
        if self.lab:
            done = self.lab.run("python3", "-c", MEASURE, self.before, self.line, timeout_s=900)
            return Measured(*json.loads(done.stdout))
        arguments = [sys.executable, "-c", MEASURE, self.before, self.line]
        printed = subprocess.check_output(arguments, env=environment, text=True)
        return Measured(*json.loads(printed))


@dataclass(frozen=True)
class Row:
    what: str
    ours: Command
    peer_name: str
    peer: Command
    budget: float
    """At most so many times the peer's time."""


def best(commands: list[Command]) -> list[Measured]:
    """Measure in turns."""
    rounds = [[command.measure() for command in commands] for _ in range(ROUNDS)]
    return [min(of_one, key=lambda m: m.seconds) for of_one in zip(*rounds, strict=True)]


def program(*arguments: str | Path) -> str:
    return shlex.join([sys.executable, "-m", "ckpt_tui", *map(str, arguments)])


def archive_rows(lab: Lab) -> Iterator[Row]:
    """Opening and converting the generated archive."""
    archive, layout = lab.host / "a.tar.zst", lab.host / "layout"
    write_archive(archive, MEMORY_MIB, DELTA_MIB)
    size = MEMORY_MIB + DELTA_MIB
    opened = Command(program("images", archive))
    yield Row(
        f"open an archive of {size:,} MiB",
        opened,
        "zstd -dc A | tar t",
        Command(f"zstd -dc {archive} | tar t"),
        1.3,
    )
    show = Command("checkpointctl show /host/a.tar.zst", lab=lab)
    yield Row(f"open an archive of {size:,} MiB", opened, "checkpointctl show", show, 0.5)
    base = f"oci-archive:{TESTS / 'data/archives/base-bb.oci.tar'}"
    converted = Command(
        program("convert", archive, f"oci:{layout}:x", "--base", base), f"rm -rf {layout}"
    )
    plain = lab.host / "plain"
    floor = Command(
        f"zstd -dc {archive} | {shlex.join([sys.executable, '-c', SHA256])}"
        f" && zstd -q -1 -T2 -f {plain} -o {plain}.zst",
        f"[ -e {plain} ] || zstd -q -d {archive} -o {plain}",
    )
    yield Row(f"convert {size:,} MiB", converted, "the floor", floor, 1.5)
    buildah = Command(
        "mkdir /host/unpacked; tar -C /host/unpacked -xf /host/a.tar.zst"
        "; c=$(buildah from scratch); buildah copy -q $c /host/unpacked /"
        "; buildah commit -q $c built",
        "rm -rf /host/unpacked; buildah rm -a; buildah rmi -af",
        lab,
    )
    yield Row(f"convert {size:,} MiB", converted, "buildah from, copy, commit", buildah, 0.2)


def decode_rows(lab: Lab) -> Iterator[Row]:
    """Every image of a checkpoint that has one of each kind."""
    images = lab.host / "kinds"
    subprocess.run(["cp", "-r", TESTS / "data/images/kinds", images], check=True)
    refused = lab.run("python3", "/lab/crit-decode-all", "/host/kinds", "/host/decoded").stdout
    for name in refused.split():
        (images / name).unlink()
    names = sorted(path.name for path in images.iterdir())
    ours = shlex.join([sys.executable, "-c", DECODE_ALL, *(str(images / name) for name in names)])
    crit = Command("for i in /host/kinds/*; do crit decode -i $i; done", lab=lab)
    yield Row(f"decode {len(names)} images", Command(ours), "crit decode on each", crit, 0.1)


def restore_rows(lab: Lab) -> Iterator[Row]:
    """A real checkpoint, from the mounted images and from the archive."""
    lab.checkpoint("big")
    with lab.registry() as address:
        place = f"{address}/app/big"
        base = f"oci-archive:{lab.host / 'base-py.oci.tar'}"
        result = converting.convert(
            str(lab.host / "big.tar.zst"), f"docker://{place}:opt", "--base", base
        )
        bundle = shlex.quote(converting.BUNDLE)
        mounted = MOUNTED.format(place=place, rootfs=result["rootfs_digest"], bundle=bundle)
        legacy = "podman rm -af -t 0; podman rmi -af; podman load -q -i /host/base-py.oci.tar"
        yield Row(
            "restore 1 GiB in place",
            Command(IN_PLACE, mounted, lab),
            "podman restore --import",
            Command(IMPORTED, legacy, lab),
            0.1,
        )


def line_of(row: Row) -> str:
    ours, peer = best([row.ours, row.peer])
    ratio = ours.seconds / peer.seconds
    cells = (
        row.what,
        f"{ours.seconds:.2f} s",
        row.peer_name.replace("|", "\\|"),
        f"{peer.seconds:.2f} s",
        f"{ratio:.2f}" + ("" if ratio <= row.budget else " **over**"),
        f"{row.budget:g}",
        f"{ours.cpu:.1f} / {peer.cpu:.1f} s",
        f"{ours.peak:.0f} / {peer.peak:.0f} MiB",
    )
    return f"| {' | '.join(cells)} |"


@contextmanager
def own_lab() -> Iterator[Lab]:
    """A lab in a temporary folder, which is removed with all that is in it."""
    if reason := lab_module.obstacle() or lab_module.build():
        sys.exit(reason)
    with tempfile.TemporaryDirectory(prefix="bench", ignore_cleanup_errors=True) as folder:
        made = Lab(Path(folder) / "host", Path(folder) / "storage")
        made.host.mkdir()
        made.storage.mkdir()
        os.environ["HOME"] = os.environ["XDG_CACHE_HOME"] = folder
        try:
            yield made
        finally:
            clean = "podman rm -af -t 0; find /host /var/lib/containers -mindepth 1 -delete"
            made.run("sh", "-c", clean, check=False)


PARTS: tuple[Callable[[Lab], Iterator[Row]], ...] = (archive_rows, decode_rows, restore_rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the program beside its peers.")
    parser.add_argument("--only", default="", help="archive, decode or restore")
    only = parser.parse_args().only
    print("| what | ours | beside | it takes | ratio | at most | CPU | peak memory |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    with own_lab() as lab:
        for part in PARTS:
            if part.__name__.startswith(only):
                for row in part(lab):
                    print(line_of(row), flush=True)


if __name__ == "__main__":
    main()
