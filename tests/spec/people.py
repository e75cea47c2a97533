"""people.py: lazychat as people and bots use it, in a pipe and in a terminal."""

import socket

import pytest

from programs import LAZYCHAT
from screen import Terminal


def chat_command(server, *options, room=None, host="127.0.0.1"):
    """lazychat in a room; `server` may be a UDP port."""
    port = server if isinstance(server, int) else server.port
    where = host if room is None else f"{host}/{room}"
    return [LAZYCHAT, "--transport", "udp", "--udp-port", str(port), *options, where]


@pytest.fixture
def talk(start, tmp_path):
    """talk(server, option...): lazychat in a room, once it is in. Each keeps its own things if not told otherwise."""
    count = 0

    def talk_one(server, *options, room=None, wait=True, **more):
        nonlocal count
        count += 1
        if not {"--store", "--no-store"} & set(options):
            options = ("--store", str(tmp_path / f"client{count}"), *options)
        client = start(chat_command(server, *options, room=room), **more)
        nick = options[options.index("--nick") + 1] if "--nick" in options else ""
        if wait and "--json" in options:
            client.out.wait_match(rf'"t":"(welcome|you)".*"nick":"{nick}')
        elif wait:
            client.err.wait_match(rf"^-- in .* as {nick}.*\(|^-- you are {nick}$")
        return client

    return talk_one


@pytest.fixture
def unused_port():
    """A UDP port on which nobody answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        yield deaf.getsockname()[1]


def restart(serve, server, *options):
    """kill -9, and a new one at the same port; its --data must be among the options."""
    server.may_be_gone = True
    server.kill()
    return serve("--listen", f"udp:127.0.0.1:{server.port}", *options)


@pytest.fixture
def terminal(tmp_path):
    opened = []

    def open_one():
        directory = tmp_path / str(len(opened))
        directory.mkdir()
        opened.append(Terminal(directory))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()
