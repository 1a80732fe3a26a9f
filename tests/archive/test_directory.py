import os
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from ckpt_tui.archive import directory
from ckpt_tui.archive.directory import DirectoryTree, open_beneath, open_folder
from ckpt_tui.archive.tree import MemberKind
from ckpt_tui.core.errors import Cancelled, SourceUnreachable
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import FileWindow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("outside")
    root = tmp_path / "root"
    (root / "checkpoint").mkdir(parents=True)
    (root / "checkpoint/pages-1.img").write_bytes(b"pages")
    (root / "up").symlink_to("../secret")
    (root / "linked").symlink_to("..")
    os.mkfifo(root / "fifo")
    return root


def test_members_have_the_facts_of_the_files(folder: Path) -> None:
    os.chmod(folder / "checkpoint/pages-1.img", 0o640)
    tree = DirectoryTree(folder)
    kinds = {name: member.kind.value for name, member in tree.members.items()}
    assert kinds == {
        "checkpoint": "d",
        "checkpoint/pages-1.img": "-",
        "fifo": "p",
        "linked": "l",
        "up": "l",
    }
    assert tree.members["up"].link == "../secret"
    assert tree.members["checkpoint/pages-1.img"].mode == 0o640
    assert tree.window("checkpoint/pages-1.img").read(2, 99) == b"ges"
    assert tree.notes == ()
    tree.close()


@pytest.mark.parametrize("name", ["up", "linked/secret", "fifo", "checkpoint", "absent"])
def test_only_regular_files_below_are_opened(folder: Path, name: str) -> None:
    descriptor = open_folder(folder)
    with pytest.raises(SourceUnreachable):
        open_beneath(descriptor, name)
    os.close(descriptor)
    tree = DirectoryTree(folder)
    with pytest.raises(KeyError):
        tree.window(name)
    tree.close()


def test_a_file_that_became_a_link_is_not_followed(folder: Path) -> None:
    tree = DirectoryTree(folder)
    window = tree.window("checkpoint/pages-1.img")
    (folder / "checkpoint/pages-1.img").unlink()
    (folder / "checkpoint/pages-1.img").symlink_to("../../secret")
    with pytest.raises(SourceUnreachable):
        window.read(0, 9)
    tree.close()


def test_odd_names_are_kept_byte_for_byte(tmp_path: Path) -> None:
    names = [b"caf\xe9", b"\x1b[31m", b"a\nb", "ü".encode() * 100]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(name)
    tree = DirectoryTree(tmp_path)
    assert {name.encode("utf-8", "surrogateescape") for name in tree.members} == set(names)
    for name in tree.members:
        assert tree.window(name).read(0, 300) == name.encode("utf-8", "surrogateescape")
    tree.close()


def test_a_socket_is_no_file(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        tree = DirectoryTree(tmp_path)
        assert tree.members["s"].kind is MemberKind.SOCKET
        tree.close()


def test_unreadable_parts_are_notes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may read anything, so the refusal is played.
    real = os.open

    def refuse(path: bytes | str, flags: int, *args: int, dir_fd: int | None = None) -> int:
        if path == b"checkpoint":
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *args, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", refuse)
    tree = DirectoryTree(folder)
    assert "checkpoint" in tree.members
    assert tree.notes == ("checkpoint cannot be read: Permission denied.",)
    tree.close()


def test_a_folder_too_large_or_too_deep_is_cut_with_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a/b/c/d").mkdir(parents=True)
    for number in range(5):
        (tmp_path / f"f{number}").touch()
    monkeypatch.setattr(directory, "MAX_DEPTH", 2)
    tree = DirectoryTree(tmp_path)
    assert "a/b/c" in tree.members
    assert "a/b/c/d" not in tree.members
    assert "too deep" in tree.notes[0]
    tree.close()
    monkeypatch.setattr(directory, "MAX_MEMBERS", 5)
    tree = DirectoryTree(tmp_path)
    assert len(tree.members) == 5
    assert "more than 5 entries" in tree.notes[-1]
    tree.close()


def test_another_file_system_is_not_entered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fstat", lambda _descriptor: SimpleNamespace(st_dev=-1, st_ino=0))
    tree = DirectoryTree(folder)
    assert "checkpoint" in tree.members
    assert "checkpoint/pages-1.img" not in tree.members
    assert "another file system" in tree.notes[0]
    tree.close()


@pytest.mark.parametrize("name", ["absent", "file", "nul\0"])
def test_what_is_no_folder_cannot_be_reached(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SourceUnreachable):
        DirectoryTree(f"{tmp_path}/{name}")


def test_walking_can_be_cancelled(folder: Path) -> None:
    with pytest.raises(Cancelled):
        DirectoryTree(folder, Progress(cancelled=lambda: True))


def test_a_failing_read_is_an_error_of_the_source(folder: Path) -> None:
    descriptor = open_folder(folder)  # the kernel refuses to read a folder as a file
    with pytest.raises(SourceUnreachable, match="byte 3"):
        FileWindow(descriptor, 10).read(3, 1)
    os.close(descriptor)
