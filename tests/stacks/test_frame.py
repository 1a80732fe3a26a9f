"""Native frames and those of Python in one stack."""

from __future__ import annotations

from ckpt_tui.stacks.frame import Frame, woven
from ckpt_tui.stacks.python_frames import PythonFrame


def native(*functions: str) -> list[tuple[Frame, range]]:
    """Return frames of 16 bytes each, from address 0 on."""
    return [
        (Frame("native", n, name, 0, "/usr/bin/a", n, "table"), range(16 * n, 16 * n + 16))
        for n, name in enumerate(functions)
    ]


def python(name: str, entry: int | None = None) -> PythonFrame:
    return PythonFrame("a.py", name, 1, entry is not None, entry or 0)


def functions(found: list[Frame]) -> list[str]:
    return [frame.function for frame in found]


def test_python_frames_are_put_where_their_mark_is_on_the_stack() -> None:
    calls = [python("inner"), python("outer", 20), python("run", 50)]
    found = list(woven(native("read", "", "call", "", "main"), calls))
    assert functions(found) == ["read", "inner", "outer", "", "call", "run", "", "main"]


def test_without_a_mark_the_name_says_where() -> None:
    calls = [python("inner"), python("outer", 0), python("run", 0)]
    evaluates = "_PyEval_EvalFrameDefault"
    found = list(woven(native("read", evaluates, "call", evaluates, "main"), calls))
    assert functions(found) == [
        "read", "inner", "outer", evaluates, "call", "run", evaluates, "main",
    ]  # fmt: skip


def test_two_marks_in_one_frame_are_kept_in_order() -> None:
    calls = [python("inner", 20), python("outer", 24)]
    found = list(woven(native("read", "both", "main"), calls))
    assert functions(found) == ["read", "inner", "outer", "both", "main"]


def test_what_has_no_place_comes_last() -> None:
    calls = [python("inner", 0x999), python("outer", 20), python("last")]
    found = list(woven(native("read", "main"), calls))
    assert functions(found) == ["read", "main", "inner", "outer", "last"]
