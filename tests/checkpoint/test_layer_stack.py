"""Who added, changed and deleted what, and what is carried along for nothing."""

from __future__ import annotations

from ckpt_tui.archive.tree import Member, MemberKind, Tree
from ckpt_tui.checkpoint.layerstack import LayerFile, StackLayer, delta_tree, stacked
from ckpt_tui.checkpoint.model import Delta, DeltaEntry


def layer(**files: int | None) -> tuple[StackLayer, Tree]:
    """A layer with files of these sizes; None is a directory."""
    members = {
        name: Member(name, MemberKind.FILE if size is not None else MemberKind.DIRECTORY, size or 0)
        for name, size in files.items()
    }
    return StackLayer("base"), Tree(members)


def test_a_file_that_comes_again_is_changed_and_the_first_one_wasted() -> None:
    lower, upper = stacked([layer(a=10, b=5), layer(a=7)])
    assert lower.files == (LayerFile("a", "added", 10, 1), LayerFile("b", "added", 5))
    assert upper.files == (LayerFile("a", "changed", 7),)
    assert (lower.wasted, lower.plain, upper.wasted) == (10, 15, 0)


def test_a_whiteout_deletes_and_hides_all_below_it() -> None:
    one = layer(**{"d": None, "d/x": 3, "d/y": 4, "e": 1})
    lower, upper, top = stacked([one, layer(**{".wh.d": 0}), layer(**{"e/.wh..wh..opq": 0})])
    assert [(f.path, f.hidden_by) for f in lower.files] == [("d/x", 1), ("d/y", 1), ("e", None)]
    assert upper.files == (LayerFile("d", "deleted"),)
    assert top.files == (LayerFile("e", "deleted"),)
    assert lower.counts == {"added": 3}
    assert upper.counts == {"deleted": 1}


def test_the_delta_of_a_legacy_checkpoint_is_the_highest_layer() -> None:
    delta = Delta(
        "files",
        (
            DeltaEntry("/etc/motd", "deleted", ""),
            DeltaEntry("/etc/conf", "written", "file", 9),
            DeltaEntry("/data", "deleted", "what was in the directory before"),
        ),
    )
    base = layer(**{"etc/motd": 2, "etc/conf": 3, "data/old": 8})
    lower, upper = stacked([base, (StackLayer("delta"), delta_tree(delta))])
    assert lower.wasted == 2 + 3 + 8
    assert upper.files == (
        LayerFile("etc/motd", "deleted"),
        LayerFile("etc/conf", "changed", 9),
        LayerFile("data", "deleted"),
    )
