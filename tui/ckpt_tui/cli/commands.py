"""The arguments and options of each sub-command; the other modules implement them."""

from __future__ import annotations

import os
from typing import Any

import click

from ckpt_tui import __version__
from ckpt_tui.cli.group import EXAMPLES, Commands
from ckpt_tui.cli.looking import search, secrets
from ckpt_tui.cli.options import (
    JSON,
    LINK,
    REVEAL,
    TARGET,
    TARGETS,
    file_argument,
    file_option,
    opens_encrypted,
    reaches_registries,
    reads_checkpoints,
)
from ckpt_tui.cli.upkeep import gc, rm
from ckpt_tui.core.paths import config_path


@click.group(
    cls=Commands,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="ckpt-tui")
def cli() -> None:
    """Inspect container checkpoints made with CRIU, find out why a restore fails, and convert
    checkpoints to images that restore in place.

    Without a command, `ckpt-tui [TARGET]...` opens the terminal interface.
    """
    try:
        os.stat(config_path())
    except FileNotFoundError:
        return  # most people have no settings, and reading them costs 10 ms
    from ckpt_tui.core.config import load_config
    from ckpt_tui.core.masks import choose_masks

    config = load_config()
    choose_masks(config.masks)
    if config.registries:
        from ckpt_tui.sources.access import choose_registries

        choose_registries(config.registries)
    if config.private_keys:
        from ckpt_tui.cli.passphrases import ask_passphrase
        from ckpt_tui.sources.keys import add_keys

        forget = add_keys(config.private_keys, ask_passphrase())
        click.get_current_context().call_on_close(forget)


@cli.command("open", hidden=True)
@file_argument("targets", nargs=-1, metavar="[TARGET]...")
@opens_encrypted
def open_screens(targets: tuple[str, ...]) -> None:
    """Open TARGET..., or the browser."""
    from ckpt_tui.cli.screens import open_targets

    open_targets(targets, [name for name, one in cli.commands.items() if not one.hidden])


@cli.command()
def demo() -> None:
    """Open the included checkpoints.

    Needs no root and no network.
    """
    from ckpt_tui.cli.screens import open_demo

    open_demo()


@cli.command()
@file_argument("target", required=False)
@click.option("--try", "try_it", is_flag=True, help="Only try it, in namespaces of its own.")
@click.option(
    "--seconds",
    metavar="N",
    type=click.FloatRange(0),
    default=3.0,
    show_default=True,
    help="With --try: how long it may run.",
)
@click.option("--lazy", is_flag=True, help="Start it before its memory is here; pages follow.")
@click.option("--base", metavar="IMAGE", default="", help="The image that the container ran from.")
@click.option(
    "--runtime",
    type=click.Choice(["runc", "crun"]),
    help="The runtime. [default: the one that ran the container]",
)
@click.option("--name", metavar="NAME", help="Of the new container. [default: the old one]")
@click.option("-d", "--detach", is_flag=True, help="Leave it running, and print its name.")
@click.option(
    "--network",
    metavar="none|host|ns:PATH",
    default="none",
    show_default=True,
    help="The network that it gets: none is loopback.",
)
@click.option(
    "--mount",
    "mounts",
    multiple=True,
    metavar="/IN/CONTAINER=/ON/HOST",
    help="What to mount where the container had a file or folder of its host.",
)
@click.option("--devices", is_flag=True, help="Let it use the devices that it had.")
@click.option("--host-namespaces", is_flag=True, help="Let it use those of the host again.")
@click.option("--tcp-established", is_flag=True, help="Restore open TCP connections.")
@click.option("--file-locks", is_flag=True, help="Restore file locks.")
@click.option("--ext-unix-sk", is_flag=True, help="Restore sockets connected to the outside.")
@click.option("--shell-job", is_flag=True, help="Restore what was started from a shell.")
@click.option(
    "--patience",
    metavar="SECONDS",
    type=click.FloatRange(0),
    default=60.0,
    show_default=True,
    help="With --lazy: how long to retry where a registry does not answer.",
)
@click.option("--list", "list_them", is_flag=True, help="List what was restored here.")
@click.option("--clean", is_flag=True, help="Remove what killed restores left; or --name NAME.")
@JSON
@reads_checkpoints
def restore(target: str | None, **options: Any) -> int:
    """Restore a container on this host. Needs root, podman, CRIU, and runc or crun.

    The program in the checkpoint runs: use it only with checkpoints that you trust. It stays in the
    foreground until it ends or you press Ctrl+C; then all that was made for it is removed.

    \b
    Example:
      ckpt-tui restore --try web-0.tar
      ckpt-tui restore --lazy --detach docker://registry.example/app/web:1
    """
    from ckpt_tui.cli.restore import run

    return run(target, **options)


@cli.command()
@TARGET
@click.option(
    "--images",
    "folder",
    required=True,
    type=click.Path(file_okay=False),
    help="An empty or new folder for the images without the lazy pages.",
)
@click.option(
    "--listen",
    metavar="ADDRESS:PORT",
    default="127.0.0.1:0",
    help="Where to serve pages; port 0 takes a free one. [default: 127.0.0.1:0]",
)
@click.option(
    "--cache",
    metavar="MIB",
    type=click.IntRange(2, 65536),
    default=96,
    show_default=True,
    help="Memory for pages that were fetched.",
)
@click.option(
    "--patience",
    metavar="SECONDS",
    type=click.FloatRange(0),
    default=60.0,
    show_default=True,
    help="How long to retry where a registry does not answer; the container waits.",
)
@file_option("--working-set", metavar="FILE", help="Fetch the pages listed there first.")
@file_option("--record", metavar="FILE", help="Write the pages asked for in the first second.")
@click.option(
    "--attach",
    "attach_set",
    is_flag=True,
    help="Attach that list to the image; the next restore reads it by itself.",
)
@click.option(
    "--bundle",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Print the command for runc with this bundle, instead of the one for CRIU.",
)
@click.option(
    "--name", metavar="NAME", default="restored", show_default=True, help="Its container's name."
)
@click.option("--tls", "tls", is_flag=True, help="Use TLS, as `criu lazy-pages --tls` does.")
@file_option("--tls-cert", metavar="FILE", default="/etc/pki/criu/cert.pem", show_default=True)
@file_option(
    "--tls-key", metavar="FILE", default="/etc/pki/criu/private/key.pem", show_default=True
)
@file_option("--tls-cacert", metavar="FILE", default="/etc/pki/CA/cacert.pem", show_default=True)
@click.option("--once", is_flag=True, help="End when the first restore has got all its pages.")
@LINK
@JSON
@reads_checkpoints
def serve(target: str, **options: Any) -> None:
    """Serve the pages of a checkpoint to a lazy restore: the container runs at once, and its pages
    come when it touches them.

    The images go to the folder without the pages that can wait. The pages come from TARGET, which
    may be in a registry. Runs until Ctrl+C.

    \b
      ckpt-tui serve docker://registry.example/web:1 --images /run/web-images
    """
    from ckpt_tui.cli.serve import serve as run

    run(target, **options)


@cli.command()
@TARGETS
@JSON
@REVEAL
@reads_checkpoints
def inspect(targets: tuple[str, ...], as_json: bool, reveal: bool) -> int:
    """Print all facts about checkpoints.

    With several, --json prints one document a line.

    \b
      ckpt-tui inspect web.tar.zst
      ckpt-tui inspect docker://registry.example/web:1 --json | jq '.processes[].argv'
    """
    from ckpt_tui.cli.reports import inspect as run

    return run(targets, as_json, reveal)


@cli.command()
@TARGET
@JSON
@reads_checkpoints
def images(target: str, as_json: bool) -> int:
    """List the CRIU images of a checkpoint.

    \b
      ckpt-tui images web.tar.zst
    """
    from ckpt_tui.cli.reports import images as run

    return run(target, as_json)


@cli.command()
@TARGET
@click.argument("image", required=False)
@click.option("--all", "every", is_flag=True, help="Print all images but page contents.")
@JSON
@click.option("--crit", is_flag=True, help="Print the JSON that `crit decode` prints.")
@click.option("--pretty", is_flag=True, help="With --crit: print like `crit decode --pretty`.")
@REVEAL
@reads_checkpoints
def decode(
    target: str,
    image: str | None,
    every: bool,
    as_json: bool,
    crit: bool,
    pretty: bool,
    reveal: bool,
) -> int:
    """Print one CRIU image, decoded. IMAGE is its name, such as core-1.img.

    \b
      ckpt-tui decode web.tar.zst files.img
      ckpt-tui decode dir:/tmp/dump core-1.img --crit --pretty
      ckpt-tui decode web.tar.zst --all --json        one JSON document a line
    """
    from ckpt_tui.cli.decode import Shape
    from ckpt_tui.cli.decode import decode as run

    return run(target, image, Shape(as_json, crit, pretty, reveal, every))


@cli.command()
@TARGETS
@click.option(
    "--pages", is_flag=True, help="Count zero, duplicate and unique pages; reads all pages."
)
@file_option(
    "--with",
    "others",
    multiple=True,
    metavar="TARGET",
    help="Count the pages that TARGET has as well. Repeatable.",
)
@click.option("--layers", is_flag=True, help="Show what each layer of the root filesystem changed.")
@file_option(
    "--base",
    metavar="IMAGE",
    default="",
    help="The base image of the container.",
)
@JSON
@reads_checkpoints
def sizes(targets: tuple[str, ...], **options: Any) -> int:
    """List layers and sizes: what takes how many bytes.

    Sizes are by component, CRIU image, process, kind of memory and file. For an image without a
    checkpoint, list its layers.

    \b
      ckpt-tui sizes web.tar.zst --json | jq '.sizes.components'
      ckpt-tui sizes web.tar.zst --layers       what each layer changed
      ckpt-tui sizes web-2.tar.zst --with web-1.tar.zst
    """
    from ckpt_tui.cli.sizes import sizes as run

    return run(targets, **options)


@cli.command()
@file_argument("before")
@file_argument("after")
@file_argument("later", nargs=-1)
@click.option("--screen", is_flag=True, help="Show the result in the terminal interface.")
@click.option("--no-pages", is_flag=True, help="Do not compare the contents of memory and files.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if there are differences.")
@JSON
@REVEAL
@reads_checkpoints
def compare(
    before: str,
    after: str,
    later: tuple[str, ...],
    screen: bool,
    no_pages: bool,
    exit_code: bool,
    as_json: bool,
    reveal: bool,
) -> int:
    """Show the differences between two or more checkpoints.

    It compares processes, files, sockets, mounts, memory and changed files. With LATER, each
    checkpoint is compared with the one before it, as a time line.

    \b
      ckpt-tui compare web-1.tar web-2.tar --json | jq .memory
      ckpt-tui compare --screen web-1.tar web-2.tar web-3.tar
      ckpt-tui compare --exit-code before.tar after.tar && echo unchanged
    """
    targets = before, after, *later
    if screen:
        from ckpt_tui.cli.screens import open_comparison

        open_comparison(targets)
        return 0
    from ckpt_tui.cli.compare import compare as run

    return run(targets, as_json, reveal, not no_pages, exit_code)


@cli.command()
@TARGET
@click.option(
    "--measure",
    is_flag=True,
    help="Run and time the data steps in a temporary directory. Needs no root.",
)
@LINK
@JSON
@reads_checkpoints
def formats(target: str, measure: bool, as_json: bool) -> None:
    """Show what each engine reads and writes to dump and to restore it.

    It compares the legacy form of a checkpoint with the optimized image.

    \b
      ckpt-tui formats web.tar.zst --measure
    """
    from ckpt_tui.cli.formats import formats as run

    run(target, measure, as_json)


@cli.command()
@TARGET
@file_option("-o", "output", metavar="FILE", help="FILE.md, FILE.html or FILE.json.")
@REVEAL
@reads_checkpoints
def report(target: str, output: str | None, reveal: bool) -> None:
    """Write a report about a checkpoint.

    It has the SHA-256 digest of the input and of every file.

    \b
      ckpt-tui report web.tar.zst -o web.html
      SOURCE_DATE_EPOCH=0 ckpt-tui report web.tar.zst -o web.json    reproducible
    """
    from ckpt_tui.cli.report import report as run

    run(target, output, reveal)


@cli.command()
@TARGETS
@JSON
@reads_checkpoints
def verify(targets: tuple[str, ...], as_json: bool) -> int:
    """Read all bytes of checkpoints and report damage.

    It compares blobs with their digests, checks zstd frames and the checksums of zstd and gzip,
    decodes all CRIU images, and looks for missing blobs and images. It exits with 1 if something is
    damaged.

    \b
      ckpt-tui verify web.tar.zst oci:store:web
      ckpt-tui verify docker://registry.example/app/web:1 --json | jq .problems
    """
    from ckpt_tui.cli.verification import verify as run

    return run(targets, as_json)


@cli.command()
@TARGET
@click.option("--pid", type=int, metavar="N", help="Only this process.")
@file_option(
    "--base",
    metavar="IMAGE",
    default="",
    help="The base image of the container, if it is not found automatically.",
)
@click.option("--locals", "with_locals", is_flag=True, help="Show local variables of Python.")
@REVEAL
@JSON
@reads_checkpoints
def stacks(
    target: str, pid: int | None, base: str, with_locals: bool, reveal: bool, as_json: bool
) -> None:
    """Show where each thread was: its stack, with function names.

    Programs and libraries are taken from the changes of the container, from its base image, or from
    memory. A file whose build ID differs is not used.

    \b
      ckpt-tui stacks web.tar.zst
      ckpt-tui stacks web.tar.zst --base oci-archive:web-image.tar --pid 1
    """
    from ckpt_tui.cli.stacks import stacks as run

    run(target, pid, base, as_json, with_locals, reveal)


@cli.command()
@TARGET
@click.option("--pid", type=int, metavar="N", help="The process, if there is more than one.")
@click.option(
    "--all", "every", is_flag=True, help="Write core.PID of each process to directory -o."
)
@file_option("-o", "output", metavar="FILE", required=True, help="The file to write.")
@JSON
@reads_checkpoints
def core(target: str, pid: int | None, every: bool, output: str, as_json: bool) -> None:
    """Write an ELF core file of a process, for gdb and lldb.

    It contains the memory of the process, with secrets. Unused memory is a hole in the file.

    \b
      ckpt-tui core web.tar.zst --pid 1 -o web.core
      gdb --core web.core -ex 'set sysroot ROOTFS' -ex 'thread apply all bt'
      ckpt-tui core web.tar.zst --all -o cores/
    """
    from ckpt_tui.cli.core_files import core as run

    run(target, pid, output, every=every, as_json=as_json)


@cli.command()
@file_argument("targets", nargs=-1, metavar="[TARGET]...")
@file_option(
    "--log",
    "log",
    metavar="FILE",
    multiple=True,
    help="A dump.log or restore.log, packed or not, or a folder of logs; - is stdin. Repeatable.",
)
@file_option(
    "--host",
    metavar="this|FILE",
    help="The host to restore on: `this`, or a profile from `ckpt-tui host`.",
)
@file_option(
    "--base",
    help="The base image of the container, if it is not found automatically.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 also if a restore may fail.")
@JSON
@reads_checkpoints
def diagnose(
    targets: tuple[str, ...],
    log: tuple[str, ...],
    host: str | None,
    base: str | None,
    strict: bool,
    as_json: bool,
) -> int:
    """Find out why a dump or restore failed or would fail.

    It reads the log, checks that TARGET is intact and, with --host and --base, whether it would
    restore there.

    \b
      ckpt-tui diagnose web.tar.zst --host this
      ckpt-tui diagnose --log restore.log
      ckpt-tui diagnose --json --strict /var/lib/kubelet/checkpoints/*.tar | jq .verdict
      podman container restore web 2>&1 | ckpt-tui diagnose --log -
    """
    from ckpt_tui.cli.diagnosis import diagnose as run

    return run(targets, log, host, base, as_json, strict)


@cli.command()
def host() -> None:
    """Print a profile of this host, for `diagnose --host FILE`.

    \b
      ssh node-2 ckpt-tui host > node-2.json
      ckpt-tui diagnose web.tar.zst --host node-2.json
    """
    from ckpt_tui.cli.diagnosis import print_host

    print_host()


@cli.command()
@file_argument("source")
@file_argument("destination", required=False)
@click.option(
    "--to", type=click.Choice(["optimized", "archive"]), default="optimized", show_default=True
)
@file_option(
    "--base",
    metavar="TARGET",
    help="The base image of the container.",
)
@click.option(
    "--for", "repository", metavar="HOST/REPO", help="The repository that a local result is for."
)
@click.option(
    "--keep-delta-tar", is_flag=True, help="Without a base image: keep the delta as a tar file."
)
@click.option("--keep-devices", is_flag=True, help="Convert block devices in the delta.")
@file_option(
    "--upper",
    metavar="DIR",
    help="With dir:IMAGES: the upper directory of the overlay.",
)
@file_option(
    "--spec",
    metavar="FILE",
    help="With dir:IMAGES: config.json of the bundle.",
)
@file_option(
    "--config",
    metavar="FILE",
    help="With dir:IMAGES: config.dump of the engine.",
)
@file_option(
    "--previous",
    metavar="TARGET",
    help="The pre-dump of an incremental checkpoint.",
)
@file_option(
    "--encrypt-to",
    metavar="jwe:FILE",
    multiple=True,
    help="Encrypt the layers for this public key (PEM, DER, JWK). Repeatable.",
)
@click.option("--encrypt", is_flag=True, help="Encrypt for the recipients in the configuration.")
@click.option(
    "--minimal-annotations",
    is_flag=True,
    help="Leave names out of the annotations that no engine needs.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan and do not write anything.")
@JSON
@reads_checkpoints
def convert(source: str, destination: str | None, **options: Any) -> None:
    """Convert a checkpoint to the optimized image format, or back.

    Without DESTINATION, the result goes to the local store. DESTINATION is oci:DIR[:TAG],
    oci-archive:FILE[:TAG] or docker://HOST/REPO[:TAG]. A new dump can be converted directly into a
    registry:

    \b
      ckpt-tui convert dir:IMAGES docker://HOST/REPO:TAG --upper DIR --spec FILE --base IMAGE

    With --encrypt-to, memory, files and metadata are encrypted as skopeo, podman, CRI-O and
    containerd decrypt them. The plan lists what stays readable.

    \b
      ckpt-tui convert web.tar.zst docker://HOST/REPO:TAG --encrypt-to jwe:team.pub.pem
    """
    from ckpt_tui.cli.conversion import convert as run

    run(source, destination, **options)


@cli.command()
@file_argument("target", required=False)
@click.option("--all", "every", is_flag=True, help="Describe all tags, not only the first 100.")
@click.option("--check", is_flag=True, help="Diagnose each checkpoint of a directory.")
@JSON
@reaches_registries
def ls(target: str | None, every: bool, check: bool, as_json: bool) -> None:
    """List a registry, layout, directory or local store, or the parts of an image.

    TARGET is docker://HOST, docker://HOST/REPO[:TAG], a layout, an archive of images, a
    directory, or the root of a store of podman, CRI-O, containerd or Docker.

    Without TARGET, list the stores of the engines on this machine.

    \b
      ckpt-tui ls docker://registry.example/app/web
      ckpt-tui ls /var/lib/kubelet/checkpoints --check
    """
    from ckpt_tui.cli.stores import ls as run

    run(target or "", every, as_json, check)


@cli.command()
@file_argument("source")
@file_argument("destination")
@file_option(
    "--encrypt-to",
    metavar="jwe:FILE",
    multiple=True,
    help="Encrypt the layers for this public key. Repeatable.",
)
@click.option("--decrypt", is_flag=True, help="Decrypt the layers.")
@JSON
@opens_encrypted
@reaches_registries
def copy(
    source: str, destination: str, encrypt_to: tuple[str, ...], decrypt: bool, as_json: bool
) -> None:
    """Copy an image from SOURCE to DESTINATION. Only missing blobs are transferred.

    Both can be docker://HOST/REPO[:TAG], oci:DIR[:TAG] or oci-archive:FILE[:TAG]; SOURCE can also
    be containers-storage:NAME.

    \b
      ckpt-tui copy oci:store:web docker://registry.example/app/web:1
      ckpt-tui copy oci:store:web oci:locked:web --encrypt-to jwe:team.pub.pem
    """
    from ckpt_tui.cli.stores import copy as run

    run(source, destination, as_json, encrypt_to, decrypt)


for command in (search, secrets, rm, gc):
    cli.add_command(command)


@cli.command(hidden=True)
def man() -> None:
    """Print the manual page ckpt-tui(1)."""
    from ckpt_tui.cli.manual import manual

    click.echo(manual(cli), nl=False)
