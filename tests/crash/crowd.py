"""crowd.py: the server and the clients of the torture test: real processes that are killed and started again.

Owns the processes, what was said to whom, and what each client has printed, over all its lives. It judges each line as
it comes; what is right is said at `Client.read`. Knows nothing of rounds and of how networks are cut.
"""

import collections
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time

PATIENCE = 30
TURN = 1000  # messages that a client may have printed and not put down: what it takes in one turn, generously
ASAN = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:")


class Findings:
    """What was wrong, in words, and how often."""

    SHOWN = 40

    def __init__(self, tell):
        self.tell = tell
        self.lost = self.doubled = self.wrong = self.shown = 0

    def _add(self, text):
        self.shown += 1
        if self.shown <= self.SHOWN:
            self.tell("WRONG: " + text)

    def add_lost(self, text, count=1):
        self.lost += count
        self._add(text)

    def add_doubled(self, text, count=1):
        self.doubled += count
        self._add(text)

    def add_wrong(self, text):
        self.wrong += 1
        self._add(text)

    def __bool__(self):
        return bool(self.lost or self.doubled or self.wrong)


def check_errors(findings, name, path):
    """No sanitizer has anything to say."""
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read()
    for sign in ASAN:
        if sign in text:
            findings.add_wrong(f"{name}: {text[text.index(sign) :][:300]!r}, see {path}")


def wait_until(condition, seconds=PATIENCE, pause=0.01):
    """Whether it held in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


class Server:
    """lazychatd, always on the same directory and port."""

    def __init__(self, program, directory, findings, prefix=(), listen="udp:127.0.0.1:9899"):
        self.program, self.directory, self.findings = program, directory, findings
        self.prefix, self.listen = list(prefix), listen
        self.data = os.path.join(directory, "data")
        self.lives = 0
        self.process = None

    def _path(self, what):
        return os.path.join(self.directory, f"server.{self.lives:03}.{what}")

    def start(self, durability):
        self.lives += 1
        command = [*self.prefix, self.program, "--listen", self.listen, "--data", self.data, "--durability", durability]
        with open(self._path("out"), "wb") as out, open(self._path("err"), "wb") as err:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def is_ready(self):
        with open(self._path("out"), "rb") as file:
            return b"Ctrl-C ends it." in file.read()

    def wait_ready(self):
        wait_until(lambda: self.is_ready() or not self.is_alive())
        if self.is_ready() and self.is_alive():
            return
        with open(self._path("err"), encoding="utf-8", errors="replace") as file:
            raise RuntimeError(f"the server did not start: {file.read()[-2000:]}")

    def is_alive(self):
        return self.process.poll() is None

    def kill(self):
        """kill -9. It must be alive: what ended it before is a finding."""
        if not self.is_alive():
            self.findings.add_wrong(f"the server died by itself: status {self.process.returncode}, {self._path('err')}")
        self.process.kill()
        self.process.wait()
        check_errors(self.findings, "server", self._path("err"))

    def end(self):
        """In order."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        if status != 0:
            self.findings.add_wrong(f"the server ended with {status}, see {self._path('err')}")
        check_errors(self.findings, "server", self._path("err"))


def stored(directory):
    """What a client's store has: (up to where all is seen, or None; ids of the unsent). It is copied first: opening it
    would write to it."""
    with tempfile.TemporaryDirectory() as scratch:
        for suffix in ("", "-wal"):
            path = os.path.join(directory, "lazychat.db" + suffix)
            if os.path.exists(path):
                shutil.copy(path, scratch)
        base = sqlite3.connect(os.path.join(scratch, "lazychat.db"))
        try:
            seen = base.execute("SELECT seen FROM room WHERE log IS NOT NULL").fetchone()
            unsent = [row[0] for row in base.execute("SELECT id FROM unsent ORDER BY n")]
            return (seen[0] if seen else None), unsent
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return None, []
            raise
        finally:
            base.close()


class Client:
    """lazychat --json, always on the same store.

    Its input is a line for each message; lines that were in its pipe when it was killed are gone, so those of which
    nothing is known are said again, with their ids, as a bot would. Its output is a file for each of its lives.
    """

    def __init__(self, crowd, number, prefix):
        self.crowd, self.number, self.name = crowd, number, f"c{number:02}"
        self.prefix = list(prefix)
        self.directory = os.path.join(crowd.directory, self.name)
        os.mkdir(self.directory)
        self.process = self.out = None
        self.lives = self.welcomes = 0
        self.was_in = False  # in this life
        self.count = 0  # messages said so far
        self.acknowledged = {}  # which of them have come back, with which number
        self.queue = collections.deque()  # which of them are to go into the pipe
        self.rest = b""  # of the line that the pipe took a part of
        self.partial = b""  # of the line that is not whole yet
        self.account = None
        self.first = self.next = None  # number: since it joined, and to come
        self.printed = 0  # highest number
        self.repeats = 0

    # ---- Processes ----

    def _path(self, what):
        return os.path.join(self.directory, f"{self.lives:03}.{what}")

    def start(self):
        self.lives += 1
        self.was_in = False
        crowd = self.crowd
        command = [crowd.program, "--json", "--nick", self.name, "--store", os.path.join(self.directory, "store")]
        command += ["--transport", "udp", "--udp-port", str(crowd.port), crowd.host]
        with open(self._path("out"), "wb") as out, open(self._path("err"), "wb") as err:
            self.process = subprocess.Popen([*self.prefix, *command], stdin=subprocess.PIPE, stdout=out, stderr=err)
        os.set_blocking(self.process.stdin.fileno(), False)
        self.out = open(self._path("out"), "rb")
        self.partial = self.rest = b""
        self.pump()

    def is_over(self):
        """It ended and nobody has dealt with that."""
        return not self.out.closed and self.process.poll() is not None

    def kill(self):
        """kill -9, or it is over. Then see what its store says it has handed over, and hold it to that."""
        status = self.process.poll()
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.read()
        self.out.close()
        if status == 1 and not self.was_in:
            self.crowd.gave_up += 1  # a program ends if it cannot come in at first
        elif status is not None:
            self.crowd.findings.add_wrong(f"{self.name} ended by itself: status {status}, {self._path('err')}")
        check_errors(self.crowd.findings, self.name, self._path("err"))
        seen, unsent = stored(self._store())
        if seen is not None:
            if self.next is None:
                self.first = self.next = seen + 1
            what = f"{self.name} was killed (life {self.lives}): its store has seen {seen}, it printed up to {self.next - 1}"
            if seen >= self.next:
                self.crowd.findings.add_lost(what, seen - self.next + 1)
            if seen < self.next - 1 - TURN:
                self.crowd.findings.add_wrong(what)
            # What it printed and did not put down comes again; nothing else may.
            self.next = seen + 1
        kept = {int(one.split("-")[1]) for one in unsent} if self.crowd.random.random() < 0.5 else set()
        self.queue = collections.deque(n for n in range(self.count) if n not in self.acknowledged and n not in kept)

    def _store(self):
        return os.path.join(self.directory, "store", self.crowd.host, "pipe")

    def end(self):
        """Its input ends: it must leave by itself, with nothing unsent."""
        self.process.stdin.close()
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = f"a kill: it did not leave {self.process.wait()}"
        self.read()
        self.out.close()
        if status != 0:
            self.crowd.findings.add_wrong(f"{self.name} ended with {status}, see {self._path('err')}")
        check_errors(self.crowd.findings, self.name, self._path("err"))
        seen, unsent = stored(self._store())
        if unsent:
            self.crowd.findings.add_wrong(f"{self.name}: still unsent in its store at the end: {unsent[:5]}")
        if self.next is not None and seen != self.next - 1:
            self.crowd.findings.add_wrong(f"{self.name}: its store has seen {seen}, it printed up to {self.next - 1}")

    # ---- In ----

    def say(self):
        self.queue.append(self.count)
        self.count += 1
        self.pump()

    def pump(self):
        """Hands over what its pipe takes."""
        while (self.rest or self.queue) and not self.process.stdin.closed:
            if not self.rest:
                n = self.queue.popleft()
                message = {"t": "say", "id": f"{self.name}-{n}", "text": self.crowd.text(self.number, n)}
                self.rest = json.dumps(message).encode() + b"\n"
            try:
                self.rest = self.rest[os.write(self.process.stdin.fileno(), self.rest) :]
            except BlockingIOError:
                return
            except BrokenPipeError:  # it died: kill() or end() will say so
                return

    def is_quiet(self):
        """All that it said is acknowledged, and it knows all that is known."""
        return len(self.acknowledged) == self.count and self.next is not None and self.next > self.crowd.head

    # ---- Out ----

    def read(self):
        """Judges what is new. The numbers begin where it joined and go on without a hole, in each life where the store
        said at the end of the one before; each number is the same message for everyone; what it said itself has one
        number and the right text; it stays the same account on the same log."""
        data = b"" if self.out.closed else self.out.read()
        if not data:
            return
        lines = (self.partial + data).split(b"\n")
        self.partial = lines.pop()  # killed in the middle of a line: that one does not count
        for line in lines:
            self._judge(line)

    def _judge(self, line):
        findings = self.crowd.findings
        try:
            message = json.loads(line)
        except ValueError:
            findings.add_wrong(f"{self.name} printed what is not JSON: {line[:200]!r}, {self._path('out')}")
            return
        kind = message.get("t")
        if kind == "say":
            self._judge_say(message)
        elif kind == "welcome":
            self._judge_welcome(message)
        elif kind == "error":
            self.crowd.errors[message.get("code")] += 1
            if "retry" not in message:
                findings.add_wrong(f"{self.name} was told {line[:200]!r}")

    def _judge_welcome(self, message):
        self.welcomes += 1
        self.was_in = True
        if self.next is None:
            self.first = self.next = message["head"] + 1
        if self.account not in (None, message["account"]):
            self.crowd.findings.add_wrong(f"{self.name} was account {self.account} and is {message['account']}")
        self.account = message["account"]
        self.crowd.logs.add(message["log"])

    def _judge_say(self, message):
        findings, seq, crowd = self.crowd.findings, message["seq"], self.crowd
        where = f"{self.name} (life {self.lives})"
        if self.next is None:
            findings.add_wrong(f"{where} got {seq} before its welcome")
            self.first = self.next = seq
        if seq < self.next:
            findings.add_doubled(f"{where} got {seq} again, after {self.next - 1}")
        elif seq > self.next:
            findings.add_lost(f"{where} got {seq} after {self.next - 1}", seq - self.next)
        if seq >= self.next:
            self.repeats += seq <= self.printed
            self.next = seq + 1
        self.printed = max(self.printed, seq)
        body = tuple(message.get(key) for key in ("at", "from", "nick", "id", "text"))
        if crowd.truth.setdefault(seq, body) != body:
            findings.add_wrong(f"{where}: {seq} is {body} here, and elsewhere {crowd.truth[seq]}")
        crowd.head = max(crowd.head, seq)
        if message["from"] == self.account and message.get("id", "").startswith(self.name + "-"):
            n = int(message["id"].split("-")[1])
            if self.acknowledged.setdefault(n, seq) != seq:
                findings.add_wrong(f"{where}: {message['id']} has the numbers {self.acknowledged[n]} and {seq}")


class Crowd:
    """All clients, and a thread that has them speak."""

    TICK = 0.02

    def __init__(self, program, directory, findings, seed, host, port, prefixes, rate):
        self.program, self.directory, self.findings = program, directory, findings
        self.seed, self.host, self.port, self.rate = seed, host, port, rate
        self.random = random.Random(f"crowd {seed}")
        self.truth = {}  # number: what it is
        self.head = 0
        self.logs = set()
        self.errors = collections.Counter()
        self.gave_up = 0
        self.lock = threading.RLock()
        self.clients = [Client(self, number, prefix) for number, prefix in enumerate(prefixes)]
        self.speaking = False
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def text(self, number, n):
        """What the n-th message of a client says: most are short, some fill several packets."""
        chance = random.Random(f"{self.seed} {number} {n}")
        length = chance.randint(1000, 5000) if chance.random() < 0.02 else chance.randint(1, 100)
        return f"{n} " + "".join(chance.choices("abcdefgh \n\t\"\\é日🦥", k=max(1, length // 2)))

    def start(self):
        for client in self.clients:
            client.start()
        self.thread.start()

    def _run(self):
        """Everyone says something `rate` times a second on average; now and then somebody says very much at once."""
        last = time.monotonic()
        while not self.over.wait(self.TICK):
            now = time.monotonic()
            with self.lock:
                for client in self.clients:
                    if client.is_over():
                        client.kill()
                        client.start()
                    if self.speaking and self.random.random() < self.rate * (now - last):
                        for _ in range(self.random.randint(50, 300) if self.random.random() < 0.0005 else 1):
                            client.say()
                    client.pump()
                    client.read()
            last = now

    def kill(self, client):
        with self.lock:
            client.kill()

    def revive(self, client):
        with self.lock:
            client.start()

    def said(self):
        return sum(client.count for client in self.clients)

    def acknowledged(self):
        return sum(len(client.acknowledged) for client in self.clients)

    def is_quiet(self):
        with self.lock:
            return all(client.is_quiet() for client in self.clients)

    def stop(self):
        self.over.set()
        self.thread.join()

    def end(self):
        """All leave in order."""
        for client in self.clients:
            client.process.stdin.close()
        for client in self.clients:
            client.end()

    def abandon(self):
        """For a run that failed: nothing stays behind."""
        self.over.set()
        for client in self.clients:
            if client.process and client.process.poll() is None:
                client.process.kill()
                client.process.wait()
