"""`typing`: what may be lost."""

import time

import pytest

from chat import EPHEMERAL, FIRST_ROOM, Chat
from sctp import DATA, FORWARD_TSN

PERIOD = 2  # seconds


def test_typing(world):
    """Passed on as `typing`, at most one in two seconds for each account and room."""
    ann, bob = world.people("ann", "bob")
    for _ in range(5):
        ann.send(t="typing")
    typing = bob.expect("typing")
    assert (typing["from"], typing["nick"], typing["on"]) == (ann.account, "ann", True)
    ann.sync()
    bob.nothing_more("typing")


def test_of_an_account(world):
    """at most one in two seconds for each account and room"""
    one, two, bob = world.people("ann", "ann", "bob")
    one.send(t="typing")
    bob.expect("typing")
    two.send(t="typing")
    two.sync()
    bob.nothing_more("typing")
    port = one.ask("room", t="open", room="dev")["port"]
    there, carl = world.chat("ann", port=port), world.chat("carl", port=port)
    there.send(t="typing")
    assert carl.expect("typing")["from"] == one.account
    bob.nothing_more("typing")


def test_stop(world):
    """Passed on as `typing`"""
    ann, bob = world.people("ann", "bob")
    ann.send(t="typing", on=False)  # nothing to stop
    ann.sync()
    bob.nothing_more("typing")
    ann.send(t="typing")
    ann.send(t="typing", on=False)
    assert [bob.expect("typing")["on"] for _ in range(2)] == [True, False]


def test_period(world):
    """at most one in two seconds for each account and room"""
    ann, bob = world.people("ann", "bob")
    begun = time.monotonic()
    ann.send(t="typing")
    bob.expect("typing")
    while not bob.all("typing"):
        assert time.monotonic() < begun + 10 * PERIOD, "it is passed on again after a while"
        ann.send(t="typing")
        bob.take(0.1)
    assert time.monotonic() - begun >= PERIOD - 0.1


def test_stream(world):
    """2: what may be lost
    (`typing`, `presence`), unordered and not retransmitted."""
    ann, bob = world.chat("ann"), world.chat("bob", by=world.hand)
    ann.send(t="typing")
    typing, presence = bob.expect("typing"), bob.expect("presence")
    for message in (typing, presence):
        assert (message.heard.stream, message.heard.unordered) == (EPHEMERAL, True)


@pytest.mark.rules  # it takes a peer that is made packet by packet
def test_not_retransmitted(world):
    """unordered and not retransmitted"""
    ann = world.chat("ann")
    bob = Chat(world.hand(partial=True))
    bob.join("bob")
    bob.sync()
    peer = bob.way.peer
    peer.lossy = True
    ann.send(t="typing")
    peer.until(FORWARD_TSN)
    peer.lossy = False
    lost = [body for kind, _, body in peer.lost if kind == DATA and b'"typing"' in body]
    assert len(lost) == 1
    ann.send(t="say", text="it goes on")
    bob.expect("say")
    bob.nothing_more("typing")


def test_not_kept(world):
    """What has a number is in the log"""
    ann, bob = world.people("ann", "bob")
    ann.send(t="typing")
    assert "seq" not in bob.expect("typing")
    assert ann.say("one")["seq"] == 1
    bob.send(t="history", since=0)
    assert [item["t"] for item in bob.expect("batch")["items"]] == ["say"]


def test_guest(world):
    """Until it has joined it is a guest"""
    bob, stranger = world.chat("bob"), world.chat()
    stranger.send(t="typing")
    typing = bob.expect("typing")
    assert typing["nick"] == f"guest-{typing['from']}"
    assert stranger.join()["account"] == typing["from"]


def test_only_this_room(world):
    """for each account and room"""
    ann, bob = world.people("ann", "bob")
    ann.ask("room", t="open", room="dev")
    there = world.chat("ann", port=FIRST_ROOM)
    there.send(t="typing")
    there.expect("typing")
    bob.nothing_more("typing")
