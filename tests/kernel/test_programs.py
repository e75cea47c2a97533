"""lazychatd and lazychat on a kernel with SCTP, among the programs that people have: one lobby on both stacks.

Runs in a network of its own (in-network), so it uses the ports that everyone knows.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from programs import LAZYCHAT, LAZYCHATD, PATIENCE, eventually

EXAMPLES = os.environ.get("EXAMPLES", os.path.join(os.path.dirname(LAZYCHATD), "..", "examples"))
SCTP = 132
HOST, PORT, UDP_PORT = "127.0.0.1", 2013, 9899
SOCKETS = {"stream": socket.SOCK_STREAM, "seqpacket": socket.SOCK_SEQPACKET}


class Socket:
    """A program of a dozen lines: a Python socket."""

    def __init__(self, kind, host=HOST, port=PORT):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, SOCKETS[kind], SCTP)
        self.socket.settimeout(PATIENCE)
        self.socket.connect((host, port))
        self.to = [] if kind == "stream" else [(host, port)]  # one-to-many: each message says to whom
        self.bytes = b""

    def say(self, payload):
        assert (self.socket.sendto(payload, *self.to) if self.to else self.socket.send(payload)) == len(payload)

    def wait_text(self, text):
        deadline = time.monotonic() + PATIENCE
        while text not in self.bytes:
            assert time.monotonic() < deadline, f"{text!r} did not come, but {self.bytes[-300:]!r}"
            try:
                self.bytes += self.socket.recv(1 << 17)
            except TimeoutError:
                pass

    def close(self):
        self.socket.close()


class Pipe:
    """A program with pipes."""

    def __init__(self, program):
        self.program = program

    def say(self, payload):
        self.program.say(payload)

    def wait_text(self, text):
        self.program.out.wait_text(text)

    @property
    def bytes(self):
        return bytes(self.program.out.bytes)

    def close(self):
        pass


COMMANDS = {
    "ncat": ["ncat", "--sctp", HOST, str(PORT)],
    "socat": ["socat", "-", f"SCTP-CONNECT:{HOST}:{PORT}"],
    "chat_client": [os.path.join(EXAMPLES, "chat_client"), HOST],
    "lazychat over UDP": [LAZYCHAT, "--classic", "--transport", "udp", HOST],
    "lazychat over SCTP": [LAZYCHAT, "--classic", "--transport", "sctp", HOST],
}


@pytest.fixture
def peer(start):
    """peer(name): one of COMMANDS or SOCKETS."""
    made = []

    def make(name, *more):
        if name in SOCKETS:
            made.append(Socket(name, *more))
        elif not shutil.which(COMMANDS[name][0]):
            pytest.skip(f"{COMMANDS[name][0]} is not installed")
        else:
            made.append(Pipe(start(COMMANDS[name])))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def lobby(serve):
    """lazychatd as it starts without options."""
    return serve(listen=())


@pytest.fixture
def article(start):
    """The article's server."""
    server = start([os.path.join(EXAMPLES, "chat_server")])
    server.err.wait_text("listening")
    return server


def sysctl(name, value):
    """Sets it in this network; returns what it was."""
    path = "/proc/sys/net/sctp/" + name
    if not os.path.exists(path):
        pytest.skip(f"this kernel has no net.sctp.{name}")
    with open(path, "r+", encoding="ascii") as file:
        old = file.read().strip()
        file.seek(0)
        file.write(str(value))
    return old


def test_default_listens_on_both(lobby):
    """Default `udp:127.0.0.1:9899` and, where the kernel has SCTP, `sctp:127.0.0.1`."""
    text = lobby.out.text()
    assert f"  udp:127.0.0.1:{UDP_PORT} " in text and "  sctp:127.0.0.1 " in text
    for room in ("classic", "lobby"):
        opened = [line for line in lobby.wait_log("open", 4) if f" room={room} " in line]
        assert [re.search(r"transport=(\w+)", line)[1] for line in opened] == ["udp", "sctp"]


def test_startup_text_is_true(lobby, start):
    """Prints how to join, only ways that work as it was started."""
    commands = re.findall(r"^  (\S*lazychat --classic .*|ncat --sctp .*)$", lobby.out.text(), re.M)
    assert len(commands) == 2
    for number, command in enumerate(commands):
        program = start(["sh", "-c", command])
        program.say(f"way {number}")
        program.out.wait_text(f"way {number}\n")


def test_all_in_one_lobby(lobby, peer):
    """What any peer says goes back to every association of both, byte for byte, the sender too."""
    names = [name for name in [*COMMANDS, *SOCKETS] if name in SOCKETS or shutil.which(COMMANDS[name][0])]
    peers = {name: peer(name) for name in names}
    lobby.wait_log("up", len(peers))
    for name in peers:
        line = f"hello from {name} ünïcödé\n".encode()
        peers[name].say(line)
        for other in peers:
            peers[other].wait_text(line)
    expected = b"".join(f"hello from {name} ünïcödé\n".encode() for name in peers)
    for name in ("ncat", "socat", "stream", "seqpacket", "lazychat over UDP", "lazychat over SCTP"):
        if name in peers:
            assert peers[name].bytes == expected, name
    missing = [name for name in COMMANDS if name not in peers]
    if missing:
        pytest.skip(f"all well, but not installed: {', '.join(missing)}")


@pytest.mark.parametrize("kind", SOCKETS)
def test_any_bytes(lobby, peer, kind):
    """Zero-length [SCTP has none], 1-byte and largest messages (64 KiB), of all bytes."""
    ann, bob = peer(kind), peer("stream")
    lobby.wait_log("up", 2)
    expected = b""
    for payload in (b"\0", bytes(range(256)), b"a\nb", bytes(range(255, -1, -1)) * 256):
        ann.say(payload)
        expected += payload
        for each in (ann, bob):
            each.wait_text(expected)
    assert len(payload) == 65536
    assert ann.bytes == bob.bytes == expected


def test_over_the_limit(lobby, peer):
    """One over the limit (a clear log line and nothing else happens): others notice nothing."""
    ann, bob = peer("seqpacket"), peer("lazychat over UDP")
    lobby.wait_log("up", 2)
    ann.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
    ann.say(b"x" * 70_000)
    (line,) = lobby.wait_log("oversize")
    assert "bytes=70000 limit=65536" in line and "transport=sctp" in line
    ann.say(b"after it\n")
    for each in (ann, bob):
        each.wait_text(b"after it\n")
    assert b"x" not in ann.bytes + bob.bytes
    assert not lobby.log("down")


@pytest.mark.parametrize("transport", ["sctp", "udp"])
def test_big(lobby, start, transport):
    """In a pipe: exits 0 when its input ended and its last line has come back; the other stack hears all of it."""
    text = b"".join(b"%07d %s\n" % (number, b"x" * (number % 500)) for number in range(4_000))
    other = start(COMMANDS["lazychat over UDP" if transport == "sctp" else "lazychat over SCTP"])
    other.err.wait_text("in the classic lobby")
    ann = start([LAZYCHAT, "--classic", "--transport", transport, HOST])
    ann.feed(text)
    assert ann.wait(60) == 0
    assert bytes(ann.out.bytes) == text
    other.out.wait(lambda: len(other.out.bytes) >= len(text), "all of it", 30)
    assert bytes(other.out.bytes) == text


def test_many(lobby, start):
    """20 pipes of each stack: everyone hears everything; who is on the same stack, in the same order."""
    groups = [[start(COMMANDS[name]) for _ in range(20)] for name in ("lazychat over UDP", "lazychat over SCTP")]
    clients = groups[0] + groups[1]
    for client in clients:
        client.err.wait_text("in the classic lobby")
    for number, client in enumerate(clients):
        client.say(b"".join(b"%d.%d\n" % (number, line) for line in range(25)))
    for group in groups:
        first = group[0].out.wait_lines(1000, 60)
        assert len(set(first)) == 1000
        for client in group:
            assert client.out.wait_lines(1000, 60) == first


class TestTransport:
    """`--transport auto|sctp|udp`; auto starts both, the second 300 ms after the first […] and says which answered."""

    @pytest.mark.parametrize("listen, answers", [("sctp:127.0.0.1", "kernel SCTP"), ("udp:127.0.0.1:9899", "SCTP over UDP")])
    def test_auto(self, serve, start, listen, answers):
        serve("--listen", listen)
        ann = start([LAZYCHAT, "--classic", HOST])
        ann.say("hello")
        ann.out.wait_text("hello\n")
        ann.end_input()
        assert ann.wait() == 0
        assert re.match(rf"lazychat: in the classic lobby of 127\.0\.0\.1 \({answers}, 127\.0\.0\.1:\d+\)\n", ann.err.text())

    def test_auto_of_both(self, lobby, start):
        """The loser leaves nothing behind: one association, not two."""
        ann = start([LAZYCHAT, "--classic", HOST])
        ann.err.wait_text("in the classic lobby")
        ann.say("once")
        ann.out.wait_text("once\n")
        ann.say("twice")
        ann.out.wait_text("twice\n")
        eventually(lambda: len(lobby.log("up")) - len(lobby.log("down")) == 1, "one association")

    def test_sctp_refused(self, serve, start):
        """1 with a clear reason when the server cannot be reached: the kernel says at once that nobody is there."""
        begun = time.monotonic()
        ann = start(COMMANDS["lazychat over SCTP"])
        assert ann.wait() == 1
        assert re.match(r"lazychat: cannot reach 127\.0\.0\.1: kernel SCTP 127\.0\.0\.1:2013: refused\n", ann.err.text())
        assert time.monotonic() - begun < 5

    def test_ipv6(self, serve, start):
        serve("--listen", "sctp:[::1]", "--listen", "udp:[::1]")
        for transport in ("sctp", "udp"):
            ann = start([LAZYCHAT, "--classic", "--transport", transport, "::1"])
            ann.say("hello")
            ann.end_input()
            assert ann.wait() == 0, ann.err.text()
            assert ann.out.text() == "hello\n"

    def test_several_addresses(self, serve, peer):
        """`--listen sctp:ADDR[,ADDR…]`"""
        server = serve("--listen", "sctp:127.0.0.1,127.0.0.2")
        one, two = peer("stream", "127.0.0.1"), peer("stream", "127.0.0.2")
        server.wait_log("up", 2)
        one.say(b"hello\n")
        two.wait_text(b"hello\n")


class TestArticle:
    """lazychat's clients talk to that server and its client to lazychatd."""

    def test_lazychat_to_the_article(self, article, start):
        ann, bob = (start([LAZYCHAT, "--classic", *transport, HOST]) for transport in (["--transport", "sctp"], []))
        for client in (ann, bob):
            client.err.wait_text("in the classic lobby of 127.0.0.1 (kernel SCTP")
        ann.say("from ann")
        bob.out.wait_text("from ann\n")
        bob.say("from bob")
        bob.end_input()
        assert bob.wait() == 0
        ann.out.wait_text("from bob\n")
        ann.end_input()
        assert ann.wait() == 0
        assert ann.out.text() == "from ann\nfrom bob\n"

    def test_article_goes(self, article, start):
        """1 with a clear reason when the server […] goes away."""
        ann = start(COMMANDS["lazychat over SCTP"])
        ann.err.wait_text("in the classic lobby")
        article.kill()
        assert ann.wait() == 1
        assert re.search(r"^lazychat: the server (has closed|ended the association)", ann.err.text(), re.M)


class TestEnd:
    """SIGTERM: orderly SHUTDOWN to all, the stuck aborted, out within 2 s, the ports free at once. […] 1 with what to do
    about it when a port cannot be had."""

    def test_ports_are_free(self, serve, peer, start):
        server = serve(listen=())
        server.may_be_gone = True
        clients = [start(COMMANDS[name]) for name in ("lazychat over UDP", "lazychat over SCTP")]
        for client in clients:
            client.err.wait_text("in the classic lobby")
        server.signal(signal.SIGTERM)
        begun = time.monotonic()
        assert server.wait() == 0
        took = time.monotonic() - begun
        again = serve(listen=())
        for client in clients:
            assert client.wait() == 1 and "lazychat: the server has closed\n" in client.err.text()
        assert took < 1.5, "nobody was stuck"
        newcomer = peer("stream")
        again.wait_log("up")
        newcomer.say(b"after the restart\n")
        newcomer.wait_text(b"after the restart\n")

    def test_stuck(self, serve, peer, start):
        """A kernel's association answers by itself, even if its program is stopped; unless there is much it did not read."""
        server = serve(listen=())
        server.may_be_gone = True
        stuck = [start(COMMANDS[name]) for name in ("lazychat over UDP", "lazychat over SCTP")]
        for client in stuck:
            client.err.wait_text("in the classic lobby")
            client.signal(signal.SIGSTOP)
        ann = peer("lazychat over UDP")
        for number in range(100):
            line = b"%d %s\n" % (number, b"x" * 60_000)
            ann.say(line)
            ann.wait_text(line)
        server.signal(signal.SIGTERM)
        begun = time.monotonic()
        assert server.wait() == 0
        took = time.monotonic() - begun
        again = serve(listen=())
        assert took < 2.0
        for client in stuck:
            client.signal(signal.SIGCONT)
            assert client.wait() == 1 and "lazychat: the server " in client.err.text()
        newcomer = peer("stream")
        again.wait_log("up")
        newcomer.say(b"after the restart\n")
        newcomer.wait_text(b"after the restart\n")

    def test_port_in_use(self, article):
        result = subprocess.run([LAZYCHATD], capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert result.returncode == 1
        assert "2013" in result.stderr and "do:" in result.stderr


class TestEncapsulation:
    """Interoperates with the kernel's encapsulation (RFC 6951). Linux 6.1 panics in sctp_rcv when a batch of UDP_SEGMENT
    gets to its encapsulation whole, as over lo: it must not be sent one."""

    @pytest.mark.parametrize("kind", SOCKETS)
    def test_kernel_client(self, serve, peer, start, kind):
        old = [sysctl("udp_port", 9900), sysctl("encap_port", UDP_PORT)]
        server = serve("--listen", f"udp:{HOST}:{UDP_PORT}")
        try:
            ann, bob = peer(kind), start(COMMANDS["lazychat over UDP"])
            for line in server.wait_log("up", 2):
                assert "transport=udp" in line
            assert any("peer=127.0.0.1:9900" in line for line in server.log("up"))
            bob.say("from lazychat")
            ann.wait_text(b"from lazychat\n")
            ann.say(b"from the kernel\n")
            ann.wait_text(b"from the kernel\n")
            bob.out.wait_text("from the kernel\n")
            big = bytes(range(97, 123)) * 2000
            ann.say(big + b"\n")
            ann.wait_text(big)
            bob.out.wait_text(big)
            ann.close()
            (down,) = server.wait_log("down")
            assert "reason=closed" in down or "reason=aborted" in down
        finally:
            sysctl("udp_port", old[0])
            sysctl("encap_port", old[1])


def test_doctor():
    """Whether the kernel has SCTP (built in, module, blacklisted, absent), SCTP_SENDALL in header and kernel."""
    result = subprocess.run([LAZYCHATD, "doctor"], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert result.returncode == 0
    assert re.search(r"^ok +kernel SCTP: ", result.stdout, re.M)
    assert re.search(r"^ok +kernel SCTP_SENDALL", result.stdout, re.M)
    assert re.search(r"sndbuf_policy", result.stdout)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, *sys.argv[1:]]))
