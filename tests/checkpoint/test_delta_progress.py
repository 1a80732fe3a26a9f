import io
import tarfile

import pytest

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.archive.headers import Owner, TarHeader
from ckpt_tui.archive.notes import Notes
from ckpt_tui.archive.tar import index
from ckpt_tui.archive.tar_index import TarIndex
from ckpt_tui.archive.tree import MemberKind
from ckpt_tui.checkpoint.delta import DIFF, SoFar, build_delta
from ckpt_tui.core import progress as progress_module
from ckpt_tui.core.errors import Cancelled
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.window import BytesWindow

OWNER = Owner(0o644, 0, 0, "", "", (0, 0))


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


def test_the_changes_are_known_while_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "YIELD_S", 0)
    monkeypatch.setattr(progress_module, "REPORT_S", 0)
    names = [f"f{number}" for number in range(3000)]
    diff = packed({name: b"x" * (number % 7) for number, name in enumerate(names)})
    tree = open_archive(BytesWindow(packed({DIFF: diff})), "a.tar", quiet())
    so_far, seen = SoFar(None), {}

    def look() -> bool:
        count = len(so_far)
        seen[count] = (so_far.largest, [*so_far[:3], *so_far[count - 1 : count]])
        return False

    delta = build_delta(tree, None, [], Progress(cancelled=look), so_far)
    assert len(seen) > 3
    del seen[len(names)]
    for count, (largest, entries) in seen.items():
        assert entries == [*delta.entries[: min(count, 3)], *delta.entries[count - 1 : count]]
        assert largest == min(max(count - 1, 0), 6)
    assert list(so_far) == list(delta.entries)
    assert so_far.largest == 6


def test_what_was_known_stays_while_it_is_read_again() -> None:
    diff = packed({f"f{number}": b"x" for number in range(10)})
    so_far = SoFar(None)
    for members in (10, 0, 3):
        part = TarIndex(Notes())
        so_far.take(part)
        whole = index(BytesWindow(diff), DIFF, quiet())
        for name in whole.names[:members]:
            header = TarHeader(0, 0, 1, name, MemberKind.FILE, 1, OWNER, 0, "", {})
            part.add(name, "", header)
        assert [entry.path for entry in so_far] == [f"/f{number}" for number in range(10)]
