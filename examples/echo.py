#!/usr/bin/env python3
"""A bot: says what others say. lazychat does the rest: it joins, comes back, misses nothing and doubles nothing.

    ./echo.py HOST/ROOM [OPTION OF LAZYCHAT...]
"""

import json
import os
import subprocess
import sys

lazychat = os.environ.get("LAZYCHAT", "lazychat")
me = None

with subprocess.Popen(
    [lazychat, "--json", "--nick", "echo", *sys.argv[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE
) as chat:
    for line in chat.stdout:
        message = json.loads(line)
        if message["t"] in ("welcome", "you"):
            me = message["account"]
        if message["t"] != "say" or message["from"] == me or message.get("old") or "reply" in message:
            continue  # not said, one's own, of the past; an answer may be another bot's
        answer = {"t": "say", "text": message["text"], "reply": message["seq"]}
        chat.stdin.write(json.dumps(answer).encode() + b"\n")
        chat.stdin.flush()
sys.exit(chat.returncode)
