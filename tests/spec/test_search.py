"""`search`, `found`."""

import pytest


def found(chat, text, **more):
    chat.send(t="search", text=text, **more)
    answer = chat.expect("found")
    assert answer["text"] == text
    return [item["seq"] for item in answer["items"]], answer.get("next")


def say_all(ann):
    for text in ("the release is on Friday", "Friday? released already", "nothing", "re-lease", "Ünïcödé and 名前", "a friday, for release"):
        ann.say(text)


@pytest.fixture(scope="module")
def room_of_all(common):
    port = common.chat("ann").ask("room", t="open", room="said")["port"]
    say_all(common.chat("ann", port=port))
    return port


@pytest.fixture
def bob(shared, room_of_all):
    """bob where all that was said, and nobody changes it."""
    return shared.chat("bob", port=room_of_all)


@pytest.mark.parametrize(
    "text, numbers",
    [
        ("release friday", [6, 2, 1]),
        ("rel fri", [6, 2, 1]),
        ("FRIDAY", [6, 2, 1]),
        ("lease", [4]),
        ("ünï", [5]),
        ("名前", [5]),
        ("nobody said that", []),
        ('"', []),
        ("friday OR nothing", []),
        ("fri*", [6, 2, 1]),
        ("text:friday", []),
        ("'; DROP TABLE message; --", []),
        ("( NEAR", []),
    ],
)
def test_words(bob, text, numbers):
    """`search` finds messages that have all the words, each as the beginning of a word, the latest first."""
    assert found(bob, text) == (numbers, None)


def test_pages(world):
    """`next` in `found`: there is more; ask with `before` set to it."""
    ann = world.chat("ann")
    for number in range(1, 51):
        ann.send(t="say", text=f"needle {number}")
    ann.expect("say", seq=50)
    numbers, after = found(ann, "needle", limit=20)
    assert numbers == list(range(50, 30, -1)) and after == 31
    numbers, after = found(ann, "needle", limit=20, before=after)
    assert numbers == list(range(30, 10, -1)) and after == 11
    assert found(ann, "needle", limit=20, before=after) == (list(range(10, 0, -1)), None)


def test_pages_by_size(world):
    """`next` in `found`: there is more; ask with `before` set to it."""
    ann = world.chat("ann")
    for _ in range(7):
        ann.say("needle " + '"' * 6000)
    numbers, after = found(ann, "needle")
    assert after == numbers[-1]
    while after is not None:
        page, after = found(ann, "needle", before=after)
        numbers += page
    assert numbers == [7, 6, 5, 4, 3, 2, 1]


def test_changes(world):
    """`search` finds messages that have all the words"""
    ann, bob = world.people("ann", "bob")
    say_all(ann)
    ann.ask("edited", t="edit", seq=3, text="something on Friday")
    ann.ask("redacted", t="redact", seq=1)
    assert found(bob, "friday")[0] == [6, 3, 2]
    assert found(bob, "nothing")[0] == []


def test_at_once(world):
    """What has a number is in the log"""
    ann, bob = world.people("ann", "bob")
    for number in range(20):
        ann.send(t="say", text=f"word{number} haystack")
        bob.expect("say", seq=number + 1)
        assert found(bob, f"word{number}")[0][:1] == [number + 1]


def test_of_the_room(bob, shared):
    """`search` finds messages"""
    assert found(bob, "friday")[0] != []
    assert found(shared.chat("bob"), "friday")[0] == []


@pytest.mark.parametrize(
    "message",
    [
        {}, {"text": ""}, {"text": "x" * 257}, {"text": "a\nb"}, {"text": "x", "limit": 0},
        {"text": "x", "limit": 501}, {"text": 5},
    ],
)
def test_fields(shared, message):
    """| `text` of search and found | 1 to 256 bytes, one line |"""
    shared.chat("ann").refused("bad-field", t="search", **message)


@pytest.mark.parametrize("text", [" ", "?!", "x" * 256, "名" * 85, "a " * 128])
def test_odd_ones(bob, text):
    """One `batch` answers one `history`, one `found` one `search`."""
    found(bob, text)
