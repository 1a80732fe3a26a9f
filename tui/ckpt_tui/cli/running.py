"""The arguments and options of the commands that restore a checkpoint: `restore` and `serve`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ckpt_tui.cli.options import (
    JSON,
    LINK,
    TARGET,
    file_argument,
    file_option,
    reads_checkpoints,
)

F = TypeVar("F", bound=Callable[..., Any])


def patience(text: str) -> Callable[[F], F]:
    """Return the option that says how long to retry, with its help."""
    return click.option(
        "--patience",
        metavar="SECONDS",
        type=click.FloatRange(0),
        default=60.0,
        show_default=True,
        help=text,
    )


@click.command()
@file_argument("target", required=False)
@click.option("--try", "try_it", is_flag=True, help="Only try it, in namespaces of its own.")
@click.option(
    "--seconds",
    metavar="N",
    type=click.FloatRange(0),
    default=3.0,
    show_default=True,
    help="With --try: how long it may run.",
)
@click.option("--lazy", is_flag=True, help="Start it before its memory is here; pages follow.")
@click.option("--base", metavar="IMAGE", default="", help="The image that the container ran from.")
@click.option(
    "--runtime",
    type=click.Choice(["runc", "crun"]),
    help="The runtime. [default: the one that ran the container]",
)
@click.option("--name", metavar="NAME", help="Of the new container. [default: the old one]")
@click.option("-d", "--detach", is_flag=True, help="Leave it running, and print its name.")
@click.option(
    "--network",
    metavar="none|host|ns:PATH",
    default="none",
    show_default=True,
    help="The network that it gets: none is loopback.",
)
@click.option(
    "--mount",
    "mounts",
    multiple=True,
    metavar="/IN/CONTAINER=/ON/HOST",
    help="What to mount where the container had a file or folder of its host.",
)
@click.option("--devices", is_flag=True, help="Let it use the devices that it had.")
@click.option("--host-namespaces", is_flag=True, help="Let it use those of the host again.")
@click.option("--tcp-established", is_flag=True, help="Restore open TCP connections.")
@click.option("--file-locks", is_flag=True, help="Restore file locks.")
@click.option("--ext-unix-sk", is_flag=True, help="Restore sockets connected to the outside.")
@click.option("--shell-job", is_flag=True, help="Restore what was started from a shell.")
@patience("With --lazy: how long to retry where a registry does not answer.")
@click.option("--list", "list_them", is_flag=True, help="List what was restored here.")
@click.option("--clean", is_flag=True, help="Remove what killed restores left; or --name NAME.")
@JSON
@reads_checkpoints
def restore(target: str | None, **options: Any) -> int:
    """Restore a container on this host. Needs root, podman, CRIU, and runc or crun.

    The program in the checkpoint runs: use it only with checkpoints that you trust. It stays in the
    foreground until it ends or you press Ctrl+C; then all that was made for it is removed.

    \b
    Example:
      ckpt-tui restore --try web-0.tar
      ckpt-tui restore --lazy --detach docker://registry.example/app/web:1
    """
    from ckpt_tui.cli.restore import run

    return run(target, **options)


@click.command()
@TARGET
@click.option(
    "--images",
    "folder",
    required=True,
    type=click.Path(file_okay=False),
    help="An empty or new folder for the images without the lazy pages.",
)
@click.option(
    "--listen",
    metavar="ADDRESS:PORT",
    default="127.0.0.1:0",
    help="Where to serve pages; port 0 takes a free one. [default: 127.0.0.1:0]",
)
@click.option(
    "--cache",
    metavar="MIB",
    type=click.IntRange(2, 65536),
    default=96,
    show_default=True,
    help="Memory for pages that were fetched.",
)
@patience("How long to retry where a registry does not answer; the container waits.")
@file_option("--working-set", metavar="FILE", help="Fetch the pages listed there first.")
@file_option("--record", metavar="FILE", help="Write the pages asked for in the first second.")
@click.option(
    "--attach",
    "attach_set",
    is_flag=True,
    help="Attach that list to the image; the next restore reads it by itself.",
)
@click.option(
    "--bundle",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Print the command for runc with this bundle, instead of the one for CRIU.",
)
@click.option(
    "--name", metavar="NAME", default="restored", show_default=True, help="Its container's name."
)
@click.option("--tls", "tls", is_flag=True, help="Use TLS, as `criu lazy-pages --tls` does.")
@file_option("--tls-cert", metavar="FILE", default="/etc/pki/criu/cert.pem", show_default=True)
@file_option(
    "--tls-key", metavar="FILE", default="/etc/pki/criu/private/key.pem", show_default=True
)
@file_option("--tls-cacert", metavar="FILE", default="/etc/pki/CA/cacert.pem", show_default=True)
@click.option("--once", is_flag=True, help="End when the first restore has got all its pages.")
@LINK
@JSON
@reads_checkpoints
def serve(target: str, **options: Any) -> None:
    """Serve the pages of a checkpoint to a lazy restore: the container runs at once, and its pages
    come when it touches them.

    The images go to the folder without the pages that can wait. The pages come from TARGET, which
    may be in a registry. Runs until Ctrl+C.

    \b
      ckpt-tui serve docker://registry.example/web:1 --images /run/web-images
    """
    from ckpt_tui.cli.serve import serve as run

    run(target, **options)
