"""Where a thread stood, in one line, and its frames in words."""

from __future__ import annotations

import pytest

from ckpt_tui.stacks.frame import Frame
from ckpt_tui.stacks.stack import ThreadStack
from ckpt_tui.stacks.where import where_line, without_arguments
from ckpt_tui.views.stacks import frame_sections, place_text


def native(function: str, module: str = "/usr/bin/a", how: str = "table") -> Frame:
    return Frame("native", 0x1000, function, 4, module, 0x10, how)


def python(function: str, file: str, line: int | None = 1) -> Frame:
    return Frame("python", None, function, None, file, None, "Python", line)


def where(*frames: Frame, blocked_in: str = "") -> str:
    return where_line(ThreadStack(7, "a", blocked_in, frames))


def test_the_innermost_function_comes_first() -> None:
    frames = [native(name) for name in ("epoll_wait", "aeApiPoll", "aeMain", "main", "_start")]
    assert where(*frames, blocked_in="epoll_wait(4, 0)") == "epoll_wait < aeApiPoll < aeMain < main"


def test_the_system_call_stands_before_a_function_of_another_name() -> None:
    frames = native(""), native("pthread_cond_wait"), native("work")
    assert where(*frames, blocked_in="futex(1)") == "futex < pthread_cond_wait < work"


def test_python_hides_the_c_that_runs_it_and_names_lines_of_the_program() -> None:
    frames = (
        native("read"),
        python("readinto", "/usr/lib/python3.13/socket.py", 719),
        native("_PyEval_EvalFrameDefault"),
        python("handle", "/srv/app.py", 112),
    )
    assert where(*frames, blocked_in="read(3)") == "read < socket.readinto < app.py:112 handle"


def test_a_module_of_python_without_a_name_of_its_own_is_called_after_its_folder() -> None:
    assert where(python("info", "/usr/lib/python3.13/logging/__init__.py")) == "logging.info"


def test_guesses_are_not_told() -> None:
    assert where(native("work"), native("old", how="scan")) == "work"


@pytest.mark.parametrize(
    ("blocked_in", "line"), [("wait4(1)", "wait4 in busybox"), ("", "busybox+0x10")]
)
def test_without_names_the_module_stands_for_them(blocked_in: str, line: str) -> None:
    assert where(native("", "/bin/busybox"), blocked_in=blocked_in) == line


def test_names_are_harmless() -> None:
    assert where(native("a\x1b[31m"), blocked_in="x\x07(1)") == "x\\x07 < a\\x1b[31m"


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("ns::run(int, std::pair<a, (b)1>) const", "ns::run"),
        ("std::function<void ()>::operator()", "std::function<void ()>::operator()"),
        ("plain", "plain"),
        (")", ")"),
    ],
)
def test_functions_are_named_without_what_they_take(name: str, short: str) -> None:
    assert without_arguments(name) == short


def test_a_frame_says_what_it_is() -> None:
    handler = Frame("signal", 0x1000, "restore_rt", 0, "/lib/libc.so.6", 0x10, "signal")
    assert place_text(handler) == "restore_rt <signal handler>  libc.so.6"
    assert place_text(native("old", how="scan")).startswith("? old")
    labels = {fact.label for fact in frame_sections(native("f"))[0].facts}
    assert {"function", "module", "address", "found by"} <= labels
