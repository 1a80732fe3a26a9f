"""`inspect` covers what looks like a secret in mounts, cgroups and sysctls, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ran import Run

from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.known_values import COVER
from ckpt_tui.criu.schema import network_pb2
from ckpt_tui.views.details import ref_sections
from crafted import copied, first, image_of, loaded, rewrite


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = copied("counter", tmp_path)

    def mounted(mount: Any) -> None:
        mount.options = "username=me,password=mellon,vers=3.0"
        mount.source = "https://me:mellon@share/x"

    def grouped(cgroup: Any) -> None:
        place = cgroup.controllers[0].dirs.add(dir_name="/box")
        place.properties.add(name="user.note", value="first\ntoken: mellon\n")

    rewrite(folder / "mountpoints-13.img", first(mounted))
    rewrite(folder / "cgroup.img", first(grouped))
    number = next(n.id for n in loaded(folder).namespaces if n.kind == "net")
    settings = network_pb2.netns_entry()
    for _ in range(35):
        settings.all_conf6.add(type=network_pb2.CTL_32, iarg=1)
    settings.all_conf6.add(type=network_pb2.CTL_STR, sarg="2001:db8::mellon")
    (folder / f"netns-{number}.img").write_bytes(image_of("NETNS", settings))
    return folder


def test_json_has_them_only_if_asked(run: Run, images: Path) -> None:
    covered = run("inspect", images, "--json")
    assert "mellon" not in covered.out
    mount = next(m for m in covered.document["mounts"] if "password" in m["options"])
    assert mount["options"] == f"username=me,password={COVER},vers=3.0"
    found = {}
    for part in ("namespaces", "cgroup_directories"):
        for thing in covered.document[part]:
            found |= thing["properties"]
    assert found["user.note"] == f"first\ntoken: {COVER}"
    assert found["net.ipv6.conf.all.stable_secret"] == COVER
    assert run("inspect", images, "--json", "--reveal").out.count("mellon") == 4


def test_text_has_them_only_if_asked(run: Run, images: Path) -> None:
    assert "mellon" not in run("inspect", images).out
    assert run("inspect", images, "--reveal").out.count("mellon") == 3


def test_the_panels_have_them_only_if_asked(images: Path) -> None:
    checkpoint = loaded(images)
    keys = [Ref.mount(m.namespace, m.id) for m in checkpoint.mounts]
    keys += [Ref.namespace(n.kind, n.id) for n in checkpoint.namespaces]
    keys += [Ref.cgroup(number) for number in range(len(checkpoint.cgroup_directories))]
    for reveal, count in ((False, 0), (True, 4)):
        sections = [section for key in keys for section in ref_sections(checkpoint, key, reveal)]
        told = [str(fact.value) for section in sections for fact in section.facts]
        assert sum("mellon" in line for line in told) == count
