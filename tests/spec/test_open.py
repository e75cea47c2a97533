"""`open`, `room`."""

import pytest

from chat import FIRST_ROOM


def test_open(world):
    """`open` makes a room, or finds it when it is there; answered by `room`."""
    ann, bob = world.people("ann", "bob")
    made = ann.ask("room", t="open", room="dev", topic="what we build")
    assert (made["room"], made["port"], made["topic"], made["new"]) == ("dev", FIRST_ROOM, "what we build", True)
    assert (made["people"], made["head"], made["said"], made["unread"]) == (0, 0, 0, 0)
    found = bob.ask("room", t="open", room="dev", topic="another topic")
    assert (found["port"], found["topic"], found.get("new", False)) == (FIRST_ROOM, "what we build", False)
    assert ann.ask("room", t="open", room="ops")["port"] == FIRST_ROOM + 1
    assert world.chat("carl", port=FIRST_ROOM).welcome["room"] == "dev"


def test_told(world):
    """A `room` with `new` goes to all in the lobby."""
    ann, bob = world.people("ann", "bob")
    ann.ask("room", t="open", room="dev")
    carl = world.chat("carl", port=FIRST_ROOM)
    told = bob.expect("room")
    assert (told["room"], told["new"]) == ("dev", True) and "id" not in told
    carl.ask("room", t="open", room="ops")
    assert bob.expect("room")["room"] == "ops"
    carl.ask("room", t="open", room="dev")
    bob.nothing_more("room", room="dev")


def test_at_once(world):
    """`open` makes a room, or finds it when it is there"""
    chats = world.people("ann", "bob", "carl")
    for number, chat in enumerate(chats):
        chat.send(t="open", room="dev", id=f"open-{number}")
    answers = [chat.expect("room", id=f"open-{number}") for number, chat in enumerate(chats)]
    assert {answer["port"] for answer in answers} == {FIRST_ROOM}
    assert [answer.get("new", False) for answer in answers].count(True) == 1


def test_several_by_one(world):
    """`id`: of the message that it was about, if that had one."""
    ann = world.chat("ann")
    for number in range(5):
        ann.send(t="open", room=f"room-{number}", id=f"open-{number}")
    for number in range(5):
        assert ann.expect("room", id=f"open-{number}")["room"] == f"room-{number}"


@pytest.mark.rules
@pytest.mark.parametrize("room", ["a", "x" * 32, "a-b_c", "0"])
def test_names(shared, room):
    """| `room` | 1 to 32 of `a-z 0-9 - _` |"""
    assert shared.chat("ann").ask("room", t="open", room=room)["room"] == room


@pytest.mark.rules
@pytest.mark.parametrize("room", ["", "x" * 33, "Dev", "a b", "ä", "../etc", "a/b", 5, None])
def test_no_names(shared, room):
    """| `room` | 1 to 32 of `a-z 0-9 - _` |"""
    ann, bob = shared.people("ann", "bob")
    assert ann.refused("bad-field", t="open", room=room)["field"] == "room"
    bob.nothing_more("room", new=True)


def test_limit(empty):
    """| `full` | as many rooms (or reactions) as are allowed |"""
    empty.serve("--rooms", "3")
    ann = empty.chat("ann")
    ann.ask("room", t="open", room="one")
    ann.ask("room", t="open", room="two")
    ann.refused("full", t="open", room="three")
    ann.ask("room", t="open", room="one")


def test_restart(empty, place):
    """A room is an SCTP port: the lobby 2014, others from 2015 up."""
    empty.serve("--data", f"{place}/log")
    ann = empty.chat("ann")
    ports = {room: ann.ask("room", t="open", room=room, topic=f"about {room}")["port"] for room in ("dev", "ops", "art")}
    empty.chat("ann", port=ports["ops"]).say("hello")
    empty.restart("--data", f"{place}/log")
    for room, port in ports.items():
        welcome = empty.chat("ann", port=port).welcome
        assert (welcome["room"], welcome["port"], welcome["topic"]) == (room, port, f"about {room}")
        assert welcome["head"] == (1 if room == "ops" else 0)
    assert empty.chat("ann").ask("room", t="open", room="new")["port"] == max(ports.values()) + 1
