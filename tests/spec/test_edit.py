"""`edit`, `edited`."""

import pytest


@pytest.fixture
def said(shared):
    """ann, bob, and the number of what ann said."""
    ann, bob = shared.people("ann", "bob")
    return ann, bob, ann.say("good morning")["seq"]


def test_edit(said):
    """Each is numbered and comes back as `edited`, `redacted`, `reacted`, `topic`, acknowledged and compared by `id` as `say` is."""
    ann, bob, seq = said
    back = ann.ask("edited", t="edit", seq=seq, text="good morning, all")
    assert back == bob.expect("edited")
    assert (back["seq"], back["target"], back["from"], back["text"]) == (seq + 1, seq, ann.account, "good morning, all")
    again = ann.ask("edited", t="edit", id=back["id"], seq=seq, text="good morning, all")
    assert (again["seq"], again["target"]) == (back["seq"], seq)
    bob.nothing_more("edited")


def test_folded(said):
    """each message as it is now, `edited` (true)"""
    ann, bob, seq = said
    ann.ask("edited", t="edit", seq=seq, text="good day")
    ann.ask("edited", t="edit", seq=seq, text="good night")
    bob.send(t="history", since=seq - 1)
    batch = bob.expect("batch")
    assert (batch["from"], batch["until"]) == (seq, seq + 2)
    (item,) = batch["items"]
    assert (item["seq"], item["text"], item["edited"], item["changed"]) == (seq, "good night", True, seq + 2)


def test_not_yours(said):
    """One may edit and redact only
    what one said."""
    ann, bob, seq = said
    bob.refused("not-yours", t="edit", seq=seq, text="bad morning")
    ann.nothing_more("edited")
    assert ann.say("next")["seq"] == seq + 1


def test_guest(world):
    """One may edit and redact only
    what one said."""
    one, two = world.chat(), world.chat()
    seq = one.say("I am a guest")["seq"]
    two.refused("not-yours", t="edit", seq=seq, text="so am I")
    assert one.ask("edited", t="edit", seq=seq, text="I was a guest")["target"] == seq


@pytest.mark.parametrize("target", ["none yet", "an edit", "a topic", "redacted", 2**53 - 1])
def test_no_message(said, target):
    """| `no-message` | there is no such number, or it can not be changed (any more) |"""
    ann, _, seq = said
    if target == "none yet":
        target = seq + 1
    elif target == "an edit":
        target = ann.ask("edited", t="edit", seq=seq, text="edited")["seq"]
    elif target == "a topic":
        target = ann.ask("topic", t="topic", text="on Friday")["seq"]
    elif target == "redacted":
        ann.ask("redacted", t="redact", seq=seq)
        target = seq
    ann.refused("no-message", t="edit", seq=target, text="what?")


@pytest.mark.parametrize(
    "field, value",
    [
        ("seq", None), ("seq", 0), ("seq", "1"), ("seq", 1.5), ("seq", -1), ("seq", 2**53), ("text", ""), ("text", 1),
        ("text", "x" * 6145),
    ],
)
def test_fields(said, field, value):
    """| `bad-field` | `field` is missing, of the wrong type or not within the limits |"""
    ann, _, seq = said
    message = {"t": "edit", "seq": seq, "text": "good", field: value}
    assert ann.refused("bad-field", **message)["field"] == field
    del message[field]
    assert ann.refused("bad-field", **message)["field"] == field


def test_after_restart(empty, place):
    """keeps its nickname, read markers and the right to edit what it said"""
    empty.serve("--data", f"{place}/log")
    seq = empty.chat("ann").say("good morning")["seq"]
    empty.restart("--data", f"{place}/log")
    ann, bob = empty.people("ann", "bob")
    bob.refused("not-yours", t="edit", seq=seq, text="mine")
    ann.ask("edited", t="edit", seq=seq, text="still mine")
    assert bob.expect("edited")["text"] == "still mine"
