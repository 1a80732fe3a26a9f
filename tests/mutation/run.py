"""Change the program at random and see whether the tests notice:

    python tests/mutation/run.py criu convert --count 20 --seed 7

Each mutant has one change in one module of a package: a comparison, a negated condition, `and` for
`or`, plus for minus, or `return None`. A copy of the tree is tested with the package's own tests. A
mutant that no test notices is printed, for a person to decide whether it differs at all.
"""

from __future__ import annotations

import argparse
import ast
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PACKAGES = Path("tui/ckpt_tui")
TIMEOUT_S = 300
"""Seconds until a mutant counts as noticed, because its tests did not end."""

COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
}
SIGNS: dict[type[ast.operator], tuple[str, str]] = {ast.Add: ("+", "-"), ast.Sub: ("-", "+")}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one module: bytes `start` to `end` become `text`."""

    module: Path
    line: int
    start: int
    end: int
    text: str

    def applied(self, source: bytes) -> bytes:
        return source[: self.start] + self.text.encode() + source[self.end :]


class _Finder(ast.NodeVisitor):
    """Collects the changes that a module allows, leaving out annotations."""

    def __init__(self, module: Path, source: bytes) -> None:
        self.module, self.source, self.found = module, source, list[Mutant]()
        lines = source.splitlines(keepends=True)
        self._starts = [sum(map(len, lines[:number])) for number in range(len(lines) + 1)]

    def _span(self, node: ast.expr) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self._starts[node.lineno - 1] + node.col_offset,
            self._starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def _add(self, line: int, start: int, end: int, text: str) -> None:
        self.found.append(Mutant(self.module, line, start, end, text))

    def _operator(self, left: ast.expr, right: ast.expr, pair: tuple[str, str]) -> None:
        start, end = self._span(left)[1], self._span(right)[0]
        at = self.source.find(pair[0].encode(), start, end)
        if at >= 0:
            self._add(left.lineno, at, at + len(pair[0]), pair[1])

    def _negate(self, test: ast.expr) -> None:
        start, end = self._span(test)
        self._add(test.lineno, start, end, f"(not ({self.source[start:end].decode()}))")

    def visit_Compare(self, node: ast.Compare) -> None:
        for left, right, operator in zip(
            [node.left, *node.comparators], node.comparators, node.ops, strict=False
        ):
            self._operator(left, right, COMPARISONS[type(operator)])
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        pair = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._operator(left, right, pair)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in SIGNS and not _is_text(node.left) and not _is_text(node.right):
            self._operator(node.left, node.right, SIGNS[type(node.op)])
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        if not isinstance(node.test, ast.Constant):
            self._negate(node.test)
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and not (
            isinstance(node.value, ast.Constant) and node.value.value is None
        ):
            self._add(node.lineno, *self._span(node.value), "None")
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for statement in node.body:  # neither annotations nor decorators
            self.visit(statement)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )


def mutants(package: str, top: Path = TOP) -> list[Mutant]:
    """Return all changes that the modules of a package allow."""
    found = list[Mutant]()
    for module in sorted((top / PACKAGES / package).rglob("*.py")):
        if not module.name.endswith("_pb2.py"):
            source = module.read_bytes()
            finder = _Finder(module.relative_to(top), source)
            finder.visit(ast.parse(source))
            found += finder.found
    return found


def _tests_first(package: str, module: Path) -> Iterator[str]:
    """Yield the package's tests, those that name the module first."""
    folder = TOP / "tests" / package
    name = module.stem
    yield from (
        str(path.relative_to(TOP))
        for path in sorted(folder.rglob("test_*.py"))
        if name in path.read_text(encoding="utf-8")
    )
    yield f"tests/{package}"


def is_noticed(mutant: Mutant, package: str, tree: Path) -> bool:
    """Return whether the tests of the package fail with the change, in the copy `tree`."""
    source = (TOP / mutant.module).read_bytes()
    (tree / mutant.module).write_bytes(mutant.applied(source))
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    command += ["-m", "not bench and not e2e", *_tests_first(package, mutant.module)]
    try:
        ended = subprocess.run(
            command, cwd=tree, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return True
    finally:
        (tree / mutant.module).write_bytes(source)
    return ended.returncode != 0


def shown(mutant: Mutant) -> str:
    """Return place, line before and line after."""
    source = (TOP / mutant.module).read_bytes()
    before = source.decode().splitlines()[mutant.line - 1].strip()
    after = mutant.applied(source).decode().splitlines()[mutant.line - 1].strip()
    return f"{mutant.module}:{mutant.line}\n    - {before}\n    + {after}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packages", nargs="+", metavar="PACKAGE")
    parser.add_argument("--count", type=int, default=20, help="mutants of each package")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 16))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    survived = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", "screenshots")
        shutil.copytree(TOP, tree, ignore=ignored)
        for package in options.packages:
            choice = random.Random(f"{options.seed} {package}")
            drawn = choice.sample(mutants(package), options.count)
            left = [mutant for mutant in drawn if not is_noticed(mutant, package, tree)]
            survived += len(left)
            print(f"{package}: {len(drawn) - len(left)} of {len(drawn)} noticed", flush=True)
            for mutant in left:
                print(shown(mutant), flush=True)
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
