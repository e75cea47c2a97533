"""lazychat in line mode, in a terminal: what one types stays whole, whatever comes meanwhile."""

import re
import shutil
import signal

import pytest

from people import chat_command, restart
from programs import eventually

pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")


@pytest.fixture
def typist(terminal, tmp_path):
    """typist(server, option...): a person in a terminal, in the lobby."""

    def one(server, *options, wait=True):
        person = terminal()
        person.run(chat_command(server, "--store", str(tmp_path / "typist"), "--nick", "ann", *options))
        if wait:
            person.wait(r"^-- (in lobby of 127\.0\.0\.1 as ann .*|you are ann)$")
            person.wait(r"^lobby> *$")
        return person

    return one


def last_line(person):
    return person.screen().rstrip().split("\n")[-1]


def test_conversation(typist, server, talk):
    """What is typed goes to others once Enter is pressed and stands there with its time, as what they say."""
    bob = talk(server, "--nick", "bob")
    ann = typist(server)
    ann.line("hello from a person")
    bob.out.wait_text("ann: hello from a person\n")
    bob.say("hello from bob")
    ann.wait(r"^\d\d:\d\d bob: hello from bob$")
    ann.line("/me wävës 🦥")
    bob.out.wait_text("* ann wävës 🦥\n")
    screen = ann.wait(r"^\d\d:\d\d \* ann wävës 🦥$") and ann.last
    assert re.findall(r"^\d\d:\d\d (.*)$", screen, re.M) == ["ann: hello from a person", "bob: hello from bob", "* ann wävës 🦥"]
    assert last_line(ann) == "lobby>"


def test_typed_line_stays_whole(typist, serve, talk):
    """Whatever comes while one types: the line below stays as it was, and what goes out is what was typed."""
    server = serve("--rate", "0")
    bob = talk(server, "--nick", "bob")
    ann = typist(server)
    ann.type("nobody destroys ")
    bob.say(b"".join(b"line %d of bob, which is rather long so that it fills more than one row of this terminal\n" % n for n in range(200)))
    ann.wait(r"bob: line 199 of bob")
    assert last_line(ann) == "lobby> nobody destroys"
    ann.type("thïs")
    for number in range(20):
        ann.type(str(number % 10))
        bob.say(f"meanwhile {number}")
    ann.wait(r"bob: meanwhile 19$")
    ann.wait(r"^lobby> nobody destroys thïs01234567890123456789$")
    ann.key("Left", "Left", "BSpace")
    ann.key("Enter")
    bob.out.wait_text("ann: nobody destroys thïs0123456789012345689\n")


def test_editing(typist, server, talk):
    """The cursor is where it should be, with wide characters too; a line longer than the terminal scrolls."""
    bob = talk(server, "--nick", "bob")
    ann = typist(server)
    ann.type("日本x")
    ann.wait(r"^lobby> 日本x$")
    eventually(lambda: ann.cursor()[0] == len("lobby> ") + 5, "the cursor behind the x")
    ann.key("Home", "Right", "DC")
    ann.wait(r"^lobby> 日x$")
    ann.key("C-e")
    text = " ".join(f"word{number}" for number in range(40))
    ann.type(" " + text)
    ann.wait(r"word39$")
    assert last_line(ann).startswith("lobby> ") and len(last_line(ann)) < 100
    ann.key("Home")
    ann.wait(r"^lobby> 日x word0 word1")
    ann.resize(60, 20)
    ann.key("End")
    ann.wait(r"word39$")
    ann.key("Enter")
    bob.out.wait_text(f"ann: 日x {text}\n")
    ann.key("Up")
    ann.wait(r"word39$")
    ann.key("C-u")
    ann.wait(r"^lobby>$")


def test_paste(typist, server, talk):
    """Several lines are one message, and go out when Enter is pressed."""
    bob = talk(server, "--nick", "bob")
    ann = typist(server)
    ann.paste("first\nsecond\nthird\n")
    ann.wait(r"^lobby> first⏎second⏎third⏎$")
    ann.key("BSpace", "Enter")
    assert bob.out.wait_lines(3) == [b"ann: first", b"ann: second", b"ann: third"]


def test_nothing_by_mistake(typist, server, talk):
    """What is no command is not sent, says so, and is there to be corrected."""
    bob = talk(server, "--nick", "bob")
    ann = typist(server)
    ann.line("/mgs bob secret")
    ann.wait(r"^-- there is no /mgs: /msg\?")
    ann.wait(r"^lobby> /mgs bob secret$")
    ann.key("C-u")
    ann.paste("x" * 7000)
    ann.key("Enter")
    ann.wait(r"^-- too long")
    ann.key("C-u")
    ann.line("   ")
    ann.line("the end")
    bob.out.wait_text("the end\n")
    assert bob.out.lines() == [b"ann: the end"]


def test_edit_brings_it_back(typist, server, talk):
    """/edit alone: what was said last stands there to be changed."""
    bob = talk(server, "--nick", "bob")
    ann = typist(server)
    ann.line("the relase")
    ann.wait(r"ann: the relase$")
    ann.line("/edit")
    ann.wait(r"^lobby> /edit #1 the relase$")
    ann.key("Left", "Left", "Left")
    ann.type("e")
    ann.key("Enter")
    bob.out.wait_text("ann: the release (edited)\n")


def test_history_is_marked(typist, server, talk):
    """The last 20 first, marked as such; then what is new."""
    bob = talk(server, "--nick", "bob")
    bob.say(b"".join(b"before %d\n" % number for number in range(22)))
    bob.out.wait_lines(22)
    ann = typist(server)
    bob.say("now")
    ann.wait(r"bob: now$")
    screen = ann.screen()
    assert "before 1\n" not in screen
    assert re.search(r"^-- earlier:\n-- \w+, \d\d \w+ \d{4}\n\d\d:\d\d bob: before 2$", screen, re.M), screen
    assert re.search(r"bob: before 21\n(-- .*\n)*-- now:\n(-- .*\n)*\d\d:\d\d bob: now$", screen, re.M), screen


def test_offline(typist, serve, tmp_path, talk):
    """The server goes: it is told once; what is said meanwhile is kept, goes out when it is back, once."""
    options = ("--data", str(tmp_path / "data"))
    server = serve(*options)
    ann = typist(server)
    server.may_be_gone = True
    server.signal(signal.SIGTERM)
    server.wait()
    ann.wait(r"^-- no connection: ")
    ann.wait(r"^lobby \(not connected\)> *$")
    ann.line("said offline")
    ann.wait(r"^-- not connected: it is kept")
    ann.wait(r"^lobby \(1 unsent\)> *$")
    server = serve("--listen", f"udp:127.0.0.1:{server.port}", *options)
    ann.wait(r"ann: said offline$")
    ann.wait(r"^lobby> *$")
    assert ann.screen().count("-- no connection") <= 2
    bob = talk(server, "--last", "10")
    bob.out.wait_text("ann: said offline\n")
    assert bob.out.newlines == 1


def test_quit_unsent(typist, unused_port, serve, start, tmp_path):
    """Who leaves with something unsent is told where it is kept; with --no-store it is lost, and that is said."""
    ann = typist(unused_port, wait=False)
    ann.wait(r"^lobby \(not connected\)> *$")
    ann.line("later")
    ann.line("/quit")
    ann.wait(r"^  kept: 1 message not acknowledged; in \S*127\.0\.0\.1, going out at the next$|^  kept: 1 message ")
    ann.wait(r"^ended with 0$")


def test_end_of_input(typist, server):
    """Ctrl-D on an empty line ends it, the terminal is as it was."""
    ann = typist(server)
    ann.type("x")
    ann.key("C-d")
    ann.key("BSpace", "C-d")
    ann.wait(r"^ended with 0$")
    ann.line("stty -a | grep -c ' icanon'")
    ann.wait(r"^1$")


def test_interrupt(typist, server, talk):
    """Ctrl-C ends it in order: the others see it at once, the terminal is as it was."""
    bob = talk(server, "--nick", "bob")
    ann = typist(server)
    bob.err.wait_text("-- ann came")
    ann.key("C-c")
    bob.err.wait_match(r"^-- ann left; 1 here$", seconds=3)
    ann.wait(r"^\$ *$|^ended with \d+$")
    ann.line("stty -a | grep -c ' icanon'")
    ann.wait(r"^1$")


def test_suspended(typist, server, talk):
    """Ctrl-Z and fg: the shell has its terminal meanwhile, and what was typed is still there."""
    bob = talk(server, "--nick", "bob")
    ann = typist(server)
    ann.type("half a line")
    ann.wait(r"^lobby> half a line$")
    ann.key("C-z")
    ann.wait(r"Stopped")
    bob.say("meanwhile")
    bob.out.wait_text("meanwhile\n")
    ann.line("stty -a | grep -c ' icanon'; fg")
    ann.wait(r"^1$")
    ann.wait(r"bob: meanwhile$")
    ann.wait(r"^lobby> half a line$")
    ann.type(", whole")
    ann.key("Enter")
    bob.out.wait_text("ann: half a line, whole\n")


def test_escape_sequences(typist, server, talk):
    """Nobody's text steers the terminal or turns its direction."""
    eve = talk(server, "--json", wait=False)
    ann = typist(server)
    eve.say(r'{"t":"say","text":"\u202e\u2066turned\u200b"}')
    eve.say(r'{"t":"topic","text":"\u202eturned"}')
    ann.wait(r"^-- guest-\d+ set the topic: \\u\{202e\}turned$")
    ann.wait(r"^\d\d:\d\d guest-\d+: \\u\{202e\}\\u\{2066\}turned\\u\{200b\}$")


@pytest.mark.parametrize("variable, coloured", [("COLOUR=1", True), ("NO_COLOR=1", False)])
def test_colours(terminal, server, tmp_path, variable, coloured):
    """Colours in a terminal, without NO_COLOR."""
    ann = terminal()
    ann.run(["env", variable, *chat_command(server, "--store", str(tmp_path / "ann"), "--nick", "ann")])
    ann.wait(r"^lobby> *$")
    ann.line("hello")
    ann.wait(r"ann: hello$")
    line = next(line for line in ann.colours().split("\n") if "hello" in line)
    assert ("\x1b[" in line) == coloured


def test_dumb(terminal, server, talk, tmp_path):
    """A terminal that can do nothing is used line by line; one's own line is not there twice."""
    bob = talk(server, "--nick", "bob")
    ann = terminal()
    ann.run(["env", "TERM=dumb", *chat_command(server, "--store", str(tmp_path / "ann"), "--nick", "ann")])
    ann.wait(r"^-- in lobby")
    ann.line("hello")
    bob.out.wait_text("ann: hello\n")
    bob.say("hello ann")
    ann.wait(r"^\d\d:\d\d bob: hello ann$")
    assert "ann: hello\n" not in ann.last
    ann.line("/quit")
    ann.wait(r"^ended with 0$")
