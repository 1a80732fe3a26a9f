"""The arguments and options of the commands that convert, list and copy images."""

from __future__ import annotations

from typing import Any

import click

from ckpt_tui.cli.options import (
    JSON,
    LINK,
    TARGET,
    file_argument,
    file_option,
    opens_encrypted,
    reaches_registries,
    reads_checkpoints,
)


@click.command()
@TARGET
@click.option(
    "--measure",
    is_flag=True,
    help="Run and time the data steps in a temporary directory. Needs no root.",
)
@LINK
@JSON
@reads_checkpoints
def formats(target: str, measure: bool, as_json: bool) -> None:
    """Show what each engine reads and writes to dump and to restore it.

    It compares the legacy form of a checkpoint with the optimized image.

    \b
      ckpt-tui formats web.tar.zst --measure
    """
    from ckpt_tui.cli.formats import formats as run

    run(target, measure, as_json)


@click.command()
@file_argument("source")
@file_argument("destination", required=False)
@click.option(
    "--to", type=click.Choice(["optimized", "archive"]), default="optimized", show_default=True
)
@file_option(
    "--base",
    metavar="TARGET",
    help="The base image of the container.",
)
@click.option(
    "--for", "repository", metavar="HOST/REPO", help="The repository that a local result is for."
)
@click.option(
    "--keep-delta-tar", is_flag=True, help="Without a base image: keep the delta as a tar file."
)
@click.option("--keep-devices", is_flag=True, help="Convert block devices in the delta.")
@file_option(
    "--upper",
    metavar="DIR",
    help="With dir:IMAGES: the upper directory of the overlay.",
)
@file_option(
    "--spec",
    metavar="FILE",
    help="With dir:IMAGES: config.json of the bundle.",
)
@file_option(
    "--config",
    metavar="FILE",
    help="With dir:IMAGES: config.dump of the engine.",
)
@file_option(
    "--previous",
    metavar="TARGET",
    help="The pre-dump of an incremental checkpoint.",
)
@file_option(
    "--encrypt-to",
    metavar="jwe:FILE",
    multiple=True,
    help="Encrypt the layers for this public key (PEM, DER, JWK). Repeatable.",
)
@click.option("--encrypt", is_flag=True, help="Encrypt for the recipients in the configuration.")
@click.option(
    "--minimal-annotations",
    is_flag=True,
    help="Leave names out of the annotations that no engine needs.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan and do not write anything.")
@JSON
@reads_checkpoints
def convert(source: str, destination: str | None, **options: Any) -> None:
    """Convert a checkpoint to the optimized image format, or back.

    Without DESTINATION, the result goes to the local store. DESTINATION is oci:DIR[:TAG],
    oci-archive:FILE[:TAG] or docker://HOST/REPO[:TAG]. A new dump can be converted directly into a
    registry:

    \b
      ckpt-tui convert dir:IMAGES docker://HOST/REPO:TAG --upper DIR --spec FILE --base IMAGE

    With --encrypt-to, memory, files and metadata are encrypted as skopeo, podman, CRI-O and
    containerd decrypt them. The plan lists what stays readable.

    \b
      ckpt-tui convert web.tar.zst docker://HOST/REPO:TAG --encrypt-to jwe:team.pub.pem
    """
    from ckpt_tui.cli.conversion import convert as run

    run(source, destination, **options)


@click.command()
@file_argument("target", required=False)
@click.option("--all", "every", is_flag=True, help="Describe all tags, not only the first 100.")
@click.option("--check", is_flag=True, help="Diagnose each checkpoint of a directory.")
@JSON
@reaches_registries
def ls(target: str | None, every: bool, check: bool, as_json: bool) -> None:
    """List a registry, layout, directory or local store, or the parts of an image.

    TARGET is docker://HOST, docker://HOST/REPO[:TAG], a layout, an archive of images, a
    directory, or the root of a store of podman, CRI-O, containerd or Docker.

    Without TARGET, list the stores of the engines on this machine.

    \b
      ckpt-tui ls docker://registry.example/app/web
      ckpt-tui ls /var/lib/kubelet/checkpoints --check
    """
    from ckpt_tui.cli.stores import ls as run

    run(target or "", every, as_json, check)


@click.command()
@file_argument("source")
@file_argument("destination")
@file_option(
    "--encrypt-to",
    metavar="jwe:FILE",
    multiple=True,
    help="Encrypt the layers for this public key. Repeatable.",
)
@click.option("--decrypt", is_flag=True, help="Decrypt the layers.")
@JSON
@opens_encrypted
@reaches_registries
def copy(
    source: str, destination: str, encrypt_to: tuple[str, ...], decrypt: bool, as_json: bool
) -> None:
    """Copy an image from SOURCE to DESTINATION. Only missing blobs are transferred.

    Both can be docker://HOST/REPO[:TAG], oci:DIR[:TAG] or oci-archive:FILE[:TAG]; SOURCE can also
    be containers-storage:NAME.

    \b
      ckpt-tui copy oci:store:web docker://registry.example/app/web:1
      ckpt-tui copy oci:store:web oci:locked:web --encrypt-to jwe:team.pub.pem
    """
    from ckpt_tui.cli.stores import copy as run

    run(source, destination, as_json, encrypt_to, decrypt)
