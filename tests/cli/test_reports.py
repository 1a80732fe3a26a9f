"""`inspect`, `images`, `decode` and `sizes`: text for people, JSON for programs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ran import Run

from ckpt_tui.core.known_values import COVER
from crafted import ARCHIVES, DATA, HOSTILE, IMAGES, copied, first, rewrite, set_bytes

DEMO = Path(__file__).parent.parent.parent / "tui/ckpt_tui/demo"
WEB = DEMO / "web.tar.zst"


def test_inspect_gives_the_document_of_the_model(run: Run) -> None:
    found = run("inspect", ARCHIVES / "counter.tar.zst", "--json")
    assert (found.code, found.err) == (0, "")
    document = found.document
    assert document["schema_version"] == 1
    assert document["source"] == str(ARCHIVES / "counter.tar.zst")
    assert document["format"] == {
        "name": "podman archive",
        "engine": "podman",
        "optimized": False,
        "compression": "zstd",
        "locked": False,
        "key_ids": [],
    }
    assert [p["argv"] for p in document["processes"]][1] == ["sleep", "1"]
    assert document["delta"]["written"][0]["path"] == "/tmp/count"


def test_secrets_are_covered_until_they_are_asked_for(run: Run) -> None:
    covered = run("inspect", WEB, "--json").document
    revealed = run("inspect", WEB, "--json", "--reveal").document
    environments = [p["env"] for p in covered["processes"]] + [covered["container"]["environment"]]
    for variables in environments:
        assert f"SECRET_TOKEN={COVER}" in variables
    plain = [v for v in revealed["processes"][0]["env"] if v.startswith("SECRET_TOKEN=")]
    assert plain
    assert COVER not in plain[0]
    secret = plain[0].partition("=")[2]
    assert secret not in json.dumps(covered)
    text = run("inspect", WEB)
    assert secret not in text.out
    assert secret in run("inspect", WEB, "--reveal").out


def test_inspect_prints_every_part(run: Run) -> None:
    found = run("inspect", WEB)
    assert found.code == 0
    for part in ("CONTAINER", "DUMP", "PROCESSES", "PROCESS 8", "FILES", "SOCKETS", "MOUNTS"):
        assert f"\n{part}\n" in found.out
    assert "nc -l -p 5432" in found.out
    assert "127.0.0.1:5432" in found.out
    assert "(deleted)" in found.out


def test_what_is_empty_is_said(run: Run) -> None:
    assert "\nSOCKETS\n  none\n" in run("inspect", ARCHIVES / "counter.tar.zst").out


def test_images_lists_each_with_its_records(run: Run) -> None:
    document = run("images", IMAGES / "kinds", "--json").document
    assert set(document) == {"schema_version", "source", "images"}
    found = {i["name"]: i for i in document["images"]}
    assert found["pstree.img"]["entries"] == 4
    assert set(found["pstree.img"]) == {
        *("name", "kind", "size", "entries", "unknown_fields", "description", "problem"),
    }
    text = run("images", IMAGES / "kinds")
    assert "pstree.img" in text.out
    assert text.err == ""


def test_a_damaged_image_is_narrated_beside_the_list(run: Run, tmp_path: Path) -> None:
    images = copied("counter", tmp_path)
    (images / "mm-1.img").write_bytes((images / "mm-1.img").read_bytes()[:40])
    found = run("images", images)
    assert found.code == 1
    assert found.err.startswith("mm-1.img: mm-1.img is damaged at byte")


def test_decode_names_fields_and_values(run: Run) -> None:
    found = run("decode", IMAGES / "kinds", "core-1.img")
    assert "mtype  X86_64" in found.out
    assert "task_state  running (1)" in found.out
    document = run("decode", IMAGES / "kinds", "core-1.img", "--json").document
    assert set(document) == {
        *("schema_version", "image", "kind", "records", "unknown_fields", "problem", "lines"),
        "entries",
    }
    entry = document["entries"][0]
    assert set(entry) == {"offset", "size", "extra", "problem", "message"}
    assert entry["message"]["tc"]["comm"] == "python3"
    assert entry["message"]["tc"]["task_state_text"] == "running"


def test_decode_tells_images_without_records(run: Run, tmp_path: Path) -> None:
    images = copied("counter", tmp_path)
    found = run("decode", images, "tmpfs-dev-50.tar.gz.img")
    assert re.search(r"\n  d\S+ +0/0 +0 \S+ \S+ \.", found.out)
    document = run("decode", images, "tmpfs-dev-50.tar.gz.img", "--json").document
    assert document["lines"] == [line[2:] for line in found.out.splitlines()[1:]]
    assert document["entries"] == []
    assert "memory of process 1\n" in run("decode", images, "pages-1.img").out


def test_decode_covers_secrets_until_they_are_asked_for(run: Run, tmp_path: Path) -> None:
    images = copied("counter", tmp_path)
    (images / "iptables-1.img").write_text("-A INPUT -m comment --comment password=hunter2\n")
    assert "hunter2" not in run("decode", images, "iptables-1.img").out
    assert "hunter2" in run("decode", images, "iptables-1.img", "--reveal").out


@pytest.mark.parametrize("name", ["core-9.img", "filelocks.img"])
@pytest.mark.parametrize("pretty", [False, True])
def test_decode_in_the_form_of_crit_is_what_crit_prints(run: Run, name: str, pretty: bool) -> None:
    options = ["--crit", *(["--pretty"] if pretty else [])]
    found: Any = run("decode", IMAGES / "kinds", name, *options).document
    suffix = ".pretty.json" if pretty else ".json"
    assert found == json.loads((DATA / "crit/kinds" / f"{name}{suffix}").read_text())


def test_an_image_that_is_not_there_names_those_that_are(run: Run) -> None:
    found = run("decode", IMAGES / "kinds", "core-77.img")
    assert found.code == 2
    assert found.out == ""
    assert "Available images: core-1.img, core-10.img" in found.err


def test_an_image_that_cannot_be_read_is_a_failure(run: Run, tmp_path: Path) -> None:
    images = copied("counter", tmp_path)
    (images / "core-1.img").unlink()
    (images / "core-1.img").mkdir()
    found = run("decode", images, "core-1.img")
    assert (found.code, found.out) == (1, "")
    assert "It is not a regular file." in found.err


def test_sizes_say_where_the_bytes_are(run: Run) -> None:
    document = run("sizes", ARCHIVES / "counter.tar.zst", "--json").document
    sizes = document["sizes"]
    assert set(sizes) >= {"packed", "plain", "components", "images", "processes", "memory", "files"}
    assert sum(s["bytes"] for s in sizes["components"]) == sizes["plain"]
    text = run("sizes", ARCHIVES / "counter.tar.zst").out
    assert "BY COMPONENT" in text
    assert "pages-1.img" in text


def test_layers_of_an_image_are_listed(run: Run) -> None:
    found = run("sizes", DEMO / "counter-optimized.oci.tar", "--json").document["sizes"]["layers"]
    assert [layer["role"] for layer in found][-2:] == ["base", "delta"]
    assert all(layer["digest"].startswith("sha256:") for layer in found)


@pytest.mark.parametrize("words", [("inspect",), ("images",), ("sizes",), ("decode", "files.img")])
def test_no_control_character_of_a_checkpoint_reaches_the_terminal(
    run: Run, tmp_path: Path, words: tuple[str, ...]
) -> None:
    images = copied("kinds", tmp_path)

    def rename(messages: list[Any]) -> None:
        for entry in messages:
            if entry.HasField("reg"):
                set_bytes(entry.reg, "name", b"/" + HOSTILE)

    rewrite(images / "files.img", rename)
    rewrite(images / "core-1.img", first(lambda core: set_bytes(core.tc, "comm", HOSTILE)))
    command, *rest = words
    found = run(command, images, *rest)
    assert found.code == 0
    shown = found.out + found.err
    assert all(c == "\n" or c.isprintable() for c in shown)
    if command != "images" and command != "sizes":
        assert "[kthreadd] [red]x[/]" in shown
    assert run(command, images, *rest, "--json").out.isascii()


@pytest.mark.parametrize("words", [("sizes", "--pages"), ("compare",)])
def test_a_link_in_place_of_an_image_ends_no_command(
    words: tuple[str, ...], tmp_path: Path, run: Run
) -> None:
    images = copied("counter", tmp_path)
    pages = next(images.glob("pages-*.img"))
    pages.unlink()
    pages.symlink_to("/etc/passwd")
    targets = (images, images) if words == ("compare",) else (images,)
    ran = run(words[0], *words[1:], "--json", *targets)
    assert ran.document["schema_version"] == 1
    assert "root:" not in ran.out
