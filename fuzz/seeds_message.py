#!/usr/bin/env python3
"""Writes the examples of docs/protocol.md to files, for the fuzzers to begin with: each by itself for the fuzzer of
messages; for that of requests the clients' as conversations, a line a message, with the number of who says it.

usage: seeds_message.py message|request DIRECTORY"""

import hashlib
import json
import pathlib
import re
import sys

document = (pathlib.Path(__file__).resolve().parents[1] / "docs/protocol.md").read_text()
kind, directory = sys.argv[1], pathlib.Path(sys.argv[2])


def examples(text):
    for block in re.findall(r"^```json\n(.*?)^```$", text, flags=re.M | re.S):
        while block.strip():
            message, end = json.JSONDecoder().raw_decode(block.lstrip())
            block = block.lstrip()[end:]
            yield json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def write(seed):
    (directory / f"example-{hashlib.sha1(seed).hexdigest()}").write_bytes(seed)


if kind == "message":
    for example in examples(document):
        write(example)
else:
    clients = list(examples(document[document.index("## From the client") : document.index("## From the server")]))
    joins = [b"0" + clients[0], b'1{"t":"join","secret":"%s","nick":"bob"}' % (b"1" * 32), b"3hello"]
    # So that there is something under the numbers that the examples name.
    says = [b'0{"t":"say","id":"s%d","text":"release on friday %d"}' % (n, n) for n in range(5)]
    for example in clients:
        near = re.sub(rb'"(seq|reply|since|until|before)":\d+', rb'"\1":3', example)
        write(b"\n".join([*joins, *says, b"0" + near, b"1" + near, b"2" + near]))
    write(b"\n".join(joins + says + [b"0" + example for example in clients]))
