"""A link of a given speed and delay to a registry: a proxy in a process of its own.

It has no loss and no slow start: bytes wait for their turn, and then for half of the delay. All
connections share the speed, each direction on its own. A new connection takes one delay more, as
its first two packets would.

    python -m ckpt_tui.sources.link BITS_PER_SECOND DELAY_S HOST PORT

prints the port of the loopback that it listens on, and ends with its standard input.
"""

from __future__ import annotations

import contextlib
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import ClassVar

from ckpt_tui.core.errors import CkptError, UsageError

PIECE = 128 << 10
"""Bytes that are passed on at a time."""

WINDOW = 256
"""Pieces of one direction of a connection that are on their way at a time."""

UNITS = {"kbit": 10**3, "Mbit": 10**6, "Gbit": 10**9}
"""Of speeds, as `tc` writes them."""

MIN_BITS, MAX_BITS = 10**3, 10**12

MAX_DELAY_S = 10.0


@dataclass(frozen=True, slots=True)
class Link:
    """A speed in bits per second, 0 for as fast as it goes, and the time of a round trip."""

    bits_per_s: int = 0
    delay_s: float = 0.0

    def __str__(self) -> str:
        unit = max(
            (name for name in UNITS if self.bits_per_s >= UNITS[name]),
            key=UNITS.__getitem__,
            default="",
        )
        speed = [f"{self.bits_per_s / UNITS[unit]:g} {unit}/s"] if unit else []
        return ", ".join([*speed, f"{self.delay_s * 1000:g} ms"])


def parse_link(text: str) -> Link:
    """Return the link that a person writes as `100Mbit,20ms`; either part may be left out.

    Raises:
        UsageError: it is written wrong, or out of range.
    """
    bits, delay = 0, 0.0
    for part in text.split(","):
        unit = part.strip().lstrip("0123456789.")
        try:
            value = float(part.strip().removesuffix(unit))
        except ValueError:
            value = -1.0
        if unit in UNITS and MIN_BITS <= value * UNITS[unit] <= MAX_BITS:
            bits = round(value * UNITS[unit])
        elif unit == "ms" and 0 <= value <= MAX_DELAY_S * 1000:
            delay = value / 1000
        else:
            raise UsageError(f"{text} is not a link.", hint="Write it as 100Mbit,20ms.")
    return Link(bits, delay)


class LinkProxy:
    """A running proxy to one address."""

    def __init__(self, link: Link, host: str, port: int) -> None:
        """Raises:
        CkptError: it does not start.
        """
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                __name__,
                *map(str, (link.bits_per_s, link.delay_s, host, port)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            self.close()
            raise CkptError(f"The link to {host} could not be made.", "Its process ended.")
        self.address = ("127.0.0.1", int(line))

    def pause(self, seconds: float) -> None:
        """Let nothing through for some time."""
        self._process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End the proxy and all connections through it."""
        with contextlib.suppress(OSError):
            self._process.communicate()


class _OfThisCall:
    """What the call of the program asks for, and the proxies for that."""

    link: Link | None = None
    proxies: ClassVar[dict[tuple[str, int], LinkProxy]] = {}
    lock = threading.Lock()


def choose_link(link: Link | None) -> None:
    """Reach every registry through a link of this kind from now on; None: as it is."""
    with _OfThisCall.lock:
        for proxy in _OfThisCall.proxies.values():
            proxy.close()
        _OfThisCall.proxies.clear()
        _OfThisCall.link = link


def chosen_link() -> Link | None:
    """Return the link through which registries are reached."""
    return _OfThisCall.link


def reached_at(host: str, port: int) -> tuple[str, int]:
    """Return the address to connect to for another: that of a proxy where a link was chosen."""
    with _OfThisCall.lock:
        if _OfThisCall.link is None:
            return host, port
        if (host, port) not in _OfThisCall.proxies:
            _OfThisCall.proxies[host, port] = LinkProxy(_OfThisCall.link, host, port)
        return _OfThisCall.proxies[host, port].address


class Road:
    """One direction of the link: bytes of all connections one after another."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._free_at = 0.0
        self._lock = threading.Lock()

    def arrival(self, size: int) -> float:
        """Return when bytes that are sent now have arrived."""
        with self._lock:
            taken = size * 8 / self._link.bits_per_s if self._link.bits_per_s else 0.0
            self._free_at = max(self._free_at, time.monotonic()) + taken
            return self._free_at + self._link.delay_s / 2


def _pass_on(road: Road, source: socket.socket, target: socket.socket, first_at: float) -> None:
    """Pass on what comes until it ends. Two threads: what is on its way holds nothing up."""
    waiting: queue.Queue[tuple[float, bytes]] = queue.Queue(WINDOW)

    def deliver() -> None:
        while (found := waiting.get())[1]:
            time.sleep(max(0.0, found[0] - time.monotonic()))
            try:
                target.sendall(found[1])
            except OSError:
                with contextlib.suppress(OSError):
                    source.shutdown(socket.SHUT_RD)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=deliver, daemon=True)
    thread.start()
    piece = b"."
    while piece:
        try:
            piece = source.recv(PIECE)
        except OSError:
            piece = b""
        waiting.put((max(first_at, road.arrival(len(piece))), piece))
    thread.join()


def _connect(
    link: Link, roads: tuple[Road, Road], near: socket.socket, address: tuple[str, int]
) -> None:
    first_at = time.monotonic() + link.delay_s * 1.5
    with near:
        try:
            far = socket.create_connection(address, timeout=30)
        except OSError:
            return
        with far:
            far.settimeout(None)
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=_pass_on, args=(roads[1], far, near, 0.0), daemon=True)
            back.start()
            _pass_on(roads[0], near, far, first_at)
            back.join()


def serve(link: Link, address: tuple[str, int]) -> None:
    """Pass on connections for as long as standard input is open."""
    roads = Road(link), Road(link)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        print(listener.getsockname()[1], flush=True)

        def accept() -> None:
            while True:
                near, _ = listener.accept()
                threading.Thread(
                    target=_connect, args=(link, roads, near, address), daemon=True
                ).start()

        threading.Thread(target=accept, daemon=True).start()
        sys.stdin.read()


if __name__ == "__main__":
    serve(Link(int(sys.argv[1]), float(sys.argv[2])), (sys.argv[3], int(sys.argv[4])))
