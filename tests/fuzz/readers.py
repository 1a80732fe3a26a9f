"""What reads foreign bytes, and real bytes to begin with: one entry for each reader."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import zstandard
from answering import ask_for_everything

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.archive.joined import MemoryTree
from ckpt_tui.archive.seekable import (
    SeekableZstdWindow,
    SeekableZstdWriter,
    seek_table,
)
from ckpt_tui.archive.tree import MemberKind, Tree
from ckpt_tui.checkpoint.build import Parts, build_checkpoint
from ckpt_tui.checkpoint.export import checkpoint_document
from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.memory import MemoryReader
from ckpt_tui.checkpoint.model import Checkpoint, ContainerFacts, FormatFacts
from ckpt_tui.checkpoint.raw import RawImage, has_lines, raw_lines
from ckpt_tui.checkpoint.recovered import recover
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.convert.record import Record, SourceRecord, read_record
from ckpt_tui.convert.restore_archive import restore_archive
from ckpt_tui.core.config import parse_config
from ckpt_tui.core.document import parse_document
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.json_form import to_json
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.text import printable
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.criu.crit import to_crit
from ckpt_tui.criu.decode import decode_image
from ckpt_tui.criu.pages import PageMap
from ckpt_tui.criu.render import fields, to_plain, walk
from ckpt_tui.diagnose.checks import CHECKS
from ckpt_tui.diagnose.doctor import diagnose_log
from ckpt_tui.diagnose.facts import Facts
from ckpt_tui.diagnose.log import read_log
from ckpt_tui.formats.frame_digests import decode, encode
from ckpt_tui.sources.bolt import Bolt, Bucket
from ckpt_tui.sources.credentials import _login_in
from ckpt_tui.sources.oci import LayoutStore, choose, image_layers, manifests, open_image
from ckpt_tui.views.details import ref_sections
from ckpt_tui.views.links import links, users
from containerd_store import database

DATA = Path(__file__).parent.parent / "data"
MOST_MEMBERS = 50


@dataclass(frozen=True)
class Reader:
    """One reader; a CkptError is an answer, every other exception a finding."""

    read: Callable[[bytes], object]
    first: Callable[[], list[bytes]]
    """Real inputs."""
    words: tuple[bytes, ...] = ()
    """What its inputs are made of."""


@cache
def _images() -> list[Path]:
    folders = ("images/kinds", "images/counter", "images/sockets", "netlink", "crit")
    found = [path for folder in folders for path in (DATA / folder).iterdir()]
    return sorted(path for path in found if path.is_file() and path.stat().st_size < 1 << 17)


@cache
def _names() -> list[str]:
    return sorted({path.name for path in _images()})


def _first_images() -> list[bytes]:
    return [_names().index(p.name).to_bytes(2, "little") + p.read_bytes() for p in _images()]


def _split(data: bytes) -> tuple[str, bytes]:
    """Return the name of the image that an input stands for, and its bytes."""
    return _names()[int.from_bytes(data[:2], "little") % len(_names())], data[2:]


def _image(data: bytes) -> None:
    name, content = _split(data)
    window = BytesWindow(content)
    decoded = decode_image(window, name, quiet())
    for message in decoded.messages:
        for _, view in walk(fields(message)):
            str(view.value_text)
        to_json(to_plain(message))
    with suppress(CkptError):
        for pretty in (False, True):
            to_json(to_crit(decoded, window, pretty=pretty))
    if name.startswith("pagemap-"):
        PageMap.read(window, name, quiet())


def _checkpoint(name: str, content: bytes) -> tuple[MemoryTree, ImageDirectory, Checkpoint]:
    folders = ("kinds", "netlink")
    sound = {path.name: path.read_bytes() for path in _images() if path.parent.name in folders}
    tree = MemoryTree(sound | {name: content})
    images = ImageDirectory(tree, "")
    facts = FormatFacts("fuzzed", "criu", optimized=False, compression="plain")
    parts = Parts("fuzzed", tree, images, "", facts, ContainerFacts(), 0)
    return tree, images, build_checkpoint(parts, quiet())


def _model(data: bytes) -> None:
    name, content = _split(data)
    tree, images, checkpoint = _checkpoint(name, content)
    to_json(checkpoint_document(checkpoint))
    keys = [Ref.process(process.pid) for process in checkpoint.processes]
    keys += [Ref.file(file.pid, file.fd) for file in checkpoint.files[:50]]
    keys += [Ref.socket(socket.pid, socket.fd) for socket in checkpoint.sockets[:50]]
    keys += [Ref.region(r.pid, r.start) for m in checkpoint.memory[:4] for r in m.regions[:20]]
    keys += [Ref.mount(mount.namespace, mount.id) for mount in checkpoint.mounts[:20]]
    keys += [Ref.image(name)]
    for key in keys:
        ref_sections(checkpoint, key, reveal=True)
        links(checkpoint, key)
        users(checkpoint, key)
    found = recover(tree, images, MemoryReader(images), checkpoint, quiet())
    for item in found.items:
        item.window.read(0, 4096)
    found.close()
    if has_lines(name):
        raw_lines(RawImage(name, images, lambda: checkpoint), quiet())
    facts = Facts(checkpoint, images, tree, {})
    for check in (check for check in CHECKS if check.can_run(facts)):
        deque(check.run(facts), maxlen=0)


def _archive(data: bytes) -> None:
    tree = open_archive(BytesWindow(data), "fuzzed", quiet())
    try:
        _read_members(tree)
    finally:
        tree.close()


def _read_members(tree: Tree) -> None:
    for member in islice(tree.members.values(), MOST_MEMBERS):
        printable(f"{member.name} {member.link} {member.uname}")
        if member.kind is MemberKind.FILE:
            with suppress(CkptError):
                window = tree.window(member.name)
                window.read(0, 4096)
                window.read(max(window.size - 10, 0), 4096)
    list(map(printable, tree.notes))


def _resealed_tar(data: bytes) -> None:
    """Read a tar whose headers have the right checksums: damage comes further."""
    sealed = bytearray(data)
    for at in range(0, len(sealed) - 511, 512):
        if sealed[at + 257 : at + 262] == b"ustar":
            sealed[at + 148 : at + 156] = b" " * 8
            sealed[at + 148 : at + 155] = b"%06o\0" % (sum(sealed[at : at + 512]) & 0o777777)
    _archive(bytes(sealed))


def _tars() -> list[bytes]:
    found = []
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        sink = io.BytesIO()
        shared = {"SCHILY.xattr.user.a": "1"} if form == tarfile.PAX_FORMAT else {}
        with tarfile.open(fileobj=sink, mode="w", format=form, pax_headers=shared) as tar:
            for name, kind in (("config.dump", b"0"), ("checkpoint", b"5"), ("a/b/c", b"0")):
                info = tarfile.TarInfo(name)
                info.type, info.size = kind, 700 if kind == b"0" else 0
                tar.addfile(info, io.BytesIO(b"x" * 700))
            for kind in (b"1", b"2", b"3", b"4", b"6"):
                info = tarfile.TarInfo("n" * (60 if form == tarfile.USTAR_FORMAT else 120) + "x")
                info.type, info.linkname, info.devmajor = kind, "config.dump", 8
                tar.addfile(info)
        found.append(sink.getvalue())
    return [*found, _sparse()]


def _sparse() -> bytes:
    info = tarfile.TarInfo("sparse")
    info.size = 512 + 1024
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "sparse",
        "GNU.sparse.realsize": "1000000",
    }
    runs = b"2\n0\n512\n999488\n512\n".ljust(512, b"\0")
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(info, io.BytesIO(runs + b"s" * 1024))
    return sink.getvalue()


def _packed(pack: Callable[[bytes], bytes]) -> list[bytes]:
    return [pack(tar) for tar in _tars()]


def _seekable(data: bytes, frame_size: int = 512) -> bytes:
    sink = io.BytesIO()
    with SeekableZstdWriter(sink, frame_size=frame_size, threads=1) as writer:
        writer.write(data)
        writer.close()
    return sink.getvalue()


def _frames(data: bytes) -> None:
    with suppress(CkptError):
        decode(data)
    table = seek_table(BytesWindow(data))
    if table is not None:
        window = SeekableZstdWindow(BytesWindow(data), table)
        window.read(0, 1 << 20)
        window.read(max(window.size - 5, 0), 100)


def _first_frames() -> list[bytes]:
    return [
        encode([("sha256:" + "ab" * 32, b"d" * 96), ("sha256:" + "cd" * 32, b"")]),
        *(_seekable(tar) for tar in _tars()[:2]),
    ]


def _manifest(data: bytes) -> None:
    """Read a layout of three documents, a NUL between: index.json, manifest, config."""
    index, _, rest = data.partition(b"\0")
    manifest, _, config = rest.partition(b"\0")
    digests = ["sha256:" + hashlib.sha256(part).hexdigest() for part in (manifest, config)]
    for number, digest in enumerate(digests):  # what is named is there
        word = b"@%d" % number
        index = index.replace(word, digest.encode())
        manifest = manifest.replace(word, digest.encode()) if number else manifest
    digests[0] = "sha256:" + hashlib.sha256(manifest).hexdigest()
    files = {
        "oci-layout": b"{}",
        "index.json": index,
        **{
            f"blobs/sha256/{digest.partition(':')[2]}": part
            for digest, part in zip(digests, (manifest, config), strict=True)
        },
    }
    store = LayoutStore(MemoryTree(files))
    for one in islice(manifests(store, store.index()), 20):
        with suppress(CkptError):
            image = open_image("fuzzed", store, one)
            for layer in image_layers(image):
                layer.store.layer_tree(layer.descriptor, quiet())
    for wanted in ("", "x", "@" + digests[0]):
        with suppress(CkptError):
            choose(store, wanted, "fuzzed")
    with suppress(CkptError):
        store.referrers(digests[0], quiet())


def _first_manifests() -> list[bytes]:
    config = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
    digest = "sha256:" + hashlib.sha256(config).hexdigest()
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": 78}
    manifest = json.dumps({"schemaVersion": 2, "config": layer, "layers": [layer, layer]}).encode()
    named = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": "sha256:" + hashlib.sha256(manifest).hexdigest(),
        "size": len(manifest),
        "annotations": {"org.opencontainers.image.ref.name": "x"},
        "platform": {"os": "linux", "architecture": "amd64"},
    }
    nested = {**named, "mediaType": "application/vnd.oci.image.index.v1+json"}
    index = json.dumps({"schemaVersion": 2, "manifests": [named, nested]}).encode()
    return [b"\0".join((index, manifest, config))]


def _bolt(data: bytes) -> None:
    left = [20_000]

    def walked(bucket: Bucket, depth: int) -> None:
        for _, value in bucket:
            left[0] -= 1
            if left[0] < 0:
                return
            if isinstance(value, Bucket) and depth < 6:
                walked(value, depth + 1)

    walked(Bolt(BytesWindow(data), "meta.db").root, 0)


def _first_bolts() -> list[bytes]:
    return [database()]


def _conversion(data: bytes) -> None:
    from tempfile import TemporaryDirectory

    if sum(member.size for member in read_record(data).members) > 1 << 24:
        return
    tree = MemoryTree({"conversion.json": data, "config.dump": b"{}", "a/b": b"x" * 700})
    with TemporaryDirectory() as folder:
        target = Path(folder, "below", "a.tar")
        target.parent.mkdir()
        try:
            restore_archive(tree, BytesWindow(b""), target, quiet())
            _read_back(target)
        finally:
            target.unlink(missing_ok=True)
            assert [*Path(folder).rglob("*")] == [target.parent]


def _read_back(target: Path) -> None:
    """Whatever is written is read again without a note."""
    tree = open_archive(BytesWindow(target.read_bytes()), "written", quiet())
    assert tree.notes == (), tree.notes
    tree.close()


def _first_records() -> list[bytes]:
    tree = open_archive(BytesWindow(_tars()[2]), "a.tar", quiet())
    kinds = (MemberKind.FILE, MemberKind.DIRECTORY)
    members = tuple(member for member in tree.members.values() if member.kind in kinds)
    source = SourceRecord("podman archive", "podman", "plain", "sha256:" + "0" * 64)
    return [Record(source, members, {"a/b/c": b"x" * 700, "config.dump": b"x" * 700}, {}).encode()]


def _log(data: bytes) -> None:
    diagnosis = diagnose_log(read_log(BytesWindow(data), quiet()))
    printable(str(diagnosis.root_cause))


def _first_logs() -> list[bytes]:
    real = [gzip.decompress(path.read_bytes())[:9000] for path in sorted(DATA.glob("logs/*.gz"))]
    failed = sorted(path for path in (DATA / "failed").rglob("*.log*") if path.is_file())
    return [*real, *(path.read_bytes()[-4000:] for path in failed[:20] if path.suffix == ".log")]


def _config(data: bytes) -> None:
    with suppress(CkptError):
        parse_config(data, "config.toml")
    document = parse_document(data, "auth.json")
    given: Mapping[str, Any] = document if isinstance(document, dict) else {}
    for host in ("docker.io", "registry.example:5000"):
        _login_in(given, "auth.json", host, "a/b", lambda program, question: data)


def _first_configs() -> list[bytes]:
    return [
        b'theme = "light"\nmasks = ["PIN"]\nregistries = ["a.example:5000"]\n[keys]\nx = "a,b"\n',
        b'{"auths":{"registry.example:5000/a":{"auth":"dTpw"},"https://index.docker.io/v1/":'
        b'{"identitytoken":"t"}},"credHelpers":{"docker.io":"pass"},"credsStore":"pass",'
        b'"Username":"u","Secret":"s"}',
    ]


def _first_archives() -> list[bytes]:
    small = [path for path in sorted(DATA.glob("archives/*")) if path.stat().st_size < 1 << 16]
    return [*(path.read_bytes() for path in small), *_tars()]


def _first_answers() -> list[bytes]:
    bearer = b'WWW-Authenticate: Bearer realm="http://127.0.0.1:1/t",service="s",scope="a:b:c"'
    digest = b"Docker-Content-Digest: sha256:" + b"0" * 64
    return [
        b'200\nLink: </v2/app/tags/list?n=2&last=b>; rel="next"\n\n{"tags":["a","b"]}',
        b"401\n" + bearer + b'\n\n{"errors":[{"message":"no"}]}',
        b'200\n\n{"token":"t","expires_in":300}',
        b"202\nLocation: /v2/app/blobs/uploads/1?x=y\nOCI-Chunk-Min-Length: 5\n\n",
        b"206\nContent-Range: bytes 0-9/20\nContent-Length: 10\n\n0123456789",
        b"307\nLocation: http://127.0.0.1:1/x\n\n",
        b"429\nRetry-After: 1\n\n",
        b"200\n" + digest + b'\nContent-Type: application/json\n\n{"manifests":[]}',
    ]


_WORDS = (
    b"Error (criu/x.c:1): ",
    b"(00.123456) ",
    b"Warn  (",
    b"pie: 12: ",
    b" FAILED\n",
    b'msg="',
)

READERS: dict[str, Reader] = {
    "frames": Reader(_frames, _first_frames, (b"CRIUFRM1", b"\x5e\x2a\x4d\x18")),
    "tar": Reader(_resealed_tar, _tars, (b"ustar\0" + b"00", b"GNU.sparse.map=", b"20 path=x\n")),
    "zstd": Reader(_archive, partial(_packed, zstandard.ZstdCompressor().compress)),
    "gzip": Reader(_archive, partial(_packed, partial(gzip.compress, mtime=0))),
    "manifest": Reader(_manifest, _first_manifests, (b'"manifests":[', b'"size":', b"@0", b"@1")),
    "bolt": Reader(_bolt, _first_bolts),
    "conversion": Reader(_conversion, _first_records, (b'"pax":{"a":"b"}', b'"device":[1,2]')),
    "log": Reader(_log, _first_logs, _WORDS),
    "answer": Reader(ask_for_everything, _first_answers, (b"Location: ", b"Link: ", b"realm=")),
    "config": Reader(_config, _first_configs, (b"[keys]\n", b'"auths":{', b'"auth":')),
    "image": Reader(_image, _first_images),
    "model": Reader(_model, _first_images),
    "archive": Reader(_archive, _first_archives),
}
