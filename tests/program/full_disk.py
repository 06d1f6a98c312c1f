#!/usr/bin/env python3
"""full_disk.py FOLDER: 'iscsilab serve' on a disk whose file system (FOLDER, of 4 MiB) gets full, beside
one in memory, and on a file that somebody cuts short.

ISCSILAB is the program. Exit code 1 when a sense is not what it should be, or anything else is harmed.
"""
import os
import resource
import struct
import sys

from initiator import CHECK_CONDITION, GOOD, Initiator, Server

BLOCK = 4096
NO_SPACE = (0x07, 0x27, 0x07)  # DATA PROTECT, SPACE ALLOCATION FAILED WRITE PROTECT (SBC-3, 4.7.3.6)
UNRECOVERED = (0x03, 0x11, 0x00)  # MEDIUM ERROR, UNRECOVERED READ ERROR
WRITE_ERROR = (0x03, 0x0C, 0x00)  # MEDIUM ERROR, WRITE ERROR


def expect(what, seen, wanted):
    if seen != wanted:
        sys.exit(f"FAILED: {what}: {str(seen)[:100]}, not {str(wanted)[:100]}")
    print(f"as it should be: {what}")


def content(number):
    return struct.pack(">Q", number + 1) * (BLOCK // 8)


def sense_of(answer):
    status, data = answer
    return (data[4] & 15, data[14], data[15]) if status == CHECK_CONDITION else status


def write(initiator, number, lun=0):
    cdb = struct.pack(">BBIBHB", 0x2A, 0, number * 8, 0, 8, 0)
    return sense_of(initiator.do(cdb, content(number), lun=lun))


def read(initiator, number, lun=0):
    return initiator.do(struct.pack(">BBIBHB", 0x28, 0, number * 8, 0, 8, 0), in_bytes=BLOCK, lun=lun)


def unmap(initiator, number):
    data = struct.pack(">HH4xQI4x", 22, 16, number * 8, 8)
    return sense_of(initiator.do(struct.pack(">BB5xHB", 0x42, 0, len(data), 0), data))


def main():
    image = os.path.join(sys.argv[1], "disk.img")
    with open(image, "wb") as file:
        file.truncate(64 << 20)
    server = Server(f"data={image}", "other=64MiB")
    try:
        initiator = Initiator(server.port, "full")
        while initiator.do(bytes(6), lun=1)[0] != GOOD:
            pass
        full_at = next((n for n in range(64 << 20 >> 12) if write(initiator, n) != GOOD), None)
        if not full_at:
            sys.exit(f"FAILED: the disk was full after {full_at} blocks")
        print(f"{full_at} blocks of 4 KiB fit")
        expect("a write to a full disk", write(initiator, full_at), NO_SPACE)
        expect("a write to what is there already", write(initiator, 0), GOOD)
        expect("a write to the other disk", write(initiator, full_at, lun=1), GOOD)
        bad = [n for n in range(full_at) if read(initiator, n) != (GOOD, content(n))]
        expect("blocks that were harmed", bad, [])
        expect("UNMAP of one", unmap(initiator, 5), GOOD)
        expect("the write that had no room", write(initiator, full_at), GOOD)
        expect("a flush", sense_of(initiator.do(bytes((0x35,) + (0,) * 9))), GOOD)
        before = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (BLOCK * 16, before[1]))
        expect("a write behind what a file may have (RLIMIT_FSIZE)", write(initiator, 20), NO_SPACE)
        expect("a write before it", write(initiator, 15), GOOD)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, before)
        with open(image, "r+b") as file:
            file.truncate(BLOCK * 8)
        expect("a write behind the end of a file cut short", write(initiator, 30), WRITE_ERROR)
        expect("a read behind the end of a file cut short", sense_of(read(initiator, 20)), UNRECOVERED)
        expect("a read before it", read(initiator, 3), (GOOD, content(3)))
        expect("a read of the other disk", read(initiator, full_at, lun=1), (GOOD, content(full_at)))
    finally:
        server.kill()


if __name__ == "__main__":
    main()
