import io
import tarfile

import pytest

from ckpt_tui.archive.archive_tree import ArchiveTree, open_archive
from ckpt_tui.archive.layers import LayeredTree
from ckpt_tui.archive.tree import ByteRange
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow


def layer(*names: str, **links: str) -> ArchiveTree:
    """A layer: `d/` is a folder, `f=text` a file, keywords are symbolic links."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for name in names:
            name, _, text = name.partition("=")
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
        for name, target in links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return open_archive(BytesWindow(sink.getvalue()), "layer", quiet())


BASE = ("./", "etc/", "etc/passwd=root", "etc/motd=hi", "var/", "var/log/", "var/log/a=aaaa")


def test_upper_files_hide_lower_ones() -> None:
    tree = LayeredTree([layer(*BASE), layer("etc/motd=hello", "etc/new=x")])
    assert tree.window("etc/motd").read(0, 9) == b"hello"
    assert tree.window("etc/passwd").read(0, 9) == b"root"
    assert tree.window("etc/new").read(0, 9) == b"x"
    assert tree.hidden_bytes == (2, 0)


def test_a_whiteout_hides_a_name_and_all_below_it() -> None:
    tree = LayeredTree([layer(*BASE), layer("etc/.wh.motd", ".wh.var")])
    assert list(tree.members) == [".", "etc", "etc/passwd"]
    assert tree.hidden_bytes == (6, 0)


def test_a_whiteout_does_not_hide_its_own_layer_wherever_it_stands() -> None:
    for upper in (("var/=", "var/new=1", ".wh.var"), (".wh.var", "var/=", "var/new=1")):
        tree = LayeredTree([layer(*BASE), layer(*(name.removesuffix("=") for name in upper))])
        assert "var/new" in tree.members
        assert "var/log/a" not in tree.members


def test_an_opaque_folder_shows_only_its_own_layer() -> None:
    tree = LayeredTree(
        [layer(*BASE), layer("var/", "var/.wh..wh..opq", "var/b=1"), layer("var/c=2")]
    )
    assert [name for name in tree.members if name.startswith("var")] == ["var", "var/b", "var/c"]


def test_an_opaque_root_hides_everything_below() -> None:
    tree = LayeredTree([layer(*BASE), layer(".wh..wh..opq", "only=1")])
    assert list(tree.members) == [".", "only"]


def test_a_file_in_place_of_a_folder_hides_what_is_in_it() -> None:
    tree = LayeredTree([layer(*BASE), layer("var=file")])
    assert [name for name in tree.members if name.startswith("var")] == ["var"]
    assert tree.window("var").read(0, 9) == b"file"


def test_a_link_in_place_of_a_folder_hides_what_is_in_it() -> None:
    tree = LayeredTree([layer(*BASE), layer(var="etc")])
    assert tree.members["var"].link == "etc"
    assert "var/log" not in tree.members


def test_a_folder_in_place_of_a_file_is_a_folder() -> None:
    tree = LayeredTree([layer("a=1"), layer("a/", "a/b=2")])
    assert list(tree.members) == ["a", "a/b"]
    assert tree.hidden_bytes == (1, 0)


def test_folders_without_an_entry_can_be_hidden() -> None:
    tree = LayeredTree([layer("a/b/c=1", "a/b/d=2"), layer("a/.wh.b")])
    assert not tree.members


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "d/.wh.."])
def test_whiteouts_of_nothing_are_noted(name: str) -> None:
    tree = LayeredTree([layer(*BASE), layer(name)])
    assert len(tree.members) == 7
    assert "nothing that it could hide" in tree.notes[0]


def test_other_names_of_aufs_mean_nothing() -> None:
    tree = LayeredTree([layer(*BASE), layer(".wh..wh.plnk/", ".wh..wh.aufs")])
    assert len(tree.members) == 7
    assert tree.notes == ()


def test_notes_name_their_layer() -> None:
    assert LayeredTree([layer("a"), layer("../b")]).notes[0].startswith("Layer 2: ../b")


def test_ranges_are_preloaded_from_the_layer_that_is_seen() -> None:
    asked: list[tuple[int, str]] = []
    lower, upper = layer("a=1", "b=2"), layer("a=3")
    for number, tree in enumerate((lower, upper)):
        tree.preload = lambda ranges, progress, number=number: asked.extend(  # type: ignore
            (number, one.name) for one in ranges
        )
    LayeredTree([lower, upper]).preload([ByteRange(name, 0, 1) for name in "abc"], quiet())
    assert sorted(asked) == [(0, "b"), (1, "a")]


def test_a_hundred_layers_of_whiteouts_are_quick_and_empty() -> None:
    names = [f"d/f{number}=x" for number in range(200)]
    hide = [f"d/.wh.f{number}" for number in range(200)]
    tree = LayeredTree([layer(*(names if number % 2 == 0 else hide)) for number in range(60)])
    assert not tree.members
    assert sum(tree.hidden_bytes) == 30 * 200
