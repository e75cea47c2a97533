"""lazychatd: options, listeners, log, signals."""

import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import time

import pytest

import sctp
from programs import LAZYCHATD, PATIENCE


def run(*options):
    """lazychatd as a command that ends by itself."""
    return subprocess.run([LAZYCHATD, *options], capture_output=True, text=True, timeout=PATIENCE, check=False)


class TestUsage:
    """`--listen udp:ADDR:PORT`, `--listen sctp:ADDR[,ADDR…]` (repeatable), `--classic-port`, `--profile default|lan`,
    `--log-level`, `--version`, `--help`."""

    def test_help(self):
        result = run("--help")
        assert result.returncode == 0 and result.stderr == ""
        for option in ("--listen", "--classic-port", "--profile", "--log-level", "--version", "--help"):
            assert option in result.stdout
        assert "default|lan" in result.stdout or "default, or lan" in result.stdout

    def test_version(self):
        result = run("--version")
        assert (result.returncode, result.stderr) == (0, "")
        assert re.fullmatch(r"lazychatd \d+\.\d+\.\d+\n", result.stdout)

    @pytest.mark.parametrize(
        "options, named",
        [
            (["--frob"], "--frob"),
            (["-x"], "-x"),
            (["--listen"], "--listen"),
            (["--listen", "tcp:127.0.0.1:1"], "tcp:127.0.0.1:1"),
            (["--listen", "127.0.0.1:9899"], "127.0.0.1:9899"),
            (["--listen", "udp:"], "udp:"),
            (["--listen", "udp:localhost.invalid:1"], "localhost.invalid"),
            (["--listen", "udp:127.0.0.1:65536"], "65536"),
            (["--listen", "udp:127.0.0.1:x"], "127.0.0.1:x"),
            (["--listen", "udp:[::1:9899"], "[::1"),
            (["--listen", "sctp:"], "sctp:"),
            (["--listen", "sctp:127.0.0.1:2013"], "sctp:127.0.0.1:2013"),
            (["--classic-port", "0"], "--classic-port"),
            (["--classic-port", "65536"], "--classic-port"),
            (["--classic-port", "2013x"], "2013x"),
            (["--classic-port", ""], "--classic-port"),
            (["--profile", "wan"], "wan"),
            (["--log-level", "loud"], "loud"),
            (["--version=1"], "--version"),
            (["frobnicate"], "frobnicate"),
            (["doctor", "who"], "who"),
            (["--listen=udp:127.0.0.1:0"] * 17, "--listen"),
        ],
        ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
    )
    def test_wrong_usage(self, options, named):
        """Exit 2 on wrong usage [and what was wrong]."""
        result = run(*options)
        assert result.returncode == 2
        assert result.stdout == ""
        assert named in result.stderr and re.match(r"(\S*/)?lazychatd: ", result.stderr)
        assert len(result.stderr.splitlines()) <= 3

    def test_wrong_usage_shows_no_control_character(self):
        """The same holds for what comes from a script's variables: nothing reaches the terminal raw."""
        result = run("--listen", "udp:\x1b[2J")
        assert result.returncode == 2


class TestPortTaken:
    """1 with what to do about it when a port cannot be had."""

    def test_in_use(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            port = other.getsockname()[1]
            result = run("--listen", f"udp:127.0.0.1:{port}")
        assert result.returncode == 1
        assert f"udp:127.0.0.1:{port}" in result.stderr
        assert "do:" in result.stderr and "ss -lnup" in result.stderr

    def test_second_listener_in_use(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            port = other.getsockname()[1]
            result = run("--listen", "udp:127.0.0.1:0", "--listen", f"udp:127.0.0.1:{port}")
        assert result.returncode == 1 and f":{port}" in result.stderr

    def test_foreign_address(self):
        result = run("--listen", "udp:192.0.2.123:0")
        assert result.returncode == 1
        assert "do:" in result.stderr and "ip addr" in result.stderr

    def test_another_lazychatd(self, server):
        """Two on one port would share the datagrams between them: the second must not start."""
        result = run("--listen", f"udp:127.0.0.1:{server.port}")
        assert result.returncode == 1 and "do:" in result.stderr


class TestListeners:
    """Lobby on every listener: what any peer says goes back to every association, byte for byte, the sender too."""

    def test_ipv6(self, serve, join):
        server = serve("--listen", "udp:[::1]:0")
        ann = join(server, host="::1")
        ann.say("hello")
        ann.out.wait_text("hello\n")

    @pytest.mark.parametrize("listen, hosts", [("0.0.0.0", ["127.0.0.1", "127.0.0.2", "127.3.2.1"]), ("[::]", ["::1"])])
    def test_wildcard(self, serve, join, listen, hosts):
        """A wildcard UDP listener answers from the address that was asked (IP_PKTINFO)."""
        server = serve("--listen", f"udp:{listen}:0")
        clients = [join(server, host=host) for host in hosts]
        for number, client in enumerate(clients):
            client.say(f"from {number}")
            for other in clients:
                other.out.wait_text(f"from {number}\n")

    @pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "127.255.255.254"])
    def test_wildcard_source(self, serve, address):
        """The same, seen on the wire: from where does INIT ACK come?"""
        server = serve("--listen", "udp:0.0.0.0:0")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(PATIENCE)
            probe.sendto(sctp.init_packet(), (address, server.port))
            data, source = probe.recvfrom(65536)
        assert source == (address, server.port)
        assert next(sctp.chunks_of(data))[0] == sctp.INIT_ACK

    @pytest.mark.parametrize("address", ["fd00::1", "fd00::2", "::1"])
    def test_wildcard_source_ipv6(self, serve, start, namespace, address):
        """The same with several addresses of IPv6, in a network of their own."""
        for each in ("fd00::1", "fd00::2"):
            subprocess.run([*namespace, "ip", "addr", "add", each + "/128", "dev", "lo", "nodad"], check=True)
        server = serve("--listen", "udp:[::]:0", prefix=namespace)
        script = (
            "import socket, sctp; s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.settimeout(10);"
            f"s.sendto(sctp.init_packet(), ('{address}', {server.port})); print(s.recvfrom(65536)[1][:2])"
        )
        probe = start([*namespace, sys.executable, "-c", script], cwd=sctp.__file__.rpartition("/")[0])
        assert probe.wait() == 0, probe.err.text()
        assert probe.out.text() == f"('{address}', {server.port})\n"

    def test_two_at_once(self, serve, join):
        server = serve("--listen", "udp:127.0.0.1:0", "--listen", "udp:[::1]:0")
        four = join(server, port=server.ports[0])
        six = join(server, port=server.ports[1], host="::1")
        four.say("from 4")
        six.say("from 6")
        for client in (four, six):
            client.out.wait_text("from 4\n")
            client.out.wait_text("from 6\n")

    def test_classic_port(self, serve, join):
        """Another SCTP port: on the old one nobody is there."""
        server = serve("--classic-port", "4711")
        ann = join(server, "--port", "4711")
        ann.say("hello")
        ann.out.wait_text("hello\n")
        assert "--port 4711" in server.out.text()

    def test_profile_lan(self, serve, join):
        server = serve("--profile", "lan")
        ann = join(server, "--profile", "lan")
        ann.say("hello")
        ann.out.wait_text("hello\n")

    def test_file_limit(self, serve):
        """A room is a descriptor for each kernel listener: as many as the system allows."""
        server = serve(prefix=("prlimit", "--nofile=64:3000"))
        assert resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE) == (3000, 3000)

    def test_startup_text_is_true(self, server, start):
        """Prints how to join, only ways that work as it was started."""
        command = re.search(r"^  (\S*lazychat --classic .*)$", server.out.text(), re.M)[1]
        client = start(["sh", "-c", command])
        client.say("as told")
        client.out.wait_text("as told\n")
        client.end_input()
        assert client.wait() == 0


class TestLog:
    """Logs are one line an event, greppable, peers' bytes escaped."""

    LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warn|info|debug) [a-z]+( [a-z]+=(\"([^\"\\]|\\.)*\"(\.\.\.)?|[^\s\"]+))*")

    def test_coming_and_going(self, server, join):
        ann = join(server)
        server.wait_log("up")
        ann.end_input()
        assert ann.wait() == 0
        (up,), (down,) = server.wait_log("up"), server.wait_log("down")
        assert re.search(r"peer=127\.0\.0\.1:\d+ here=1$", up)
        assert re.search(r"reason=closed here=0$", down)
        for line in server.err.text().splitlines():
            assert self.LINE.fullmatch(line), line

    def test_hostile_bytes(self, serve, connect):
        server = serve("--log-level", "debug")
        peer = connect(server)
        hostile = [
            b"line\nbreak\n",
            b"\n2026-01-01T00:00:00.000Z info up room=classic forged\n",
            b'quote" here=99 say text="x',
            b"back\\slash\\",
            b"\x1b]0;title\x07\x1b[2J\x9b31m",
            bytes(range(256)),
            "\u202eevil \u0085 \u2028 \u200f".encode(),
            b"\xff\xfe\xc0\x80\xed\xa0\x80",
            b"\0",
            b"\r",
            b"x" * 1000,
            b"\x80" * 1000,
        ]
        for payload in hostile:
            peer.say(payload)
            peer.until_message(payload)
        lines = server.wait_log("say", len(hostile))
        assert len(lines) == len(hostile)
        for line in server.err.text().split("\n")[:-1]:
            assert self.LINE.fullmatch(line), line
            assert line.isprintable(), ascii(line)
        assert len(server.err.text().split("\n")[:-1]) == len(hostile) + 4  # log, open twice, up

    @pytest.mark.parametrize("level, shown", [("error", False), ("warn", False), ("info", True)])
    def test_level(self, serve, join, level, shown):
        server = serve("--log-level", level)
        ann = join(server)
        ann.say("secret")
        ann.out.wait_text("secret\n")
        ann.end_input()
        assert ann.wait() == 0
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        server.may_be_gone = True
        assert ("info up " in server.err.text()) == shown
        assert "secret" not in server.err.text()


class TestByteForByte:
    """What any peer says goes back to every association of both, byte for byte, the sender too."""

    def test_any_bytes(self, server, connect):
        ann, bob = (connect(server, seed) for seed in (1, 2))
        for payload in (b"\0", b"x", bytes(range(256)), b"a\nb\n", b"\xff" * 1200, b"no newline"):
            ann.say(payload, ppid=51)
            ann.until_message(payload)
            bob.until_message(payload)
        assert bob.messages == ann.messages

    def test_fragments(self, server, connect):
        """Whole messages, reassembled to MSG_EOR."""
        ann, bob = (connect(server, seed) for seed in (1, 2))
        ann.write(ann.data(b"first ", flags=2))
        bob.say(b"between")
        ann.until_message(b"between")
        ann.write(ann.data(b"middle ", flags=0))
        ann.write(ann.data(b"last", flags=1))
        bob.until_message(b"first middle last")
        ann.until_message(b"first middle last")

    def test_dying_in_a_message(self, server, connect):
        """A peer dying in the middle of a 64 kB message […]: others notice nothing."""
        ann, bob, eve = (connect(server, seed) for seed in (1, 2, 3))
        eve.write(eve.data(b"x" * 1000, flags=2))
        eve.close()
        for number in range(20):
            ann.say(b"%d" % number)
            bob.until_message(b"%d" % number)

    def test_abort(self, server, connect):
        """An ABORT […]: others notice nothing."""
        ann, eve = (connect(server, seed) for seed in (1, 2))
        eve.write(sctp.chunk(sctp.ABORT, 0, b""))
        (line,) = server.wait_log("down")
        assert "reason=aborted" in line and line.endswith("here=1")
        ann.say(b"still here")
        ann.until_message(b"still here")

    def test_empty_data(self, server, connect):
        """DATA without user data is a protocol error (RFC 9260, section 6.2): that peer is aborted, nobody else."""
        ann, eve = (connect(server, seed) for seed in (1, 2))
        eve.say(b"")
        eve.until(sctp.ABORT)
        server.wait_log("down")
        ann.say(b"still here")
        ann.until_message(b"still here")

    def test_port_changes(self, server, connect):
        """A peer's port followed when it changes on a packet with its verification tag and a good CRC."""
        ann, bob = (connect(server, seed) for seed in (1, 2))
        moved = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        moved.connect(("127.0.0.1", server.port))
        ann.socket.close()
        ann.socket = moved
        ann.say(b"from another port")
        ann.until_message(b"from another port")
        bob.until_message(b"from another port")
        bob.say(b"found you")
        ann.until_message(b"found you")
        assert len(server.wait_log("up", 2)) == 2 and not server.log("down")

    def test_port_does_not_change_without_tag_or_checksum(self, server, connect):
        """And only then. A wrong checksum is not answered at all; a wrong tag is out of the blue, and told so by an ABORT
        with that tag and the T bit (RFC 9260, section 8.4), which is no longer than what was asked."""
        ann = connect(server)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.settimeout(PATIENCE)
            heartbeat = sctp.chunk(sctp.HEARTBEAT, 0, struct.pack(">HH", 1, 8) + b"abcd")
            wrong_sum = bytearray(sctp.packet(*ann.ports, ann.their_tag, heartbeat))
            wrong_sum[8] ^= 1
            wrong_tag = sctp.packet(*ann.ports, ann.their_tag ^ 1, heartbeat)
            for data in (wrong_sum, wrong_tag):
                stranger.sendto(data, ("127.0.0.1", server.port))
            answer = stranger.recv(65536)
            assert list(sctp.chunks_of(answer)) == [(sctp.ABORT, 1, b"")]
            assert answer == sctp.packet(ann.ports[1], ann.ports[0], ann.their_tag ^ 1, sctp.chunk(sctp.ABORT, 1, b""))
            assert len(answer) <= len(wrong_tag)
            ann.say(b"still me")
            ann.until_message(b"still me")
            stranger.setblocking(False)
            with pytest.raises(BlockingIOError):
                stranger.recv(65536)
        assert len(server.log("up")) == 1

    def test_no_answer_to_abort(self, server):
        """Two that tell each other that they know nothing would never end (RFC 9260, section 8.4: ABORT and
        SHUTDOWN COMPLETE are discarded)."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.settimeout(PATIENCE)
            for kind in (sctp.ABORT, sctp.SHUTDOWN_COMPLETE):
                for flags in (0, 1):
                    stranger.sendto(sctp.packet(7, sctp.PORT, 9, sctp.chunk(kind, flags, b"")), ("127.0.0.1", server.port))
            stranger.sendto(sctp.packet(8, sctp.PORT, 10, sctp.chunk(sctp.DATA, 3, bytes(13))), ("127.0.0.1", server.port))
            answer = stranger.recv(65536)
            assert struct.unpack_from(">HHI", answer) == (sctp.PORT, 8, 10)


class TestSlow:
    """Each peer has a byte budget; a peer whose budget is full […] pulls what it missed at its own pace."""

    def test_catching_up_needs_no_pause(self, server, join, connect):
        """Who was behind and reads again gets what it is due as fast as it acknowledges. It need not have acknowledged
        everything: SACKs are delayed (RFC 9260, section 6.2), so the last one is 100 to 500 ms late each time."""
        lines = [b"%05d %s\n" % (number, b"x" * 500) for number in range(2000)]
        ann, bob = join(server), connect(server)
        bob.delay = 1
        ann.feed(b"".join(lines))  # bob does not read
        assert ann.wait() == 0
        deadline = time.monotonic() + 5
        while len(bob.messages) < len(lines) and time.monotonic() < deadline:
            bob.turn(0.1)
        assert bob.messages == lines


class TestEnd:
    """SIGTERM: orderly SHUTDOWN to all, the stuck aborted, out within 2 s, the ports free at once."""

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
    def test_signal(self, serve, join, start, number):
        server = serve()
        server.may_be_gone = True
        clients = [join(server) for _ in range(3)]
        server.signal(number)
        begun = time.monotonic()
        assert server.wait() == 0
        took = time.monotonic() - begun
        again = serve("--listen", f"udp:127.0.0.1:{server.port}")
        for client in clients:
            assert client.wait() == 1
            assert "lazychat: the server has closed\n" in client.err.text()
        assert took < 1, "nobody was stuck, nothing to wait for"
        assert "told=3 aborted=0" in server.log("end")[0]
        newcomer = join(again)
        newcomer.say("after the restart")
        newcomer.out.wait_text("after the restart\n")

    def test_stuck(self, serve, join):
        server = serve()
        server.may_be_gone = True
        ann, stuck = join(server), join(server)
        stuck.signal(signal.SIGSTOP)
        server.signal(signal.SIGTERM)
        begun = time.monotonic()
        assert server.wait() == 0
        took = time.monotonic() - begun
        again = serve("--listen", f"udp:127.0.0.1:{server.port}")
        assert took < 2.0
        assert "told=2 aborted=1" in server.log("end")[0]
        assert ann.wait() == 1 and "the server has closed" in ann.err.text()
        stuck.signal(signal.SIGCONT)
        assert stuck.wait() == 1 and "lazychat: the server " in stuck.err.text()
        newcomer = join(again)
        newcomer.say("after the restart")
        newcomer.out.wait_text("after the restart\n")

    def test_stuck_is_aborted_on_the_wire(self, serve, connect):
        """The stuck aborted: it is told so, with an ABORT chunk."""
        server = serve()
        server.may_be_gone = True
        peer = connect(server)
        server.signal(signal.SIGTERM)
        kinds = set()
        peer.socket.settimeout(PATIENCE)
        while sctp.ABORT not in kinds:  # answers nothing
            kinds |= {kind for kind, _, _ in sctp.chunks_of(peer.socket.recv(65536))}
        assert sctp.SHUTDOWN in kinds
        assert server.wait() == 0

    def test_newcomer_while_leaving(self, serve, connect):
        """Who comes while the server leaves does not keep it."""
        server = serve()
        server.may_be_gone = True
        connect(server)
        server.signal(signal.SIGTERM)
        begun = time.monotonic()
        server.wait_log("signal")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
            for number in range(100):
                late.sendto(sctp.init_packet(source=5000 + number), ("127.0.0.1", server.port))
            assert server.wait() == 0
        assert time.monotonic() - begun < 2.0
        assert len(server.log("up")) == 1

    def test_second_signal(self, serve, connect):
        """A second signal ends the wait."""
        server = serve()
        server.may_be_gone = True
        connect(server)
        server.signal(signal.SIGINT)
        server.wait_log("signal")
        begun = time.monotonic()
        server.signal(signal.SIGINT)
        assert server.wait() == 0
        assert time.monotonic() - begun < 1


class TestDoctor:
    """`lazychatd doctor`: says, line by line with what to do […] and prints the gcc line for examples/."""

    def test_doctor(self):
        result = run("doctor")
        assert (result.returncode, result.stderr) == (0, "")
        for word in ("SCTP", "SCTP_SENDALL", "sndbuf_policy", "9899", "gcc "):
            assert word in result.stdout, word
        assert re.search(r"gcc (\S*/)?chat_server\.c -o chat_server\b", result.stdout)
