"""Arguments and options that several sub-commands take."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import click
from click.shell_completion import CompletionItem

from ckpt_tui.core.known_values import reveal_all


def files(
    ctx: click.Context, param: click.Parameter | None, incomplete: str
) -> list[CompletionItem]:
    """Let the shell complete names of files."""
    del ctx, param
    return [CompletionItem(incomplete, type="file")]


file_argument = partial(click.argument, shell_complete=files)
file_option = partial(click.option, shell_complete=files)

TARGET = file_argument("target")
TARGETS = file_argument("targets", nargs=-1, required=True, metavar="TARGET...")


def _use_access(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Apply the TLS options to every registry of this call."""
    if value is None or parameter.name is None:
        return
    from ckpt_tui.sources.access import Access, choose_access

    settings = context.meta.setdefault("ckpt_tui.access", {})
    settings[parameter.name] = value
    choose_access(Access(**settings))


def reaches_registries(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the TLS options of registries."""
    for option in (
        click.option(
            "--ca-file",
            type=click.Path(exists=True, dir_okay=False),
            expose_value=False,
            callback=_use_access,
            help="Trust the certificate authorities in this PEM file.",
        ),
        click.option(
            "--tls-verify",
            type=bool,
            metavar="BOOL",
            expose_value=False,
            callback=_use_access,
            help="false: accept any certificate of a registry, and plain HTTP.",
        ),
    ):
        command = option(command)
    return command


def _use_link(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    del parameter
    if value is None:
        return
    from ckpt_tui.sources.link import choose_link, parse_link

    choose_link(parse_link(value))
    context.call_on_close(partial(choose_link, None))


LINK = click.option(
    "--link",
    metavar="SPEED,DELAY",
    expose_value=False,
    callback=_use_link,
    help="Reach registries as over a link of this speed and round trip, such as 100Mbit,20ms.",
)


def _skip_confirmation(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    del parameter
    if value:
        from ckpt_tui.cli.telling import YES

        context.meta[YES] = True


def _use_keys(context: click.Context, _: click.Parameter, value: tuple[str, ...]) -> None:
    """Open encrypted layers with these keys, until the call ends."""
    if value:
        from ckpt_tui.cli.passphrases import ask_passphrase
        from ckpt_tui.sources.keys import add_keys

        context.call_on_close(add_keys(value, ask_passphrase()))


def opens_encrypted(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option for keys."""
    return click.option(
        "--key",
        "keys",
        metavar="FILE",
        multiple=True,
        expose_value=False,
        callback=_use_keys,
        shell_complete=files,
        help="Open encrypted layers with this private key (PEM, DER, JWK); "
        "FILE:filename=PASSPHRASE-FILE. Repeatable.",
    )(command)


def reads_checkpoints(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of registries and keys, and `--yes` for large downloads."""
    yes = click.option(
        "-y",
        "--yes",
        is_flag=True,
        expose_value=False,
        callback=_skip_confirmation,
        help="Do not confirm large downloads from a registry.",
    )
    return opens_encrypted(reaches_registries(yes(command)))


JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _reveal(context: click.Context, _: click.Parameter, value: bool) -> bool:
    reveal_all(value)
    context.call_on_close(partial(reveal_all, False))
    return value


REVEAL = click.option(
    "--reveal", is_flag=True, callback=_reveal, help="Show values that look like secrets."
)
