"""`react`, `reacted`."""

import pytest


def history(chat):
    chat.send(t="history", since=0)
    return chat.expect("batch")["items"]


def test_react(world):
    """Each is numbered and comes back as `edited`, `redacted`, `reacted`, `topic`, acknowledged and compared by `id` as `say` is."""
    ann, bob = world.people("ann", "bob")
    seq = ann.say("cake")["seq"]
    back = bob.ask("reacted", t="react", seq=seq, emoji="👍")
    assert back == ann.expect("reacted")
    assert (back["seq"], back["target"], back["from"], back["emoji"], back["on"]) == (seq + 1, seq, bob.account, "👍", True)
    again = bob.ask("reacted", t="react", id=back["id"], seq=seq, emoji="👍")
    assert again["seq"] == back["seq"]
    ann.nothing_more("reacted")


def test_folded(world):
    """each message as it is now, `edited` (true), `redacted` (then it has no text), with its `reactions`"""
    ann, bob, carl = world.people("ann", "bob", "carl")
    seq = ann.say("cake")["seq"]
    for chat, emoji in ((ann, "👍"), (bob, "👍"), (bob, "🎂"), (carl, "no!")):
        chat.ask("reacted", t="react", seq=seq, emoji=emoji)
    carl.ask("reacted", t="react", seq=seq, emoji="no!", on=False)
    for chat, mine in ((ann, {"👍"}), (bob, {"👍", "🎂"}), (carl, set())):
        (item,) = history(chat)
        assert {(r["emoji"], r["count"], r.get("mine", False)) for r in item["reactions"]} == {
            ("👍", 2, "👍" in mine),
            ("🎂", 1, "🎂" in mine),
        }
        assert item["changed"] == 6


def test_twice(world):
    """Each is numbered and comes back as `edited`, `redacted`, `reacted`, `topic`"""
    ann = world.chat("ann")
    seq = ann.say("cake")["seq"]
    for _ in range(2):
        ann.ask("reacted", t="react", seq=seq, emoji="👍")
    assert history(ann)[0]["reactions"] == [{"emoji": "👍", "count": 1, "mine": True}]
    for _ in range(2):
        ann.ask("reacted", t="react", seq=seq, emoji="👍", on=False)
    assert not history(ann)[0].get("reactions")


def test_different_ones(world):
    """| `emoji` | 1 to 32 bytes, one line; 20 different ones on a message |"""
    ann, bob = world.people("ann", "bob")
    seq = ann.say("vote")["seq"]
    for number in range(20):
        ann.ask("reacted", t="react", seq=seq, emoji=str(number))
    ann.refused("full", t="react", seq=seq, emoji="one more")
    bob.ask("reacted", t="react", seq=seq, emoji="7")
    assert len(history(ann)[0]["reactions"]) == 20
    ann.ask("reacted", t="react", seq=seq, emoji="3", on=False)
    ann.ask("reacted", t="react", seq=seq, emoji="one more")


@pytest.mark.parametrize("emoji", ["", "x" * 33, "👍" * 9, "a\nb", "\x1b", 1, None])
def test_no_emoji(shared, emoji):
    """| `emoji` | 1 to 32 bytes, one line; 20 different ones on a message |"""
    ann = shared.chat("ann")
    seq = ann.say("cake")["seq"]
    assert ann.refused("bad-field", t="react", seq=seq, emoji=emoji)["field"] == "emoji"


def test_no_message(world):
    """| `no-message` | there is no such number, or it can not be changed (any more) |"""
    ann = world.chat("ann")
    ann.refused("no-message", t="react", seq=1, emoji="👍")
    seq = ann.say("oops")["seq"]
    ann.ask("redacted", t="redact", seq=seq)
    ann.refused("no-message", t="react", seq=seq, emoji="👍")
