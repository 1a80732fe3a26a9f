"""Limits and settings of a host that keep a restore from going well."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from breakage import facts_of, findings
from test_preflight import share_host
from test_requirements import ROOT

from ckpt_tui.diagnose.finding import Finding
from ckpt_tui.diagnose.preflight_limits import descriptor_limits, huge_pages
from crafted import DATA, first, rewrite


def by_id(folder: Path, **host: object) -> dict[str, Finding]:
    return {f.id: f for f in findings(folder, host=replace(ROOT, **host))}  # type: ignore[arg-type]


def test_a_higher_limit_of_open_files_than_the_kernel_gives_is_foreseen(counter: Path) -> None:
    limits = descriptor_limits(facts_of(counter))
    assert limits
    most = max(limits.values())
    found = by_id(counter, nr_open=most - 1)["rlimit-restore"]
    assert (found.severity, f"fs.nr_open={most}" in found.cure) == ("advice", True)
    assert "rlimit-restore" not in by_id(counter, nr_open=most)
    confined = {"open_files": most - 1, "capabilities": ("CAP_SYS_ADMIN",)}
    assert f"ulimit -Hn {most}" in by_id(counter, **confined)["rlimit-restore"].cure
    assert "rlimit-restore" not in by_id(counter, open_files=most - 1)


def test_huge_pages_that_are_not_free_are_foreseen(kinds: Path) -> None:
    assert huge_pages(facts_of(kinds)) == {}
    image = next(kinds.glob("mm-*.img"))

    def change(mm: object) -> None:
        vma = mm.vmas[0]  # type: ignore[attr-defined]
        vma.flags |= 0x40000
        vma.start, vma.end = 1 << 30, (1 << 30) + (6 << 20)

    rewrite(image, first(change))
    assert huge_pages(facts_of(kinds)) == {2 << 20: 6 << 20}
    found = by_id(kinds, hugepages={"2048": 2})["mem-hugepages"]
    assert found.title == "3 huge pages of 2.00 MiB are needed, 2 are free"
    assert "mem-hugepages" not in by_id(kinds, hugepages={"2048": 3})
    assert "mem-hugepages" not in by_id(kinds, hugepages=None)


def test_an_option_that_the_host_already_has_is_told(sockets: Path) -> None:
    share_host(sockets, "mnt")
    held = ("/root/.criu/default.conf tcp-established", "/etc/criu/default.conf log-file")
    found = by_id(sockets, criu_options=held)["criu-option-set"]
    assert found.title == "/root/.criu/default.conf on the host already has tcp-established"
    assert found.severity == "advice"
    assert "criu-option-set" not in by_id(sockets, criu_options=())


@pytest.mark.parametrize(
    ("runtime", "release", "name", "is_read"),
    [
        ("runc", "1.4", "runc.conf", True),
        ("runc", "1.4", "crun.conf", False),
        ("runc", "1.4", "default.conf", False),
        ("crun", "1.28", "crun.conf", True),
        ("crun", "1.28", "runc.conf", True),
        ("crun", "1.21", "runc.conf", False),
    ],
)
def test_only_the_configuration_that_is_read_is_told(
    counter: Path, runtime: str, release: str, name: str, is_read: bool
) -> None:
    config = json.loads((counter / "config.dump").read_text())
    (counter / "config.dump").write_text(json.dumps(config | {"runtime": runtime}))
    locks = "filelocks.img"
    (counter / "checkpoint" / locks).write_bytes((DATA / "images/kinds" / locks).read_bytes())
    found = by_id(
        counter, criu_options=(f"/etc/criu/{name} file-locks",), runtimes={runtime: release}
    )
    assert ("criu-option-set" in found) == is_read
