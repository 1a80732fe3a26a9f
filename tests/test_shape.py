"""The shape of the code: classes and modules of a readable size, and no circle of imports."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp
import pytest

import ckpt_tui

MOST_METHODS, MOST_CLASS_LINES = 40, 350
"""Of a class together with its bases in the program."""

MOST_MODULE_LINES = 400

TOO_LARGE = frozenset(("ckpt_tui.stacks.itanium._Reader",))
"""Classes above those sizes, as module.Class: to be split. Remove what is split; add nothing."""

TOO_LONG = frozenset(("ckpt_tui.stacks.itanium",))
"""Modules above that size: to be split. Remove what is split; add nothing."""

IN_CIRCLES: frozenset[frozenset[str]] = frozenset()
"""Pairs of modules in a circle, one of which imports the other: to be parted. Add nothing."""


@cache
def modules() -> tuple[str, ...]:
    """Return the names of all modules that a person wrote."""
    found = pkgutil.walk_packages(ckpt_tui.__path__, "ckpt_tui.")
    return tuple(m.name for m in found if not m.name.endswith(("_pb2", "__main__")))


def classes() -> Iterator[type]:
    """Yield each class where it is defined."""
    for name in modules():
        for value in vars(importlib.import_module(name)).values():
            if inspect.isclass(value) and value.__module__ == name:
                yield value


@cache
def size_alone(kind: type) -> tuple[int, int]:
    """Return the numbers of methods and lines in a class's own body."""
    source = inspect.getsource(kind)
    body = ast.parse(textwrap.dedent(source)).body[0]
    assert isinstance(body, ast.ClassDef)
    methods = [
        node for node in body.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return len(methods), source.count("\n")


def size(kind: type) -> tuple[int, int]:
    """Return the numbers of methods and lines of a class and of its bases in the program."""
    ours = [size_alone(base) for base in kind.__mro__ if base.__module__.startswith("ckpt_tui.")]
    return sum(methods for methods, _ in ours), sum(lines for _, lines in ours)


def too_large(sizes: tuple[int, int]) -> bool:
    return sizes[0] > MOST_METHODS or sizes[1] > MOST_CLASS_LINES


def test_the_size_of_a_class_counts_its_bases() -> None:
    from ckpt_tui.ui.screens.job_screen import JobScreen

    methods, lines = size(JobScreen)
    own_methods, own_lines = size_alone(JobScreen)
    assert own_methods >= 1
    assert methods > own_methods + 5
    assert lines > own_lines + 50


def test_no_class_is_too_large() -> None:
    sizes = {f"{kind.__module__}.{kind.__qualname__}": size(kind) for kind in classes()}
    large = {name: found for name, found in sizes.items() if too_large(found)}
    assert len(sizes) > 300
    assert large.keys() - TOO_LARGE == set(), large
    assert TOO_LARGE - large.keys() == set()


def test_no_module_is_too_long() -> None:
    lines = {}
    for name in modules():
        path = Path(str(inspect.getsourcefile(importlib.import_module(name))))
        lines[name] = path.read_text().count("\n")
    long = {name: count for name, count in lines.items() if count > MOST_MODULE_LINES}
    assert long.keys() - TOO_LONG == set(), long
    assert TOO_LONG - long.keys() == set()


def pairs_in_circles(graph: grimp.ImportGraph) -> set[frozenset[str]]:
    """Return the pairs of modules of which one imports the other, which leads back to it."""
    found = set()
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            if module in graph.find_upstream_modules(imported):
                found.add(frozenset((module, imported)))
    return found


def test_a_circle_is_found() -> None:
    graph = grimp.ImportGraph()
    for importer, imported in (("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")):
        graph.add_import(importer=importer, imported=imported)
    assert pairs_in_circles(graph) == {frozenset("bc")}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("ckpt_tui", cache_dir=None)


def test_no_modules_import_each_other(graph: grimp.ImportGraph) -> None:
    assert len(graph.modules) > 200
    circles = pairs_in_circles(graph)
    assert circles - IN_CIRCLES == set()
    assert IN_CIRCLES - circles == set()
