"""The classic lobby and the lobby are one conversation."""

import time

import pytest

from chat import PPID
from programs import PATIENCE


def hear(way, size):
    """So many bytes at least."""
    deadline, heard = time.monotonic() + PATIENCE, b""
    while len(heard) < size:
        assert time.monotonic() < deadline and not way.ended, f"{size} bytes did not come, but {heard[-200:]!r}"
        heard += b"".join(each.payload for each in way.receive(deadline - time.monotonic()))
    return heard


class Line:
    """One in the classic lobby."""

    def __init__(self, way):
        self.way = way
        self.bytes = b""

    def say(self, payload, **more):
        self.way.send(payload, ppid=0, **more)

    def wait(self, wanted):
        """Until it has heard that, all of it, and nothing else."""
        self.bytes += hear(self.way, len(wanted) - len(self.bytes))
        assert self.bytes == wanted
        self.bytes = b""


@pytest.fixture
def both(world):
    """ann in the lobby; two in the classic one."""
    return world.chat("ann"), Line(world.classic()), Line(world.classic())


def test_to_the_lobby(both):
    """To the lobby it appears as a
    `say` from `guest-N` with `classic`"""
    ann, one, two = both
    one.say(b"hello from ncat\n")
    said = ann.expect("say")
    assert (said["text"], said["classic"], said["seq"]) == ("hello from ncat", True, 1)
    assert said["nick"] == f"guest-{said['from']}" and not said.get("verified")
    two.say(b"me too\n")
    other = ann.expect("say")
    assert other["from"] not in (said["from"], ann.account)
    one.say(b"again\n")
    assert ann.expect("say")["from"] == said["from"]


def test_same_bytes(both):
    """each message is sent to all who are associated there, the sender too, as the same bytes, after it was logged"""
    _, one, two = both
    heard = b""
    for payload in (b"hello\n", b"no end of line", bytes(range(256)), b"\0", b"a\r\nb\r\n", '{"t":"say","text":"x"}'.encode(), b"x" * 20_000):
        one.say(payload)
        heard = payload
        for line in (one, two):
            line.wait(heard)


@pytest.mark.parametrize("ppid, stream", [(0, 0), (PPID, 0), (0x1234, 2)])
def test_any_ppid(world, ppid, stream):
    """SCTP port 2013, PPID 0 or any"""
    ann, line = world.chat("ann"), Line(world.classic())
    line.way.send(b"hello\n", ppid=ppid, stream=stream)
    line.wait(b"hello\n")
    ann.expect("say", text="hello")


def test_no_text(both):
    """bytes that are no text become visible escapes"""
    ann, one, _ = both
    one.say(b"\x1b[2J \xff\xfe caf\xc3\xa9 \x00\x07\tx\n")
    assert ann.expect("say")["text"] == "\\x1b[2J \\xff\\xfe café \\x00\\x07\tx"
    one.say(b"two\r\nlines\r\n")
    assert ann.expect("say")["text"] == "two\nlines"


def test_long(both):
    """a message longer than 6,144 bytes becomes several"""
    ann, one, two = both
    payload = "é".encode() * 10_000
    one.say(payload)
    texts = [ann.expect("say")["text"] for _ in range(4)]
    assert "".join(texts) == "é" * 10_000 and all(len(text.encode()) <= 6144 for text in texts)
    ann.nothing_more("say")
    two.wait(payload)


def test_to_the_classic_lobby(both):
    """What is said in
    the lobby appears here as `nick: text`, a line each; an action as `* nick text`; an edit as `nick: text (edited)`; a topic as `* nick sets the topic: text`."""
    ann, one, two = both
    seq = ann.say("good morning")["seq"]
    ann.say("two\nlines")
    ann.say("waves", action=True)
    ann.ask("edited", t="edit", seq=seq, text="good day")
    ann.ask("topic", t="topic", text="the weather")
    for line in (one, two):
        line.wait(b"ann: good morning\nann: two\nann: lines\n* ann waves\nann: good day (edited)\n* ann sets the topic: the weather\n")


def test_not_to_the_classic_lobby(both):
    """What is said in
    the lobby appears here"""
    ann, one, _ = both
    seq = ann.say("oops")["seq"]
    ann.ask("reacted", t="react", seq=seq, emoji="👍")
    ann.send(t="typing")
    ann.ask("redacted", t="redact", seq=seq)
    ann.ask("room", t="open", room="dev")
    ann.say("end")
    one.wait(b"ann: oops\nann: end\n")


def test_terminals_are_safe(both):
    """It is hostile: who shows it neutralises what
    steers a terminal or turns the direction of writing."""
    ann, one, _ = both
    ann.say("abc \u202e cba")
    ann.say("end")
    heard = b""
    while b"ann: end\n" not in heard:
        heard += hear(one.way, 1)
    assert "\u202e".encode() not in heard and heard.startswith(b"ann: abc ")


def test_one_order(both):
    """each message is sent to all who are associated there, the sender too"""
    ann, one, two = both
    for number in range(50):
        ann.send(t="say", text=f"{number}")
        one.say(b"%d\n" % number)
    said = [ann.expect("say") for _ in range(100)]
    assert [message["seq"] for message in said] == list(range(1, 101))
    lines = "".join((("" if message.get("classic") else "ann: ") + message["text"] + "\n") for message in said).encode()
    one.wait(lines)
    two.wait(lines)


def test_kept(both, world):
    """after it was logged"""
    ann, one, _ = both
    one.say(b"hello\n")
    ann.expect("say")
    bob = world.chat("bob", since=0)
    (item,) = bob.expect("batch")["items"]
    assert item["text"] == "hello" and item["classic"] is True


def test_people(both):
    """To the lobby it appears as a
    `say` from `guest-N` with `classic`"""
    ann, one, two = both
    while True:
        ann.send(t="names")
        names = ann.expect("names")
        if names["people"] == 3:
            break
        ann.take(0.05)
    assert [person.get("classic", False) for person in names["items"]].count(True) == 2
    one.way.close()
    while ann.expect("presence")["people"] != 2:
        pass


def test_commands_are_text(both):
    """which has no protocol: bytes in, the same bytes out"""
    ann, one, two = both
    one.say(b'{"t":"redact","seq":1}')
    assert ann.expect("say")["text"] == '{"t":"redact","seq":1}'
    two.wait(b'{"t":"redact","seq":1}')


def test_resent_is_not_said_again(both):
    """only the sender gets it again"""
    ann, one, _ = both
    ann.say("once", id="same")
    ann.say("once", id="same")
    ann.say("end")
    one.wait(b"ann: once\nann: end\n")


def test_flood_waits(world):
    """each message is sent to all who are associated there, the sender too, as the same bytes, after it was logged"""
    ann, one, two = world.chat("ann"), Line(world.classic()), Line(world.classic())
    lines = [b"%04d\n" % number for number in range(3000)]
    heard = {one: b"", two: b""}
    for number in range(0, 3000, 100):  # made by hand they do not hear while they speak
        for line in lines[number : number + 100]:
            one.say(line)
        for each in (one, two):
            heard[each] += hear(each.way, 5 * (number + 100) - len(heard[each]))
    assert heard[one] == heard[two] == b"".join(lines)
    ann.expect("say", text="2999", seq=3000)
    ann.nothing_more("error")
