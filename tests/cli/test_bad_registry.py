"""What a registry can send: one clear sentence with the right exit code, and nothing is written.

A certificate that cannot be trusted is in tests/e2e/test_real_registry.py, which has TLS.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ran import Run

from crafted import ARCHIVES
from fault_server import MANIFEST, Answer, FaultServer, sha256
from served import LAYER, legacy

Spoil = Callable[[FaultServer], None]


@pytest.fixture
def server(server: FaultServer) -> FaultServer:
    """A registry with a good checkpoint."""
    legacy(server, "plain")
    return server


def manifest(body: bytes) -> Spoil:
    return lambda server: server.manifests.update({("app", "plain"): (MANIFEST, body)})


def layer(data: bytes) -> Spoil:
    def spoil(server: FaultServer) -> None:
        one = {"mediaType": LAYER, **server.add_blob("app", data)}
        document = {"config": server.add_blob("app", b"{}"), "layers": [one]}
        server.add_manifest("app", "plain", document)

    return spoil


def other_manifest(server: FaultServer) -> None:
    _, data = server.manifests["app", "plain"]
    headers = {"Content-Type": MANIFEST, "Docker-Content-Digest": sha256(b"another")}
    server.always("GET", "/manifests/plain", Answer(200, data, headers))


def other_bytes(server: FaultServer) -> None:
    """A small layer, which comes as a whole, of the right length and with a wrong byte."""
    data = (ARCHIVES / "cri-podman.tar").read_bytes()[:200_000]
    layer(data)(server)
    server.blobs["app", sha256(data)] = data[:-1] + b"!"


def large_manifest(server: FaultServer) -> None:
    """100 MB are announced, and never come: whoever wants them waits for ever."""
    server.always(
        "GET", "/manifests/plain", Answer(200, b" " * 1000, length=100_000_000, hang=True)
    )


def wrong_password(server: FaultServer) -> None:
    challenge = {"WWW-Authenticate": 'Basic realm="test"'}
    server.always("GET", "/v2/", Answer(401, b"", challenge))


BAD: dict[str, tuple[Spoil, int, str]] = {
    "manifest that is not JSON": (manifest(b"<html>hello</html>"), 1, "it is not JSON"),
    "10,000-deep JSON": (manifest(b"[" * 10_000 + b"]" * 10_000), 1, "nested too deep"),
    "manifest that is not an object": (manifest(b"[]"), 1, "it holds no object"),
    "100 MB manifest": (large_manifest, 1, "more than 4,194,304 bytes"),
    "manifest of another digest": (other_manifest, 1, "do not have the digest it is named by"),
    "layer of another digest": (other_bytes, 1, "do not have the digest it is named by"),
    "layer that is not a tar": (layer(b"hello" * 1000), 1, "is not a tar archive"),
    "empty layer": (layer(b""), 1, ""),
    "wrong password": (wrong_password, 3, "refuses the login"),
}


@pytest.mark.parametrize("name", BAD)
def test_it_is_one_sentence_and_an_exit_code(
    run: Run, server: FaultServer, own_home: Path, name: str
) -> None:
    spoil, code, sentence = BAD[name]
    spoil(server)
    login = own_home / ".docker/config.json"
    login.parent.mkdir()
    packed = base64.b64encode(b"user:wrong").decode()
    login.write_text(json.dumps({"auths": {server.host: {"auth": packed}}}))
    ran = run("inspect", f"docker://{server.host}/app:plain")
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith("ckpt-tui: ")
    assert sentence in ran.err
    assert len(ran.err.splitlines()) <= 3


@pytest.mark.parametrize("name", sorted(BAD.keys() - {"layer that is not a tar", "empty layer"}))
def test_a_copy_of_it_leaves_nothing(
    run: Run, server: FaultServer, tmp_path: Path, name: str
) -> None:
    spoil, code, _ = BAD[name]
    spoil(server)
    target = tmp_path / "layout"
    ran = run("copy", f"docker://{server.host}/app:plain", f"oci:{target}:1")
    assert ran.code == code
    assert not (target / "index.json").exists()
    assert not list(tmp_path.rglob("*"))


def test_a_host_that_nobody_answers_at(run: Run) -> None:
    server = FaultServer()
    server.close()
    ran = run("inspect", f"docker://{server.host}/app:1")
    assert (ran.code, ran.out) == (3, "")
    assert "cannot be reached" in ran.err.splitlines()[0]


def test_a_title_that_leads_outside_names_no_file(
    run: Run, server: FaultServer, tmp_path: Path
) -> None:
    data = (ARCHIVES / "cri-podman.tar").read_bytes()
    title = {"org.opencontainers.image.title": "../../../../tmp/outside"}
    one = {"mediaType": LAYER, "annotations": title, **server.add_blob("app", data)}
    document = {"config": server.add_blob("app", b"{}"), "layers": [one]}
    server.add_manifest("app", "titled", document)
    target = f"docker://{server.host}/app:titled"
    assert run("inspect", target).code == 0
    assert run("copy", target, f"oci:{tmp_path / 'deep' / 'layout'}:1").code == 0
    blobs = {f"deep/layout/blobs/sha256/{d[7:]}" for d in (sha256(data), sha256(b"{}"))}
    files = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert blobs < files
    assert len(files) == 5  # and the manifest, the index and the marker
