"""`read`: up to where an account has read."""

import pytest

from chat import FIRST_ROOM


@pytest.fixture
def read(world):
    """ann, twice, and bob, who has said three things."""
    chats = world.people("ann", "ann", "bob")
    for text in ("one", "two", "three"):
        chats[2].say(text)
    return chats


def test_synchronised(read):
    """The account has read up to this number. Its other associations get `read`."""
    one, two, bob = read
    one.send(t="read", seq=2)
    told = two.expect("read")
    assert (told["room"], told["seq"], told["unread"]) == ("lobby", 2, 1)
    one.send(t="read", seq=3)
    assert two.expect("read", seq=3)["unread"] == 0
    one.nothing_more("read")
    bob.nothing_more("read")


def test_only_forward(read):
    """A marker moves only forward."""
    one, two, _ = read
    one.send(t="read", seq=2)
    two.expect("read", seq=2)
    one.send(t="read", seq=1)
    one.send(t="read", seq=2)
    one.sync()
    two.nothing_more("read")
    assert two.join("ann")["read"] == 2


def test_not_beyond(read):
    """`head`: the latest number"""
    one, two, bob = read
    one.send(t="read", seq=1000)
    assert two.expect("read")["seq"] == 3
    bob.say("four")
    assert one.join("ann")["unread"] == 1


def test_by_saying(read):
    """`unread`: how many `say` came after it."""
    one, _, _ = read
    assert one.join("ann")["unread"] == 3
    one.say("four")
    welcome = one.join("ann")
    assert (welcome["read"], welcome["unread"]) == (4, 0)


def test_unread_counts_say_only(read):
    """`unread`: how many `say` came after it."""
    one, two, bob = read
    one.send(t="read", seq=3)
    bob.ask("reacted", t="react", seq=1, emoji="👍")
    bob.ask("edited", t="edit", seq=1, text="uno")
    bob.ask("topic", t="topic", text="numbers")
    assert one.join("ann")["unread"] == 0
    bob.say("dances", action=True)
    assert one.join("ann")["unread"] == 1
    one.send(t="read", seq=5)
    assert two.expect("read", seq=5)["unread"] == 1
    assert one.join("ann")["unread"] == 1


def test_another_room(world):
    """`room`, in the lobby, names another room."""
    ann, bob = world.people("ann", "bob")
    ann.ask("room", t="open", room="dev")
    there = world.chat("bob", port=FIRST_ROOM)
    for number in range(3):
        there.say(str(number))
    other = world.chat("ann", port=FIRST_ROOM)
    assert other.welcome["unread"] == 3
    ann.send(t="read", seq=2, room="dev")
    told = other.expect("read")
    assert (told["room"], told["seq"], told["unread"]) == ("dev", 2, 1)
    other.send(t="read", seq=3)
    assert ann.expect("read")["seq"] == 3
    assert (ann.join("ann")["read"], other.join("ann")["read"]) == (0, 3)
    bob.nothing_more("read")


@pytest.mark.parametrize(
    "name, field, code",
    [
        ("nowhere", "room", "no-room"), ("No Room", "room", "bad-field"), (None, "seq", "bad-field"),
    ],
)
def test_refused(shared, name, field, code):
    """| `no-room` | there is no such room |"""
    ann = shared.chat("ann")
    ann.send(t="read", **({"seq": 1, "room": name} if name else {"seq": "x"}))
    error = ann.expect("error")
    assert (error["code"], error["field"]) == (code, field)


def test_restart(empty, place):
    """keeps its nickname, read markers and the right to edit what it said"""
    empty.serve("--data", f"{place}/log")
    ann, bob = empty.people("ann", "bob")
    for text in ("one", "two", "three"):
        bob.say(text)
    ann.send(t="read", seq=2)
    ann.sync()
    empty.restart("--data", f"{place}/log")
    welcome = empty.chat("ann").welcome
    assert (welcome["read"], welcome["unread"]) == (2, 1)


def test_away_and_back(world):
    """keeps its nickname, read markers"""
    ann, bob = world.people("ann", "bob")
    bob.say("one")
    ann.send(t="read", seq=1)
    ann.sync()
    ann.leave()
    bob.expect("presence", out=[{"account": ann.account}])
    bob.say("two")
    welcome = world.chat("ann").welcome
    assert (welcome["read"], welcome["unread"]) == (1, 1)
