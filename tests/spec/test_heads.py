"""`heads` in the lobby, `head` to who was skipped."""

import pytest

from chat import FIRST_ROOM


@pytest.fixture
def dev(world):
    """ann in the lobby; bob in a room."""
    ann = world.chat("ann")
    ann.ask("room", t="open", room="dev")
    return ann, world.chat("bob", port=FIRST_ROOM)


def heads(chat, head):
    """Waits until `heads` tells of a head; returns that and how many messages it took."""
    count = 0
    while True:
        count += 1
        for item in chat.expect("heads")["items"]:
            if item["head"] == head:
                return item, count


def test_heads(dev):
    """In the lobby: the rooms in which something was said lately, several changes in one."""
    ann, bob = dev
    bob.say("one")
    assert heads(ann, 1)[0] == {"room": "dev", "head": 1, "said": 1}
    for number in range(2, 51):
        bob.send(t="say", text=str(number))
    bob.expect("say", seq=50)
    item, count = heads(ann, 50)
    assert item == {"room": "dev", "head": 50, "said": 50} and count < 25
    bob.nothing_more("heads")


def test_said(dev):
    """`said` counts the room's `say` so far: the difference to
    what `rooms` told is how many more are unread."""
    ann, bob = dev
    bob.say("one")
    heads(ann, 1)
    ann.send(t="rooms", after=2014)
    (room,) = ann.expect("rooms")["items"]
    assert (room["said"], room["unread"]) == (1, 1)
    bob.ask("reacted", t="react", seq=1, emoji="👍")
    bob.ask("edited", t="edit", seq=1, text="uno")
    assert heads(ann, 3)[0]["said"] == 1
    bob.say("two")
    assert heads(ann, 4)[0]["said"] == 2
    ann.send(t="rooms", after=2014)
    assert ann.expect("rooms")["items"][0]["unread"] == 2


def test_several_rooms(world):
    """several changes in one"""
    ann = world.chat("ann")
    for number in range(10):
        ann.send(t="open", room=f"room-{number}")
    ann.expect("room", room="room-9")
    for chat in [world.chat("bob", port=FIRST_ROOM + number) for number in range(10)]:
        chat.send(t="say", text="hello")
    rooms, count = set(), 0
    while len(rooms) < 10:
        rooms |= {item["room"] for item in ann.expect("heads")["items"]}
        count += 1
    assert count < 10


def test_lobby_itself(world):
    """In the lobby: the rooms in which something was said lately"""
    ann = world.chat("ann")
    ann.say("here")
    ann.ask("room", t="open", room="dev")
    world.chat("ann", port=FIRST_ROOM).say("there")
    assert [item["room"] for item in ann.expect("heads")["items"]] == ["dev"]


class TestSkipped:
    """A peer that does not keep up is skipped,
    never disconnected; when it has room again it gets a `head`."""

    COUNT = 520  # more than the server keeps for those behind: 4 MiB

    def test_skipped(self, world):
        """To one that was skipped, when it has room again: what it has not got by now, up to `head`, it must ask for."""
        ann = world.chat("ann")
        slow = world.chat("slow", by=lambda port: world.hand(port, **({"buffer": 1 << 20} if world.transport == "sctp" else {})))
        other = world.chat("other")
        slow.way.stop_reading()
        for number in range(1, self.COUNT + 1):
            ann.send(t="say", text=f"{number} " + '"' * 6000)
            if world.transport == "udp":
                slow.take(0)
            if number % 20 == 0:
                ann.expect("say", seq=number)
                other.expect("say", seq=number)
        ann.sync()
        slow.way.read_again()
        head = slow.expect("head")
        assert head["head"] <= self.COUNT and head["first"] == 1
        got = {message["seq"] for message in slow.all("say")}
        assert len(got) < self.COUNT, "else nothing was skipped"
        ann.send(t="say", text="after it", id="after")
        slow.expect("say", id="after")
        got |= {message["seq"] for message in slow.all("say")} | {self.COUNT + 1}
        assert {number for number in range(head["head"] + 1, self.COUNT + 2)} <= got
        while missing := [number for number in range(1, self.COUNT + 2) if number not in got]:
            slow.send(t="history", since=missing[0] - 1)
            batch = slow.expect("batch")
            assert batch["from"] == missing[0]
            got |= {item["seq"] for item in batch["items"]}
        assert not world.server.log("down")
