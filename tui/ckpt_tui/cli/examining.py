"""The arguments and options of the commands that print what is in a checkpoint."""

from __future__ import annotations

from typing import Any

import click

from ckpt_tui.cli.options import (
    JSON,
    REVEAL,
    TARGET,
    TARGETS,
    file_argument,
    file_option,
    reads_checkpoints,
)


@click.command()
@TARGETS
@JSON
@REVEAL
@reads_checkpoints
def inspect(targets: tuple[str, ...], as_json: bool, reveal: bool) -> int:
    """Print all facts about checkpoints.

    With several, --json prints one document a line.

    \b
      ckpt-tui inspect web.tar.zst
      ckpt-tui inspect docker://registry.example/web:1 --json | jq '.processes[].argv'
    """
    from ckpt_tui.cli.reports import inspect as run

    return run(targets, as_json, reveal)


@click.command()
@TARGET
@JSON
@reads_checkpoints
def images(target: str, as_json: bool) -> int:
    """List the CRIU images of a checkpoint.

    \b
      ckpt-tui images web.tar.zst
    """
    from ckpt_tui.cli.reports import images as run

    return run(target, as_json)


@click.command()
@TARGET
@click.argument("image", required=False)
@click.option("--all", "every", is_flag=True, help="Print all images but page contents.")
@JSON
@click.option("--crit", is_flag=True, help="Print the JSON that `crit decode` prints.")
@click.option("--pretty", is_flag=True, help="With --crit: print like `crit decode --pretty`.")
@REVEAL
@reads_checkpoints
def decode(
    target: str,
    image: str | None,
    every: bool,
    as_json: bool,
    crit: bool,
    pretty: bool,
    reveal: bool,
) -> int:
    """Print one CRIU image, decoded. IMAGE is its name, such as core-1.img.

    \b
      ckpt-tui decode web.tar.zst files.img
      ckpt-tui decode dir:/tmp/dump core-1.img --crit --pretty
      ckpt-tui decode web.tar.zst --all --json        one JSON document a line
    """
    from ckpt_tui.cli.decode import Shape
    from ckpt_tui.cli.decode import decode as run

    return run(target, image, Shape(as_json, crit, pretty, reveal, every))


@click.command()
@TARGETS
@click.option(
    "--pages", is_flag=True, help="Count zero, duplicate and unique pages; reads all pages."
)
@file_option(
    "--with",
    "others",
    multiple=True,
    metavar="TARGET",
    help="Count the pages that TARGET has as well. Repeatable.",
)
@click.option("--layers", is_flag=True, help="Show what each layer of the root filesystem changed.")
@file_option(
    "--base",
    metavar="IMAGE",
    default="",
    help="The base image of the container.",
)
@JSON
@reads_checkpoints
def sizes(targets: tuple[str, ...], **options: Any) -> int:
    """List layers and sizes: what takes how many bytes.

    Sizes are by component, CRIU image, process, kind of memory and file. For an image without a
    checkpoint, list its layers.

    \b
      ckpt-tui sizes web.tar.zst --json | jq '.sizes.components'
      ckpt-tui sizes web.tar.zst --layers       what each layer changed
      ckpt-tui sizes web-2.tar.zst --with web-1.tar.zst
    """
    from ckpt_tui.cli.sizes import sizes as run

    return run(targets, **options)


@click.command()
@file_argument("before")
@file_argument("after")
@file_argument("later", nargs=-1)
@click.option("--screen", is_flag=True, help="Show the result in the terminal interface.")
@click.option("--no-pages", is_flag=True, help="Do not compare the contents of memory and files.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if there are differences.")
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
    """Show the differences between two or more checkpoints.

    It compares processes, files, sockets, mounts, memory and changed files. With LATER, each
    checkpoint is compared with the one before it, as a time line.

    \b
      ckpt-tui compare web-1.tar web-2.tar --json | jq .memory
      ckpt-tui compare --screen web-1.tar web-2.tar web-3.tar
      ckpt-tui compare --exit-code before.tar after.tar && echo unchanged
    """
    targets = before, after, *later
    if screen:
        from ckpt_tui.cli.screens import open_comparison

        open_comparison(targets)
        return 0
    from ckpt_tui.cli.compare import compare as run

    return run(targets, as_json, reveal, not no_pages, exit_code)


@click.command()
@TARGET
@file_option("-o", "output", metavar="FILE", help="FILE.md, FILE.html or FILE.json.")
@REVEAL
@reads_checkpoints
def report(target: str, output: str | None, reveal: bool) -> None:
    """Write a report about a checkpoint.

    It has the SHA-256 digest of the input and of every file.

    \b
      ckpt-tui report web.tar.zst -o web.html
      SOURCE_DATE_EPOCH=0 ckpt-tui report web.tar.zst -o web.json    reproducible
    """
    from ckpt_tui.cli.report import report as run

    run(target, output, reveal)


@click.command()
@TARGETS
@JSON
@reads_checkpoints
def verify(targets: tuple[str, ...], as_json: bool) -> int:
    """Read all bytes of checkpoints and report damage.

    It compares blobs with their digests, checks zstd frames and the checksums of zstd and gzip,
    decodes all CRIU images, and looks for missing blobs and images. It exits with 1 if something is
    damaged.

    \b
      ckpt-tui verify web.tar.zst oci:store:web
      ckpt-tui verify docker://registry.example/app/web:1 --json | jq .problems
    """
    from ckpt_tui.cli.verification import verify as run

    return run(targets, as_json)
