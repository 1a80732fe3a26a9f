"""What each sub-command takes. What it does is in the module beside."""

from __future__ import annotations

from typing import Any

import click

from ckpt_tui import __version__
from ckpt_tui.cli.group import EXAMPLES, Commands
from ckpt_tui.cli.options import (
    JSON,
    REVEAL,
    TARGET,
    file_argument,
    file_option,
    reaches_registries,
    reads_checkpoints,
)


@click.group(
    cls=Commands,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="ckpt-tui")
def cli() -> None:
    """Look into container checkpoints made with CRIU, see why a restore fails, convert them to an
    image that restores in place.

    Without a command: `ckpt-tui [TARGET]...` opens the screens.
    """
    from ckpt_tui.core.config import load_config
    from ckpt_tui.core.masks import choose_masks

    config = load_config()
    choose_masks(config.masks)
    if config.registries:
        from ckpt_tui.sources.access import choose_registries

        choose_registries(config.registries)


@cli.command("open", hidden=True)
@file_argument("targets", nargs=-1)
def open_screens(targets: tuple[str, ...]) -> None:
    """Open the screens on TARGET..., or the browser."""
    from ckpt_tui.cli.screens import open_targets

    open_targets(targets)


@cli.command()
def demo() -> None:
    """Open the screens on real checkpoints that come along; needs no root and no network."""
    from ckpt_tui.cli.screens import open_demo

    open_demo()


@cli.command()
@TARGET
@JSON
@REVEAL
@reads_checkpoints
def inspect(target: str, as_json: bool, reveal: bool) -> None:
    """Print everything known of a checkpoint.

    \b
      ckpt-tui inspect web.tar.zst
      ckpt-tui inspect docker://registry.example/web:1 --json | jq '.processes[].argv'
    """
    from ckpt_tui.cli.reports import inspect as run

    run(target, as_json, reveal)


@cli.command()
@TARGET
@JSON
@reads_checkpoints
def images(target: str, as_json: bool) -> None:
    """List its CRIU images: kind, size, records.

    \b
      ckpt-tui images web.tar.zst
    """
    from ckpt_tui.cli.reports import images as run

    run(target, as_json)


@cli.command()
@TARGET
@click.argument("image")
@JSON
@click.option("--crit", is_flag=True, help="Print the JSON that `crit decode` prints.")
@click.option("--pretty", is_flag=True, help="With --crit: as `crit decode --pretty`.")
@REVEAL
@reads_checkpoints
def decode(target: str, image: str, as_json: bool, crit: bool, pretty: bool, reveal: bool) -> None:
    """Print one CRIU image, decoded: IMAGE is a name such as core-1.img.

    \b
      ckpt-tui decode web.tar.zst files.img
      ckpt-tui decode dir:/tmp/dump core-1.img --crit --pretty
    """
    from ckpt_tui.cli.reports import decode as run

    run(target, image, as_json, crit, pretty, reveal)


@cli.command()
@TARGET
@click.option("--pages", is_flag=True, help="Count zero, duplicate and unique pages; reads all.")
@file_option(
    "--with",
    "others",
    multiple=True,
    metavar="TARGET",
    help="Count the pages that another checkpoint has, too; may be given again.",
)
@click.option("--layers", is_flag=True, help="Say what each layer of the root filesystem did.")
@file_option(
    "--base",
    metavar="IMAGE",
    default="",
    help="The image that the container ran from.",
)
@JSON
@reads_checkpoints
def sizes(
    target: str, pages: bool, others: tuple[str, ...], layers: bool, base: str, as_json: bool
) -> None:
    """Say where the bytes are: layers, components, images, processes, kinds of memory, files.

    Of an image without a checkpoint it is the layers.

    \b
      ckpt-tui sizes web.tar.zst --json | jq '.sizes.components'
      ckpt-tui sizes web.tar.zst --layers       who added, changed and deleted what
      ckpt-tui sizes web-2.tar.zst --with web-1.tar.zst
    """
    from ckpt_tui.cli.sizes import Wanted
    from ckpt_tui.cli.sizes import sizes as run

    run(target, Wanted(pages, others, layers, base), as_json)


@cli.command()
@file_argument("before")
@file_argument("after")
@file_argument("later", nargs=-1)
@click.option("--screen", is_flag=True, help="Show it on the screen.")
@click.option("--no-pages", is_flag=True, help="Leave out the contents of memory and files.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 unless all is the same.")
@JSON
@REVEAL
@reads_checkpoints
def compare(
    before: str,
    after: str,
    later: tuple[str, ...],
    screen: bool,
    no_pages: bool,
    exit_code: bool,
    as_json: bool,
    reveal: bool,
) -> int:
    """Say what differs between two checkpoints: processes, files, sockets, memory, delta.

    With LATER ones it is a time line: each is compared with the one before.

    \b
      ckpt-tui compare web-1.tar web-2.tar --json | jq .memory
      ckpt-tui compare --screen web-1.tar web-2.tar web-3.tar
      ckpt-tui compare --exit-code before.tar after.tar && echo nothing has changed
    """
    targets = before, after, *later
    if screen:
        from ckpt_tui.cli.screens import open_comparison

        open_comparison(targets)
        return 0
    from ckpt_tui.cli.compare import compare as run

    return run(targets, as_json, reveal, not no_pages, exit_code)


@cli.command()
@TARGET
@click.option("--measure", is_flag=True, help="Run the data steps in a scratch folder; no root.")
@JSON
@reads_checkpoints
def formats(target: str, measure: bool, as_json: bool) -> None:
    """Say what each engine reads and writes to restore it, in the legacy form and the optimized.

    \b
      ckpt-tui formats web.tar.zst --measure
    """
    from ckpt_tui.cli.formats import formats as run

    run(target, measure, as_json)


@cli.command()
@TARGET
@file_option("-o", "output", metavar="FILE", help="FILE.md, FILE.html or FILE.json.")
@REVEAL
@reads_checkpoints
def report(target: str, output: str | None, reveal: bool) -> None:
    """Write all that is known of it as one document, with SHA-256 of the input and every file.

    \b
      ckpt-tui report web.tar.zst -o web.html
      SOURCE_DATE_EPOCH=0 ckpt-tui report web.tar.zst -o web.json    the same bytes every time
    """
    from ckpt_tui.cli.report import report as run

    run(target, output, reveal)


@cli.command()
@file_argument("target", required=False)
@file_option(
    "--log",
    "log",
    metavar="FILE",
    multiple=True,
    help="A dump.log or restore.log, packed or not, or a folder of logs; - is stdin. Repeatable.",
)
@file_option(
    "--host",
    metavar="this|FILE",
    help="Where it shall run: `this`, or a profile.",
)
@file_option(
    "--base",
    help="The image the container ran from, if it is not found by itself.",
)
@JSON
@reads_checkpoints
def diagnose(
    target: str | None, log: tuple[str, ...], host: str | None, base: str | None, as_json: bool
) -> None:
    """Say why a dump or restore failed, whether TARGET is whole, and what would fail.

    \b
      ckpt-tui diagnose web.tar.zst --host this
      ckpt-tui diagnose --log restore.log
      podman container restore web 2>&1 | ckpt-tui diagnose --log -
    """
    from ckpt_tui.cli.diagnosis import diagnose as run

    run(target, log, host, base, as_json)


@cli.command()
def host() -> None:
    """Print a profile of this host, for `diagnose --host FILE` elsewhere.

    \b
      ssh node-2 ckpt-tui host > node-2.json
      ckpt-tui diagnose web.tar.zst --host node-2.json
    """
    from ckpt_tui.cli.diagnosis import print_host

    print_host()


@cli.command()
@file_argument("source")
@file_argument("destination", required=False)
@click.option(
    "--to", type=click.Choice(["optimized", "archive"]), default="optimized", show_default=True
)
@file_option(
    "--base",
    metavar="TARGET",
    help="The image that the container was made from.",
)
@click.option("--for", "repository", metavar="HOST/REPO", help="Where a local result will live.")
@click.option("--keep-delta-tar", is_flag=True, help="Without a base: leave the delta as a tar.")
@file_option(
    "--upper",
    metavar="DIR",
    help="Beside dir:IMAGES: the overlay's upper folder.",
)
@file_option(
    "--spec",
    metavar="FILE",
    help="Beside dir:IMAGES: config.json of the bundle.",
)
@file_option(
    "--config",
    metavar="FILE",
    help="Beside dir:IMAGES: the engine's config.dump.",
)
@file_option(
    "--previous",
    metavar="TARGET",
    help="The pre-dump of an incremental checkpoint.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@JSON
@reads_checkpoints
def convert(source: str, destination: str | None, **options: Any) -> None:
    """Convert SOURCE to the optimized image format, into DESTINATION or the own store.

    DESTINATION is oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker://HOST/REPO[:TAG]. A fresh dump
    goes into a registry without an archive in between:

    \b
      ckpt-tui convert dir:IMAGES docker://HOST/REPO:TAG --upper DIR --spec FILE --base IMAGE
    """
    from ckpt_tui.cli.conversion import convert as run

    run(source, destination, **options)


@cli.command()
@file_argument("target", required=False)
@click.option("--all", "every", is_flag=True, help="Describe all tags, not the first 100 alone.")
@JSON
@reaches_registries
def ls(target: str | None, every: bool, as_json: bool) -> None:
    """Say what is in TARGET: docker://HOST, docker://HOST/REPO[:TAG], a layout, an archive of
    images, a folder, or the root of a store of podman, CRI-O, containerd or Docker.

    Without TARGET: what the engines of this machine keep in their stores.

    \b
      ckpt-tui ls docker://registry.example/app/web
      ckpt-tui ls /var/lib/kubelet/checkpoints --json
    """
    from ckpt_tui.cli.stores import ls as run

    run(target or "", every, as_json)


@cli.command()
@file_argument("source")
@file_argument("destination")
@JSON
@reaches_registries
def copy(source: str, destination: str, as_json: bool) -> None:
    """Copy an image from SOURCE to DESTINATION; only what is missing there is moved.

    Both are docker://HOST/REPO[:TAG], oci:DIR[:TAG] or oci-archive:FILE[:TAG]; SOURCE may also be
    containers-storage:NAME.

    \b
      ckpt-tui copy oci:store:web docker://registry.example/app/web:1
    """
    from ckpt_tui.cli.stores import copy as run

    run(source, destination, as_json)


@cli.command(hidden=True)
def man() -> None:
    """Print the manual page ckpt-tui(1)."""
    from ckpt_tui.cli.manual import manual

    click.echo(manual(cli), nl=False)
