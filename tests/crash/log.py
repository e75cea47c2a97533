"""log.py: the log as it is at the end, read in two ways: asked from the server, and from the file under its --data.

Both give rows (seq, account, id, text) of the lobby. Knows the protocol's `history` and the tables of the log.
"""

import json
import os
import sqlite3
import subprocess
import threading
import time

PAGE = 500


def read_history(command, seconds=120):
    """From number 1 on, by lazychat --json --raw, so that no library heals anything. `command` starts that one."""
    rows = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as asker:
        deadline = threading.Timer(seconds, asker.kill)
        deadline.start()
        since = None
        _ask(asker, t="join", secret=os.urandom(16).hex())
        for line in asker.stdout:
            message = json.loads(line)
            if message["t"] == "welcome":
                since, head = 0, message["head"]
            elif message["t"] == "batch":
                rows += [(item["seq"], item["from"], item.get("id"), item.get("text")) for item in message["items"]]
                since, head = message["until"], message["head"]
            elif message["t"] == "error" and "retry" in message:
                time.sleep(message["retry"] / 1000)
            elif message["t"] == "error":
                raise RuntimeError(f"history was answered by {message}")
            else:
                continue
            if since >= head:
                break
            _ask(asker, t="history", since=since, limit=PAGE)
        deadline.cancel()
        asker.stdin.close()
        asker.stdout.read()
        if since is None:
            raise RuntimeError(f"the server did not let us read its log: {asker.stderr.read().decode()}")
    return rows


def _ask(asker, **message):
    asker.stdin.write(json.dumps(message).encode() + b"\n")
    asker.stdin.flush()


def read_database(directory):
    """The server must have ended. Raises if SQLite finds the file damaged."""
    base = sqlite3.connect(f"file:{os.path.join(directory, 'log.db')}?mode=ro", uri=True)
    try:
        (verdict,) = base.execute("PRAGMA integrity_check").fetchone()
        if verdict != "ok":
            raise RuntimeError(f"log.db: {verdict}")
        lobby = base.execute("SELECT id FROM room WHERE name = 'lobby'").fetchone()[0]
        return base.execute(
            "SELECT key - (?1 << 40), account, id, text FROM message WHERE key >> 40 = ?1 ORDER BY key", (lobby,)
        ).fetchall()
    finally:
        base.close()
