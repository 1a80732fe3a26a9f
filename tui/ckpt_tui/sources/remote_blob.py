"""A blob in a registry as a window: by Range requests, or spooled as it comes.

Registries should, but need not, answer Range requests (distribution-spec, "Pulling blobs"). Only
single ranges are asked for: several registries refuse more.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from functools import partial

from ckpt_tui.archive.spill import unlinked_file
from ckpt_tui.core.byte_cache import ByteCache
from ckpt_tui.core.errors import CkptError, DamagedInput, SourceUnreachable
from ckpt_tui.core.progress import Progress, Uncounted, quiet
from ckpt_tui.core.text import short_digest
from ckpt_tui.sources.base import Descriptor
from ckpt_tui.sources.digests import verified
from ckpt_tui.sources.registry import RegistryClient
from ckpt_tui.sources.registry_errors import Refused

BLOCK = 32 << 10
"""Bytes that are fetched at least: the headers of several small members."""

MAX_FETCH = 4 << 20
"""Bytes of one request while a blob is read from start to end."""

MAX_CACHED = 24 << 20
"""Bytes of the blocks last read of all blobs of a store."""

WHOLE = 256 << 10
"""Bytes up to which a blob is fetched at once, and so can be verified."""

AHEAD = 8 << 20
"""Bytes that a spooled blob is read on for a read further on; beyond, that is a Range request."""

RESUMES = 5
"""Times that a download goes on where it broke off without having come any further."""


def blob_pieces(
    client: RegistryClient, repository: str, blob: Descriptor, progress: Progress
) -> Iterator[bytes]:
    """Yield a blob from start to end, going on where the connection breaks; it is verified last.

    Progress counts bytes.

    Raises:
        DamagedInput: it is not what its digest and size say.
        SourceUnreachable: it breaks off again and again.
    """
    return verified(_unverified(client, repository, blob, progress), blob.digest)


def _unverified(
    client: RegistryClient, repository: str, blob: Descriptor, progress: Progress
) -> Iterator[bytes]:
    name = f"blob {short_digest(blob.digest)}"
    done, broken_at, left = 0, -1, RESUMES
    while done < blob.size:
        try:
            for piece in _rest(client, repository, blob, done, progress):
                if done + len(piece) > blob.size:
                    raise DamagedInput(name, blob.size, "there is more of it than its size.")
                done += len(piece)
                progress.tick(len(piece))
                yield piece
            broken = SourceUnreachable(
                f"{client.host} sends only a part of {name}.", f"{done:,} of {blob.size:,} bytes."
            )
        except SourceUnreachable as error:
            if isinstance(error, Refused):
                raise
            broken = error
        if done < blob.size:
            left = RESUMES if done > broken_at else left - 1
            broken_at = done
            if not left:
                raise broken


def _rest(
    client: RegistryClient, repository: str, blob: Descriptor, start: int, progress: Progress
) -> Iterator[bytes]:
    """Yield the blob from `start`, by a Range or by passing over what is known."""
    answer = client.open_blob(repository, blob.digest, progress, start)
    with answer.response as response:
        known = start - answer.start
        for piece in client.http.pieces(response):
            if known < len(piece):
                yield piece[known:]
            known = max(0, known - len(piece))


class BlockCache(ByteCache[tuple[str, int]]):
    """Blocks last read, of all blobs of a store: by the digest of the blob, and their number."""

    def __init__(self) -> None:
        super().__init__(MAX_CACHED)


class RemoteBlob:
    """The bytes of a blob, fetched as they are read; several threads may read at the same time.

    Single ranges cannot be verified; what is read from start to end, is.
    """

    def __init__(
        self, client: RegistryClient, repository: str, blob: Descriptor, cache: BlockCache
    ) -> None:
        self.progress = quiet()
        """Whom to ask for cancellation while fetching: that of the job that reads at present."""
        self._client = client
        self._repository = repository
        self._blob = blob
        self._cache = cache
        self._spool: BlobSpool | None = None
        self._block = blob.size if blob.size <= WHOLE else BLOCK
        self._beyond_last = -1
        """Number of the block after those of the last request."""
        self._ahead = 1
        """Blocks that the next request asks for at least."""
        self._fetching: set[int] = set()
        """Numbers of the blocks that some thread is waiting for."""
        self._changed = threading.Condition()
        """Guards all of these; none of it is held while something is fetched."""

    @property
    def size(self) -> int:
        return self._blob.size

    def read(self, offset: int, length: int) -> bytes:
        length = min(length, self.size - offset)
        if length <= 0 or offset < 0:
            return b""
        spool = self._spool
        if spool is None or not spool.reaches(offset + length):
            found = self._by_range(offset, length)
            if found is not None:
                return found
            spool = self.spool()  # no Range requests here: spool all of it
            spool.all_there = True
        return spool.read(offset, length, self.progress)

    @property
    def is_spooled(self) -> bool:
        """Whether it is fetched from start to end into a file, or was."""
        return self._spool is not None

    def spool(self) -> BlobSpool:
        """Fetch it from its start to its end as it is read, and keep it in a file without a name.

        Reads far ahead still are Range requests.
        """
        with self._changed:
            if self._spool is None:
                self._spool = BlobSpool(self._client, self._repository, self._blob)
            return self._spool

    def close(self) -> None:
        if self._spool:
            self._spool.close()

    def _by_range(self, offset: int, length: int) -> bytes | None:
        """Return bytes from the cache or the registry; None where it ignores ranges."""
        wanted = range(offset // self._block, (offset + length - 1) // self._block + 1)
        blocks, request = self._claim(wanted)
        if request:
            try:
                fetched = self._fetch(request)
            finally:
                with self._changed:
                    self._fetching.difference_update(request)
                    self._changed.notify_all()
            if fetched is None:
                return None
            blocks |= fetched
        start = offset - wanted.start * self._block
        return b"".join(blocks[number] for number in wanted)[start : start + length]

    def _claim(self, wanted: range) -> tuple[dict[int, bytes], range]:
        """Return what is known of the wanted blocks, and the blocks that the caller has to fetch.

        Blocks that another thread fetches are waited for. The longer reads follow on, the more
        blocks after the missing ones are asked for.
        """
        with self._changed:
            while True:
                known = {n: self._cache.get((self._blob.digest, n)) for n in wanted}
                blocks = {n: block for n, block in known.items() if block is not None}
                missing = [n for n in wanted if n not in blocks]
                if not self._fetching.intersection(missing):
                    break
                self._changed.wait()
            if not missing:
                return blocks, range(0)
            follows = missing[0] == self._beyond_last
            self._ahead = min(self._ahead * 2, MAX_FETCH // BLOCK) if follows else 1
            stop = max(missing[-1] + 1, missing[0] + self._ahead)
            request = range(missing[0], min(stop, -(-self.size // self._block)))
            self._beyond_last = request.stop
            self._fetching.update(request)
            return blocks, request

    def _fetch(self, request: range) -> dict[int, bytes] | None:
        """Fetch blocks in one request; None where ranges are ignored."""
        start, size = request.start * self._block, self._block
        if self.size <= WHOLE:
            progress = Uncounted(self.progress)
            data: bytes | None = b"".join(
                blob_pieces(self._client, self._repository, self._blob, progress)
            )
        else:
            data = self._range(start, min(self.size, request.stop * size))
        if data is None:
            return None
        blocks = {n: data[n * size - start : (n + 1) * size - start] for n in request}
        for number, block in blocks.items():
            self._cache.put((self._blob.digest, number), block)
        return blocks

    def _range(self, start: int, stop: int) -> bytes | None:
        name = f"blob {short_digest(self._blob.digest)}"
        answer = self._client.open_blob(
            self._repository, self._blob.digest, self.progress, start, stop
        )
        with answer.response as response:
            if response.status_code == 200:
                return None
            if answer.size != self.size:
                raise DamagedInput(name, 0, "it does not have the size that its manifest says.")
            parts, size = [], 0
            for piece in self._client.http.pieces(response):
                parts.append(piece)
                size += len(piece)
                if size >= stop - start:
                    break
                self.progress.tick(0)
        if size != stop - start:
            raise SourceUnreachable(f"{self._client.host} sends only a part of {name}.")
        return b"".join(parts)


class BlobSpool:
    """A blob on its way into a file without a name; after a failure it begins again."""

    def __init__(self, client: RegistryClient, repository: str, blob: Descriptor) -> None:
        self.all_there = False
        """Whether every read is to be answered from here, however far ahead it is."""
        self._progress = Uncounted(quiet())
        self._begin = partial(blob_pieces, client, repository, blob, self._progress)
        self._pieces: Iterator[bytes] | None = None
        self._file = unlinked_file()
        self._there = 0
        self._size = blob.size
        self._verified = False
        self._lock = threading.Lock()

    def reaches(self, end: int) -> bool:
        """Tell whether reading on up to `end` is better than a request of its own."""
        return self.all_there or end <= self._there + AHEAD

    def read(self, offset: int, length: int, progress: Progress) -> bytes:
        end = min(offset + length, self._size)
        with self._lock:
            self._progress.counting = progress
            # The end is given out with the digest known.
            while self._there < end or (end == self._size and not self._verified):
                self._take()
        return os.pread(self._file.fileno(), length, offset)

    def close(self) -> None:
        self._file.close()

    def _take(self) -> None:
        if self._pieces is None:
            self._pieces, self._there = self._begin(), 0
            self._file.seek(0)
        try:
            piece = next(self._pieces, None)
            if piece is None:
                self._verified = True
                return
            self._file.write(piece)
            self._file.flush()
            self._there += len(piece)
        except OSError as error:
            self._pieces = None
            raise CkptError("The blob cannot be kept.", f"{error.strerror}.") from error
        except BaseException:
            self._pieces = None
            raise
