"""The tree of the browser without a screen: what is shown, listed, marked, sorted, filtered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ckpt_tui.core.errors import Cancelled, CkptError
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.formats.entries import Entry, Kind
from ckpt_tui.sources.base import Descriptor
from ckpt_tui.views.browse import BrowseRows, is_looked_into, known_sections, line_sections
from ckpt_tui.views.browse_tree import BrowseTree, Line
from ckpt_tui.views.table import plain

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
HERE = Entry(Kind.FOLDER, "here", "/here")
STORE = Entry(Kind.STORE, "podman", "/store", engine="podman")


def archive(name: str, size: int = 1, hours: int = 1) -> Entry:
    path = f"/here/{name}"
    created = WHEN - timedelta(hours=hours)
    return Entry(Kind.ARCHIVE, name, path, path, compression="zstd", size=size, created=created)


def listed(*entries: Entry) -> BrowseTree:
    """Return a tree of one folder with these entries."""
    tree = BrowseTree([HERE])
    arrive(tree, entries)
    return tree


def arrive(tree: BrowseTree, entries: Iterable[Entry]) -> None:
    line = tree.next_to_list()
    assert line is not None
    tree.arrived(tree.collect(line, entries, quiet()))


def names(tree: BrowseTree) -> list[str]:
    return [line.entry.name for _, line in tree.shown]


def named(tree: BrowseTree, name: str) -> Line:
    return next(line for _, line in tree.shown if line.entry.name == name)


def card(line: Line) -> str:
    return "\n".join(plain(fact.value) for one in line_sections(line) for fact in one.facts)


def test_roots_are_listed_one_after_another_but_for_stores() -> None:
    own = Entry(Kind.LAYOUT, "own store", "/own", parts=())
    registries = Entry(Kind.REGISTRIES, "registries", "docker://", parts=())
    tree = BrowseTree([HERE, own, STORE, registries])
    assert [line.is_open for line in tree.roots] == [True, False, False, True]
    first = tree.next_to_list()
    assert first is tree.roots[0]
    tree.arrived([])
    assert tree.next_to_list() is None


def test_what_is_known_to_be_in_an_entry_is_there_at_once() -> None:
    layer = Entry(Kind.PART, "layer", role="layer")
    manifest = Entry(Kind.PART, "manifest", role="manifest", parts=(layer,))
    tree = listed(manifest)
    assert names(tree) == ["here", "manifest", "layer"]
    assert [depth for depth, _ in tree.shown] == [0, 1, 2]


def test_hidden_files_of_a_folder_are_left_out() -> None:
    assert names(listed(archive(".a.tar"), archive("b.tar"))) == ["here", "b.tar"]


def test_what_was_found_so_far_is_shown() -> None:
    tree = BrowseTree([HERE])
    line = tree.next_to_list()
    assert line is not None
    seen: list[list[str]] = []

    def slowly() -> Iterator[Entry]:
        assert not tree.show_arrived()
        for name in ("a.tar", "b.tar"):
            yield archive(name)
            assert tree.show_arrived()
            seen.append(names(tree))

    tree.arrived(tree.collect(line, slowly(), quiet()))
    assert seen == [["here", "a.tar"], ["here", "a.tar", "b.tar"]]


def test_the_lines_of_before_stay_until_a_branch_is_listed_again() -> None:
    tree = listed(archive("a.tar"))
    tree.list_again(tree.roots[0])
    line = tree.next_to_list()
    assert line is not None
    found = tree.collect(line, [archive("b.tar")], quiet())
    assert names(tree) == ["here", "a.tar"]
    tree.arrived(found)
    assert names(tree) == ["here", "b.tar"]


def test_listing_can_be_cancelled_and_is_done_when_asked_again() -> None:
    tree = BrowseTree([HERE, replace(HERE, name="there", path="/there")])
    line = tree.next_to_list()
    assert line is not None
    with pytest.raises(Cancelled):
        tree.collect(line, [archive("a.tar")] * 2, Progress(cancelled=lambda: True))
    line.children = []
    tree.stopped()
    assert line.children is None
    assert tree.next_to_list() is None, "the others are not listed either"
    assert tree.toggle(line)
    assert tree.next_to_list() is line


def test_a_branch_that_is_asked_for_goes_before_the_others_and_costs_none_of_them() -> None:
    there = replace(HERE, name="there", path="/there")
    tree = BrowseTree([HERE, there, STORE])
    first, second, store = tree.roots
    assert tree.next_to_list() is first
    first.children = []
    tree.list_again(store)
    assert first.children is None
    order = []
    while (line := tree.next_to_list()) is not None:
        order.append(line)
        tree.arrived([])
    assert order == [store, first, second]


def test_what_was_found_before_a_stop_stays() -> None:
    tree = BrowseTree([HERE])
    line = tree.next_to_list()
    assert line is not None
    line.children = [Line(archive("a.tar"))]
    tree.stopped()
    assert names(tree) == ["here", "a.tar"]


def test_a_branch_that_cannot_be_listed_says_why_until_it_can() -> None:
    tree = listed(Entry(Kind.FOLDER, "more", "/here/more"))
    more = named(tree, "more")
    assert tree.toggle(more)
    tree.next_to_list()
    tree.failed(CkptError("more cannot be read.", "Permission denied."))
    assert (more.note, more.children) == ("Permission denied.", [])
    assert "Permission denied." in card(more)
    tree.list_again(more)
    arrive(tree, [archive("a.tar")])
    assert (more.note, more.is_open) == ("", True)


@pytest.mark.parametrize("kind", [Kind.ARCHIVE, Kind.IMAGE_ARCHIVE])
def test_an_archive_without_images_opens_all_the_same(kind: Kind) -> None:
    tree = listed(replace(archive("a.tar"), kind=kind))
    line = named(tree, "a.tar")
    assert (line.is_branch, line.can_be_listed) == (kind is Kind.IMAGE_ARCHIVE, True)
    tree.toggle(line)
    tree.next_to_list()
    tree.failed(CkptError("It holds no images."))
    assert (line.children, line.note) == (None, "")


def test_a_branch_is_opened_and_closed_without_being_listed_again() -> None:
    tree = listed(archive("a.tar"))
    root = tree.roots[0]
    assert not tree.toggle(root)
    assert names(tree) == ["here"]
    assert not tree.toggle(root)
    assert names(tree) == ["here", "a.tar"]


def test_lines_find_their_branch_and_the_list_around_them() -> None:
    tree = listed(Entry(Kind.FOLDER, "more", "/here/more"), archive("b.tar"))
    tree.toggle(named(tree, "more"))
    arrive(tree, [archive("a.tar")])
    here, more, inner, last = (line for _, line in tree.shown)
    assert [tree.parent(line) for line in (here, more, inner, last)] == [None, here, more, here]
    assert [tree.list_around(one) for one in (here, more, inner, last)] == [here, more, more, here]
    assert tree.parent(Line(archive("absent.tar"))) is None
    assert tree.line(inner.key) is inner
    assert tree.between(1, 3) == [more, inner]
    assert tree.between(-5, 1) == [here]


def test_a_line_keeps_its_key_when_more_becomes_known() -> None:
    tag = Entry(Kind.TAG, "v1", "docker://r.example/app", "docker://r.example/app:v1")
    tree = listed(tag)
    line = named(tree, "v1")
    key = line.key
    line.entry = replace(tag, kind=Kind.IMAGE, content="image")
    assert line.key == key
    assert tree.index_of(key) == 1


def test_lines_are_filtered_by_every_word_they_show() -> None:
    web = replace(archive("web.tar"), engine="podman")
    tree = listed(web, archive("db.tar"), Entry(Kind.FOLDER, "more", "/here/more"))
    tree.filter("TAR web")
    assert names(tree) == []
    tree.filter("tar podman")
    assert names(tree) == ["web.tar"]
    tree.filter(" ")
    assert len(names(tree)) == 4


def test_the_lines_of_each_branch_are_sorted_and_the_other_way() -> None:
    tree = listed(archive("v10", 30, 1), archive("v9", 500, 3), archive("V1", 7, 2))
    assert tree.sort(0) == (0, False)
    assert names(tree) == ["here", "V1", "v9", "v10"]
    assert tree.sort(0) == (0, True)
    assert names(tree) == ["here", "v10", "v9", "V1"]
    assert tree.sort(1) == (1, False)
    assert names(tree) == ["here", "V1", "v10", "v9"]
    tree.sort(2)
    assert names(tree) == ["here", "v10", "V1", "v9"], "the youngest first"


def test_what_an_image_is_made_of_keeps_its_order() -> None:
    parts = tuple(Entry(Kind.PART, name, role="layer") for name in ("b", "c", "a"))
    tree = listed(Entry(Kind.PART, "manifest", parts=parts))
    tree.sort(0)
    assert names(tree)[2:] == ["b", "c", "a"]


def test_marks_are_in_the_order_of_marking() -> None:
    tree = listed(archive("a"), archive("b"))
    for target in ("/here/b", "/here/a", "/here/b"):
        tree.toggle_mark(target)
    assert tree.marked == ["/here/a"]
    row = BrowseRows(tree)[1]
    assert plain(row.cells[0]) == " ●1 a"
    assert len(BrowseRows(tree)) == 3


def test_a_registry_that_was_added_is_the_last_line_once() -> None:
    known = Entry(Kind.REGISTRY, "a.example", "docker://a.example")
    added = Entry(Kind.REGISTRY, "b.example", "docker://b.example")
    registries = Entry(Kind.REGISTRIES, "registries", "docker://", note="none", parts=(known,))
    tree = BrowseTree([registries])
    tree.add(tree.roots[0], added)
    line = tree.add(tree.roots[0], known)
    assert names(tree) == ["registries", "b.example", "a.example"]
    assert tree.shown[-1][1] is line
    assert tree.roots[0].note == ""


def test_a_row_has_what_is_known() -> None:
    one = Descriptor("application/x", f"sha256:{'a' * 64}", 5)
    entry = Entry(
        Kind.IMAGE, "v1", "/l", "oci:/l:v1", "checkpoint", engine="podman", container="web",
        criu="4.2", descriptor=one, size=2048, optimized=True,
    )  # fmt: skip
    tree = listed(entry, replace(entry, name="v2", optimized=False, size=None, created=WHEN))
    cells = [plain(cell) for cell in BrowseRows(tree)[1].cells]
    assert cells == ["  ▶ v1  podman web CRIU 4.2", "2.00 KiB", "", "optimized", "aaaaaaaaaaaa"]
    assert plain(BrowseRows(tree)[2].cells[3]) == "checkpoint"


@pytest.mark.parametrize(
    ("entry", "looks"),
    [
        (archive("a.tar"), True),
        (archive("a.tar", 300 << 20), False),
        (Entry(Kind.LOG, "dump.log", "/s", "/s/dump.log", "log"), True),
        (Entry(Kind.TAG, "v1", "docker://r/a", "docker://r/a:v1"), False),
        (Entry(Kind.IMAGE, "v1", "/l", "oci:/l:v1", "image"), False),
        (Entry(Kind.IMAGE, "v1", "/l", "oci:/l:v1", "checkpoint"), True),
        (Entry(Kind.IMAGE, "v1", "/l", "oci:/l:v1", problem=CkptError("bad")), False),
        (HERE, False),
    ],
)
def test_only_what_is_small_and_may_be_a_checkpoint_is_looked_into(
    entry: Entry, looks: bool
) -> None:
    assert is_looked_into(entry) == looks


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (HERE, "/here\nEnter lists its entries."),
        (Entry(Kind.REGISTRIES, "registries", "docker://", note="none", parts=()), "none"),
        (Entry(Kind.FOLDER, "a", "/a", parts=()), "/a\nNo checkpoints found."),
        (Entry(Kind.FOLDER, "a", "/a", parts=(HERE, HERE)), "/a\n2 entries"),
        (archive("big.tar", 1 << 30), "big.tar\nLarge: enter opens it"),
        (archive("a.tar"), "a.tar"),
        (Entry(Kind.IMAGE, "v1", "/l", "oci:/l:v1", "image"), "Not marked as a checkpoint"),
        (Entry(Kind.IMAGE, "@x", "/l", descriptor=Descriptor("t", "sha256:x", 1)), "sha256:x\nt"),
        (Entry(Kind.PROBLEM, "bad", problem=CkptError("bad")), "bad"),
    ],
)
def test_the_card_says_what_is_known_of_a_line(entry: Entry, said: str) -> None:
    assert card(Line.of(entry)).startswith(said)


def test_the_card_has_the_annotations_of_a_part_alone() -> None:
    one = Descriptor("application/x", "sha256:x", 5, {"b": "2", "a\x1b": "1"})
    part = Entry(Kind.PART, "layer", role="layer", descriptor=one, size=5)
    facts = [(f.label, f.value) for section in known_sections(part) for f in section.facts]
    assert facts[-3:] == [("size", "5 B"), ("a\\x1b", "1"), ("b", "2")]
    image = Entry(Kind.IMAGE, "v1", "/l", "oci:/l:v1", descriptor=one)
    labels = [f.label for section in known_sections(image) for f in section.facts]
    assert labels == ["target", "digest", "type"]
