"""`nick`, `you`."""

import pytest

from chat import FIRST_ROOM, secret_of


def test_nick(world):
    """Answered by `you`; the rooms hear it as `presence`."""
    ann, bob = world.people("ann", "bob")
    you = ann.ask("you", t="nick", nick="Anna")
    assert (you["account"], you["nick"], you.get("verified", False)) == (ann.account, "Anna", False)
    person = {"account": ann.account, "nick": "Anna"}
    while person not in bob.expect("presence").get("in", []):
        pass
    assert ann.say("I am called otherwise")["nick"] == "Anna"


def test_all_rooms_and_clients(world):
    """A nickname is the account's, the same in all rooms, and nobody else's"""
    ann = world.chat("ann")
    ann.ask("room", t="open", room="dev")
    there = world.chat("ann", port=FIRST_ROOM)
    bob = world.chat("bob", port=FIRST_ROOM)
    ann.ask("you", t="nick", nick="Anna")
    assert there.expect("you")["nick"] == "Anna"
    there.send(t="say", text="here too")
    assert bob.expect("say")["nick"] == "Anna"
    while not any(person["nick"] == "Anna" for person in bob.expect("presence").get("in", [])):
        pass


def test_said_right_after(world):
    """Answered by `you`"""
    ann, bob = world.people("ann", "bob")
    ann.send(t="nick", nick="Anna")
    ann.send(t="say", text="by my new name")
    assert bob.expect("say")["nick"] == "Anna"


@pytest.mark.parametrize("nick", ["ann", "Ann", "аnn", "ａｎｎ", "ANN"])
def test_taken(shared, nick):
    """two collide when their case-folded UTS #39 skeletons are equal (`Ann`, `ann`, and `аnn` with a
    Cyrillic а)"""
    shared.chat("ann")
    bob = shared.chat("bob")
    bob.refused("nick-taken", t="nick", nick=nick)
    assert bob.say("still")["nick"] == "bob"


def test_taken_while_away(world):
    """A nickname is the account's, the same in all rooms, and nobody else's"""
    ann, bob = world.people("ann", "bob")
    ann.leave()
    bob.refused("nick-taken", t="nick", nick="ann")


def test_free_again(world):
    """nobody else's"""
    ann, bob = world.people("ann", "bob")
    ann.ask("you", t="nick", nick="Anna")
    assert bob.ask("you", t="nick", nick="ann")["nick"] == "ann"


def test_own_in_another_case(world):
    """A nickname is the account's"""
    ann = world.chat("ann")
    assert ann.ask("you", t="nick", nick="Ann")["nick"] == "Ann"


@pytest.mark.parametrize("nick", ["x" * 32, "Ünïcödé", "名前", "a.b-c_d", "李" * 32, "O'Brien"])
def test_nicks(shared, nick):
    """1 to 32 characters of UTF-8, without control, bidi, zero-width and other invisible characters."""
    ann = shared.chat("ann")
    assert ann.ask("you", t="nick", nick=nick)["nick"] == nick


@pytest.mark.parametrize("nick", ["x" * 33, "a\u202eb", "a\u200bb", "a\u2066b", "\u2800", "\u3164", "guest-5", "Guest-77"])
def test_no_nicks(shared, nick):
    """| `nick-taken`, `bad-nick` | somebody has it or one that looks the same; not a nickname |"""
    ann = shared.chat("ann")
    error = ann.ask("error", t="nick", nick=nick)
    assert error["code"] in ("bad-nick", "bad-field") and error["field"] == "nick"
    assert ann.say("still")["nick"] == "ann"


@pytest.mark.parametrize("nick", ["", "x" * 129, "李" * 43, "a\nb", "a\x1bb", 5, None])
def test_beyond_the_limits(shared, nick):
    """| `nick`, `to` | 1 to 32 characters ([which](#nicknames)), at most 128 bytes |"""
    ann = shared.chat("ann")
    error = ann.ask("error", t="nick", nick=nick)
    assert error["code"] in ("bad-nick", "bad-field") and error["field"] == "nick"


def test_guest(world):
    """| `not-joined` | this needs an account: `join` with a `secret` first |"""
    stranger = world.chat()
    stranger.refused("not-joined", t="nick", nick="ann")
    stranger.join()
    stranger.refused("not-joined", t="nick", nick="ann")
    assert stranger.join(secret="7" * 32)["nick"].startswith("guest-")
    assert stranger.ask("you", t="nick", nick="ann")["nick"] == "ann"


def test_restart(empty, place):
    """keeps its nickname"""
    empty.serve("--data", f"{place}/log")
    empty.chat("ann")
    empty.restart("--data", f"{place}/log")
    bob = empty.chat("bob")
    bob.refused("nick-taken", t="nick", nick="аnn")
    assert empty.chat(secret="0" * 32).welcome["nick"].startswith("guest-")
    assert empty.chat(secret=secret_of("ann")).welcome["nick"] == "ann"
