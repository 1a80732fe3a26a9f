"""Encrypted conversions and copies: the same image for who has a key, nothing for who has not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from layouts import Layout

from ckpt_tui.convert import first_pass
from ckpt_tui.convert.back import convert_back
from ckpt_tui.convert.clear import in_clear
from ckpt_tui.convert.copying import Encryption, copy
from ckpt_tui.convert.request import Request, prepare
from ckpt_tui.convert.run import ConvertedImage, run
from ckpt_tui.core.errors import CkptError, KeyNeeded, UsageError
from ckpt_tui.core.progress import quiet
from ckpt_tui.diagnose.verification import verify_target
from ckpt_tui.formats.opened import open_checkpoint
from ckpt_tui.sources import encrypted
from ckpt_tui.sources.keys import choose_keys
from ckpt_tui.sources.oci import image_layers, open_image
from ckpt_tui.sources.table import resolve
from crafted import ARCHIVES
from keys import Pair, pair
from served import legacy

REPOSITORY = "registry.example/app/web"
SECRETS = (b"/tmp/count", b"HOSTNAME=", b"while ")
"""What is in arguments, environment, metadata and files of the dump."""


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Pair]:
    yield pair(tmp_path)
    choose_keys([])


def converted(
    destination: str,
    *pairs: Pair,
    archive: str = "rootfs.tar.zst",
    at_once: bool = True,
    **more: Any,
) -> ConvertedImage:
    recipients = tuple(one.recipient for one in pairs)
    base = "cri-base-bb.oci.tar" if archive.startswith("cri-") else "base-bb.oci.tar"
    more.setdefault("repository", "" if destination.startswith("docker:") else REPOSITORY)
    request = Request(
        str(ARCHIVES / archive), destination, str(ARCHIVES / base), encrypt_to=recipients, **more
    )
    prepared = prepare(request, quiet(), at_once=at_once)
    try:
        return run(prepared.plan, prepared.inputs, quiet())
    finally:
        prepared.close()


def plain_layers(target: str) -> dict[str, list[bytes]]:
    """Return the layers of an image by role, decrypted."""
    found: dict[str, list[bytes]] = {}
    source: Any = resolve(target, quiet())
    for child in source.document["manifests"]:
        from ckpt_tui.sources.oci import descriptor_of

        inner = open_image(target, source.store, descriptor_of(child, "the index"))
        for blob in image_layers(inner):
            role = blob.descriptor.annotations.get("org.criu.checkpoint.layer.role", "base")
            window = blob.window()
            found.setdefault(role, []).append(window.read(0, window.size))
    source.close()
    return found


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    "archive",
    ["rootfs.tar.zst", "counter.tar.zst", "cri-containerd-cri.tar", "cri-crio.tar"],
)
def test_each_layer_decrypted_is_the_plain_one(
    archive: str, at_once: bool, one: Pair, tmp_path: Path
) -> None:
    converted(f"oci:{tmp_path / 'plain'}:a", archive=archive)
    converted(f"oci:{tmp_path / 'locked'}:a", one, archive=archive, at_once=at_once)
    choose_keys([str(one.private)])
    plain = plain_layers(f"oci:{tmp_path / 'plain'}:a")
    opened = plain_layers(f"oci:{tmp_path / 'locked'}:a")
    assert opened.keys() == plain.keys()
    for role in plain.keys() - {"metadata"}:
        assert opened[role] == plain[role], role


def test_a_layer_written_in_the_first_pass_is_encrypted(
    one: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_pass, "MAX_KEPT_MEMBER", 1)
    monkeypatch.setattr(first_pass, "LARGE", 1)
    monkeypatch.setattr("ckpt_tui.convert.roles.LARGE", 1)
    result = converted(f"oci:{tmp_path / 'locked'}:a", one)
    media = {w.layer.descriptor.media_type for w in result.layers if w.role != "base"}
    assert {one.rpartition("+")[2] for one in media} == {"encrypted"}


def test_nothing_of_the_container_can_be_read_without_the_key(one: Pair, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    converted(f"oci:{folder}:a", one)
    source = b"".join(Layout(folder).files().values())
    for secret in SECRETS:
        assert secret not in source
    with pytest.raises(KeyNeeded):
        open_checkpoint(f"oci:{folder}:a", quiet())


def test_what_is_readable_is_shown_without_a_key(one: Pair, tmp_path: Path) -> None:
    converted(f"oci:{tmp_path / 'locked'}:a", one)
    opened = open_checkpoint(f"oci:{tmp_path / 'locked'}:a", quiet(), locked=True)
    checkpoint = opened.load(quiet())
    opened.close()
    assert (checkpoint.format.name, checkpoint.format.locked) == ("encrypted image", True)
    assert (checkpoint.container.name, checkpoint.container.image) == ("rootfs", "localhost/bb:1")
    assert {"metadata", "criu", "pages", "delta", "base"} <= {
        layer.role for layer in checkpoint.sizes.layers
    }
    assert not checkpoint.is_damaged
    assert [note.where for note in checkpoint.notes] == ["encryption"]


def test_config_dump_names_the_rootfs_image_by_its_own_tag(one: Pair, tmp_path: Path) -> None:
    result = converted(f"oci:{tmp_path / 'locked'}:a", one)
    choose_keys([str(one.private)])
    opened = open_checkpoint(f"oci:{tmp_path / 'locked'}", quiet())  # the tag of the pair alone
    name = opened.metadata.text("config.dump", "rootfsImageName")
    opened.close()
    tag = f"sha256-{result.rootfs[7:]}.rootfs"
    assert name == f"{REPOSITORY}:{tag}"
    source: Any = resolve(f"oci:{tmp_path / 'locked'}:{tag}", quiet())
    assert source.descriptor.digest == result.rootfs
    source.close()


def test_another_rootfs_image_than_that_of_the_dump_is_told(one: Pair, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    result = converted(f"oci:{folder}:a", one)
    layout = Layout(folder)
    manifest = layout.document(result.rootfs)
    data = json.dumps({**manifest, "annotations": {"moved": "yes"}}).encode()
    index = layout.document(result.digest)

    def store(content: bytes) -> dict[str, Any]:
        import hashlib

        digest = hashlib.sha256(content).hexdigest()
        (folder / "blobs/sha256" / digest).write_bytes(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    index["manifests"][1] |= store(data)
    top = layout.index
    top["manifests"][-1] |= store(json.dumps(index).encode())
    (folder / "index.json").write_text(json.dumps(top))
    choose_keys([str(one.private)])
    opened = open_checkpoint(f"oci:{folder}:a", quiet())
    checkpoint = opened.load(quiet())
    opened.close()
    assert [note.where for note in checkpoint.notes if note.damaged] == ["rootfs image"]


@pytest.mark.parametrize("archive", ["rootfs.tar.zst", "cri-containerd-cri.tar"])
def test_the_way_back_gives_the_same_archive(archive: str, one: Pair, tmp_path: Path) -> None:
    converted(f"oci:{tmp_path / 'plain'}:a", archive=archive)
    converted(f"oci-archive:{tmp_path / 'locked.tar'}:a", one, archive=archive)
    choose_keys([str(one.private)])
    first, second = tmp_path / "first", tmp_path / "second"
    convert_back(f"oci:{tmp_path / 'plain'}:a", first, quiet())
    convert_back(f"oci-archive:{tmp_path / 'locked.tar'}:a", second, quiet())
    assert first.read_bytes() == second.read_bytes()


def test_a_registry_gets_the_tag_of_the_rootfs_image_before_the_name(
    server: Any, one: Pair
) -> None:
    result = converted(f"docker://{server.host}/app/c:opt", one, repository="")
    named = [s.path.rpartition("/")[2] for s in server.seen if s.method == "PUT"]
    assert named[-2:] == [f"sha256-{result.rootfs[7:]}.rootfs", "opt"]
    stored = b"".join(server.blobs.values())
    assert not any(secret in stored for secret in SECRETS)
    choose_keys([str(one.private)])
    opened = open_checkpoint(f"docker://{server.host}/app/c:opt", quiet())
    assert len(opened.load(quiet()).processes) == 2
    opened.close()


def test_pages_are_read_by_ranges_and_each_is_proven(
    one: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = converted(f"oci:{tmp_path / 'locked'}:a", one)
    monkeypatch.setattr(encrypted, "MAX_VERIFIED", 0)
    choose_keys([str(one.private)])
    opened = open_checkpoint(f"oci:{tmp_path / 'locked'}:a", quiet())
    assert opened.load(quiet()).processes[0].argv
    opened.close()
    (pages,) = [w.layer.descriptor.digest for w in result.layers if w.role == "pages"]
    blob = tmp_path / "locked/blobs/sha256" / pages[7:]
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.write_bytes(data)
    opened = open_checkpoint(f"oci:{tmp_path / 'locked'}:a", quiet())
    damaged = [note.where for note in opened.load(quiet()).notes if note.damaged]
    assert damaged == [f"pages layer {pages[7:19]}"]
    opened.close()
    assert "damaged" in verify_target(f"oci:{tmp_path / 'locked'}:a", quiet()).verdict


def test_a_check_reads_all_with_a_key_and_says_what_it_did_not_without(
    one: Pair, tmp_path: Path
) -> None:
    converted(f"oci:{tmp_path / 'locked'}:a", one)
    found = verify_target(f"oci:{tmp_path / 'locked'}:a", quiet())
    assert found.problems == []
    assert "no key at hand opens them" in found.unproven[0]
    choose_keys([str(one.private)])
    found = verify_target(f"oci:{tmp_path / 'locked'}:a", quiet())
    assert (found.verdict, found.images > 5) == ("intact", True)


def test_the_plan_says_what_stays_readable_and_less_with_fewer_annotations(
    one: Pair, tmp_path: Path
) -> None:
    texts = []
    for minimal in (False, True):
        request = Request(
            str(ARCHIVES / "cri-crio.tar"),
            f"oci:{tmp_path / 'x'}:a",
            str(ARCHIVES / "cri-base-bb.oci.tar"),
            encrypt_to=(one.recipient,),
            minimal_annotations=minimal,
        )
        prepared = prepare(request, quiet())
        texts.append(" ".join(in_clear(prepared.plan)))
        assert prepared.plan.annotations["io.kubernetes.cri-o.annotations.checkpoint.name"]
        prepared.close()
    assert len(texts[1]) < len(texts[0])
    assert prepared.plan.annotations.get("org.criu.checkpoint.pod.name") is None


def test_a_copy_is_encrypted_and_decrypted_on_the_way(one: Pair, tmp_path: Path) -> None:
    plain = converted(f"oci:{tmp_path / 'plain'}:a")
    locked, again = f"oci:{tmp_path / 'locked'}:a", f"oci:{tmp_path / 'again'}:a"
    to_one = Encryption((one.recipient,))
    copy(f"oci:{tmp_path / 'plain'}:a", locked, quiet(), encryption=to_one)
    with pytest.raises(KeyNeeded):
        copy(locked, again, quiet(), encryption=Encryption(decrypt=True))
    choose_keys([str(one.private)])
    assert plain_layers(locked)["pages"] == plain_layers(f"oci:{tmp_path / 'plain'}:a")["pages"]
    opened = open_checkpoint(locked, quiet())
    assert opened.metadata.text("config.dump", "rootfsImageName").endswith(".rootfs")
    opened.close()
    copied = copy(locked, again, quiet(), encryption=Encryption(decrypt=True))
    assert copied.copied.digest == plain.digest


def test_a_copy_of_an_encrypted_pair_takes_the_tag_along(
    server: Any, one: Pair, tmp_path: Path
) -> None:
    source = f"docker://{server.host}/app/c:opt"
    result = converted(source, one, repository="")
    copy(source, f"oci:{tmp_path / 'layout'}:a", quiet())
    names = [
        m["annotations"]["org.opencontainers.image.ref.name"]
        for m in Layout(tmp_path / "layout").index["manifests"]
    ]
    assert names == [f"sha256-{result.rootfs[7:]}.rootfs", "a"]
    copy(f"oci:{tmp_path / 'layout'}:a", f"docker://{server.host}/app/c:again", quiet())
    copy(source, f"docker://{server.host}/other/c:opt", quiet())  # no key: as it is
    assert ("other/c", names[0]) in server.manifests
    choose_keys([str(one.private)])
    with pytest.raises(UsageError, match="encrypted anew"):
        copy(source, f"docker://{server.host}/third/c:opt", quiet())
    copy(
        source,
        f"docker://{server.host}/third/c:opt",
        quiet(),
        encryption=Encryption((one.recipient,)),
    )
    opened = open_checkpoint(f"docker://{server.host}/third/c:opt", quiet())
    name = opened.metadata.text("config.dump", "rootfsImageName")
    opened.close()
    assert name.startswith(f"{server.host}/third/c:sha256-")


def test_an_encrypted_image_is_no_base(one: Pair, tmp_path: Path) -> None:
    copy(
        f"oci-archive:{ARCHIVES / 'base-bb.oci.tar'}",
        f"oci:{tmp_path / 'base'}:a",
        quiet(),
        encryption=Encryption((one.recipient,)),
    )
    request = Request(
        str(ARCHIVES / "rootfs.tar.zst"), f"oci:{tmp_path / 'x'}:a", f"oci:{tmp_path / 'base'}:a"
    )
    with pytest.raises(CkptError, match="encrypted"):
        prepare(request, quiet()).close()


def test_the_plan_for_a_registry_counts_the_secrets_in_clear(
    server: Any, one: Pair, data: Path
) -> None:
    words = (str(data / "demo-web/web.tar.zst"), f"docker://{server.host}/app/c:a")
    base = str(ARCHIVES / "base-bb.oci.tar")
    for recipients, expected in (((), True), ((one.recipient,), False)):
        prepared = prepare(Request(*words, base, encrypt_to=recipients), quiet())
        told = [text for text in prepared.plan.warnings if "in clear" in text]
        prepared.close()
        assert bool(told) is expected
        assert not any("hunter2" in text for text in told)
    prepared = prepare(Request(words[0], "oci:/nowhere:a", base), quiet())
    assert not any("in clear" in text for text in prepared.plan.warnings)
    prepared.close()


@pytest.mark.parametrize("kind", ["gzip", "plain"])
def test_an_encrypted_image_of_one_layer_is_opened_and_converted(
    kind: str, server: Any, one: Pair, tmp_path: Path
) -> None:
    target = legacy(server, kind)
    locked = f"oci:{tmp_path / 'locked'}:a"
    copy(target, locked, quiet(), encryption=Encryption((one.recipient,)))
    copy(locked, f"docker://{server.host}/enc:a", quiet())
    choose_keys([str(one.private)])
    for place in (locked, f"docker://{server.host}/enc:a"):
        opened = open_checkpoint(place, quiet())
        assert len(opened.load(quiet()).processes) == 2
        opened.close()
    prepared = prepare(
        Request(locked, f"oci:{tmp_path / 'out'}:a", keep_delta_tar=True), quiet(), at_once=True
    )
    run(prepared.plan, prepared.inputs, quiet())
    prepared.close()
