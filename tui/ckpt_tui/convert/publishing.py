"""A repository in a registry as the place a conversion writes to.

A blob goes out while the next one is made, and its file is removed when it is there: on disk lies
what is on its way, and the delta layer, which is read again. The name is given last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from ckpt_tui.convert.layout import ASK_S, Blob, Staging
from ckpt_tui.core.errors import CkptError, UsageError
from ckpt_tui.core.paths import cache_dir
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import CHUNK
from ckpt_tui.sources.base import MEDIA_INDEX, MEDIA_MANIFEST, Descriptor
from ckpt_tui.sources.reference import SCHEME, Reference, parse_reference
from ckpt_tui.sources.registry_destination import RegistryDestination
from ckpt_tui.sources.registry_store import open_repository

MAX_WAITING = 2
"""Finished blobs that wait for the network, or else the disk fills where that is slow."""

SENDERS = 2
"""Threads that talk to the registry: a question does not wait for the upload before it."""

_Answer = TypeVar("_Answer")


class RegistryStaging(Staging):
    """Blobs on their way into a repository. What was sent without `publish` has no name there, and
    the registry's garbage collection takes it."""

    def __init__(self, repository: Reference, progress: Progress) -> None:
        super().__init__(cache_dir() / "converting", final=False)
        self._repository = repository
        self._near: tuple[Reference, ...] = ()
        self._store = open_repository(repository)
        self._destination = RegistryDestination(self._store.client, repository)
        self._sender = ThreadPoolExecutor(SENDERS, "upload")
        self._sent: dict[str, Descriptor] = {}
        self._jobs: list[Future[None]] = []
        self._manifests: list[tuple[Descriptor, bytes]] = []
        self._wanted = progress
        self._uploading = Progress(cancelled=lambda: self._ended)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended = True
        self._sender.shutdown(cancel_futures=True)
        self._store.close()
        super().__exit__(kind, error, trace)

    def look_near(self, names: Iterable[str]) -> None:
        self._near = tuple(_references(names))

    def holds(self, digest: str, size: int) -> bool:
        if digest in self._sent:
            return True
        blob = Descriptor("", digest, size)

        def ask() -> bool:
            has = self._destination.has(blob, self._uploading)
            return has or self._destination.mount(blob, self._near, self._uploading)

        found = self._answer(ask)
        if found:
            self._sent[digest] = blob
        return found

    def keep(self, blob: Blob, *, needed: bool = False) -> tuple[str, int]:
        digest = blob.close()
        self._open.remove(blob)
        if needed:
            self._blobs[digest] = blob.path
        if not self.holds(digest, blob.size):
            self._sent[digest] = Descriptor("", digest, blob.size)
            self._send(self._sent[digest], blob.path, keeps=needed)
        elif not needed:
            blob.path.unlink()
        return digest, blob.size

    def add(
        self,
        data: bytes,
        media_type: str,
        annotations: Mapping[str, str] | None = None,
        platform: Mapping[str, str] | None = None,
    ) -> Descriptor:
        if media_type not in (MEDIA_MANIFEST, MEDIA_INDEX):
            return super().add(data, media_type, annotations, platform)
        digest = self.new_digest()
        digest.update(data)
        made = Descriptor(media_type, digest.value(), len(data), annotations or {}, platform or {})
        self._manifests.append((made, data))
        return made

    def check(self, progress: Progress) -> None:
        """Wait until all blobs were taken, and ask for each: the registry has verified them."""
        progress.start("sending the last blobs")
        self._await_jobs(0)
        progress.start("asking for what was sent", len(self._sent))
        for blob in self._sent.values():
            progress.tick()
            if not self._answer(partial(self._destination.has, blob, self._uploading)):
                raise CkptError(
                    f"{self._repository.name} does not have what it was sent:",
                    f"the blob {blob.digest} is not there.",
                    "Convert again.",
                )

    def publish(self, root: Descriptor, tag: str) -> None:
        named = RegistryDestination(
            self._store.client,
            Reference(self._repository.host, self._repository.repository, tag),
        )
        for manifest, data in self._manifests:
            if manifest.digest != root.digest:
                self._answer(partial(named.put_manifest, manifest, data, self._uploading))
        manifest, data = next(one for one in self._manifests if one[0].digest == root.digest)
        self._answer(partial(named.publish, manifest, data, self._uploading))

    def _send(self, blob: Descriptor, path: Path, *, keeps: bool) -> None:
        def send() -> None:
            # the registry compares what comes with the digest, so nobody else has to
            self._destination.put(blob, lambda: _pieces(path), self._uploading)
            if not keeps:
                path.unlink()

        self._jobs.append(self._sender.submit(send))
        self._await_jobs(MAX_WAITING)

    def _await_jobs(self, allowed: int) -> None:
        while self._jobs and (self._jobs[0].done() or len(self._jobs) > allowed):
            self._wait(self._jobs.pop(0))

    def _answer(self, question: Callable[[], _Answer]) -> _Answer:
        """Ask the registry in a thread that talks to it."""
        return self._wait(self._sender.submit(question))

    def _wait(self, job: Future[_Answer]) -> _Answer:
        while not wait([job], timeout=ASK_S).done:
            self._wanted.tick(0)
        return job.result()


def _references(near: Iterable[str]) -> Iterable[Reference]:
    for name in near:
        with suppress(UsageError):
            if name:
                yield parse_reference(f"{SCHEME}{name.removeprefix(SCHEME)}")


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while piece := file.read(CHUNK):
            yield piece
