"""Measures the program beside its peers and prints a table: `.venv/bin/python tests/bench/run.py`.

Needs root (for the lab, which has most of the peers), zstd, 6 GB below the folder for temporary
files and some ten minutes; nothing else should run. `--only PART` measures one part alone.

Ours and its peer take turns, three times each, and the best of each counts; files are in the page
cache. What is measured:

open      `ckpt-tui images A`: one pass, all members known, every image read but the memory. Of a
          plain tar no pass is needed, and what counts is opening it in a program that runs already
convert   into an OCI layout, checked again, against the floor, which is what no converter can go
          without: decompressing and SHA-256 of the plain bytes in a pipe, then zstd -1 with two
          threads of the plain bytes into a file; and against unpacking, `buildah copy`, `commit`
registry  opening what was converted, in a registry on this machine, in a program that runs already;
          pulling it into a layout, against `skopeo copy`; and how long the first of 10,000 tags and
          the last one take to be known by name
push      into an empty registry on this machine: a copy of what was converted against `skopeo copy`
          of that; and a conversion against `skopeo copy` of the same checkpoint, as buildah made an
          image of it: from podman's store, where it lies then, and of the same bytes without any
          compression in a folder. Both are packed on the way, by zstd -1 as ours
huge      64 GiB of memory, all zeros, in a plain tar: opened and, once, converted
decode    every image of a checkpoint as the JSON that crit prints, against `crit decode` on each;
          and in one process for each image, by its CPU time, as a loop in a shell does
start     `inspect` and `diagnose` of a small checkpoint
restore   runc from the mounted images, overlay mount included, against podman from the archive:
          all of it, and what is left without the time that CRIU itself says it took. CRIU copies
          the memory of the process in both, and no format can spare it that

A is 1.2 GiB, half of it packed: see archive.py. Restored is a real checkpoint of 1 GiB of memory.
Peak memory is that of the largest process (getrusage of children); 11 MiB is what measuring takes
and says that it was less. CPU and memory of the restored process itself are not in it.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent / "tui"), str(TESTS), str(TESTS / "e2e")]

import converting  # noqa: E402
import lab as lab_module  # noqa: E402
from lab import Lab  # noqa: E402
from measuring import HEAD, Command, Row, Table, cpu, rest, told  # noqa: E402

from archive import write_archive, write_huge  # noqa: E402

MEMORY_MIB, DELTA_MIB = 1088, 128
SIZE = MEMORY_MIB + DELTA_MIB
HUGE_GIB = 64
TAGS = 10_000
HUGE_LIMIT_S = 180
"""Seconds; two digests and the compression of 64 GiB take half of that on the slowest of ours."""
BASE = f"oci-archive:{TESTS / 'data/archives/base-bb.oci.tar'}"
GZIP = "pigz" if shutil.which("pigz") else "gzip"

OPEN = """
import sys, time
from pathlib import Path
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.opened import open_checkpoint
begun = time.perf_counter()
opened = open_checkpoint(sys.argv[1], quiet())
opened.load(quiet())
Path(sys.argv[2]).write_text(str(time.perf_counter() - begun))
"""

LIST = """
import sys, time
from pathlib import Path
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.catalogue import children, place_at
begun = time.perf_counter()
found = [time.perf_counter() - begun for _ in children(place_at(sys.argv[1]), quiet())]
assert len(found) == int(sys.argv[2]) + 1, len(found)
Path(sys.argv[4]).write_text(str(found[0 if sys.argv[3] == "first" else -1]))
"""

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

BUILD = """
mkdir /host/unpacked
tar -C /host/unpacked -xf /host/a.tar.zst
c=$(buildah from scratch)
buildah copy -q $c /host/unpacked /
buildah commit -q $c built
"""
UNBUILD = "rm -rf /host/unpacked; buildah rm -a; buildah rmi -af"

SKOPEO = "skopeo copy -q --dest-tls-verify=false {} {}"
PULL = "skopeo copy -q --all --src-tls-verify=false {} {}"
FORGET = "rm -rf /var/lib/containers/cache"
BUILT = "containers-storage:localhost/built"
PACKED = "--dest-compress-format zstd --dest-compress-level 1"
EMPTY = f"rm -rf /host/registry*/blobs/docker; {FORGET}"
"""Empties the registry, and lets skopeo forget what it has."""

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
IMPORTED = "podman container restore --print-stats --import /host/big.tar.zst >/run/stats.json"
CRIU_TOOK = """
crit show /run/bundle/work/stats-restore >/run/stats.json
python3 -c 'import json; s = json.load(open("/run/stats.json"))["entries"][0]["restore"]
print(s["restore_time"] / 1e6)'
"""
"""CRIU counts in microseconds."""
PODMANS_CRIU_TOOK = """
python3 -c 'import json; s = json.load(open("/run/stats.json"))["container_statistics"][0]
print(s["criu_statistics"]["restore_time"] / 1e6)'
"""


def program(*arguments: str | Path) -> str:
    return shlex.join([sys.executable, "-m", "ckpt_tui", *map(str, arguments)])


def python(text: str, *arguments: str | Path) -> str:
    return shlex.join([sys.executable, "-c", text, *map(str, arguments)])


def archive_in(lab: Lab) -> Path:
    """Return the generated archive, written on the first call."""
    archive = lab.host / "a.tar.zst"
    if not archive.exists():
        write_archive(archive, MEMORY_MIB, DELTA_MIB)
    return archive


def telling(lab: Lab, text: str, *arguments: str | Path) -> Command:
    """Return Python that tells, in a file that it is given last, how long something took."""
    took = lab.host / "seconds"
    return Command(python(text, *arguments, took), after=f"cat {took}")


def open_rows(lab: Lab) -> Iterator[Row]:
    """Opening the generated archive in each compression."""
    archive, plain, packed = archive_in(lab), lab.host / "plain", lab.host / "a.tar.gz"
    subprocess.run(["zstd", "-q", "-d", archive, "-o", plain], check=True)
    pack = f"{GZIP} -1 <{plain} >{packed}"
    subprocess.run(["bash", "-c", pack], check=True)
    what = f"open an archive of {SIZE:,} MiB"
    opened = Command(program("images", archive))
    zstd = Command(f"zstd -dc {archive} | tar t")
    yield Row(f"{what}, zstd", opened, "zstd -dc A | tar t", zstd, 1.3)
    show = Command("checkpointctl show /host/a.tar.zst", lab=lab)
    yield Row(f"{what}, zstd", opened, "checkpointctl show", show, 0.5)
    gzip = Command(f"{GZIP} -dc {packed} | tar t")
    of_gzip = Command(program("images", packed))
    yield Row(f"{what}, gzip", of_gzip, f"{GZIP} -dc A | tar t", gzip, 1.3)
    yield Row(f"{what}, plain tar", telling(lab, OPEN, plain), "", None, 0.2, told)
    packed.unlink()


def convert_rows(lab: Lab) -> Iterator[Row]:
    """Converting the generated archive."""
    archive, plain, layout = archive_in(lab), lab.host / "plain", lab.host / "layout"
    converted = Command(
        program("convert", archive, f"oci:{layout}:x", "--base", BASE), f"rm -rf {layout}"
    )
    floor = Command(
        f"zstd -dc {archive} | {python(SHA256)} && zstd -q -1 -T2 -f {plain} -o {plain}.zst",
        f"[ -e {plain} ] || zstd -q -d {archive} -o {plain}",
    )
    yield Row(f"convert {SIZE:,} MiB", converted, "the floor", floor, 1.5)
    buildah = Command(BUILD, UNBUILD, lab)
    yield Row(f"convert {SIZE:,} MiB", converted, "buildah from, copy, commit", buildah, 0.2)
    lab.script(UNBUILD)
    shutil.rmtree(layout)


def registry_rows(lab: Lab) -> Iterator[Row]:
    """Out of a registry: looked into, pulled, and listed."""
    archive, layout = archive_in(lab), lab.host / "layout"
    with lab.registry() as address:
        place = f"docker://{address}/app/a"
        converting.convert(str(archive), f"{place}:x", "--base", BASE)
        what = f"open {SIZE:,} MiB in a registry"
        yield Row(what, telling(lab, OPEN, f"{place}:x"), "", None, 0.3, told)
        pulled = Command(program("copy", f"{place}:x", f"oci:{layout}:x"), f"rm -rf {layout}")
        clean = f"rm -rf /host/layout; {FORGET}"
        skopeo = PULL.format(f"{place}:x", "oci:/host/layout:x")
        yield Row("pull it", pulled, "skopeo copy", Command(skopeo, clean, lab), 1.3)
        (tags,) = lab.host.glob("registry*/blobs/docker/registry/v2/repositories/app/a/*/tags")
        for number in range(TAGS):
            shutil.copytree(tags / "x", tags / f"tag-{number}")
        for which in ("first", "last"):
            listed = telling(lab, LIST, place, str(TAGS), which)
            yield Row(f"the {which} of {TAGS:,} tags", listed, "", None, 1, told)
    shutil.rmtree(layout)


def push_rows(lab: Lab) -> Iterator[Row]:
    """Into a registry: a layout that was converted before, and the archive itself."""
    archive, layout = archive_in(lab), lab.host / "layout"
    converting.convert(str(archive), f"oci:{layout}:x", "--base", BASE)
    lab.script(BUILD)
    lab.script(f"skopeo copy -q --dest-decompress {BUILT} dir:/host/plain-image")
    with lab.registry() as address:
        place = f"docker://{address}/app/a:x"
        empty = f"rm -rf {lab.host}/registry*/blobs/docker"
        copied = Command(program("copy", f"oci:{layout}:x", place), empty)
        skopeo = Command(SKOPEO.format("--all oci:/host/layout:x", place), EMPTY, lab)
        yield Row("copy the result into a registry", copied, "skopeo copy", skopeo, 1.3)
        what = f"convert {SIZE:,} MiB into a registry"
        converted = Command(program("convert", archive, place, "--base", BASE), empty)
        for name, source in (("store", BUILT), ("folder, plain", "dir:/host/plain-image")):
            peer = Command(SKOPEO.format(f"{PACKED} {source}", place), EMPTY, lab)
            yield Row(what, converted, f"skopeo copy of the same bytes in a {name}", peer, 1.3)
    lab.script(UNBUILD)
    shutil.rmtree(layout)
    shutil.rmtree(lab.host / "plain-image")


def huge_rows(lab: Lab) -> Iterator[Row]:
    """A plain tar of which almost all is a hole."""
    huge, layout = lab.host / "huge.tar", lab.host / "layout"
    write_huge(huge, HUGE_GIB)
    yield Row(f"open a plain tar of {HUGE_GIB} GiB", telling(lab, OPEN, huge), "", None, 0.2, told)
    converted = Command(
        program("convert", huge, f"oci:{layout}:x", "--base", BASE), f"rm -rf {layout}"
    )
    yield Row(f"convert {HUGE_GIB} GiB of zeros", converted, "", None, HUGE_LIMIT_S, rounds=1)
    huge.unlink()
    shutil.rmtree(layout)


def decode_rows(lab: Lab) -> Iterator[Row]:
    """Every image of a checkpoint that has one of each kind."""
    images = lab.host / "kinds"
    subprocess.run(["cp", "-r", TESTS / "data/images/kinds", images], check=True)
    refused = lab.run("python3", "/lab/crit-decode-all", "/host/kinds", "/host/decoded").stdout
    for name in refused.split():
        (images / name).unlink()
    names = sorted(path.name for path in images.iterdir())
    ours = python(DECODE_ALL, *(images / name for name in names))
    crit = Command("for i in /host/kinds/*; do crit decode -i $i; done", lab=lab)
    name = "crit decode on each"
    yield Row(f"decode {len(names)} images", Command(ours), name, crit, 0.1)
    every = Command(program("decode", f"dir:{images}", "--all", "--crit"))
    yield Row("the same, `decode --all`", every, name, crit, 0.2)
    one = (
        f"for i in {images}/*; do {program('decode', f'dir:{images}')} $(basename $i) --crit; done"
    )
    yield Row("the same, a process for each", Command(one), name, crit, 1.2, cpu)


def start_rows(lab: Lab) -> Iterator[Row]:
    """What a person waits for where there is little to read."""
    del lab
    for command in ("inspect", "diagnose"):
        started = Command(program(command, TESTS / "data/archives/counter.tar.zst"))
        yield Row(f"{command} a small archive", started, "", None, 0.2, cpu)


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
        ours = Command(IN_PLACE, mounted, lab, CRIU_TOOK)
        peer = Command(IMPORTED, legacy, lab, PODMANS_CRIU_TOOK)
        name = "podman restore --import"
        yield Row("restore 1 GiB in place", ours, name, peer, 0.1)
        yield Row("the same, all but CRIU itself", ours, name, peer, 0.1, rest)


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


PARTS: tuple[Callable[[Lab], Iterator[Row]], ...] = (
    open_rows,
    convert_rows,
    push_rows,
    registry_rows,
    huge_rows,
    decode_rows,
    start_rows,
    restore_rows,
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the program beside its peers.")
    parser.add_argument("--only", default="", help="open, convert, push, registry, …")
    only = parser.parse_args().only
    print(HEAD)
    table = Table()
    with own_lab() as lab:
        for part in PARTS:
            if part.__name__.startswith(only):
                for row in part(lab):
                    print(table.line(row), flush=True)


if __name__ == "__main__":
    main()
