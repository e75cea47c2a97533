"""lazychat in line mode, in a pipe: what is said, what is heard, the commands, the end."""

import os
import re
import signal
import subprocess
import time
import unicodedata

import pytest

from people import chat_command, restart
from programs import LAZYCHAT, PATIENCE

REACH_SECONDS = 10


def lines(client):
    return [line.decode() for line in client.out.lines()]


class TestPipe:
    """Lines in are said, lines out are `nick: text`."""

    def test_say(self, server, talk):
        ann, bob = talk(server, "--nick", "ann"), talk(server, "--nick", "bob")
        ann.say("good morning")
        ann.end_input()
        assert ann.wait() == 0
        bob.out.wait_text("ann: good morning\n")
        bob.say("she has gone")
        bob.end_input()
        assert bob.wait() == 0
        assert lines(ann) == ["ann: good morning"]
        assert lines(bob) == ["ann: good morning", "bob: she has gone"]

    def test_notices_go_to_stderr(self, server, talk):
        ann = talk(server, "--nick", "ann")
        assert re.match(
            rf"-- in lobby of 127\.0\.0\.1 as (ann|guest-\d+) \(SCTP over UDP, 127\.0\.0\.1:{server.port}\); 1 here\n",
            ann.err.text(),
        )
        bob = talk(server, "--nick", "bob")
        ann.err.wait_match(r"^-- bob came; 2 here$")
        bob.end_input()
        ann.err.wait_match(r"^-- bob left; 1 here$")
        assert ann.out.text() == ""

    def test_quiet(self, server, talk):
        ann = talk(server, "--quiet", "--nick", "ann", wait=False)
        ann.say("hello")
        ann.end_input()
        assert ann.wait() == 0
        assert (ann.out.text(), ann.err.text()) == ("ann: hello\n", "")

    def test_everything_is_text(self, server, talk):
        """What comes from a pipe is said and nothing else: a slash is no command there."""
        text = ["/quit", "//x", "/nick eve", "  spaces  ", "ünïcödé 日本 🦥", "tab\there", "last, without its end"]
        ann, bob = talk(server, "--nick", "ann"), talk(server, "--nick", "bob")
        ann.feed(b"\n\n" + "\n\n".join(text).encode())
        assert ann.wait() == 0
        bob.out.wait_lines(len(text))
        assert lines(bob) == lines(ann) == [f"ann: {line}" for line in text]

    def test_bytes(self, server, talk):
        """What may not be said is said as visible escapes; Windows' line ends are none of it."""
        ann = talk(server, "--nick", "ann")
        ann.feed(b"\x1b[31mred\x1b[0m\r\n\xff\xfe\x00\n" + "\x9b\n".encode())
        assert ann.wait() == 0
        assert lines(ann) == [r"ann: \x1b[31mred\x1b[0m", r"ann: \xff\xfe\x00", r"ann: \u{9b}"]

    def test_long(self, server, talk):
        """A line that is longer than a message becomes several."""
        line = "".join(chr(ord("a") + i % 26) for i in range(100_000)) + "ü" * 10_000
        ann = talk(server, "--nick", "ann")
        ann.feed(line.encode() + b"\nafter\n")
        assert ann.wait() == 0
        parts = [part.removeprefix("ann: ") for part in lines(ann)]
        assert "".join(parts[:-1]) == line and parts[-1] == "after"
        assert len(parts) < 25 and max(len(part.encode()) for part in parts) <= 6144

    def test_each_line_at_once(self, server, talk):
        ann, bob = talk(server, "--nick", "ann"), talk(server)
        for number in range(50):
            ann.say(str(number))
            bob.out.wait_lines(number + 1)

    def test_several_lines(self, server, talk):
        """Each line of a text has its prefix, so that nobody can speak as another."""
        ann, eve = talk(server, "--nick", "ann"), talk(server, "--json", "--nick", "eve", wait=False)
        eve.say(r'{"t":"say","text":"hi\nbob: I am bob\n\nend"}')
        eve.say(r'{"t":"say","text":"one\ntwo","action":true}')
        ann.out.wait_lines(6)
        assert lines(ann) == ["eve: hi", "eve: bob: I am bob", "eve: ", "eve: end", "* eve one", "* eve two"]

    def test_last(self, server, talk):
        """--last: default 0 in a pipe."""
        ann = talk(server, "--nick", "ann")
        ann.feed(b"".join(b"%d\n" % number for number in range(30)))
        assert ann.wait() == 0
        for options, expected in (((), []), (("--last", "10"), [f"ann: {number}" for number in range(20, 30)])):
            bob = talk(server, *options, stdin=subprocess.DEVNULL, wait=False)
            assert bob.wait() == 0
            assert lines(bob) == expected

    def test_same_account_again(self, server, talk, tmp_path):
        """The name stays, and what was said between two starts is not printed."""
        store = ("--store", str(tmp_path / "kept"))
        eve = talk(server, "--nick", "eve")
        for number, nick in enumerate((("--nick", "ann"), ())):
            ann = talk(server, *store, *nick)
            ann.say(f"{number}")
            ann.end_input()
            assert ann.wait() == 0
            assert lines(ann) == [f"ann: {number}"]
            eve.say("between")
            eve.out.wait_text("eve: between\n" * (number + 1) if number == 0 else "ann: 1\neve: between\n")

    def test_no_store(self, server, talk, tmp_path):
        """Nothing kept: another guest each time."""
        names = set()
        for _ in range(2):
            ann = talk(server, "--no-store", wait=False, env={**os.environ, "HOME": str(tmp_path / "home")})
            ann.say("hello")
            ann.end_input()
            assert ann.wait() == 0
            names |= {re.fullmatch(r"(guest-\d+): hello\n", ann.out.text())[1]}
        assert len(names) == 2 and not (tmp_path / "home").exists()

    def test_secret_file(self, server, talk, tmp_path):
        """The same account from elsewhere; the file is made, and readable by its owner only."""
        path = tmp_path / "secret"
        names = set()
        for _ in range(2):
            ann = talk(server, "--no-store", "--secret-file", str(path), wait=False)
            ann.say("hello")
            ann.end_input()
            assert ann.wait() == 0
            names |= set(lines(ann))
        assert len(names) == 1
        assert re.fullmatch(r"[0-9a-f]{32}\n", path.read_text()) and path.stat().st_mode & 0o777 == 0o600

    def test_usual_store(self, server, talk, tmp_path):
        """$XDG_STATE_HOME/lazychat, else ~/.local/state/lazychat; for nobody else to look into."""
        for variables, where in (({"XDG_STATE_HOME": str(tmp_path / "state")}, "state/lazychat"), ({}, ".local/state/lazychat")):
            environment = {k: v for k, v in os.environ.items() if k != "XDG_STATE_HOME"}
            environment.update(HOME=str(tmp_path), **variables)
            # talk would name a store
            ann = subprocess.run(
                chat_command(server), input=b"hello\n", capture_output=True, timeout=PATIENCE, env=environment, check=True
            )
            assert ann.stdout.endswith(b": hello\n")
            secret = tmp_path / where / "127.0.0.1" / "secret"
            assert secret.stat().st_mode & 0o777 == 0o600 and secret.parent.stat().st_mode & 0o777 == 0o700

    def test_many(self, server, talk, tmp_path):
        """50 pipes at once, all of one account: everything is heard once, and of each in its order."""
        bob = talk(server, "--nick", "bob")
        clients = [talk(server, "--store", str(tmp_path / "all"), wait=False) for _ in range(50)]
        for number, client in enumerate(clients):
            client.feed(b"".join(b"%d.%d\n" % (number, line) for line in range(20)))
        assert [client.wait(60) for client in clients] == [0] * 50
        bob.out.wait_lines(1000, 30)
        heard = [line.split(": ")[1] for line in lines(bob)]
        assert len({line.split(": ")[0] for line in lines(bob)}) == 1
        assert sorted(heard) == sorted(f"{number}.{line}" for number in range(50) for line in range(20))
        for number in range(50):
            own = [line for line in heard if line.startswith(f"{number}.")]
            assert own == [f"{number}.{line}" for line in range(20)]

    def test_big(self, serve, talk):
        """Much input: all of it is said, once and in order, however fast it comes."""
        server = serve("--rate", "0")
        ann, bob = talk(server, "--nick", "ann"), talk(server, "--nick", "bob")
        text = [f"{number:06d} {'x' * (number % 200)}" for number in range(10_000)]
        ann.feed("\n".join(text).encode() + b"\n")
        assert ann.wait(120) == 0
        bob.out.wait_lines(len(text), 60)
        assert lines(bob) == lines(ann) == [f"ann: {line}" for line in text]

    def test_too_fast(self, serve, talk):
        """Who is told to slow down does, and nothing is lost."""
        server = serve("--rate", "100")
        ann = talk(server, "--nick", "ann")
        ann.feed(b"".join(b"%d\n" % number for number in range(1000)))
        assert ann.wait(60) == 0
        assert lines(ann) == [f"ann: {number}" for number in range(1000)]

    def test_nothing_raw(self, server, talk):
        """Never prints a character of a peer that steers a terminal, turns text or hides in it."""
        ann = talk(server, "--nick", "ann", "--commands")
        eve = talk(server, "--json", wait=False)
        hostile = r"\u202eright\u202c \u200b\u2066x\u2069 \udb40\udc41 \ufeff\u2028 \u00ad \u061c"
        eve.say('{"t":"say","text":"%s"}' % hostile)
        eve.say('{"t":"say","text":"%s","action":true}' % hostile)
        eve.say('{"t":"topic","text":"%s"}' % hostile)
        eve.say('{"t":"react","seq":1,"emoji":"\\u202e👍"}')
        eve.say('{"t":"edit","seq":1,"text":"%s"}' % hostile)
        eve.say('{"t":"whisper","to":"ann","text":"%s"}' % hostile)
        eve.say('{"t":"open","room":"x","topic":"%s"}' % hostile)
        ann.out.wait_text("whispers")
        ann.out.wait_text("(edited)")
        ann.err.wait_text(" set the topic: ")
        ann.err.wait_text(" reacts with ")
        ann.err.wait_text("new room: x")
        ann.say("/rooms")
        ann.say("/history")
        ann.say("/search right")
        ann.end_input()
        assert ann.wait() == 0
        for text in (bytes(ann.out.bytes).decode(), bytes(ann.err.bytes).decode()):
            assert "\\u{202e}right" in text
            for character in set(text) - {"\n"}:
                assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp"), ascii(character)

    def test_classic(self, server, talk, connect):
        """Who comes through the classic lobby is marked: that name proves nothing."""
        ann, peer = talk(server, "--nick", "ann"), connect(server)
        peer.say(b"bob: hi\n")
        (match,) = ann.out.wait_match(r"^(guest-\d+) \(classic\): bob: hi$")
        ann.say("hello")
        peer.until_message(b"ann: hello\n")


class TestEnd:
    """Ends with status 0 once input has ended and everything is acknowledged; else 1, and why."""

    def test_no_input(self, server, talk):
        ann = talk(server, stdin=subprocess.DEVNULL)
        assert ann.wait() == 0 and ann.out.text() == ""

    def test_closed_input(self, server, tmp_path, start):
        """`lazychat HOST <&-`"""
        command = chat_command(server, "--store", str(tmp_path))
        assert start(["sh", "-c", 'exec "$@" <&-', "sh", *command]).wait() == 0

    def test_nobody(self, unused_port, start, tmp_path, serve):
        """Fails after 10 s, saying that it is kept and goes out at the next start; then it does."""
        store = ("--store", str(tmp_path / "kept"))
        begun = time.monotonic()
        ann = start(chat_command(unused_port, "--nick", "ann", *store))
        guest = start(chat_command(unused_port, "--no-store"))
        for client in (ann, guest):
            client.say("hello")
            client.say("and good bye")
            client.end_input()
        assert ann.wait(REACH_SECONDS + PATIENCE) == guest.wait(PATIENCE) == 1
        assert REACH_SECONDS <= time.monotonic() - begun < REACH_SECONDS + 3
        assert re.fullmatch(
            r"lazychat: cannot reach 127\.0\.0\.1: SCTP over UDP .*: no answer\n  do: .*\n"
            rf"  kept: 2 messages not acknowledged; in {re.escape(str(tmp_path))}/kept/127\.0\.0\.1/pipe, "
            r"going out at the next start\n",
            ann.err.text(),
        )
        assert guest.err.text().endswith("  not said: 2 messages\n")
        assert ann.out.text() == guest.out.text() == ""
        server = serve()
        again = start(chat_command(server, *store), stdin=subprocess.DEVNULL)
        assert again.wait() == 0
        assert lines(again) == ["ann: hello", "ann: and good bye"] or lines(again)[0].endswith(": hello")
        assert len(lines(again)) == 2
        third = start(chat_command(server, "--last", "100", "--no-store"), stdin=subprocess.DEVNULL)
        assert third.wait() == 0
        assert lines(third) == lines(again)

    def test_unknown_host(self, start):
        ann = start([LAZYCHAT, "--no-store", "no-such-host.invalid"])
        assert ann.wait() == 1
        assert re.fullmatch(r"lazychat: cannot join no-such-host\.invalid: .*\n", ann.err.text())

    @pytest.mark.parametrize("where", ["127.0.0.1/No", "127.0.0.1/a/b", "/dev", "../x", ""])
    def test_wrong_room(self, start, where):
        ann = start([LAZYCHAT, "--no-store", where])
        assert ann.wait() == 1
        assert ann.err.text().startswith(f"lazychat: cannot join {where}: ")

    def test_refused_directory(self, start, tmp_path):
        """It says what cannot be made, and what to do."""
        (tmp_path / "file").write_text("")
        ann = start([LAZYCHAT, "--store", str(tmp_path / "file"), "localhost"])
        assert ann.wait() == 1
        assert "cannot make" in ann.err.text() and "--no-store" in ann.err.text()

    def test_output_closed(self, server, start, tmp_path):
        ann = start(["sh", "-c", '"$@" | head -n 1', "sh", *chat_command(server, "--nick", "ann", "--store", str(tmp_path))])
        ann.feed(b"hello\n" * 200)
        assert ann.wait() == 0  # of head
        assert ann.out.text() == "ann: hello\n"
        assert "lazychat: cannot write: Broken pipe\n" in ann.err.text()

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_signal(self, server, talk, number):
        """It leaves in order, and ends as a signal ends a program."""
        bob, ann = talk(server, "--nick", "bob"), talk(server, "--nick", "ann")
        bob.err.wait_text("-- ann came")
        ann.signal(number)
        assert ann.wait() == -number
        bob.err.wait_match("^-- ann left", seconds=3)

    def test_server_comes_back(self, serve, talk, tmp_path):
        """kill -9 of the server in the middle: nothing lost, nothing twice."""
        options = ("--data", str(tmp_path / "data"), "--rate", "0")
        server = serve(*options)
        ann, bob = talk(server, "--nick", "ann"), talk(server, "--nick", "bob")
        expected = [f"ann: {number}" for number in range(3000)]
        for number in range(3):
            ann.say(b"".join(b"%d\n" % n for n in range(number * 1000, (number + 1) * 1000)))
            bob.out.wait_lines(number * 1000 + 300, 60)
            server = restart(serve, server, *options)
        ann.end_input()
        assert ann.wait(60) == 0
        bob.out.wait_lines(3000, 60)
        assert lines(bob) == expected
        assert lines(ann) == expected
        assert "-- no connection: " in bob.err.text()
        # He may have had his 300 lines before the server went, and then not have come back before it went again.
        assert 2 <= bob.err.text().count("-- in lobby") <= 4

    def test_killed_in_the_middle(self, serve, talk, tmp_path):
        """kill -9 of lazychat: what was not acknowledged goes out at the next start, once."""
        server = serve("--rate", "50")
        store = ("--store", str(tmp_path / "kept"))
        bob = talk(server, "--nick", "bob")
        ann = talk(server, "--nick", "ann", *store)
        ann.say(b"".join(b"%d\n" % number for number in range(250)))
        bob.out.wait_lines(20)
        ann.kill()
        again = talk(server, *store, stdin=subprocess.DEVNULL)
        assert again.wait(60) == 0
        assert lines(bob) == [f"ann: {number}" for number in range(len(lines(bob)))]
        assert len(lines(bob)) >= 20


class TestCommands:
    """One table of `/` commands; nothing is sent by mistake. --commands has them in a pipe."""

    @pytest.fixture
    def two(self, server, talk):
        ann = talk(server, "--commands", "--nick", "ann")
        bob = talk(server, "--commands", "--nick", "bob")
        ann.err.wait_text("bob came")
        return ann, bob

    def test_me(self, two):
        ann, bob = two
        ann.say("/me waves")
        bob.out.wait_text("* ann waves\n")

    def test_slash(self, two):
        ann, bob = two
        ann.say("//etc/passwd")
        bob.out.wait_text("ann: /etc/passwd\n")

    def test_unknown(self, two):
        """Says so with the nearest one; nothing is sent."""
        ann, bob = two
        for line, answer in (
            ("/jion dev", "there is no /jion: /join?"),
            ("/mgs bob secret", "there is no /mgs: /msg?"),
            ("/hist", "there is no /hist: /history?"),
            ("/usr/bin/true", "there is no /usr/bin/true, see /help."),
            ("/", "there is no /"),
            ("  /msg bob secret", "a command begins with its slash"),
            ("/me", "/me takes TEXT"),
            ("/names now", "/names takes nothing"),
            ("/msg bob", "to whom, and what?"),
            ("/reply", "/reply takes NICK TEXT"),
            ("/reply eve hello", "whose message, and what?"),
            ("/react ann", "with what, to which message?"),
            ("/react", "/react takes"),
            ("/edit hello", "you have said nothing here lately"),
            ("/delete", "you have said nothing here lately"),
            ("/history many", "/history takes how many messages"),
            ("/join No Room", "a room's name is"),
            ("/join other.example/dev", "a room of another server"),
            ("/part", "this is the only room"),
            ("/me " + "x" * 7000, "too long"),
        ):
            ann.say(line)
            ann.err.wait_text(f"-- {answer}")
        ann.say("the end")
        bob.out.wait_text("ann: the end\n")
        assert lines(bob) == ["ann: the end"]

    def test_nick(self, two):
        ann, bob = two
        ann.say("/nick Ann Lee")
        ann.err.wait_text("-- you are Ann Lee\n")
        bob.err.wait_text("-- ann is now Ann Lee\n")
        bob.say("/nick ann lee")
        bob.err.wait_match(r"^-- not done: .*")
        ann.say("hello")
        bob.out.wait_text("Ann Lee: hello\n")

    def test_msg(self, two, server, talk):
        ann, bob = two
        eve = talk(server, "--nick", "eve")
        ann.say("/msg bob coffee?")
        bob.out.wait_text("ann (whispers): coffee?\n")
        ann.out.wait_text("ann (whispers to bob): coffee?\n")
        bob.say("/nick Bob the Builder")
        bob.err.wait_text("you are Bob")
        ann.err.wait_text("is now Bob the Builder")
        for number, name in enumerate(('"Bob the Builder"', "bob the builder", "Bob the Builder:")):
            ann.say(f"/msg {name} more {number}")
            bob.out.wait_text(f"ann (whispers): more {number}\n")
        ann.say("/msg nobody hello")
        ann.err.wait_match("^-- not done: ")
        ann.say("the end")
        eve.out.wait_text("ann: the end\n")
        assert lines(eve) == ["ann: the end"]

    def test_edit_and_delete(self, two):
        ann, bob = two
        ann.say("one")
        ann.say("two")
        ann.out.wait_lines(2)
        ann.say("/edit 2 and 3")
        bob.out.wait_text("ann: 2 and 3 (edited)\n")
        ann.say("/edit #1 first")
        bob.out.wait_text("ann: first (edited)\n")
        ann.say("/edit")
        ann.err.wait_text("what is it to say instead?")
        ann.say("/delete")
        bob.err.wait_text('-- ann took back "2 and 3"')
        ann.say("/redact #1")
        bob.err.wait_text('-- ann took back "first"')
        bob.say("/delete #1")
        bob.err.wait_match("^-- not done: ")
        bob.say("/edit #1 mine")
        bob.err.wait_match("^-- not done: ", 2)

    def test_reply_and_react(self, two):
        ann, bob = two
        ann.say("tea?")
        bob.out.wait_text("ann: tea?\n")
        bob.say("/reply ANN: yes")
        ann.out.wait_text("bob: yes\n")
        bob.say("/reply #1 please")
        ann.out.wait_text("bob: please\n")
        bob.say("/react 👍")
        ann.err.wait_text('-- bob reacts with 👍 to "tea?"')
        ann.say("/react bob 🎉")
        bob.err.wait_text('-- ann reacts with 🎉 to "please"')
        ann.say("/react #2 :-)")
        bob.err.wait_text('-- ann reacts with :-) to "yes"')
        bob.say("/unreact ann 👍")
        ann.err.wait_text('-- bob takes back 👍 from "tea?"')

    def test_topic(self, two, server, talk):
        ann, bob = two
        ann.say("/topic release on Friday")
        bob.err.wait_text("-- ann set the topic: release on Friday\n")
        eve = talk(server)
        eve.err.wait_text("-- topic: release on Friday\n")
        ann.say("/topic -")
        bob.err.wait_text("-- ann removed the topic\n")

    def test_names_and_rooms(self, two):
        ann, bob = two
        ann.say("/names")
        ann.err.wait_match(r"^-- 2 in lobby: ann, bob$")
        bob.say("/join dev")
        bob.err.wait_text("-- in dev of ")
        ann.say("/rooms")
        ann.err.wait_match(r"^--   dev +1 here +0 unread")

    def test_two_rooms(self, two):
        """Lines say which room they are from; what is said goes to the current one."""
        ann, bob = two
        for client in two:
            client.say("/join dev")
            client.err.wait_text("-- in dev of ")
            client.err.wait_text("-- what you say goes to dev\n")
        ann.err.wait_text("-- dev | bob came; 2 here\n")
        ann.say("in dev")
        bob.out.wait_text("dev | ann: in dev\n")
        ann.say("/join lobby")
        ann.say("in the lobby")
        bob.out.wait_text("lobby | ann: in the lobby\n")
        bob.say("/part")
        bob.err.wait_text("-- left dev; what you say goes to lobby\n")
        ann.err.wait_text("-- dev | bob left; 1 here\n")
        ann.say("alone?")
        bob.out.wait_text("\nann: alone?\n")
        ann.say("/part")  # the room that it was started with
        ann.say("still in dev")
        ann.out.wait_text("\nann: still in dev\n")
        for client in two:
            client.end_input()
            assert client.wait() == 0

    def test_history_and_search(self, serve, talk):
        server = serve("--rate", "0")
        ann = talk(server, "--commands", "--nick", "ann")
        ann.feed(b"".join(b"number %d\n" % number for number in range(1, 51)) + b"a needle\n")
        assert ann.wait() == 0
        bob = talk(server, "--commands", "--nick", "bob")
        bob.say("/history 10")
        bob.err.wait_text("/history goes on before #42\n")
        bob.say("/history 3")
        bob.err.wait_text("/history goes on before #39\n")
        bob.say("/search needle")
        bob.out.wait_match(r"^\d{4}-\d\d-\d\d \d\d:\d\d #51 ann: a needle$", 2)
        bob.say("/search number")
        bob.err.wait_text("there is more")
        bob.say("/search")
        bob.err.wait_text("there is more", 2)
        numbers = [int(number) for number in re.findall(r"#(\d+) ann", bob.out.text())]
        assert numbers[:14] == [*range(42, 52), 39, 40, 41, 51]
        assert numbers[14:34] == list(range(31, 51))

    def test_read(self, two, server, talk, tmp_path):
        """What one client of the account has read is not unread in another."""
        ann, bob = two
        store = ("--store", str(tmp_path / "carl"))
        carl = talk(server, "--commands", *store)
        carl.end_input()
        assert carl.wait() == 0
        ann.say("one")
        ann.say("two")
        bob.out.wait_lines(2)
        carl = talk(server, "--commands", "--last", "5", *store)
        carl.err.wait_match(r"^-- 2 unread$")
        carl.out.wait_text("ann: two\n")
        carl.say("/read")
        carl.end_input()
        assert carl.wait() == 0
        carl = talk(server, *store)
        assert "unread" not in carl.err.text()

    def test_numbers(self, two):
        ann, bob = two
        ann.say("one")
        bob.out.wait_text("ann: one\n")
        bob.say("/numbers")
        bob.err.wait_text("with their numbers")
        ann.say("two")
        bob.out.wait_text("#2 ann: two\n")

    def test_help(self, two):
        """Each command has its line, and /help COMMAND has it alone."""
        ann, _ = two
        ann.say("/help")
        ann.err.wait_text("-- //TEXT")
        commands = re.findall(r"^-- /(\w+)", ann.err.text(), re.M)
        assert {*"me msg reply react edit delete history search nick names topic rooms join part read quit help".split()} <= {
            *commands
        }
        ann.say("/help /edit")
        ann.err.wait_match(r"^-- /edit ", 2)
        ann.say("/help redact")
        ann.err.wait_match(r"^-- /delete ", 2)
        ann.say("/help nonsense")
        ann.err.wait_text("there is no /nonsense")

    def test_quit(self, two):
        ann, bob = two
        ann.say("bye")
        ann.say("/quit")
        assert ann.wait() == 0
        bob.out.wait_text("ann: bye\n")


class TestManual:
    """man/lazychat.1 documents each option and each command, and nothing else."""

    PATH = os.path.join(os.path.dirname(__file__), "..", "..", "man", "lazychat.1")

    def test_options(self):
        with open(self.PATH, encoding="utf-8") as file:
            manual = file.read()
        help_text = subprocess.run([LAZYCHAT, "--help"], capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
        documented = re.findall(r"^\.It Fl -([\w-]+)(?: (?:Ar|Cm) (.*))?$", manual, re.M)
        options = re.findall(r"^  --([\w-]+)(?: ([A-Z]+))?(?: |$)", help_text, re.M)
        assert {name for name, _ in documented} == {name for name, _ in options}
        assert {name for name, value in documented if value} == {name for name, value in options if value}

    def test_commands(self, server, talk):
        with open(self.PATH, encoding="utf-8") as file:
            manual = file.read()
        ann = talk(server, "--commands")
        ann.say("/help")
        ann.err.wait_text("-- //TEXT")
        assert set(re.findall(r"^\.It Ic /(\w+)", manual, re.M)) == set(re.findall(r"^-- /(\w+)", ann.err.text(), re.M))

    def test_lint(self):
        try:
            result = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", self.PATH], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip("mandoc is not installed")
        assert (result.returncode, result.stdout) == (0, "")
