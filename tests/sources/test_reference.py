from __future__ import annotations

import pytest

from ckpt_tui.core.errors import UsageError
from ckpt_tui.sources.reference import Reference, parse_place, parse_reference

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("docker://alpine", Reference("docker.io", "library/alpine", "latest")),
        ("docker://alpine:3", Reference("docker.io", "library/alpine", "3")),
        ("docker://me/app", Reference("docker.io", "me/app", "latest")),
        ("docker://index.docker.io/me/app:1", Reference("docker.io", "me/app", "1")),
        ("docker://localhost/app", Reference("localhost", "app", "latest")),
        ("docker://quay.io/a/b/c:v1.2", Reference("quay.io", "a/b/c", "v1.2")),
        ("docker://10.0.0.1:5000/a__b", Reference("10.0.0.1:5000", "a__b", "latest")),
        ("docker://[::1]:5000/a/b:x", Reference("[::1]:5000", "a/b", "x")),
        (f"docker://q.io/a@{DIGEST}", Reference("q.io", "a", "", DIGEST)),
        (f"docker://q.io/a:1@{DIGEST}", Reference("q.io", "a", "1", DIGEST)),
    ],
)
def test_a_name_is_read_as_skopeo_reads_it(target: str, expected: Reference) -> None:
    assert parse_reference(target) == expected


@pytest.mark.parametrize(
    "target",
    [
        "docker://",
        "docker:///a",
        "docker://q.io/",
        "docker://q.io/A",
        "docker://q.io/a//b",
        "docker://q.io/../a",
        "docker://q.io/a b",
        "docker://q.io/a:",
        "docker://q.io/a:-x",
        "docker://q.io/a:" + "x" * 129,
        "docker://q.io/a@sha256:abc",
        "docker://q.io/a@sha256:../../etc",
        "docker://user@q.io/a",
        "docker://q.io:port/a",
        "docker://https://q.io/a",
        "docker://q.io/" + "a" * 256,
        "docker://q.io/a\n",
        "docker://q..io/a",
    ],
)
def test_a_name_against_the_grammar_is_a_usage_error(target: str) -> None:
    with pytest.raises(UsageError):
        parse_reference(target)


@pytest.mark.parametrize("target", ["docker://q.io", "docker://q.io/", "docker://q.io:5000"])
def test_a_host_alone_is_a_registry(target: str) -> None:
    found = parse_place(target)
    assert (found.host.partition(":")[0], found.repository) == ("q.io", "")


@pytest.mark.parametrize("target", ["docker://localhost:5000", "docker://q.io", "docker://a:1/"])
def test_a_registry_is_no_image(target: str) -> None:
    with pytest.raises(UsageError, match="a registry, not an image") as caught:
        parse_reference(target)
    assert f"ckpt-tui ls {target.removesuffix('/')}" in caught.value.hint


@pytest.mark.parametrize(
    ("target", "host", "repository"),
    [
        ("docker://localhost:5000", "localhost:5000", ""),
        ("docker://registry:5000", "registry:5000", ""),
        ("docker://alpine", "docker.io", "library/alpine"),
        ("docker://q.io/app", "q.io", "app"),
    ],
)
def test_a_place_is_a_registry_or_a_repository(target: str, host: str, repository: str) -> None:
    found = parse_place(target)
    assert (found.host, found.repository, found.wanted) == (host, repository, "")


def test_docker_hub_answers_under_another_name() -> None:
    assert parse_reference("docker://alpine").server == "registry-1.docker.io"
    assert str(parse_reference("docker://alpine")) == "docker://docker.io/library/alpine:latest"
