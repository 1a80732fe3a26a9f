"""The arguments and options of the commands that remove: `rm` and `gc`."""

from __future__ import annotations

import click

from ckpt_tui.cli.options import JSON, TARGETS, file_argument, reaches_registries

DRY_RUN = click.option("--dry-run", is_flag=True, help="Only say what would be removed.")


@click.command()
@TARGETS
@DRY_RUN
@JSON
@reaches_registries
def rm(targets: tuple[str, ...], dry_run: bool, as_json: bool) -> int:
    """Remove checkpoints from OCI layouts, the local store and registries.

    TARGET is oci:DIR[:TAG|@DIGEST] or docker://HOST/REPO[:TAG|@DIGEST]. What belongs to the image
    goes with it: referrers such as signatures and working sets, and the tag of its root filesystem.
    Blobs that another image has as well stay.

    If another tag names the same image, only the tag is removed. A registry cannot do that: there
    an image of several tags is removed only by its digest.

    \b
      ckpt-tui rm oci:store:web-1 --dry-run
      ckpt-tui rm oci:store:web-1 docker://registry.example/app/web:1
    """
    from ckpt_tui.cli.removal import rm as run

    return run(targets, dry_run, as_json)


@click.command()
@file_argument("layouts", nargs=-1, metavar="[LAYOUT]...")
@DRY_RUN
@JSON
def gc(layouts: tuple[str, ...], dry_run: bool, as_json: bool) -> int:
    """Remove the blobs of OCI layouts that no image has.

    Without LAYOUT, clean up the local store. A registry does not list its blobs; it has a garbage
    collection of its own.

    \b
      ckpt-tui gc --dry-run
      ckpt-tui gc oci:store
    """
    from ckpt_tui.cli.removal import gc as run

    return run(layouts, dry_run, as_json)
