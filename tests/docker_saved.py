"""Archives as `docker save` and `podman save` write them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crafted import ARCHIVES

LAYER = (ARCHIVES / "cri-podman.tar").read_bytes()
DIGEST = hashlib.sha256(LAYER).hexdigest()


def config(*diff_ids: str) -> bytes:
    ids = diff_ids or (f"sha256:{DIGEST}",)
    return json.dumps({"architecture": "amd64", "rootfs": {"diff_ids": ids}}).encode()


def entry(layer: str = f"{DIGEST}.tar", *names: str) -> dict[str, Any]:
    return {"Config": "c.json", "RepoTags": list(names or ("web:1",)), "Layers": [layer]}


def save(
    path: Path, entries: object, files: Mapping[str, bytes], links: Mapping[str, str] | None = None
) -> str:
    """Write an archive; return its target."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, data in {**files, "manifest.json": json.dumps(entries).encode()}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for name, link in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, link
            archive.addfile(member)
    data = made.getvalue()
    path.write_bytes(gzip.compress(data, 1) if path.suffix == ".gz" else data)
    return str(path)


GOOD = {"c.json": config(), f"{DIGEST}.tar": LAYER}
"""Files of an archive with one image, whose only layer is a checkpoint of podman."""
