"""Measures checkpoints made to take too much: `.venv/bin/python tests/bench/millions.py [COUNT]`.

Each is a real checkpoint in which one image has ten million records, or one record ten million
items. Every one is listed, decoded and inspected as a whole. Budget: memory is bounded, nothing
fails, and a note names the file. Needs 1 GB below the folder for temporary files.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent / "tui"), str(TESTS)]

from ckpt_tui.criu.schema import cgroups_pb2, descriptors_pb2, memory_pb2, process_pb2  # noqa: E402
from crafted import IMAGES, encoded, image_of  # noqa: E402

BLOCK = 100_000
"""Records written at a time."""

LIMIT_S = 600


def varint(number: int) -> bytes:
    """Return a number in five bytes, however small."""
    return bytes([number >> shift & 0x7F | 0x80 for shift in (0, 7, 14, 21)] + [number >> 28])


def records(image: Path, head: bytes, record: Callable[[int], bytes], count: int) -> None:
    """Write an image of many records."""
    with open(image, "wb") as file:
        file.write(head)
        for start in range(0, count, BLOCK):
            file.write(b"".join(map(record, range(start, min(start + BLOCK, count)))))


def one_record(image: Path, kind: str, first: bytes, item: bytes, count: int) -> None:
    """Write an image of one record with many equal items in it."""
    with open(image, "wb") as file:
        file.write(image_of(kind) + (len(first) + len(item) * count).to_bytes(4, "little") + first)
        for _ in range(0, count, BLOCK):
            file.write(item * min(BLOCK, count))


def field(number: int, payload: bytes) -> bytes:
    """Return a field of a message in a message."""
    return bytes([number << 3 | 2, len(payload)]) + payload


def many_descriptors(folder: Path, count: int) -> str:
    body = descriptors_pb2.fdinfo_entry(
        flags=0, type=descriptors_pb2.REG
    ).SerializePartialToString()
    head = (len(body) + 12).to_bytes(4, "little") + body

    def record(number: int) -> bytes:
        return head + b"\x08" + varint(number + 1000) + b"\x20" + varint(number)

    records(folder / "fdinfo-2.img", image_of("FDINFO"), record, count)
    return "fdinfo-2.img"


def many_files(folder: Path, count: int) -> str:
    entry = descriptors_pb2.file_entry(type=descriptors_pb2.REG)
    entry.reg.MergeFrom(entry.reg.__class__(flags=0, pos=0, name="/x"))
    body = entry.SerializePartialToString()
    head = (len(body) + 6).to_bytes(4, "little") + body + b"\x10"
    start = (IMAGES / "counter/files.img").read_bytes()
    records(folder / "files.img", start, lambda n: head + varint(n + 1000), count)
    return "files.img"


def many_runs(folder: Path, count: int) -> str:
    body = memory_pb2.pagemap_entry(compat_nr_pages=1, flags=4).SerializePartialToString()
    head = (len(body) + 11).to_bytes(4, "little") + body + b"\x08"
    first = image_of("PAGEMAP", memory_pb2.pagemap_head(pages_id=1))

    def record(number: int) -> bytes:
        address = 0x10000000000 + (number << 13)
        return head + bytes([address >> s & 0x7F | 0x80 for s in range(0, 63, 7)]) + b"\0"

    records(folder / "pagemap-1.img", first, record, count)
    return "pagemap-1.img"


def many_processes(folder: Path, count: int) -> str:
    body = process_pb2.pstree_entry(ppid=1, pgid=1, sid=1).SerializePartialToString()
    head = (len(body) + 6).to_bytes(4, "little") + body + b"\x08"
    start = (IMAGES / "counter/pstree.img").read_bytes()
    records(folder / "pstree.img", start, lambda n: head + varint(n + 1000), count)
    return "pstree.img"


def many_mounts(folder: Path, count: int) -> str:
    start = (IMAGES / "counter/mountpoints-13.img").read_bytes()
    size = int.from_bytes(start[8:12], "little")
    one = start[8 : 12 + size]
    records(folder / "mountpoints-13.img", start, lambda _: one, count // 10)
    return "mountpoints-13.img"


def many_vmas(folder: Path, count: int) -> str:
    item = field(14, memory_pb2.vma_entry(start=1 << 30, end=1 << 31).SerializePartialToString())
    one_record(folder / "mm-1.img", "MM", b"", item, count)
    return "mm-1.img"


def many_threads(folder: Path, count: int) -> str:
    first = process_pb2.pstree_entry(pid=1, ppid=0, pgid=1, sid=1).SerializeToString()
    one_record(folder / "pstree.img", "PSTREE", first, b"\x28\x07", count)
    return "pstree.img"


def many_cgroup_sets(folder: Path, count: int) -> str:
    item = field(1, cgroups_pb2.cg_set_entry(id=2).SerializeToString())
    one_record(folder / "cgroup.img", "CGROUP", b"", item, count)
    return "cgroup.img"


def empty_records(folder: Path, count: int) -> str:
    (folder / "fdinfo-2.img").write_bytes(
        image_of("FDINFO") + encoded(descriptors_pb2.fdinfo_entry()) * count
    )
    return "fdinfo-2.img"


CASES = (
    many_descriptors,
    many_files,
    many_runs,
    many_processes,
    many_mounts,
    many_vmas,
    many_threads,
    many_cgroup_sets,
    empty_records,
)


RUN = """
import json, os, resource, subprocess, sys
out, limit, *line = sys.argv[1:]
with open(out, "wb") as file:
    child = subprocess.Popen(["timeout", limit, *line], stdout=file, stderr=subprocess.PIPE)
    said = child.stderr.read()[-300:].decode(errors="replace")
    child.wait()
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss // 1024, child.returncode, said]))
"""
"""Python, small: what it runs is told to have needed no less memory than itself."""

NOTES = """
import json, sys
for note in json.load(open(sys.argv[1]))["notes"]:
    if sys.argv[2] in note["where"] + note["text"]:
        print(note["text"])
"""


def measured(out: Path, *arguments: str) -> tuple[float, int, int, str]:
    """Return CPU seconds, peak in MiB, exit code and messages of a command."""
    line = [sys.executable, "-m", "ckpt_tui", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent / "tui")}
    whole = [sys.executable, "-c", RUN, str(out), str(LIMIT_S), *line]
    seconds, peak, code, said = json.loads(subprocess.check_output(whole, env=environment))
    return seconds, peak, code, said


def told(out: Path, image: str) -> str:
    """Return what the JSON of `inspect` notes of an image first."""
    whole = [sys.executable, "-c", NOTES, str(out), image]
    return subprocess.check_output(whole, text=True).partition("\n")[0]


def main() -> None:
    count = int(sys.argv[1]) if sys.argv[1:] else 10_000_000
    only = sys.argv[2:]
    for case in CASES:
        if only and case.__name__ not in only:
            continue
        with tempfile.TemporaryDirectory() as folder:
            images = Path(folder) / "checkpoint"
            shutil.copytree(IMAGES / "counter", images)
            for path in (images, *images.iterdir()):
                path.chmod(0o755)
            image = case(images, count)
            out = Path(folder) / "out"
            for words in (("images",), ("decode", image), ("inspect", "--json")):
                command, *rest = words
                seconds, peak, code, said = measured(out, command, str(images), *rest)
                if command == "inspect" and not code:
                    said = told(out, image)
                line = f"{case.__name__:18} {command:8} {seconds:6.1f} s {peak:5} MiB  exit {code}"
                print(line, said.strip().partition("\n")[0].replace(folder, "")[:200], flush=True)


if __name__ == "__main__":
    main()
