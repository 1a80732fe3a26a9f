import io
import tarfile

import pytest

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.checkpoint.delta import DIFF, build_delta
from ckpt_tui.core.errors import Cancelled
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.window import BytesWindow


def packed(files: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as made:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return sink.getvalue()


def test_listing_the_changes_is_counted_and_can_be_given_up() -> None:
    diff = packed({f"f{number}": b"x" for number in range(3000)})
    tree = open_archive(BytesWindow(packed({DIFF: diff})), "a.tar", quiet())
    progress = Progress()
    assert len(build_delta(tree, None, [], progress).entries) == 3000
    assert (progress.step, progress.done, progress.total) == ("listing the changes", 3000, 3000)
    progress = Progress(cancelled=lambda: progress.step == "listing the changes")
    with pytest.raises(Cancelled):
        build_delta(tree, None, [], progress)
