#!/usr/bin/env python3
"""serve_control.py: the faults of 'iscsilab serve --ctl', as an initiator sees them come and go.

ISCSILAB is the program. Exit code 1 at the first that is not as it should be.
"""
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time

from initiator import CHECK_CONDITION, GOOD, Initiator, Server

checks = 0


def expect(what, seen, wanted):
    global checks
    checks += 1
    if seen != wanted:
        sys.exit(f"FAILED: {what}: {str(seen)[:200]}, not {str(wanted)[:200]}")


class Control:
    """The control socket."""

    def __init__(self, path):
        self.path = path

    def __call__(self, line, code=0):
        done = subprocess.run([os.environ["ISCSILAB"], "ctl", self.path, line], capture_output=True, text=True,
                              timeout=10, check=False)
        expect(f"ctl {line}", done.returncode, code)
        return done.stdout + done.stderr


def end_of(answer):
    """GOOD, another status, or (sense key, ASC, ASCQ)."""
    status, data = answer
    return (data[4] & 15, data[14], data[15]) if status == CHECK_CONDITION else status


def read(initiator, block=0):
    return end_of(initiator.do(struct.pack(">BBIBHB", 0x28, 0, block, 0, 8, 0), in_bytes=4096))


def write(initiator, block=0):
    return end_of(initiator.do(struct.pack(">BBIBHB", 0x2A, 0, block, 0, 8, 0), bytes(4096)))


def timed_read_ms(initiator):
    begin = time.monotonic()
    expect("a read", read(initiator), GOOD)
    return (time.monotonic() - begin) * 1000


def is_cut(initiator):
    try:
        initiator.do(bytes(6))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return True
    return False


def slow_media(ctl, initiator):
    ctl("slow: {part: san1, by: 60 ms}")
    expect("a slow read", timed_read_ms(initiator) >= 60, True)
    ctl("slow: {part: san1.data, by: 60 ms}")
    expect("a read that is slow twice", timed_read_ms(initiator) >= 120, True)
    ctl("undo 1")
    span = timed_read_ms(initiator)
    expect("a read that is slow once", 60 <= span < 120, True)
    ctl("undo all")
    expect("fast reads", min(timed_read_ms(initiator) for _ in range(20)) < 20, True)
    expect("no fault is left", ctl("faults"), "nothing is broken\n")
    ctl("{slow: {part: san1, by: 60 ms}, for: 200 ms}")
    expect("a read that is slow for a while", timed_read_ms(initiator) >= 60, True)
    time.sleep(0.25)
    expect("it ends by itself", ctl("faults"), "nothing is broken\n")


QUERY_TASK, QUERY_TASK_SET, NEXUS_RESET, QUERY_EVENT = 9, 10, 11, 12
COMPLETE, NOT_SUPPORTED, SUCCEEDED = 0, 5, 7


def queries(ctl, port, old):
    """What protocol level 2 (RFC 7144) adds, while a read is slow."""
    for function in (QUERY_TASK, QUERY_TASK_SET, NEXUS_RESET, QUERY_EVENT):
        expect(f"function {function} at level 1", old.manage(function)[0], NOT_SUPPORTED)
    initiator = Initiator(port, "queries", ("iSCSIProtocolLevel=2",))
    expect("no event", initiator.manage(QUERY_EVENT)[0], COMPLETE)
    ctl("slow: {part: san1, by: 300 ms}")
    tag = initiator.start(struct.pack(">BBIBHB", 0x28, 0, 0, 0, 8, 0), in_bytes=4096)
    expect("the slow read", initiator.manage(QUERY_TASK, 0, tag)[0], SUCCEEDED)
    expect("another tag", initiator.manage(QUERY_TASK, 0, tag + 1)[0], COMPLETE)
    expect("its task set", initiator.manage(QUERY_TASK_SET)[0], SUCCEEDED)
    expect("that of somebody else", old.manage(QUERY_TASK_SET)[0], NOT_SUPPORTED)
    expect("the read", initiator.answer(True)[1], GOOD)
    expect("it is over", initiator.manage(QUERY_TASK, 0, tag)[0], COMPLETE)
    initiator.start(struct.pack(">BBIBHB", 0x28, 0, 0, 0, 8, 0), in_bytes=4096)
    expect("a reset of the nexus", initiator.manage(NEXUS_RESET)[0], COMPLETE)
    expect("the event", initiator.manage(QUERY_EVENT), (SUCCEEDED, bytes((0x16, 0x29, 0x07))))
    ctl("undo all")
    expect("it is told", read(initiator), (6, 0x29, 0x07))
    expect("and goes on", read(initiator), GOOD)
    expect("the other knows nothing of it", read(old), GOOD)


def bad_media(ctl, initiator):
    ctl("fail-media: {part: san1.data, area: 8-15}")
    expect("a read of what fails", read(initiator, 8), (3, 0x11, 0))
    expect("a write of it", write(initiator, 8), (3, 0x0C, 0))
    expect("a read beside it", read(initiator, 16), GOOD)
    ctl("undo")
    expect("a read of what failed", read(initiator, 8), GOOD)


def access_states(ctl, initiator):
    changed = (6, 0x2A, 0x06)  # ASYMMETRIC ACCESS STATE CHANGED
    for state, sense in (("standby", (2, 4, 0x0B)), ("unavailable", (2, 4, 0x0C)), ("transitioning", (2, 4, 0x0A))):
        ctl(f"transition: {{part: san1, to: {state}}}")
        expect(f"told of {state}", read(initiator), changed)
        expect(f"a read in state {state}", read(initiator), sense)
    ctl("undo all")
    expect("told of the way back", read(initiator), changed)
    expect("a read in state active", read(initiator), GOOD)


def sessions(ctl, port, initiator):
    ctl("drop-session: san1")
    expect("the session was cut", is_cut(initiator), True)
    initiator = Initiator(port, "control")
    expect("a session after that", read(initiator), GOOD)
    ctl("ask-logout: san1")
    header, _ = initiator.take_pdu(True)
    expect("an asynchronous message", (header[0] & 0x3F, header[36]), (0x32, 1))
    initiator.sock.close()


def power(ctl, port):
    initiator = Initiator(port, "control")
    expect("a read before the crash", read(initiator), GOOD)
    ctl("crash: san1")
    expect("the session died with the array", is_cut(initiator), True)
    try:
        Initiator(port, "control")
        expect("a login to a dead array", "came in", "refused")
    except (EOFError, OSError):
        pass
    ctl("restart: san1")
    expect("a login after the restart", read(Initiator(port, "control")), GOOD)
    initiator = Initiator(port, "control")
    begin = time.monotonic()
    ctl("reboot: {part: san1, boot-time: 400 ms}")
    expect("the session died with the reboot", is_cut(initiator), True)
    while True:
        try:
            expect("a read after the reboot", read(Initiator(port, "control")), GOOD)
            break
        except (EOFError, OSError):
            time.sleep(0.02)
    expect("it took its time to boot", 0.4 <= time.monotonic() - begin < 5, True)


def redirection(ctl, port):
    ctl("redirect: {part: san1, to: 127.0.0.1:9}")
    try:
        Initiator(port, "control")
        expect("a login", "taken", "sent elsewhere")
    except RuntimeError as error:
        expect("the status of a login", "0101" in str(error), True)
    ctl("redirect: {part: san1, to: 127.0.0.1:9, permanent: true}")
    try:
        Initiator(port, "control")
        expect("a login", "taken", "sent elsewhere for good")
    except RuntimeError as error:
        expect("the status of a login", "0102" in str(error), True)
    expect("what is broken", "to: 127.0.0.1:9, permanent: true" in ctl("faults"), True)
    ctl("undo")
    try:
        Initiator(port, "control")
        expect("a login", "taken", "sent elsewhere as before")
    except RuntimeError as error:
        expect("the status of a login", "0101" in str(error), True)
    ctl(f"redirect: {{part: san1, to: '127.0.0.1:{port}'}}")
    expect("a login where all are sent to", read(Initiator(port, "control")), GOOD)
    ctl("undo all")
    expect("a login as before", read(Initiator(port, "control")), GOOD)


def refusals(ctl):
    for line, code, text in (("freeze: san1", 1, "the array stands alone"), ("pull: hv1-1", 3, "unknown part"),
                             ("transition: {part: san1, to: sleep}", 3, "standby"), ("", 3, "nothing was said"),
                             ("restart: san1", 1, "nothing to undo"), ("redirect: {part: san1, to: nowhere}", 3, "no portal"),
                             ("redirect: {part: san1, to: '10.0.0.1:0'}", 3, "no portal"),
                             ("redirect: {part: san1, to: 10.0.0.2, permanent: maybe}", 3, "true"),
                             ("slow: {part: san1, by: 1 ms, permanent: true}", 3, "no argument of 'slow'"), ("undo 99", 1, "nothing to undo"),
                             ("fail-media: {part: san1.data, area: 0-999999999}", 3, "no range of blocks")):
        expect(f"the answer to '{line}'", text in ctl(line, code), True)
    expect("what was counted", "iscsi-logins" in ctl("status"), True)


def silent_clients(ctl, path):
    crowd = []
    for _ in range(40):
        crowd.append(socket.socket(socket.AF_UNIX))
        crowd[-1].connect(path)
    expect("an answer in a crowd that says nothing", "nothing is broken" in ctl("faults"), True)
    for client in crowd:
        client.close()


def main():
    with tempfile.TemporaryDirectory() as work:
        image, path = os.path.join(work, "disk.img"), os.path.join(work, "ctl")
        with open(image, "wb") as file:
            file.truncate(16 << 20)
        server = Server(f"data={image}", options=("--ctl", path))
        try:
            ctl = Control(path)
            initiator = Initiator(server.port, "control")
            slow_media(ctl, initiator)
            queries(ctl, server.port, initiator)
            bad_media(ctl, initiator)
            access_states(ctl, initiator)
            sessions(ctl, server.port, initiator)
            power(ctl, server.port)
            redirection(ctl, server.port)
            refusals(ctl)
            silent_clients(ctl, path)
            ctl("quit")
            expect("the end of the server", server.process.wait(10), 0)
            expect("the socket is gone", os.path.exists(path), False)
        finally:
            server.kill()
    print(f"serve_control: {checks} checks passed")


if __name__ == "__main__":
    main()
