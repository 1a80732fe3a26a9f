"""The config.json of a restored container: what is taken over, what has to be allowed."""

from __future__ import annotations

from typing import Any

import pytest

from ckpt_tui.core.errors import CkptError
from ckpt_tui.restore.bundle import Bind, Bundle, Choices, Limits, Origin, make_bundle, with_place

USERDATA = "/var/lib/containers/storage/overlay-containers/1/userdata"


def spec(**more: Any) -> dict[str, Any]:
    """Return a spec.dump; `more` is of its top level."""
    return {
        "ociVersion": "1.2.0",
        "hostname": "web",
        "process": {"args": ["sh"], "cwd": "/", "rlimits": [{"type": "RLIMIT_NOFILE"}]},
        "root": {"path": "/elsewhere"},
        "hooks": {"prestart": [{"path": "/bin/evil"}]},
        "annotations": {"org.criu.config": "/etc/evil"},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/etc/hosts", "type": "bind", "source": f"{USERDATA}/hosts"},
        ],
        "linux": {
            "cgroupsPath": "/old",
            "sysctl": {"net.ipv4.ip_forward": "1"},
            "namespaces": [
                {"type": "pid"},
                {"type": "network", "path": "/run/netns/old"},
                {"type": "ipc", "path": "/proc/1/ns/ipc"},
                {"type": "uts"},
                {"type": "mount"},
            ],
            "seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/evil.sock"},
        },
        **more,
    }


def made(document: dict[str, Any], **choices: Any) -> Bundle:
    return make_bundle(document, "/folder", Choices(**choices), ["data"])


def bind(destination: str, source: str) -> dict[str, Any]:
    return {"destination": destination, "type": "bind", "source": source, "options": ["rbind"]}


def test_nothing_is_taken_over_that_a_restore_does_without() -> None:
    bundle = made(spec())
    assert bundle.config.keys() == {
        *("ociVersion", "process", "root", "hostname", "mounts", "linux"),
    }
    assert bundle.config["root"] == {"path": "/folder/rootfs"}
    assert bundle.config["process"] == {"terminal": False, "args": ["sh"], "cwd": "/"}
    assert bundle.config["linux"]["seccomp"] == {"defaultAction": "SCMP_ACT_ALLOW"}
    assert {"sysctl", "cgroupsPath"}.isdisjoint(bundle.config["linux"])
    assert "Hooks of the container are not run." in bundle.notes


def test_files_of_the_engine_are_made() -> None:
    bundle = made(spec())
    assert bundle.binds == (Bind("/etc/hosts", Origin.MADE),)
    assert bundle.config["mounts"][1]["source"] == "/folder/binds/etc/hosts"


def test_files_of_the_host_have_to_be_named() -> None:
    document = spec(mounts=[bind("/srv", "/srv/web"), bind("/etc/hosts", "/srv/hosts")])
    with pytest.raises(CkptError, match="files of its host") as caught:
        made(document)
    assert "/srv (was /srv/web), /etc/hosts (was /srv/hosts)" in str(caught.value)
    bundle = made(document, mounts={"/srv": "/new", "/etc/hosts": "/etc/hosts"})
    assert [mount["source"] for mount in bundle.config["mounts"]] == ["/new", "/etc/hosts"]


def test_a_trial_gets_copies() -> None:
    bundle = made(spec(mounts=[bind("/srv", "/srv/web")]), is_trial=True)
    assert bundle.binds == (Bind("/srv", Origin.COPY, "/srv/web"),)
    assert bundle.config["mounts"][0]["source"] == "/folder/binds/srv"


def test_a_volume_comes_out_of_the_checkpoint() -> None:
    source = "/var/lib/containers/storage/volumes/data/_data"
    bundle = made(spec(mounts=[bind("/data", source)]))
    assert bundle.binds == (Bind("/data", Origin.VOLUME, "data"),)


def test_a_mount_that_the_container_did_not_have_is_refused() -> None:
    with pytest.raises(CkptError, match="no mount at /other"):
        made(spec(), mounts={"/other": "/x"})


@pytest.mark.parametrize("where", ["relative", "/a/../../etc", "/a//b", "/a\0b"])
def test_a_mount_that_leads_elsewhere_is_refused(where: str) -> None:
    with pytest.raises(CkptError, match=r"spec\.dump cannot be used"):
        made(spec(mounts=[bind(where, "/x")]))


def test_only_the_network_namespace_is_joined() -> None:
    bundle = made(spec())
    assert bundle.needs_network
    config = with_place(bundle, "/cgroup", Limits(memory=5, pids=7), "/proc/self/ns/net")
    joined = {s["type"]: s.get("path") for s in config["linux"]["namespaces"]}
    assert joined.pop("network") == "/proc/self/ns/net"
    assert joined == dict.fromkeys(("pid", "ipc", "uts", "mount"))
    assert config["linux"]["cgroupsPath"] == "/cgroup"
    resources = config["linux"]["resources"]
    assert (resources["memory"], resources["pids"]) == ({"limit": 5}, {"limit": 7})


def test_namespaces_of_the_host_have_to_be_allowed() -> None:
    document = spec(linux={"namespaces": [{"type": "mount"}, {"type": "network"}]})
    with pytest.raises(CkptError, match="pid, ipc, uts"):
        made(document)
    assert made(document, host_namespaces=True).config["linux"]["namespaces"]
    assert not made(document, is_trial=True).needs_network


def test_a_user_namespace_is_refused() -> None:
    with pytest.raises(CkptError, match="user namespace"):
        made(spec(linux={"namespaces": [{"type": "user"}]}), is_trial=True)


def test_devices_have_to_be_allowed() -> None:
    fuse = {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}
    rule = {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rwm"}
    linux = {
        **spec()["linux"],
        "devices": [fuse],
        "resources": {"devices": [rule], "memory": {"limit": 1}},
    }
    without, allowed = made(spec(linux=linux)), made(spec(linux=linux), devices=True)
    assert without.config["linux"]["devices"] == []
    assert without.config["linux"]["resources"] == {"devices": [{"allow": False, "access": "rwm"}]}
    assert any("/dev/fuse" in note for note in without.notes)
    assert allowed.config["linux"]["devices"] == [fuse]
    assert allowed.config["linux"]["resources"] == {"devices": [rule]}
