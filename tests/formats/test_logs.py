"""Logs are found near a checkpoint, and in the store of the engine that restored it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ckpt_tui.core.errors import SourceUnreachable
from ckpt_tui.formats.logs import log_beside, log_in_store, open_log

ID = "ab" * 32
DUMPED = datetime(2026, 3, 4, tzinfo=UTC)


@pytest.fixture
def userdata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a container in podman's store."""
    conf = tmp_path / "storage.conf"
    conf.write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{tmp_path}"\n')
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(conf))
    folder = tmp_path / "overlay-containers" / ID / "userdata"
    folder.mkdir(parents=True)
    return folder


def written(path: Path, when: datetime) -> Path:
    path.write_text("a log")
    os.utime(path, (when.timestamp(), when.timestamp()))
    return path


def test_log_named_after_the_checkpoint_goes_before_others(tmp_path: Path) -> None:
    target = written(tmp_path / "web.tar.zst", DUMPED)
    other = written(tmp_path / "restore.log", DUMPED)
    assert log_beside(str(target)) == other
    own = written(tmp_path / "web.restore.log", DUMPED)
    assert log_beside(str(target)) == own
    assert log_beside(str(tmp_path / "none")) is None


def test_log_in_podmans_store_counts_if_it_is_newer_than_the_dump(userdata: Path) -> None:
    log = written(userdata / "restore.log", DUMPED.replace(hour=1))
    assert log_in_store(ID, DUMPED) == log
    assert log_in_store(ID, DUMPED.replace(hour=2)) is None
    assert log_in_store("cd" * 32, DUMPED) is None


@pytest.mark.parametrize("name", ["", "../../etc", "ab" * 32 + "/..", "\0" * 64])
def test_id_that_is_none_is_looked_for_nowhere(userdata: Path, name: str) -> None:
    written(userdata / "restore.log", DUMPED)
    assert log_in_store(name, DUMPED) is None


def test_what_is_no_regular_file_is_no_log(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(SourceUnreachable, match="not a regular file"):
        open_log(tmp_path / "fifo")
