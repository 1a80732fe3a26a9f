"""Programs that are restored on a host on which something is missing, and on which all is there."""

from __future__ import annotations

import shlex

from fixing import SLEEP, python
from foreseeing import Case

TURN_BUILD_ID = """python3 - $D/py <<'END'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
note = b"\\4\\0\\0\\0\\x14\\0\\0\\0\\3\\0\\0\\0GNU\\0"
data[data.index(note) + len(note)] ^= 255
open(sys.argv[1], "wb").write(data)
END"""


def program(*lines: str) -> str:
    """Return how a program of these lines of Python is started."""
    return python("\n".join(lines) + SLEEP)


def copy_of_python(folder: str = "$D") -> str:
    """Return how a program is started whose executable is the case's own."""
    copy = f"mkdir -p {folder}; cp -L /usr/bin/python3 {folder}/py"
    run = f"setsid {folder}/py -c {shlex.quote(SLEEP.strip())}"
    return f"{copy}; {run} </dev/null >$D/out 2>&1 & P=$!"


def holding(code: str) -> str:
    """Return how another process on the host is started that holds what the code takes."""
    words = f"import socket, time, fcntl; {code}; open('$D/held', 'w'); time.sleep(1e6)"
    return f'python3 -c "{words}" & until [ -e $D/held ]; do sleep .02; done'


def taking(number: str) -> str:
    """Return how a process with a certain pid is started."""
    return f"echo $(({number} - 1)) >/proc/sys/kernel/ns_last_pid; sleep 1e6 & [ $! = {number} ]"


def bind(option: str, folder: str = "$D/w") -> str:
    return f"mount --bind {folder} {folder}; mount -o remount,{option},bind {folder}"


READ = program("open('{D}/f', 'w').write('x' * 99)", "f = open('{D}/f')")
EXECUTABLE = copy_of_python()
FOLDER = program("import os", "os.mkdir('{D}/c')", "os.chdir('{D}/c')")
FIFO = program("import os", "os.mkfifo('{D}/ff')", "f = os.open('{D}/ff', os.O_RDWR)")
MAPPED = program(
    "import mmap, os",
    "os.mkdir('{D}/w')",
    "open('{D}/w/m', 'wb').write(bytes(8192))",
    "f = open('{D}/w/m', 'r+b')",
    "m = mmap.mmap(f.fileno(), 8192)",
    "f.close()",
)
WRITTEN = program("import os", "os.mkdir('{D}/w')", "f = open('{D}/w/f', 'w')")
ONLY_READ = program("import os", "os.mkdir('{D}/w')", "open('{D}/w/f', 'w')", "f = open('{D}/w/f')")
DELETED = program(
    "import os",
    "os.mkdir('{D}/w')",
    "f = open('{D}/w/f', 'w+')",
    "f.write('x' * 99)",
    "f.flush()",
    "os.unlink('{D}/w/f')",
)
LINKED = program(
    "import os", "f = open('{D}/f', 'w')", "os.link('{D}/f', '{D}/g')", "os.unlink('{D}/f')"
)
CHROOT = python(
    "import os, time\nos.mkdir('{D}/r')\nopen('{D}/ready', 'w').close()\nos.chroot('{D}/r')\n"
    "os.chdir('/')\ntime.sleep(1e6)"
)
DEVICE = program("f = open('/dev/zero')")
POSIX_MEMORY = program(
    "import mmap",
    "f = open('/dev/shm/case', 'w+b')",
    "f.truncate(8192)",
    "m = mmap.mmap(f.fileno(), 8192)",
)
TERMINAL = program("import pty", "m, s = pty.openpty()")
THREADS = program(
    "import threading", "import time", "threading.Thread(target=time.sleep, args=(1e6,)).start()"
)
WATCH = program(
    "import ctypes, os",
    "os.mkdir('{D}/i')",
    "c = ctypes.CDLL(None)",
    "assert c.inotify_add_watch(c.inotify_init(), b'{D}/i', 2) > 0",
)
NAMED = program(
    "import os, socket",
    "os.mkdir('{D}/w')",
    "s = socket.socket(socket.AF_UNIX)",
    "s.bind('{D}/w/sock')",
    "s.listen()",
)
ABSTRACT = program(
    "import socket", "s = socket.socket(socket.AF_UNIX)", "s.bind('\\0case')", "s.listen()"
)
SERVER = holding("s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind('$D/service')")
CLIENT = program(
    "import socket",
    "c = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)",
    "c.connect('{D}/service')",
)
EVERYWHERE = program("import socket", "s = socket.create_server(('0.0.0.0', 7001))")
LOOPBACK = program("import socket", "s = socket.create_server(('127.0.0.1', 7001))")
DATAGRAMS = program(
    "import socket",
    "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "s.bind(('127.0.0.1', 7001))",
)
CONNECTED = program(
    "import socket",
    "s = socket.create_server(('127.0.0.1', 7002))",
    "c = socket.create_connection(s.getsockname())",
    "a = s.accept()",
)
ADDRESS = "ip addr add 10.77.0.1/32 dev lo; " + program(
    "import socket", "s = socket.create_server(('10.77.0.1', 7003))"
)
NO_ADDRESS = "ip addr del 10.77.0.1/32 dev lo"
LINK = "ip link add case0 type veth peer name case1; ip link set case0 up; "
NO_LINK = "ip link del case0"
ON_DEVICE = LINK + program(
    "import socket",
    "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "s.setsockopt(1, 25, b'case0')",
    "s.bind(('0.0.0.0', 7004))",
)
PACKETS = LINK + program(
    "import socket",
    "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 768)",
    "s.bind(('case0', 0))",
)
LOCKED = program("import fcntl", "f = open('{D}/f', 'w')", "fcntl.flock(f, fcntl.LOCK_EX)")
RECORD = program("import fcntl", "f = open('{D}/f', 'w')", "fcntl.lockf(f, fcntl.LOCK_EX)")
SHARED_LOCK = program("import fcntl", "f = open('{D}/f', 'w+')", "fcntl.flock(f, fcntl.LOCK_SH)")
MANY_MAPPINGS = program(
    "import mmap", "m = [mmap.mmap(-1, 4096, flags=34, prot=1 + 2 * (i % 2)) for i in range(3000)]"
)
MANY_FILES = program("import os", "f = [os.dup(0) for i in range(800)]")
NETWORK = (
    f"setsid unshare -n python3 -c {shlex.quote(SLEEP.strip())} </dev/null >$D/out 2>&1 & P=$!"
)

IDLE = program("pass")

FAILING = {
    "file-gone": Case(READ, "file-missing", "rm $D/f"),
    "file-grown": Case(READ, "file-bad-size", "echo >>$D/f"),
    "file-cut": Case(READ, "file-bad-size", "truncate -s 5 $D/f"),
    "file-mode": Case(READ, "file-bad-mode", "chmod 600 $D/f"),
    "file-folder": Case(READ, "file-bad-mode", "rm $D/f; mkdir $D/f"),
    "program-gone": Case(EXECUTABLE, "file-missing", "rm $D/py"),
    "program-build": Case(EXECUTABLE, "file-bad-build-id", TURN_BUILD_ID),
    "program-mode": Case(EXECUTABLE, "file-bad-mode", "chmod 700 $D/py"),
    "program-noexec": Case(
        copy_of_python("$D/w"), "mem-mapping-failed", bind("noexec"), mended="umount $D/w"
    ),
    "map-cut": Case(MAPPED, "file-bad-size", "truncate -s 4096 $D/w/m"),
    "map-gone": Case(MAPPED, "file-missing", "rm $D/w/m"),
    "map-read-only": Case(MAPPED, "file-open-denied", bind("ro"), mended="umount $D/w"),
    "folder-gone": Case(FOLDER, "file-missing", "rmdir $D/c"),
    "folder-mode": Case(FOLDER, "file-bad-mode", "chmod 700 $D/c"),
    "folder-file": Case(FOLDER, "file-bad-mode", "rmdir $D/c; touch $D/c"),
    "root-gone": Case(CHROOT, "file-missing", "rmdir $D/r"),
    "fifo-gone": Case(FIFO, "file-missing", "rm $D/ff"),
    "fifo-file": Case(FIFO, "file-bad-mode", "rm $D/ff; touch $D/ff"),
    "write-read-only": Case(WRITTEN, "file-open-denied", bind("ro"), mended="umount $D/w"),
    "mount-over": Case(WRITTEN, "file-missing", "mount -t tmpfs x $D/w", mended="umount $D/w"),
    "deleted-read-only": Case(DELETED, "ghost-create", bind("ro"), mended="umount $D/w"),
    "deleted-folder": Case(DELETED, "ghost-create", "rmdir $D/w; touch $D/w"),
    "link-gone": Case(LINKED, "link-remap-missing", "rm $D/link_remap.*", "--link-remap"),
    "device-gone": Case(
        DEVICE,
        "file-missing",
        "umount /dev/zero; rm /dev/zero",
        mended="mknod -m 666 /dev/zero c 1 5",
    ),
    "memory-gone": Case(POSIX_MEMORY, "file-missing", "rm /dev/shm/case"),
    "terminal-taken": Case(
        TERMINAL, "tty-ptmx-index", holding("import pty; p = [pty.openpty() for i in range(3)]")
    ),
    "pid-taken": Case(IDLE, "pid-in-use", taking("$P")),
    "thread-taken": Case(THREADS, "pid-in-use", taking("$T")),
    "session-taken": Case(
        IDLE,
        "pid-in-use",
        "echo $((P - 1)) >/proc/sys/kernel/ns_last_pid; setsid sh -c 'sleep 1e6 & exit 0'; "
        "until [ ! -e /proc/$P ]; do sleep .02; done",
        mended="pkill -s $P",
    ),
    "watch-gone": Case(WATCH, "inotify-restore", "rmdir $D/i"),
    "socket-folder-gone": Case(NAMED, "unix-bind-failed", "rm -r $D/w"),
    "socket-is-folder": Case(NAMED, "unix-bind-failed", "rm $D/w/sock; mkdir $D/w/sock"),
    "socket-read-only": Case(NAMED, "unix-bind-failed", bind("ro"), mended="umount $D/w"),
    "abstract-taken": Case(
        ABSTRACT,
        "unix-bind-failed",
        holding("s = socket.socket(socket.AF_UNIX); s.bind('\\0case')"),
    ),
    "service-gone": Case(
        f"{SERVER}; S=$!; {CLIENT}",
        "unix-connect-failed",
        "kill -9 $S; wait $S || :",
        "--ext-unix-sk",
    ),
    "port-taken": Case(
        EVERYWHERE,
        "inet-bind-addr-in-use",
        holding("s = socket.create_server(('127.0.0.1', 7001))"),
    ),
    "port-taken-by-ipv6": Case(
        EVERYWHERE,
        "inet-bind-addr-in-use",
        holding("s = socket.create_server(('::', 7001), family=10, dualstack_ipv6=True)"),
    ),
    "datagram-port-taken": Case(
        DATAGRAMS,
        "inet-bind-addr-in-use",
        holding("s = socket.socket(2, socket.SOCK_DGRAM); s.bind(('127.0.0.1', 7001))"),
    ),
    "address-gone": Case(ADDRESS, "inet-bind-addr-missing", NO_ADDRESS),
    "device-of-socket-gone": Case(ON_DEVICE, "inet-bind-device-missing", NO_LINK),
    "interface-gone": Case(PACKETS, "packet-socket", NO_LINK),
    "lock-held": Case(
        LOCKED,
        "file-lock-held",
        holding("f = open('$D/f', 'a'); fcntl.flock(f, 2)"),
        "--file-locks",
    ),
    "record-held": Case(
        RECORD,
        "file-lock-held",
        holding("f = open('$D/f', 'a'); fcntl.lockf(f, 2)"),
        "--file-locks",
    ),
    "no-capability": Case(IDLE, "creds-caps", around="setpriv --bounding-set=-net_raw"),
    "no-admin": Case(
        IDLE, "not-root", around="setpriv --bounding-set=-sys_admin,-checkpoint_restore"
    ),
    "few-files": Case(
        f"ulimit -Sn 900; {MANY_FILES}", "nofile-limit", around="prlimit --nofile=400:400"
    ),
    "few-mappings": Case(
        MANY_MAPPINGS,
        "mem-enomem-mapping",
        "M=$(cat /proc/sys/vm/max_map_count); echo 2500 >/proc/sys/vm/max_map_count",
        mended="echo $M >/proc/sys/vm/max_map_count",
    ),
    "no-ip": Case(
        NETWORK,
        "helper-exec",
        "touch $D/empty; mount --bind $D/empty $(readlink -f /usr/sbin/ip)",
        mended="umount $(readlink -f /usr/sbin/ip)",
    ),
}
"""What is broken to a case that does not restore."""

TWO = (
    "import os, time",
    "r, w = os.pipe()",
    "os.write(w, b'x')",
    "if os.fork() == 0: time.sleep(1e6)",
    "if os.fork() == 0: os._exit(0)",
)

HEALTHY = {
    "idle": Case(IDLE),
    "file": Case(READ, broken="touch -d yesterday $D/f; chown 5 $D/f"),
    "file-appended": Case(program("f = open('{D}/log', 'a')"), broken="echo more >>$D/log"),
    "file-replaced": Case(READ, broken="cp -p $D/f $D/g; mv $D/g $D/f"),
    "file-on-read-only": Case(ONLY_READ, broken=bind("ro"), mended="umount $D/w"),
    "program": Case(EXECUTABLE),
    "program-nosuid": Case(copy_of_python("$D/w"), broken=bind("nosuid"), mended="umount $D/w"),
    "mapping": Case(MAPPED),
    "folder": Case(FOLDER, broken="touch $D/c/new"),
    "chroot": Case(CHROOT),
    "fifo": Case(FIFO),
    "processes": Case(program(*TWO)),
    "threads": Case(THREADS),
    "deleted": Case(DELETED, broken="rmdir $D/w"),
    "linked": Case(LINKED, dump="--link-remap"),
    "terminal": Case(TERMINAL),
    "memfd": Case(program("import os", "f = os.memfd_create('x')", "os.write(f, b'hello')")),
    "posix-memory": Case(POSIX_MEMORY, mended="rm /dev/shm/case"),
    "events": Case(
        program(
            "import os, select, signal",
            "e = select.epoll()",
            "e.register(os.eventfd(3))",
            "signal.setitimer(0, 1e4)",
        )
    ),
    "proc": Case(program("f = open('/proc/self/status')", "g = open('/proc/1/status')")),
    "watch": Case(WATCH, broken="rmdir $D/i; mkdir $D/i"),
    "socket": Case(NAMED, broken="rm $D/w/sock"),
    "socket-stale": Case(NAMED, broken="[ -S $D/w/sock ]"),
    "abstract": Case(ABSTRACT),
    "service": Case(f"{SERVER}; {CLIENT}", dump="--ext-unix-sk"),
    "port-beside": Case(LOOPBACK, broken=holding("s = socket.create_server(('127.0.0.2', 7001))")),
    "port-of-ipv6": Case(
        EVERYWHERE, broken=holding("s = socket.create_server(('::1', 7001), family=10)")
    ),
    "datagrams": Case(DATAGRAMS, broken=holding("s = socket.create_server(('127.0.0.1', 7001))")),
    "connection": Case(CONNECTED, dump="--tcp-established"),
    "address": Case(ADDRESS, mended=NO_ADDRESS),
    "device-of-socket": Case(ON_DEVICE, mended=NO_LINK),
    "interface": Case(PACKETS, mended=NO_LINK),
    "lock": Case(LOCKED, dump="--file-locks"),
    "lock-shared": Case(
        SHARED_LOCK,
        broken=holding("f = open('$D/f', 'a+'); fcntl.flock(f, 1)"),
        dump="--file-locks",
    ),
    "limits": Case(IDLE, around="prlimit --nofile=1000:1000 --core=0:0 --nproc=5000:5000"),
    "mappings": Case(MANY_MAPPINGS),
    "network": Case(NETWORK),
}
"""Programs that restore."""
