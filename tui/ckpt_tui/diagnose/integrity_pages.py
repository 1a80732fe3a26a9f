"""Do the page maps and the page images fit each other? After criu/pagemap.c."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ckpt_tui.archive.tree import MemberKind
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.text import human_bytes
from ckpt_tui.criu.pages import MAX_RUNS, PE_PARENT, PageMap
from ckpt_tui.diagnose.facts import Facts
from ckpt_tui.diagnose.finding import Evidence, Finding
from ckpt_tui.diagnose.integrity_presence import AGAIN


def page_images(facts: Facts) -> Iterator[Finding]:
    """Each page image is as long as its page map says.

    CRIU does not compare them. A short one makes CRIU 4.2 fail late, or read nothing for ever.
    """
    if facts.encrypted or facts.checkpoint.criu.compressed_pages:
        return
    for page_map in facts.each(facts.page_maps.values()):
        if page_map.problem or page_map.pages_id is None:
            continue
        name = f"pages-{page_map.pages_id}.img"
        page_size = facts.checkpoint.criu.page_size
        expected = page_map.present * page_size
        if name not in facts.images:
            if expected:
                yield _no_pages(name, page_map, expected)
            continue
        actual = facts.tree.members[facts.images.member_name(name)].size
        proof = Evidence(page_map.size_problem(actual, page_size), Ref.image(page_map.name))
        if actual < expected:
            yield _short(name, expected - actual, proof)
        elif actual > expected:
            yield _long(name, actual - expected, page_size, proof)


def _short(name: str, missing: int, proof: Evidence) -> Finding:
    return Finding(
        "pages-data-bad",
        "fails",
        "certain",
        f"{name} is cut short by {human_bytes(missing)}",
        'CRIU 4.2 does not see it at the start: it fails late with "Can\'t read mapping page", or '
        "spins for ever and fills the disk with its log.",
        "Do not restore it. Copy the checkpoint again, and look for a full disk where it was made.",
        name,
        (proof, Evidence(name, Ref.image(name))),
    )


def _long(name: str, extra: int, page_size: int, proof: Evidence) -> Finding:
    """Whole pages that nothing names are missed in memory; a few bytes more are no page."""
    return Finding(
        "pages-data-bad",
        "fails" if extra >= page_size else "may-fail",
        "likely",
        f"{name} is {human_bytes(extra)} longer than its page map says",
        "Page map and page image may be of two dumps: the memory would be restored wrong.",
        AGAIN,
        name,
        (proof, Evidence(name, Ref.image(name))),
    )


def _no_pages(name: str, page_map: PageMap, expected: int) -> Finding:
    return Finding(
        "img-missing",
        "fails",
        "certain",
        f"{name} is missing: {human_bytes(expected)} of memory",
        "The memory of the process is not in this checkpoint. A dump to a page server leaves it "
        "on the other machine.",
        "Copy the checkpoint again, with the page images of the page server if there was one.",
        name,
        (Evidence(f"{page_map.name} names it", Ref.image(page_map.name)),),
    )


def page_runs(facts: Facts) -> Iterator[Finding]:
    """Page maps name a page image each, and their runs ascend without overlapping."""
    owners: defaultdict[int, list[str]] = defaultdict(list)
    for page_map in facts.each(facts.page_maps.values()):
        if page_map.pages_id is not None:
            owners[page_map.pages_id].append(page_map.name)
        problem = "" if page_map.problem.endswith("left out.") else page_map.problem
        if facts.is_readable(page_map.name) and "ascend" not in problem:
            problem = ""  # the check of records tells about the rest
        problem = problem or _overlap(facts, page_map)
        if problem:
            yield _inconsistent(page_map.name, "Its runs of pages are out of order", problem)
    for pages_id, names in owners.items():
        if len(names) > 1:
            proof = f"{', '.join(names[:3])} all name pages-{pages_id}.img"
            yield _inconsistent(names[1], "Two page maps name the same page image", proof)


def _overlap(facts: Facts, page_map: PageMap) -> str:
    end = 0
    for run in facts.each(page_map.runs):
        if run.start < end:
            return f"The run at {run.start:#x} overlaps the one before it, which ends at {end:#x}."
        end = run.start + run.pages * facts.checkpoint.criu.page_size
    return ""


def _inconsistent(name: str, title: str, proof: str) -> Finding:
    return Finding(
        "img-inconsistent",
        "fails",
        "likely",
        title,
        "CRIU would put pages where they do not belong, or stop.",
        AGAIN,
        name,
        (Evidence(proof, Ref.image(name)),),
    )


def pages_in_regions(facts: Facts) -> Iterator[Finding]:
    """No page lies outside of every mapping of its process: CRIU stops at one that does."""
    regions: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for pid, vma in facts.regions:
        regions[pid].append((vma.start, vma.end))
    for pid, ranges in regions.items():
        page_map = facts.page_maps.get(f"pagemap-{pid}.img")
        if page_map is None or len(page_map) >= MAX_RUNS:
            continue
        address = _outside(facts, page_map, sorted(ranges))
        if address is not None:
            yield Finding(
                "pages-data-bad",
                "fails",
                "likely",
                f"Process {pid} has a page at {address:#x} that no mapping covers",
                "CRIU stops at a page outside of the memory map.",
                AGAIN,
                page_map.name,
                (Evidence(f"memory map of process {pid}", Ref.process(pid)),),
            )


def _outside(facts: Facts, page_map: PageMap, ranges: list[tuple[int, int]]) -> int | None:
    """Return the first address of a page that is in no range; both are sorted."""
    at = 0
    for run in facts.each(page_map.runs):
        address = run.start
        end = run.start + run.pages * facts.checkpoint.criu.page_size
        while address < end:
            while at < len(ranges) and ranges[at][1] <= address:
                at += 1
            if at == len(ranges) or ranges[at][0] > address:
                return address
            address = ranges[at][1]
    return None


def arguments(facts: Facts) -> Iterator[Finding]:
    """The arguments of each process can be read from its pages, as they can in a healthy dump."""
    if any(m.parent or m.lazy for m in facts.page_maps.values()) or facts.encrypted:
        return
    for process in facts.checkpoint.processes:
        page_map = facts.page_maps.get(f"pagemap-{process.pid}.img")
        whole = page_map is not None and not page_map.problem and _fits(facts, page_map)
        if process.state == "zombie" or process.argv is not None or not whole:
            continue
        notes = [n.text for n in facts.checkpoint.notes if f"arguments of {process.pid} " in n.text]
        if notes:
            yield Finding(
                "no-arguments",
                "advice",
                "possible",
                f"The arguments of process {process.pid} are not in its pages",
                "The stack page that holds them was not dumped, which is unusual.",
                "Compare the page map with the memory map of the process.",
                f"mm-{process.pid}.img",
                (Evidence(notes[0], Ref.process(process.pid)),),
            )


def _fits(facts: Facts, page_map: PageMap) -> bool:
    """Tell whether a page image is as long as its page map says; unknown for compressed ones."""
    if facts.checkpoint.criu.compressed_pages:
        return True
    actual = facts.images.size(f"pages-{page_map.pages_id}.img")
    return not page_map.size_problem(actual, facts.checkpoint.criu.page_size)


def parent_chain(facts: Facts) -> Iterator[Finding]:
    """Pages left to the previous dump are at hand: the link `parent` leads to them."""
    waiting = [m for m in facts.page_maps.values() if m.parent]
    link = facts.tree.members.get(facts.images.member_name("parent"))
    if not waiting:
        return
    if link is None or link.kind not in (MemberKind.SYMLINK, MemberKind.DIRECTORY):
        yield _no_parent(waiting[0], "there is no link `parent` to the previous dump")
        return
    previous = facts.images.previous
    for page_map in facts.each(waiting):
        if previous is None or page_map.name not in previous:
            target = link.link or "parent"
            yield _no_parent(page_map, f"`parent` leads to {target}, which has no {page_map.name}")
            return


def _no_parent(page_map: PageMap, proof: str) -> Finding:
    first = next((run for run in page_map.runs if run.flags & PE_PARENT), None)
    at = f"from {first.start:#x} on" if first else ""
    return Finding(
        "pagemap-parent-missing",
        "fails",
        "likely",
        "Pages lie in a previous dump that is not at hand",
        f"{page_map.name} leaves {page_map.parent} pages {at} to the dump before this one.",
        "Restore with the previous dump too: "
        "`podman container restore --import-previous PRE.tar.zst --import LAST.tar.zst`; of a bare "
        "directory keep the relative link `parent` and the folder it leads to.",
        page_map.name,
        (Evidence(proof, Ref.image(page_map.name)),),
    )


def lazy_pages(facts: Facts) -> Iterator[Finding]:
    """Pages that a lazy-pages server still holds are nowhere here."""
    lazy = [m for m in facts.page_maps.values() if m.lazy]
    if lazy:
        total = sum(m.lazy for m in lazy) * facts.checkpoint.criu.page_size
        yield Finding(
            "lazy-pages",
            "may-fail",
            "certain",
            f"{human_bytes(total)} of memory are left with a lazy-pages server",
            "They are in no file here. Without the server that serves this very dump the restored "
            "processes block at the first such page.",
            "Restore while the source still runs `criu dump --lazy-pages`, with "
            "`criu lazy-pages --page-server` beside and `--lazy-pages` at the restore.",
            lazy[0].name,
            tuple(Evidence(m.name, Ref.image(m.name)) for m in lazy[:5]),
        )
