"""`names`: who is here."""

from chat import FIRST_ROOM, Chat


def names(chat):
    """All pages; how many there were."""
    people, pages, after = [], 0, {}
    while True:
        chat.send(t="names", **after)
        page = chat.expect("names")
        people += page["items"]
        pages += 1
        if "next" not in page:
            return people, pages, page
        assert page["next"] == page["items"][-1]["account"]
        after = {"after": page["next"]}


def test_names(world):
    """`names` and `rooms` are answered by one page each, by account number and by port; if it has `next`, ask again with `after` set to it."""
    ann, bob = world.people("ann", "bob")
    stranger = world.chat()
    guest = stranger.join()
    people, pages, page = names(ann)
    assert [(person["account"], person["nick"]) for person in people] == [
        (ann.account, "ann"),
        (bob.account, "bob"),
        (guest["account"], guest["nick"]),
    ]
    assert pages == 1 and page["people"] == 3 and page["roster"] >= 0
    assert not any(person.get("classic") or person.get("verified") for person in people)


def test_one_person(world):
    """The same account may be in from several clients and in
    several rooms at once"""
    ann, other, _ = world.people("ann", "ann", "bob")
    ann.ask("room", t="open", room="dev")
    world.people("ann", "ann", port=FIRST_ROOM)
    people, _, page = names(other)
    assert [person["nick"] for person in people] == ["ann", "bob"] and page["people"] == 2
    assert [person["nick"] for person in names(world.chat("carl", port=FIRST_ROOM))[0]] == ["ann", "carl"]


def test_last_client_goes(world):
    """Who came (or has another nickname now: `in` again) and who left"""
    one, two, bob = world.people("ann", "ann", "bob")
    one.leave()
    two.sync()
    assert [person["nick"] for person in names(bob)[0]] == ["ann", "bob"]
    two.leave()
    bob.expect("presence", out=[{"account": one.account}])
    assert [person["nick"] for person in names(bob)[0]] == ["bob"]


def test_idle(world):
    """`idle`: seconds since the account said something or typed, in any room, or came."""
    ann, bob = world.people("ann", "bob")
    bob.expect("presence")
    while True:
        by_nick = {person["nick"]: person["idle"] for person in names(bob)[0]}
        if by_nick["ann"] >= 1:
            break
        bob.take(0.1)
    ann.say("back")
    assert {person["nick"]: person["idle"] for person in names(bob)[0]}["ann"] == 0


def test_thousand(world):
    """`names` and `rooms` are answered by one page each, by account number and by port; if it has `next`, ask again with `after` set to it."""
    ann = world.chat("ann")
    for _ in range(1000):
        world.hand()
    crowd = Chat(world.hand())
    crowd.join("last one in")
    while len(people := names(ann)[0]) < 1002:
        ann.take(0.05)
    people, pages, page = names(ann)
    numbers = [person["account"] for person in people]
    assert numbers == sorted(set(numbers)) and len(numbers) == 1002
    assert page["people"] == 1002 and 1 < pages < 30


def test_after_everybody(world):
    """if it has `next`, ask again with `after` set to it"""
    ann = world.chat("ann")
    ann.send(t="names", after=10**9)
    page = ann.expect("names")
    assert page["items"] == [] and page["people"] == 1 and "next" not in page
