"""Logins: what is answered to which demand, and that no other host ever sees them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from ckpt_tui.core.errors import CkptError, SourceUnreachable
from ckpt_tui.core.progress import quiet
from ckpt_tui.sources.base import Descriptor
from ckpt_tui.sources.credentials import Login
from ckpt_tui.sources.registry_auth import Authorizer, TokenRequest, pull_scope
from ckpt_tui.sources.registry_upload import mount_blob, upload_blob
from fault_server import Answer, Clock, FaultServer, Seen, client_for, sha256

LOGIN = Login("auth.json", "user", "pass:word")
BASIC = "Basic " + base64.b64encode(b"user:pass:word").decode()


def demand_basic(server: FaultServer) -> None:
    def rule(seen: Seen) -> Answer | None:
        if seen.path == "/v2/" or seen.headers.get("Authorization") == BASIC:
            return None
        return Answer(401, headers={"WWW-Authenticate": 'Basic realm="Registry, of mine"'})

    server.rules.append(rule)


class TokenService:
    """Gives out tokens `t1`, `t2`, … for the scopes asked for, and checks them."""

    def __init__(self, server: FaultServer, realm: str = "", expires_in: object = 300) -> None:
        self.given: dict[str, list[str]] = {}
        self.expired: set[str] = set()
        self.asked: list[Seen] = []
        self.realm = realm or f"http://{server.host}/token"
        self.expires_in = expires_in
        server.rules.append(self.rule)

    def rule(self, seen: Seen) -> Answer | None:
        if seen.path.startswith("/token"):
            return self.give(seen)
        if seen.path == "/v2/":
            return None
        token = seen.headers.get("Authorization", "").removeprefix("Bearer ")
        repository = seen.path.split("/")[2]
        wanted = "pull" if seen.method in ("GET", "HEAD") else "pull,push"
        allowed = f"repository:{repository}:{wanted}" in self.given.get(token, [])
        allowed = allowed or f"repository:{repository}:pull,push" in self.given.get(token, [])
        if allowed and token not in self.expired:
            return None
        challenge = (
            f'Bearer realm="{self.realm}",service="reg",scope="repository:{repository}:pull"'
        )
        return Answer(401, headers={"WWW-Authenticate": challenge})

    def give(self, seen: Seen) -> Answer:
        self.asked.append(seen)
        query = parse_qs(urlsplit(seen.path).query or seen.body.decode())
        token = f"t{len(self.given) + 1}"
        self.given[token] = [one for scope in query["scope"] for one in scope.split(" ")]
        return Answer(body=json.dumps({"token": token, "expires_in": self.expires_in}).encode())


def test_basic_is_sent_from_the_first_demand_on(server: FaultServer) -> None:
    server.add_manifest("app", "1", {"layers": []})
    demand_basic(server)
    with client_for(server, login=LOGIN) as client:
        client.manifest("app", "1", quiet())
        client.manifest("app", "1", quiet())
    assert [seen.headers.get("Authorization") for seen in server.seen] == [None, BASIC, BASIC]


def test_without_a_login_the_registry_asks_for_one(server: FaultServer) -> None:
    demand_basic(server)
    with client_for(server) as client, pytest.raises(SourceUnreachable) as caught:
        client.manifest("app", "1", quiet())
    assert caught.value.what == f"{server.host} asks for a login."
    assert len(server.seen) == 1


def test_a_wrong_password_is_told_with_where_it_comes_from(server: FaultServer) -> None:
    demand_basic(server)
    with client_for(server, login=Login("auth.json", "user", "wrong")) as client:
        with pytest.raises(SourceUnreachable) as caught:
            client.manifest("app", "1", quiet())
        assert caught.value.what == f"{server.host} refuses the login."
        assert "auth.json" in caught.value.why
        with pytest.raises(SourceUnreachable):
            client.manifest("app", "1", quiet())
    assert "wrong" not in str(caught.value)
    assert len(server.seen) == 3  # once without it, and then once each time


def test_a_wrong_password_is_no_missing_catalog(server: FaultServer) -> None:
    with client_for(server, login=LOGIN) as client:
        challenge = {"WWW-Authenticate": 'Basic realm="x"'}
        server.always("GET", "/v2/", Answer(401, headers=challenge))
        with pytest.raises(SourceUnreachable, match="refuses the login"):
            list(client.catalog(quiet()))


def test_each_repository_and_action_has_a_token_of_its_own(server: FaultServer) -> None:
    for repository in ("one", "two"):
        server.add_manifest(repository, "1", {"layers": []})
    tokens = TokenService(server)
    blob = Descriptor("", sha256(b"data"), 4)
    with client_for(server, login=LOGIN) as client:
        for repository in ("one", "two", "one"):
            client.manifest(repository, "1", quiet())
        assert len(tokens.asked) == 2
        upload_blob(client, "one", blob, lambda: iter((b"data",)), quiet())
        assert mount_blob(client, "two", blob.digest, "one", quiet())
    assert list(tokens.given.values()) == [
        ["repository:one:pull"],
        ["repository:two:pull"],
        ["repository:one:pull,push"],
        ["repository:two:pull,push", "repository:one:pull"],
    ]
    assert {seen.headers["Authorization"] for seen in tokens.asked} == {BASIC}


def test_an_upload_sends_its_body_once(server: FaultServer) -> None:
    TokenService(server)
    blob = Descriptor("", sha256(b"data"), 4)
    with client_for(server, login=LOGIN) as client:
        upload_blob(client, "one", blob, lambda: iter((b"data",)), quiet())
    assert [seen.body for seen in server.seen if seen.method == "PUT"] == [b"data"]


def test_an_expired_token_is_replaced(server: FaultServer, clock: Clock) -> None:
    server.add_manifest("app", "1", {"layers": []})
    tokens = TokenService(server, expires_in=60)
    with client_for(server, clock) as client:
        client.manifest("app", "1", quiet())
        clock.now += 55
        client.manifest("app", "1", quiet())
        assert len(tokens.asked) == 2
        tokens.expired.add("t2")  # before its time
        client.manifest("app", "1", quiet())
    assert len(tokens.asked) == 3


def test_an_anonymous_token_is_asked_for_without_a_login(server: FaultServer) -> None:
    server.add_manifest("app", "1", {"layers": []})
    tokens = TokenService(server)
    with client_for(server) as client:
        client.manifest("app", "1", quiet())
    assert "Authorization" not in tokens.asked[0].headers


def test_an_identity_token_is_traded(server: FaultServer) -> None:
    server.add_manifest("app", "1", {"layers": []})
    tokens = TokenService(server)
    with client_for(server, login=Login("x", identity_token="secret")) as client:
        client.manifest("app", "1", quiet())
    assert tokens.asked[0].method == "POST"
    assert b"grant_type=refresh_token" in tokens.asked[0].body
    assert b"refresh_token=secret" in tokens.asked[0].body


def test_a_refused_login_at_the_token_service_is_told(server: FaultServer) -> None:
    TokenService(server)
    server.rules.insert(0, lambda seen: Answer(401) if seen.path.startswith("/token") else None)
    with (
        client_for(server, login=LOGIN) as client,
        pytest.raises(SourceUnreachable, match="refuses the login"),
    ):
        client.manifest("app", "1", quiet())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"token": 5}',
        b'{"token": "a\\nHost: b"}',
        b"[" * 10_000,
        b'{"token": "a", "expires_in": 1e999}',
    ],
)
def test_a_token_that_is_none_is_an_error(server: FaultServer, body: bytes) -> None:
    TokenService(server)
    server.rules.insert(0, lambda s: Answer(body=body) if s.path.startswith("/token") else None)
    with client_for(server) as client, pytest.raises(CkptError, match="token"):
        client.manifest("app", "1", quiet())


@pytest.mark.parametrize("realm", ["ftp://q.example/", "nothing", "file:///etc/passwd"])
def test_a_token_service_of_another_kind_is_refused(server: FaultServer, realm: str) -> None:
    TokenService(server, realm=realm)
    with (
        client_for(server, login=LOGIN) as client,
        pytest.raises(SourceUnreachable, match="not safe"),
    ):
        client.manifest("app", "1", quiet())


def test_a_login_does_not_follow_to_another_host(
    server: FaultServer,
    other_server: FaultServer,
    own_home: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = b"x" * 100
    blob = server.add_blob("app", data)
    other_server.add_blob("app", data)
    demand_basic(server)
    target = {"Location": f"http://{other_server.host}/v2/app/blobs/{blob['digest']}"}
    with client_for(server, login=LOGIN) as client:
        answer = Answer(307, headers=target)
        server.rules.append(lambda s: answer if s.path.endswith(str(blob["digest"])) else None)
        found = client.open_blob("app", str(blob["digest"]), quiet())
        assert client.http.document(found.response, "blob") == data
    assert server.seen[-1].headers["Authorization"] == BASIC
    assert [seen.headers.get("Authorization") for seen in other_server.seen] == [None]


def test_no_login_comes_from_netrc(
    server: FaultServer, other_server: FaultServer, own_home: Path
) -> None:
    netrc = own_home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login someone password secret\n")
    netrc.chmod(0o600)
    other_server.add_manifest("app", "1", {"layers": []})
    target = {"Location": f"http://{other_server.host}/v2/app/manifests/1"}
    server.always("GET", "manifests/", Answer(307, headers=target))
    with client_for(server) as client:
        client.manifest("app", "1", quiet())
    assert [seen.headers.get("Authorization") for seen in server.seen] == [None]
    assert [seen.headers.get("Authorization") for seen in other_server.seen] == [None]


def test_an_upload_to_another_host_goes_without_a_login(
    server: FaultServer, other_server: FaultServer
) -> None:
    demand_basic(server)
    other_server.uploads["u0"] = b""
    location = {"Location": f"http://{other_server.host}/v2/app/blobs/uploads/u0?sig=1"}
    with client_for(server, login=LOGIN) as client:
        server.rules.append(lambda s: Answer(202, headers=location) if s.method == "POST" else None)
        blob = Descriptor("", sha256(b"data"), 4)
        upload_blob(client, "app", blob, lambda: iter((b"data",)), quiet())
    (seen,) = other_server.seen
    assert seen.body == b"data"
    assert "sig=1&digest=" in seen.path
    assert "Authorization" not in seen.headers


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_another_host_that_demands_a_login_gets_none(
    server: FaultServer, other_server: FaultServer, method: str
) -> None:
    """The address is one that the registry gave, as for an upload."""
    demand_basic(other_server)
    with client_for(server, login=LOGIN) as client:
        address = f"http://{other_server.host}/v2/app/blobs/uploads/1"
        with pytest.raises(SourceUnreachable, match=f"{other_server.host} asks for a login"):
            client.http.request(method, address, quiet(), what="blob", scopes=("x",), attempts=1)
    (seen,) = other_server.seen
    assert "Authorization" not in seen.headers


def test_a_host_that_a_request_was_sent_on_to_gets_no_login(
    server: FaultServer, other_server: FaultServer
) -> None:
    demand_basic(other_server)
    target = {"Location": f"http://{other_server.host}/v2/app/manifests/1"}
    server.always("GET", "manifests/", Answer(307, headers=target))
    with (
        client_for(server, login=LOGIN) as client,
        pytest.raises(SourceUnreachable, match=f"{other_server.host} asks for a login"),
    ):
        client.manifest("app", "1", quiet())
    assert [seen.headers.get("Authorization") for seen in other_server.seen] == [None]
    assert len(server.seen) == 1


def test_a_login_is_for_the_host_and_the_repository_that_demand_it(server: FaultServer) -> None:
    asked: list[tuple[str, str]] = []

    def login(host: str, repository: str) -> Login | None:
        asked.append((host, repository))
        return LOGIN

    server.add_manifest("app/web", "1", {"layers": []})
    demand_basic(server)
    with client_for(server, login=login) as client:
        client.manifest("app/web", "1", quiet())
    assert asked == [(server.host, "app/web")]


@pytest.mark.parametrize(
    "challenge",
    [
        "a" * 65_000,
        "a " * 32_000,
        'Bearer realm="' + "x" * 60_000 + '"',
        "Bearer " + "a=b," * 16_000,
    ],
)
def test_a_long_demand_is_an_error_of_the_registry(server: FaultServer, challenge: str) -> None:
    server.always("GET", "manifests/", Answer(401, headers={"WWW-Authenticate": challenge}))
    with (
        client_for(server, login=LOGIN) as client,
        pytest.raises(SourceUnreachable, match="invalid header"),
    ):
        client.manifest("app", "1", quiet())


CHALLENGES = [
    ('Bearer realm="http://127.0.0.1/t",service="a, b",scope="x:y:pull,push"', ["a, b"]),
    ('Basic realm="me", Bearer realm="http://127.0.0.1/t", service=plain', ["plain"]),
    ('Negotiate, bearer  realm = "http://127.0.0.1/t" , service = "s"', ["s"]),
    ('Bearer realm="http://127.0.0.1/t",service="s", Negotiate abc==', ["s"]),
]


@pytest.mark.parametrize(("challenge", "service"), CHALLENGES)
def test_a_demand_is_read_with_its_parameters(challenge: str, service: list[str]) -> None:
    asked: list[TokenRequest] = []

    def fetch(request: TokenRequest) -> bytes:
        asked.append(request)
        return b'{"token": "t"}'

    authorizer = Authorizer("127.0.0.1:5000", lambda _host, _repository: None)
    assert authorizer.answer(challenge, (pull_scope("app"),), "", fetch, secure=False)
    assert parse_qs(urlsplit(asked[0].url).query)["service"] == service


IDENTITY = Login("x", identity_token="secret")


@pytest.mark.parametrize(
    ("host", "realm", "secure"),
    [
        ("reg.example", "http://reg.example/t", False),
        ("reg.example", "https://reg.example/t", False),
        ("127.0.0.1:5000", "http://reg.example/t", False),
        ("reg.example", "http://127.0.0.1/t", True),
        ("reg.example", "https:///t", True),
    ],
)
def test_an_identity_token_goes_to_no_place_that_was_not_named_safely(
    host: str, realm: str, secure: bool
) -> None:
    authorizer = Authorizer(host, lambda _host, _repository: IDENTITY)
    with pytest.raises(SourceUnreachable, match="not safe"):
        authorizer.answer(f'Bearer realm="{realm}"', ("s",), "", _never, secure=secure)


def _never(request: TokenRequest) -> bytes:
    raise AssertionError(request.url)


@pytest.mark.parametrize("login", [IDENTITY, LOGIN], ids=["identity", "password"])
@pytest.mark.parametrize("status", [302, 307, 308])
def test_a_login_goes_on_to_no_other_place_than_the_realm(
    server: FaultServer, other_server: FaultServer, login: Login, status: int
) -> None:
    TokenService(server)
    target = {"Location": f"http://{other_server.host}/token"}
    server.rules.insert(
        0, lambda s: Answer(status, headers=target) if s.path.startswith("/token") else None
    )
    with client_for(server, login=login) as client, pytest.raises(SourceUnreachable, match="token"):
        client.manifest("app", "1", quiet())
    assert other_server.seen == []


@pytest.mark.parametrize("life", ["1" + "0" * 400, "1e99", "-1", '"soon"', "true"])
def test_a_life_out_of_range_is_taken_as_usual(server: FaultServer, life: str) -> None:
    server.add_manifest("app", "1", {"layers": []})
    tokens = TokenService(server)
    body = b'{"token": "t1", "expires_in": ' + life.encode() + b"}"

    def rule(seen: Seen) -> Answer | None:
        if not seen.path.startswith("/token"):
            return None
        tokens.give(seen)
        return Answer(body=body)

    server.rules.insert(0, rule)
    with client_for(server) as client:
        assert client.manifest("app", "1", quiet()).document == {"layers": []}


@pytest.mark.parametrize(
    "realm",
    ["http://[::1", "http://a:99999999/t", "http://169.254.169.254/t", "http://0xa9fea9fe/t"],
)
def test_a_realm_that_is_no_address_is_an_error_of_the_registry(
    server: FaultServer, realm: str
) -> None:
    TokenService(server, realm=realm)
    with (
        client_for(server, login=LOGIN) as client,
        pytest.raises(SourceUnreachable, match=r"not safe|invalid address"),
    ):
        client.manifest("app", "1", quiet())
