"""programs.py: starts lazychatd and lazychat for the tests and waits for what they print.

Owns processes and their output. Knows nothing of SCTP. Every wait is on a condition and has a deadline.
"""

import os
import re
import signal
import subprocess
import threading
import time

# meson says where they are; by hand it is build/.
BUILD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build")
LAZYCHATD = os.environ.get("LAZYCHATD", os.path.normpath(BUILD + "/server/lazychatd"))
LAZYCHAT = os.environ.get("LAZYCHAT", os.path.normpath(BUILD + "/client/lazychat"))
# What should take no time may take this long on a busy machine before a test gives up.
PATIENCE = 15


def sanitized():
    """Whether the programs are built with AddressSanitizer: memory and times mean less then."""
    with open(LAZYCHATD, "rb") as file:
        return b"__asan_init" in file.read()


class Output:
    """What came out of a pipe so far; a thread reads it, so that a program never waits for the test."""

    def __init__(self, pipe):
        self.bytes = bytearray()
        self.newlines = 0
        self.ended = False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self.thread.start()

    def _read(self, pipe):
        while chunk := os.read(pipe.fileno(), 1 << 16):
            with self.changed:
                self.bytes += chunk
                self.newlines += chunk.count(b"\n")
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()
        pipe.close()

    def wait(self, condition, what, seconds=PATIENCE):
        """Until the condition holds; it is looked at whenever there is more output."""
        with self.changed:
            held = self.changed.wait_for(lambda: condition() or self.ended, seconds) and condition()
            assert held, f"waited for {what}; the output {'ended' if self.ended else 'so far'}: {bytes(self.bytes[-2000:])!r}"

    def wait_text(self, text, seconds=PATIENCE):
        wanted = text if isinstance(text, bytes) else text.encode()
        self.wait(lambda: wanted in self.bytes, repr(text), seconds)

    def wait_match(self, pattern, count=1, seconds=PATIENCE):
        """Until as many lines match; returns the matches."""
        wanted = re.compile(pattern, re.M)
        self.wait(lambda: len(wanted.findall(self.text())) >= count, f"{count} of /{pattern}/", seconds)
        return list(wanted.finditer(self.text()))

    def wait_lines(self, count, seconds=PATIENCE):
        self.wait(lambda: self.newlines >= count, f"{count} lines (there are {self.newlines})", seconds)
        return self.lines()

    def wait_end(self, seconds=PATIENCE):
        self.wait(lambda: self.ended, "its end", seconds)
        return bytes(self.bytes)

    def text(self):
        return self.bytes.decode("utf-8", "replace")

    def lines(self):
        """The whole lines, without their ends."""
        return bytes(self.bytes).split(b"\n")[:-1]


class Program:
    """A program under test, its input a pipe (or what `stdin` says), its output collected."""

    def __init__(self, command, stdin=subprocess.PIPE, **more):
        self.process = subprocess.Popen(
            command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, **more
        )
        self.pid = self.process.pid
        self.out = Output(self.process.stdout)
        self.err = Output(self.process.stderr)

    def say(self, text):
        """Hands it a line, or bytes as they are."""
        self.process.stdin.write(text if isinstance(text, bytes) else text.encode() + b"\n")

    def feed(self, data):
        """Hands it much, however long it takes to read it, then ends its input."""

        def write():
            try:
                with self.process.stdin as pipe:
                    view = memoryview(data)
                    while view:
                        view = view[pipe.write(view) :]
            except BrokenPipeError:
                pass

        threading.Thread(target=write, daemon=True).start()

    def end_input(self):
        self.process.stdin.close()

    def wait(self, seconds=PATIENCE):
        """Its exit status, once it has ended and all its output is here."""
        status = self.process.wait(seconds)
        self.out.wait_end()
        self.err.wait_end()
        return status

    def signal(self, number):
        self.process.send_signal(number)

    def running(self):
        return self.process.poll() is None

    def rss(self):
        """Resident memory, in bytes."""
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def kill(self):
        if self.running():
            self.process.kill()
        self.process.wait()
        if self.process.stdin:
            try:
                self.process.stdin.close()
            except OSError:
                pass


class Server(Program):
    """lazychatd, once it listens."""

    def __init__(self, command, **more):
        super().__init__(command, stdin=subprocess.DEVNULL, **more)
        try:
            self.out.wait_text("Ctrl-C ends it.")
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"lazychatd did not start: {self.err.text()}") from error
        self.ports = [int(port) for port in re.findall(r"^  udp:\S+:(\d+) ", self.out.text(), re.M)]

    @property
    def port(self):
        return self.ports[0]

    def log(self, event):
        """The log lines of one event so far."""
        return [line for line in self.err.text().splitlines() if re.match(rf"\S+ \w+ {event} ", line)]

    def wait_log(self, event, count=1, seconds=PATIENCE):
        self.err.wait(lambda: len(self.log(event)) >= count, f"{count} log lines of {event!r}", seconds)
        return self.log(event)

    def end(self):
        """Ends it as a test should find it: alive, and leaving in order. Returns its exit status."""
        assert self.running(), f"lazychatd had died with {self.process.returncode}: {self.err.text()[-3000:]}"
        self.signal(signal.SIGTERM)
        try:
            return self.wait()
        finally:
            self.kill()


def eventually(condition, what, seconds=PATIENCE, pause=0.01):
    """For conditions that nothing announces: asks again and again until it holds; returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(pause)


def client_command(server, *options, host="127.0.0.1", port=None):
    return [LAZYCHAT, "--classic", "--transport", "udp", "--udp-port", str(port or server.port), *options, host]
