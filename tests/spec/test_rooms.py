"""`rooms`: which there are."""

from chat import FIRST_ROOM


def rooms(chat):
    """All pages; how many there were."""
    found, pages, after = [], 0, {}
    while True:
        chat.send(t="rooms", **after)
        page = chat.expect("rooms")
        found += page["items"]
        pages += 1
        if "next" not in page:
            return found, pages
        assert page["next"] == page["items"][-1]["port"]
        after = {"after": page["next"]}


def test_rooms(world):
    """`names` and `rooms` are answered by one page each, by account number and by port; if it has `next`, ask again with `after` set to it."""
    ann = world.chat("ann")
    ann.ask("room", t="open", room="dev", topic="what we build")
    there = world.chat("bob", port=FIRST_ROOM)
    there.say("one")
    there.ask("reacted", t="react", seq=1, emoji="👍")
    found, pages = rooms(ann)
    assert pages == 1 and [room["room"] for room in found] == ["lobby", "dev"]
    lobby, dev = found
    assert (lobby["port"], lobby["people"], lobby["head"], lobby["said"], lobby["unread"]) == (2014, 1, 0, 0, 0)
    assert (dev["port"], dev["topic"], dev["people"]) == (2015, "what we build", 1)
    assert (dev["head"], dev["said"], dev["unread"]) == (2, 1, 1)


def test_thousand(world):
    """`names` and `rooms` are answered by one page each, by account number and by port; if it has `next`, ask again with `after` set to it."""
    ann = world.chat("ann")
    for number in range(999):
        ann.send(t="open", room=f"room-{number}", topic="x" * 50)
    ann.expect("room", seconds=60, room="room-998")
    found, pages = rooms(ann)
    assert [room["port"] for room in found] == list(range(2014, 2014 + 1000))
    assert len({room["room"] for room in found}) == 1000 and 3 < pages < 40
    ann.refused("full", t="open", room="one-more")
    there = world.chat("bob", port=2014 + 999)
    assert there.welcome["room"] == "room-998"
    assert there.say("there is somebody")["seq"] == 1


def test_last_page(world):
    """if it has `next`, ask again with `after` set to it"""
    ann = world.chat("ann")
    ann.send(t="rooms", after=2014)
    page = ann.expect("rooms")
    assert page["items"] == [] and "next" not in page
