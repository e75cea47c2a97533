"""`history`, `batch`."""

import time

import pytest

from chat import BULK, FIRST_ROOM
from programs import PATIENCE


def history(chat, **what):
    chat.send(t="history", **what)
    return chat.expect("batch")


def numbers_of(batch):
    return [item["seq"] for item in batch["items"]]


def say_ten(ann):
    for number in range(1, 11):
        ann.say(f"number {number}")


@pytest.fixture
def ten(world):
    """bob, and ten messages of ann's."""
    ann, bob = world.people("ann", "bob")
    say_ten(ann)
    return ann, bob


@pytest.fixture(scope="module")
def room_of_ten(common):
    port = common.chat("ann").ask("room", t="open", room="ten")["port"]
    say_ten(common.chat("ann", port=port))
    return port


@pytest.fixture
def bob(shared, room_of_ten):
    """bob in a room with ten messages of ann's, who does not change them."""
    return shared.chat("bob", port=room_of_ten)


@pytest.mark.rules
@pytest.mark.parametrize(
    "what, numbers, between",
    [
        ({"since": 0}, range(1, 11), (1, 10)),
        ({"since": 7}, (8, 9, 10), (8, 10)),
        ({"since": 0, "limit": 3}, (1, 2, 3), (1, 3)),
        ({"since": 2, "until": 4}, (3, 4), (3, 4)),
        ({"since": 2, "until": 9, "limit": 2}, (3, 4), (3, 4)),
        ({"since": 7, "until": 99}, (8, 9, 10), (8, 10)),
        ({"before": 11}, range(1, 11), (1, 10)),
        ({"before": 5, "limit": 2}, (3, 4), (3, 4)),
        ({"before": 2, "limit": 500}, (1,), (1, 1)),
        ({"before": 99, "limit": 1}, (10,), (10, 10)),
    ],
)
def test_ranges(bob, what, numbers, between):
    """`since`: what comes after it, in order, up to `until` if given; `before`: the messages before it that are nearest."""
    batch = history(bob, **what)
    assert numbers_of(batch) == list(numbers)
    assert (batch["from"], batch["until"]) == between
    assert (batch["first"], batch["head"]) == (1, 10)


@pytest.mark.rules
@pytest.mark.parametrize("what", [{"since": 10}, {"since": 99}, {"before": 1}])
def test_nothing(bob, what):
    """One `batch` answers one `history`, one `found` one `search`."""
    batch = history(bob, **what)
    assert batch["items"] == [] and batch["until"] == batch["from"] - 1
    assert batch["head"] == 10


@pytest.mark.rules
@pytest.mark.parametrize(
    "what",
    [
        {}, {"since": 1, "before": 3}, {"since": "1"}, {"since": 1, "limit": 0}, {"since": 1, "limit": 501},
        {"since": -1}, {"since": 1.0}, {"since": 2**53},
    ],
)
def test_exactly_one(bob, what):
    """Exactly one of the two is needed."""
    bob.refused("bad-field", t="history", **what)
    bob.nothing_more("batch")


def test_answers_in_order(bob):
    """One `batch` answers one `history`, one `found` one `search`."""
    for since in (0, 3, 6, 9):
        bob.send(t="history", since=since, limit=1)
    assert [bob.expect("batch")["from"] for _ in range(4)] == [1, 4, 7, 10]


def test_stream(world):
    """1: history and lists (`batch`, `found`, `names`, `rooms`)."""
    ann = world.chat("ann", by=world.hand)
    ann.say("hello")
    for request, answer in (
        ({"t": "history", "since": 0}, "batch"),
        ({"t": "search", "text": "hello"}, "found"),
        ({"t": "names"}, "names"),
        ({"t": "rooms"}, "rooms"),
    ):
        ann.send(**request)
        heard = ann.expect(answer).heard
        assert (heard.stream, heard.unordered) == (BULK, False)


def test_of_the_room(ten, world):
    """A number, `seq`, belongs to each thing that was logged in a room"""
    ann, _ = ten
    ann.ask("room", t="open", room="dev")
    there = world.chat("ann", port=FIRST_ROOM)
    assert history(there, since=0)["head"] == 0
    there.say("elsewhere")
    assert [item["text"] for item in history(there, since=0)["items"]] == ["elsewhere"]


def test_changed_ones(ten):
    """and each
    older message that was changed by one of these numbers, so that who missed an edit gets the edited message."""
    ann, bob = ten
    ann.ask("edited", t="edit", seq=3, text="drei")
    ann.ask("reacted", t="react", seq=5, emoji="👍")
    ann.say("number 13")
    batch = history(bob, since=10)
    assert (batch["from"], batch["until"]) == (11, 13)
    assert {item["seq"]: item.get("changed") for item in batch["items"]} == {3: 11, 5: 12, 13: None}
    assert next(item for item in batch["items"] if item["seq"] == 3)["text"] == "drei"


def test_changed_ones_that_are_long(world):
    """A batch may cover less than was asked for; go on after `until`, or before `from`."""
    ann, bob = world.people("ann", "bob")
    for _ in range(6):
        ann.say('"' * 4000)  # twice as long in JSON
    for seq in (3, 2, 1, 6, 4, 5):  # so the oldest message is not what changed first
        ann.ask("reacted", t="react", seq=seq, emoji="👍")
    since, seen = 6, {}
    while since < 12:
        batch = history(bob, since=since)
        assert batch["from"] == since + 1 and batch["until"] > since
        for item in batch["items"]:
            seen[item["seq"]] = item["changed"]
        since = batch["until"]
        assert {seq for seq, changed in zip((3, 2, 1, 6, 4, 5), range(7, 13)) if changed <= since} <= seen.keys()
    assert seen == {3: 7, 2: 8, 1: 9, 6: 10, 4: 11, 5: 12}


def test_changes_are_no_holes(ten):
    """A number between `from` and `until` that is not among the items is gone, or was a change: it is not a
    hole."""
    ann, bob = ten
    ann.ask("edited", t="edit", seq=10, text="zehn")
    batch = history(bob, since=9)
    assert (batch["from"], batch["until"]) == (10, 11)
    assert numbers_of(batch) == [10]


@pytest.mark.parametrize("text", ["x" * 6144, '"' * 6144, "\t" * 6144, "\U0001f44d" * 1536])
def test_the_longest(shared, text):
    """| a message | 16,384 bytes |"""
    port = shared.chat("ann").ask("room", t="open", room=f"longest-{len(text)}-{ord(text[0])}")["port"]
    ann, bob = shared.people("ann", "bob", port=port)
    for _ in range(4):
        ann.say(text)
    since, before = [], []
    while not since or since[-1] < 4:
        since += numbers_of(history(bob, since=since[-1] if since else 0))
    while not before or before[0] > 1:
        before = numbers_of(history(bob, before=before[0] if before else 5)) + before
    assert since == before == [1, 2, 3, 4]


def test_four_at_once(bob):
    """| `history` and `search` requests not yet answered | 4 an association |"""
    for number in range(300):
        bob.send(t="history", since=0, limit=1, id=f"h{number}")
    answers = errors = 0
    while answers + errors == 0 or bob.search({"t": "batch"}) is not None or bob.search({"t": "error"}) is not None:
        answers += len(bob.all("batch"))
        for error in bob.all("error"):
            assert error["code"] == "slow-down" and error["retry"] > 0
            errors += 1
        bob.sync()
    assert answers >= 4
    later = time.monotonic() + PATIENCE
    while not bob.all("batch"):  # asked later it is answered
        assert time.monotonic() < later
        bob.send(t="history", since=9)
        bob.take(0.1)


def test_keep(empty):
    """`first`: the oldest one still in the log."""
    empty.serve("--rate", "0", "--keep-messages", "5")
    ann = empty.chat("ann")
    for number in range(1, 31):
        ann.say(f"number {number}")
    while (batch := history(ann, since=0))["first"] < 26:
        ann.take(0.1)
    assert numbers_of(batch) == list(range(26, 31))
    assert empty.chat("bob").welcome["first"] == 26
