"""Checkpoints in a registry of the tests."""

from __future__ import annotations

import gzip

from crafted import IMAGES, tar_of
from fault_server import FaultServer

LAYER = "application/vnd.oci.image.layer.v1.tar"


def legacy(server: FaultServer, tag: str) -> str:
    """Serve a checkpoint and 3 MB beside it as an image of one layer, `gzip` or `plain`."""
    images = {f"checkpoint/{p.name}": p.read_bytes() for p in (IMAGES / "counter").iterdir()}
    others = {"config.dump": b"{}", "spec.dump": b"{}", "x": bytes(3 << 20)}
    data = tar_of({**images, **others})
    data = gzip.compress(data, 0) if tag == "gzip" else data
    layer = {"mediaType": LAYER, **server.add_blob("app", data)}
    document = {"config": server.add_blob("app", b"{}"), "layers": [layer]}
    server.add_manifest("app", tag, document)
    return f"docker://{server.host}/app:{tag}"
