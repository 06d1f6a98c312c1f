"""The kernel's end of kernel_timers.sh: connections that are kept warm, and then, at a line on standard
input, a short segment on some, ten full ones on others, and SYNs to somebody who never answers.

    timers_kernel.py warm|syn
"""
import select
import socket
import sys
import time

PEER = '172.16.9.3'
STREAMS = 5
STAGGER_S = 0.0009  # they send in turn, over the phases of a tick
MSS = 9000 - 52


def warm_stream():
    stream = socket.socket()
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b'cubic')  # as the profile has it
    stream.settimeout(10)
    stream.connect((PEER, 7001))
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


def silent_call(port):
    call = socket.socket()
    call.setblocking(False)
    call.connect_ex((PEER, port))
    return call


is_warm = sys.argv[1] == 'warm'
streams = [warm_stream() for _ in range(2 * STREAMS)] if is_warm else []
end = time.monotonic() + 1
while time.monotonic() < end:
    for stream in streams:
        stream.send(bytes(1000))
    time.sleep(0.02)
print('warm', flush=True)
while not select.select([sys.stdin], [], [], 0.02)[0]:
    for stream in streams:
        stream.send(bytes(1000))
time.sleep(0.05)  # what was sent last is acknowledged, or the silence is here
for i, stream in enumerate(streams):
    stream.send(bytes(100) if i < STREAMS else bytes(10 * MSS))
    time.sleep(STAGGER_S)
calls = [silent_call(7009 if is_warm else 7010) for _ in range(STREAMS)]
sys.stdin.read()
