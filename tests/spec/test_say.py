"""`say`: numbered, acknowledged by its return, said once."""

import pytest


def test_all_hear(world):
    """Comes back to all, the sender too, as `say` with its number. That is the acknowledgement."""
    ann, bob = world.people("ann", "bob")
    back = ann.say("good morning", id="Zk3mQ0a1")
    assert back == bob.expect("say")
    assert (back["seq"], back["from"], back["nick"], back["text"]) == (1, ann.account, "ann", "good morning")
    for absent in ("action", "reply", "classic", "verified", "edited"):
        assert not back.get(absent)


def test_same_bytes(world):
    """All
    get the same bytes."""
    hands = [world.chat(name, by=world.hand) for name in ("ann", "bob")]
    hands[0].send(t="say", id="x", text="ünïcödé \U0001f44d")
    assert len({chat.expect("say", id="x").heard.payload for chat in hands}) == 1


def test_numbers(world):
    """A number, `seq`, belongs to each thing that was logged in a room: 1, 2, 3, … without a gap."""
    chats = world.people("ann", "bob", "carl")
    for number in range(20):
        for chat in chats:
            chat.send(t="say", text=f"{chat.account} {number}")
    sequences = []
    for chat in chats:
        said = [chat.expect("say") for _ in range(60)]
        assert [message["seq"] for message in said] == list(range(1, 61))
        sequences.append([message["text"] for message in said])
    assert sequences[0] == sequences[1] == sequences[2]
    for chat in chats:
        own = [text for text in sequences[0] if text.split()[0] == str(chat.account)]
        assert own == [f"{chat.account} {number}" for number in range(20)]


def test_id_of_another_room(world):
    """once for each message of the account, in all rooms"""
    ann = world.chat("ann")
    port = ann.ask("room", t="open", room="dev")["port"]
    ann.say("in the lobby", id="once")
    there = world.chat("ann", port=port)
    there.refused("bad-field", field="id", t="say", id="once", text="here")
    there.nothing_more("say")


def test_numbers_of_a_room(world):
    """belongs to each thing that was logged in a room"""
    ann = world.chat("ann")
    port = ann.ask("room", t="open", room="dev")["port"]
    ann.say("in the lobby")
    there = world.chat("ann", port=port)
    assert there.say("here it begins anew")["seq"] == 1
    ann.nothing_more("say")


def test_time(world):
    """`at`: milliseconds since 1970, never less than the one before."""
    ann = world.chat("ann")
    times = [ann.say(str(number))["at"] for number in range(20)]
    assert times == sorted(times)
    assert 1_700_000_000_000 < times[0] < 4_000_000_000_000


def test_action_and_reply(world):
    """`action`, `reply` as they were said."""
    ann, bob = world.people("ann", "bob")
    seq = ann.say("good morning")["seq"]
    bob.say("waves", action=True)
    bob.say("you too", reply=seq)
    assert ann.expect("say", text="waves")["action"] is True
    assert ann.expect("say", text="you too")["reply"] == seq


@pytest.mark.rules
@pytest.mark.parametrize(
    "text",
    [
        "line\nline", "tab\there", "\u202e right to left", "\u00e9\u0301", "<b>&amp;", '"\\', "x" * 6144, "é" * 3072,
        "\U0001f44d" * 1536,
    ],
)
def test_texts(shared, text):
    """Text may hold any character but control characters other than line feed and tab."""
    ann, bob = shared.people("ann", "bob")
    assert ann.say(text)["text"] == text
    assert bob.expect("say")["text"] == text


@pytest.mark.rules
@pytest.mark.parametrize(
    "text",
    [
        "", "x" * 6145, "\U0001f44d" * 1537, "\x1b[2J", "\r\n", "\x7f", "\x85", "\u009b31m", 5, ["x"], None, True,
    ],
)
def test_no_texts(shared, text):
    """| `text` of say, edit, whisper | 1 to 6,144 bytes |"""
    ann, bob = shared.people("ann", "bob")
    before = ann.say("before")["seq"]
    error = ann.refused("bad-field", t="say", text=text)
    assert error["field"] == "text" and error["text"]
    bob.expect("say", text="before")
    bob.nothing_more("say")
    assert ann.say("after it")["seq"] == before + 1


def test_resent(world):
    """a
    client that got no acknowledgement says it again with the same `id`, hours later if need be; if the first one was logged, only the sender gets it again, with its
    old number."""
    ann, bob = world.people("ann", "bob")
    first = ann.say("once", id="same")
    ann.say("another")
    again = ann.say("once", id="same")
    assert again == first
    assert ann.say("a third")["seq"] == 3
    bob.sync()
    assert [message["text"] for message in bob.all("say")] == ["once", "another", "a third"]


def test_resent_at_once(world):
    """once for each message of the account"""
    ann, bob = world.people("ann", "bob")
    for _ in range(10):
        ann.send(t="say", id="same", text="once")
    assert {ann.expect("say", id="same")["seq"] for _ in range(10)} == {1}
    bob.expect("say")
    bob.nothing_more("say")


def test_resent_by_another_client(world):
    """`id` is the sender's choice, once for each message of the account"""
    first, second = world.people("ann", "ann")
    seq = first.say("once", id="same")["seq"]
    second.expect("say", id="same")
    assert second.say("once", id="same")["seq"] == seq
    first.nothing_more("say")
    bob = world.chat("bob")
    assert bob.say("mine", id="same")["seq"] == seq + 1


def test_resent_after_restart(empty, place):
    """if the first one was logged, only the sender gets it again, with its
    old number"""
    empty.serve("--data", f"{place}/log")
    first = empty.chat("ann").say("once", id="same")
    empty.restart("--data", f"{place}/log")
    ann, bob = empty.people("ann", "bob")
    assert ann.say("once", id="same") == first
    assert ann.say("next")["seq"] == first["seq"] + 1
    assert bob.expect("say")["text"] == "next"
    bob.nothing_more("say", text="once")


def test_without_id(world):
    """Without an `id` nothing is compared."""
    ann = world.chat("ann")
    for _ in range(2):
        ann.send(t="say", text="twice")
    assert [ann.expect("say")["seq"] for _ in range(2)] == [1, 2]


@pytest.mark.rules
@pytest.mark.parametrize("name", ["", "x" * 33, "a b", "ä", "a/b", 7, None])
def test_bad_ids(shared, name):
    """| `id` | 1 to 32 of `A-Z a-z 0-9 - _` |"""
    ann = shared.chat("ann")
    ann.send(t="say", id=name, text="hello")
    error = ann.expect("error")
    assert (error["code"], error["field"]) == ("bad-field", "id") and "id" not in error
    ann.nothing_more("say")


def test_only_who_is_there(world):
    """To be associated is to be in the room and to hear it."""
    ann, listener = world.chat("ann"), world.chat()
    listener.sync()  # it is up and has not said a word
    ann.say("hello")
    assert listener.expect("say")["text"] == "hello"
