"""What else a process can hold: one of each, so that each kind of image has an entry."""

import ctypes
import fcntl
import mmap
import os
import resource
import select
import signal
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)

event = os.eventfd(7)
pipe = os.pipe()
epoll = select.epoll()
epoll.register(pipe[0], select.EPOLLIN)
epoll.register(event, select.EPOLLIN)
timer = libc.timerfd_create(1, 0)
signals = libc.signalfd(-1, (ctypes.c_ulong * 16)(1 << 9), 0)
watch = libc.inotify_init()
libc.inotify_add_watch(watch, b"/etc", 0x100)

scratch = os.memfd_create("scratch")
os.write(scratch, b"memfd data" * 1000)
shared = mmap.mmap(-1, 1 << 20)
shared.write(b"shared" * 1000)
lock = os.open("/tmp/lock", os.O_CREAT | os.O_WRONLY)
fcntl.flock(lock, fcntl.LOCK_EX)
ghost = os.open("/tmp/ghost", os.O_CREAT | os.O_RDWR)
os.write(ghost, b"gone but open" * 100)
os.unlink("/tmp/ghost")

libc.shmget(0x1234, 65536, 0o1600)
libc.semget(0x1235, 3, 0o1600)
libc.msgget(0x1236, 0o1600)

signal.setitimer(signal.ITIMER_REAL, 100_000, 100_000)
signal.signal(signal.SIGTERM, lambda *_: None)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
os.kill(os.getpid(), signal.SIGUSR1)
resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512))

for number in range(3):
    threading.Thread(target=time.sleep, args=(1e6,), name=f"worker{number}").start()
for number in range(3):
    if os.fork() == 0:
        if number == 1:
            os.setsid()
            os.nice(5)
        if number == 2:
            os.chdir("/tmp")
            os.umask(0o77)
            open("/tmp/ready", "w").close()
        while True:
            time.sleep(1)
while True:
    time.sleep(1)
