"""The form of crit, against what crit itself made of real images."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from criu_images import IMAGES, image

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.criu.crit import to_crit
from ckpt_tui.criu.decode import decode_image
from ckpt_tui.criu.schema import files_pb2, ipc_pb2

OUTPUTS = sorted((IMAGES.parent / "crit").glob("*/*.json"))


def in_crits_form(data: bytes, name: str, *, pretty: bool = False) -> dict[str, object]:
    window = BytesWindow(data)
    return to_crit(decode_image(window, name, quiet()), window, pretty=pretty)


@pytest.mark.parametrize("output", OUTPUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_value_is_what_crit_has(output: Path) -> None:
    name = output.name.removesuffix(".json")
    pretty = name.endswith(".pretty")
    path = IMAGES / output.parent.name / name.removesuffix(".pretty")
    ours = in_crits_form(path.read_bytes(), path.name, pretty=pretty)
    # as text: the order of the fields counts, and True is not 1
    assert json.dumps(ours) == json.dumps(json.loads(output.read_text()))


def test_chunks_carry_their_data_and_the_ghost_none() -> None:
    ghost = files_pb2.ghost_file_entry(uid=0, chunks=True, size=3)
    chunk = files_pb2.ghost_chunk_entry(len=3, off=0)
    found = in_crits_form(image("GHOST_FILE", ghost, chunk, b"abc"), "ghost-file-1.img")
    assert found["entries"] == [
        {"uid": 0, "chunks": True, "size": 3},
        {"len": 3, "off": 0, "extra": "YWJj\n"},
    ]


def test_segments_in_page_maps_do_not_swallow_each_other() -> None:
    segment = ipc_pb2.ipc_shm_entry(size=4096, in_pagemaps=True)
    found = in_crits_form(image("IPCNS_SHM", segment, segment), "ipcns-shm-1.img")
    assert found["entries"] == [{"size": 4096, "in_pagemaps": True, "extra": ""}] * 2


def test_semaphores_follow_the_byte_order_of_the_dump() -> None:
    data = image("IPCNS_SEM", ipc_pb2.ipc_sem_entry(nsems=1), b"\0\7" + bytes(6), order="big")
    assert in_crits_form(data, "ipcns-sem-1.img")["entries"] == [{"nsems": 1, "extra": [7]}]


@pytest.mark.parametrize("name", ["pages-1.img", "unheard-of.img"])
def test_what_has_no_messages_has_no_form(name: str) -> None:
    with pytest.raises(CkptError, match="cannot be decoded"):
        in_crits_form(b"", name)
