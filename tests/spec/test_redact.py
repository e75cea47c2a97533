"""`redact`, `redacted`."""

import glob

from programs import eventually


def files_with(place, text):
    """The files under the directory that have these bytes."""
    found = []
    for path in glob.glob(f"{place}/**/*", recursive=True):
        try:
            with open(path, "rb") as file:
                if text.encode() in file.read():
                    found.append(path)
        except OSError:
            pass
    return found


def test_redact(world):
    """Each is numbered and comes back as `edited`, `redacted`, `reacted`, `topic`, acknowledged and compared by `id` as `say` is."""
    ann, bob = world.people("ann", "bob")
    seq = ann.say("oops")["seq"]
    back = ann.ask("redacted", t="redact", seq=seq)
    assert back == bob.expect("redacted")
    assert (back["seq"], back["target"], back["from"]) == (seq + 1, seq, ann.account)
    assert "text" not in back
    again = ann.ask("redacted", t="redact", id=back["id"], seq=seq)
    assert again["seq"] == back["seq"]
    bob.nothing_more("redacted")


def topic_of_lobby(chat):
    chat.send(t="rooms")
    return chat.expect("rooms")["items"][0]["topic"]


def test_topic(world):
    """Redacting the topic leaves the room without one."""
    ann = world.chat("ann")
    first = ann.ask("topic", t="topic", text="first")["seq"]
    seq = ann.ask("topic", t="topic", text="oops")["seq"]
    ann.ask("redacted", t="redact", seq=first)
    assert topic_of_lobby(ann) == "oops"
    ann.ask("redacted", t="redact", seq=seq)
    assert topic_of_lobby(ann) == ""


def test_folded(world):
    """`redacted` (then it has no text)"""
    ann, bob = world.people("ann", "bob")
    seq = ann.say("oops")["seq"]
    ann.ask("reacted", t="react", seq=seq, emoji="👍")
    ann.ask("edited", t="edit", seq=seq, text="oops, I said")
    ann.ask("redacted", t="redact", seq=seq)
    bob.send(t="history", since=0)
    batch = bob.expect("batch")
    (item,) = batch["items"]
    assert item["redacted"] is True and item["changed"] == 4 and item["from"] == ann.account
    assert "text" not in item and not item.get("edited")
    assert "oops" not in str(batch)


def test_not_yours(world):
    """One may edit and redact only
    what one said."""
    ann, bob = world.people("ann", "bob")
    seq = ann.say("mine")["seq"]
    bob.refused("not-yours", t="redact", seq=seq)
    bob.refused("no-message", t="redact", seq=seq + 1)
    bob.send(t="history", since=0)
    assert bob.expect("batch")["items"][0]["text"] == "mine"


def test_wiped(empty, place):
    """The text of what is redacted is wiped from the log."""
    empty.serve("--data", f"{place}/log")
    ann, bob = empty.people("ann", "bob")
    seq = ann.say("xyzzysecret one", id="first")["seq"]
    ann.ask("edited", t="edit", seq=seq, text="xyzzysecret two")
    assert files_with(f"{place}/log", "xyzzysecret"), "else this test looks at the wrong place"
    ann.ask("redacted", t="redact", seq=seq)
    bob.send(t="search", text="xyzzysecret")
    assert bob.expect("found")["items"] == []
    assert ann.say("xyzzy?", id="first")["seq"] == seq, "its id still stands for it"
    eventually(lambda: not files_with(f"{place}/log", "xyzzysecret"), "its last trace to go", 60, 0.1)
