"""100,000 datagrams of junk on the UDP port neither crash nor leak nor disturb a running chat."""

import random
import select
import socket
import struct
import threading
import time

import pytest

import sctp
from programs import sanitized

DATAGRAMS = 100_000
ROUND = 250  # datagrams between two lines of the chat
SECONDS = 30
# Peers that junk makes for a while (an INIT is an INIT) are in this, and are no leak.
GROWTH = 8 << 20


class Relay:
    """Carries datagrams between clients and a server, and keeps a copy of each."""

    def __init__(self, port):
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind(("127.0.0.1", 0))
        self.back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.back.connect(("127.0.0.1", port))
        self.wake, self.woken = socket.socketpair()
        self.port = self.front.getsockname()[1]
        self.packets = []
        self.thread = threading.Thread(target=self._carry, daemon=True)
        self.thread.start()

    def _carry(self):
        client = None
        while True:
            ready, _, _ = select.select([self.front, self.back, self.woken], [], [])
            if self.woken in ready:
                return
            if self.front in ready:
                data, client = self.front.recvfrom(65536)
                self.back.send(data)
                self.packets.append(data)
            if self.back in ready:
                data = self.back.recv(65536)
                self.front.sendto(data, client)
                self.packets.append(data)

    def close(self):
        self.wake.send(b".")
        self.thread.join()
        for each in (self.front, self.back, self.wake, self.woken):
            each.close()


@pytest.fixture
def relay(server):
    made = Relay(server.port)
    yield made
    made.close()


def record(relay, join, server):
    """Real packets of a whole life: hand-shake, messages small and large, heartbeat, end."""
    eve = join(server, port=relay.port)
    for size in (1, 10, 100, 1000, 3000):
        eve.say("e" * size)
        eve.out.wait_text("e" * size + "\n")
    eve.end_input()
    assert eve.wait() == 0
    packets = [data for data in list(relay.packets) if len(data) >= 16]
    kinds = {kind for data in packets for kind, _, _ in sctp.chunks_of(data)}
    assert {sctp.DATA, sctp.INIT, sctp.SACK, sctp.COOKIE_ECHO, sctp.SHUTDOWN} <= kinds
    return [data for data in packets if len(data) <= 1500]


def random_bytes(numbers, _):
    return numbers.randbytes(numbers.choice((0, 1, 4, 11, 12, 13, 16, 20, 100, 1400)))


def sealed_random(numbers, _):
    """A header that is right, chunks that are none."""
    return sctp.packet(numbers.randrange(65536), sctp.PORT, numbers.choice((0, numbers.getrandbits(32))), numbers.randbytes(60))


def truncated(numbers, packets):
    data = numbers.choice(packets)
    return data[: numbers.randrange(len(data))]


def sealed_truncated(numbers, packets):
    data = numbers.choice(packets)
    return sctp.seal(data[: numbers.randrange(12, len(data))])


def flip(numbers, data, start=0):
    data = bytearray(data)
    for _ in range(numbers.choice((1, 1, 2, 8))):
        bit = numbers.randrange(start * 8, min(len(data), 200) * 8)
        data[bit // 8] ^= 1 << bit % 8
    return bytes(data)


def flipped(numbers, packets):
    return flip(numbers, numbers.choice(packets))


def sealed_flipped(numbers, packets):
    """What gets past the checksum, with the verification tag it had."""
    return sctp.seal(flip(numbers, numbers.choice(packets), 8))


def glued(numbers, packets):
    """Chunks of several packets in one."""
    parts = [numbers.choice(packets) for _ in range(3)]
    return sctp.seal(parts[0][:12] + b"".join(part[12:] for part in parts))[:1500]


def init_of_all_sorts(numbers, _):
    """INIT is what a stranger may send: with parameters that are cut, endless, unknown or of no length."""
    parameters = b""
    for _ in range(numbers.randrange(6)):
        kind = numbers.choice((0, 5, 6, 7, 9, 11, 12, 0x8000, 0x8002, 0x8003, 0x8004, 0x8008, 0xC000, 0xC006, 0xFFFF))
        body = numbers.randbytes(numbers.randrange(24))
        parameters += struct.pack(">HH", kind, numbers.choice((0, 1, 4, 4 + len(body), 4 + len(body), 65535))) + body
    streams = numbers.choice((0, 1, 3, 65535))
    body = struct.pack(">IIHHI", numbers.getrandbits(32), numbers.choice((0, 1, 1 << 20)), streams, streams, 1) + parameters
    return sctp.packet(numbers.randrange(65536), sctp.PORT, 0, sctp.chunk(sctp.INIT, numbers.randrange(256), body))


CHEAP = [random_bytes, truncated, flipped]
SEALED = [sealed_random, sealed_truncated, sealed_flipped, glued, init_of_all_sorts]


class Chat:
    """Two that talk while it rains; each line has to come back, in order, before the next is said. What junk manages to
    say is no line of this form: a COOKIE ECHO that is replayed in time, with DATA behind it, is a peer that talks."""

    def __init__(self, join, server):
        self.clients = [join(server), join(server)]
        self.said = []

    def round(self):
        self.said.append(b"line %d" % len(self.said))
        self.clients[len(self.said) % 2].say(self.said[-1] + b"\n")
        for client in self.clients:
            client.out.wait_text(self.said[-1] + b"\n")

    def check(self):
        for client in self.clients:
            assert [line for line in client.out.lines() if line.startswith(b"line ")] == self.said
            assert client.running()


def rain(chat, make, sockets, numbers, count, deadline):
    """Sends so many; after each round the chat has to work, and the server has taken them all."""
    done = 0
    while done < count:
        for _ in range(ROUND):
            sockets[done % len(sockets)].send(make())
            done += 1
        chat.round()
        assert time.monotonic() < deadline, f"only {done} of {count} in time"


def test_junk(server, join, relay):
    """Random bytes; real packets truncated and bit-flipped, some with their checksum put right."""
    numbers = random.Random(2013)
    packets = record(relay, join, server)
    chat = Chat(join, server)
    chat.round()
    # Made before: what is measured is the server.
    cheap = [kind(numbers, packets) for _ in range(DATAGRAMS // 100) for kind in CHEAP]
    sealed = [kind(numbers, packets) for _ in range(DATAGRAMS // 50) for kind in SEALED]
    sockets = [relay.back] + [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
    for one in sockets[1:]:
        one.connect(("127.0.0.1", server.port))
    deadline = time.monotonic() + SECONDS * (4 if sanitized() else 1)

    # What it costs to have been junked at all is there after the first tenth.
    def make():
        return numbers.choice(sealed if numbers.random() < 0.4 else cheap)

    rain(chat, make, sockets, numbers, DATAGRAMS // 10, deadline)
    before = server.rss()
    rain(chat, make, sockets, numbers, DATAGRAMS - DATAGRAMS // 10, deadline)
    grown = server.rss() - before
    chat.check()
    assert sanitized() or grown < GROWTH, f"memory grew by {grown >> 10} kB"
    for line in server.err.text().splitlines():
        assert line.isprintable() and " info " in line
    for one in sockets[1:]:
        one.close()


def test_junk_within_associations(server, join, connect):
    """The same from peers the server knows: chunks bit-flipped, with the right tag and checksum, in their own association.
    Such a peer may lose its association; nobody else may notice."""
    numbers = random.Random(6951)
    chat = Chat(join, server)
    templates = [
        (sctp.SACK, struct.pack(">IIHH", 1, 1 << 20, 0, 0)),
        (sctp.SACK, struct.pack(">IIHHHHI", 1, 1 << 20, 1, 1, 2, 9, 7)),
        (sctp.HEARTBEAT, struct.pack(">HH", 1, 12) + b"whatever"),
        (sctp.HEARTBEAT_ACK, struct.pack(">HH", 1, 44) + bytes(40)),
        (sctp.ERROR, struct.pack(">HHI", 1, 8, 1)),
        (sctp.SHUTDOWN, struct.pack(">I", 1)),
        (sctp.COOKIE_ECHO, bytes(200)),
        (sctp.INIT, struct.pack(">IIHHI", 7, 1 << 20, 3, 3, 1)),
        (192, struct.pack(">I", 1) + struct.pack(">HH", 0, 1)),  # FORWARD TSN
        (193, struct.pack(">I", 1) + bytes(20)),  # ASCONF
        (130, struct.pack(">HHIIIHH", 13, 20, 1, 1, 1, 0, 1)),  # RE-CONFIG: reset outgoing streams
        (130, struct.pack(">HHIHH", 17, 12, 1, 100, 0)),  # RE-CONFIG: add outgoing streams
        (64, struct.pack(">IHHII", 1, 0, 0, 1, 0) + b"I-DATA"),
        (132, bytes(12)),  # PAD
        (15, struct.pack(">HH", 1, 1) + bytes(20)),  # AUTH
    ]
    deadline = time.monotonic() + SECONDS * (4 if sanitized() else 1)
    for number in range(100):
        peer = connect(server, seed=number + 10)
        for _ in range(100):
            kind, body = numbers.choice(templates)
            made = [sctp.chunk(kind, numbers.choice((0, 0, 1, 255)), body)]
            if numbers.random() < 0.3:
                made.append(peer.data(numbers.randbytes(numbers.randrange(1, 50)), flags=numbers.choice((0, 1, 2, 3, 4, 7))))
            if numbers.random() < 0.8:
                whole = flip(numbers, bytes(12) + b"".join(made), 12)[12:]
                made = [whole[: numbers.choice((len(whole), len(whole), numbers.randrange(len(whole))))]]
            try:
                peer.write(*made)
            except ConnectionRefusedError:
                pass
        peer.abort()
        chat.round()
        assert time.monotonic() < deadline
    chat.check()
    for line in server.err.text().splitlines():
        assert line.isprintable()


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_parameter_without_length(server, connect, length):
    """One datagram must not stop the server: INIT from a peer that has an association, with a parameter whose length
    does not even hold itself (RFC 9260, section 3.2.1). Found by test_junk with the seed 12."""
    peer = connect(server)
    parameter = struct.pack(">HH", 0xC000, length)
    peer.socket.send(sctp.packet(*peer.ports, 0, sctp.chunk(sctp.INIT, 0, struct.pack(">IIHHI", 7, 1 << 20, 3, 3, 1) + parameter)))
    peer.say(b"still here")
    try:
        peer.until_message(b"still here", 1)
    except AssertionError:
        server.may_be_gone = True  # it cannot be ended in order
        raise
