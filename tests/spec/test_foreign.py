"""Foreign peers that nobody here wrote chat through the server: the `client` of libusrsctp-examples."""

import os
import socket

import pytest

CLIENT = "/usr/lib/usrsctp/client"


@pytest.fixture
def foreign(start):
    """foreign(server): usrsctp's own client, once it is associated."""

    def start_one(server):
        if not os.access(CLIENT, os.X_OK):
            pytest.skip("libusrsctp-examples is not installed")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            local = free.getsockname()[1]
        client = start(["stdbuf", "-o0", CLIENT, "127.0.0.1", "2013", "0", str(local), str(server.port)])
        try:
            client.out.wait_text("SCTP_COMM_UP")
        except AssertionError:
            if os.getuid() != 0:
                pytest.skip(f"usrsctp's client wants raw sockets: {client.err.text()[-200:]}")
            raise
        return client

    return start_one


def test_both_ways(server, join, foreign):
    ann = join(server)
    eve = foreign(server)
    ann.say("hello from lazychat")
    eve.out.wait_text("hello from lazychat\n")
    eve.say("hello from usrsctp")
    ann.out.wait_text("hello from usrsctp\n")
    eve.out.wait_text("hello from usrsctp\n")


def test_many_lines(server, join, foreign):
    """In order, and all of them."""
    ann = join(server)
    eve = foreign(server)
    eve.say("".join(f"eve {number}\n" for number in range(1000)).encode())
    ann.say("".join(f"ann {number}\n" for number in range(1000)).encode())
    ann.out.wait_lines(2000)
    eve.out.wait_text("ann 999\n")
    eve.out.wait_text("eve 999\n")
    for name in (b"ann", b"eve"):
        wanted = [b"%s %d" % (name, number) for number in range(1000)]
        for client in (ann, eve):
            assert [line for line in client.out.lines() if line.startswith(name + b" ")] == wanted


def test_leaves(server, join, foreign):
    """Its end is orderly and nobody else notices."""
    ann = join(server)
    eve = foreign(server)
    eve.end_input()
    (down,) = server.wait_log("down")
    assert "reason=closed" in down and down.endswith("here=1")
    ann.say("still here")
    ann.out.wait_text("still here\n")
