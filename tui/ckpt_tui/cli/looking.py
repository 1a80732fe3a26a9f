"""The arguments and options of the commands that look through checkpoints."""

from __future__ import annotations

from typing import Literal

import click

from ckpt_tui.cli.options import JSON, REVEAL, file_argument, file_option, reads_checkpoints


@click.command()
@click.argument("pattern")
@file_argument("targets", nargs=-1, required=True)
@click.option("--regex", "form", flag_value="re", help="PATTERN is a regular expression of RE2.")
@click.option("--bytes", "form", flag_value="hex", help="PATTERN is hexadecimal bytes.")
@click.option("--utf16", "form", flag_value="u16", help="Search for PATTERN in UTF-16.")
@click.option(
    "--in",
    "kinds",
    metavar="KIND,...",
    default="",
    help="Search only there: argv, environment, sockets, files, queues, metadata, images, delta, "
    "memory.",
)
@JSON
@REVEAL
@reads_checkpoints
def search(
    pattern: str,
    targets: tuple[str, ...],
    form: Literal["re", "hex", "u16"] | None,
    kinds: str,
    as_json: bool,
    reveal: bool,
) -> int:
    """Search checkpoints: arguments, environment, files, sockets, queues, images, changed files
    and memory.

    A TARGET can also be a directory, a repository or a registry; all checkpoints in it are
    searched. Matches are printed as they are found, with --json one document per line. It exits
    with 1 if there are none.

    \b
      ckpt-tui search listen_port web.tar.zst
      ckpt-tui search --regex 'user-[0-9]+' --in memory,queues docker://registry.example/app/web
      ckpt-tui search --bytes 'de ad be ef' /var/lib/kubelet/checkpoints --json
    """
    from ckpt_tui.cli.search import search as run

    return run(pattern, targets, form or "", kinds, as_json, reveal)


@click.command()
@file_argument("targets", nargs=-1, required=True)
@file_option(
    "--rules", metavar="FILE.yar", multiple=True, help="Also use these rules of YARA. Repeatable."
)
@click.option("--in", "kinds", metavar="KIND,...", default="", help="Look only there; see search.")
@JSON
@REVEAL
@reads_checkpoints
def secrets(
    targets: tuple[str, ...], rules: tuple[str, ...], kinds: str, as_json: bool, reveal: bool
) -> int:
    """List what looks like a secret in checkpoints, and where it is.

    It looks for private keys, tokens, passwords in addresses and connection strings, password
    hashes, and values that their name calls secrets. Each value is listed once, masked. It exits
    with 1 if there are any. What is not found can still be a secret.

    \b
      ckpt-tui secrets web.tar.zst && ckpt-tui copy oci:store:web docker://registry.example/web:1
      ckpt-tui secrets docker://registry.example/app/web --json
    """
    from ckpt_tui.cli.secrets import secrets as run

    return run(targets, rules, kinds, as_json, reveal)
