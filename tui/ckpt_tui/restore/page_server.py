"""CRIU's page server protocol, as `criu lazy-pages --page-server` speaks it (criu/page-xfer.c).

A request is a header; the answer is a header and the pages. Numbers are those of the machine, which
is the one that restores. CRIU v4.2 made the number of pages 64 bits wide, which moved the fields
behind it. The header does not say which of the two it is: the request is for pages that are there
in one of the two readings only.

Once a connection is closed, `criu lazy-pages` ends, and memory that has not arrived reads as zeros.
So a connection whose pages are out of reach stays open: the program waits at its next such page.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable

from ckpt_tui.core.errors import CkptError
from ckpt_tui.restore.conversation import Conversation, Traffic
from ckpt_tui.restore.lazy_memory import LazyMemory

HANDSHAKE_S = 10.0
"""Seconds for the other side to finish its TLS handshake."""


class PageServer:
    """Answers requests for pages on one address. `serve` runs until `stop`."""

    def __init__(
        self,
        memory: LazyMemory,
        listener: socket.socket,
        tls: ssl.SSLContext | None = None,
        changed: Callable[[Traffic], None] = lambda _: None,
    ) -> None:
        """`changed` hears of each connection that begins, fails or ends, in its thread."""
        self.traffic: list[Traffic] = []
        self._memory = memory
        self._listener = listener
        self._tls = tls
        self._changed = changed
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._is_stopped = False

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on."""
        name = self._listener.getsockname()
        return name[0], name[1]

    def serve(self) -> None:
        """Take connections until `stop` is called."""
        threads: list[threading.Thread] = []
        while not self._is_stopped:
            try:
                connection, peer = self._listener.accept()
            except OSError:  # closed by `stop`
                break
            threads = [thread for thread in threads if thread.is_alive()]
            thread = threading.Thread(target=self._talk, args=(connection, peer), daemon=True)
            threads.append(thread)
            thread.start()
        for thread in threads:
            thread.join()

    def stop(self) -> None:
        """End all connections, and let `serve` return once no pages are waited for."""
        with self._lock:
            self._is_stopped = True
            for connection in self._open:
                _end(connection)
        _end(self._listener)
        self._listener.close()

    def _talk(self, connection: socket.socket, peer: tuple[str, int]) -> None:
        traffic = Traffic(f"{peer[0]}:{peer[1]}")
        try:
            # an answer in two packets waits 40 ms for an acknowledgement otherwise
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection.settimeout(HANDSHAKE_S)
                connection = self._tls.wrap_socket(
                    connection, server_side=True, do_handshake_on_connect=False
                )
            if not self._begun(connection, traffic):
                return
            if isinstance(connection, ssl.SSLSocket):
                connection.do_handshake()
            self._answer(Conversation(self._memory, connection, traffic), traffic)
        except ConnectionError:
            pass  # as closed: the other side, or its container, has ended
        except OSError as error:
            if not self._is_stopped:
                traffic.problem = traffic.problem or f"{error.strerror or error}."
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()
            traffic.is_over = True
            self._changed(traffic)

    def _begun(self, connection: socket.socket, traffic: Traffic) -> bool:
        with self._lock:
            if self._is_stopped:
                return False
            self._open.add(connection)
            self.traffic.append(traffic)
        self._changed(traffic)
        return True

    def _answer(self, conversation: Conversation, traffic: Traffic) -> None:
        try:
            conversation.run()
        except CkptError as error:
            if self._is_stopped:
                return
            traffic.problem = str(error)
            if traffic.requests:  # to close it would fill the memory of a program with zeros
                self._changed(traffic)
                conversation.hold()


def _end(connection: socket.socket) -> None:
    """Let no more come; for TLS as well without its own goodbye, which is for another thread."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
