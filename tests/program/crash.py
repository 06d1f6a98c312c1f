#!/usr/bin/env python3
"""crash.py ROUNDS [HELD_BACK.so [lies]]: 'iscsilab serve' is killed in the middle of its work.

An initiator of its own writes to a disk in a file, 16 commands at a time, and changes persistent
reservations (APTPL), until the server dies by SIGKILL at a moment of chance. The next one serves the
same file, and everything that was acknowledged has to be there:

without HELD_BACK.so   every write that was answered: the machine's page cache outlives the process
with it                what FUA or a SYNCHRONIZE CACHE promised: the library holds back the rest, as a
                       disk's cache, and loses it
with "lies"            the same, but flushing does nothing: the test must notice (exit code 1)

ISCSILAB is the program. Prints what was seen; exit code 1 when something acknowledged is lost.
"""
import os
import random
import struct
import sys
import tempfile
import time

from initiator import GOOD, Initiator, Server

SLOT = 4096
SLOTS = 1024
DEPTH = 16
DISK_BYTES = 16 << 20


class Lost(Exception):
    """What was promised is not there."""


def content(slot, version):
    return struct.pack(">QQ", version, slot) * (SLOT // 16)


class Writes:
    """What was written to each slot, and what was promised of it."""

    def __init__(self, is_cached):
        self.is_cached = is_cached  # only FUA and SYNCHRONIZE CACHE promise anything
        self.versions = {slot: [(0, 0, 0)] for slot in range(SLOTS)}  # (version, begun, ended): the promised, and later
        self.clock = 1
        self.version = 0
        self.under_way = {}  # tag: (slot, version, begun, fua), or the moment a flush began
        self.acknowledged = self.promised = self.lost = 0

    def busy(self):
        return {what[0] for what in self.under_way.values() if isinstance(what, tuple)}

    def begin(self, initiator):
        self.clock += 1
        if self.is_cached and random.random() < 0.04:
            self.under_way[initiator.start((0x35,) + (0,) * 9)] = self.clock
            return
        slot = random.choice([slot for slot in random.sample(range(SLOTS), DEPTH + 1) if slot not in self.busy()])
        fua = random.random() < 0.2
        self.version += 1
        cdb = struct.pack(">BBIBHB", 0x2A, 8 if fua else 0, slot * (SLOT // 512), 0, SLOT // 512, 0)
        tag = initiator.start(cdb, content(slot, self.version))
        self.under_way[tag] = (slot, self.version, self.clock, fua)
        self.versions[slot].append((self.version, self.clock, None))

    def keep_from(self, slot, version):
        """No older one may be there from now on."""
        self.versions[slot] = [each for each in self.versions[slot] if each[0] >= version]
        self.promised += 1

    def end(self, tag):
        what = self.under_way.pop(tag)
        self.clock += 1
        if not isinstance(what, tuple):  # a flush: all that was acknowledged before it began
            for slot, versions in self.versions.items():
                done = [each[0] for each in versions if each[2] is not None and each[2] < what]
                if done and done[-1] != versions[0][0]:
                    self.keep_from(slot, done[-1])
            return
        slot, version, begun, fua = what
        self.acknowledged += 1
        self.versions[slot] = [(each if each[0] != version else (version, begun, self.clock))
                               for each in self.versions[slot]]
        if fua or not self.is_cached:
            self.keep_from(slot, version)

    def check(self, initiator):
        self.under_way.clear()
        at_once = 64
        for first in range(0, SLOTS, at_once):
            cdb = struct.pack(">BBIBHB", 0x28, 0, first * (SLOT // 512), 0, at_once * (SLOT // 512), 0)
            status, data = initiator.do(cdb, in_bytes=at_once * SLOT)
            if status != GOOD or len(data) != at_once * SLOT:
                raise Lost(f"slots from {first} cannot be read: status {status}")
            for i in range(at_once):
                self.check_slot(first + i, data[i * SLOT:(i + 1) * SLOT])

    def check_slot(self, slot, data):
        version = int.from_bytes(data[:8], "big")
        versions = self.versions[slot]
        if version not in [each[0] for each in versions]:
            raise Lost(f"slot {slot} has version {version}, and {versions[0][0]} was promised")
        if data != (content(slot, version) if version else bytes(SLOT)):
            raise Lost(f"slot {slot}, version {version}, is torn")
        newest = [each[0] for each in versions if each[2] is not None]
        self.lost += bool(newest) and version < newest[-1]
        self.versions[slot] = [(version, 0, 0)]


class Reservations:
    """Keys and a reservation that survive a restart (SPC-4, 5.13.5.4): what is, and what may be."""

    def __init__(self):
        self.states = [(0, 0)]  # (key, type); the first was acknowledged, a second is under way
        self.changes = 0

    def change(self, initiator):
        """Sends a change; returns its tag."""
        key, kind = self.states[0]
        if key == 0 or random.random() < 0.5:  # REGISTER AND IGNORE EXISTING KEY
            new = (random.getrandbits(63) + 1, kind)
            action, fields = 6, struct.pack(">QQ4xBxxx", 0, new[0], 1)
            wanted = 0
        else:  # RESERVE or RELEASE
            wanted = kind or random.choice((1, 3, 5, 6))
            new = (key, 0 if kind else wanted)
            action, fields = 2 if kind else 1, struct.pack(">QQ4xBxxx", key, 0, 1)
        self.states.append(new)
        return initiator.start(struct.pack(">BBBxxIB", 0x5F, action, wanted, len(fields), 0), fields)

    def end(self):
        del self.states[0]
        self.changes += 1

    def check(self, initiator):
        status, data = initiator.do(struct.pack(">BBBxxxxHB", 0x5E, 0, 0, 256, 0), in_bytes=256)
        keys = struct.unpack(f">{(len(data) - 8) // 8}Q", data[8:]) if status == GOOD else ()
        _, data = initiator.do(struct.pack(">BBBxxxxHB", 0x5E, 1, 0, 256, 0), in_bytes=256)
        kind = data[21] & 15 if len(data) >= 24 else 0
        there = (keys[0] if keys else 0, kind)
        if len(keys) > 1 or there not in self.states:
            raise Lost(f"the reservation is {there}, and {self.states} was acknowledged")
        self.states = [there]


def storm(server, initiator, writes, reservations):
    """Work until the server is dead, and what it answered before."""
    change = None
    end = time.monotonic() + random.uniform(0.01, 0.08)
    is_dead = False
    try:
        while True:
            if not is_dead and time.monotonic() >= end:
                server.kill()
                is_dead = True
            while not is_dead and len(writes.under_way) < DEPTH:
                writes.begin(initiator)
            if not is_dead and change is None and random.random() < 0.1:
                change = reservations.change(initiator)
            answer = initiator.answer(is_dead)
            while answer:
                tag, status, _ = answer
                if status != GOOD:
                    raise RuntimeError(f"a command ended with {status}")
                if tag == change:
                    reservations.end()
                    change = None
                else:
                    writes.end(tag)
                answer = initiator.answer(False)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        if not is_dead:
            raise


def main():
    rounds = int(sys.argv[1])
    held_back = sys.argv[2] if len(sys.argv) > 2 else None
    seed = int(os.environ.get("SEED", random.SystemRandom().getrandbits(32)))
    random.seed(seed)
    writes = Writes(held_back is not None)
    reservations = Reservations()
    with tempfile.TemporaryDirectory() as work:
        image = os.path.join(work, "disk.img")
        with open(image, "wb") as file:
            file.truncate(DISK_BYTES)
        environment = {}
        if held_back:
            environment = {"HELD_BACK": image, "LD_PRELOAD": os.path.abspath(held_back)}
        if sys.argv[3:] == ["lies"]:
            environment["HELD_BACK_LIES"] = "1"
        try:
            for number in range(rounds + 1):
                server = Server(f"data={image}", environment=environment)
                try:
                    initiator = Initiator(server.port, "crash")
                    reservations.check(initiator)
                    writes.check(initiator)
                    if number < rounds:
                        storm(server, initiator, writes, reservations)
                finally:
                    server.kill()
        except Lost as lost:
            print(f"LOST in round {number}, seed {seed}: {lost}")
            sys.exit(1)
    print(f"{rounds} crashes, seed {seed}: {writes.acknowledged} writes acknowledged, {writes.promised} promised, all there; "
          f"{writes.lost} others were lost; reservations as they were, changed {reservations.changes} times")
    if writes.acknowledged < rounds or reservations.changes < rounds / 5 or bool(held_back) != bool(writes.lost):
        sys.exit("error: this run shows nothing")


if __name__ == "__main__":
    main()
