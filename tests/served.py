"""Checkpoints in a registry of the tests."""

from __future__ import annotations

import gzip
import io
import tarfile

from crafted import IMAGES
from fault_server import FaultServer

LAYER = "application/vnd.oci.image.layer.v1.tar"


def legacy(server: FaultServer, tag: str) -> str:
    """Serve a checkpoint and 3 MB beside it as an image of one layer, `gzip` or `plain`."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(IMAGES / "counter", "checkpoint")
        for name, data in (("config.dump", b"{}"), ("spec.dump", b"{}"), ("x", bytes(3 << 20))):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    data = packed.getvalue()
    data = gzip.compress(data, 0) if tag == "gzip" else data
    layer = {"mediaType": LAYER, **server.add_blob("app", data)}
    document = {"config": server.add_blob("app", b"{}"), "layers": [layer]}
    server.add_manifest("app", tag, document)
    return f"docker://{server.host}/app:{tag}"
