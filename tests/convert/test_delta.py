"""The filesystem delta as a layer: the table of the format, and what goes wrong naively."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from layer_order import faults

from ckpt_tui.archive.names import clean_name
from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.convert.delta import DeltaPlan, NewHeader, Verbatim, is_layer, plan_delta
from ckpt_tui.convert.filetree import FileTree, apply_layer, apply_legacy, differences
from ckpt_tui.convert.unpacking import TarEntry
from ckpt_tui.core.errors import CkptError


def folder(name: str, mode: int = 0o755, uid: int = 0) -> Member:
    return Member(name, MemberKind.DIRECTORY, 0, mode=mode, uid=uid)


def file(name: str, size: int = 4, mode: int = 0o644) -> Member:
    return Member(name, MemberKind.FILE, size, mode=mode)


def symlink(name: str, link: str) -> Member:
    return Member(name, MemberKind.SYMLINK, 0, mode=0o777, link=link)


def hardlink(name: str, link: str) -> Member:
    return Member(name, MemberKind.HARDLINK, 0, link=link)


def tar_of(members: Iterable[Member]) -> list[TarEntry]:
    """Lay members out as a tar does: a header of 512 bytes, then the data, padded."""
    entries, position = [], 0
    for member in members:
        end = position + 512 + -(-member.size // 512) * 512
        named = replace(member, name=clean_name(member.name) or member.name)
        entries.append(TarEntry(named, member.name, position, position + 512, end))
        position = end
    return entries


BASE = {
    member.name: member
    for member in (
        folder(".", 0o700),
        folder("bin"),
        file("bin/sh", 900, 0o4755),
        folder("data"),
        folder("data/old", 0o750, 7),
        file("data/old/a"),
        folder("data/old/deep"),
        file("data/old/deep/b"),
        folder("data/gone"),
        file("data/gone/c"),
        folder("etc"),
        file("etc/motd"),
        symlink("lib", "usr/lib"),
        folder("run"),
        file("run/pid"),
        folder("tmp", 0o1777),
        folder("usr"),
        folder("usr/lib"),
        file("usr/lib/x"),
        folder("var"),
        symlink("var/run", "/run"),
        symlink("loop", "loop"),
    )
}


def contents(members: Sequence[Member], sources: Sequence[int | None]) -> list[tuple[Member, str]]:
    return [
        (m, f"tar:{i}" if m.kind is MemberKind.FILE and i is not None else "")
        for m, i in zip(members, sources, strict=True)
    ]


def both_ways(
    tar: Sequence[Member], deleted: Sequence[str] = (), base: dict[str, Member] = BASE
) -> tuple[DeltaPlan, FileTree, FileTree]:
    entries = tar_of(tar)
    plan = plan_delta(entries, deleted, base)
    layer = apply_layer(base, contents(plan.members, plan.sources))
    members = [entry.member for entry in entries]
    expected = apply_legacy(base, contents(members, range(len(members))), deleted)
    return plan, layer, expected


def checked(
    tar: Sequence[Member], deleted: Sequence[str] = (), base: dict[str, Member] = BASE
) -> tuple[list[str], FileTree, DeltaPlan]:
    """Return the names of the layer, the tree it makes, and the plan; both models agree on it."""
    plan, layer, expected = both_ways(tar, deleted, base)
    assert plan.problems == ()
    assert faults(plan.members) == []
    assert differences(expected, layer) == []
    return [member.name for member in plan.members], layer, plan


def test_an_added_file_comes_with_every_folder_above_it_as_the_base_has_them() -> None:
    names, _, plan = checked([file("tmp/x")])
    assert names == [".", "tmp", "tmp/x"]
    assert [m.mode for m in plan.members] == [0o700, 0o1777, 0o644]
    assert plan.facts.added == 1


def test_a_root_without_a_header_in_the_base_is_left_out() -> None:
    base = {name: member for name, member in BASE.items() if name != "."}
    assert checked([file("tmp/x")], base=base)[0] == ["tmp", "tmp/x"]


def test_a_changed_file_link_fifo_and_device_keep_their_headers() -> None:
    tar = [
        file("etc/motd", 9, 0o600),
        Member("etc/pipe", MemberKind.FIFO, 0),
        Member("etc/null", MemberKind.CHARACTER, 0, device=(1, 3)),
        symlink("etc/ln", "motd"),
    ]
    names, tree, plan = checked(tar)
    assert names == [".", "etc", "etc/motd", "etc/pipe", "etc/null", "etc/ln"]
    assert plan.facts.changed == 1
    assert tree.nodes["etc/null"][0].device == (1, 3)


def test_entries_of_the_tar_go_through_as_one_run_of_bytes() -> None:
    _, _, plan = checked([file("tmp/x", 600), file("tmp/y", 1)])
    assert plan.parts[-1] == Verbatim(0, 512 + 1024 + 512 + 512)
    assert all(isinstance(part, NewHeader) for part in plan.parts[:-1])


def test_a_deleted_file_becomes_a_whiteout() -> None:
    names, tree, plan = checked([], ["/etc/motd"])
    assert names == [".", "etc", "etc/.wh.motd"]
    assert "etc/motd" not in tree.nodes
    assert plan.facts.deleted == 1
    assert plan.members[-1].size == 0


def test_a_deleted_name_that_the_base_lacks_becomes_nothing() -> None:
    names, _, plan = checked([], ["/etc/never"])
    assert names == []
    assert plan.facts.absent == ("etc/never",)


def test_a_file_that_is_deleted_and_in_the_tar_stays_as_in_the_tar() -> None:
    names, tree, plan = checked([file("etc/motd", 9)], ["/etc/motd"])
    assert names == [".", "etc", "etc/motd"]
    assert tree.nodes["etc/motd"][0].size == 9
    assert plan.facts.rescued == ("etc/motd",)


def test_a_folder_deleted_and_in_the_tar_is_opaque_and_never_whited_out() -> None:
    names, tree, plan = checked([folder("data/old", 0o700), file("data/old/n")], ["/data/old"])
    assert names == [".", "data", "data/old", "data/old/.wh..wh..opq", "data/old/n"]
    assert "data/old/a" not in tree.nodes
    assert tree.nodes["data/old"][0].mode == 0o700
    assert plan.facts.remade == 1


def test_an_opaque_mark_stands_behind_its_folder_even_inside_the_tar() -> None:
    _, _, plan = checked([file("bin/x"), folder("data/old"), file("data/old/n")], ["/data/old"])
    kinds = [type(part).__name__ for part in plan.parts]
    assert kinds == ["NewHeader", "NewHeader", "NewHeader", "Verbatim", "NewHeader", "Verbatim"]


def test_a_child_of_a_deleted_folder_brings_the_folder_with_the_header_of_the_base() -> None:
    names, tree, plan = checked([file("data/old/n")], ["/data/old"])
    assert names == [".", "data", "data/old", "data/old/.wh..wh..opq", "data/old/n"]
    assert (tree.nodes["data/old"][0].mode, tree.nodes["data/old"][0].uid) == (0o750, 7)
    assert plan.facts.rescued == ("data/old/n",)


def test_names_below_a_deleted_folder_are_dropped() -> None:
    names, _, _ = checked([], ["/data/old", "/data/old/a", "/data/old/deep/b", "/data/old/deep"])
    assert names == [".", "data", "data/.wh.old"]


def test_names_below_a_remade_folder_are_dropped() -> None:
    names, _, _ = checked([file("data/old/n")], ["/data/old", "/data/old/a"])
    assert names == [".", "data", "data/old", "data/old/.wh..wh..opq", "data/old/n"]


def test_a_deletion_through_a_symlink_happens_at_the_real_path() -> None:
    names, tree, _ = checked([], ["/var/run/pid"])
    assert names == [".", "run", "run/.wh.pid"]
    assert "var/run" in tree.nodes


def test_an_entry_through_a_symlink_is_written_at_the_real_path() -> None:
    names, tree, plan = checked([file("var/run/sock"), file("lib/y")])
    assert names == [".", "run", "usr", "usr/lib", "run/sock", "usr/lib/y"]
    assert plan.facts.moved == (("var/run/sock", "run/sock"), ("lib/y", "usr/lib/y"))
    assert tree.nodes["var/run"][0].kind is MemberKind.SYMLINK


def test_a_deleted_symlink_goes_and_its_target_stays() -> None:
    names, tree, _ = checked([], ["/lib"])
    assert names == [".", ".wh.lib"]
    assert "usr/lib/x" in tree.nodes


@pytest.mark.parametrize(
    "name", ["/../../etc/passwd", "", "/", "./", "a\0b", "/etc/.wh.motd", "x/../y"]
)
def test_a_deleted_name_that_no_layer_can_carry_is_refused_by_name(name: str) -> None:
    plan = plan_delta([], [name], BASE)
    assert len(plan.problems) == 1
    assert repr(name) in plan.problems[0]


@pytest.mark.parametrize("name", ["etc/motd", "//etc//motd", "/etc/./motd/"])
def test_a_deleted_name_is_cleaned(name: str) -> None:
    assert checked([], [name])[0] == [".", "etc", "etc/.wh.motd"]


@pytest.mark.parametrize("name", ["../x", "tmp/.wh.x", "tmp/.wh..wh..opq", ".wh.d/x", "a\0"])
def test_an_entry_that_no_layer_can_carry_is_refused_by_name(name: str) -> None:
    plan = plan_delta(tar_of([file(name)]), ["/etc/motd"], BASE)
    assert repr(name) in plan.problems[0]
    assert all(member.name != name for member in plan.members)


def test_the_root_as_an_entry_keeps_its_own_header() -> None:
    names, tree, plan = checked([folder("./", 0o711), file("./tmp/x")])
    assert names == [".", "tmp", "tmp/x"]
    assert tree.nodes["."][0].mode == 0o711
    assert plan.parts[0] == Verbatim(0, 512)


def test_a_folder_of_the_base_that_becomes_a_file_is_replaced() -> None:
    names, tree, _ = checked([file("data/gone")])
    assert names == [".", "data", "data/gone"]
    assert "data/gone/c" not in tree.nodes


def test_a_folder_of_the_base_that_becomes_a_symlink_is_replaced() -> None:
    _, tree, _ = checked([symlink("data/gone", "/tmp")], ["/data/gone"])
    assert tree.nodes["data/gone"][0].kind is MemberKind.SYMLINK
    assert "data/gone/c" not in tree.nodes


def test_a_symlink_of_the_base_that_becomes_a_folder_needs_no_mark() -> None:
    names, tree, _ = checked([folder("lib"), file("lib/y")], ["/lib"])
    assert names == [".", "lib", "lib/y"]
    assert tree.nodes["usr/lib/x"]


def test_a_file_of_the_base_that_became_a_folder_without_an_entry_is_0755_and_said() -> None:
    names, tree, plan = checked([file("etc/motd/x")])
    assert names == [".", "etc", "etc/motd", "etc/motd/x"]
    assert tree.nodes["etc/motd"][0].mode == 0o755
    assert plan.facts.assumed == ("etc/motd",)


def test_a_hard_link_stays_a_link_behind_its_target() -> None:
    names, tree, plan = checked([file("data/h1"), hardlink("data/h2", "data/h1")])
    assert names == [".", "data", "data/h1", "data/h2"]
    assert plan.members[-1].kind is MemberKind.HARDLINK
    assert tree.inodes["data/h1"] == tree.inodes["data/h2"]


def test_a_hard_link_before_its_target_waits_for_it() -> None:
    names, _, plan = checked([hardlink("data/h2", "data/h1"), file("data/h1", 4)])
    assert names == [".", "data", "data/h1", "data/h2"]
    assert isinstance(plan.parts[-1], NewHeader)


def test_a_hard_link_to_a_deleted_name_that_is_in_the_tar_keeps_both() -> None:
    names, _, _ = checked([file("etc/motd"), hardlink("etc/m2", "etc/motd")], ["/etc/motd"])
    assert names == [".", "etc", "etc/motd", "etc/m2"]


@pytest.mark.parametrize(
    "tar",
    [
        [hardlink("data/h", "etc/motd")],
        [hardlink("data/h", "data/never")],
        [hardlink("data/h", "data/h")],
        [hardlink("data/h", "tmp"), folder("tmp")],
        [hardlink("data/h", "../x")],
        [hardlink("a", "b"), hardlink("b", "c"), file("c")],
        [hardlink("b", "a"), hardlink("c", "b"), file("a")],
        [folder("a"), hardlink("b", "a"), file("a", 9)],
    ],
)
def test_a_hard_link_without_a_usable_target_is_refused_by_name(tar: list[Member]) -> None:
    assert any("hard link" in problem for problem in plan_delta(tar_of(tar), [], BASE).problems)


@pytest.mark.parametrize(
    "tar",
    [
        [file("a"), hardlink("b", "a"), file("a", 9)],
        [file("a"), hardlink("b", "a"), hardlink("c", "a"), file("a", 9)],
        [file("a"), hardlink("b", "a"), hardlink("c", "b"), file("b", 9)],
        [file("a"), hardlink("b", "a"), hardlink("c", "b"), file("b", 9), file("a", 9)],
        [file("d/a"), hardlink("b", "d/a"), file("d", 9)],
        [file("a"), hardlink("tmp/d/b", "a"), folder("tmp/d", 0o700), symlink("a", "x")],
        [file("a"), hardlink("b", "a"), file("a", 9), hardlink("c", "a"), hardlink("d", "b")],
        [file("a"), hardlink("a", "a")],
    ],
)
def test_where_a_later_entry_takes_the_name_of_a_file_its_link_becomes_the_file(
    tar: list[Member],
) -> None:
    checked(tar)


def test_of_members_that_come_twice_the_last_one_counts() -> None:
    names, tree, _ = checked([file("tmp/x", 1), file("tmp/y"), file("tmp/x", 700)])
    assert names == [".", "tmp", "tmp/y", "tmp/x"]
    assert tree.nodes["tmp/x"][0].size == 700


def test_a_folder_that_comes_twice_gets_its_last_header_in_its_first_place() -> None:
    names, tree, _ = checked([folder("d"), file("d/x"), folder("d", 0o700)])
    assert names == [".", "d", "d/x"]
    assert tree.nodes["d"][0].mode == 0o700


def test_a_folder_that_comes_after_its_children_is_moved_before_them() -> None:
    names, tree, _ = checked([file("data/old/n"), folder("data/old", 0o711)], ["/data/old/a"])
    assert names == [".", "data", "data/old", "data/old/.wh.a", "data/old/n"]
    assert tree.nodes["data/old"][0].mode == 0o711


def test_a_folder_that_turns_into_a_file_and_back_hides_the_base() -> None:
    names, tree, _ = checked([file("data/old"), folder("data/old"), file("data/old/n")])
    assert names == [".", "data", "data/old", "data/old/.wh..wh..opq", "data/old/n"]
    assert "data/old/a" not in tree.nodes


def test_below_a_folder_that_hides_the_base_nothing_is_whited_out() -> None:
    tar = [file("data/old"), folder("data/old"), file("data/old/n")]
    names, _, _ = checked(tar, ["/data/old/a"])
    assert names == [".", "data", "data/old", "data/old/.wh..wh..opq", "data/old/n"]


def test_a_deletion_whose_name_was_no_text_is_reported() -> None:
    plan = plan_delta([], ["/data/\ufffd"], BASE)
    assert "\ufffd" in plan.notes[0]
    assert plan.problems == ()


def test_mount_points_that_the_engine_made_are_ordinary_entries() -> None:
    names, _, _ = checked([file("etc/hostname", 0), folder("run/secrets")])
    assert names == [".", "etc", "run", "etc/hostname", "run/secrets"]


def test_neither_tar_nor_deletions_make_no_parts() -> None:
    assert plan_delta([], [], BASE).parts == ()


def test_a_symlink_circle_is_refused() -> None:
    plan = plan_delta(tar_of([file("loop/x")]), ["/loop/y"], BASE)
    assert len(plan.problems) == 2
    assert all("circle" in problem for problem in plan.problems)


def test_folders_that_the_base_only_implies_count_as_0755() -> None:
    base = {"opt/app/x": file("opt/app/x")}
    assert checked([], ["/opt/app/x"], base)[0] == ["opt", "opt/app", "opt/app/.wh.x"]


def test_a_tar_that_speaks_of_deletions_itself_is_a_layer_already() -> None:
    entries = tar_of([file("etc/.wh.motd", 0)])
    assert is_layer(entries, [])
    assert not is_layer(entries, ["/etc/motd"])
    assert not is_layer(tar_of([file("etc/motd")]), [])


def test_a_legacy_restore_would_lose_what_was_remade() -> None:
    tar = [(file("data/old/n"), "tar:0")]
    restored = apply_legacy(BASE, tar, [])
    restored.remove("data/old")
    assert "data/old/n" not in restored.nodes
    assert "data/old/n" in apply_legacy(BASE, tar, ["/data/old"]).nodes


NAMES = st.sampled_from([f"{a}{b}{c}" for a in "ab" for b in ("", "/a", "/b") for c in ("", "/c")])
LINKS = st.sampled_from(["a", "/b", "../a", "a/b", "..", "b/a", "c"])


def members(kinds: str) -> st.SearchStrategy[list[Member]]:
    def make(kind: str, name: str, link: str, number: int) -> Member:
        if kind == "l":
            return symlink(name, link)
        if kind == "h":
            return hardlink(name, link.strip("./") or "a")
        return folder(name, 0o700 + number) if kind == "d" else file(name, number)

    return st.lists(
        st.builds(make, st.sampled_from(kinds), NAMES, LINKS, st.integers(0, 7)), max_size=8
    )


def tree_of(made: list[Member]) -> dict[str, Member]:
    tree = FileTree()
    tree.set(".", (folder(".", 0o700), ""))
    for member in made:
        tree.ensure_folders(member.name)
        tree.set(member.name, (member, ""))
    return {name: replace(node[0], name=name) for name, node in tree.nodes.items()}


TREES = st.tuples(members("ddffl"), members("ddfffl")) | st.tuples(
    members("ddff"),
    members("ddfffhh"),  # a hard link to a symlink is one to tar, not to a path
)


@settings(max_examples=400, deadline=None)
@given(TREES, st.lists(NAMES, max_size=4))
@example(([folder("a"), file("a/a")], [file("a"), folder("a"), file("a/b")]), [])
def test_base_and_layer_are_what_the_container_had(
    trees: tuple[list[Member], list[Member]], deleted: list[str]
) -> None:
    base, tar = trees
    plan = plan_delta(tar_of(tar), deleted, tree_of(base))
    if plan.problems:
        assert all("circle" in one or "hard link" in one for one in plan.problems)
        return
    try:
        _, layer, expected = both_ways(tar, deleted, tree_of(base))
    except CkptError as error:  # a link that leads nowhere, of which later entries took the name
        if "hard link" not in str(error) and "circle" not in str(error):
            raise
        return
    assert faults(plan.members) == []
    assert differences(expected, layer) == []


def test_a_link_to_a_file_of_the_base_that_a_later_entry_replaces_is_refused() -> None:
    base = tree_of([file("b/a")])
    plan = plan_delta(tar_of([hardlink("a", "b/a"), file("b/a")]), [], base)
    assert [p for p in plan.problems if "'b/a' of the base image, which a later entry" in p]


@settings(max_examples=200, deadline=None)
@given(members("df"), st.lists(NAMES, max_size=4))
def test_every_byte_of_the_tar_is_copied_at_most_once_and_in_order(
    tar: list[Member], deleted: list[str]
) -> None:
    end = 0
    for part in plan_delta(tar_of(tar), deleted, BASE).parts:
        if isinstance(part, Verbatim):
            assert end <= part.start < part.end
            end = part.end


@pytest.mark.parametrize("device", [(1 << 21, 0), (0, 1 << 40), (-1, 3)])
def test_a_device_number_that_no_header_has_room_for_is_a_problem(device: tuple[int, int]) -> None:
    member = Member("dev/x", MemberKind.CHARACTER, 0, device=device)
    (problem,) = plan_delta(tar_of([member]), [], BASE).problems
    assert "'dev/x'" in problem
    assert "number" in problem
