"""The arguments and options of each sub-command; the other modules implement them."""

from __future__ import annotations

import os

import click

from ckpt_tui import __version__
from ckpt_tui.cli.debugging import core, diagnose, host, stacks
from ckpt_tui.cli.examining import compare, decode, images, inspect, report, sizes, verify
from ckpt_tui.cli.group import EXAMPLES, Commands
from ckpt_tui.cli.looking import search, secrets
from ckpt_tui.cli.options import (
    file_argument,
    opens_encrypted,
)
from ckpt_tui.cli.running import restore, serve
from ckpt_tui.cli.storing import convert, copy, formats, ls
from ckpt_tui.cli.upkeep import gc, rm
from ckpt_tui.core.paths import config_path


@click.group(
    cls=Commands,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="ckpt-tui")
def cli() -> None:
    """Inspect container checkpoints made with CRIU, find out why a restore fails, and convert
    checkpoints to images that restore in place.

    Without a command, `ckpt-tui [TARGET]...` opens the terminal interface.
    """
    try:
        os.stat(config_path())
    except FileNotFoundError:
        return  # most people have no settings, and reading them costs 10 ms
    from ckpt_tui.core.config import load_config
    from ckpt_tui.core.masks import choose_masks

    config = load_config()
    choose_masks(config.masks)
    if config.registries:
        from ckpt_tui.sources.access import choose_registries

        choose_registries(config.registries)
    if config.private_keys:
        from ckpt_tui.cli.passphrases import ask_passphrase
        from ckpt_tui.sources.keys import add_keys

        forget = add_keys(config.private_keys, ask_passphrase())
        click.get_current_context().call_on_close(forget)


@cli.command("open", hidden=True)
@file_argument("targets", nargs=-1, metavar="[TARGET]...")
@opens_encrypted
def open_screens(targets: tuple[str, ...]) -> None:
    """Open TARGET..., or the browser."""
    from ckpt_tui.cli.screens import open_targets

    open_targets(targets, [name for name, one in cli.commands.items() if not one.hidden])


@cli.command()
def demo() -> None:
    """Open the included checkpoints.

    Needs no root and no network.
    """
    from ckpt_tui.cli.screens import open_demo

    open_demo()


COMMANDS = (
    restore,
    serve,
    inspect,
    images,
    decode,
    sizes,
    compare,
    formats,
    report,
    verify,
    stacks,
    core,
    diagnose,
    host,
    convert,
    ls,
    copy,
    search,
    secrets,
    rm,
    gc,
)
"""In the order of the manual page."""

for command in COMMANDS:
    cli.add_command(command)


@cli.command(hidden=True)
def man() -> None:
    """Print the manual page ckpt-tui(1)."""
    from ckpt_tui.cli.manual import manual

    click.echo(manual(cli), nl=False)
