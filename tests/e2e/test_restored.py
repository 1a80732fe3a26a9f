"""`restore`, run inside the lab: programs go on with their memory, and nothing is left behind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from converting import convert
from lab import Lab

FORKS = "parent one two"

SHELL = """
ran_on() {  # ran_on NAME: whether its counter goes on
    before=$(runc exec "$1" cat /tmp/count)
    for _ in $(seq 100); do
        now=$(runc exec "$1" cat /tmp/count || echo 0)
        [ "$now" -lt $((before + 2)) ] || { echo ran on; return; }
        sleep 0.1
    done
    return 1
}
verified() {  # verified NAME: how many bad pages each process of forks finds in its memory
    runc exec "$1" touch /tmp/CHECK
    for name in parent one two; do
        until runc exec "$1" sh -c "[ -s /tmp/bad.$name ]"; do sleep 0.1; done
        runc exec "$1" cat /tmp/bad.$name
    done
}
host() {  # what a restore may not change
    awk '{print $5, $9, $10}' /proc/self/mountinfo | sort
    find /sys/fs/cgroup -type d -name 'ckpt-tui*' | sort  # others are at work there, too
    ls /proc/*/ns/ -l 2>/dev/null | sed -n 's/.*-> //p' | sort -u
    podman image mount
    podman ps -aq
    runc list -q
    ls -A /tmp/data/ckpt-tui/restored 2>/dev/null || :
}
"""


def run(lab: Lab, script: str, *, check: bool = True) -> str:
    """Run shell in the lab, where `ckpt` is the program, and return what it printed."""
    return lab.script(f"{lab.program()}\n{SHELL}\n{script}", check=check, timeout_s=120).stdout


def tried(lab: Lab, target: str, *options: str) -> dict[str, Any]:
    """Return what `restore --try --json` says, and check that the host is as before."""
    lab.restock()
    words = " ".join(("restore --try --json", *options, target))
    printed = run(
        lab,
        f"""
        ckpt ls >/dev/null
        host >/tmp/before
        ckpt {words} >/tmp/said || :
        host >/tmp/after
        diff /tmp/before /tmp/after
        cat /tmp/said
        """,
    )
    document: dict[str, Any] = json.loads(printed)
    return document


@pytest.fixture(params=["archive", "layout", "registry"])
def forks(request: pytest.FixtureRequest, lab: Lab, tmp_path: Path) -> str:
    """A container of three processes, in each place, as the lab names it."""
    archive = lab.checkpoint("forks")
    if request.param == "archive":
        return f"/host/{archive.name}"
    place = f"oci:{lab.host / f'layout-{tmp_path.name}'}:1"
    if request.param == "registry":
        place = f"docker://{request.getfixturevalue('registry')}/forks:1"
    convert(str(archive), place, "--base", f"oci-archive:{lab.host / 'base-py.oci.tar'}")
    return place.replace(str(lab.host), "/host")


@pytest.mark.parametrize("how", ["", "--lazy"])
def test_each_byte_of_memory_is_right(lab: Lab, forks: str, how: str) -> None:
    printed = run(
        lab,
        f"""
        host >/tmp/before
        ckpt restore {how} --detach --name forks {forks} >&2
        verified forks
        ckpt restore --clean --name forks >&2
        host >/tmp/after
        diff /tmp/before /tmp/after >&2
        """,
    )
    assert printed.strip() == "000"


def test_the_host_is_as_before_a_trial(lab: Lab) -> None:
    lab.checkpoint("counter")
    said = tried(lab, "/host/counter.tar.zst", "--seconds", "1")
    assert (said["restored"], said["alive"], said["signal"]) == (True, True, None)


@pytest.mark.parametrize("how", ["INT", "TERM"])
def test_a_signal_ends_it_cleanly(lab: Lab, how: str) -> None:
    lab.checkpoint("counter")
    printed = run(
        lab,
        f"""
        host >/tmp/before
        python3 -m ckpt_tui restore --name counter /host/counter.tar.zst &
        until runc exec counter cat /tmp/count >/dev/null 2>&1; do sleep 0.1; done
        ran_on counter
        python3 -c 'import os, signal, sys; os.kill(int(sys.argv[1]), signal.SIG{how})' $!
        wait $! || echo $?
        host >/tmp/after
        diff /tmp/before /tmp/after
        """,
    )
    assert printed.splitlines() == ["ran on", "130"]


def test_a_killed_one_is_listed_and_cleaned(lab: Lab) -> None:
    lab.checkpoint("counter")
    printed = run(
        lab,
        """
        host >/tmp/before
        python3 -m ckpt_tui restore /host/counter.tar.zst &
        until runc exec counter cat /tmp/count >/dev/null 2>&1; do sleep 0.1; done
        ckpt restore --list
        kill -9 $!
        wait $! || echo $?
        ckpt restore --list
        ckpt restore --clean
        ckpt restore --list
        host >/tmp/after
        diff /tmp/before /tmp/after
        """,
    )
    archive = "/host/counter.tar.zst"
    assert printed.splitlines() == [
        f"counter  running  {archive}",
        "137",
        f"counter  left over  {archive}",
        "counter removed.",
    ]


def test_a_killed_trial_leaves_no_process(lab: Lab) -> None:
    lab.checkpoint("counter")
    printed = run(
        lab,
        """
        host >/tmp/before
        python3 -m ckpt_tui restore --try --seconds 60 --name boxed /host/counter.tar.zst &
        until [ -e /tmp/data/ckpt-tui/restored/boxed/work/pid ]; do sleep 0.1; done
        kill -9 $!
        wait $! || :
        while pgrep -f '[c]ounter.sh' >/dev/null; do sleep 0.1; done
        ckpt restore --clean
        host >/tmp/after
        diff /tmp/before /tmp/after
        """,
    )
    assert printed.splitlines() == ["boxed removed."]


def test_its_output_and_its_exit_are_told(lab: Lab) -> None:
    lab.checkpoint("counter")
    printed = run(
        lab,
        """
        (until runc exec counter cat /tmp/count >/dev/null 2>&1; do sleep 0.1; done
        runc kill counter KILL) &
        ckpt restore /host/counter.tar.zst 2>&1 || echo $?
        wait
        """,
    )
    assert printed.splitlines()[-2:] == ["counter ended with exit code 137.", "1"]


@pytest.mark.parametrize("name", ["kinds", "sockets", "web", "redis"])
def test_healthy_ones_are_restored_in_a_trial(lab: Lab, name: str) -> None:
    lab.checkpoint(name)
    flags = ("--tcp-established", "--file-locks")
    said = tried(lab, f"/host/{name}.tar.zst", "--seconds", "0.5", *flags)
    assert (said["restored"], said["alive"]) == (True, True), said["log"]


REDIS = """
for how in "" --lazy; do
    ckpt restore $how --detach --name redis /host/redis.tar.zst >&2
    runc exec redis redis-cli GET secret
    runc exec redis redis-cli DBSIZE
    runc exec redis redis-cli DEBUG DIGEST | wc -c
    runc exec redis redis-cli GET key:777 | wc -c
    ckpt restore --clean --name redis >&2
done
"""


def test_redis_has_its_keys(lab: Lab) -> None:
    lab.checkpoint("redis")
    printed = run(lab, REDIS).split()
    assert printed[:4] == printed[4:]
    assert printed[0] == "hunter2"
    assert int(printed[1]) == 64 * 1024 + 1


BROKEN = {
    "inventory-gone": ("counter", "rm inventory.img", "img-missing"),
    "core-gone": ("counter", "rm $(ls core-*.img | tail -1)", "img-missing"),
    "files-gone": ("counter", "rm files.img", "img-missing"),
    "pagemap-gone": ("counter", "rm $(ls pagemap-[0-9]*.img | tail -1)", "img-missing"),
    "wrong-magic": (
        "counter",
        "printf XXXX | dd of=pstree.img bs=1 conv=notrunc 2>/dev/null",
        "img-magic",
    ),
    "image-cut": ("counter", "truncate -s 60 mm-1.img", "img-truncated"),
    "pages-cut": ("counter", "truncate -s 8192 pages-2.img", "pages-data-bad"),
    "tcp-flag": ("sockets", ":", "tcp-established-restore"),
}
"""Case of lab/make-failures that lies in the images: checkpoint, what breaks it, the cause."""


@pytest.mark.parametrize("case", BROKEN)
def test_a_failure_of_the_images_is_reproduced(lab: Lab, case: str) -> None:
    name, breaks, cause = BROKEN[case]
    lab.checkpoint(name)
    shutil.rmtree(lab.host / case, ignore_errors=True)
    run(
        lab,
        f"mkdir /host/{case}; tar -C /host/{case} -xf /host/{name}.tar.zst\n"
        f"cd /host/{case}/checkpoint; {breaks}",
    )
    said = tried(lab, f"/host/{case}", "--seconds", "0")
    assert said["restored"] is False
    assert said["log"]["root_cause"]["id"] == cause
    assert said["box"] is None
