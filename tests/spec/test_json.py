"""lazychat --json: each line in and out is one message of docs/protocol.md."""

import json
import os
import signal
import subprocess
import unicodedata

import pytest

from people import chat_command, restart
from programs import PATIENCE


def said(client, text=None):
    """The `say` lines so far, or those of a text."""
    return [m for m in messages(client) if m["t"] == "say" and text in (None, m.get("text"))]


def messages(client):
    return [json.loads(line) for line in client.out.lines()]


def send(client, **message):
    client.say(json.dumps(message))


def wait_for(client, condition, what, seconds=PATIENCE):
    """Until a message fulfils the condition; returns it."""
    client.out.wait(lambda: any(map(condition, messages(client))), what, seconds)
    return next(filter(condition, messages(client)))


def wait_type(client, kind, **fields):
    def fits(message):
        return message["t"] == kind and all(message.get(key) == value for key, value in fields.items())

    return wait_for(client, fits, f"{kind} {fields}")


@pytest.fixture
def bot(talk):
    """bot(server, option...): lazychat --json, once it is welcome."""

    def start_bot(server, *options, **more):
        client = talk(server, "--json", *options, **more)
        client.welcome = wait_type(client, "welcome")
        return client

    return start_bot


class TestMessages:
    """What the server says, line by line; what is read, it gets."""

    def test_say(self, server, bot):
        ann, bob = bot(server, "--nick", "ann"), bot(server, "--nick", "bob")
        assert ann.welcome["account"] != bob.welcome["account"]
        send(ann, t="say", id="one", text="hello")
        for client in (ann, bob):
            message = wait_type(client, "say", text="hello")
            assert (message["nick"], message["id"], message["from"]) == ("ann", "one", ann.welcome["account"])
            assert "old" not in message

    def test_every_request(self, server, bot):
        """say, edit, react, redact, topic, nick, whisper, names, rooms, open, history, search, typing, read"""
        ann, bob = bot(server, "--nick", "ann"), bot(server, "--nick", "bob")
        send(ann, t="say", text="the relase is on Friday")
        seq = wait_type(bob, "say")["seq"]
        send(ann, t="edit", seq=seq, text="the release is on Friday")
        assert wait_type(bob, "edited", target=seq)["text"] == "the release is on Friday"
        send(bob, t="react", seq=seq, emoji="👍")
        assert wait_type(ann, "reacted", target=seq)["emoji"] == "👍"
        send(bob, t="topic", text="plans")
        assert wait_type(ann, "topic")["text"] == "plans"
        send(bob, t="nick", nick="Bob the builder")
        assert wait_type(bob, "you", nick="Bob the builder")
        send(ann, t="whisper", to="Bob the builder", text="psst")
        assert wait_type(bob, "whisper")["text"] == "psst"
        send(ann, t="names")
        assert {person["nick"] for person in wait_type(ann, "names")["items"]} >= {"ann", "Bob the builder"}
        send(ann, t="rooms")
        assert wait_type(ann, "rooms")["items"][0]["room"] == "lobby"
        send(ann, t="open", room="dev")
        assert wait_type(ann, "room", room="dev")["port"] > 2014
        send(ann, t="history", before=1000, limit=10)
        (item,) = [i for i in wait_type(ann, "batch")["items"] if i["t"] == "say"]
        assert item["text"] == "the release is on Friday" and item["edited"]
        send(ann, t="search", text="release")
        assert wait_type(ann, "found")["items"][0]["seq"] == seq
        send(ann, t="typing")
        assert wait_type(bob, "typing")["nick"] == "ann"
        send(ann, t="redact", seq=seq)
        assert wait_type(bob, "redacted")["target"] == seq
        send(ann, t="read", seq=seq)
        ann.end_input()
        assert ann.wait() == 0

    def test_faulty_lines(self, server, bot):
        """A faulty line gives an error with code bad-…, as the server would say it; the others are not harmed."""
        ann = bot(server)
        faulty = [
            "hello",
            "[]",
            "{}",
            '{"t":"say"}',
            '{"t":"say","id":"x1","text":7}',
            '{"t":"nonsense"}',
            '{"t":"say","text":"' + "x" * 6145 + '"}',
            '{"t":"say","text":"' + "x" * 200_000 + '"}',
            '{"t":"say","text":"\\u001b[2J"}',
            "[" * 5000,
            b"\xff\xfe\x00\n",
        ]
        for number, line in enumerate(faulty):
            ann.say(line)
            send(ann, t="say", text=f"after {number}")
        ann.end_input()
        assert ann.wait() == 1, "not everything was said"
        errors = [m for m in messages(ann) if m["t"] == "error"]
        assert len(errors) == len(faulty), errors
        assert {e["code"] for e in errors} == {"bad-message", "bad-field"}
        assert all(e["text"] for e in errors)
        assert [e["field"] for e in errors if e.get("id") == "x1"] == ["text"]
        assert [m["text"] for m in said(ann)] == [f"after {number}" for number in range(len(faulty))]

    def test_hostile(self, server, bot):
        """What would steer a terminal or turn its text is escaped, and a parser gets it as it was said."""
        text = "\u202eright\u202c \u200b\u2066x\u2069 \U000e0041 \ufeff\u2028 ünï 日本 🦥 \t\n\\ \" \u00ad"
        ann, bob = bot(server), bot(server)
        send(ann, t="say", text=text)
        assert wait_type(bob, "say")["text"] == text
        raw = bob.out.text()
        for character in set(raw) - {"\n"}:
            assert unicodedata.category(character) not in ("Cc", "Cf", "Zl", "Zp"), ascii(character)
        assert "日本 🦥" in raw


class TestEnd:
    """At the end of the input it waits until all is acknowledged."""

    def test_end(self, server, bot, talk):
        bob = bot(server)
        ann = talk(server, "--json", wait=False)
        ann.feed(b"".join(b'{"t":"say","text":"%d"}\n' % number for number in range(100)))
        assert ann.wait() == 0
        texts = [str(number) for number in range(100)]
        assert [m["text"] for m in said(ann)] == texts
        bob.out.wait(lambda: len(said(bob)) == 100, "all of it")
        assert [m["text"] for m in said(bob)] == texts

    def test_answers_are_waited_for(self, server, talk):
        """What was asked at the end is answered, and nothing is printed that was not asked for."""
        ann = talk(server, "--json", wait=False)
        questions = [
            {"t": "open", "room": "dev"},
            {"t": "nick", "nick": "ann"},
            {"t": "search", "text": "x"},
            {"t": "history", "before": 10},
            {"t": "rooms"},
            {"t": "names"},
        ]
        ann.feed("".join(json.dumps(question) + "\n" for question in questions).encode())
        assert ann.wait() == 0
        kinds = [m["t"] for m in messages(ann)]
        for answer in ("room", "you", "found", "batch", "rooms", "names"):
            assert answer in kinds, answer
        assert kinds.count("batch") == 1

    def test_no_input(self, server, talk):
        ann = talk(server, "--json", wait=False, stdin=subprocess.DEVNULL)
        assert ann.wait() == 0
        assert [m["t"] for m in messages(ann) if m["t"] != "presence"] == ["welcome"]

    def test_last(self, server, bot, talk):
        """--last decides how much history"""
        ann = bot(server)
        for number in range(30):
            send(ann, t="say", text=str(number))
        ann.out.wait(lambda: len(said(ann)) == 30, "30 messages")
        bob = talk(server, "--json", "--last", "10", wait=False, stdin=subprocess.DEVNULL)
        assert bob.wait() == 0
        assert [m["text"] for m in said(bob)] == [str(number) for number in range(20, 30)]
        assert all(m["old"] for m in said(bob))

    def test_nobody(self, unused_port, start, tmp_path):
        """No server: 1, with what was tried and what to do."""
        ann = start(chat_command(unused_port, "--json", "--store", str(tmp_path)))
        send(ann, t="say", text="hello")
        ann.end_input()
        assert ann.wait(10 + PATIENCE) == 1
        assert "cannot reach 127.0.0.1" in ann.err.text() and "  do: " in ann.err.text()
        assert ann.out.text() == ""

    def test_output_closed(self, server, start, tmp_path):
        ann = start(["sh", "-c", '"$@" | head -n 1', "sh", *chat_command(server, "--json", "--store", str(tmp_path))])
        ann.feed(b'{"t":"say","text":"x"}\n' * 100)
        assert ann.wait() == 0  # of head
        assert "lazychat: cannot write: Broken pipe\n" in ann.err.text()

    def test_signal(self, server, bot):
        ann, bob = bot(server), bot(server)
        ann.signal(signal.SIGTERM)
        assert ann.wait() == -signal.SIGTERM
        account = ann.welcome["account"]
        wait_for(bob, lambda m: account in [p["account"] for p in m.get("out", [])], "ann's leaving")


class TestRestart:
    """Nothing is lost, nothing comes twice, whatever becomes of the server and of lazychat."""

    def test_server_killed(self, serve, bot, tmp_path):
        server = serve("--data", str(tmp_path / "data"), "--rate", "0")
        ann, bob = bot(server), bot(server)
        for number in range(200):
            send(ann, t="say", text=str(number))
            if number == 100:
                bob.out.wait(lambda: len(said(bob)) > 50, "some of it")
                server = restart(serve, server, "--data", str(tmp_path / "data"), "--rate", "0")
        ann.end_input()
        assert ann.wait(60) == 0
        bob.out.wait(lambda: len(said(bob)) >= 200, "all of it", 30)
        expected = [str(number) for number in range(200)]
        assert [m["text"] for m in said(ann)] == [m["text"] for m in said(bob)] == expected

    def test_bot_starts_again(self, server, bot, tmp_path):
        """It gets what it missed, as old, and what it had before not again."""
        store = ("--store", str(tmp_path / "bot"))
        ann = bot(server)
        first = bot(server, *store)
        send(ann, t="say", text="one")
        wait_type(first, "say", text="one")
        first.end_input()
        assert first.wait() == 0
        send(ann, t="say", text="two")
        wait_type(ann, "say", text="two")
        second = bot(server, *store)
        assert second.welcome["account"] == first.welcome["account"]
        assert wait_type(second, "say", text="two")["old"]
        send(ann, t="say", text="three")
        assert "old" not in wait_type(second, "say", text="three")
        assert [m["text"] for m in said(second)] == ["two", "three"]


class TestRaw:
    """--raw: nothing is joined, healed, resent."""

    def test_raw(self, server, talk):
        ann = talk(server, "--json", "--raw", "--no-store", wait=False)
        send(ann, t="join", nick="ann", secret="0123456789abcdef" * 2)
        wait_type(ann, "welcome")
        wait_type(ann, "you", nick="ann")
        ann.say('{"t":"say"')
        assert wait_type(ann, "error")["code"] == "bad-message"
        ann.end_input()
        assert ann.wait() == 0


class TestExamples:
    """A bot in any language."""

    def test_echo(self, server, bot, start, tmp_path):
        path = os.path.join(os.path.dirname(__file__), "..", "..", "examples", "echo.py")
        ann = bot(server)
        send(ann, t="say", text="before its time")
        wait_type(ann, "say")
        command = chat_command(server, "--store", str(tmp_path / "echo"))
        echo = start(["python3", path, command[-1], *command[1:-1]], env={**os.environ, "LAZYCHAT": command[0]})
        wait_for(ann, lambda m: "echo" in [p.get("nick") for p in m.get("in", [])], "the bot")
        send(ann, t="say", text="hello")
        wait_type(ann, "say", nick="echo", text="hello")
        send(ann, t="say", text="good bye")
        wait_type(ann, "say", nick="echo", text="good bye")
        assert len(said(ann)) == 5
        echo.signal(signal.SIGINT)
        echo.wait()
