"""`presence`: who came and who left."""

from chat import FIRST_ROOM, Chat


def someone(chat, **fields):
    """Waits until presence has told of somebody; returns that."""
    while True:
        told = chat.expect("presence")
        for person in told.get("in", []):
            if all(person.get(key) == value for key, value in fields.items()):
                return person


def test_in_and_out(world):
    """Who came (or has another nickname now: `in` again) and who left, at most four times a second."""
    ann = world.chat("ann")
    someone(ann, nick="ann")
    bob = world.chat("bob")
    assert someone(ann, nick="bob")["account"] == bob.account
    bob.leave()
    left = ann.expect("presence")
    assert left["out"] == [{"account": bob.account}] and left["people"] == 1


def test_one_person(world):
    """The same account may be in from several clients and in
    several rooms at once"""
    bob = world.chat("bob")
    ann = world.chat("ann")
    someone(bob, nick="ann")
    other = world.chat("ann")
    ann.ask("room", t="open", room="dev")
    carl = world.chat("carl", port=FIRST_ROOM)
    in_room = world.chat("ann", port=FIRST_ROOM)
    assert someone(carl, nick="ann")["account"] == ann.account
    other.leave()
    in_room.leave()
    carl.expect("presence", out=[{"account": ann.account}])
    world.chat("dora")
    while True:
        told = bob.expect("presence")
        assert ann.account not in [person["account"] for person in told.get("in", []) + told.get("out", [])]
        if told["people"] == 3:
            break


def test_roster(world):
    """`roster` counts these messages: if one was lost, ask for `names`."""
    ann = world.chat("ann")
    numbers = [ann.expect("presence")["roster"]]
    for name in ("bob", "carl", "dora"):
        world.chat(name)
        numbers.append(ann.expect("presence")["roster"])
    assert numbers == list(range(numbers[0], numbers[0] + 4))
    ann.send(t="names")
    assert ann.expect("names")["roster"] == numbers[-1]
    assert world.chat("eve").welcome["roster"] == numbers[-1]


def test_guests(world):
    """Who has not chosen one is
    `guest-N`, N the account's number."""
    ann = world.chat("ann")
    someone(ann, nick="ann")
    world.hand()
    (person,) = ann.expect("presence")["in"]
    assert person["nick"] == f"guest-{person['account']}"


def test_hundred_at_once(world):
    """at most four times a second"""
    ann = world.chat("ann")
    someone(ann, nick="ann")
    crowd = [Chat(world.hand()) for _ in range(100)]
    for number, chat in enumerate(crowd):
        chat.send(t="join", secret=f"{number:032x}", nick=f"nick-{number}")
    told, people = [], {}
    while len(people) < 100 or told[-1]["people"] < 101 or any(nick.startswith("guest") for nick in people.values()):
        told.append(ann.expect("presence"))
        for person in told[-1].get("in", []):
            people[person["account"]] = person["nick"]
    assert sorted(people.values()) == sorted(f"nick-{number}" for number in range(100))
    assert len(told) <= 15
    for chat in crowd:
        chat.leave()
    out = []
    while len(out) < 100:
        told.append(ann.expect("presence"))
        out += [person["account"] for person in told[-1].get("out", [])]
    assert set(out) == set(people) and len(told) <= 25


def test_many(world):
    """Above 500 people only the
    count is told."""
    ann = world.chat("ann")
    for _ in range(510):
        world.hand()
    while (told := ann.expect("presence"))["people"] < 511:
        pass
    while ann.all("presence"):
        ann.sync()
    world.chat("bob")
    told = ann.expect("presence")
    assert told["people"] == 512 and "in" not in told and "out" not in told
