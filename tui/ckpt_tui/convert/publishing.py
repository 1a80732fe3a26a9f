"""A repository in a registry as the place a conversion writes to.

Nothing leaves before the plan holds. From then on a blob goes out while the next one is made, and
its file is removed when it is there: on disk lies what is on its way, and the delta layer, which is
read again. The name is given last.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from ckpt_tui.convert.layout import ASK_S
from ckpt_tui.convert.staging import Blob, BlobSink
from ckpt_tui.core.errors import Cancelled, CkptError, UsageError
from ckpt_tui.core.paths import cache_dir
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_count
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


REMOVING_S = 20
"""Seconds for removing what was sent, when a conversion fails."""


class RegistrySink(BlobSink):
    """A repository. What was sent without `publish` has no name there: it is removed where the
    registry allows that, and elsewhere left to its garbage collection."""

    def __init__(self, repository: Reference, progress: Progress) -> None:
        super().__init__(cache_dir() / "converting")
        self._name = repository.name
        self._near: tuple[Reference, ...] = ()
        self._store = open_repository(repository)
        self._destination = RegistryDestination(self._store.client, repository)
        self._sender = ThreadPoolExecutor(SENDERS, "upload")
        self._held: list[tuple[Descriptor, Path, bool]] | None = []
        """Finished blobs with their files, and whether these stay; None: blobs may leave."""
        self._sent: dict[str, Descriptor] = {}
        self._jobs: list[Future[None]] = []
        self._created: list[tuple[str, str]] = []
        """What this run made in the registry, "blobs" or "manifests" and a digest, in order."""
        self._manifests: dict[str, tuple[Descriptor, bytes]] = {}
        self._wanted = progress
        self._uploading = Progress(cancelled=lambda: self._ended)

    def __exit__(self, *error: object) -> None:
        self._ended = True
        self._sender.shutdown(cancel_futures=True)
        self._store.close()
        super().__exit__(*error)

    def abandon(self, error: BaseException) -> None:
        self._ended = True
        self._sender.shutdown(cancel_futures=True)
        end = time.monotonic() + REMOVING_S
        progress = Progress(cancelled=lambda: time.monotonic() > end)
        left = 0
        for kind, digest in reversed(self._created):
            try:
                left += not self._destination.remove(kind, digest, progress)
            except (CkptError, Cancelled):
                left += 1
        if left:
            said = (
                f"{human_count(left, 'blob')} of it stay in {self._name} without a name: the "
                "registry does not remove them. Its garbage collection does."
            )
            error.add_note(said)

    def begin(self, near: Iterable[str]) -> None:
        self._near = tuple(_references(near))
        held, self._held = self._held or [], None
        for blob, path, stays in held:
            self._offer(blob, path, stays)

    def holds(self, digest: str, size: int) -> bool:
        if digest not in self._sent:
            blob = Descriptor("", digest, size)
            if not self._answer(
                partial(self._destination.settled, blob, self._near, self._uploading)
            ):
                return False
            self._sent[digest] = blob
        return True

    def _take(self, digest: str, blob: Blob, needed: bool) -> None:
        made = Descriptor("", digest, blob.size)
        if needed:
            self._blobs[digest] = blob.path
        if self._held is not None:
            self._held.append((made, blob.path, needed))
        else:
            self._offer(made, blob.path, needed)

    def _take_small(self, made: Descriptor, data: bytes) -> None:
        if made.media_type in (MEDIA_MANIFEST, MEDIA_INDEX):
            self._manifests[made.digest] = made, data
        else:
            super()._take_small(made, data)

    def _offer(self, blob: Descriptor, path: Path, stays: bool) -> None:
        """Send a blob if the registry lacks it; its file goes, unless it `stays`."""

        def send() -> None:
            # the registry compares what comes with the digest
            self._created.append(("blobs", blob.digest))
            self._destination.put(blob, lambda: _pieces(path), self._uploading)
            if not stays:
                path.unlink()

        if not self.holds(blob.digest, blob.size):
            self._sent[blob.digest] = blob
            self._jobs.append(self._sender.submit(send))
            self._await_jobs(MAX_WAITING)
        elif not stays:
            path.unlink()

    def check(self, progress: Progress) -> None:
        """Wait until all blobs were taken, and ask for each: the registry has verified them."""
        progress.start("sending the last blobs")
        self._await_jobs(0)
        progress.start("asking for what was sent", len(self._sent))
        for blob in self._sent.values():
            progress.tick()
            if not self._answer(partial(self._destination.has, blob, self._uploading)):
                raise CkptError(
                    f"{self._name} does not have what it was sent:",
                    f"the blob {blob.digest} is not there.",
                    "Convert again.",
                )

    def publish(self, root: Descriptor, tag: str, progress: Progress) -> None:
        del progress
        _, data = self._manifests.pop(root.digest)
        for manifest, inner in self._manifests.values():
            if self._answer(partial(self._destination.has_manifest, manifest, self._uploading)):
                continue
            self._created.append(("manifests", manifest.digest))
            self._answer(partial(self._destination.put_manifest, manifest, inner, self._uploading))
        for manifest, name in self.other_names:
            inner = self._manifests[manifest.digest][1]
            self._answer(partial(self._destination.publish, manifest, inner, name, self._uploading))
        self._answer(partial(self._destination.publish, root, data, tag, self._uploading))
        self._created.clear()

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
