"""sctp.py: enough of RFC 9260 to make packets by hand, and a peer that can misbehave.

Owns bytes of packets. Knows nothing of lazychat. The peer is one association over UDP (RFC 6951).
"""

import collections
import random
import socket
import struct
import time

DATA, INIT, INIT_ACK, SACK, HEARTBEAT, HEARTBEAT_ACK, ABORT = 0, 1, 2, 3, 4, 5, 6
SHUTDOWN, SHUTDOWN_ACK, ERROR, COOKIE_ECHO, COOKIE_ACK, SHUTDOWN_COMPLETE = 7, 8, 9, 10, 11, 14
FORWARD_TSN = 192
PORT = 2013
# A message that came, and how.
Heard = collections.namedtuple("Heard", "payload stream ppid unordered")


def _table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = _table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def seal(packet):
    """The packet with its checksum put right."""
    blank = packet[:8] + bytes(4) + packet[12:]
    return packet[:8] + struct.pack("<I", crc32c(blank)) + packet[12:]


def chunk(kind, flags, body):
    return struct.pack(">BBH", kind, flags, 4 + len(body)) + body + bytes(-len(body) % 4)


def packet(source, destination, tag, *chunks):
    return seal(struct.pack(">HHII", source, destination, tag, 0) + b"".join(chunks))


def init_packet(source=4000, destination=PORT, tag=0x12345678):
    return packet(source, destination, 0, chunk(INIT, 0, struct.pack(">IIHHI", tag, 1 << 20, 3, 3, 1)))


def chunks_of(data):
    """(type, flags, body) of each chunk of a packet."""
    at = 12
    while at + 4 <= len(data):
        kind, flags, length = struct.unpack_from(">BBH", data, at)
        if length < 4:
            return
        yield kind, flags, data[at + 4 : at + length]
        at += length + -length % 4


class Peer:
    """One association, made by hand. It answers only while one of its calls is under way."""

    def __init__(self, address, sctp_port=PORT, seed=1, partial=False):
        """partial: says in its INIT that it knows FORWARD TSN (RFC 3758), so it may be spared old news."""
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.connect(address)
        numbers = random.Random(seed)
        self.ports = (numbers.randrange(1024, 65536), sctp_port)
        self.tag = numbers.randrange(1, 1 << 32)
        self.tsn = numbers.randrange(1 << 32)
        self.sequences = collections.Counter()  # of each stream
        self.partial = partial
        self.sent = []  # every packet that left
        self.received = []  # (kind, flags, body) of every chunk that came
        self.delay = 0  # how many of the latest DATA chunks it does not acknowledge yet
        self.window = 1 << 20  # how much it says that it has room for; 0: it does not read
        self.lossy = False  # DATA does not arrive: it goes to `lost`
        self.lost = []
        self.ended = False  # by the other side
        self._pending = b""
        self.messages = []  # payloads that came, put together again
        self.heard = []  # the same as Heard, until somebody takes them
        self._connect()

    def _connect(self):
        self.their_tag = 0
        knows = chunk(0xC0, 0, b"") if self.partial else b""  # the parameter 0xC000, without a value
        self.write(chunk(INIT, 0, struct.pack(">IIHHI", self.tag, 1 << 20, 3, 3, self.tsn) + knows))
        body = self.until(INIT_ACK)
        self.their_tag, _, _, _, their_tsn = struct.unpack_from(">IIHHI", body)
        self.cumulative = (their_tsn - 1) % (1 << 32)
        at, cookie = 16, None
        while at + 4 <= len(body):
            kind, length = struct.unpack_from(">HH", body, at)
            if kind == 7:
                cookie = body[at + 4 : at + length]
            at += length + -length % 4
        self.write(chunk(COOKIE_ECHO, 0, cookie))
        self.until(COOKIE_ACK)

    def write(self, *chunks):
        self.sent.append(packet(*self.ports, self.their_tag, *chunks))
        self.socket.send(self.sent[-1])

    def data(self, payload, ppid=0, flags=3, stream=0):
        """A DATA chunk, the next one; flags 3: beginning and end of a message in one; 4: unordered."""
        made = chunk(DATA, flags, struct.pack(">IHHI", self.tsn, stream, self.sequences[stream] % (1 << 16), ppid) + payload)
        self.tsn = (self.tsn + 1) % (1 << 32)
        if flags & 5 == 1:
            self.sequences[stream] += 1
        return made

    def say(self, payload, ppid=0, stream=0, unordered=False):
        """A message, in as many packets as it needs."""
        parts = [payload[at : at + 1100] for at in range(0, len(payload), 1100)] or [b""]
        for number, part in enumerate(parts):
            flags = (2 if number == 0 else 0) | (1 if number + 1 == len(parts) else 0) | (4 if unordered else 0)
            self.write(self.data(part, ppid, flags, stream))

    def _take(self, kind, flags, body):
        if self.lossy and kind == DATA:
            self.lost.append((kind, flags, body))
            return
        self.received.append((kind, flags, body))
        if kind == DATA:
            (tsn,) = struct.unpack_from(">I", body)
            if tsn == (self.cumulative + 1) % (1 << 32):
                self.cumulative = tsn
                self._pending = (b"" if flags & 2 else self._pending) + body[12:]
                if flags & 1:
                    _, stream, _, ppid = struct.unpack_from(">IHHI", body)
                    self.messages.append(self._pending)
                    self.heard.append(Heard(self._pending, stream, ppid, bool(flags & 4)))
            self.acknowledge()
        elif kind == FORWARD_TSN:
            (tsn,) = struct.unpack_from(">I", body)
            if (tsn - self.cumulative) % (1 << 32) < 1 << 31:
                self.cumulative = tsn
            self.acknowledge()
        elif kind in (ABORT, SHUTDOWN):
            self.ended = True
            if kind == SHUTDOWN:
                self.write(chunk(SHUTDOWN_ACK, 0, b""))
        elif kind == HEARTBEAT:
            self.write(chunk(HEARTBEAT_ACK, 0, body))

    def acknowledge(self):
        acknowledged = (self.cumulative - self.delay) % (1 << 32)
        self.write(chunk(SACK, 0, struct.pack(">IIHH", acknowledged, self.window, 0, 0)))

    def turn(self, seconds):
        """Takes one packet, if one comes in time."""
        self.socket.settimeout(max(seconds, 0.001))
        try:
            data = self.socket.recv(65536)
        except (TimeoutError, ConnectionRefusedError):
            return
        for kind, flags, body in list(chunks_of(data)):
            self._take(kind, flags, body)

    def until(self, kind, seconds=10):
        """Answers what comes until a chunk of that kind; returns its body."""
        deadline, seen = time.monotonic() + seconds, len(self.received)
        while time.monotonic() < deadline:
            for one in self.received[seen:]:
                seen += 1
                if one[0] == kind:
                    return one[2]
            self.turn(deadline - time.monotonic())
        raise AssertionError(f"no chunk of type {kind} in {seconds} s; there were {[one[0] for one in self.received]}")

    def until_message(self, payload, seconds=10):
        deadline = time.monotonic() + seconds
        while payload not in self.messages:
            assert time.monotonic() < deadline, f"{payload!r} did not come; there were {self.messages[-5:]}"
            self.turn(deadline - time.monotonic())

    def abort(self):
        """Gone, and says so."""
        try:
            self.write(chunk(ABORT, 0, b""))
        except OSError:
            pass  # the server is gone already
        self.close()

    def close(self):
        """Gone without a word."""
        self.socket.close()
