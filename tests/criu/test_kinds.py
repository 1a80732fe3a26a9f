"""The table of kinds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import ckpt_tui
from ckpt_tui.criu.kinds import KINDS, RECORDS, Payload, kind_of


@pytest.mark.parametrize(
    ("file_name", "kind", "identity"),
    [
        ("core-17.img", "CORE", "17"),
        ("checkpoint/pstree.img", "PSTREE", ""),
        ("pagemap-shmem-2045.img", "SHMEM_PAGEMAP", "2045"),
        ("pagemap-1.img", "PAGEMAP", "1"),
        ("pages-1.img", "PAGES", "1"),
        ("tcp-stream-9a0f.img", "TCP_STREAM", "9a0f"),
        ("tmpfs-dev-50.tar.gz.img", "TMPFS_DEV", "50"),
        ("tmpfs-50.tar.gz.img", "TMPFS_IMG", "50"),
        ("pagemap-shmem--5.img", "SHMEM_PAGEMAP", "-5"),
        ("amdgpu-pages-3-0f2a.img", "AMDGPU_PAGES", "3-0f2a"),
        ("stats-restore", "STATS", ""),
        ("restore.log", "LOG", ""),
    ],
)
def test_a_file_name_gives_kind_and_id(file_name: str, kind: str, identity: str) -> None:
    found = kind_of(file_name)
    assert found is not None
    assert (found[0].name, found[1]) == (kind, identity)


@pytest.mark.parametrize(
    "file_name", ["", "core-.img", "core-1.img.bak", "xcore-1.img", "core-1ximg", "new-kind.img"]
)
def test_other_names_have_no_kind(file_name: str) -> None:
    assert kind_of(file_name) is None


def test_every_message_of_the_table_exists() -> None:
    for kind in KINDS:
        if kind.first:
            assert kind.message_class(0).DESCRIPTOR.name == kind.first.partition(".")[2]
            assert kind.message_class(1).DESCRIPTOR.name in kind.following + kind.first
        assert bool(kind.first) == (kind.format in RECORDS | {Payload.PLUGIN})


def test_no_two_kinds_share_a_name_and_a_pattern() -> None:
    assert len({(kind.name, kind.pattern) for kind in KINDS}) == len(KINDS) == 106


def test_importing_the_table_does_not_import_protobuf() -> None:
    code = "import sys, ckpt_tui.criu.kinds; sys.exit('google.protobuf' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(ckpt_tui.__file__).parent.parent)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
