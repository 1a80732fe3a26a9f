"""The arguments and options of the commands that find causes, and where threads were."""

from __future__ import annotations

import click

from ckpt_tui.cli.options import (
    JSON,
    REVEAL,
    TARGET,
    file_argument,
    file_option,
    reads_checkpoints,
)


@click.command()
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


@click.command()
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


@click.command()
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


@click.command()
def host() -> None:
    """Print a profile of this host, for `diagnose --host FILE`.

    \b
      ssh node-2 ckpt-tui host > node-2.json
      ckpt-tui diagnose web.tar.zst --host node-2.json
    """
    from ckpt_tui.cli.diagnosis import print_host

    print_host()
