"""Real checkpoints bundled for `ckpt-tui demo`.

Made by tests/e2e/lab/make-checkpoints and make-failures with podman 5.4, runc and CRIU 4.2:

    counter.tar.zst            a busybox shell that counts into /tmp/count: a legacy podman archive
    counter-optimized.oci.tar  the same, as `ckpt-tui convert` writes it
    web.tar.zst                a worker with a database connection, a secret in its environment and
                               a deleted file still open
    web.restore.log            how CRIU failed to restore web without --tcp-established
    base-bb.oci.tar            the image both containers ran from
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path


@contextmanager
def demo_folder() -> Iterator[Path]:
    """Give a folder with the bundled checkpoints, read only."""
    with resources.as_file(resources.files("ckpt_tui.demo")) as folder:
        yield folder
