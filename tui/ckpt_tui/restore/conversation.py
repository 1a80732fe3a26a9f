"""One connection of a page server: requests read as they come, and answered in their order."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import time
from collections import deque
from dataclasses import dataclass, field

from ckpt_tui.core.errors import CkptError
from ckpt_tui.restore.lazy_memory import LazyMemory, Piece

OLD = struct.Struct("=IIQQ")
"""Header before CRIU v4.2: command, pages, address, process."""
NEW = struct.Struct("=I4xQQQ")

PS_IOV_ADD_F = 6
PS_IOV_GET = 7
PS_IOV_CLOSE = 0x1023
PS_IOV_FORCE_CLOSE = 0x1024
PE_PRESENT = 4
COMMAND_BITS = 16
"""Of the command; the flags of the pages are above them."""

CLOSED = struct.pack("=i", 0)
"""What a page server answers before it closes: no error."""

MAX_WAITING = 8 << 20
"""Bytes of the answers of one connection that wait for their turn; more is not read meanwhile."""

MAX_RECEIVED = 64 << 10

MAX_PARTS = 64
"""Buffers that are sent in one system call."""

WORKING_SET_S = 1.0
"""Seconds from the first request in which the requests are kept."""


@dataclass(slots=True)
class Traffic:
    """What one connection has asked for, and got."""

    peer: str
    requests: int = 0
    bytes: int = 0
    waited_s: float = 0.0
    """Seconds in which a request waited for pages that were not there yet."""
    started: float = field(default_factory=time.monotonic)
    asked: list[tuple[float, int, int, int]] = field(default_factory=list)
    """Seconds since the first request, process, address and pages, of the first second."""
    problem: str = ""
    """Why pages were not sent, or why the connection broke."""
    is_done: bool = False
    """Whether the other side said that it has all that it wants."""
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class _Answer:
    header: bytes
    pieces: tuple[Piece, ...] = ()

    @property
    def size(self) -> int:
        return sum(piece.end - piece.start for piece in self.pieces)

    @property
    def awaited(self) -> Piece | None:
        """The first piece that is not here yet."""
        return next((piece for piece in self.pieces if not piece.contents.done()), None)


class Conversation:
    """One connection, in one thread: TLS cannot be read and written by two."""

    def __init__(self, memory: LazyMemory, connection: socket.socket, traffic: Traffic) -> None:
        self._memory = memory
        self._connection = connection
        self._traffic = traffic
        self._header: struct.Struct | None = None
        self._received = bytearray()
        self._answers: deque[_Answer] = deque()
        self._waiting = 0
        """Bytes of the answers."""
        self._is_open = True
        self._arrived, self._arriving = socket.socketpair()
        """Wakes the thread when a piece has arrived."""
        for one in (connection, self._arrived, self._arriving):
            one.setblocking(False)

    def run(self) -> None:
        """Talk until the other side ends it.

        Raises:
            CkptError: it asked for what is not there, or pages are damaged or out of reach.
            OSError: the connection broke.
        """
        with self._arrived, self._arriving:
            while self._is_open or (self._traffic.is_done and self._answers):
                awaited = self._answers[0].awaited if self._answers else None
                if self._answers and awaited is None:
                    self._send(self._answers.popleft())
                elif not self._has_room or not self._receive():
                    self._wait(awaited)
                self._take_requests()

    def hold(self) -> None:
        """Keep the connection, without an answer, until the other side closes it."""
        self._answers.clear()
        while self._is_open:
            self._received.clear()
            self._poll(self._connection, select.POLLIN)
            self._receive()

    @property
    def _has_room(self) -> bool:
        """Whether requests are read at present."""
        return self._is_open and self._waiting < MAX_WAITING

    def _receive(self) -> bool:
        """Take what has come, without waiting. Return whether there was something, or the end."""
        try:
            part = self._connection.recv(MAX_RECEIVED)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        self._received += part
        self._is_open = bool(part)
        return True

    def _take_requests(self) -> None:
        """Ask for the pages of each request that has come."""
        while self._has_room and (request := self._request()) is not None:
            command, count, address, pid = request
            if _number(command) in (PS_IOV_CLOSE, PS_IOV_FORCE_CLOSE):
                self._answers.append(_Answer(CLOSED))
                self._traffic.is_done = True
                self._is_open = False
                return
            if _number(command) != PS_IOV_GET:
                raise CkptError(
                    f"Command {command:#x} was sent to the page server.",
                    "It only gives out pages.",
                    "Connect to it with `criu lazy-pages --page-server`.",
                )
            self._note(pid, address, count)
            found, pieces = self._memory.pieces(pid, address, count)
            assert self._header is not None
            flags = PE_PRESENT << COMMAND_BITS
            header = self._header.pack(PS_IOV_ADD_F | flags, found, address, pid)
            answer = _Answer(header, tuple(pieces))
            self._answers.append(answer)
            self._waiting += answer.size

    def _note(self, pid: int, address: int, count: int) -> None:
        self._traffic.requests += 1
        now = time.monotonic()
        if self._traffic.requests == 1:
            self._traffic.started = now
        if now - self._traffic.started <= WORKING_SET_S:
            self._traffic.asked.append((now - self._traffic.started, pid, address, count))

    def _request(self) -> tuple[int, int, int, int] | None:
        """Return the next request that is here as a whole: command, pages, address, process."""
        if len(self._received) < OLD.size:
            return None
        command, count, address, pid = OLD.unpack_from(self._received)
        if _number(command) != PS_IOV_GET:  # the last of either form
            return command, 0, 0, 0
        if self._header is None:
            is_old = count and self._memory.holds(pid, address)
            self._header = OLD if is_old else NEW
        if len(self._received) < self._header.size:
            return None
        command, count, address, pid = self._header.unpack_from(self._received)
        del self._received[: self._header.size]
        return command, count, address, pid

    def _wait(self, awaited: Piece | None) -> None:
        """Wait for a request, or for a piece."""
        began = time.monotonic()
        poll = select.poll()
        if self._has_room:
            poll.register(self._connection, select.POLLIN)
        if awaited is not None:
            poll.register(self._arrived, select.POLLIN)
            awaited.contents.add_done_callback(lambda _: self._wake())
        poll.poll()
        with contextlib.suppress(BlockingIOError):
            self._arrived.recv(MAX_RECEIVED)
        if awaited is not None:
            self._traffic.waited_s += time.monotonic() - began

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full, or closed at the end
            self._arriving.send(b"!")

    def _send(self, answer: _Answer) -> None:
        views = [memoryview(answer.header), *(piece.wait() for piece in answer.pieces)]
        while views:
            sent = self._sent(views)
            while views and sent >= len(views[0]):
                sent -= len(views.pop(0))
            if sent:
                views[0] = views[0][sent:]
        self._waiting -= answer.size
        self._traffic.bytes += answer.size

    def _sent(self, views: list[memoryview]) -> int:
        """Send some bytes without joining them first, and return how many."""
        try:
            if isinstance(self._connection, ssl.SSLSocket):
                return self._connection.send(views[0])
            return self._connection.sendmsg(views[:MAX_PARTS])
        except (BlockingIOError, ssl.SSLWantWriteError):
            self._poll(self._connection, select.POLLOUT)
        except ssl.SSLWantReadError:
            self._poll(self._connection, select.POLLIN)
        return 0

    def _poll(self, connection: socket.socket, event: int) -> None:
        poll = select.poll()
        poll.register(connection, event)
        poll.poll()


def _number(command: int) -> int:
    return command & (1 << COMMAND_BITS) - 1
