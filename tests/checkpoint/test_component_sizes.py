"""Where the bytes are, part by part."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

from crafted import ARCHIVES, loaded, tar_of

ZEROS = 3_000_000


def test_a_compressed_delta_counts_as_large_as_it_is(tmp_path: Path) -> None:
    delta = tar_of({"data/zeros": bytes(ZEROS)})
    archive = tmp_path / "containerd.tar"
    with (
        tarfile.open(ARCHIVES / "cri-containerd-cri.tar") as old,
        tarfile.open(archive, "w") as new,
    ):
        for member in old:
            content = old.extractfile(member)
            data = content.read() if content else b""
            if member.name == "rootfs-diff.tar":
                data = gzip.compress(delta)
                member.size = stored = len(data)
            new.addfile(member, io.BytesIO(data))
    checkpoint = loaded(archive)
    shares = {share.name: share.bytes for share in checkpoint.sizes.components}
    assert stored < ZEROS / 100
    assert shares["delta"] == len(delta)
    assert checkpoint.sizes.plain == sum(shares.values())
    assert (checkpoint.delta.bytes, checkpoint.delta.plain_bytes) == (stored, len(delta))
