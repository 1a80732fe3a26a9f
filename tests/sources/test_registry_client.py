"""The client of one registry: lists, manifests, and everything that can go wrong on the way."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from ckpt_tui.core.errors import (
    Cancelled,
    CkptError,
    DamagedInput,
    SourceUnreachable,
    UsageError,
)
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.sources.access import Access
from ckpt_tui.sources.base import Descriptor
from ckpt_tui.sources.registry import RegistryClient
from ckpt_tui.sources.registry_http import Timeouts
from ckpt_tui.sources.registry_upload import upload_blob
from fault_server import INDEX, MANIFEST, Answer, Clock, FaultServer, Seen, client_for, sha256

CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json"}


def test_importing_sources_costs_neither_oras_nor_requests() -> None:
    program = (
        "import sys, ckpt_tui.sources.table, ckpt_tui.formats.catalogue, ckpt_tui.convert.copying;"
        "assert not {'oras', 'requests', 'urllib3'} & set(sys.modules)"
    )
    tui = Path(__file__).parents[2] / "tui"
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": str(tui)})


# Lists


def test_a_list_is_followed_over_its_pages(server: FaultServer) -> None:
    server.on(
        "GET",
        "tags/list",
        Answer(
            body=b'{"tags": ["a", "b"]}',
            headers={"Link": '</v2/app/tags/list?n=2&last=b>; rel="next"'},
        ),
        Answer(body=b'{"tags": ["c"]}', headers={"Link": '<?last=c>; rel="next"'}),
        Answer(body=b'{"tags": null}'),
    )
    with client_for(server) as client:
        assert list(client.tags("app", quiet())) == ["a", "b", "c"]
    assert server.paths()[1:] == ["/v2/app/tags/list?n=2&last=b", "/v2/app/tags/list?last=c"]


def test_a_list_that_names_itself_as_the_next_page_ends(server: FaultServer) -> None:
    link = {"Link": '</v2/app/tags/list?n=1000>; rel="next"'}
    server.always("GET", "tags/list", Answer(body=b'{"tags": ["a"]}', headers=link))
    with client_for(server) as client:
        assert list(client.tags("app", quiet())) == ["a"]


def test_the_next_page_is_never_on_another_host(
    server: FaultServer, other_server: FaultServer
) -> None:
    link = {"Link": f'<http://{other_server.host}/v2/app/tags/list>; rel="next"'}
    server.always("GET", "tags/list", Answer(body=b'{"tags": ["a"]}', headers=link))
    with client_for(server) as client, pytest.raises(SourceUnreachable, match="elsewhere"):
        list(client.tags("app", quiet()))
    assert other_server.seen == []


def test_a_list_without_end_is_an_error(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = itertools.count()

    def rule(seen: Seen) -> Answer | None:
        link = {"Link": f'<?last={next(pages)}>; rel="next"'}
        return Answer(body=b'{"tags": ["a"]}', headers=link) if "tags" in seen.path else None

    server.rules.append(rule)
    for limit, most in (("MAX_PAGES", 5), ("MAX_LIST", 5 * len('{"tags": ["a"]}'))):
        server.seen.clear()
        with monkeypatch.context() as patched, client_for(server) as client:
            patched.setattr(f"ckpt_tui.sources.registry.{limit}", most)
            with pytest.raises(DamagedInput, match="the list has more than"):
                list(client.tags("app", quiet()))
        assert len(server.seen) <= 6


@pytest.mark.parametrize(
    "following",
    ["<http://[::1>", "<http://a:99999999/>", "<" + "x" * 60_000 + ">", "<" * 60_000, "," * 60_000],
)
def test_a_next_page_that_is_no_address_is_an_error_of_the_registry(
    server: FaultServer, following: str
) -> None:
    link = {"Link": f'{following}; rel="next"'}
    server.always("GET", "tags/list", Answer(body=b'{"tags": ["a"]}', headers=link))
    with client_for(server) as client, pytest.raises(SourceUnreachable, match="invalid"):
        list(client.tags("app", quiet()))


@pytest.mark.parametrize(
    "location",
    [
        "http://[::1/",
        "http://a:99999999/",
        "http://169.254.169.254/latest",
        "http://2852039166/",
        "http://[fe80::1]/",
        "http://[::ffff:169.254.1.1]/",
        "/" + "x" * 60_000,
    ],
)
def test_a_redirect_that_leads_nowhere_is_an_error_of_the_registry(
    server: FaultServer, location: str
) -> None:
    server.always("GET", "manifests/", Answer(307, headers={"Location": location}))
    with client_for(server) as client, pytest.raises(SourceUnreachable, match=r"invalid|not safe"):
        client.manifest("app", "1", quiet())


@pytest.mark.parametrize("body", [b'{"tags": 5}', b'{"tags": {"a": 1}}', b"<html>"])
def test_a_list_that_is_none_is_damage(server: FaultServer, body: bytes) -> None:
    server.always("GET", "tags/list", Answer(body=body))
    with client_for(server) as client, pytest.raises(DamagedInput):
        list(client.tags("app", quiet()))


def test_repositories_are_listed(server: FaultServer) -> None:
    server.add_manifest("a/b", "1", {"layers": []})
    server.add_manifest("c", "1", {"layers": []})
    with client_for(server) as client:
        assert list(client.catalog(quiet())) == ["a/b", "c"]


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_a_registry_without_a_catalog_asks_for_a_repository(
    server: FaultServer, status: int
) -> None:
    server.always("GET", "_catalog", Answer(status))
    with client_for(server) as client, pytest.raises(SourceUnreachable) as caught:
        list(client.catalog(quiet()))
    assert caught.value.what == f"{server.host} offers no catalog."
    assert "Name a repository" in caught.value.hint


def test_tags_of_no_repository_are_unreachable(server: FaultServer) -> None:
    with client_for(server) as client, pytest.raises(SourceUnreachable, match="no repository app"):
        list(client.tags("app", quiet()))


def test_a_repository_that_is_no_name_is_never_asked_for(server: FaultServer) -> None:
    with client_for(server) as client, pytest.raises(UsageError):
        list(client.tags("../../other", quiet()))
    assert server.seen == []


# Manifests


def test_a_manifest_comes_with_its_exact_bytes(server: FaultServer) -> None:
    data = b'{ "layers":[] ,"odd": 1}'
    server.add_manifest("app", "1", data)
    with client_for(server) as client:
        found = client.manifest("app", "1", quiet())
        assert client.manifest("app", sha256(data), quiet()) == found
        head = client.head("app", "1", quiet())
    assert found.data == data
    assert (found.descriptor.digest, found.descriptor.media_type) == (sha256(data), MANIFEST)
    assert (head.digest, head.media_type, head.size) == (sha256(data), MANIFEST, len(data))


def test_dockers_types_are_asked_for_too(server: FaultServer) -> None:
    docker = "application/vnd.docker.distribution.manifest.v2+json"
    server.add_manifest("app", "1", {"layers": [], "mediaType": docker}, docker)
    with client_for(server) as client:
        assert client.manifest("app", "1", quiet()).descriptor.media_type == docker
    assert docker in server.seen[0].headers["Accept"]
    assert server.seen[0].headers["Accept-Encoding"] == "identity"


def test_other_bytes_than_the_digest_promises_are_damage(server: FaultServer) -> None:
    server.manifests["app", sha256(b"good")] = (MANIFEST, b'{"layers": []}')
    with client_for(server) as client, pytest.raises(DamagedInput, match="digest"):
        client.manifest("app", sha256(b"good"), quiet())


def test_other_bytes_than_the_header_promises_are_damage(server: FaultServer) -> None:
    headers = {"Docker-Content-Digest": sha256(b"other")}
    server.always("GET", "manifests/", Answer(body=b'{"layers": []}', headers=headers))
    with client_for(server) as client, pytest.raises(DamagedInput, match="digest"):
        client.manifest("app", "1", quiet())


@pytest.mark.parametrize(
    "body",
    [
        b"<html>not here</html>",
        b"",
        b"[]",
        b"[" * 10_000,
        b'{"a":' * 10_000,
        b'{"layers": [], "manifests": []}',
    ],
)
def test_a_manifest_that_is_none_is_damage(server: FaultServer, body: bytes) -> None:
    server.always("GET", "manifests/", Answer(body=body))
    with client_for(server) as client, pytest.raises(DamagedInput):
        client.manifest("app", "1", quiet())


def test_a_manifest_of_100_mb_is_refused_before_it_is_read(server: FaultServer) -> None:
    answer = Answer(body=b" " * 5_000_000, length=100_000_000, hang=True)
    server.always("GET", "manifests/", answer)
    with client_for(server) as client, pytest.raises(DamagedInput, match="more than"):
        client.manifest("app", "1", quiet())
    assert client.http.received == 0


def test_a_manifest_that_does_not_say_its_length_is_refused_at_the_limit(
    server: FaultServer,
) -> None:
    chunked = b"".join(b"100000\r\n" + b" " * 0x100000 + b"\r\n" for _ in range(6)) + b"0\r\n\r\n"
    headers = {"Transfer-Encoding": "chunked"}
    server.always("GET", "manifests/", Answer(body=chunked, headers=headers))
    with client_for(server) as client, pytest.raises(DamagedInput, match="more than"):
        client.manifest("app", "1", quiet())


def test_a_missing_tag_says_which(server: FaultServer) -> None:
    with client_for(server) as client, pytest.raises(SourceUnreachable) as caught:
        client.manifest("app", "nope", quiet())
    assert caught.value.what == f"{server.host} has no app:nope."
    assert caught.value.exit_code == 3


# Referrers


def test_referrers_come_from_the_api(server: FaultServer) -> None:
    entry = {"mediaType": MANIFEST, "digest": sha256(b"r"), "size": 3, "artifactType": "a/b"}
    body = json.dumps({"manifests": [entry, {**entry, "artifactType": "c/d"}]}).encode()
    server.always("GET", "/referrers/", Answer(body=body))
    with client_for(server) as client:
        assert len(client.referrers("app", sha256(b"x"), quiet())) == 2
        (found,) = client.referrers("app", sha256(b"x"), quiet(), "a/b")
    assert found.artifact_type == "a/b"


def test_referrers_come_from_a_tag_where_there_is_no_api(server: FaultServer) -> None:
    digest = sha256(b"x")
    entry = {"mediaType": MANIFEST, "digest": sha256(b"r"), "size": 3}
    server.add_manifest("app", digest.replace(":", "-"), {"manifests": [entry]}, INDEX)
    with client_for(server) as client:
        (found,) = client.referrers("app", digest, quiet())
        assert found.digest == sha256(b"r")
        assert client.referrers("app", sha256(b"y"), quiet()) == ()


# A busy or broken registry


def test_a_connection_is_used_again_after_every_kind_of_answer(
    server: FaultServer, clock: Clock
) -> None:
    blob = server.add_blob("app", b"x" * 100_000)
    server.add_manifest("app", "1", {"layers": []})
    server.on("GET", "manifests/", Answer(500, b"x" * 1000))
    with client_for(server, clock) as client:
        for _ in range(2):
            client.head("app", "1", quiet())
            client.blob_size("app", str(blob["digest"]), quiet())
            client.blob_size("app", sha256(b"none"), quiet())
            client.manifest("app", "1", quiet())
            client.put_manifest("app", "2", MANIFEST, b"{}", quiet())
            client.http.document(
                client.open_blob("app", str(blob["digest"]), quiet()).response, "blob"
            )
    assert clock.slept == [pytest.approx(0.1)] * 5  # the one failure of the server
    assert len({seen.port for seen in server.seen}) == 1


def test_retry_after_is_waited_for(server: FaultServer, clock: Clock) -> None:
    server.add_manifest("app", "1", {"layers": []})
    busy = Answer(429, headers={"Retry-After": "7"})
    server.on("GET", "manifests/", busy, busy)
    with client_for(server, clock) as client:
        client.manifest("app", "1", quiet())
    assert sum(clock.slept) == pytest.approx(14)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_failing_registry_is_asked_again_less_and_less_often(
    server: FaultServer, clock: Clock, status: int
) -> None:
    server.add_manifest("app", "1", {"layers": []})
    server.on("GET", "manifests/", *[Answer(status)] * 3)
    with client_for(server, clock) as client:
        client.manifest("app", "1", quiet())
    assert sum(clock.slept) == pytest.approx(0.5 + 1 + 2)


def test_a_registry_that_goes_on_failing_is_told_of(server: FaultServer) -> None:
    body = json.dumps({"errors": [{"code": "UNKNOWN", "message": "disk on fire"}]}).encode()
    server.always("GET", "manifests/", Answer(500, body))
    with client_for(server) as client, pytest.raises(SourceUnreachable) as caught:
        client.manifest("app", "1", quiet())
    assert caught.value.why == "It says: disk on fire."
    assert len(server.seen) == 5


def test_a_registry_that_wants_a_long_wait_is_not_waited_for(
    server: FaultServer, clock: Clock
) -> None:
    server.always("GET", "manifests/", Answer(429, headers={"Retry-After": "3600"}))
    with client_for(server, clock) as client, pytest.raises(SourceUnreachable, match="3600 s"):
        client.manifest("app", "1", quiet())
    assert clock.slept == []


@pytest.mark.parametrize("wait", ["-1", "9" * 5000, "²", "Wed, 21 Oct 2026 07:28:00 GMT", ""])
def test_a_retry_after_that_is_no_number_is_left_alone(
    server: FaultServer, clock: Clock, wait: str
) -> None:
    server.add_manifest("app", "1", {"layers": []})
    server.on("GET", "manifests/", Answer(503, headers={"Retry-After": wait}))
    with client_for(server, clock) as client:
        client.manifest("app", "1", quiet())
    assert sum(clock.slept) == pytest.approx(0.5)


def test_waiting_for_a_busy_registry_can_be_cancelled(server: FaultServer, clock: Clock) -> None:
    server.always("GET", "manifests/", Answer(429, headers={"Retry-After": "20"}))
    progress = Progress()
    progress.tick = lambda amount=1: _cancelled_if(clock.now > 1001)  # type: ignore[method-assign]
    with client_for(server, clock) as client, pytest.raises(Cancelled):
        client.manifest("app", "1", progress)
    assert sum(clock.slept) < 2


def _cancelled_if(yes: bool) -> None:
    if yes:
        raise Cancelled


def test_an_answer_that_breaks_off_is_told_of(server: FaultServer) -> None:
    server.always("GET", "manifests/", Answer(body=b'{"layers"', length=500))
    with client_for(server) as client, pytest.raises(SourceUnreachable, match="breaks off"):
        client.manifest("app", "1", quiet())


def test_a_silent_server_is_given_up(server: FaultServer) -> None:
    server.always("GET", "manifests/", Answer(body=b"", length=100, hang=True))
    with (
        client_for(server, timeouts=Timeouts(read=0.05)) as client,
        pytest.raises(SourceUnreachable, match="in time"),
    ):
        client.manifest("app", "1", quiet())


def test_a_server_that_trickles_is_given_up(server: FaultServer, clock: Clock) -> None:
    server.always("GET", "manifests/", Answer(body=b"{" * 2_000_000))
    with client_for(server, clock, timeouts=Timeouts(document=100)) as client:
        reading = client.http.pieces

        def slow(response):  # type: ignore[no-untyped-def]
            for piece in reading(response):
                clock.now += 60
                yield piece

        client.http.pieces = slow  # type: ignore[method-assign]
        with pytest.raises(SourceUnreachable, match="in time"):
            client.manifest("app", "1", quiet())


def test_a_port_where_nothing_listens_is_told_of_at_once(clock: Clock) -> None:
    server = FaultServer()
    server.close()
    client = RegistryClient(server.host, access=Access(), sleep=clock.sleep, clock=clock)
    with pytest.raises(SourceUnreachable) as caught:
        client.ping(quiet())
    client.close()
    assert caught.value.why == "Nothing listens there."
    assert clock.slept == []


def test_plain_http_is_found_on_the_loopback_and_nowhere_else(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = RegistryClient(server.host, access=Access())
    client.ping(quiet())
    client.close()
    assert client.http.prefix == "http"
    monkeypatch.setattr("ckpt_tui.sources.registry_http.is_loopback", lambda host: False)
    client = RegistryClient(server.host, access=Access())
    with pytest.raises(SourceUnreachable, match="TLS") as caught:
        client.ping(quiet())
    client.close()
    assert "--tls-verify=false" in caught.value.hint
    asked = RegistryClient(server.host, access=Access(tls_verify=False))
    asked.ping(quiet())
    asked.close()


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_ca_file_that_is_none_is_a_usage_error(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=r"ca\.pem"):
        RegistryClient("q.example", access=Access(ca_file=str(path)))


def test_a_way_without_tls_is_not_followed(server: FaultServer) -> None:
    with client_for(server) as client:
        response = client.http.request("GET", "/v2/", quiet(), what="registry")
        response.url = "https://q.example/v2/"
        response.status_code = 307
        response.headers["Location"] = "http://q.example/v2/"
        with pytest.raises(SourceUnreachable, match="without TLS"):
            client.http._session.get_redirect_target(response)
        response.close()


def test_headers_that_take_too_long_are_given_up(server: FaultServer) -> None:
    """However often a line comes: only all of them together count."""
    with (
        pytest.raises(SourceUnreachable, match="in time"),
        client_for(server, timeouts=Timeouts(headers=0)) as client,
    ):
        client.manifest("app", "1", quiet())


def test_a_registry_that_sends_us_in_circles_is_asked_once(server: FaultServer) -> None:
    server.always("GET", "manifests/", Answer(307, headers={"Location": "/v2/app/manifests/1"}))
    with client_for(server) as client, pytest.raises(SourceUnreachable, match="redirects"):
        client.manifest("app", "1", quiet())
    assert len(server.paths("GET")) <= 10


@pytest.mark.parametrize(
    "place",
    [
        "/\xdfx",
        "http://[::1",
        "http://127.0.0.1:99999/x",
        "http://169.254.169.254/x",
        "http:///",
        "gopher://x",
    ],
)
def test_an_address_that_makes_no_sense_is_the_error_of_the_registry(
    server: FaultServer, place: str
) -> None:
    server.always("GET", "manifests/", Answer(307, headers={"Location": place}))
    server.always("GET", "tags/", Answer(headers={"Link": f'<{place}>; rel="next"'}, body=b"{}"))
    server.always("POST", "uploads/", Answer(202, headers={"Location": place}))
    with client_for(server) as client:
        with pytest.raises(CkptError):
            client.manifest("app", "1", quiet())
        with pytest.raises(CkptError):
            list(client.tags("app", quiet()))
        with pytest.raises(CkptError):
            upload_blob(
                client, "app", Descriptor("", sha256(b"x"), 1), lambda: iter((b"x",)), quiet()
            )


@pytest.mark.parametrize("life", ["-5", "0", "1" * 400, "1e5", "true", "null", '"x"', "1e999"])
def test_the_life_of_a_token_may_be_any_number(server: FaultServer, life: str) -> None:
    realm = f'Bearer realm="http://{server.host}/token",service="s"'
    body = b'{"token":"t","expires_in":%s}' % life.encode()
    server.on("GET", "tags/", Answer(401, headers={"WWW-Authenticate": realm}))
    server.always("GET", "/token", Answer(body=body))
    server.tags["app"] = ["a"]
    with client_for(server) as client:
        if life in ("1" * 400, "1e999"):
            assert_tags_or_error(client)
        else:
            assert list(client.tags("app", quiet())) == ["a"]


def assert_tags_or_error(client: RegistryClient) -> None:
    """A number that JSON readers may refuse is an error of the registry, if it is one."""
    with suppress(CkptError):
        assert list(client.tags("app", quiet())) == ["a"]
