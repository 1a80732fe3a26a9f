"""Every `--json`: what it prints is what its schema in docs/schema says, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ran import Run
from referencing import Registry, Resource

from ckpt_tui.cli.commands import cli
from containerd_store import unpack
from crafted import ARCHIVES, DATA, IMAGES
from fault_server import Answer, FaultServer
from lazy_dumps import serve_program
from served import legacy

SCHEMAS = Path(__file__).parents[2] / "docs/schema"
DEMO = Path(__file__).parents[2] / "tui/ckpt_tui/demo"
COUNTER, ROOTFS, CRIO = (
    ARCHIVES / n for n in ("counter.tar.zst", "rootfs.tar.zst", "cri-crio.tar")
)
BASE = ARCHIVES / "base-bb.oci.tar"
CHECKPOINTS = (
    IMAGES / "kinds",
    IMAGES / "sockets",
    COUNTER,
    ROOTFS,
    CRIO,
    ARCHIVES / "cri-containerd-cri.tar",
    DATA / "demo-web/web.tar.zst",
    DATA / "ctr-counter",
    DEMO / "counter-optimized.oci.tar",
)


def load(name: str) -> Any:
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text())


def closed(schema: Any) -> Any:
    """Return the schema with no room for keys that it does not describe."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        made["additionalProperties"] = False
        made["patternProperties"] = {"_base64$": {"type": "string"}}
    return made


REGISTRY: Registry[Any] = Registry().with_resources(
    (path.name, Resource.from_contents(closed(json.loads(path.read_text()))))
    for path in SCHEMAS.glob("*.json")
)


def faults(name: str, document: object) -> list[str]:
    """Return what is wrong with a document, the deepest fault of each."""
    validator = Draft202012Validator(closed(load(name)), registry=REGISTRY)
    return [
        f"{fault.json_path}: {fault.message[:200]}"
        for error in validator.iter_errors(document)
        for fault in (error.context or [error])
    ]


@pytest.mark.parametrize("path", sorted(SCHEMAS.iterdir()), ids=lambda path: path.name)
def test_a_schema_is_one(path: Path) -> None:
    schema = json.loads(path.read_text())
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == path.name


def test_every_command_with_json_has_a_schema() -> None:
    printing = {n for n, c in cli.commands.items() if "as_json" in {p.name for p in c.params}}
    assert {path.name.partition(".")[0] for path in SCHEMAS.iterdir()} == {
        *printing,
        "host",  # these print nothing else
        "report",
    }


@pytest.mark.parametrize("target", CHECKPOINTS, ids=lambda path: path.name)
@pytest.mark.parametrize("command", ["inspect", "images", "sizes", "diagnose", "formats", "verify"])
def test_what_is_printed_of_a_checkpoint(command: str, target: Path, run: Run) -> None:
    assert faults(command, run(command, target, "--json").document) == []


@pytest.mark.parametrize(
    "words",
    [
        ("sizes", COUNTER, "--pages", "--with", ROOTFS, "--json"),
        ("sizes", ROOTFS, "--layers", "--base", BASE, "--json"),
        ("sizes", BASE, "--json"),
        ("compare", COUNTER, ROOTFS, "--json"),
        ("compare", IMAGES / "kinds", IMAGES / "sockets", "--json"),
        ("compare", COUNTER, ARCHIVES / "cri-podman.tar", ROOTFS, "--json"),
        ("convert", COUNTER, "--base", BASE, "--dry-run", "--json"),
        ("convert", IMAGES / "kinds", "--dry-run", "--json"),
        ("diagnose", DATA / "demo-web/web.tar.zst", "--base", DEMO / "base-bb.oci.tar", "--json"),
        ("diagnose", COUNTER, "--host", "this", "--json"),
        ("stacks", COUNTER, "--base", BASE, "--json"),
        ("stacks", IMAGES / "kinds", "--json"),
        ("host",),
        ("ls", DATA, "--json"),
        ("ls", DATA / "ctr-counter", "--json"),
        ("ls", DATA / "containers-storage", "--json"),
    ],
    ids=lambda words: " ".join(str(getattr(word, "name", word)) for word in words),
)
def test_what_a_command_prints(words: tuple[object, ...], run: Run) -> None:
    assert faults(str(words[0]), run(*words).document) == []


def test_every_match_of_a_search(run: Run) -> None:
    for line in run("search", "--regex", "[a-z]{3}", COUNTER, "--json").out.splitlines()[::50]:
        assert faults("search", json.loads(line)) == []


def test_every_secret(run: Run) -> None:
    for line in run("secrets", DATA / "demo-web/web.tar.zst", "--json").out.splitlines():
        assert faults("secrets", json.loads(line)) == []


def test_every_image(run: Run) -> None:
    for path in sorted(IMAGES.glob("*/*.img")):
        if not path.name.startswith("pages-"):
            document = run("decode", path.parent, path.name, "--json").document
            assert faults("decode", document) == [], path


def test_every_log(run: Run) -> None:
    for path in sorted(DATA.glob("failed/*/*.log")):
        document = run("diagnose", "--log", path, "--json").document
        assert faults("diagnose", document) == [], path


def test_what_is_written(run: Run, tmp_path: Path) -> None:
    layout, back = f"oci:{tmp_path / 'layout'}:a", tmp_path / "back.tar"
    done = run("convert", COUNTER, layout, "--base", BASE, "--json").document
    assert faults("convert", done) == []
    assert (
        faults("convert", run("convert", layout, back, "--to", "archive", "--json").document) == []
    )
    copied = run("copy", layout, f"oci:{tmp_path / 'other'}:a", "--json").document
    assert faults("copy", copied) == []
    core = run("core", COUNTER, "--pid", 1, "-o", tmp_path / "core", "--json").document
    assert faults("core", core) == []
    run("report", CRIO, "-o", tmp_path / "report.json")
    assert faults("report", json.loads((tmp_path / "report.json").read_text())) == []


def test_what_serve_prints(tmp_path: Path) -> None:
    with serve_program(COUNTER, "--images", tmp_path / "lazy") as program:
        assert faults("serve", program.document) == []


def test_what_registries_and_stores_hold(run: Run, server: FaultServer, tmp_path: Path) -> None:
    target = legacy(server, "plain")
    descriptor = {"mediaType": "a/b", "digest": f"sha256:{'0' * 64}", "size": 7}
    server.always(
        "GET", "/referrers/", Answer(body=json.dumps({"manifests": [descriptor]}).encode())
    )
    for place in (f"docker://{server.host}", f"docker://{server.host}/app", target):
        assert faults("ls", run("ls", place, "--json").document) == []
    assert faults("ls", run("ls", unpack(tmp_path / "containerd"), "--json").document) == []
    assert faults("inspect", run("inspect", target, "--json").document) == []


@pytest.mark.parametrize(
    ("key", "value"), [("images", 3), ("source", None), ("images", [{"name": "x"}]), ("extra", 1)]
)
def test_a_change_of_the_output_is_seen(key: str, value: object, run: Run) -> None:
    document = run("images", COUNTER, "--json").document
    assert faults("images", {**document, key: value}) != []
    assert faults("images", {k: v for k, v in document.items() if k != "images"}) != []


def test_what_is_printed_of_a_layout_that_is_cleaned_up(run: Run, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    run("copy", f"oci-archive:{BASE}", f"oci:{layout}:base")
    assert faults("gc", run("gc", layout, "--dry-run", "--json").document) == []
    removed = run("rm", f"oci:{layout}:base", "--json").document
    assert faults("rm", removed) == []
    assert removed["names"] == ["base"]
    lines = run("rm", f"oci:{layout}:a", f"oci:{layout}:b", "--json")
    assert (lines.code, lines.out) == (2, "")
