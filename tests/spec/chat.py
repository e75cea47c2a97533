"""chat.py: lazychat's own protocol for the tests: one who chats, and the world that a test has one in.

Owns: what was received and not yet expected, and ways in: the program lazychat (--json --raw), and for what a client
would not send an association made by hand, of RFC 9260 over UDP or a socket of the kernel's. Every wait is on what comes,
with a deadline; that nothing comes is known when a later request has been answered.
"""

import hashlib
import itertools
import json
import signal
import socket
import struct
import time

from programs import LAZYCHAT, PATIENCE
from sctp import Heard, Peer

CLASSIC, LOBBY, FIRST_ROOM = 2013, 2014, 2015
PPID = 51
CONVERSATION, BULK, EPHEMERAL = 0, 1, 2  # streams
# Of <linux/sctp.h>.
SOL_SCTP, SCTP_RECVRCVINFO, SCTP_SNDINFO, SCTP_RCVINFO, SCTP_UNORDERED, MSG_EOR = 132, 32, 2, 3, 1, 0x80


def secret_of(name):
    return hashlib.md5(name.encode()).hexdigest()


class Piped:
    """A way in: `lazychat --json --raw`. Lines are messages."""

    def __init__(self, program):
        self.program = program
        self.at = 0

    def send(self, payload):
        self.program.say(payload + b"\n")

    def receive(self, seconds):
        """What has come, or comes in time."""
        out = self.program.out
        with out.changed:
            out.changed.wait_for(lambda: out.ended or out.bytes.find(b"\n", self.at) >= 0, seconds)
            end = out.bytes.rfind(b"\n") + 1
            lines = bytes(out.bytes[self.at : end]).split(b"\n")[:-1] if end > self.at else []
            self.at = max(self.at, end)
        return [Heard(line, None, None, None) for line in lines]

    @property
    def ended(self):
        return self.program.out.ended

    def close(self):
        """Goes in order; by itself when the server ends, which is sooner than to wait for it."""
        self.program.signal(signal.SIGTERM)
        self.program.process.wait(PATIENCE)


class Handmade:
    """A way in: chunk by chunk. It acknowledges only while it is asked for what came."""

    def __init__(self, peer):
        self.peer = peer

    def send(self, payload, ppid=PPID, stream=CONVERSATION, unordered=False):
        self.peer.say(payload, ppid, stream, unordered)

    def receive(self, seconds):
        if not self.peer.heard:
            self.peer.turn(seconds)
        heard, self.peer.heard = self.peer.heard, []
        return heard

    def stop_reading(self):
        self.peer.window = 0

    def read_again(self):
        self.peer.window = 1 << 20
        self.peer.acknowledge()

    @property
    def ended(self):
        return self.peer.ended

    def close(self):
        self.peer.abort()


class Socket:
    """A way in: the kernel's SCTP."""

    def __init__(self, host, port, buffer=None):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)
        if buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect((host, port))
        self.socket.setsockopt(SOL_SCTP, SCTP_RECVRCVINFO, 1)
        self.part = b""
        self.ended = False

    def send(self, payload, ppid=PPID, stream=CONVERSATION, unordered=False):
        info = struct.pack("=HHIIi", stream, SCTP_UNORDERED if unordered else 0, socket.htonl(ppid), 0, 0)
        self.socket.settimeout(PATIENCE)
        try:
            self.socket.sendmsg([payload], [(SOL_SCTP, SCTP_SNDINFO, info)])
        except OSError:
            self.ended = True
            raise

    def receive(self, seconds):
        self.socket.settimeout(max(seconds, 0.001))
        try:
            data, control, flags, _ = self.socket.recvmsg(1 << 17, 256)
        except TimeoutError:
            return []
        except OSError:
            data = b""
        if not data:
            self.ended = True
            return []
        self.part += data
        if not flags & MSG_EOR:
            return []
        whole, self.part = self.part, b""
        stream, _, bits, ppid = struct.unpack_from("=HHH2xI", control[0][2])
        return [Heard(whole, stream, socket.ntohl(ppid), bool(bits & SCTP_UNORDERED))]

    def stop_reading(self):
        pass  # who does not ask does not read

    def read_again(self):
        pass

    def close(self):
        if self.socket.fileno() < 0:
            return
        # Gone at once and the port free: ABORT.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


ABSENT = object()
numbers = itertools.count(1)


class Message(dict):
    """A message, and how it was carried where that is known."""

    def __init__(self, heard):
        super().__init__(json.loads(heard.payload))
        self.heard = heard


class Chat:
    """One association that speaks the protocol. `came`: the messages that nobody has expected yet, in order."""

    def __init__(self, way):
        self.way = way
        self.came = []
        self.welcome = None

    # What it says.

    def raw(self, payload, **more):
        self.way.send(payload, **more)

    def send(self, **message):
        self.raw(json.dumps(message, ensure_ascii=False).encode())

    def say(self, text, **more):
        """Says it; returns what came back of it."""
        return self.ask("say", t="say", text=text, **more)

    def ask(self, answer, **message):
        """Sends it with an id; returns the answer that has it."""
        message.setdefault("id", f"ask-{next(numbers)}")
        self.send(**message)
        return self.expect(answer, id=message["id"])

    def refused(self, code, **message):
        """Sends it with an id; returns the error, which names that."""
        error = self.ask("error", **message)
        assert error["code"] == code, error
        return error

    def join(self, name=None, **more):
        """Joins as somebody; returns the welcome."""
        if name is not None:
            more = {"nick": name, "secret": secret_of(name), **more}
        self.send(t="join", **more)
        self.welcome = self.expect("welcome")
        if "nick" in more and self.welcome["nick"] != more["nick"]:
            self.expect("you", nick=more["nick"])
        return self.welcome

    # What it hears.

    def take(self, seconds):
        """What came in that time, onto `came`."""
        heard = self.way.receive(seconds)
        for each in heard:
            self.came.append(Message(each))
        return bool(heard)

    def search(self, wanted):
        for number, message in enumerate(self.came):
            if all(message.get(key, ABSENT) == value for key, value in wanted.items()):
                return number
        return None

    def expect(self, t, seconds=PATIENCE, **fields):
        """Waits for a message with these fields and takes it out of what came."""
        wanted = {"t": t, **fields}
        deadline = time.monotonic() + seconds
        while (found := self.search(wanted)) is None:
            left = deadline - time.monotonic()
            assert left > 0 and not (self.way.ended and not self.take(0)), f"no {wanted}, but {self.came[-20:]}"
            self.take(left)
        return self.came.pop(found)

    def sync(self):
        """Whatever the server had to do before is done and has come: the log has answered, and the lists' stream."""
        mark = f"sync-{next(numbers)}"
        self.send(t="open", room="lobby", id=mark)
        self.expect("room", id=mark)
        self.send(t="names", after=(1 << 53) - 1)
        self.expect("names")

    def nothing_more(self, t, **fields):
        """No such message came, nor does one."""
        self.sync()
        found = self.search({"t": t, **fields})
        assert found is None, self.came[found]

    def all(self, t, **fields):
        """All such messages that have come, taken out."""
        wanted = {"t": t, **fields}
        taken = []
        while (found := self.search(wanted)) is not None:
            taken.append(self.came.pop(found))
        return taken

    def until_ended(self, seconds=PATIENCE):
        """Until the server ends the association."""
        deadline = time.monotonic() + seconds
        while not self.way.ended:
            assert time.monotonic() < deadline, "the association did not end"
            self.take(0.05)
        while self.take(0):
            pass

    @property
    def account(self):
        return self.welcome["account"]

    def leave(self):
        self.way.close()


class World:
    """A server, on one transport, and those who chat there."""

    def __init__(self, transport, host, serve, start):
        self.transport = transport
        self.host = host
        self._serve = serve
        self._start = start
        self.server = None
        self.ways = []
        self.seeds = itertools.count(1)

    def serve(self, *options):
        """Starts lazychatd; whoever comes from now on comes to that one."""
        where = {"udp": f"udp:{self.host}:0", "sctp": f"sctp:{self.host}"}[self.transport]
        self.server = self._serve("--listen", where, *options)
        return self.server

    def restart(self, *options):
        """Ends the server in order and starts it again. Who was in is out."""
        self.leave()
        assert self.server.end() == 0, self.server.err.text()
        self.server.may_be_gone = True
        return self.serve(*options)

    def _keep(self, way):
        self.ways.append(way)
        return way

    def hand(self, port=LOBBY, **more):
        """A way in that is made by hand."""
        if self.transport == "sctp":
            return self._keep(Socket(self.host, port, **more))
        return self._keep(Handmade(Peer((self.host, self.server.port), port, seed=next(self.seeds), **more)))

    def piped(self, port=LOBBY):
        """A way in by `lazychat --json --raw`."""
        transport = ["--transport", self.transport]
        if self.transport == "udp":
            transport += ["--udp-port", str(self.server.port)]
        return self._keep(Piped(self._start([LAZYCHAT, "--json", "--raw", "--quiet", *transport, f"{self.host}/{port}"])))

    def chat(self, name=None, port=LOBBY, by=None, **join):
        """Somebody in a room, who has joined if there is a name or anything for `join`."""
        chat = Chat((by or self.piped)(port))
        if name is not None or join:
            chat.join(name, **join)
        return chat

    def people(self, *names, **more):
        """Several of them."""
        return [self.chat(name, **more) for name in names]

    def classic(self):
        """A way into the classic lobby."""
        return self.hand(CLASSIC)

    def leave(self, at_once=False):
        """Before the server ends: who is made by hand would not answer it. The programs do."""
        for way in self.ways:
            if at_once or not isinstance(way, Piped):
                way.close()
        self.ways = []
