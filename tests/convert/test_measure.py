"""The data steps of a restore, run in a scratch folder."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ckpt_tui.checkpoint.restore_steps import Amounts, Way, amounts_of, ways
from ckpt_tui.convert import measure
from ckpt_tui.convert.measure import Measured, Measurement
from ckpt_tui.core.errors import Cancelled, CkptError
from ckpt_tui.core.paths import cache_dir
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.formats.opened import OpenCheckpoint, open_checkpoint


@pytest.fixture(params=["counter.tar.zst", "rootfs.tar.zst", "cri-containerd-cri.tar"])
def opened(request: pytest.FixtureRequest, data: Path) -> Iterator[OpenCheckpoint]:
    found = open_checkpoint(str(data / "archives" / request.param), quiet())
    yield found
    found.close()


def left_behind() -> list[Path]:
    return list(cache_dir().rglob("*")) if cache_dir().exists() else []


def test_every_step_writes_what_was_computed(opened: OpenCheckpoint) -> None:
    have = amounts_of(opened.load(quiet()))
    measurement = Measurement(opened, have)
    for way in ways(have):
        assert measurement.can_run(way)
        for found in measurement.run(way, quiet()):
            if found.step.verb in ("decompress", "unpack", "copy", "mount"):
                assert found.written == found.step.writes, (way.id, found.step.name)
            else:  # of a nested tar the files alone are written
                assert found.written <= found.step.writes, (way.id, found.step.name)
    measurement.close()
    assert not left_behind()


def test_what_is_written_is_told_while_a_way_runs(data: Path) -> None:
    opened = open_checkpoint(str(data / "archives/rootfs.tar.zst"), quiet())
    have = amounts_of(opened.load(quiet()))
    measurement = Measurement(opened, have)
    seen: list[tuple[int, int]] = []

    def look(_step: str, _done: int, _total: int | None) -> None:
        seen.append((len(measurement.so_far), measurement.written))

    way = first(have, "podman-archive")
    done = measurement.run(way, Progress(look))
    assert {count for count, _ in seen} == set(range(len(way.steps))), "as steps are done"
    begun = [next(written for count, written in seen if count == n) for n in range(len(done))]
    assert begun == [sum(m.written for m in done[:n]) for n in range(len(done))]
    assert measurement.so_far == done
    measurement.close()
    opened.close()


def first(have: Amounts, id_: str) -> Way:
    return next(way for way in ways(have) if way.id == id_)


def test_an_optimized_image_has_no_archive_to_measure() -> None:
    from ckpt_tui.demo import demo_folder

    with demo_folder() as folder:
        opened = open_checkpoint(str(folder / "counter-optimized.oci.tar"), quiet())
        have = amounts_of(opened.load(quiet()))
        measurement = Measurement(opened, have)
        able = {way.id for way in ways(have) if measurement.can_run(way)}
        assert able == {"podman-optimized", "cri-o-optimized", "containerd-optimized", "in-place"}
        done = measurement.run(first(have, "podman-optimized"), quiet())
        assert done[0].written == have.of("images", "shm", "volumes")
        measurement.close()
        opened.close()


def test_too_little_room_is_refused(
    opened: OpenCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        free = 1000

    monkeypatch.setattr(measure.shutil, "disk_usage", lambda folder: Full)
    have = amounts_of(opened.load(quiet()))
    measurement = Measurement(opened, have)
    with pytest.raises(CkptError, match="not enough room"):
        measurement.run(first(have, "in-place"), quiet())
    measurement.close()
    assert not left_behind()


def test_a_cancelled_way_leaves_nothing(opened: OpenCheckpoint) -> None:
    have = amounts_of(opened.load(quiet()))
    measurement = Measurement(opened, have)
    with pytest.raises(Cancelled):
        measurement.run(first(have, "podman-archive"), Progress(cancelled=lambda: True))
    measurement.close()
    assert not left_behind()


def test_a_folder_closed_while_a_way_runs_goes_when_it_stops(opened: OpenCheckpoint) -> None:
    have = amounts_of(opened.load(quiet()))
    measurement = Measurement(opened, have)

    def close_now(step: str, done: int, total: int | None) -> None:
        measurement.close()

    measurement.run(first(have, "in-place"), Progress(report=close_now))
    assert not left_behind()
    assert measurement.run(first(have, "in-place"), quiet()) == ()


def hostile_archive(data: Path, path: Path) -> Path:
    """Write a checkpoint whose delta tries to leave the folder by links and names."""
    with tarfile.open(data / "archives/cri-crio.tar") as real:
        members = [
            (m, real.extractfile(m)) for m in real if m.name.strip("./") != "rootfs-diff.tar"
        ]
        delta = io.BytesIO()
        with tarfile.open(fileobj=delta, mode="w") as tar:
            link = tarfile.TarInfo("out")
            link.type, link.linkname = tarfile.SYMTYPE, str(path.parent / "outside")
            tar.addfile(link)
            for name in ("out/written", "../escaped", "/absolute", "x" * 300, "a", "a/b"):
                info = tarfile.TarInfo(name)
                info.size = 3
                tar.addfile(info, io.BytesIO(b"bad"))
        with tarfile.open(path, "w") as tar:
            for member, file in members:
                tar.addfile(member, file)
            info = tarfile.TarInfo("rootfs-diff.tar")
            info.size = delta.tell()
            delta.seek(0)
            tar.addfile(info, delta)
    return path


def test_a_hostile_delta_writes_nothing_outside(data: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    opened = open_checkpoint(str(hostile_archive(data, tmp_path / "bad.tar")), quiet())
    have = amounts_of(opened.load(quiet()))
    measurement = Measurement(opened, have)
    done: dict[str, Any] = {
        found.step.name: found for found in measurement.run(first(have, "cri-o-archive"), quiet())
    }
    measurement.close()
    opened.close()
    assert done["apply delta"].left_out == 1, "the link was not made"
    assert not [*outside.iterdir()]
    assert {p.name for p in tmp_path.iterdir()} == {"outside", "bad.tar"}
    assert not left_behind()


def test_an_archive_that_is_more_than_it_says_is_stopped(
    opened: OpenCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "SLACK", 0)
    measurement = Measurement(opened, Amounts(packed=1))
    with pytest.raises(CkptError, match="more than"):
        measurement.run(first(amounts_of(opened.load(quiet())), "in-place"), quiet())
    measurement.close()
    assert not left_behind()


def test_a_short_way_is_run_again_and_the_quickest_counts(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_checkpoint(str(data / "archives/counter.tar.zst"), quiet())
    have = amounts_of(opened.load(quiet()))
    way = first(have, "in-place")
    for times, best, runs in (([0.05, 0.02, 0.03, 0.04, 0.05], 0.02, 5), ([7.0], 7.0, 1)):
        waiting = list(times)

        def run(way: Way, progress: Progress, waiting: list[float] = waiting) -> Any:
            return (Measured(way.steps[0], waiting.pop(0), 0),)

        measurement = Measurement(opened, have)
        monkeypatch.setattr(measurement, "run", run)
        assert measurement.quickest(way, quiet())[0].seconds == best
        assert len(times) - len(waiting) == runs
    opened.close()
