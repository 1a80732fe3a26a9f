"""No pattern on foreign text takes more time than the text is long."""

from __future__ import annotations

import ast
from pathlib import Path

import ckpt_tui

PACKAGE = Path(ckpt_tui.__file__).parent

WITH_RE = {
    "checkpoint/bytediff.py": "one class of bytes",
    "checkpoint/differences.py": "a blank and the digits behind it",
    "checkpoint/inventory.py": "begins at a line and with a sign that is not in what repeats",
    "checkpoint/sockets.py": "bounded, of a word taken as a whole",
    "checkpoint/validated.py": "bounded",
    "convert/jsonedit.py": "one class of blanks, from a given place",
    "convert/manifests.py": "one class of characters",
    "convert/remarks.py": "of an argument, taken as a whole",
    "convert/roles.py": "of a file name, taken as a whole",
    "convert/upper_marks.py": "bounded, of an attribute taken as a whole",
    "convert/staging.py": "bounded, of a name taken as a whole",
    "core/config.py": "of at most 255 characters, taken as a whole",
    "core/log_heads.py": "bounded, in the first 64 KiB of a file",
    "core/masks.py": "bounded, or possessive",
    "core/styled.py": "takes every blank at its first try",
    "core/text.py": "one class of characters",
    "criu/kinds.py": "of a file name, taken as a whole, with a class for each number",
    "diagnose/fix_commands.py": "of the rule table, which comes with the program",
    "diagnose/fix_context.py": "given words",
    "diagnose/host_network.py": "of files of this machine's kernel",
    "diagnose/host_reading.py": "of files of this machine's kernel",
    "diagnose/integrity_presence.py": "bounded",
    "diagnose/log.py": "begins at a sign that is not in what repeats",
    "diagnose/log_header.py": "what repeats ends at a sign that is not in it",
    "diagnose/log_lines.py": "bounded, or begins at a sign that is not in what repeats",
    "diagnose/log_pick.py": "bounded, or of at most 100 characters",
    "diagnose/log_quotes.py": "bounded, or tries a run once",
    "diagnose/log_scan.py": "one sign behind a line end, or of at most 200 bytes",
    "diagnose/proof.py": "of a line cut to 1024 characters",
    "diagnose/stood.py": "bounded, at the start of a text of our own",
    "formats/logs.py": "bounded",
    "formats/places/folder.py": "bounded",
    "formats/places/image.py": "one class of characters, taken as a whole",
    "formats/places/kept.py": "one class of characters, taken as a whole",
    "sources/base.py": "bounded",
    "sources/containers.py": "one class of characters, taken as a whole",
    "sources/credentials.py": "one class of characters, taken as a whole",
    "sources/reference.py": "taken as a whole; what repeats ends at a sign that is not in it",
    "sources/registry.py": "bounded, taken as a whole",
    "sources/registry_http.py": "bounded, taken as a whole",
    "sources/stores.py": "of a target, which a person writes",
    "stacks/python_frames.py": "bounded",
    "ui/widgets/painting.py": "one class of characters, of what the program drew",
    "views/export.py": "one character",
}
"""Modules that use the backtracking engine, and why their patterns are linear even so. All others
use RE2 or take text apart by hand."""


def _imports_re(path: Path) -> bool:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    named = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return "re" in named or any(isinstance(n, ast.ImportFrom) and n.module == "re" for n in nodes)


def test_only_modules_with_a_reason_use_the_backtracking_engine() -> None:
    found = {str(p.relative_to(PACKAGE)) for p in PACKAGE.rglob("*.py") if _imports_re(p)}
    assert found == WITH_RE.keys()
