"""The folder for a lazy restore: what is written, what is left to the page server."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import quiet
from ckpt_tui.criu.pages import PageState
from ckpt_tui.restore.lazy_images import LazyImages, write_lazy_images
from crafted import IMAGES, copied, cut_chain, unpacked
from lazy_dumps import (
    LAZY,
    PAGE,
    PARENT,
    PRESENT,
    Client,
    entry,
    memory_of,
    opened,
    page,
    pages,
    serving,
    write_dump,
    write_map,
)

RUNS = (
    (0x10000, 4, PRESENT | LAZY),
    (0x20000, 2, PRESENT),
    (0x22000, 1, PRESENT | LAZY),
    (0x30000, 1, PRESENT),
)


def written(target: Path | str, folder: Path) -> LazyImages:
    with opened(target) as checkpoint:
        return write_lazy_images(checkpoint, folder, quiet())


@pytest.mark.parametrize("is_new", [True, False], ids=["v4.2", "before"])
def test_lazy_pages_are_left_out(tmp_path: Path, is_new: bool) -> None:
    dump = write_dump(tmp_path / "dump", {})
    stored = b"".join(pages(7, address, count) for address, count, _ in RUNS)
    write_map(dump, "pagemap-7.img", 3, [entry(*run, is_new=is_new) for run in RUNS], stored)
    done = written(dump, tmp_path / "lazy")
    assert (done.lazy, done.pids) == (5 * PAGE, (7,))
    assert (tmp_path / "lazy/pages-3.img").read_bytes() == pages(7, 0x20000, 2) + page(7, 0x30000)
    memory = memory_of(tmp_path / "lazy", "pagemap-7.img")
    assert [(run.start, run.pages, run.flags) for run in memory.pagemap.runs] == [
        (0x10000, 4, LAZY),
        (0x20000, 2, PRESENT),
        (0x22000, 1, LAZY),
        (0x30000, 1, PRESENT),
    ]
    files = list((tmp_path / "lazy").iterdir())
    assert done.written == sum(path.stat().st_size for path in files)
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_every_page_is_written_or_served(tmp_path: Path) -> None:
    dump = copied("counter", tmp_path)
    written(dump, tmp_path / "lazy")
    before, after = memory_of(dump, "pagemap-1.img"), memory_of(tmp_path / "lazy", "pagemap-1.img")
    kinds = set()
    with serving(dump) as served, Client(served) as client:
        for run in before.pagemap.runs:
            for address in range(run.start, run.start + run.pages * PAGE, PAGE):
                (span,) = after.spans(address, address + PAGE)
                kinds.add(span.state)
                lazily = span.state is PageState.LAZY
                got = client.got(1, address, 1) if lazily else after.read(address, PAGE).data
                assert got == before.read(address, PAGE).data
    assert kinds == {PageState.DATA, PageState.LAZY}


def test_other_images_are_copied(tmp_path: Path) -> None:
    dump = copied("counter", tmp_path)
    written(dump, tmp_path / "lazy")
    names = {path.name for path in dump.iterdir()}
    assert {path.name for path in (tmp_path / "lazy").iterdir()} == names
    for name in names:
        if not name.startswith(("pages-", "pagemap-")):
            assert (tmp_path / "lazy" / name).read_bytes() == (dump / name).read_bytes()


def test_maps_without_flags_have_no_lazy_pages(tmp_path: Path) -> None:
    dump = write_dump(tmp_path / "dump", {})
    entries = [entry(0x10000, 3, None, is_new=False)]
    write_map(dump, "pagemap-7.img", 3, entries, pages(7, 0x10000, 3))
    done = written(dump, tmp_path / "lazy")
    assert (done.lazy, done.pids) == (0, ())
    assert (tmp_path / "lazy/pages-3.img").read_bytes() == pages(7, 0x10000, 3)


def test_shared_memory_is_copied_even_where_it_is_said_to_be_lazy(tmp_path: Path) -> None:
    dump = write_dump(tmp_path / "dump", {})
    entries = [entry(0, 2, PRESENT | LAZY)]
    write_map(dump, "pagemap-shmem-12.img", 5, entries, pages(0, 0, 2))
    assert written(dump, tmp_path / "lazy").lazy == 0
    assert (tmp_path / "lazy/pages-5.img").read_bytes() == pages(0, 0, 2)
    assert [run.flags for run in memory_of(tmp_path / "lazy", "pagemap-shmem-12.img").pagemap.runs]
    assert memory_of(tmp_path / "lazy", "pagemap-shmem-12.img").read(0, 2 * PAGE).data == pages(
        0, 0, 2
    )


def test_a_chain_becomes_one_folder(tmp_path: Path) -> None:
    write_dump(tmp_path / "first", {7: ((0x10000, 4, PRESENT | LAZY), (0x20000, 1, PRESENT))}, "1")
    dump = write_dump(
        tmp_path / "second",
        {7: ((0x10000, 1, PRESENT | LAZY), (0x11000, 3, PARENT), (0x20000, 1, PARENT))},
    )
    (dump / "parent").symlink_to("../first")
    done = written(dump, tmp_path / "lazy")
    assert done.lazy == 4 * PAGE
    memory = memory_of(tmp_path / "lazy", "pagemap-7.img")
    assert [(run.start, run.pages, run.flags) for run in memory.pagemap.runs] == [
        (0x10000, 1, LAZY),
        (0x11000, 3, LAZY),
        (0x20000, 1, PRESENT),
    ]
    assert (tmp_path / "lazy/pages-107.img").read_bytes() == page(7, 0x20000, "1")
    assert not (tmp_path / "lazy/parent").exists()
    with serving(dump) as served, Client(served) as client:
        assert client.got(7, 0x10000, 4) == page(7, 0x10000) + pages(7, 0x11000, 3, "1")


def test_a_real_chain(tmp_path: Path) -> None:
    shutil.copytree(copied("counter", tmp_path), tmp_path / "chain/checkpoint")
    cut_chain(tmp_path / "chain")
    whole = written(tmp_path / "counter", tmp_path / "one")
    chain = written(tmp_path / "chain/checkpoint", tmp_path / "other")
    assert chain.lazy == whole.lazy
    for path in (tmp_path / "one").glob("pages-*.img"):
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()


def test_a_chain_whose_first_dump_is_absent_is_refused(tmp_path: Path) -> None:
    dump = write_dump(tmp_path / "dump", {7: ((0x10000, 1, PARENT),)})
    with pytest.raises(CkptError, match="in the previous dump"):
        written(dump, tmp_path / "lazy")


def test_a_page_image_that_is_too_short_is_refused(tmp_path: Path) -> None:
    dump = write_dump(tmp_path / "dump", {7: RUNS})
    image = dump / "pages-107.img"
    image.write_bytes(image.read_bytes()[:-PAGE])
    with pytest.raises(CkptError, match="missing from the page image"):
        written(dump, tmp_path / "lazy")


def test_a_damaged_page_map_is_refused(tmp_path: Path) -> None:
    dump = write_dump(tmp_path / "dump", {})
    write_map(dump, "pagemap-7.img", 3, [entry(0x20000, 1, PRESENT), entry(0x10000, 1, 4)], b"")
    with pytest.raises(CkptError, match="do not ascend"):
        written(dump, tmp_path / "lazy")


def test_a_folder_with_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "lazy").mkdir()
    (tmp_path / "lazy/mine").write_text("x")
    with pytest.raises(CkptError, match="is not empty"):
        written(IMAGES / "counter", tmp_path / "lazy")
    assert [path.name for path in (tmp_path / "lazy").iterdir()] == ["mine"]


def test_an_archive_gives_the_same_images_as_its_folder(tmp_path: Path, data: Path) -> None:
    archive = data / "archives/cri-podman.tar"
    folder = unpacked(archive, tmp_path / "unpacked")
    assert written(archive, tmp_path / "one") == written(folder, tmp_path / "other")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()
