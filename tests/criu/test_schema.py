"""The schema: what is committed is what protoc makes of it."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ckpt_tui
from ckpt_tui.criu.schema import descriptors_pb2, process_pb2, show_pb2

ROOT = Path(ckpt_tui.__file__).parent.parent
SCHEMA = ROOT / "ckpt_tui/criu/schema"
PROTOS = sorted(path.relative_to(ROOT).as_posix() for path in SCHEMA.glob("*.proto"))


def modules() -> list[str]:
    return [f"ckpt_tui.criu.schema.{Path(name).stem}_pb2" for name in PROTOS]


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("grpc_tools")
    folder = tmp_path_factory.mktemp("generated")
    plugin = Path(sys.executable).with_name("protoc-gen-mypy")
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT}", f"--python_out={folder}"]
    command += [f"--plugin={plugin}", f"--mypy_out=quiet:{folder}", *PROTOS]
    subprocess.run(command, check=True, cwd=ROOT, env=dict(os.environ))
    return folder


@pytest.mark.parametrize("name", PROTOS)
@pytest.mark.parametrize("suffix", ["_pb2.py", "_pb2.pyi"])
def test_committed_code_is_what_protoc_generates(name: str, suffix: str, generated: Path) -> None:
    path = name.removesuffix(".proto") + suffix
    assert (ROOT / path).read_bytes() == (generated / path).read_bytes()


def test_every_message_of_criu_is_there() -> None:
    names = {
        message
        for module in modules()
        for message in importlib.import_module(module).DESCRIPTOR.message_types_by_name
    }
    assert len(names - {"Show"}) == 157 + 8


def test_no_field_is_required() -> None:
    for module in modules():
        descriptor = importlib.import_module(module).DESCRIPTOR
        for message in descriptor.message_types_by_name.values():
            for field in message.fields:
                assert not field.is_required, field.full_name


def test_a_field_carries_how_it_is_shown() -> None:
    field = process_pb2.task_core_entry.DESCRIPTOR.fields_by_name["task_state"]
    show = field.GetOptions().Extensions[show_pb2.show]
    assert (show.dict, show.names) == ("gen.task_state", "task_state")


def test_a_path_that_is_no_utf8_survives() -> None:
    entry = descriptors_pb2.file_entry.FromString(b"\x1a\x05\x32\x03a\xffb")
    assert entry.SerializeToString() == b"\x1a\x05\x32\x03a\xffb"
    assert entry.reg.name == b"a\xffb"
