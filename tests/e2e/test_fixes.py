"""Each fix is tried: something is broken, the restore or dump fails, the printed commands are run,
and it works."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fixing import SLEEP, Broken, Refused, Shell, diagnosed, python, try_fix, try_podman_fix
from lab import Lab

from ckpt_tui.diagnose.rules import rules

PLAIN = python("f = open('{D}/f', 'a')\nf.write('x' * 99)\nf.flush()" + SLEEP)
READ = python("open('{D}/f', 'w').write('x' * 99)\nf = open('{D}/f')" + SLEEP)
LOCKED = python("import fcntl\nf = open('{D}/f', 'w')\nfcntl.flock(f, fcntl.LOCK_EX)" + SLEEP)
CONNECTED = python(
    "import socket\ns = socket.create_server(('127.0.0.1', 0))\n"
    "c = socket.create_connection(s.getsockname())\na = s.accept()" + SLEEP
)
QUEUED = python(
    "import socket\ns = socket.create_server(('127.0.0.1', 0))\n"
    "c = socket.create_connection(s.getsockname())" + SLEEP
)
DELETED = python(
    "import os\nf = open('{D}/f', 'wb')\nf.write(bytes(3 << 20))\nf.flush()\nos.unlink('{D}/f')"
    + SLEEP
)
LINKED = python(
    "import os\nf = open('{D}/f', 'w')\nos.link('{D}/f', '{D}/g')\nos.unlink('{D}/f')" + SLEEP
)
DATAGRAM = python(
    "import socket\nc = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\nc.connect('{D}/sock')"
    + SLEEP
)
SERVER = (
    'python3 -c "import socket, time; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); '
    "s.bind('$D/sock'); time.sleep(1e6)\" </dev/null >/dev/null 2>&1 & S=$!; "
    "until [ -S $D/sock ]; do sleep .05; done; "
)
FIFO = python("import os\nos.mkfifo('{D}/ff')\nf = os.open('{D}/ff', os.O_RDWR)" + SLEEP)
FOLDER = python("import os\nos.mkdir('{D}/here')\nos.chdir('{D}/here')" + SLEEP)
JOB = (
    "setsid sh -c 'python3 -c \"import time; time.sleep(1e6)\" & echo $! >$0/ready; wait' $D "
    "</dev/null >$D/out 2>&1 & until [ -s $D/ready ]; do sleep .05; done; P=$(cat $D/ready)"
)
TRACER = (
    'python3 -c "import ctypes, os, time; l = ctypes.CDLL(None); l.ptrace(16, $P, 0, 0); '
    "os.waitpid($P, 0x40000000); l.ptrace(7, $P, 0, 0); open('$D/traced', 'w'); "
    'time.sleep(1e6)" </dev/null >/dev/null 2>&1 & '
    "until [ -e $D/traced ]; do sleep .05; done"
)
HOLDER = "echo $((P - 1)) >/proc/sys/kernel/ns_last_pid; sleep 1000 & H=$!; [ $H = $P ]"

CASES = {
    "dump-tcp": Broken("tcp-established-dump", CONNECTED, restore=None),
    "dump-in-flight": Broken("tcp-in-flight", QUEUED, dump="--tcp-established", restore=None),
    "dump-locks": Broken("file-locks-needed", LOCKED, restore=None),
    "dump-ghost": Broken("ghost-limit", DELETED, restore=None),
    "dump-link-remap": Broken("link-remap-needed", LINKED, restore=None),
    "dump-shell-job": Broken("tty-shell-job", JOB, restore=None),
    "dump-ext-unix": Broken(
        "unix-external-dump", SERVER + DATAGRAM, restore=None, mended="kill -9 $S"
    ),
    "dump-page-server": Broken(
        "page-server",
        PLAIN,
        dump="--page-server --address 127.0.0.1 --port 27311",
        restore=None,
    ),
    "dump-nofile": Broken("nofile-limit", PLAIN, restore=None, broken="ulimit -S -n 20"),
    "dump-traced": Broken("ptrace-busy", PLAIN, restore=None, broken=TRACER),
    "restore-tcp": Broken("tcp-established-restore", CONNECTED, dump="--tcp-established"),
    "restore-tcp-close": Broken("tcp-close-option-needed", CONNECTED, dump="--tcp-close"),
    "restore-mode": Broken("file-bad-mode", PLAIN, broken="chmod 600 $D/f"),
    "restore-size": Broken("file-bad-size", READ, broken="echo more >>$D/f"),
    "restore-fifo": Broken("fifo-kind", FIFO, broken="rm $D/ff; touch $D/ff"),
    "restore-folder": Broken("file-missing", FOLDER, broken="rmdir $D/here"),
    "restore-pid": Broken("pid-in-use", PLAIN, broken=HOLDER),
    "dump-no-proc": Broken(
        "proc-missing",
        PLAIN,
        restore=None,
        broken="umount --lazy /proc",
        mended="mountpoint -q /proc || mount -t proc proc /proc",
    ),
    "restore-lazy": Broken("lazy-pages", PLAIN, restore="--lazy-pages"),
}

EXPORT = "podman container checkpoint --export $D/a.tar.zst c && podman rm -f c"

REFUSED = {
    "volume": Refused("rt-podman-volume-exists", f"run --name c -v vol:/data && {EXPORT}"),
    "mount": Refused(
        "rt-mount-source",
        f"mkdir $D/src && run --name c -v $D/src:/data && {EXPORT} && rmdir $D/src",
        target="$D/a.tar.zst",
    ),
    "name": Refused(
        "rt-name-in-use",
        f"run --name c && {EXPORT} && run --name c",
    ),
    "runtime": Refused(
        "rt-other-runtime",
        f"run --name c && {EXPORT}",
        "podman --runtime crun container restore --import $D/a.tar.zst",
    ),
}


@pytest.fixture
def shell(lab: Lab) -> Iterator[Shell]:
    made = Shell(lab)
    yield made
    made.close()


@pytest.mark.parametrize("name", CASES)
def test_printed_commands_make_it_work(shell: Shell, name: str) -> None:
    cause = try_fix(shell, name, CASES[name])
    assert cause["commands_tried"], f"{cause['id']} is not marked as tried"


@pytest.mark.parametrize("name", REFUSED)
def test_printed_commands_make_podman_restore_it(lab: Lab, shell: Shell, name: str) -> None:
    lab.checkpoint("counter")
    lab.restock()
    cause = try_podman_fix(shell, name, REFUSED[name])
    assert cause["commands_tried"], f"{cause['id']} is not marked as tried"


def test_podman_s_own_command_comes_from_the_checkpoint(lab: Lab, shell: Shell) -> None:
    lab.checkpoint("web")
    lab.restock()
    keep = "podman container restore --keep --import /host/web.tar.zst"
    log = "$(podman inspect --latest --format '{{.StaticDir}}')/restore.log"
    assert shell.run(keep)[0] != 0
    assert shell.run(f"cp {log} /host/web.restore.log; podman rm -af -t 0")[0] == 0
    cause = diagnosed(lab, "/host/web.restore.log", "/host/web.tar.zst")["root_cause"]
    restore = "podman container restore --tcp-established --import /host/web.tar.zst"
    assert (cause["commands"], cause["commands_tried"]) == ([restore], True)
    assert shell.run(restore)[0] == 0
    shell.run("podman rm -af -t 0")


@pytest.mark.parametrize("level", range(5))
def test_healthy_log_at_any_verbosity_is_no_failure(lab: Lab, shell: Shell, level: int) -> None:
    shell.run("D=/host/fixes/healthy; rm -rf $D; mkdir -p $D/img; cd $D")
    started = PLAIN.replace("{D}", "/host/fixes/healthy")
    shell.run(f"{started}\nuntil [ -e $D/ready ]; do sleep .05; done")
    options = f"--images-dir $D/img --work-dir $D -v{level}"
    for work in (f"dump --tree $P {options} -o dump.log", f"restore {options} -o restore.log -d"):
        code, said = shell.run(f"criu {work} 2>>$D/said")
        assert code == 0, said
        name = f"/host/fixes/healthy/{work.split()[0]}.log"
        if shell.run(f"[ -s {name} ]")[0] == 0:  # at -v0 there is nothing to read
            found = diagnosed(lab, name)
            assert found["root_cause"] is None
            assert found["attempt"]["outcome"] == ("succeeded" if level > 2 else "unknown")
    shell.run("kill -9 $P; cd /; rm -rf $D")


def test_what_is_marked_as_tried_is_tried_here() -> None:
    cases = {case.cause for case in (*CASES.values(), *REFUSED.values())}
    assert {rule.id for rule in rules() if rule.tried} == cases
