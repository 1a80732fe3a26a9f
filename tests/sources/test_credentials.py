from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from ckpt_tui.sources.credentials import Login, find_login, logged_in_hosts, run_helper


def packed(username: str, password: str) -> str:
    return base64.b64encode(f"{username}:{password}".encode()).decode()


def write(path: Path, document: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def no_helper(program: str, question: str) -> bytes:
    raise AssertionError("no helper is named")


def user(login: Login | None) -> str:
    return login.username if login else ""


def test_the_narrowest_of_podmans_keys_wins(own_home: Path) -> None:
    write(
        own_home / ".runtime/containers/auth.json",
        {
            "auths": {
                "q.io": {"auth": packed("all", "p")},
                "q.io/team": {"auth": packed("team", "p")},
                "q.io/team/app": {"auth": packed("app", "a:b")},
            }
        },
    )
    assert user(find_login("q.io", "other")) == "all"
    assert user(find_login("q.io", "team/x/y")) == "team"
    found = find_login("q.io", "team/app")
    assert found is not None
    assert (found.username, found.password) == ("app", "a:b")
    assert user(find_login("other.io", "team/app")) == ""


def test_podmans_files_go_before_dockers(own_home: Path) -> None:
    write(own_home / ".docker/config.json", {"auths": {"q.io": {"auth": packed("docker", "p")}}})
    assert user(find_login("q.io")) == "docker"
    write(
        own_home / ".config/containers/auth.json", {"auths": {"q.io": {"auth": packed("pod", "p")}}}
    )
    assert user(find_login("q.io")) == "pod"


def test_the_file_of_the_environment_is_the_only_one(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(own_home / ".docker/config.json", {"auths": {"q.io": {"auth": packed("docker", "p")}}})
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(write(tmp_path / "a.json", {"auths": {}})))
    assert find_login("q.io") is None


def test_docker_hub_has_many_names(own_home: Path) -> None:
    key = "https://index.docker.io/v1/"
    write(own_home / ".docker/config.json", {"auths": {key: {"auth": packed("hub", "p")}}})
    assert user(find_login("registry-1.docker.io", "library/alpine")) == "hub"
    assert logged_in_hosts() == {"docker.io": str(own_home / ".docker/config.json")}


def test_a_key_of_an_old_client_is_taken_by_its_host(own_home: Path) -> None:
    write(
        own_home / ".docker/config.json",
        {"auths": {"https://q.io/v1/": {"username": "old", "password": "p"}}},
    )
    assert user(find_login("q.io", "a/b")) == "old"
    assert find_login("q.io.evil.example", "a/b") is None


def test_identity_tokens_are_no_passwords(own_home: Path) -> None:
    path = own_home / ".docker/config.json"
    write(path, {"auths": {"q.io": {"auth": packed("x", ""), "identitytoken": "secret"}}})
    assert find_login("q.io") == Login(str(path), identity_token="secret")


def test_helpers_are_asked_for_their_host(own_home: Path) -> None:
    write(
        own_home / ".docker/config.json",
        {"credHelpers": {"q.io": "own"}, "credsStore": "store"},
    )
    asked = []

    def run(program: str, question: str) -> bytes:
        asked.append((program, question))
        name = "<token>" if program.endswith("store") else "user"
        return json.dumps({"Username": name, "Secret": "secret"}).encode()

    assert find_login("q.io", run=run) == Login("docker-credential-own", "user", "secret")
    assert find_login("r.io", run=run) == Login("docker-credential-store", identity_token="secret")
    find_login("registry-1.docker.io", run=run)
    assert asked == [
        ("docker-credential-own", "q.io"),
        ("docker-credential-store", "r.io"),
        ("docker-credential-store", "https://index.docker.io/v1/"),
    ]


def test_a_helper_is_no_path(own_home: Path) -> None:
    write(own_home / ".docker/config.json", {"credsStore": "../../tmp/x"})
    assert find_login("q.io", run=no_helper) is None


def test_a_helper_that_is_missing_or_fails_gives_nothing() -> None:
    assert run_helper("docker-credential-that-is-not-there", "q.io") == b""
    assert run_helper("false", "q.io") == b""


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"auths": null}', '{"auths": [1]}', '{"auths": {"q.io": 5}}',
     '{"auths": {"q.io": {"auth": "%%%"}}}', '{"credHelpers": {"q.io": 7}}', "[" * 20_000],
)  # fmt: skip
def test_a_damaged_file_counts_as_empty(own_home: Path, content: str) -> None:
    write(own_home / ".docker/config.json", content)
    assert find_login("q.io", run=no_helper) is None


def test_a_login_never_shows_its_secret() -> None:
    shown = repr(Login("file", "user", "hunter2", "token2"))
    assert "hunter2" not in shown
    assert "token2" not in shown
