"""What a registry offers: repositories, tags, manifests, blobs, referrers.

After the OCI distribution specification 1.1. Requests and their errors are in `registry_http`.
This module costs 130 ms to import, for oras: import it where a registry is named.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import requests

from ckpt_tui.core.document import parse_document, text_at, texts_at, value_at
from ckpt_tui.core.errors import CkptError, DamagedInput, SourceUnreachable
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import short_digest
from ckpt_tui.sources.access import Access, access_for
from ckpt_tui.sources.base import MEDIA_INDEX, MEDIA_MANIFEST, Descriptor, checked_digest
from ckpt_tui.sources.credentials import Login, find_login
from ckpt_tui.sources.digests import check_bytes
from ckpt_tui.sources.oci import MAX_MANIFEST, descriptors_of, referrers_tag
from ckpt_tui.sources.reference import TAG
from ckpt_tui.sources.registry_auth import CATALOG_SCOPE, delete_scope, pull_scope, push_scope
from ckpt_tui.sources.registry_errors import Refused, checked_address, header_of
from ckpt_tui.sources.registry_http import RegistryHttp, Timeouts, stated_number

ACCEPT = ", ".join(
    (
        MEDIA_INDEX,
        MEDIA_MANIFEST,
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
"""Kinds of manifests. docker-registry says 404 to a kind that is not named, even to `*/*`."""

PAGE = 1000
"""Names asked for at a time; docker-registry refuses more."""

MAX_PAGES = 2_000
"""Pages of one list, for a registry that never ends it."""

MAX_LIST = 256 << 20
"""Bytes of all pages of one list: a million names of 255 characters."""

NO_CATALOG = (401, 403, 404, 405)
"""Answers by which registries say that they do not list their repositories."""

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or index as it is stored, verified."""

    descriptor: Descriptor
    document: Mapping[str, Any]
    data: bytes


@dataclass(frozen=True, slots=True)
class ManifestHead:
    """What a registry says of a manifest without sending it; nothing of it is verified."""

    digest: str
    """Empty where it does not say."""
    media_type: str
    size: int


@dataclass(frozen=True, slots=True)
class BlobAnswer:
    """The beginning of an answer with bytes of a blob."""

    response: requests.Response
    start: int
    """Where in the blob the answer begins: 0 where the range that was asked for is ignored."""
    size: int | None
    """Bytes of the whole blob, None where it does not say."""


class RegistryClient:
    """The calls of one registry. All of them block; errors are those of `RegistryHttp.request`."""

    def __init__(
        self,
        host: str,
        *,
        access: Access | None = None,
        login: Callable[[str, str], Login | None] = find_login,
        timeouts: Timeouts | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.host = host
        self.http = RegistryHttp(
            host, access or access_for(host), login, timeouts or Timeouts(), sleep, clock
        )

    def close(self) -> None:
        self.http.close()

    def ping(self, progress: Progress) -> None:
        """Make sure that a registry answers, and takes the login if it wants one."""
        self.http.finish(self.http.request("GET", "/v2/", progress, what="registry"))

    def catalog(self, progress: Progress) -> Iterator[str]:
        """Yield the names of the repositories.

        Raises:
            SourceUnreachable: the registry does not list them, as most public ones.
        """
        scopes = (CATALOG_SCOPE,)
        try:
            yield from self._listed(
                f"//{self.host}/v2/_catalog?n={PAGE}", "repositories", "catalog", scopes, progress
            )
        except Refused as error:
            if error.status not in NO_CATALOG:
                raise
            self.ping(progress)  # a wrong password is another matter, and told as such
            raise SourceUnreachable(
                f"{self.host} offers no catalog.",
                "It does not list its repositories, or not to you.",
                f"Name a repository: docker://{self.host}/REPOSITORY.",
            ) from error

    def tags(self, repository: str, progress: Progress) -> Iterator[str]:
        """Yield the tags of a repository, in the registry's order."""
        url = f"//{self.http.container(repository).tags_url(PAGE)}"
        what, scopes = f"repository {repository}", (pull_scope(repository),)
        yield from self._listed(url, "tags", what, scopes, progress)

    def head(self, repository: str, reference: str, progress: Progress) -> ManifestHead:
        """Ask about a manifest; on Docker Hub, that does not count as a pull."""
        response = self._ask_manifest("HEAD", repository, reference, progress)
        self.http.finish(response)
        return ManifestHead(
            response.headers.get("Docker-Content-Digest", ""),
            _media_type(response),
            stated_number(response, "Content-Length") or 0,
        )

    def manifest(self, repository: str, reference: str, progress: Progress) -> Manifest:
        """Fetch a manifest or index, by tag or by digest.

        Raises:
            DamagedInput: it is not what its digest says, too large, or no JSON object.
        """
        what = _wanted(repository, reference)
        response = self._ask_manifest("GET", repository, reference, progress)
        promised = response.headers.get("Docker-Content-Digest", "")
        data = self.http.document(response, what, MAX_MANIFEST)
        promised = reference if ":" in reference else promised
        digest = _verified(data, promised, what)
        document = parse_document(data, what)
        if not isinstance(document, dict):
            raise DamagedInput(what, 0, "it holds no object.")
        if "layers" in document and "manifests" in document:
            raise DamagedInput(what, 0, "it is a manifest and an index at once.")
        media_type = text_at(document, "mediaType") or _media_type(response)
        return Manifest(Descriptor(media_type, digest, len(data)), document, data)

    def put_manifest(
        self, repository: str, reference: str, media_type: str, data: bytes, progress: Progress
    ) -> bool:
        """Store a manifest or index, all that it names being there already.

        Returns whether the registry keeps account of what refers to what.
        """
        response = self.http.request(
            "PUT",
            self._manifest_url(repository, reference),
            progress,
            data=data,
            headers={"Content-Type": media_type},
            what=f"manifest in repository {repository}",
            scopes=(push_scope(repository),),
            expect=(200, 201, 202),
        )
        self.http.finish(response)
        return "OCI-Subject" in response.headers

    def delete(self, repository: str, kind: str, digest: str, progress: Progress) -> bool:
        """Remove one of the "blobs" or "manifests" of a repository; tell whether it is gone.

        Many registries do not allow it (distribution-spec, "Deleting Blobs").
        """
        path = self.http.container(repository).api_prefix
        try:
            response = self.http.request(
                "DELETE",
                f"/v2/{path}/{kind}/{checked_digest(digest, 'the question')}",
                progress,
                what=f"{kind} {short_digest(digest)}",
                scopes=(delete_scope(repository),),
                expect=(200, 202, 204),
                attempts=1,
            )
        except Refused as error:
            return error.status == 404
        self.http.finish(response)
        return True

    def referrers(
        self, repository: str, digest: str, progress: Progress, artifact_type: str = ""
    ) -> tuple[Descriptor, ...]:
        """Return what refers to a manifest, by the API or by the tag that stands in for it."""
        checked_digest(digest, "the question")
        what = f"referrers of {short_digest(digest)}"
        try:
            response = self.http.request(
                "GET",
                f"/v2/{self.http.container(repository).api_prefix}/referrers/{digest}",
                progress,
                headers={"Accept": MEDIA_INDEX},
                what=what,
                scopes=(pull_scope(repository),),
            )
            document = parse_document(self.http.document(response, what, MAX_MANIFEST), what)
        except Refused as error:
            if error.status not in (400, 404, 405):
                raise
            document = self._referrers_by_tag(repository, digest, progress)
        found = descriptors_of(document, "manifests", what)
        return tuple(d for d in found if not artifact_type or d.artifact_type == artifact_type)

    def blob_size(self, repository: str, digest: str, progress: Progress) -> int | None:
        """Return the bytes of a blob, None where the repository does not have it."""
        try:
            response = self._ask_blob("HEAD", repository, digest, progress)
        except Refused as error:
            if error.status == 404:
                return None
            raise
        self.http.finish(response)
        return stated_number(response, "Content-Length") or 0

    def open_blob(
        self,
        repository: str,
        digest: str,
        progress: Progress,
        start: int = 0,
        end: int | None = None,
    ) -> BlobAnswer:
        """Begin to fetch a blob, or the bytes from `start` up to, not including, `end`.

        Raises:
            DamagedInput: the registry answers with another range, or the blob is shorter.
        """
        name = f"blob {short_digest(digest)}"
        is_range = start > 0 or end is not None
        last = "" if end is None else str(end - 1)
        response = self._ask_blob(
            "GET", repository, digest, progress, f"bytes={start}-{last}" if is_range else ""
        )
        if response.status_code == 416:
            response.close()
            raise DamagedInput(name, start, "the registry has fewer bytes than its manifest says.")
        if response.status_code == 200:
            return BlobAnswer(response, 0, stated_number(response, "Content-Length"))
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if not match or int(match[1]) != start:
            response.close()
            raise DamagedInput(
                name, start, "the registry answers with bytes that were not asked for."
            )
        return BlobAnswer(response, start, int(match[2]))

    def _manifest_url(self, repository: str, reference: str) -> str:
        if ":" not in reference and not TAG.fullmatch(reference):
            raise CkptError(
                f"{_wanted(repository, reference)} cannot be asked for.", "Its tag is invalid."
            )
        return f"//{self.http.container(repository).manifest_url(quote(reference, safe=':'))}"

    def _ask_manifest(
        self, method: str, repository: str, reference: str, progress: Progress
    ) -> requests.Response:
        return self.http.request(
            method,
            self._manifest_url(repository, reference),
            progress,
            headers={"Accept": ACCEPT},
            what=_wanted(repository, reference),
            scopes=(pull_scope(repository),),
        )

    def _ask_blob(
        self, method: str, repository: str, digest: str, progress: Progress, range_: str = ""
    ) -> requests.Response:
        checked = checked_digest(digest, "the manifest")
        return self.http.request(
            method,
            f"//{self.http.container(repository).get_blob_url(checked)}",
            progress,
            headers={"Range": range_} if range_ else {},
            what=f"blob {short_digest(digest)}",
            scopes=(pull_scope(repository),),
            expect=(200, 206, 416) if range_ else (200,),
        )

    def _listed(
        self, url: str, key: str, what: str, scopes: tuple[str, ...], progress: Progress
    ) -> Iterator[str]:
        seen: set[str] = set()
        size = 0
        while url and url not in seen:
            if len(seen) == MAX_PAGES:
                raise DamagedInput(what, 0, f"the list has more than {MAX_PAGES:,} pages.")
            seen.add(url)
            response = self.http.request("GET", url, progress, what=what, scopes=scopes)
            header_of(response, "Link")
            following = response.links.get("next", {}).get("url", "")
            data = self.http.document(response, what)
            size += len(data)
            if size > MAX_LIST:
                raise DamagedInput(what, 0, f"the list has more than {MAX_LIST:,} bytes.")
            document = parse_document(data, what)
            if not isinstance(value_at(document, key), list | None):
                raise DamagedInput(what, 0, f"it holds no list of {key}.")
            for name in texts_at(document, key):
                progress.tick()
                yield name
            url = self._next_page(url, following)

    def _next_page(self, url: str, following: str) -> str:
        """Return the path of the next page: it may be relative, and never on another host."""
        if not following:
            return ""
        base = urljoin(self.http.base, url)
        found = urlsplit(checked_address(self.host, base, following))
        if (found.scheme, found.netloc) != (self.http.prefix, self.host):
            raise SourceUnreachable(
                f"{self.host} sends us elsewhere for the rest of a list.",
                f"It names {found.netloc}.",
            )
        return f"//{found.netloc}{found.path}?{found.query}"

    def _referrers_by_tag(
        self, repository: str, digest: str, progress: Progress
    ) -> Mapping[str, Any]:
        try:
            return self.manifest(repository, referrers_tag(digest), progress).document
        except Refused as error:
            if error.status == 404:
                return {}
            raise


def _wanted(repository: str, reference: str) -> str:
    return (
        f"{repository}@{short_digest(reference)}"
        if ":" in reference
        else f"{repository}:{reference}"
    )


def _media_type(response: requests.Response) -> str:
    return response.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _verified(data: bytes, promised: str, what: str) -> str:
    """Return the digest of `data`, which has to be the promised one where one is given."""
    if not promised:
        return "sha256:" + hashlib.sha256(data).hexdigest()
    check_bytes(data, promised, what)
    return promised
