"""screen.py: a terminal (tmux), for programs that are tested through their screen."""

import os
import re
import shlex
import subprocess

from programs import client_command, eventually


class Terminal:
    """A terminal of 100 by 30 with a shell in it."""

    def __init__(self, directory):
        self.tmux = ["tmux", "-S", str(directory / "tmux"), "-f", "/dev/null"]
        environment = {**os.environ, "TERM": "screen", "PS1": "$ ", "LC_ALL": "C.UTF-8"}
        environment.pop("TMUX", None)
        subprocess.run(
            [*self.tmux, "-u", "new-session", "-d", "-x", "100", "-y", "30", "env", "-u", "ENV", "sh"],
            env=environment,
            check=True,
            timeout=15,
        )
        self.wait(r"^\$ *$")

    def screen(self):
        result = subprocess.run(
            [*self.tmux, "capture-pane", "-p", "-J"], capture_output=True, text=True, check=True, timeout=15
        )
        return "\n".join(line.rstrip() for line in result.stdout.rstrip().split("\n"))

    def wait(self, pattern):
        def look():
            self.last = self.screen()
            return re.search(pattern, self.last, re.M)

        try:
            return eventually(look, f"/{pattern}/ on the screen")
        except AssertionError as error:
            raise AssertionError(f"{error}; it shows:\n{self.last}") from error

    def type(self, text):
        subprocess.run([*self.tmux, "send-keys", "-l", text], check=True, timeout=15)

    def key(self, *names):
        subprocess.run([*self.tmux, "send-keys", *names], check=True, timeout=15)

    def line(self, text):
        self.type(text)
        self.key("Enter")

    def run(self, command):
        """Afterwards the shell says how it ended."""
        self.line("clear; " + " ".join(map(shlex.quote, command)) + "; echo ended with $?")

    def chat(self, server):
        """Joins the classic lobby."""
        self.run(client_command(server))
        self.wait(r"^lazychat: in the classic lobby of ")

    def paste(self, text):
        """As a person pastes: in brackets, if the program asked for them."""
        subprocess.run([*self.tmux, "set-buffer", text], check=True, timeout=15)
        subprocess.run([*self.tmux, "paste-buffer", "-p"], check=True, timeout=15)

    def colours(self):
        """The screen, with its escape sequences for colours."""
        return subprocess.run(
            [*self.tmux, "capture-pane", "-p", "-e"], capture_output=True, text=True, check=True, timeout=15
        ).stdout

    def cursor(self):
        """Its column and row, from 0."""
        result = subprocess.run(
            [*self.tmux, "display-message", "-p", "#{cursor_x} #{cursor_y}"],
            capture_output=True,
            text=True,
            check=True,
            timeout=15,
        )
        return tuple(map(int, result.stdout.split()))

    def resize(self, columns, rows):
        subprocess.run([*self.tmux, "resize-window", "-x", str(columns), "-y", str(rows)], check=True, timeout=15)

    def close(self):
        subprocess.run([*self.tmux, "kill-server"], check=False, timeout=15)
