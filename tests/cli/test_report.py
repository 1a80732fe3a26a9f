"""`ckpt-tui report`: everything in one document, safe to pass on."""

from __future__ import annotations

import hashlib
import html
import json
import re
from pathlib import Path

import pytest

from ckpt_tui.cli.report import report
from ckpt_tui.cli.report_forms import Block, Report, to_html, to_markdown
from ckpt_tui.core.errors import CkptError, UsageError
from ckpt_tui.core.known_values import reveal_all
from ckpt_tui.demo import demo_folder


def written(name: str, target: Path, folder: Path, *, reveal: bool = False) -> str:
    report(str(target), str(folder / name), reveal)
    return (folder / name).read_text()


@pytest.fixture(autouse=True)
def fixed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")


def test_the_input_and_every_file_have_their_hash(data: Path, tmp_path: Path) -> None:
    target = data / "archives/cri-crio.tar"
    found = json.loads(written("r.json", target, tmp_path))
    assert found["schema_version"] == 1
    assert found["made"] == "2027-01-15T08:00:00Z"
    assert found["input"]["digest"] == f"sha256:{hashlib.sha256(target.read_bytes()).hexdigest()}"
    exhibits = {e["name"]: e for e in found["exhibits"]}
    assert "checkpoint/inventory.img" in exhibits
    assert all(len(e["sha256"]) == 64 for e in exhibits.values())
    assert {"checkpoint", "diagnosis"} <= set(found)


@pytest.mark.parametrize("name", ["r.md", "r.html"])
def test_every_part_has_a_title(data: Path, tmp_path: Path, name: str) -> None:
    text = html.unescape(written(name, data / "archives/cri-crio.tar", tmp_path))
    titles = ("Findings", "Container", "Processes", "Process 1", "Files", "Sockets", "Mounts")
    for title in (*titles, "Root filesystem", "Sizes", "Exhibits"):
        assert re.search(rf"(##|<h2>) ?{title}", text), title


def test_equal_input_gives_an_equal_report(data: Path, tmp_path: Path) -> None:
    target = data / "archives/counter.tar.zst"
    assert written("a.html", target, tmp_path) == written("b.html", target, tmp_path)


@pytest.mark.parametrize("name", ["r.md", "r.html", "r.json"])
def test_secrets_are_covered_unless_asked_for(tmp_path: Path, name: str) -> None:
    with demo_folder() as folder:
        covered = written(name, folder / "web.tar.zst", tmp_path)
        reveal_all(True)  # as the option does
        try:
            revealed = written(f"all-{name}", folder / "web.tar.zst", tmp_path, reveal=True)
        finally:
            reveal_all(False)
    assert "hunter2-demo" not in covered
    assert "hunter2-demo" in revealed


def test_why_the_restore_failed_is_in_it(tmp_path: Path) -> None:
    with demo_folder() as folder:
        text = written("r.md", folder / "web.tar.zst", tmp_path)
    assert "live TCP connections" in text
    assert "--tcp-established" in text


def test_a_file_that_is_there_is_kept(data: Path, tmp_path: Path) -> None:
    kept = tmp_path / "r.md"
    kept.write_text("mine")
    with pytest.raises(CkptError, match="there already"):
        report(str(data / "archives/counter.tar.zst"), str(kept), reveal=False)
    assert kept.read_text() == "mine"


def test_another_suffix_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="suffix"):
        report(str(data / "archives/counter.tar.zst"), str(tmp_path / "r.pdf"), reveal=False)


def test_without_a_file_it_is_markdown_on_stdout(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report(str(data / "archives/counter.tar.zst"), None, reveal=False)
    assert capsys.readouterr().out.startswith("# Checkpoint counter")


HOSTILE = '<script>alert(1)</script> [x](http://e) | ![](i) \x1b[31m `code` "q"'


def test_foreign_text_becomes_no_markup() -> None:
    made = Report(HOSTILE, [("a", HOSTILE)], (Block(HOSTILE, ("A",), [(HOSTILE,)]),))
    page = to_html(made)
    assert "<script" not in page
    assert "\x1b" not in page
    text = to_markdown(made)
    assert "<script" not in text.replace("\\<", "")
    assert "\x1b" not in text
    row = next(line for line in text.splitlines() if line.startswith("| a"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 3, "no cell more than there are"
    assert "](" not in re.sub(r"\\.", "", row)


def test_stacks_are_in_every_form(data: Path, tmp_path: Path) -> None:
    target = data / "archives/counter.tar.zst"
    found = json.loads(written("r.json", target, tmp_path))["stacks"]
    assert [process["pid"] for process in found] == [1, 8]
    assert found[0]["threads"][0]["frames"][0]["address"] == 0x4AE3F5
    for name in ("r.md", "r.html"):
        text = html.unescape(written(name, target, tmp_path))
        assert "Stacks of process 1" in text
        assert "busybox+0x4ae3f5" in text
