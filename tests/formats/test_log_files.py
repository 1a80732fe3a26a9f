"""Logs are found in files, packed files, archives and folders; what is not a log is said."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
import zstandard

from ckpt_tui.core.errors import UsageError
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.log_files import each_log, holds_log

LOG = b"(00.000000) Version: 4.2 (gitid 0)\nError (criu/cr-dump.c:1): Dumping FAILED.\n"


def tar(compression: str = "", name: str = "dump.log") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{compression}") as archive:
        for path, data in ((f"a/{name}", LOG), ("a/x.png", LOG), ("b/notes.txt", b"nothing\n")):
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/dump.log", LOG)
        archive.writestr("page.txt", b"nothing\n")
    return out.getvalue()


def read(path: Path) -> dict[str, bytes]:
    found = {}
    for name, log in each_log(str(path), quiet()):
        data = log.read() if isinstance(log, io.BufferedIOBase) else log.read(0, log.size)
        found[name.removeprefix(str(path))] = data
    return found


@pytest.mark.parametrize(
    ("name", "data", "inside"),
    [
        ("dump.log", LOG, ""),
        ("dump.log.gz", gzip.compress(LOG), ""),
        ("dump.log.zst", zstandard.compress(LOG), ""),
        ("logs.zip", zipped(), ": a/dump.log"),
        ("logs.tar", tar(), ": a/dump.log"),
        ("logs.tgz", tar("gz"), ": a/dump.log"),
        ("logs.tar.zst", zstandard.compress(tar()), ": a/dump.log"),
    ],
    ids=["plain", "gz", "zst", "zip", "tar", "tgz", "tar.zst"],
)
def test_log_is_read_out_of_what_it_is_in(
    tmp_path: Path, name: str, data: bytes, inside: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert read(path) == {inside: LOG}


def test_folder_gives_each_log_below_it_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "restore.log").write_bytes(LOG)
    (tmp_path / "sub" / "dump.log.gz").write_bytes(gzip.compress(LOG))
    (tmp_path / "notes.txt").write_bytes(b"nothing\n")
    (tmp_path / "inventory.img").write_bytes(LOG)
    assert read(tmp_path) == {"/restore.log": LOG, "/sub/dump.log.gz": LOG}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "It is empty."),
        (b"\n \n", "It has blank lines only."),
        (bytes(range(256)) * 20, "It is binary data and no text."),
        (b"<!DOCTYPE html><html><body>404</body>", "HTML"),
        (b"\x7fELF" + b"x" * 100, "a program"),
        (gzip.compress(gzip.compress(LOG)), "an archive in an archive"),
        (tar(name="dump.img"), "No logs found"),
    ],
    ids=["empty", "blank", "binary", "page", "program", "twice packed", "no logs in it"],
)
def test_what_is_no_log_is_said(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(UsageError) as told:
        read(path)
    assert why in str(told.value)
    assert not holds_log(str(path), quiet())


def test_a_log_with_zeros_where_the_disk_was_full_is_a_log(tmp_path: Path) -> None:
    path = tmp_path / "dump.log"
    path.write_bytes(LOG + bytes(5000))
    assert read(path) == {"": LOG + bytes(5000)}


def test_an_excerpt_without_a_line_of_criu_is_read_but_taken_for_a_log_by_no_other_command(
    tmp_path: Path,
) -> None:
    path = tmp_path / "said"
    path.write_bytes(b"Error: no such container\n")
    assert read(path) == {"": b"Error: no such container\n"}
    assert not holds_log(str(path), quiet())
