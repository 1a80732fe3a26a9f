"""`serve`: real programs run before their memory has come, and find every byte of it right."""

from __future__ import annotations

import shlex
import signal
import time
from pathlib import Path

import pytest
from converting import BUNDLE, convert
from lab import Lab

from fault_server import Answer, FaultServer
from lazy_dumps import Program, certificates, in_registry, serve_program

NAMES = ("parent", "one", "two")

VERIFIED = """
all() { [ -s "$1".parent ] && [ -s "$1".one ] && [ -s "$1".two ]; }
await() { for _ in $(seq 600); do ! all "$1" || return 0; sleep 0.05; done; return 1; }
verified() {  # verified FOLDER: what each process finds wrong in its memory
    await "$1"/tick
    touch "$1"/CHECK
    await "$1"/bad
    while pgrep -x criu >/dev/null; do sleep 0.05; done  # it has the last pages then
    cat "$1"/bad.parent "$1"/bad.one "$1"/bad.two
}
"""

DUMPED = """
cd /host
rm -rf ticks dump; mkdir ticks dump
cp /lab/programs/forks.py /root
cat >/root/alone.py <<'PYTHON'
import os, sys
os.closerange(3, 256)  # nothing of the machine outside
os.setsid()
os.execv("/usr/bin/python3", ["python3", "/root/forks.py", *sys.argv[1:]])
PYTHON
echo 5000 >/proc/sys/kernel/ns_last_pid  # away from those that a shell has when it restores
(cd /root; python3 alone.py /host/ticks SIZE </dev/null >/dev/null 2>&1 & echo $! >/tmp/pid)
until [ -s ticks/tick.one ] && [ -s ticks/tick.two ]; do sleep 0.05; done
criu dump -t "$(cat /tmp/pid)" -D dump --log-file dump.log --manage-cgroups=ignore ||
    { grep -a Error dump/dump.log >&2; exit 1; }
rm ticks/*
"""
"""Shell that dumps the program to /host/dump; SIZE is MiB of each of its processes."""


def pasted(lab: Lab, program: Program) -> str:
    """Return the printed commands as shell for the lab; if they fail, their errors are shown."""
    lines = "\n".join(program.document["commands"]).replace(str(lab.host), "/host")
    return f"trap 'grep -a Error /host/*/*.log >&2' ERR; cd /; {lines}"


@pytest.fixture
def dump(lab: Lab) -> Path:
    lab.script(DUMPED.replace("SIZE", "64"))
    return lab.host / "dump"


def restored(lab: Lab, commands: str) -> str:
    """Run the commands of `pasted` and let the program verify its memory; return what is printed,
    which ends with 000 if all is right."""
    return lab.script(
        f"{VERIFIED}\n{commands} --manage-cgroups=ignore\nverified /host/ticks"
    ).stdout


def fresh(lab: Lab, name: str, tmp_path: Path) -> Path:
    """Return a folder of this test that the lab sees as well."""
    return lab.host / f"{name}-{tmp_path.name}"


def test_a_program_finds_its_memory_right(lab: Lab, dump: Path, tmp_path: Path) -> None:
    images = fresh(lab, "images", tmp_path)
    with serve_program(f"dir:{dump}", "--images", images, "--once") as program:
        assert program.document["lazy"] > 3 * 64 << 20
        printed = restored(lab, pasted(lab, program))
        code, errors = program.end()
    assert printed.split()[-1] == "000"
    assert (code, errors.strip().endswith("Done.")) == (0, True)
    assert program.document["written"] < 16 << 20


def test_pages_come_over_tls(lab: Lab, dump: Path, tmp_path: Path) -> None:
    images, secrets = fresh(lab, "images", tmp_path), fresh(lab, "secrets", tmp_path)
    secrets.mkdir()
    key, certificate = certificates(secrets)
    words = ("--tls-key", key, "--tls-cert", certificate, "--tls-cacert", certificate)
    with serve_program(f"dir:{dump}", "--images", images, "--once", "--tls", *words) as program:
        inside = " ".join(map(str, words)).replace(str(lab.host), "/host")
        shell = pasted(lab, program).replace(" --tls", f" --tls --tls-no-cn-verify {inside}")
        printed = restored(lab, shell)
        code, errors = program.end()
    assert printed.split()[-1] == "000"
    assert (code, errors.strip().endswith("Done.")) == (0, True)


def test_a_recorded_working_set_is_used(lab: Lab, dump: Path, tmp_path: Path) -> None:
    record = tmp_path / "set.json"
    for number, more in enumerate((["--record", record], ["--working-set", record])):
        images = fresh(lab, f"images{number}", tmp_path)
        with serve_program(f"dir:{dump}", "--images", images, "--once", *more) as program:
            lab.script("rm -f /host/ticks/*")
            printed = restored(lab, pasted(lab, program))
            assert program.end()[0] == 0
        assert printed.split()[-1] == "000"


def test_a_server_that_ends_too_early_says_what_that_means(
    lab: Lab, dump: Path, tmp_path: Path
) -> None:
    images = fresh(lab, "images", tmp_path)
    with serve_program(f"dir:{dump}", "--images", images) as program:
        stopped = lab.host / "stopped"
        stopped.unlink(missing_ok=True)
        with lab.running(
            f"{pasted(lab, program)} --manage-cgroups=ignore;"
            " touch /host/running; until [ -e /host/stopped ]; do sleep 0.05; done"
        ):
            await_file(lab.host / "running")
            code, errors = program.end(signal.SIGTERM)
            stopped.touch()
    assert code == 1
    assert "Memory that has not arrived reads as zeros" in errors


def test_a_registry_goes_away_and_comes_back(
    lab: Lab, dump: Path, server: FaultServer, tmp_path: Path
) -> None:
    target = in_registry(server, dump)
    images = fresh(lab, "images", tmp_path)
    with serve_program(target, "--images", images, "--once") as program:
        server.on("GET", "/blobs/", *[Answer(404)] * 12)
        printed = restored(lab, pasted(lab, program))
        code, errors = program.end()
    assert printed.split()[-1] == "000"
    assert (code, errors.strip().endswith("Done.")) == (0, True)


def test_a_program_waits_for_pages_that_cannot_be_had(
    lab: Lab, dump: Path, server: FaultServer, tmp_path: Path
) -> None:
    target = in_registry(server, dump)
    images = fresh(lab, "images", tmp_path)
    with serve_program(target, "--images", images, "--patience", "0") as program:
        known = len(server.seen)
        server.rules.append(lambda _: Answer(404) if len(server.seen) > known + 4 else None)
        printed = lab.script(
            f"""
            ({pasted(lab, program)} --manage-cgroups=ignore) &
            touch /host/ticks/CHECK
            sleep 3
            ls /host/ticks
            """,
            timeout_s=60,
        ).stdout.split()
        code, errors = program.end(signal.SIGTERM)
    assert not [name for name in printed if name.startswith("bad.")]
    assert "CHECK" in printed
    assert code == 1
    assert "has no blob" in errors
    assert "The container waits for pages. Stop it before this server." in errors


def await_file(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not come"
        time.sleep(0.01)


def test_a_restore_without_lazy_pages_does_not_start_the_program(
    lab: Lab, dump: Path, tmp_path: Path
) -> None:
    images = fresh(lab, "images", tmp_path)
    with serve_program(f"dir:{dump}", "--images", images):
        done = lab.script(
            f"""
            timeout -s KILL 5 criu restore -d -D /host/{images.name} --manage-cgroups=ignore || :
            pkill -KILL -x criu || :
            ls /host/ticks
            """
        )
    assert done.stdout.strip() == ""


def bundle(lab: Lab, name: str = "forks", base: str = "py") -> str:
    """Return shell that makes the bundle of a container in $1, as a mount."""
    lab.checkpoint(name)
    return f"""
        bundle=$1
        podman image exists localhost/{base}:1 || podman load -q -i /host/base-{base}.oci.tar >&2
        lower=$(podman image mount localhost/{base}:1)
        mkdir -p "$bundle"; mount -t tmpfs bundle "$bundle"
        mkdir "$bundle"/rootfs "$bundle"/upper "$bundle"/work
        tar -xO --zstd -f /host/{name}.tar.zst rootfs-diff.tar 2>/dev/null |
            tar -xC "$bundle"/upper 2>/dev/null || :  # redis has changed no file
        rm -f "$bundle"/upper/tmp/tick.*
        chmod 555 "$bundle"/upper
        mount -t overlay overlay "$bundle"/rootfs \\
            -o "lowerdir=$lower,upperdir=$bundle/upper,workdir=$bundle/work"
        tar -xO --zstd -f /host/{name}.tar.zst spec.dump >"$bundle"/spec.dump
        ip netns add restored 2>/dev/null || :
        python3 - "$bundle" "$bundle"/spec.dump <<'PYTHON'
{BUNDLE}
PYTHON
    """


def places(
    place: str, name: str, image: str, lab: Lab, request: pytest.FixtureRequest, tmp_path: Path
) -> str:
    """Return a checkpoint as an archive, or converted into a layout or a registry."""
    archive = lab.checkpoint(name)
    if place == "archive":
        return str(archive)
    where = f"oci:{tmp_path / 'layout'}:1"
    if place == "registry":
        where = f"docker://{request.getfixturevalue('registry')}/{name}:1"
    base = f"oci-archive:{lab.host / f'base-{image}.oci.tar'}"
    return str(convert(str(archive), where, "--base", base)["destination"])


@pytest.fixture(params=["archive", "layout", "registry"])
def target(request: pytest.FixtureRequest, lab: Lab, tmp_path: Path) -> str:
    """The container of three processes, in each place."""
    return places(request.param, "forks", "py", lab, request, tmp_path)


def test_a_container_finds_its_memory_right(lab: Lab, target: str, tmp_path: Path) -> None:
    images, folder = fresh(lab, "images", tmp_path), fresh(lab, "bundle", tmp_path)
    words = ("--images", images, "--bundle", folder, "--name", "lazily", "--once")
    with serve_program(target, *words) as program:
        printed = lab.script(
            f"""
            {VERIFIED}
            set -- {shlex.quote(f"/host/{folder.name}")}
            {bundle(lab)}
            {pasted(lab, program)} </dev/null >&2 ||
                {{ grep -a Error "$bundle"/*.log >&2; exit 1; }}
            verified "$bundle"/rootfs/tmp
            runc delete -f lazily >&2
            """
        ).stdout
        code, errors = program.end()
    assert printed.split()[-1] == "000"
    assert (code, errors.strip().endswith("Done.")) == (0, True)
