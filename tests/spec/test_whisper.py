"""`whisper`."""

import pytest

from chat import FIRST_ROOM


def test_whisper(world):
    """To all clients of one account by its nickname, wherever they are, and back to the sender's own."""
    ann, bob, carl = world.people("ann", "bob", "carl")
    back = ann.ask("whisper", t="whisper", to="bob", text="coffee?")
    assert back == bob.expect("whisper")
    assert (back["from"], back["nick"], back["to"], back["text"]) == (ann.account, "ann", "bob", "coffee?")
    assert back["at"] > 1_700_000_000_000 and "seq" not in back
    carl.nothing_more("whisper")


def test_each_client_once(world):
    """To all clients of one account by its nickname, wherever they are, and back to the sender's own."""
    ann, other_ann, bob, other_bob = world.people("ann", "ann", "bob", "bob")
    ann.ask("room", t="open", room="dev")
    in_room = world.people("ann", "bob", port=FIRST_ROOM)
    ann.ask("whisper", t="whisper", to="bob", text="coffee?")
    for chat in (other_ann, bob, other_bob):
        chat.expect("whisper")
    for chat in (ann, other_ann, bob, other_bob, *in_room):
        chat.nothing_more("whisper")


def test_who_is_only_in_a_room(world):
    """wherever they are"""
    ann = world.chat("ann")
    ann.ask("room", t="open", room="dev")
    bob = world.chat("bob", port=FIRST_ROOM)
    ann.ask("whisper", t="whisper", to="bob", text="coffee?")
    bob.expect("whisper")
    bob.ask("whisper", t="whisper", to="ann", text="yes")
    assert ann.expect("whisper", text="yes")["nick"] == "bob"


def test_name_looks_the_same(world):
    """by its nickname"""
    ann, bob = world.people("ann", "bob")
    assert ann.ask("whisper", t="whisper", to="BOB", text="coffee?")["to"] == "bob"
    bob.expect("whisper")
    bob.ask("you", t="nick", nick="Robert")
    ann.ask("whisper", t="whisper", to="robert", text="tea?")
    ann.refused("not-here", t="whisper", to="bob", text="tea?")


def test_guest(world):
    """Who has not chosen one is
    `guest-N`, N the account's number."""
    ann, guest = world.chat("ann"), world.chat()
    nick = guest.join()["nick"]
    ann.ask("whisper", t="whisper", to=nick, text="who are you?")
    guest.expect("whisper")
    guest.ask("whisper", t="whisper", to="ann", text="nobody")
    assert ann.expect("whisper", text="nobody")["nick"] == nick


def test_to_oneself(world):
    """back to the sender's own"""
    ann, other = world.people("ann", "ann")
    ann.ask("whisper", t="whisper", to="ann", text="note")
    other.expect("whisper")
    for chat in (ann, other):
        chat.nothing_more("whisper")


def test_not_here(world):
    """Not logged: who is not here does not get it (`error` `not-here`)."""
    ann, carl = world.people("ann", "carl")
    carl.leave()
    ann.expect("presence", out=[{"account": carl.account}])
    for to in ("nobody", "carl", "guest-999", "guest-"):
        assert ann.refused("not-here", t="whisper", to=to, text="psst")["field"] == "to"
    ann.nothing_more("whisper")
    world.chat("carl", since=0).nothing_more("batch")
    assert ann.say("one")["seq"] == 1


@pytest.mark.parametrize(
    "message",
    [
        {"text": "x"}, {"to": "bob"}, {"to": "", "text": "x"}, {"to": "bob", "text": ""},
        {"to": "bob", "text": "x" * 6145}, {"to": 7, "text": "x"},
    ],
)
def test_fields(shared, message):
    """| `text` of say, edit, whisper | 1 to 6,144 bytes |"""
    ann = shared.chat("ann")
    ann.refused("bad-field", t="whisper", **message)
