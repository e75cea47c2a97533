"""`topic`."""

import pytest


def test_topic(world):
    """Each is numbered and comes back as `edited`, `redacted`, `reacted`, `topic`, acknowledged and compared by `id` as `say` is."""
    ann, bob = world.people("ann", "bob")
    back = ann.ask("topic", t="topic", text="release on Friday")
    assert back == bob.expect("topic")
    assert (back["seq"], back["from"], back["nick"], back["text"]) == (1, ann.account, "ann", "release on Friday")
    bob.say("so late?")
    again = ann.ask("topic", t="topic", id=back["id"], text="release on Friday")
    assert again["seq"] == 1
    bob.nothing_more("topic")
    assert world.chat("carl").welcome["topic"] == "release on Friday"
    bob.send(t="history", since=0)
    assert [(item["t"], item["seq"]) for item in bob.expect("batch")["items"]] == [("topic", 1), ("say", 2)]


@pytest.mark.parametrize("text", ["", "x" * 512, "ünïcödé"])
def test_texts(shared, text):
    """| `topic`, `text` of topic | 0 to 512 bytes, one line |"""
    ann = shared.chat("ann")
    ann.ask("topic", t="topic", text="before")
    assert ann.ask("topic", t="topic", text=text)["text"] == text
    assert shared.chat("bob").welcome["topic"] == text


@pytest.mark.parametrize("text", ["x" * 513, "two\nlines", "\x1b]0;title\x07", None, 5])
def test_no_texts(shared, text):
    """| `topic`, `text` of topic | 0 to 512 bytes, one line |"""
    ann = shared.chat("ann")
    ann.ask("topic", t="topic", text="before")
    assert ann.refused("bad-field", t="topic", text=text)["field"] == "text"
    assert shared.chat("bob").welcome["topic"] == "before"


def test_restart(empty, place):
    """What has a number is in the log and survives what the server's
    `--durability` promises"""
    empty.serve("--data", f"{place}/log")
    ann = empty.chat("ann")
    port = ann.ask("room", t="open", room="dev", topic="what we build")["port"]
    ann.ask("topic", t="topic", text="hello")
    empty.restart("--data", f"{place}/log")
    assert empty.chat("ann").welcome["topic"] == "hello"
    assert empty.chat("ann", port=port).welcome["topic"] == "what we build"
