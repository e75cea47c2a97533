"""lazychat in a pipe: lines in, lines out."""

import os
import re
import signal
import socket
import subprocess
import time
import unicodedata

import pytest

from programs import LAZYCHAT, PATIENCE, client_command, eventually

# `waits up to 10 s and says which answered`
CONNECT_SECONDS = 10
BIG = 5 << 20


def run(*options):
    return subprocess.run(
        [LAZYCHAT, *options], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def numbered(size, width=60):
    """That many bytes of lines, each with its number."""
    lines, number, total = [], 0, 0
    while total < size:
        lines.append(f"{number:08d} {'x' * (number % width)}\n")
        total += len(lines[-1])
        number += 1
    return "".join(lines).encode()


class TestUsage:
    """`--transport auto|sctp|udp`, `--port`"""

    def test_help(self):
        result = run("--help")
        assert (result.returncode, result.stderr) == (0, "")
        for option in ("--classic", "--transport", "--port", "--udp-port", "--json", "--nick", "--last"):
            assert option in result.stdout

    def test_version(self):
        assert re.fullmatch(r"lazychat \d+\.\d+\.\d+\n", run("--version").stdout)

    @pytest.mark.parametrize(
        "options",
        [
            "",
            "--raw localhost",
            "--json --classic localhost",
            "--store x --no-store localhost",
            "--last 501 localhost",
            "--classic",
            "--classic a b",
            "--frob",
            "--classic --port 0 localhost",
            "--classic --udp-port 70000 localhost",
            "--classic --transport tcp localhost",
            "--classic --port",
        ],
    )
    def test_wrong_usage(self, options):
        result = run(*options.split())
        assert result.returncode == 2
        assert result.stdout == "" and re.match(r"(\S*/)?lazychat: ", result.stderr)

    def test_unknown_host(self):
        result = run("--classic", "no-such-host.invalid")
        assert result.returncode == 1
        assert "no-such-host.invalid" in result.stderr


class TestUnreachable:
    """1 with a clear reason when the server cannot be reached […]; waits up to 10 s."""

    def test_nobody(self, serve, start):
        server = serve("--classic-port", "4711")
        deaf = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        deaf.bind(("127.0.0.1", 0))
        closed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        closed.bind(("127.0.0.1", 0))
        closed_port = closed.getsockname()[1]
        closed.close()
        begun = time.monotonic()
        clients = [
            start(client_command(None, port=deaf.getsockname()[1])),  # never answers
            start(client_command(None, port=closed_port)),  # no program there
            start(client_command(None, port=closed_port, host="::1")),
            start(client_command(server)),  # no such SCTP port there
        ]
        for client in clients:
            assert client.wait(CONNECT_SECONDS + PATIENCE) == 1
            assert client.out.text() == ""
            assert re.match(
                r"lazychat: cannot reach (127\.0\.0\.1|::1): SCTP over UDP .*: (no answer|refused)\n  do: ", client.err.text()
            )
        assert time.monotonic() - begun < CONNECT_SECONDS + 3
        deaf.close()

    @pytest.mark.skipif(os.path.exists("/proc/sys/net/sctp"), reason="this kernel has SCTP")
    def test_no_kernel_sctp(self):
        result = run("--classic", "--transport", "sctp", "127.0.0.1")
        assert result.returncode == 1
        assert "lazychat: cannot reach 127.0.0.1: " in result.stderr


class TestEnd:
    """Exits 0 when its input ended and its last line has come back from the server, 1 with a clear reason when the
    server […] goes away."""

    def test_input_ends(self, server, start):
        ann = start(client_command(server))
        ann.say("one\ntwo")
        ann.end_input()
        assert ann.wait() == 0
        assert ann.out.text() == "one\ntwo\n"
        assert re.fullmatch(
            rf"lazychat: in the classic lobby of 127\.0\.0\.1 \(SCTP over UDP, 127\.0\.0\.1:{server.port}\)\n", ann.err.text()
        )

    def test_no_input(self, server, start):
        ann = start(client_command(server), stdin=subprocess.DEVNULL)
        assert ann.wait() == 0 and ann.out.text() == ""
        assert server.wait_log("down")

    def test_quiet(self, server, start):
        ann = start(client_command(server, "--quiet"))
        ann.say("hello")
        ann.end_input()
        assert ann.wait() == 0 and ann.err.text() == ""

    def test_server_leaves(self, server, join):
        ann = join(server)
        server.may_be_gone = True
        server.signal(signal.SIGTERM)
        assert ann.wait() == 1
        assert "lazychat: the server has closed\n" in ann.err.text()

    def test_server_leaves_before_all_came_back(self, server, join):
        """And it says so."""
        ann = join(server)
        server.signal(signal.SIGSTOP)
        server.may_be_gone = True
        ann.say("lost?")
        server.signal(signal.SIGTERM)
        server.signal(signal.SIGCONT)
        status = ann.wait()
        assert status == 1
        assert "the server has closed" in ann.err.text()
        assert ("lost?\n" in ann.out.text()) != ("not everything that was said has come back" in ann.err.text())

    def test_server_killed(self, serve, join):
        """A peer with data outstanding is reported unreachable within 6 s: then lazychat knows as well. It waits for the
        server to come back (two minutes); started anew, the server knows nothing of it and says so."""
        server = serve()
        server.may_be_gone = True
        ann = join(server)
        server.kill()
        ann.say("anyone?")
        serve("--listen", f"udp:127.0.0.1:{server.port}")
        ann.err.wait_text("lazychat: the server ", 5)
        assert ann.wait() == 1

    def test_output_closed(self, server, start):
        """As `| head -1` does: it ends, promptly and with a reason."""
        ann = start(["sh", "-c", '"$@" | head -n 1', "sh", *client_command(server)])
        ann.feed(numbered(1 << 20))
        assert ann.wait() == 0  # of head
        assert ann.out.text() == "00000000 \n"
        assert "lazychat: cannot write: Broken pipe\n" in ann.err.text()
        assert server.wait_log("down")[0].endswith("here=0")

    def test_leaving_is_seen(self, server, join):
        """A program in a pipe that is interrupted leaves no ghost in the room."""
        ann = join(server)
        server.wait_log("up")
        ann.signal(signal.SIGINT)
        ann.wait()
        assert server.wait_log("down", 1, 3)[0].endswith("here=0")


class TestLines:
    """Lines in, lines out."""

    def test_shapes(self, server, join):
        """Empty lines, spaces, no newline at the end."""
        text = b"first\n\n\n  spaces  \n\ttab\n" + "ünïcödé 日本 🦥\n".encode() + b"last without newline"
        ann, bob = join(server), join(server)
        ann.feed(text)
        assert ann.wait() == 0
        expected = text.replace(b"\t", b"\\t") + b"\n"
        assert bytes(ann.out.bytes) == expected
        bob.out.wait(lambda: bytes(bob.out.bytes) == expected, "the same at bob's")

    def test_one_line_one_message(self, serve, join):
        """However the bytes come: a line is handed over whole, and when it is whole."""
        server = serve("--log-level", "debug")
        ann = join(server)
        for part in (b"he", b"ll", b"o\nwor", b"ld\n"):
            ann.say(part)
        assert ann.out.wait_lines(2) == [b"hello", b"world"]
        said = server.wait_log("say", 2)
        assert len(said) == 2
        assert 'text="hello\\n"' in said[0] and 'text="world\\n"' in said[1]

    def test_slow_input(self, server, join):
        """Each line is out before the next one is there."""
        ann, bob = join(server), join(server)
        for number in range(100):
            ann.say(str(number))
            bob.out.wait_lines(number + 1)
            ann.out.wait_lines(number + 1)
        assert ann.out.lines() == bob.out.lines() == [b"%d" % number for number in range(100)]

    @pytest.mark.parametrize("length", [65535, 65536, 65537, 200_000])
    def test_long(self, server, join, length):
        """Largest messages (64 KiB); a longer line goes in parts."""
        line = bytes(ord("a") + i % 26 for i in range(length - 1)) + b"\n"
        ann, bob = join(server), join(server)
        ann.feed(b"before\n" + line + b"after\n")
        assert ann.wait() == 0
        bob.out.wait_text(b"after\n")
        for client in (ann, bob):
            lines = client.out.lines()
            assert lines[0] == b"before" and lines[-1] == b"after"
            assert b"".join(lines[1:-1]) + b"\n" == line
            assert max(map(len, lines)) <= 65536
        if length <= 65536:
            assert len(ann.out.lines()) == 3

    def test_big(self, server, join):
        """Big input comes back complete and in order. It is faster than a server may wait for others: who cannot keep up
        on a busy machine is skipped, in order, and the log says by how much (endpoint.h: ENDPOINT_BACKLOG_BYTES)."""
        text = numbered(BIG)
        said = text.splitlines()
        ann, bob = join(server), join(server)
        ann.feed(text)
        assert ann.wait(60) == 0
        assert bytes(ann.out.bytes) == text
        ann = join(server)
        ann.say("the end")
        bob.out.wait_text("the end\n", 30)
        heard = bob.out.lines()[:-1]

        def skipped():
            return sum(int(re.search(r"skipped=(\d+)", line)[1]) for line in server.log("drained"))

        eventually(lambda: len(heard) + skipped() == len(said), "the log to tell what was skipped")
        assert heard == sorted(set(heard)) and set(heard) <= set(said)

    def test_all_hear_it(self, server, join):
        """What fits in the backlog is heard by all, however busy the machine is."""
        text = numbered(BIG // 2, 800)
        ann, bob, eve = join(server), join(server), join(server)
        ann.feed(text)
        assert ann.wait(60) == 0
        for client in (bob, eve):
            client.out.wait(lambda: len(client.out.bytes) >= len(text), "all of it", 30)
            assert bytes(client.out.bytes) == text

    def test_big_both_ways(self, server, join):
        """Two at once: each comes back in its own order, and both hear the same."""
        texts = [numbered(BIG // 10, 200), numbered(BIG // 10, 200).replace(b"x", b"y").replace(b"0", b"O")]
        clients = [join(server), join(server), join(server)]
        for client, text in zip(clients, texts):
            client.feed(text)
        size = sum(map(len, texts))
        # The two that say something leave once their own is back, which may be before the other's is.
        for client in clients[:2]:
            assert client.wait(60) == 0
        third = clients[2].out
        third.wait(lambda: len(third.bytes) >= size, "all of both", 30)
        for client, text in zip(clients, texts):
            own = set(text.splitlines())
            for heard in (client.out, third):
                assert b"".join(line + b"\n" for line in heard.lines() if line in own) == text

    def test_many(self, server, join):
        """50 pipes at once: everyone hears everything, in the same order."""
        clients = [join(server) for _ in range(50)]
        for number, client in enumerate(clients):
            client.say(b"".join(b"%d.%d\n" % (number, line) for line in range(100)))
        first = clients[0].out.wait_lines(5000, 60)
        for client in clients:
            assert client.out.wait_lines(5000, 60) == first
        assert len(set(first)) == 5000
        for number in range(50):
            own = [line for line in first if line.startswith(b"%d." % number)]
            assert own == [b"%d.%d" % (number, line) for line in range(100)]


class TestHostile:
    """Never prints a control character that a peer sent."""

    HOSTILE = [
        bytes(range(256)),
        *(bytes([byte]) for byte in range(256)),
        *(b"a%cb" % byte for byte in range(256)),
        b"\x1b[2J\x1b[H\x1b]0;owned\x07\x1bP+q\x1b\\",
        b"\x9b2J\x9d0;owned\x9c",
        "\x80\x85\x9b2J\x9f".encode(),
        "\u202eright to left\u202c \u2066isolate\u2069 \u200e\u200f\u061c".encode(),
        "\u200b\u200d\u2060\ufeff\u2028\u2029\u00ad\ufff9\U000e0041\U000e007f".encode(),
        b"over\rwritten\r",
        b"up\x1b[Aand\x08\x08\x08back\x7f",
        b"\xc0\x9b \xe0\x80\x9b \xf0\x80\x80\x9b overlong",
        b"\xed\xa0\x80 surrogate \xf4\x90\x80\x80 too high \xf8\x88\x80\x80\x80 five",
        b"cut \xe2\x80",
        b"\xf0\x9f\xa6",
        b"\0\0\0",
        b"end\r\n",
    ]

    def check(self, output):
        text = output.decode("utf-8")  # and nothing that is not UTF-8
        for character in set(text) - {"\n"}:
            assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp"), ascii(character)

    def test_nothing_raw(self, server, join, connect):
        ann, peer = join(server), connect(server)
        for payload in self.HOSTILE:
            peer.say(payload)
            peer.until_message(payload)
        peer.say(b"the end")
        ann.out.wait_text("the end\n")
        self.check(bytes(ann.out.bytes))
        text = ann.out.text()
        assert "\\x1b[2J" in text and "\\u{202e}" in text and "\\x00" in text
        # what came is seen: at least a line for each message, none swallowed
        assert ann.out.newlines >= len(self.HOSTILE) + 1

    def test_own_too(self, server, join):
        """What comes back of one's own is no different."""
        ann = join(server)
        ann.feed(b"\n".join(self.HOSTILE) + b"\n")
        assert ann.wait() == 0
        self.check(bytes(ann.out.bytes))

    def test_lone_newlines_in_a_message(self, server, join, connect):
        """A message of several lines is several lines."""
        ann, peer = join(server), connect(server)
        peer.say(b"a\nb\r\n\nc")
        assert ann.out.wait_lines(4) == [b"a", b"b", b"", b"c"]
