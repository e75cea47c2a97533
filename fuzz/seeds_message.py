#!/usr/bin/env python3
"""Writes each example of docs/protocol.md to a file of its own, for the fuzzer of messages to begin with.

usage: seeds_message.py DIRECTORY"""

import hashlib
import json
import pathlib
import re
import sys

document = (pathlib.Path(__file__).resolve().parents[1] / "docs/protocol.md").read_text()
directory = pathlib.Path(sys.argv[1])
for block in re.findall(r"^```json\n(.*?)^```$", document, flags=re.M | re.S):
    while block.strip():
        message, end = json.JSONDecoder().raw_decode(block.lstrip())
        block = block.lstrip()[end:]
        seed = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
        (directory / f"example-{hashlib.sha1(seed).hexdigest()}").write_bytes(seed)
