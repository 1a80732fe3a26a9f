"""Images in podman's store: looked up, pulled by digest, mounted."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

from ckpt_tui.convert.copying import copy_opened
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.restore.tools import call, run
from ckpt_tui.sources.base import OpenedImage
from ckpt_tui.sources.oci import config_of
from ckpt_tui.sources.reference import SCHEME, parse_reference

TAG = "image"
"""What an image is called in the layout that it is pulled from."""


def image_id(name: str) -> str:
    """Return the id of an image in podman's store, "" if it is not there."""
    done = run("podman", "image", "inspect", "--format", "{{.Id}}", name)
    return done.stdout.strip() if done.returncode == 0 else ""


def stored(image: OpenedImage, progress: Progress) -> str:
    """Return the id of an image in podman's store, after pulling it if it was not there.

    Raises:
        CkptError: it cannot be pulled.
    """
    wanted = config_of(image).digest.partition(":")[2]
    if found := image_id(wanted):
        return found
    if image.target.startswith(SCHEME):
        reference = replace(parse_reference(image.target), tag="", digest=image.descriptor.digest)
        return pull(str(reference).removeprefix(SCHEME), progress)
    with tempfile.TemporaryDirectory(prefix="ckpt-tui-") as folder:
        layout = f"oci:{Path(folder) / 'layout'}:{TAG}"
        copy_opened(image, layout, progress)
        return pull(layout, progress)


def pull(name: str, progress: Progress) -> str:
    """Let podman pull an image, and return its id.

    Raises:
        CkptError: it cannot be pulled.
    """
    progress.start(f"pulling {name}")
    return call("podman", "pull", "--quiet", name, what=f"podman cannot pull {name}:").split()[-1]


def mount(image: str) -> str:
    """Mount an image of podman's store and return where.

    Raises:
        CkptError: podman cannot.
    """
    return call("podman", "image", "mount", image, what="podman cannot mount the image:").strip()


def unmount(image: str) -> None:
    """Take back one `mount`."""
    run("podman", "image", "unmount", image)


def is_mounted(image: str) -> bool:
    """Whether an image is mounted, by whomever."""
    done = run("podman", "image", "mount", "--format", "json")
    try:
        found = json.loads(done.stdout or "[]") or []
    except ValueError as error:
        raise CkptError("podman does not list mounted images:", f"{error}.") from error
    return any(str(one.get("id", "")).startswith(image) for one in found)
