"""The group of sub-commands. A first word that is not a command is a target to open."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from ckpt_tui.cli.options import files

EXAMPLES = """
\b
Examples:
  ckpt-tui                                  browse local checkpoints
  ckpt-tui web-0.tar                        open a checkpoint
  ckpt-tui inspect web-0.tar --json | jq .processes
  ckpt-tui diagnose --log restore.log       why a restore failed
  ckpt-tui convert web-0.tar --base oci:base --for registry.example/app/web

\b
TARGET is a path (archive, directory, OCI layout or OCI archive), or a name as in skopeo:
  oci:DIR[:TAG]  oci-archive:FILE[:TAG]  dir:DIR  containers-storage:NAME
  docker://HOST/REPO[:TAG|@DIGEST]  containerd:NAME
A single - is standard input.

\b
Configuration (keys, theme, masks, registries, encryption): ~/.config/ckpt-tui/config.toml
Shell completion:  eval "$(_CKPT_TUI_COMPLETE=bash_source ckpt-tui)"   (or zsh, fish)
"""


class Commands(click.Group):
    """A group in which a first word that is not a command is a target to open."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing:  # a shell asks what could come next
            return super().parse_args(ctx, args)
        words = [a for a in args if a == "-" or not a.startswith("-")]
        asks = {"--help", "-h", "--version"} & set(args[:1])
        if not asks and (not words or words[0] not in self.commands):
            args = ["open", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        # File names go first: click's script for bash drops what came before them.
        return [*files(ctx, None, incomplete), *super().shell_complete(ctx, incomplete)]

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:  # click would leave with 1
            raise ReaderGone from error


class ReaderGone(Exception):
    """The reader of standard output closed it."""
