"""Saving bytes: whole or not at all, and never over another file."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from ckpt_tui.core.errors import Cancelled, CkptError, SourceUnreachable
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.saving import save_window
from ckpt_tui.core.window import BytesWindow


def test_the_bytes_are_there_and_only_their_owner_may_read_them(tmp_path: Path) -> None:
    target = tmp_path / "out"
    digest = save_window(BytesWindow(b"abc"), str(target), quiet())
    assert digest == hashlib.sha256(b"abc").hexdigest()
    assert target.read_bytes() == b"abc"
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_bytes(b"mine")
    with pytest.raises(CkptError, match="there already"):
        save_window(BytesWindow(b"abc"), str(target), quiet())
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(CkptError, match="there already"):
        save_window(BytesWindow(b"abc"), str(tmp_path / "link"), quiet())
    assert target.read_bytes() == b"mine"


def test_home_is_expanded(own_home: Path) -> None:
    save_window(BytesWindow(b"abc"), "~/out", quiet())
    assert (own_home / "out").read_bytes() == b"abc"


class Broken(BytesWindow):
    def read(self, offset: int, length: int) -> bytes:
        if offset:
            raise SourceUnreachable("Reading failed.")
        return super().read(offset, 2)


def test_nothing_is_left_of_a_write_that_fails(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreachable):
        save_window(Broken(b"abcdef"), str(tmp_path / "out"), quiet())
    with pytest.raises(Cancelled):
        save_window(BytesWindow(b"abc"), str(tmp_path / "out"), Progress(cancelled=lambda: True))
    with pytest.raises(CkptError, match="cannot be written"):
        save_window(BytesWindow(b"abc"), str(tmp_path / "no/out"), quiet())
    assert not list(tmp_path.iterdir())


def test_a_file_system_without_hard_links_gets_the_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(source: str, target: str) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", source, None, target)

    monkeypatch.setattr(os, "link", no_links)
    path = tmp_path / "saved"
    save_window(BytesWindow(b"data"), str(path), quiet())
    assert path.read_bytes() == b"data"
    assert [one.name for one in tmp_path.iterdir()] == ["saved"]
    with pytest.raises(CkptError, match="is there already"):
        save_window(BytesWindow(b"other"), str(path), quiet())
