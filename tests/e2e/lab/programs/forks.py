"""Three processes with memory in common, which each verifies when CHECK is in the folder.

    forks.py FOLDER MEBIBYTES

Each writes tick.NAME again and again, and the number of bad pages to bad.NAME.
"""

import hashlib
import mmap
import os
import sys
import time

PAGE = 4096
folder, mebibytes = sys.argv[1], int(sys.argv[2])
count = mebibytes * 256
memory = bytearray(count * PAGE)
shared = mmap.mmap(-1, 4 << 20)


def stamp(name, number):
    return hashlib.sha256(f"{name} {number}".encode()).digest()


def write(name, text):
    with open(f"{folder}/.{name}", "w") as file:
        file.write(text)
    os.rename(f"{folder}/.{name}", f"{folder}/{name}")


def fill(name, step):
    for number in range(0, count, step):
        memory[number * PAGE : number * PAGE + 32] = stamp(name, number)


def bad_pages(name, step):
    bad = 0
    for number in range(count):
        owner = name if number % step == 0 else "parent"
        expected = stamp(owner, number) + bytes(PAGE - 32)
        bad += memory[number * PAGE : (number + 1) * PAGE] != expected
    for number in range(0, len(shared), PAGE):
        bad += shared[number : number + 32] != stamp("shared", number)
    return bad


fill("parent", 1)
for number in range(0, len(shared), PAGE):
    shared[number : number + 32] = stamp("shared", number)
me, step = "parent", 1
for child, every in (("one", 3), ("two", 7)):
    if os.fork() == 0:
        me, step = child, every
        fill(me, step)
        break
ticks = 0
while True:
    ticks += 1
    write(f"tick.{me}", str(ticks))
    if os.path.exists(f"{folder}/CHECK") and not os.path.exists(f"{folder}/bad.{me}"):
        write(f"bad.{me}", str(bad_pages(me, step)))
    time.sleep(0.02)
