"""fixtures.py: programs that end with the test that started them, by their own process id."""

import contextlib
import os
import shutil
import subprocess
import tempfile

import pytest

from chat import World
from programs import LAZYCHATD, Program, Server, client_command
from sctp import Peer


@pytest.fixture
def place():
    """A directory for what a test leaves on disk. The servers are over before it goes."""
    with tempfile.TemporaryDirectory(prefix="lazychat.") as directory:
        yield directory


@contextlib.contextmanager
def running():
    """A list of programs, which end with it. Servers end first and in order, so that a crash or a leak is not missed."""
    programs = []
    yield programs
    wrong = []
    for program in programs:
        if isinstance(program, Server) and not getattr(program, "may_be_gone", False):
            try:
                status = program.end()
                if status != 0:
                    wrong.append(f"lazychatd exited with {status}: {program.err.text()[-4000:]}")
            except (AssertionError, subprocess.TimeoutExpired) as error:
                wrong.append(str(error))
    for program in programs:
        program.kill()
    assert not wrong, "\n".join(wrong)


def starter(started):
    def start_one(command, **more):
        started.append(Program(command, **more))
        return started[-1]

    return start_one


def server_starter(started, place):
    def serve_one(*options, prefix=(), listen=("--listen", "udp:127.0.0.1:0"), **more):
        if not any(option.startswith("--data") for option in options):
            options = ("--data", tempfile.mkdtemp(prefix="data", dir=place), *options)
        if not any(option.startswith("--listen") for option in options):
            options = (*listen, *options)
        started.append(Server([*prefix, LAZYCHATD, *options], **more))
        return started[-1]

    return serve_one


@pytest.fixture
def started(place):
    """What a test started."""
    with running() as programs:
        yield programs


@pytest.fixture
def start(started):
    """start(command): a program with its input a pipe."""
    return starter(started)


@pytest.fixture
def serve(started, place):
    """serve(option...): lazychatd, on a free UDP port of 127.0.0.1 if it is not told otherwise; listen=(): where it
    listens by itself. Its log is in a directory of its own, gone with the test, unless it is told --data."""
    return server_starter(started, place)


@pytest.fixture
def server(serve):
    return serve()


@pytest.fixture
def join(start):
    """join(server, option...): lazychat in a pipe, once it is in the lobby."""

    def join_one(server, *options, prefix=(), host="127.0.0.1", port=None, **more):
        client = start([*prefix, *client_command(server, *options, host=host, port=port)], **more)
        if "--quiet" not in options:
            client.err.wait_text("in the classic lobby of")
        return client

    return join_one


@pytest.fixture
def connect(started):
    """connect(server, seed): an association made by hand, which ends before the server does."""
    peers = []

    def connect_one(server, seed=1, **more):
        peers.append(Peer(("127.0.0.1", server.port), seed=seed, **more))
        return peers[-1]

    yield connect_one
    for peer in peers:
        peer.abort()


@pytest.fixture
def namespace():
    """A network of its own with lo up, as a command prefix; nothing in it is seen or used by others."""
    for tool in ("unshare", "nsenter", "ip"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed: no network namespace")
    user = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
    script = "ip link set lo up && echo up && exec cat"
    with subprocess.Popen(
        ["unshare", *user, "--net", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as holder:
        if holder.stdout.readline() != b"up\n":
            pytest.skip(f"no network namespace here: {holder.stderr.read().decode().strip()}")
        enter = ["nsenter", "--target", str(holder.pid), "--net"]
        yield enter + ([] if os.getuid() == 0 else ["--user", "--preserve-credentials"])
        holder.stdin.close()


# What the tests of the protocol run over, one after the other; meson names one.
TRANSPORTS = os.environ.get("TRANSPORTS", "udp").split()


@pytest.fixture(params=TRANSPORTS, scope="module")
def transport(request):
    return request.param


@pytest.fixture
def empty(transport, serve, start):
    """A world without a server yet."""
    made = World(transport, "127.0.0.1", serve, start)
    yield made
    made.leave()


@pytest.fixture
def world(empty):
    """A world whose server sets no limit on how much one may say."""
    empty.serve("--rate", "0", "--durability", "none")
    return empty


@pytest.fixture(scope="module")
def common(transport):
    with tempfile.TemporaryDirectory(prefix="lazychat.") as place, running() as programs:
        made = World(transport, "127.0.0.2", server_starter(programs, place), starter(programs))
        made.serve("--rate", "0", "--durability", "none")
        yield made


@pytest.fixture
def shared(common):
    """A world that the tests of a file have in common, one after the other: much was said in it already."""
    yield common
    common.leave(at_once=True)
