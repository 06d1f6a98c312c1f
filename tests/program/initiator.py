"""An iSCSI initiator in few lines, for tests that want to see every answer, and a server for it."""
import os
import re
import select
import signal
import socket
import struct
import subprocess

TARGET = "iqn.2026-01.lab.iscsilab:san1"
GOOD, CHECK_CONDITION = 0, 2


class Initiator:
    """A session of one connection (RFC 7143), without digests."""

    def __init__(self, port, name, keys=()):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.cmd_sn, self.exp_stat_sn, self.itt = 1, 0, 0
        keys = (f"InitiatorName=iqn.2026-01.test:{name}", f"TargetName={TARGET}", "SessionType=Normal",
                "HeaderDigest=None", "DataDigest=None", "InitialR2T=No", "ImmediateData=Yes",
                "MaxRecvDataSegmentLength=262144", "FirstBurstLength=262144", "MaxBurstLength=262144",
                "DefaultTime2Wait=0", "DefaultTime2Retain=0", "MaxOutstandingR2T=1", "ErrorRecoveryLevel=0",
                "MaxConnections=1", *keys)
        text = b"".join(key.encode() + b"\0" for key in keys)
        while True:  # until the target agrees to leave the stage
            isid = bytes((0x80, 0, 0, 0, 0, 1))
            self.send(struct.pack(">BBBBI6sHIHHII16x", 0x43, 0x87, 0, 0, len(text), isid, 0, 0, 0, 0, self.cmd_sn,
                                  self.exp_stat_sn), text)
            answer, _ = self.take_pdu(True)
            if answer[0] & 0x3F != 0x23 or answer[36] != 0:
                raise RuntimeError(f"the login was refused with {answer[36]:02x}{answer[37]:02x}")
            self.exp_stat_sn = int.from_bytes(answer[24:28], "big") + 1
            text = b""
            if answer[1] & 0x80:
                break
        while self.do((0x00,) + (0,) * 5)[0] != GOOD:
            pass  # unit attentions

    def send(self, header, data=b""):
        self.sock.sendall(header + data + b"\0" * (-len(data) % 4))

    def take_pdu(self, waits):
        """(header, data) of the next PDU; None if there is none yet; EOFError at the end."""
        while True:
            if len(self.received) >= 48:
                bytes_ = int.from_bytes(self.received[5:8], "big")
                end = 48 + bytes_ + (-bytes_ % 4)
                if len(self.received) >= end:
                    header, data = self.received[:48], self.received[48:48 + bytes_]
                    self.received = self.received[end:]
                    return header, data
            if not waits and not select.select([self.sock], [], [], 0)[0]:
                return None
            try:
                more = self.sock.recv(1 << 20)
            except ConnectionResetError as error:
                raise EOFError from error
            if not more:
                raise EOFError
            self.received += more

    def start(self, cdb, data_out=b"", in_bytes=0, lun=0):
        """Sends a command; returns its tag."""
        self.itt += 1
        flags = 0x80 | (0x40 if in_bytes else 0) | (0x20 if data_out else 0) | 1
        header = struct.pack(">BBHI8sIIII16s", 0x01, flags, 0, len(data_out), bytes((0, lun)) + bytes(6), self.itt,
                             len(data_out) or in_bytes, self.cmd_sn, self.exp_stat_sn, bytes(cdb))
        self.cmd_sn += 1
        self.send(header, data_out)
        return self.itt

    def answer(self, waits):
        """(tag, status, data) of a command that ended; None: none yet."""
        collected = b""
        while True:
            pdu = self.take_pdu(waits or collected)
            if pdu is None:
                return None
            header, data = pdu
            opcode = header[0] & 0x3F
            if opcode == 0x25:
                collected += data
                if header[1] & 1:
                    self.exp_stat_sn = int.from_bytes(header[24:28], "big") + 1
                    return int.from_bytes(header[16:20], "big"), header[3], collected
            elif opcode == 0x21:
                self.exp_stat_sn = int.from_bytes(header[24:28], "big") + 1
                return int.from_bytes(header[16:20], "big"), header[3], collected or data
            elif opcode != 0x20:
                raise RuntimeError(f"a PDU {opcode:02x}")

    def manage(self, function, lun=0, tag=0xFFFFFFFF):
        """(response, additional response information) of a task management function, sent immediate."""
        self.send(struct.pack(">BBHI8sIIIIIIQ", 0x42, 0x80 | function, 0, 0, bytes((0, lun)) + bytes(6), 0x70000000, tag,
                              self.cmd_sn, self.exp_stat_sn, 0, 0, 0))
        header, _ = self.take_pdu(True)
        if header[0] & 0x3F != 0x22:
            raise RuntimeError(f"a PDU {header[0] & 0x3f:02x} for a task management function")
        self.exp_stat_sn = int.from_bytes(header[24:28], "big") + 1
        return header[2], header[8:11]

    def do(self, cdb, data_out=b"", in_bytes=0, lun=0):
        """(status, data in, or sense length and sense) of a command."""
        self.start(cdb, data_out, in_bytes, lun)
        return self.answer(True)[1:]


class Server:
    """'iscsilab serve' on a port that nobody has."""

    def __init__(self, *disks, options=(), environment=None):
        for _ in range(20):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            self.process = subprocess.Popen([os.environ["ISCSILAB"], "serve", "--listen",
                                             f"127.0.0.1:{self.port}", *(f"--disk={disk}" for disk in disks), *options], stdout=subprocess.PIPE,
                                            stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})})
            said = self.process.stdout.readline().decode()
            if re.search("listens on", said):
                return
            self.process.wait()
        raise RuntimeError(f"serve did not start: {said}")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
