"""lazychat in a terminal: a screen program is tested through its screen (tmux)."""

import os
import re
import shlex
import shutil
import signal
import subprocess

import pytest

from programs import client_command, eventually

pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")


class Terminal:
    """A terminal of 100 by 30 with a shell in it."""

    def __init__(self, directory):
        self.tmux = ["tmux", "-S", str(directory / "tmux"), "-f", "/dev/null"]
        environment = {**os.environ, "TERM": "screen", "PS1": "$ ", "LC_ALL": "C.UTF-8"}
        environment.pop("TMUX", None)
        subprocess.run(
            [*self.tmux, "-u", "new-session", "-d", "-x", "100", "-y", "30", "env", "-u", "ENV", "sh"],
            env=environment,
            check=True,
            timeout=15,
        )
        self.wait(r"^\$ *$")

    def screen(self):
        result = subprocess.run(
            [*self.tmux, "capture-pane", "-p", "-J"], capture_output=True, text=True, check=True, timeout=15
        )
        return "\n".join(line.rstrip() for line in result.stdout.rstrip().split("\n"))

    def wait(self, pattern):
        def look():
            self.last = self.screen()
            return re.search(pattern, self.last, re.M)

        try:
            return eventually(look, f"/{pattern}/ on the screen")
        except AssertionError as error:
            raise AssertionError(f"{error}; it shows:\n{self.last}") from error

    def type(self, text):
        subprocess.run([*self.tmux, "send-keys", "-l", text], check=True, timeout=15)

    def key(self, *names):
        subprocess.run([*self.tmux, "send-keys", *names], check=True, timeout=15)

    def line(self, text):
        self.type(text)
        self.key("Enter")

    def chat(self, server):
        """Joins; afterwards the shell says how it ended."""
        command = client_command(server)
        self.line("clear; " + " ".join(map(shlex.quote, command)) + "; echo ended with $?")
        self.wait(r"^lazychat: in the classic lobby of ")

    def close(self):
        subprocess.run([*self.tmux, "kill-server"], check=False, timeout=15)


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


def after_greeting(screen):
    return screen.split("lazychat: in the classic lobby of ")[-1].split("\n")[1:]


def test_conversation(terminal, server, join):
    """What is typed goes to others, what they say appears, and one's own line is not there twice."""
    bob = join(server)
    ann = terminal()
    ann.chat(server)
    ann.line("hello from a person")
    bob.out.wait_text("hello from a person\n")
    bob.say("hello from bob")
    ann.wait(r"^hello from bob$")
    ann.line("second")
    bob.out.wait_text("second\n")
    bob.say("third")
    ann.wait(r"^third$")
    assert after_greeting(ann.last) == ["hello from a person", "hello from bob", "second", "third"]


def test_same_words_by_another(terminal, server, join):
    """Someone else's line is shown even when one said the same before."""
    bob = join(server)
    ann = terminal()
    ann.chat(server)
    ann.line("hi")
    bob.out.wait_text("hi\n")
    bob.say("hi")
    ann.wait(r"^hi\nhi$")
    assert after_greeting(ann.last) == ["hi", "hi"]


def test_end_of_input(terminal, server, join):
    """Ctrl-D ends it with 0."""
    ann = terminal()
    ann.chat(server)
    ann.line("bye")
    ann.key("C-d")
    ann.wait(r"^ended with 0$")
    assert server.wait_log("down")[0].endswith("here=0")


def test_interrupt(terminal, server, join):
    """Ctrl-C ends it, and it leaves no ghost in the room: the server hears of it at once."""
    bob = join(server)
    ann = terminal()
    ann.chat(server)
    server.wait_log("up", 2)
    ann.key("C-c")
    ann.wait(r"^\$ *$|^ended with \d+$")
    (down,) = server.wait_log("down", 1, 3)
    assert down.endswith("here=1")
    bob.say("still here")
    bob.out.wait_text("still here\n")


def test_server_closes(terminal, server):
    """1 with a clear reason when the server […] goes away."""
    server.may_be_gone = True
    ann = terminal()
    ann.chat(server)
    server.signal(signal.SIGTERM)
    ann.wait(r"^ended with 1$")
    assert "lazychat: the server has closed" in ann.last


def test_escape_sequences(terminal, server, connect):
    """Never prints a control character that a peer sent: the screen stays as it was."""
    ann = terminal()
    ann.chat(server)
    peer = connect(server)
    for payload in (b"\x1b[2J\x1b[H", b"\x1b]0;owned\x07", b"\x9b2J", b"over\rwritten", b"\x1bc", b"\x1b[?1049h"):
        peer.say(payload + b"\n")
        peer.until_message(payload + b"\n")
    peer.say(b"the end\n")
    ann.wait(r"^the end$")
    assert after_greeting(ann.last) == [
        r"\x1b[2J\x1b[H",
        r"\x1b]0;owned\x07",
        r"\x9b2J",
        r"over\x0dwritten",
        r"\x1bc",
        r"\x1b[?1049h",
        "the end",
    ]
