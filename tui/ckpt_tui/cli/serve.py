"""`serve`: the small images into a folder, the pages on demand."""

from __future__ import annotations

import os
import shlex
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import click

from ckpt_tui.cli.output import print_json
from ckpt_tui.cli.signals import stopped_by_signals
from ckpt_tui.cli.telling import asking_before_fetching, told_progress
from ckpt_tui.core.errors import CkptError, SourceUnreachable, UsageError
from ckpt_tui.core.json_form import plain
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.text import human_bytes, printable
from ckpt_tui.formats.opened import OpenCheckpoint, open_checkpoint
from ckpt_tui.restore.attached import attach, attached_set, place_of
from ckpt_tui.restore.conversation import Traffic
from ckpt_tui.restore.lazy_images import LazyImages, write_lazy_images
from ckpt_tui.restore.lazy_memory import LazyMemory
from ckpt_tui.restore.page_cache import PageCache
from ckpt_tui.restore.page_server import PageServer
from ckpt_tui.restore.retrying import Retrying
from ckpt_tui.restore.working_set import (
    MAX_SIZE,
    SetFacts,
    WorkingSet,
    read_working_set,
    set_facts,
    working_set,
)
from ckpt_tui.views.working_set import set_text


def serve(
    target: str,
    folder: str,
    listen: str,
    cache: int,
    patience: float,
    working_set: str | None,
    record: str | None,
    attach_set: bool,
    bundle: str | None,
    name: str,
    tls: bool,
    tls_cert: str,
    tls_key: str,
    tls_cacert: str,
    once: bool,
    as_json: bool,
) -> None:
    """Serve until interrupted, or until the first connection ends (`once`)."""
    address = _address(listen)
    context = _tls(tls_cert, tls_key, tls_cacert) if tls else None
    first = _stored(working_set) if working_set else None
    with told_progress() as progress:
        opened = open_checkpoint(target, progress, before_fetching=asking_before_fetching())
    try:
        if attach_set:
            place_of(opened.source)
        with _listener(address) as listener, ThreadPoolExecutor(1) as asking:
            attached = None if first else asking.submit(attached_set, opened.source, quiet())
            with told_progress() as progress:
                images = write_lazy_images(opened, Path(folder), progress)
            first = _answered(attached) if attached else first
            with PageCache(Retrying(patience), cache << 20) as pages:
                memory = LazyMemory(opened, pages)
                memory.fetch_first(first or WorkingSet({}))
                ended = threading.Event()
                server = PageServer(memory, listener, context, _heard(ended, once))
                printed = commands(folder, server.address, bundle, name, tls)
                used = set_facts(first, opened, images.lazy) if first else None
                _show(images, folder, server.address, printed, tls, used, as_json)
                _run(server, pages, ended)
        if record or attach_set:
            _keep(server, opened, images.lazy, record, attach_set)
    finally:
        opened.close()
    _raise_problems(server)


def _stored(path: str) -> WorkingSet:
    try:
        with open(path, "rb") as file:
            return read_working_set(file.read(MAX_SIZE + 1))
    except OSError as error:
        raise SourceUnreachable(f"{path} cannot be read.", f"{error.strerror}.") from error


def _answered(asked: Future[WorkingSet | None]) -> WorkingSet | None:
    """Return the working set that is attached to the image; without it all goes on."""
    try:
        return asked.result()
    except CkptError as error:
        click.echo(f"Restored without a working set. {printable(str(error))}", err=True)
        return None


def _heard(ended: threading.Event, once: bool) -> Callable[[Traffic], None]:
    """Return what hears of connections: it prints what became of them."""

    def changed(traffic: Traffic) -> None:
        if traffic.is_over:
            click.echo(_said(traffic), err=True)
            if once and traffic.requests:
                ended.set()
        elif traffic.problem:
            click.echo(
                f"{traffic.peer}: {printable(traffic.problem)} The container waits for pages. "
                "Stop it before this server.",
                err=True,
            )

    return changed


def _raise_problems(server: PageServer) -> None:
    """Raise what went wrong, if anything did."""
    for traffic in server.traffic:
        if traffic.problem:
            raise CkptError("Not all pages were served:", traffic.problem)
        if traffic.requests and not traffic.is_done:
            raise CkptError(
                "The server ended before a restore had all its pages.",
                "Memory that has not arrived reads as zeros in the restored container.",
                "Stop that container, and restore again.",
            )


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise UsageError(
            f"{listen} is not an address and a port.", hint="Write it as 127.0.0.1:9000."
        )
    return host.strip("[]") or "127.0.0.1", int(port)


def _listener(address: tuple[str, int]) -> socket.socket:
    try:
        family = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server(address, family=family)
    except OSError as error:
        text = f"{address[0]}:{address[1]} cannot be listened on."
        raise CkptError(text, f"{error.strerror or error}.", "Name another port.") from error


def _tls(certificate: str, key: str, authority: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED  # as CRIU's own page server does
    try:
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(authority)
    except OSError as error:
        raise CkptError(
            "TLS cannot be used:",
            f"{error.strerror or error}.",
            "Name the files with --tls-cert, --tls-key and --tls-cacert.",
        ) from error
    return context


def commands(
    folder: str, address: tuple[str, int], bundle: str | None, name: str, tls: bool
) -> tuple[str, ...]:
    """Return what restores from the folder, in the order in which it is run: with runc from a
    bundle, without one by CRIU alone."""
    images = shlex.quote(os.path.abspath(folder))
    work = shlex.quote(os.path.abspath(bundle)) if bundle else images
    host = socket.gethostname() if address[0] in ("0.0.0.0", "::") else address[0]
    serving = (
        f"criu lazy-pages --page-server --address {host} --port {address[1]} --images-dir {images}"
        f" --work-dir {work} --log-file lazy-pages.log --daemon" + (" --tls" if tls else "")
    )
    if bundle:
        return serving, (
            f"runc restore --lazy-pages --detach --bundle {work} --image-path {images}"
            f" --work-path {work} {shlex.quote(name)}"
        )
    return serving, (
        f"criu restore --lazy-pages --restore-detached --images-dir {images} --work-dir {work}"
        " --log-file restore.log"
    )


def _show(
    images: LazyImages,
    folder: str,
    address: tuple[str, int],
    printed: Sequence[str],
    tls: bool,
    used: SetFacts | None,
    as_json: bool,
) -> None:
    if as_json:
        print_json(
            {
                "schema_version": 1,
                "images": folder,
                "written": images.written,
                "lazy": images.lazy,
                "pids": list(images.pids),
                "address": address[0],
                "port": address[1],
                "tls": tls,
                "commands": list(printed),
                "working_set": plain(used) if used else None,
            }
        )
    else:
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        click.echo(
            f"{printable(folder)} has {human_bytes(images.written)}; "
            f"{human_bytes(images.lazy)} of pages are served on {host}:{address[1]}."
        )
        if used:
            click.echo(f"Fetched first: {set_text(used)}")
        click.echo("To restore:")
        for command in printed:
            click.echo(f"  {printable(command)}")
    if not tls and not _is_loopback(address[0]):
        click.echo(
            "Pages are the memory of the processes, and travel in clear. Use --tls.", err=True
        )


def _is_loopback(host: str) -> bool:
    return host.startswith("127.") or host == "::1"


def _said(traffic: Traffic) -> str:
    if traffic.problem:
        ended = printable(traffic.problem)
    else:
        ended = "Done." if traffic.is_done else "The connection ended before all pages were sent."
    return (
        f"{traffic.peer}: {traffic.requests:,} requests, {human_bytes(traffic.bytes)}, "
        f"waited {traffic.waited_s:.1f} s. {ended}"
    )


def _run(server: PageServer, pages: PageCache, ended: threading.Event) -> None:
    """Serve in a thread until it is over or a signal comes."""
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    with stopped_by_signals(ended):
        ended.wait()
    server.stop()
    pages.close()
    thread.join()


def _keep(
    server: PageServer, opened: OpenCheckpoint, lazy: int, record: str | None, attach_set: bool
) -> None:
    """Write what was asked for first into a file, and beside the image."""
    asked = next((traffic.asked for traffic in server.traffic if traffic.asked), [])
    found = working_set(asked)
    click.echo(f"Asked for first: {set_text(set_facts(found, opened, lazy))}", err=True)
    if record:
        try:
            with open(record, "xb") as file:
                file.write(found.document())
        except OSError as error:
            raise CkptError(f"{record} cannot be written.", f"{error.strerror}.") from error
    if attach_set and asked:
        with told_progress() as progress:
            attach(opened.source, found, progress)
