"""lazychat in a terminal: a screen program is tested through its screen (tmux)."""

import shutil
import signal

import pytest

pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")


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
