"""Delta layers, applied by real overlayfs, podman and umoci, against really unpacking and deleting.

All cases are generated. What is expected of a legacy delta is (base − deleted) ∪ tar, done by the
kernel in a folder; of an upper folder, the mount it is from.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import zstandard
from converting import LIST_TREE, LISTING, Listing
from lab import Lab

from ckpt_tui.convert.inputs import Beside
from ckpt_tui.convert.layout import LayoutSink
from ckpt_tui.convert.request import Request, prepare
from ckpt_tui.convert.run import ConvertedImage, run
from ckpt_tui.core.progress import quiet
from ckpt_tui.sources.base import MEDIA_CONFIG, MEDIA_MANIFEST, Descriptor
from ckpt_tui.sources.base import MEDIA_LAYER as LAYER
from crafted import tarred

CASES = 25
"""Generated cases for overlayfs."""

CASES_IN_LAB = 12
"""Those of them that podman and umoci apply too; each takes half a second."""

APPLIERS = (
    LISTING
    + r"""
import shutil, stat, tarfile

def remove(path):
    try:
        is_folder = stat.S_ISDIR(os.lstat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return
    shutil.rmtree(path) if is_folder else os.unlink(path)

def unpack(tar, top):
    for member in tar:
        path = os.path.join(top, member.name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.lexists(path) and not (member.isdir() and os.path.isdir(path)):
            remove(path)
        if member.islnk():
            os.link(os.path.join(top, member.linkname), path, follow_symlinks=False)
            continue
        tar.extract(member, top, numeric_owner=True, filter="fully_trusted")
        for key, value in member.pax_headers.items():
            if key.startswith("SCHILY.xattr."):
                value = value.encode("utf-8", "surrogateescape")
                os.setxattr(path, key.removeprefix("SCHILY.xattr."), value, follow_symlinks=False)

def unpack_layer(tar, top):
    for member in tar:
        folder, last = os.path.split(os.path.normpath(member.name))
        path = os.path.join(top, folder)
        if last == ".wh..wh..opq":
            os.setxattr(path, "trusted.overlay.opaque", b"y")
        elif last.startswith(".wh."):
            os.mknod(os.path.join(path, last.removeprefix(".wh.")), stat.S_IFCHR, 0)
        else:
            unpack(_One(tar, member), top)

class _One:
    "One member of a tar, as unpack wants it."
    def __init__(self, tar, member):
        self.tar, self.member = tar, member
    def __iter__(self):
        return iter([self.member])
    def extract(self, *arguments, **more):
        return self.tar.extract(*arguments, **more)

def inside(top, work):
    "Do something where no link leads outside of a folder."
    child = os.fork()
    if not child:
        code = 1
        try:
            os.chroot(top); os.chdir("/"); work(); code = 0
        except BaseException:
            import traceback; traceback.print_exc()
        os._exit(code)
    assert os.waitpid(child, 0)[1] == 0

def like(folder, other):
    "Give a folder the header of another one: engines do so with the root of a mount."
    shutil.copystat(other, folder)
    os.chown(folder, os.stat(other).st_uid, os.stat(other).st_gid)

def mounted(lower, upper, work):
    os.makedirs("mounted", exist_ok=True)
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    assert os.system(f"mount -t overlay overlay -o {options} mounted") == 0
    return "mounted"

os.chdir(sys.argv[2])
os.umask(0)
base = tarfile.open("base.tar")
"""
)
"""Python: real file trees from tars. Started with a folder of files to work in."""

BY_HAND = (
    APPLIERS
    + r"""
os.mkdir("hand")
unpack(base, "hand")
delta = tarfile.open("diff.tar") if os.path.exists("diff.tar") else []
deleted = json.load(open("deleted.json"))
def work():
    for name in deleted:
        remove("/" + name.lstrip("/"))
    unpack(delta, "/")
inside("hand", work)
print(json.dumps(listing("hand")))
"""
)
BY_OVERLAYFS = (
    APPLIERS
    + r"""
for name in ("lower", "layer", "work"):
    os.mkdir(name)
unpack(base, "lower")
like("layer", "lower")
if os.path.exists("layer.tar"):
    unpack_layer(tarfile.open("layer.tar"), "layer")
print(json.dumps(listing(mounted("lower", "layer", "work"))))
"""
)
IN_A_CONTAINER = (
    APPLIERS
    + r"""
import random
for name in ("lower", "upper", "work"):
    os.mkdir(name)
unpack(base, "lower")
like("upper", "lower")
top = mounted("lower", "upper", "work")
chosen = random.Random(int(sys.argv[3]))

def some(kind):
    found = sorted(os.path.join(f, n) for f, d, l in os.walk("/") for n in d + l)
    found = [path for path in found if kind in ("", stat.filemode(os.lstat(path).st_mode)[0])]
    return chosen.choice(found) if found else ""

def change(step, path):
    old = some("d" if step == 6 else "" if step == 0 else "-")
    is_new = not os.path.lexists(path)
    if step == 1 and is_new:
        os.mkdir(path, chosen.choice([0o755, 0o700, 0o1777]))
    elif step == 2 and is_new or step == 8 and old:
        with open(old if step == 8 else path, "ab") as file:
            file.write(chosen.randbytes(chosen.randrange(5000)))
    elif step == 3 and is_new:
        os.symlink(chosen.choice(["a", "../b", "/c"]), path)
    elif step == 4 and is_new:
        os.mkfifo(path)
    elif step == 5 and is_new and old:
        os.link(old, path)
    elif step == 6 and old:
        remove(old)
        os.mkdir(old)
        with open(os.path.join(old, "again"), "wb") as file:
            file.write(b"again")
    elif step == 7 and old:
        os.setxattr(old, "user.note", chosen.randbytes(9))
        os.chown(old, 7, 8)
        os.chmod(old, chosen.choice([0o640, 0o4755, 0o2770]))
        os.chmod(os.path.dirname(old), 0o1750)
    elif step == 0 and old and chosen.random() < 0.3:
        remove(old)

def work():
    for _ in range(40):
        change(chosen.randrange(9), os.path.join(some("d") or "/", chosen.choice("abcdefü")))

inside(top, work)
print(json.dumps(listing(top)))
"""
)
"""Python: changes the base as a container does, in an overlay mount."""


@dataclass(frozen=True)
class Converted:
    """A case, converted; `folder` has the tars that it is made of."""

    folder: Path
    result: ConvertedImage
    layout: Path


def really(script: str, folder: Path, *arguments: str) -> Listing:
    """Run one of the scripts in a mount name space of its own, and return the tree it lists."""
    own_mounts = ("unshare", "--mount", "--propagation", "private")
    done = subprocess.run(
        [*own_mounts, sys.executable, "-W", "ignore", "-c", script, "-", str(folder), *arguments],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: Listing = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module", autouse=True)
def _root() -> None:
    if os.geteuid() != 0:
        pytest.skip("Mounting takes root.")


class Tar:
    """A tar in the making."""

    def __init__(self, chosen: random.Random) -> None:
        self.chosen = chosen
        self.out = io.BytesIO()
        self.tar = tarfile.TarFile(fileobj=self.out, mode="w", format=tarfile.PAX_FORMAT)
        self.kinds: dict[str, str] = {}
        self._owners: dict[str, tuple[int, int]] = {}

    def add(self, name: str, kind: str, link: str = "", mode: int | None = None) -> None:
        info = tarfile.TarInfo(name)
        info.type = {
            "d": tarfile.DIRTYPE,
            "f": tarfile.REGTYPE,
            "l": tarfile.SYMTYPE,
            "h": tarfile.LNKTYPE,
            "p": tarfile.FIFOTYPE,
            "c": tarfile.CHRTYPE,
        }[kind]
        modes = (0o755, 0o1777, 0o700, 0o2750) if kind == "d" else (0o644, 0o4755, 0o600)
        info.mode = self.chosen.choice(modes) if mode is None else mode
        info.uid, info.gid, info.linkname = self.chosen.randrange(3), 5, link
        if kind == "h":  # one file has one header, under whatever name
            info.mode, info.uid = self._owners[link]
        self._owners[name] = (info.mode, info.uid)
        info.devmajor, info.devminor = (1, 3) if kind == "c" else (0, 0)
        data = self.chosen.randbytes(self.chosen.randrange(3000)) if kind == "f" else b""
        info.size = len(data)
        if kind == "f" and self.chosen.random() < 0.2:
            info.pax_headers = {"SCHILY.xattr.user.note": "value"}
        self.tar.addfile(info, io.BytesIO(data))
        self.kinds[name] = kind

    def done(self) -> bytes:
        self.tar.close()
        return self.out.getvalue()


def generated_base(chosen: random.Random) -> tuple[bytes, dict[str, str]]:
    """Return the tar of a base image, and the kinds of its names."""
    tar = Tar(chosen)
    tar.add(".", "d", mode=0o755)
    folders = ["."]
    for _ in range(chosen.randrange(4, 16)):
        name = os.path.normpath(os.path.join(chosen.choice(folders), chosen.choice("abcdü")))
        if name in tar.kinds:
            continue
        kind = chosen.choice("ddffl")
        tar.add(name, kind, chosen.choice(["a", "../b", "b/c", "/a"]) if kind == "l" else "")
        folders += [name] if kind == "d" else []
    return tar.done(), tar.kinds


def generated_delta(chosen: random.Random, base: dict[str, str]) -> tuple[bytes, list[str]]:
    """Return a delta as engines write it, entries of known folders alone, and deleted names."""
    names = [name for name in base if name != "."]
    deleted = chosen.sample(names, min(len(names), chosen.randrange(4)))
    state = {
        name: kind
        for name, kind in base.items()
        if not any(name == gone or name.startswith(f"{gone}/") for gone in deleted)
    }
    tar = Tar(chosen)
    for _ in range(chosen.randrange(10)):
        folders = sorted(n for n, k in state.items() if k == "d")
        name = os.path.normpath(os.path.join(chosen.choice(folders), chosen.choice("abcdeü")))
        if any(known == name or known.startswith(f"{name}/") for known in tar.kinds):
            continue
        files = sorted(n for n, k in tar.kinds.items() if k == "f" and state.get(n) == "f")
        kind = chosen.choice("ddffflpc" + "h" * bool(files))
        if kind != "d" or state.get(name) != "d":
            state = {n: k for n, k in state.items() if n != name and not n.startswith(f"{name}/")}
        link = chosen.choice(files) if kind == "h" else "../x" if kind == "l" else ""
        if kind == "h" and link not in state:
            continue
        tar.add(name, kind, link)
        state[name] = kind
    return tar.done() if tar.kinds else b"", [f"/{name}" for name in deleted]


def base_image(folder: Path, base: bytes) -> str:
    """Write the base image into a layout; return its config's digest."""
    blob = gzip.compress(base, mtime=0)
    diff_id = f"sha256:{hashlib.sha256(base).hexdigest()}"
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        }
    ).encode()
    with LayoutSink(folder) as staging:
        manifest = {
            "schemaVersion": 2,
            "mediaType": MEDIA_MANIFEST,
            "config": staging.add(config, MEDIA_CONFIG).document(),
            "layers": [staging.add(blob, LAYER + "+gzip").document()],
        }
        staging.publish(staging.add(json.dumps(manifest).encode(), MEDIA_MANIFEST), "base", quiet())
    return hashlib.sha256(config).hexdigest()


def legacy_archive(data: Path, folder: Path, image: str, diff: bytes, deleted: list[str]) -> Path:
    """Write a podman archive whose container ran from the image of that id."""
    spec = {"annotations": {"io.container.manager": "libpod"}, "process": {"args": ["sh"]}}
    members = {
        "config.dump": json.dumps({"name": "c", "rootfsImageID": image}).encode(),
        "spec.dump": json.dumps(spec).encode(),
        "checkpoint/inventory.img": (data / "images/counter/inventory.img").read_bytes(),
    }
    if diff:
        members["rootfs-diff.tar"] = diff
    if deleted:
        members["deleted.files"] = json.dumps(deleted).encode()
    return tarred(folder / "a.tar", members)


def converted(request: Request, folder: Path, layout: Path) -> Converted:
    """Convert, and put the delta layer beside as a plain tar."""
    prepared = prepare(request, quiet())
    try:
        assert prepared.plan.problems == ()
        result = run(prepared.plan, prepared.inputs, quiet())
    finally:
        prepared.close()
    delta = [w.layer.descriptor for w in result.layers if w.role == "delta"]
    for descriptor in delta:
        blob = layout / "blobs/sha256" / descriptor.digest[7:]
        reader = zstandard.ZstdDecompressor().stream_reader(
            blob.read_bytes(), read_across_frames=True
        )
        (folder / "layer.tar").write_bytes(reader.read())
    return Converted(folder, result, layout)


def case(data: Path, folder: Path, layout: Path, seed: int) -> Converted:
    """Generate a legacy checkpoint and convert it."""
    folder.mkdir()
    chosen = random.Random(seed)
    base, kinds = generated_base(chosen)
    diff, deleted = generated_delta(chosen, kinds)
    (folder / "base.tar").write_bytes(base)
    (folder / "deleted.json").write_text(json.dumps(deleted))
    if diff:
        (folder / "diff.tar").write_bytes(diff)
    image = base_image(folder / "base", base)
    archive = legacy_archive(data, folder, image, diff, deleted)
    request = Request(str(archive), f"oci:{layout}:case-{seed}", f"oci:{folder / 'base'}")
    return converted(request, folder, layout)


@pytest.mark.parametrize("seed", range(CASES))
def test_overlayfs_shows_what_unpacking_by_hand_gives(
    data: Path, tmp_path: Path, seed: int
) -> None:
    made = case(data, tmp_path / "case", tmp_path / "layout", seed)
    assert really(BY_OVERLAYFS, made.folder) == really(BY_HAND, made.folder)


@pytest.mark.parametrize("seed", range(CASES))
def test_an_upper_folder_as_a_layer_shows_what_its_mount_showed(
    data: Path, tmp_path: Path, seed: int
) -> None:
    folder = tmp_path / "case"
    folder.mkdir()
    base, _ = generated_base(random.Random(seed))
    (folder / "base.tar").write_bytes(base)
    base_image(folder / "base", base)
    expected = really(IN_A_CONTAINER, folder, str(seed))
    (folder / "upper").rename(folder / "was-upper")
    (folder / "lower").rename(folder / "was-lower")
    (folder / "work").rename(folder / "was-work")
    request = Request(
        f"dir:{data / 'images/counter'}",
        f"oci:{tmp_path / 'layout'}:x",
        f"oci:{folder / 'base'}",
        beside=Beside(upper=str(folder / "was-upper")),
    )
    made = converted(request, folder, tmp_path / "layout")
    assert really(BY_OVERLAYFS, made.folder) == expected


def test_podman_and_umoci_show_what_unpacking_by_hand_gives(lab: Lab, data: Path) -> None:
    folder = lab.host / "delta"
    folder.mkdir()
    layout = folder / "layout"
    expected = {}
    for seed in range(CASES_IN_LAB):
        made = case(data, folder / str(seed), layout, seed)
        expected[str(seed)] = really(BY_HAND, made.folder)
        size = (layout / "blobs/sha256" / made.result.rootfs[7:]).stat().st_size
        with LayoutSink(layout) as staging:
            staging.publish(
                Descriptor(MEDIA_MANIFEST, made.result.rootfs, size), f"rootfs-{seed}", quiet()
            )
    printed = lab.script(
        f"""
        cd /host/delta
        podman rmi -af >&2
        for seed in $(seq 0 {CASES_IN_LAB - 1}); do
            image=$(podman pull -q oci:layout:rootfs-$seed)
            # umoci 0.4 knows no zstd; the tar inside stays what it is
            podman push -q --compression-format gzip $image oci:gzip:rootfs-$seed >&2
            umoci unpack --image gzip:rootfs-$seed unpacked-$seed >&2
            for tree in "$(podman image mount $image)" unpacked-$seed/rootfs; do
                python3 - "$tree" <<'PYTHON'
{LIST_TREE}
PYTHON
            done
            podman image unmount $image >&2
            podman rmi -f $image >&2
        done
        """,
        timeout_s=600,
    ).stdout
    found = iter(map(json.loads, printed.splitlines()))
    for seed, tree in expected.items():
        by_podman, by_umoci = next(found), next(found)
        assert by_umoci == tree, f"umoci, case {seed}"
        # podman makes the root of every image 0555 and root's, whatever its layers say
        assert {**by_podman, ".": tree["."]} == tree, f"podman, case {seed}"
