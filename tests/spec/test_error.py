"""`error`: what is refused, and what becomes of those who go on."""

import json
import time

import pytest

DEEP = 2000


@pytest.fixture
def pair(shared):
    """eve, who sends bytes as they are, and ann, who must not notice."""
    return shared.chat("eve", by=shared.hand), shared.chat("ann")


def nest(depth):
    return b'{"t":"say","text":"x","y":' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.rules
@pytest.mark.parametrize(
    "payload",
    [
        b" ",
        b"{",
        b"hello",
        b"null",
        b"[]",
        b'"say"',
        b"7",
        b"{}",
        b'{"t":7}',
        b'{"t":null}',
        b'{"t":["say"]}',
        b'{"t":"say","text":"x"',
        b'{"t":"say","text":"x"}{"t":"say","text":"x"}',
        b'{"t":"say","text":"x"} x',
        b"{'t':'say','text':'x'}",
        b'{"t":"say","text":"x",}',
        b'{"t":"say","text":"x","text":"y"}',
        b'{"t":"say","t":"say","text":"x"}',
        b'{"t":"say","text":"x","unknown":{"a":1,"a":2}}',
        b'{"t":"say","text":"\xff"}',
        b'{"t":"say","text":"\xc0\x80"}',
        b'{"t":"say","text":"\xed\xa0\x80"}',
        b'{"t":"say","text":"\xf4\x90\x80\x80"}',
        b'{"t":"say","text":"\xe2\x82"}',
        b'{"t":"say","text":"\\ud800"}',
        b'{"t":"say","text":"\\u0000"}',
        b'{"t":"say","text":"a\x00b"}',
        b'{"t":"say","text":"x"}\x00',
        b'\xef\xbb\xbf{"t":"say","text":"x"}',
        '{"t":"say","text":"x"}'.encode("utf-16"),
        nest(16),
        nest(DEEP),
        b"[" * 16384,
        b'{"t":' * 3000,
        b'{"t":"say","text":"x","y":"' + b"y" * 16384 + b'"}',
        b'{"t":"say","text":"x","y":NaN}',
    ],
    ids=lambda payload: repr(payload[:40]),
)
def test_bad_message(pair, payload):
    """| `bad-message` | not JSON in UTF-8, not an object, too long, too deep, a key twice, `\\u0000`, no `t` |"""
    eve, ann = pair
    eve.raw(payload)
    error = eve.expect("error")
    assert error["code"] == "bad-message" and error["text"], error
    eve.say("still here")
    ann.expect("say", text="still here")
    ann.nothing_more("say")


@pytest.mark.rules
@pytest.mark.parametrize(
    "number",
    [
        b"1e400", b"-1e400", b"1" * 400, b"9007199254740992", b"18446744073709551616", b"-1", b"1.0", b"1e0", b"true",
        b'"1"', b"[1]", b"{}", b"null",
    ],
)
def test_numbers(pair, number):
    """Numbers are integers from 0 to 2^53 - 1, without fraction or exponent
    (not `4.0`, not `4e0`)."""
    eve, _ = pair
    eve.raw(b'{"t":"history","since":' + number + b"}")
    error = eve.expect("error")
    assert error["code"] in ("bad-field", "bad-message")
    if error["code"] == "bad-field":
        assert error["field"] == "since"
    eve.nothing_more("batch")


@pytest.mark.rules
@pytest.mark.parametrize(
    "payload",
    [
        b'{"t":"unheard-of","text":5}', b'{"t":"say","text":"x","unknown":5}',
        b'{"t":"say","text":"x","unknown":{"a":[[1.5e3,null,true]]}}', nest(15), b' {"text" : "x",\n"t":"say"}\r\n',
        b'{"t":"say","text":"\\u0078"}', b'{"t":"welcome"}',
    ],
)
def test_ignored(pair, payload):
    """Unknown types and unknown fields are ignored."""
    eve, ann = pair
    eve.raw(payload)
    eve.nothing_more("error")
    if b"say" in payload:
        assert eve.expect("say")["text"] == ann.expect("say")["text"] == "x"


def test_longest(pair):
    """| a message | 16,384 bytes |"""
    eve, _ = pair
    head, tail = b'{"t":"say","text":"x","pad":"', b'"}'
    eve.raw(head + b"p" * (16384 - len(head) - len(tail)) + tail)
    eve.expect("say", text="x")
    eve.raw(head + b"p" * (16385 - len(head) - len(tail)) + tail)
    assert eve.expect("error")["code"] == "bad-message"


def test_far_too_long(pair):
    """| a message | 16,384 bytes |"""
    eve, ann = pair
    eve.raw(b'{"t":"say","text":"' + b"x" * 60_000 + b'"}')
    assert eve.expect("error")["code"] == "bad-message"
    eve.raw(b'{"t":"say","text":"' + b"x" * 80_000 + b'"}')
    eve.say("still here")
    ann.expect("say", text="still here")


@pytest.mark.rules
def test_names_message_and_field(pair):
    """`id`: of the message that it was about, if that had one. `field`: which field is at fault."""
    eve, _ = pair
    eve.send(t="say", id="Zk3mQ0a1", text="x" * 7000)
    error = eve.expect("error")
    assert (error["code"], error["field"], error["id"]) == ("bad-field", "text", "Zk3mQ0a1")
    assert "7000" in error["text"] and "6144" in error["text"]
    assert "retry" not in error
    eve.send(t="say")
    error = eve.expect("error")
    assert (error["code"], error["field"]) == ("bad-field", "text") and "id" not in error


@pytest.mark.rules
def test_hostile_echo(pair):
    """It is hostile: who shows it neutralises what
    steers a terminal or turns the direction of writing."""
    eve, _ = pair
    for payload in (b'{"t":"say","\\u001b[2J":1,"text":7}', b"\x1b]0;owned\x07", b'{"t":"say","id":"\\u001b[2J","text":"x"}'):
        eve.raw(payload)
        assert "\x1b" not in json.dumps(eve.expect("error"), ensure_ascii=False)


class TestFaults:
    """| malformed messages | 100, and one more each second; then the association is aborted |"""

    @pytest.fixture
    def pair(self, world):
        return world.chat("eve", by=world.hand), world.chat("ann")

    def test_too_many(self, pair, world):
        """| `too-many-errors` | the last one before the association is aborted |"""
        eve, ann = pair
        count = 0
        while True:
            eve.raw(b"{")
            count += 1
            error = eve.expect("error")
            if error["code"] == "too-many-errors":
                break
            assert error["code"] == "bad-message" and count < 150
        assert count > 100
        eve.until_ended()
        world.server.wait_log("faulty")
        ann.say("none the worse")

    def test_at_once(self, pair, world):
        """then the association is aborted"""
        eve, ann = pair
        try:
            for _ in range(1000):
                eve.raw(b"{")
        except OSError:
            pass  # the kernel knows already
        eve.until_ended()
        assert len(eve.all("error")) <= 110
        assert len(world.server.wait_log("faulty")) == 1
        ann.say("none the worse")
        world.chat("eve").say("and may come back")

    def test_forgiven(self, pair):
        """| malformed messages | 100, and one more each second; then the association is aborted |"""
        eve, _ = pair
        begun = time.monotonic()
        for _ in range(100):
            eve.raw(b"{")
            assert eve.expect("error")["code"] == "bad-message"
        while time.monotonic() < begun + 2.2:
            eve.take(0.1)
        for _ in range(2):
            eve.raw(b"{")
            assert eve.expect("error")["code"] == "bad-message"
        assert eve.say("in all the same")["seq"] == 1


class TestRate:
    """| messages a second | an option of the server's (`rate` in `welcome`), several seconds' worth at once |"""

    FLOOD = 10_000

    @pytest.fixture
    def limited(self, empty):
        empty.serve("--rate", "20")
        return empty

    def test_slow_down(self, limited):
        """| `slow-down` | more messages a second than `rate`, or too many requests at once;"""
        ann = limited.chat("ann")
        assert ann.welcome["rate"] == 20
        for number in range(200):
            ann.send(t="say", text=str(number), id=f"say-{number}")
        error = ann.expect("error")
        assert error["code"] == "slow-down" and error["retry"] > 0
        begun = time.monotonic()
        number = 200
        while time.monotonic() < begun + error["retry"] / 1000 + 0.1:
            if time.monotonic() < begun + 0.5:  # by its rate it might say some of these
                ann.send(t="say", text=str(number), id=f"say-{number}")
                number += 1
            ann.take(0.02)
        said = ann.all("say")
        assert 40 <= len(said) <= 120
        taken = [int(message["text"]) for message in said]
        refused = int(error["id"][4:])
        assert taken == list(range(refused)), "what came after it does not overtake it"
        again = ann.say(error["id"][4:], id=error["id"])
        assert again["seq"] == len(said) + 1

    def test_flood(self, empty):
        """| `slow-down` | more messages a second than `rate`, or too many requests at once;

        The others are answered meanwhile, after no more of the flood than the limit lets through."""
        empty.serve("--rate", "100")
        ann, eve = empty.chat("ann"), empty.chat("eve")
        begun = time.monotonic()
        eve.way.program.feed(b'{"t":"say","text":"flood"}\n' * self.FLOOD)
        eve.expect("error", code="slow-down")
        trips = 0
        while not eve.way.ended:  # it goes when its input has ended and it has heard nothing for a while
            ann.sync()
            trips += 1
            if trips % 50 == 0:
                ann.take(1)  # its own rate
            eve.take(0)
        passed = time.monotonic() - begun
        flood = len(ann.all("say", text="flood"))
        assert 398 <= flood <= 100 * (4 + passed) + 1
        assert trips >= 50
        ann.nothing_more("error")
        assert len(eve.all("error")) <= passed + 2, "nor is every one of a flood answered"

    def test_no_limit(self, world):
        """an option of the server's (`rate` in `welcome`)"""
        ann = world.chat("ann")
        assert ann.welcome.get("rate", 0) == 0
        for number in range(2000):
            ann.send(t="say", text=str(number))
        ann.expect("say", text="1999")
        ann.nothing_more("error")
