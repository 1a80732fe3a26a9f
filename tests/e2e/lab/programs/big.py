"""Holds as many MiB as it is told, a third each of zeros, text and noise, and writes 128 MiB."""

import os
import sys
import time

third = (int(sys.argv[1]) << 20) // 3
zeros = bytearray(third)
for page in range(0, third, 4096):
    zeros[page] = 0  # a page never touched would not be in memory at all
line = b"GET /index.html HTTP/1.1 user=%08d " % 7
text = bytearray(line * (third // len(line)))
noise = bytearray(os.urandom(third))
for number in range(16):
    with open(f"/data/file{number:02}", "wb") as file:
        file.write(os.urandom(8 << 20))

open("/tmp/ready", "w").close()
count = 0
while True:
    count += 1
    with open("/tmp/count", "w") as file:
        file.write(str(count))
    time.sleep(1)
