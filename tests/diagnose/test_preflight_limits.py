"""Limits and settings of a host that keep a restore from going well."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from breakage import facts_of, findings
from test_requirements import ROOT

from ckpt_tui.diagnose.finding import Finding
from ckpt_tui.diagnose.preflight_limits import descriptor_limits, huge_pages
from crafted import first, rewrite


def by_id(folder: Path, **host: object) -> dict[str, Finding]:
    return {f.id: f for f in findings(folder, host=replace(ROOT, **host))}  # type: ignore[arg-type]


def test_a_higher_limit_of_open_files_than_the_kernel_gives_is_foreseen(counter: Path) -> None:
    limits = descriptor_limits(facts_of(counter))
    assert limits
    most = max(limits.values())
    found = by_id(counter, nr_open=most - 1)["rlimit-restore"]
    assert (found.severity, f"fs.nr_open={most}" in found.cure) == ("may-fail", True)
    assert "rlimit-restore" not in by_id(counter, nr_open=most)


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
    held = ("/etc/criu/runc.conf tcp-established", "/etc/criu/runc.conf log-file")
    found = by_id(sockets, criu_options=held)["criu-option-set"]
    assert found.title == "/etc/criu/runc.conf on the host already has tcp-established"
    assert found.severity == "advice"
    assert "criu-option-set" not in by_id(sockets, criu_options=())
