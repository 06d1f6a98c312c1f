#!/usr/bin/env python3
"""reload.py FOLDER: SIGHUP at 'iscsilab serve', as an initiator sees what comes of it.

ISCSILAB is the program. Exit code 1 at the first that is not as it should be.
"""
import os
import signal
import struct
import sys

from initiator import CHECK_CONDITION, GOOD, Initiator, Server

MIB = 1 << 20
BEYOND_THE_END, MEDIUM_ERROR = (5, 0x21, 0), (3, 0x11, 0)
RESET, CAPACITY_CHANGED, LUNS_CHANGED = (6, 0x29, 0), (6, 0x2A, 9), (6, 0x3F, 0x0E)
checks = 0


def expect(what, seen, wanted):
    global checks
    checks += 1
    if seen != wanted:
        sys.exit(f"FAILED: {what}: {str(seen)[:200]}, not {str(wanted)[:200]}")


def end_of(answer):
    """GOOD, another status, or (sense key, ASC, ASCQ)."""
    status, data = answer
    return (data[4] & 15, data[14], data[15]) if status == CHECK_CONDITION else status


def ready(initiator, lun=0):
    return end_of(initiator.do((0,) * 6, lun=lun))


def write(initiator, block, lun=0, data=bytes(4096)):
    return end_of(initiator.do(struct.pack(">BBIBHB", 0x2A, 0, block, 0, 8, 0), data, lun=lun))


def read(initiator, block, lun=0):
    """What is there, or how it ended."""
    answer = initiator.do(struct.pack(">BBIBHB", 0x28, 0, block, 0, 8, 0), in_bytes=4096, lun=lun)
    return answer[1] if answer[0] == GOOD else end_of(answer)


def blocks(initiator, lun=0):
    """READ CAPACITY(16)."""
    _, data = initiator.do(struct.pack(">BBQIBB", 0x9E, 0x10, 0, 32, 0, 0), in_bytes=32, lun=lun)
    return int.from_bytes(data[:8], "big") + 1


def luns(initiator):
    _, data = initiator.do(struct.pack(">BBBBBBIBB", 0xA0, 0, 0, 0, 0, 0, 1024, 0, 0), in_bytes=1024)
    return [data[at + 1] for at in range(8, len(data), 8)]


def reload(server, *said):
    """Has it read anew; it must say each of these, in this order."""
    server.process.send_signal(signal.SIGHUP)
    lines = ""
    for words in said:
        while words not in lines:
            line = server.process.stdout.readline().decode()
            if not line:
                sys.exit(f"FAILED: the server ended, and said: {lines}")
            lines = lines + line
        lines = lines[lines.index(words) + len(words):]


def end(server):
    server.process.send_signal(signal.SIGTERM)
    rest = server.process.stdout.read().decode()
    expect("the end of the server", (server.process.wait(), "ERROR" in rest), (0, False))


def a_file_that_grows(folder):
    path = os.path.join(folder, "data.img")
    with open(path, "wb") as file:
        file.truncate(16 * MIB)
    server = Server(f"data={path}", "scratch=16MiB")
    initiator, other = Initiator(server.port, "one"), Initiator(server.port, "two")
    for who in (initiator, other):
        expect("the second disk", ready(who, 1), RESET)
    expect("the size", blocks(initiator), 16 * MIB // 512)
    expect("a write at the end", write(initiator, 32768 - 8), GOOD)
    expect("a write behind it", write(initiator, 32768), BEYOND_THE_END)
    os.truncate(path, 32 * MIB + 700)
    expect("before anybody is told", write(initiator, 32768), BEYOND_THE_END)
    reload(server, "the secrets were read again",
           f"disk 'san1.data', LUN 0, has grown from {16 * MIB} to {32 * MIB + 512} bytes")
    for who in (initiator, other):
        expect("the first command", ready(who), CAPACITY_CHANGED)
        expect("the next", ready(who), GOOD)
        expect("the other disk", ready(who, 1), GOOD)
    expect("the new size", blocks(initiator), 32 * MIB // 512 + 1)
    data = os.urandom(4096)
    expect("a write in the new part", write(initiator, 65536 - 8, data=data), GOOD)
    expect("what the other reads there", read(other, 65536 - 8), data)
    expect("what was never written", read(other, 32768), bytes(4096))
    expect("a write behind the new end", write(initiator, 65536 + 1), BEYOND_THE_END)
    reload(server, "the secrets were read again")  # nothing is new
    expect("a command", ready(initiator), GOOD)
    os.truncate(path, 24 * MIB)
    reload(server, "the file of disk 'san1.data' is cut short")
    expect("the size stays", blocks(initiator), 32 * MIB // 512 + 1)
    expect("what is gone", read(initiator, 65536 - 8), MEDIUM_ERROR)
    end(server)


TOPOLOGY = """kind: topology
format: 1
name: reload
defaults:
  cable: {{speed: 10 Gbit/s, length: 5 m}}
switches:
  switch-1: {{ports: 8}}
hosts:
  hv1:
    profile: windows-server-2022
    nics:
      iscsi1: {{address: 172.16.1.10/24}}
    sessions:
      - {{from: iscsi1, to: san1.port-a}}
arrays:
  san1:
    profile: array-generic
    target: {target}
    nics:
      port-a: {{address: 172.16.1.1/24}}
    disks:
{disks}
cables:
  hv1-1: {{from: hv1.iscsi1, to: switch-1.1}}
  san1-1: {{from: san1.port-a, to: switch-1.8}}
"""
TARGET = "iqn.2026-01.lab.iscsilab:san1"
DATA, LOG, LATE = ("data", "16 MiB", ""), ("log", "16 MiB", ""), ("late", "64 MiB", ", thin: true")


def disks_that_come(folder):
    path = os.path.join(folder, "array.yaml")

    def say(*disks, target=TARGET):
        with open(path, "w", encoding="utf-8") as file:
            file.write(TOPOLOGY.format(target=target, disks="\n".join(
                f"      {name}: {{size: {size}{more}}}" for name, size, more in disks)))

    say(DATA, LOG)
    # With service times there is another store before each, and with --ctl faults look at it.
    server = Server(options=("--topology", path, "--service-times", "--ctl", os.path.join(folder, "ctl")))
    initiator = Initiator(server.port, "one")
    expect("the second disk", ready(initiator, 1), RESET)
    expect("what there is", luns(initiator), [0, 1])
    expect("a disk that is not there", ready(initiator, 2), (5, 0x25, 0))

    grown = ("data", "40 MiB", "")
    data = os.urandom(4096)
    expect("a write", write(initiator, 8, data=data), GOOD)
    say(grown, LOG, LATE)
    reload(server, "the secrets were read again",
           f"disk 'san1.data', LUN 0, has grown from {16 * MIB} to {40 * MIB} bytes",
           "disk 'san1.late' is there as LUN 2")
    expect("the first command", ready(initiator), CAPACITY_CHANGED)
    expect("the next", ready(initiator), LUNS_CHANGED)
    expect("the other disk", ready(initiator, 1), LUNS_CHANGED)
    expect("what there is", luns(initiator), [0, 1, 2])
    expect("the new disk", ready(initiator, 2), RESET)
    expect("its size", blocks(initiator, 2), 64 * MIB // 512)
    expect("a write to it", write(initiator, 131072 - 8, 2, data), GOOD)
    expect("what it has", read(initiator, 131072 - 8, 2), data)
    expect("the size of the first", blocks(initiator), 40 * MIB // 512)
    expect("what it had", read(initiator, 8), data)
    expect("a write in its new part", write(initiator, 81920 - 8, data=data), GOOD)
    expect("who comes now", luns(Initiator(server.port, "two")), [0, 1, 2])

    # What cannot be: nothing of it is done, though the rest of the file would be fine.
    larger = ("data", "48 MiB", "")
    for said, disks, target in (("LUN 1 is disk 'log' here, and 'late' in the file", (larger, LATE, LOG), TARGET),
                                ("disk 'san1.late' cannot go away", (larger, LOG), TARGET),
                                ("disk 'san1.log' cannot shrink", (larger, ("log", "8 MiB", ""), LATE), TARGET),
                                ("disk 'san1.log' can change nothing but its size",
                                 (larger, ("log", "16 MiB", ", block: 4 KiB"), LATE), TARGET),
                                ("the target's name cannot change", (larger, LOG, LATE), TARGET + "x"),
                                ("has errors", (larger, ("log", "much", ""), LATE), TARGET)):
        say(*disks, target=target)
        reload(server, "the array stays as it was", said)
        expect("a command", ready(initiator), GOOD)
        expect("the size", blocks(initiator), 40 * MIB // 512)
    say(larger, LOG, LATE, ("last", "16 MiB", ""))
    reload(server, "disk 'san1.last' is there as LUN 3")
    expect("the first command", ready(initiator), CAPACITY_CHANGED)
    expect("what there is", luns(initiator), [0, 1, 2, 3])
    end(server)


a_file_that_grows(sys.argv[1])
disks_that_come(sys.argv[1])
print(f"reload: {checks} checks passed")
