"""`join`, and `welcome` and `batch` that answer it."""

import pytest

from chat import BULK, CONVERSATION, EPHEMERAL, FIRST_ROOM, PPID, Chat, secret_of

NEW = {"t": "join", "nick": "ann", "secret": secret_of("ann")}


def test_welcome(world):
    """`head`: the latest number; `first`: the oldest one still in the log."""
    ann = world.chat("ann")
    welcome = ann.welcome
    assert (welcome["protocol"], welcome["room"], welcome["port"]) == (1, "lobby", 2014)
    assert (welcome["head"], welcome["first"], welcome["topic"]) == (0, 1, "")
    assert (welcome["read"], welcome["unread"], welcome["people"]) == (0, 0, 1)
    assert welcome["log"] and welcome["version"] and welcome["server"] == "lazychat"
    for text in ("one", "two"):
        ann.say(text)
    bob = world.chat("bob")
    assert (bob.welcome["head"], bob.welcome["first"], bob.welcome["people"]) == (2, 1, 2)
    assert bob.welcome["unread"] == 2


def test_streams(world):
    """Answered by `welcome` on stream 0, then by one `batch` on stream 1 if `since` or `last` was
    given and there is something."""
    world.chat("ann").say("hello")
    bob = world.chat(by=world.hand)
    bob.send(t="join", secret=secret_of("bob"), since=0)
    welcome, batch = bob.expect("welcome"), bob.expect("batch")
    assert (welcome.heard.stream, welcome.heard.ppid, welcome.heard.unordered) == (CONVERSATION, PPID, False)
    assert (batch.heard.stream, batch.heard.ppid, batch.heard.unordered) == (BULK, PPID, False)


@pytest.mark.parametrize(
    "ppid, stream, unordered",
    [
        (51, BULK, False), (51, EPHEMERAL, True), (0, CONVERSATION, False), (53, BULK, True),
    ],
)
def test_any_way(shared, ppid, stream, unordered):
    """The server takes any
    PPID. […] The server takes any message on any stream."""
    ann = shared.chat("ann", by=shared.hand)
    ann.raw(b'{"t":"say","text":"by another way"}', ppid=ppid, stream=stream, unordered=unordered)
    assert ann.expect("say")["text"] == "by another way"


def test_pages(world):
    """A batch may cover less than was asked for; go on after `until`, or before `from`."""
    ann = world.chat("ann")
    for number in range(5):
        ann.say(f"{number} " + "x" * 6000)
    bob = world.chat("bob", since=0)
    texts, since = [], 0
    batch = bob.expect("batch")
    while True:
        assert batch["from"] == since + 1 and batch["head"] == 5 and batch["first"] == 1
        texts += [item["text"][0] for item in batch["items"]]
        since = batch["until"]
        if since == 5:
            break
        bob.send(t="history", since=since)
        batch = bob.expect("batch")
    assert texts == list("01234")


def test_since(world):
    """`since`: all up to this number is known; the batch begins after it."""
    ann = world.chat("ann")
    for text in ("one", "two", "three"):
        ann.say(text)
    bob = world.chat("bob", since=1)
    batch = bob.expect("batch")
    assert (batch["from"], batch["until"]) == (2, 3)
    assert [(item["seq"], item["text"]) for item in batch["items"]] == [(2, "two"), (3, "three")]
    world.chat("carl", since=3).nothing_more("batch")
    world.chat("dora", since=99).nothing_more("batch")


def test_last(world):
    """`last`: only the latest so many messages (with `since`: of those after it)."""
    ann = world.chat("ann")
    for number in range(1, 7):
        ann.say(f"number {number}")
    for join, numbers in (
        ({"last": 2}, [5, 6]),
        ({"last": 2, "since": 1}, [5, 6]),
        ({"last": 4, "since": 4}, [5, 6]),
        ({"last": 500}, [1, 2, 3, 4, 5, 6]),
    ):
        bob = world.chat(**join)
        batch = bob.expect("batch")
        assert [item["seq"] for item in batch["items"]] == numbers, join
        assert (batch["from"], batch["until"]) == (numbers[0], 6), join
        bob.nothing_more("batch")


def test_empty_room(world):
    """then by one `batch` on stream 1 if `since` or `last` was
    given and there is something"""
    ann = world.chat("ann", since=0)
    ann.join("ann", last=10)
    ann.nothing_more("batch")


def test_nothing_needed(world):
    """All fields may be left out."""
    stranger = world.chat()
    welcome = stranger.join()
    assert welcome["nick"] == f"guest-{welcome['account']}"
    assert welcome["verified"] is False


def test_without_join(world):
    """Until it has joined it is a guest with an account number that lasts as long as the association."""
    stranger, ann = world.chat(), world.chat("ann")
    said = [stranger.say("who am I?"), stranger.say("the same")]
    assert said[0]["from"] == said[1]["from"] and said[0]["nick"] == f"guest-{said[0]['from']}"
    ann.expect("say", text="the same", nick=said[0]["nick"])
    assert stranger.join()["account"] == said[0]["from"]
    again = world.chat()
    assert again.join()["account"] != said[0]["from"]


def test_said_right_after(world):
    """`join` with a
    `secret` stands for an account that lasts: the first use of a secret makes it."""
    bob = world.chat("bob")
    eager = world.chat(by=world.hand)
    eager.send(**NEW)
    eager.send(t="say", text="in one breath")
    eager.send(t="say", text="and another")
    account = eager.expect("welcome")["account"]
    for chat in (eager, bob):
        for text in ("in one breath", "and another"):
            said = chat.expect("say", text=text)
            assert (said["from"], said["nick"]) == (account, "ann")


def test_same_account(world):
    """The same account may be in from several clients and in
    several rooms at once, and keeps its nickname, read markers and the right to edit what it said."""
    ann = world.chat("ann")
    ann.send(t="open", room="dev")
    ann.expect("room", room="dev")
    there = [Chat(world.piped(port)) for port in (2014, FIRST_ROOM)]
    for chat in there:
        chat.send(t="join", secret=secret_of("ann"))
        welcome = chat.expect("welcome")
        assert (welcome["account"], welcome["nick"]) == (ann.account, "ann")
    seq = ann.say("from here")["seq"]
    there[0].ask("edited", t="edit", seq=seq, text="edited from there")
    ann.leave()
    for chat in there:
        chat.leave()
    back = world.chat("ann")
    assert (back.account, back.welcome["read"]) == (ann.account, seq)


def test_again(world):
    """Joining
    again with the same secret is allowed and answered alike."""
    ann = world.chat("ann")
    ann.say("hello")
    account = ann.account
    welcome = ann.join("ann", since=0)
    assert (welcome["account"], welcome["head"], welcome["people"]) == (account, 1, 1)
    assert [item["text"] for item in ann.expect("batch")["items"]] == ["hello"]


def test_another_secret(world):
    """| `joined` | this association has joined with another secret |"""
    ann = world.chat("ann")
    ann.send(t="join", secret=secret_of("eve"))
    assert ann.expect("error")["code"] == "joined"
    assert ann.say("still me")["from"] == ann.account


def test_guest_then_account(world):
    """Each association speaks for an account."""
    bob = world.chat("bob")
    eve = world.chat()
    guest = eve.say("as a guest")["from"]
    eve.join("eve")
    assert eve.account != guest
    assert eve.say("as eve")["from"] == eve.account
    bob.send(t="names")
    names = [(person["account"], person["nick"]) for person in bob.expect("names")["items"]]
    assert names == sorted([(bob.account, "bob"), (eve.account, "eve")])


def test_nick_taken(world):
    """`nick`: taken if it is free and valid, else an `error` follows the
    welcome; one beyond the limits makes the whole `join` malformed."""
    world.chat("ann")
    eve = world.chat()
    eve.send(t="join", nick="Ann", secret=secret_of("eve"))
    welcome = eve.expect("welcome")
    assert welcome["nick"] == f"guest-{welcome['account']}"
    assert eve.expect("error")["code"] == "nick-taken"
    eve.send(t="join", nick="\u202eann", secret=secret_of("eve"))
    eve.expect("welcome")
    assert eve.expect("error")["code"] == "bad-nick"
    eve.send(t="join", nick="x" * 129, secret=secret_of("eve"))
    error = eve.expect("error")
    assert (error["code"], error["field"]) == ("bad-field", "nick")
    eve.nothing_more("welcome")
    assert eve.say("in all the same")["nick"] == welcome["nick"]


@pytest.mark.rules
@pytest.mark.parametrize("secret", ["", "0" * 31, "0" * 33, "g" * 32, "0x" + "0" * 30, 7, None])
def test_bad_secret(shared, secret):
    """| `secret` | 32 hexadecimal digits: 128 random bits |"""
    eve = shared.chat()
    eve.send(t="join", secret=secret)
    error = eve.expect("error")
    assert (error["code"], error["field"]) == ("bad-field", "secret")
    if isinstance(secret, str) and len(secret) > 8:
        assert secret not in str(error), "it is not for screens"


def test_secret_case(shared):
    """| `secret` | 32 hexadecimal digits: 128 random bits |"""
    one, two = shared.chat(secret="ABCDEF" + "0" * 26), shared.chat(secret="abcdef" + "0" * 26)
    assert one.account == two.account


def test_restart(empty, place):
    """`log` names the log: when it is another one than last time the numbers mean
    other messages, and what was kept is void."""
    empty.serve("--data", f"{place}/log")
    ann = empty.chat("ann")
    ann.say("before")
    empty.restart("--data", f"{place}/log")
    again = empty.chat("ann", since=0)
    assert (again.welcome["log"], again.account, again.welcome["nick"]) == (ann.welcome["log"], ann.account, "ann")
    assert again.welcome["head"] == 1 and again.expect("batch")["items"][0]["text"] == "before"
    empty.restart("--data", f"{place}/another")
    other = empty.chat("ann", since=0)
    assert other.welcome["log"] != ann.welcome["log"] and other.welcome["head"] == 0
    other.nothing_more("batch")


def test_guest_number_after_restart(empty, place):
    """Until it has joined it is a guest with an account number that lasts as long as the association."""
    empty.serve("--data", f"{place}/log")
    before = {empty.chat().join()["account"] for _ in range(3)} | {empty.chat("ann").account}
    empty.restart("--data", f"{place}/log")
    assert empty.chat().join()["account"] not in before
