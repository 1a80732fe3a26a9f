"""Every kind of socket and pipe, most with something in them."""

import os
import socket
import time

listener = socket.create_server(("127.0.0.1", 8080))
client = socket.create_connection(("127.0.0.1", 8080))
server, _ = listener.accept()
client.sendall(b"in flight")
listener6 = socket.create_server(("::1", 8081), family=socket.AF_INET6)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 5353))

stream = socket.socket(socket.AF_UNIX)
stream.bind("/tmp/server.sock")
stream.listen(5)
caller = socket.socket(socket.AF_UNIX)
caller.connect("/tmp/server.sock")
answerer, _ = stream.accept()
caller.send(b"queued")
datagram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
datagram.bind("\0abstract")
pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

pipe = os.pipe()
os.write(pipe[1], b"pipe data")
os.mkfifo("/tmp/fifo")
fifo = os.open("/tmp/fifo", os.O_RDWR)
os.write(fifo, b"fifo data")

open("/tmp/ready", "w").close()
while True:
    time.sleep(1)
