"""How each engine is told to restore, or why it refuses."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from breakage import facts_of, findings, unpack

from ckpt_tui.convert.copying import Encryption, copy
from ckpt_tui.core.progress import quiet
from ckpt_tui.diagnose.checks import run_checks
from ckpt_tui.diagnose.facts import Facts
from ckpt_tui.diagnose.finding import Extent, verdict
from ckpt_tui.diagnose.restore_command import EngineRestore, restore_commands
from ckpt_tui.formats.opened import open_checkpoint
from ckpt_tui.sources.keys import add_keys
from crafted import ARCHIVES, DATA
from docker_saved import GOOD, entry, save
from keys import pair


def engines_of(folder: Path) -> dict[str, EngineRestore]:
    facts = facts_of(folder)
    return {r.engine: r for r in restore_commands(facts, run_checks(facts, quiet()))}


def test_podman_gets_the_flags_and_the_others_a_reason(tmp_path: Path) -> None:
    engines = engines_of(unpack(DATA / "demo-web" / "web.tar.zst", tmp_path / "web"))
    assert next(iter(engines)) == "podman"
    assert "podman container restore --tcp-established" in engines["podman"].commands[-1]
    assert "--tcp-established" in engines["runc"].commands[-1]
    assert "status.dump" in engines["containerd"].refusal
    assert "CRI-O" in engines["cri-o"].refusal


def test_runtimes_are_told_an_absolute_path_for_they_go_into_the_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = opened_engines(ARCHIVES / "counter.tar.zst")
    assert '--image-path "$PWD"/unpacked/checkpoint' in packed["runc"].commands[-1]
    unpack(ARCHIVES / "counter.tar.zst", tmp_path / "counter")
    monkeypatch.chdir(tmp_path)
    folder = opened_engines(Path("counter"))
    for engine in ("runc", "crun", "criu"):
        assert f"{tmp_path}/counter/checkpoint" in folder[engine].commands[-1]
    assert "mnt[/dev/null]:/dev/null" in folder["criu"].commands[-1]


def test_engines_of_kubernetes_take_their_own(tmp_path: Path) -> None:
    crio = engines_of(unpack(ARCHIVES / "cri-crio.tar", tmp_path / "crio"))
    assert crio["cri-o"].commands[-1] == "crictl start ID"
    assert crio["podman"].commands == ()
    containerd = engines_of(unpack(ARCHIVES / "cri-containerd-cri.tar", tmp_path / "containerd"))
    assert containerd["containerd"].commands[-1] == "crictl start ID"
    assert any("2.4" in note for note in containerd["containerd"].notes)


def test_damaged_checkpoint_is_refused_by_all(counter: Path) -> None:
    (counter / "checkpoint" / "core-8.img").unlink()
    engines = engines_of(counter)
    assert all(r.refusal and not r.commands for r in engines.values())


def test_names_in_commands_are_quoted(tmp_path: Path) -> None:
    folder = unpack(ARCHIVES / "counter.tar.zst", tmp_path / "a; rm -r $HOME")
    command = engines_of(folder)["podman"].commands[0]
    assert f"'{folder}'" in command


@pytest.mark.parametrize(
    ("source", "commands"),
    [
        (
            "docker://registry.example/web:ckpt",
            (
                "podman pull registry.example/web:ckpt",
                "podman container restore registry.example/web:ckpt",
            ),
        ),
        ("containers-storage:web:ckpt", ("podman container restore web:ckpt",)),
        (
            "containers-storage:[overlay@/srv/old store+/run/x]web:ckpt",
            ("podman --root '/srv/old store' container restore web:ckpt",),
        ),
        (
            "containers-storage:[overlay@/var/lib/containers/storage]web:ckpt",
            ("podman container restore web:ckpt",),
        ),
        (
            "oci:/srv/store:web",
            (
                "skopeo copy oci:/srv/store:web containers-storage:localhost/checkpoint:restore",
                "podman container restore localhost/checkpoint:restore",
            ),
        ),
        (
            "docker-archive:/srv/web.tar:web:ckpt",
            (
                "skopeo copy docker-archive:/srv/web.tar:web:ckpt "
                "containers-storage:localhost/checkpoint:restore",
                "podman container restore localhost/checkpoint:restore",
            ),
        ),
        (
            "containerd:[k8s.io@/var/lib/containerd]web:ckpt",
            (
                "ctr --namespace k8s.io images export checkpoint.tar web:ckpt",
                "skopeo copy oci-archive:checkpoint.tar "
                "containers-storage:localhost/checkpoint:restore",
                "podman container restore localhost/checkpoint:restore",
            ),
        ),
    ],
)
def test_image_is_brought_to_podman_from_where_it_is(
    counter: Path, source: str, commands: tuple[str, ...]
) -> None:
    facts = facts_of(counter)
    image = dataclasses.replace(facts.checkpoint.format, name="podman image")
    checkpoint = dataclasses.replace(facts.checkpoint, source=source, format=image)
    facts = dataclasses.replace(facts, checkpoint=checkpoint)
    assert restore_commands(facts, ())[0].commands == commands


def opened_engines(target: Path) -> dict[str, EngineRestore]:
    opened = open_checkpoint(str(target), quiet())
    try:
        facts = Facts.of(opened, opened.load(quiet()))
        return {r.engine: r for r in restore_commands(facts, run_checks(facts, quiet()))}
    finally:
        opened.close()


def test_image_in_a_file_is_copied_as_what_the_file_is(tmp_path: Path) -> None:
    saved = save(tmp_path / "saved.tar", [entry()], GOOD)
    copy(saved, f"oci-archive:{tmp_path}/layout.tar:1", quiet())
    copy(saved, f"oci:{tmp_path}/layout:1", quiet())
    places = {"docker-archive": saved, "oci-archive": tmp_path / "layout.tar"}
    for transport, place in (*places.items(), ("oci", tmp_path / "layout")):
        command = opened_engines(Path(place))["podman"].commands[0]
        assert command.startswith(f"skopeo copy {transport}:{place} containers-storage:")


def test_image_of_ctr_is_imported_first_and_nothing_else_takes_it() -> None:
    engines = opened_engines(DATA / "ctr-counter")
    assert engines["containerd"].commands == (
        f"tar -C {DATA / 'ctr-counter'} -cf - . | ctr images import --no-unpack -",
        "ctr containers restore --rw --live NEW_ID REF",
    )
    assert any("localhost/bb:1" in note for note in engines["containerd"].notes)
    assert "ckpt-tui convert" in engines["runc"].refusal
    assert engines["criu"].commands == ()


@pytest.mark.parametrize(
    ("source", "commands"),
    [
        (
            "docker://registry.example/web:ckpt",
            (
                "ctr content fetch registry.example/web:ckpt",
                "ctr containers restore --rw --live NEW_ID registry.example/web:ckpt",
            ),
        ),
        ("containerd:web:ckpt", ("ctr containers restore --rw --live NEW_ID web:ckpt",)),
        (
            "containerd:[k8s.io@/var/lib/containerd]web:ckpt",
            ("ctr --namespace k8s.io containers restore --rw --live NEW_ID web:ckpt",),
        ),
        (
            "oci:/:web",
            (
                "tar -C / -cf - . | ctr images import --no-unpack -",
                "ctr containers restore --rw --live NEW_ID REF",
            ),
        ),
    ],
)
def test_image_of_ctr_is_brought_to_containerd_from_where_it_is(
    source: str, commands: tuple[str, ...]
) -> None:
    opened = open_checkpoint(str(DATA / "ctr-counter"), quiet())
    facts = Facts.of(opened, opened.load(quiet()))
    facts = dataclasses.replace(
        facts, checkpoint=dataclasses.replace(facts.checkpoint, source=source)
    )
    assert restore_commands(facts, ())[0].commands == commands
    opened.close()


def test_link_keeps_containerd_alone_from_restoring(tmp_path: Path) -> None:
    folder = unpack(ARCHIVES / "cri-containerd-cri.tar", tmp_path / "containerd")
    (folder / "checkpoint" / "link").symlink_to("core-1.img")
    assert verdict(findings(folder), Extent(9, 9)).text == "will fail: 1 reason"
    engines = engines_of(folder)
    assert "checkpoint/link is neither" in engines["containerd"].refusal
    assert engines["runc"].commands


def test_what_has_to_be_there_again_is_said(counter: Path) -> None:
    engines = engines_of(counter)
    assert any("in no registry" in note for note in engines["podman"].notes)
    assert any("/etc/hosts" in note for note in engines["runc"].notes)


def test_an_encrypted_image_is_pulled_with_the_key(tmp_path: Path) -> None:
    one = pair(tmp_path)
    recipients = (one.recipient,)
    source = ARCHIVES.parents[2] / "tui/ckpt_tui/demo/counter-optimized.oci.tar"
    target = f"oci:{tmp_path / 'locked'}:a"
    copy(f"oci-archive:{source}", target, quiet(), encryption=Encryption(recipients))
    forget = add_keys([str(one.private)])
    try:
        engines = opened_engines(target)
    finally:
        forget()
    pull, copied, restore = engines["podman"].commands
    assert pull.startswith("podman pull --decryption-key KEY.pem ")
    assert pull.endswith(".rootfs")
    assert copied.startswith("skopeo copy --decryption-key KEY.pem oci:")
    assert "--decryption-key" not in restore
    assert any("KEY.pem is a private key" in note for note in engines["podman"].notes)
    for command in engines["runc"].commands:
        assert not command.startswith("skopeo copy oci:")
