"""What is broken so that a restore or dump fails, by what the fix of it is called."""

from __future__ import annotations

from fixing import SLEEP, Broken, Refused, python

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
WAIT = (
    "\nimport os, time\nopen('{D}/ready', 'w').close()\n"
    "while not os.path.exists('{D}/go'): time.sleep(.02)\n"
    "%s\nopen('{D}/gone', 'w').close()\ntime.sleep(1e6)"
)
CORKED = python(
    "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
    "s.connect(('127.0.0.1', 9))\ns.setsockopt(17, 1, 1)\ns.send(b'x')"
    + WAIT
    % "s.setsockopt(17, 1, 0)"
)
UNREAD = python(
    "import socket, subprocess\ns = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)\n"
    "s.bind((0, 1))\nsubprocess.run(['ip', 'link', 'set', 'lo', 'mtu', '60000'])"
    + WAIT
    % "s.recv(65536)"
)
IT_ENDS = "touch $D/go; until [ -e $D/gone ]; do sleep .05; done"
MULTIPATH = python(
    "import socket\ntry: s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)\n"
    "except OSError: s = socket.socket()\ns.bind(('127.0.0.1', 0))\ns.listen()" + SLEEP
)
OWN_ADDRESS = python(
    "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
    "s.bind(('10.9.8.7', 0))" + SLEEP
)
LISTENER = python("import socket\ns = socket.create_server(('127.0.0.1', 27312))" + SLEEP)
OTHER_LISTENER = (
    "python3 -c \"import socket, time; s = socket.create_server(('127.0.0.1', 27312)); "
    "open('$D/up', 'w'); time.sleep(1e6)\" </dev/null >/dev/null 2>&1 & H=$!; "
    "until [ -e $D/up ]; do sleep .05; done"
)
TIED = python(
    "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
    "s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'tie0')\ns.bind(('', 0))" + SLEEP
)
PEER = (
    "python3 -c \"import socket, time; s = socket.create_server(('10.9.8.7', 27313)); "
    "open('$D/up', 'w'); a = s.accept(); time.sleep(1e6)\" </dev/null >/dev/null 2>&1 & S=$!; "
    "until [ -e $D/up ]; do sleep .05; done; "
)
CLIENT = python(
    "import socket\nc = socket.create_connection(('10.9.8.7', 27313), "
    "source_address=('127.0.0.1', 0))" + SLEEP
)
STREAM_SERVER = (
    "python3 -c \"import socket, time; s = socket.socket(socket.AF_UNIX); s.bind('$D/sock'); "
    's.listen(); a = s.accept(); time.sleep(1e6)" </dev/null >/dev/null 2>&1 & S=$!; '
    "until [ -S $D/sock ]; do sleep .05; done; "
)
STREAM = python("import socket\nc = socket.socket(socket.AF_UNIX)\nc.connect('{D}/sock')" + SLEEP)
NAMED = python(
    "import os, socket\nos.mkdir('{D}/sub')\ns = socket.socket(socket.AF_UNIX, "
    "socket.SOCK_DGRAM)\ns.bind('{D}/sub/sock')" + SLEEP
)
MOUNTED = python("f = open('{D}/m/f', 'a')\nf.write('x')\nf.flush()" + SLEEP)
RINGS = python(
    "import ctypes\nl = ctypes.CDLL(None)\nc = ctypes.c_ulong()\n"
    "assert l.syscall(206, 1000, ctypes.byref(c)) == 0" + SLEEP
)
WATCHER = python(
    "import ctypes\nl = ctypes.CDLL(None)\ni = l.inotify_init()\nfor n in range(40):\n"
    " open('{D}/w%d' % n, 'w')\n assert l.inotify_add_watch(i, b'{D}/w%d' % n, 2) > 0" + SLEEP
)
MAPPINGS = python(
    "import mmap\nm = [mmap.mmap(-1, 4096, prot=1 + n % 2 * 2) for n in range(3000)]" + SLEEP
)
HUGE = python("import mmap\nm = mmap.mmap(-1, 2 << 20, flags=0x40022)\nm[0] = 1" + SLEEP)
ALONE = "</dev/null >/dev/null 2>&1"
SLEEPS = 'until [ "$(cat /proc/$P/comm)" = sleep ]; do sleep .05; done; touch $D/ready'
OWN_NETWORK = f"setsid unshare --net sleep 1000 {ALONE} & P=$!; {SLEEPS}"
OWN_MOUNTS = f"setsid unshare --mount sh -c 'exec sleep 1000 {ALONE}' & P=$!; {SLEEPS}"
CHILD = (
    f"unshare --pid --fork --kill-child sh -c 'setsid sleep 1000 {ALONE} & wait' {ALONE} & "
    "until P=$(pgrep -f '^sleep 1000'); do sleep .05; done; touch $D/ready"
)
CGROUP = "/sys/fs/cgroup/ckpt-fix-$(basename $D)"
IN_CGROUP = (
    f"G={CGROUP}; mkdir -p $G; export G; setsid sh -c 'echo $$ >$G/cgroup.procs; exec sleep 1000' "
    f"{ALONE} & P=$!; {SLEEPS}"
)
ON_TERMINAL = (
    "script --quiet --command "
    "'sh -c \"echo \\$\\$ >'$D'/ready; exec sleep 1000\"' /dev/null </dev/null >/dev/null 2>&1 & "
    "until [ -s $D/ready ]; do sleep .05; done; P=$(cat $D/ready)"
)
CAPABLE = "--bounding-set -dac_override,-dac_read_search"
"""Rights that root in a container may lack."""


def limited(value: str, *also: str) -> dict[str, str]:
    """Return how a case lowers a setting of the kernel, and what puts it and others back."""
    names = " ".join((value.partition("=")[0], *also))
    return {
        "broken": f"L=$(sysctl {names}); sysctl -qw {value}",
        "mended": 'echo "$L" | sysctl -qp -',
    }


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
    "restore-pid": Broken("pid-in-use", PLAIN, broken=HOLDER, then="wait $H"),
    "dump-no-proc": Broken(
        "proc-missing",
        PLAIN,
        restore=None,
        broken="umount --lazy /proc",
        mended="mountpoint -q /proc || mount -t proc proc /proc",
    ),
    "restore-lazy": Broken("lazy-pages", PLAIN, restore="--lazy-pages"),
    "dump-mptcp": Broken(
        "mptcp-unsupported",
        MULTIPATH,
        restore=None,
        restarted=True,
        mended="sysctl -qw net.mptcp.enabled=1",
    ),
    "dump-lock": Broken(
        "tcp-lock-failed",
        CONNECTED,
        dump="--tcp-established",
        restore=None,
        broken="mount --bind /bin/false $(realpath /usr/sbin/iptables-restore)",
        mended="umount $(realpath /usr/sbin/iptables-restore)",
    ),
    "dump-lock-network": Broken(
        "net-lock-iptables",
        OWN_NETWORK,
        restore=None,
        broken="mount --bind /bin/false $(realpath /usr/sbin/iptables-restore)",
        mended="umount $(realpath /usr/sbin/iptables-restore)",
    ),
    "dump-path": Broken(
        "helper-exec",
        OWN_NETWORK,
        restore=None,
        broken="ln -s $(which criu) $D/criu; PATH=$D:/usr/bin:/bin",
        mended="PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ),
    "dump-link": Broken(
        "net-link-unsupported",
        OWN_NETWORK,
        restore=None,
        broken="nsenter --net=/proc/$P/ns/net ip link add odd0 type ifb",
    ),
    "dump-half": Broken(
        "unix-stream-half",
        STREAM_SERVER + STREAM,
        dump="--ext-unix-sk",
        restore=None,
        mended="kill -9 $S",
    ),
    "dump-netlink": Broken("netlink-pending-data", UNREAD, restore=None, later=IT_ENDS),
    "dump-cork": Broken("udp-corked", CORKED, restore=None, later=IT_ENDS),
    "dump-no-init": Broken("pidns-no-init", CHILD, restore=None),
    "dump-mounts": Broken("mnt-no-root-mount", OWN_MOUNTS, restore=None),
    "dump-plugin": Broken(
        "plugin-load",
        PLAIN,
        dump="--libdir $D/plugins",
        restore=None,
        broken="mkdir $D/plugins; echo old >$D/plugins/old.so",
    ),
    "restore-address": Broken(
        "inet-bind-addr-missing",
        f"ip address add 10.9.8.7/32 dev lo; {OWN_ADDRESS}",
        broken="ip address del 10.9.8.7/32 dev lo",
        mended="ip address del 10.9.8.7/32 dev lo",
    ),
    "restore-port": Broken(
        "inet-bind-addr-in-use", LISTENER, broken=OTHER_LISTENER, then="wait $H"
    ),
    "restore-device": Broken(
        "inet-bind-device-missing",
        f"ip link add tie0 type bridge; ip link set tie0 up; {TIED}",
        broken="ip link del tie0",
        mended="ip link del tie0",
    ),
    "restore-route": Broken(
        "tcp-connect-back-failed",
        f"ip address add 10.9.8.7/32 dev lo; {PEER}{CLIENT}",
        dump="--tcp-established",
        restore="--tcp-established",
        broken="ip address del 10.9.8.7/32 dev lo",
        mended="kill -9 $S",
    ),
    "restore-bind": Broken("unix-bind-failed", NAMED, broken="rm -r $D/sub"),
    "restore-ghost": Broken(
        "ghost-create", DELETED, dump="--ghost-limit 9M", broken="touch $D/f.cr.1.ghost"
    ),
    "restore-file-limit": Broken(
        "errno-efbig",
        DELETED,
        dump="--ghost-limit 9M",
        broken="ulimit -S -f 1000",
        mended="ulimit -S -f unlimited",
    ),
    "restore-read-only": Broken(
        "file-open-denied",
        f"mkdir $D/m; mount -t tmpfs tmpfs $D/m; {MOUNTED}",
        broken="mount -o remount,ro $D/m",
        mended="umount --lazy $D/m",
    ),
    "restore-aio": Broken("mem-aio", RINGS, **limited("fs.aio-max-nr=100")),
    "restore-inotify": Broken(
        "inotify-restore",
        WATCHER,
        **limited("fs.inotify.max_user_watches=20", "fs.inotify.max_user_instances"),
    ),
    "restore-mappings": Broken(
        "mem-enomem-mapping", MAPPINGS, **limited("vm.max_map_count=2000", "vm.overcommit_memory")
    ),
    "restore-huge": Broken(
        "mem-enomem-mapping",
        f"echo 4 >/proc/sys/vm/nr_hugepages; {HUGE}",
        broken="echo 0 >/proc/sys/vm/nr_hugepages",
        mended="echo 0 >/proc/sys/vm/nr_hugepages",
    ),
    "restore-folder-mode": Broken(
        "img-permission",
        PLAIN.replace("setsid", f"setsid setpriv {CAPABLE}"),
        broken=f'chmod 0 $D/img; criu() {{ setpriv {CAPABLE} criu "$@"; }}',
        mended="unset -f criu",
    ),
    "restore-log": Broken("log-unwritable", PLAIN, restore="--log-file $D/logs/restore.log"),
    "restore-work": Broken("work-dir-missing", PLAIN, restore="--work-dir $D/work"),
    "restore-pid-space": Broken(
        "pidns-external-missing",
        CHILD,
        dump='--external "pid[$(stat -L -c %i /proc/$P/ns/pid)]:outer"',
        alive="pgrep -f '^sleep 1000'",
        mended="pkill -9 -f '^sleep 1000'",
    ),
    "restore-network": Broken(
        "netns-external-missing",
        OWN_NETWORK,
        dump='--external "net[$(stat -L -c %i /proc/$P/ns/net)]:outer"',
    ),
    "restore-cgroup-there": Broken(
        "cgroup-strict-exists",
        IN_CGROUP,
        dump="--manage-cgroups=full",
        restore="--manage-cgroups=strict",
        mended="kill -9 $P; wait $P; sleep .1; rmdir $G",
    ),
    "restore-cgroup-gone": Broken(
        "cgroup-path-missing",
        IN_CGROUP,
        dump="--manage-cgroups=full",
        restore="--manage-cgroups=none",
        broken="rmdir $G",
        mended="kill -9 $P; wait $P; sleep .1; rmdir $G",
    ),
    "restore-cpuinfo": Broken("cpu-cpuinfo-image", PLAIN, restore="--cpu-cap=cpu"),
    "restore-lsm": Broken("lsm-mismatch", PLAIN, restore="--lsm-profile selinux:a_t"),
    "restore-stream": Broken("img-streamer", PLAIN, restore="--stream"),
    "restore-join": Broken(
        "ns-setns-failed",
        PLAIN,
        restore="--join-ns net:/run/netns/ckpt-fix",
        mended="ip netns del ckpt-fix",
    ),
    "restore-no-terminal": Broken(
        "tty-no-inherit", ON_TERMINAL, dump="--shell-job", restore="--shell-job"
    ),
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
    "connections": Refused(
        "rt-podman-tcp-name",
        f"run --name c && {EXPORT}",
        "podman container restore --import $D/a.tar.zst --tcp-established --name other",
        target="$D/a.tar.zst",
    ),
    "path": Refused(
        "rt-criu-missing",
        "run --name c && PATH=/usr/bin:/bin",
        "podman container checkpoint --leave-running c",
        mended="PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ),
    "running": Refused(
        "rt-container-state",
        "run --name c && podman container checkpoint --leave-running c",
        "podman container restore c",
    ),
    "network": Refused(
        "rt-network-missing",
        "mkdir -p /etc/containers/networks && mount -t tmpfs tmpfs /etc/containers/networks"
        " && podman network create n && podman run -d --name c --network n localhost/bb:1"
        " sh -c 'while :; do sleep 1; done' && { podman container checkpoint --export"
        " $D/a.tar.zst c; podman rm -f -t 0 c; podman network rm n; }",
    ),
}
