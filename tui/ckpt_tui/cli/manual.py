"""The manual page ckpt-tui(1), written from the same commands as `--help`.

python -m ckpt_tui man > tui/man/ckpt-tui.1
"""

from __future__ import annotations

import inspect
import textwrap

import click

from ckpt_tui import __version__

REVISED = "2026-11-24"
"""The date of the page, as man(7) asks for it: when the commands last changed."""

EXIT_CODES = (
    ("0", "success"),
    ("1", "findings or differences, or the operation failed"),
    ("2", "usage or configuration error"),
    ("3", "source unreachable"),
    ("130", "interrupted"),
)

FILES = (("~/.config/ckpt-tui/config.toml", "theme, keys, masks, registries, encryption"),)

ENVIRONMENT = (
    ("NO_COLOR", "do not use colours"),
    ("TEXTUAL_ANIMATIONS", "none: no animations, for slow connections"),
    ("XDG_CONFIG_HOME", "directory of ckpt-tui/config.toml, instead of ~/.config"),
    ("CKPT_TUI_TRACEBACK", "1: print a traceback on an unexpected error, for a bug report"),
)


def manual(group: click.Group) -> str:
    """Return the page in the macros of man(7)."""
    context = click.Context(group, info_name="ckpt-tui")
    lines = [
        f'.TH CKPT\\-TUI 1 "{REVISED}" "ckpt\\-tui {__version__}" "User Commands"',
        ".SH NAME",
        "ckpt\\-tui \\- inspect, diagnose and convert CRIU container checkpoints",
        ".SH SYNOPSIS",
        ".B ckpt\\-tui",
        _text("[TARGET]..."),
        ".br",
        ".B ckpt\\-tui",
        _text("COMMAND [OPTIONS] [ARGUMENTS]"),
        ".SH DESCRIPTION",
        *_paragraphs(group.help),
        ".SH COMMANDS",
    ]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            lines += _command(command, name, context)
    lines += [".SH EXAMPLES", *_paragraphs(group.epilog)]
    for title, pairs in (
        ("EXIT STATUS", EXIT_CODES),
        ("ENVIRONMENT", ENVIRONMENT),
        ("FILES", FILES),
    ):
        lines.append(f".SH {title}")
        for term, meaning in pairs:
            lines += [".TP", f".B {_text(term)}", _text(meaning)]
    return "\n".join(lines) + "\n"


def _command(command: click.Command, name: str, parent: click.Context) -> list[str]:
    context = click.Context(command, info_name=name, parent=parent)
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [f".SS {_text(f'ckpt-tui {name} {usage}')}", *_paragraphs(command.help)]
    for parameter in command.params:  # arguments have no words of their own; --help is everywhere
        record = parameter.get_help_record(context)
        if record and record[1]:
            lines += [".TP", f".B {_text(record[0])}", *_filled(record[1])]
    return lines


def _paragraphs(text: str | None) -> list[str]:
    """Return help as click takes it: `\\b` on a line of its own keeps the lines of a paragraph."""
    lines: list[str] = []
    for paragraph in inspect.cleandoc(text or "").split("\n\n"):
        kept = paragraph.lstrip("\n").startswith("\b")
        rows = [row for row in paragraph.replace("\b", "").splitlines() if row.strip()]
        if lines and rows:  # a heading begins a paragraph by itself
            lines.append(".PP")
        if kept:
            lines += [".nf", *map(_text, rows), ".fi"]
        else:
            lines += _filled(" ".join(row.strip() for row in rows))
    return lines


def _filled(text: str) -> list[str]:
    """Return text that troff fills, in lines of at most 80 bytes once its signs are escaped."""
    return [_text(line) for line in textwrap.wrap(text, 68, break_on_hyphens=False)]


def _text(text: str) -> str:
    """Return text for troff: its own signs mean themselves, those beyond ASCII are named."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    text = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in text)
    return f"\\&{text}" if text.startswith((".", " ")) else text
