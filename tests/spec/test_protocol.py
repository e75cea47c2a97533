"""docs/protocol.md, docs/protocol.schema.json and lib/message say the same.

Every example is checked against the schema and the parser; the parser is asked for each field's limits as the schema
has them, from both sides of each limit; and the document's table of limits and message.h's are compared with the schema's."""

import itertools
import json
import os
import pathlib
import re
import subprocess

import pytest

jsonschema = pytest.importorskip("jsonschema", reason="python3-jsonschema is not there")

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs/protocol.md").read_text()
SCHEMA = json.loads((ROOT / "docs/protocol.schema.json").read_text())
DEFS = SCHEMA["$defs"]
HEADER = (ROOT / "lib/message.h").read_text()
SIDES = {"From the client": "client", "From the server": "server"}
# What a list is in: an element for which any message will do.
HOSTS = {
    "list.person": lambda it: {"t": "names", "roster": 1, "people": 1, "items": [it]},
    "list.room": lambda it: {"t": "heads", "items": [it]},
    "list.reaction": lambda it: batch({**LOGGED, "t": "say", "text": "x", "reactions": [it]}),
}
LOGGED = {"seq": 1, "at": 1, "from": 1, "nick": "n"}


def batch(item):
    return {"t": "batch", "from": 1, "until": 1, "first": 1, "head": 1, "items": [item]}


# ---- the schema ----


def max_bytes(validator, limit, instance, schema):
    if validator.is_type(instance, "string") and len(instance.encode()) > limit:
        yield jsonschema.ValidationError(f"longer than {limit} bytes")


Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"maxBytes": max_bytes})


def validator(name):
    return Validator({"$ref": f"#/$defs/{name}", "$defs": DEFS})


def resolved(schema):
    return DEFS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def message_defs():
    return [name for name in DEFS if name.startswith(("client.", "server."))]


def all_defs():
    return message_defs() + list(HOSTS)


# ---- the parser ----


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def ask(lines):
    """What the parser says to each of the lines."""
    done = subprocess.run([os.environ["PARSE_MESSAGE"]], input="".join(line + "\n" for line in lines).encode(),
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    answers = done.stdout.decode().split("\n")[:-1]
    assert len(answers) == len(lines)
    return answers


def line_for(name, value):
    """The line that has the parser read `value` as what the schema calls `name`."""
    if name in HOSTS:
        return f"server {compact(HOSTS[name](value))}"
    return f"{name.partition('.')[0]} {compact(value)}"


# ---- the document ----


def examples():
    """(side, message) of each example in the document, in its order."""
    found = []
    for section in re.split(r"^## ", DOCUMENT, flags=re.M)[1:]:
        title, _, body = section.partition("\n")
        for block in re.findall(r"^```json\n(.*?)^```$", body, flags=re.M | re.S):
            assert title in SIDES, f"an example in a section of no side: {title}"
            rest = block
            while rest.strip():
                message, end = json.JSONDecoder().raw_decode(rest.lstrip())
                rest = rest.lstrip()[end:]
                found.append((SIDES[title], message))
    return found


EXAMPLES = examples()


@pytest.mark.parametrize("side, message", EXAMPLES, ids=[f"{s}-{m['t']}" for s, m in EXAMPLES])
def test_example(side, message):
    """Each example is what its side may send, for the schema and the parser, and is written again as it was."""
    validator(side).validate(message)
    validator(f"{side}.{message['t']}").validate(message)
    [answer] = ask([f"{side} {compact(message)}"])
    assert answer.startswith("ok "), answer
    assert json.loads(answer[3:]) == message


def test_each_type_has_an_example():
    """Of the schema, each side's types; of the parser, each type; and no other. No field goes without an example."""
    shown = {f"{side}.{message['t']}" for side, message in EXAMPLES}
    assert shown == set(message_defs())
    [names] = ask(["types"])
    names = set(names.split()) - {"element"}
    asked = [f"{side}.{name}" for side in ("client", "server") for name in sorted(names)]
    answers = ask([f"{each.partition('.')[0]} {compact({'t': each.partition('.')[2]})}" for each in asked])
    assert {each for each, answer in zip(asked, answers) if answer != "ignored"} == shown
    for side in ("client", "server"):
        switch = {each["then"]["$ref"].rpartition("/")[2] for each in DEFS[side]["allOf"]}
        assert switch == {name for name in shown if name.startswith(side)}


# ---- the parser's limits are the schema's ----


def probes(schema):
    """Values on both sides of what a field's schema allows."""
    kind = schema["type"]
    wrong = [None, True, 0, 1.5, "1", "", [], {}]
    if kind == "integer":
        low, high = schema["minimum"], schema["maximum"]
        return wrong + [low, high, low - 1, high + 1, -(2**53), 2**63 - 1, 2**63, 2**64, 1e300]
    if kind != "string":
        return wrong + [False]
    low, high = schema.get("minLength", 0), schema["maxBytes"]
    lengths = ["a" * n for n in (low - 1, low, high, high + 1, 2 * high) if n >= 0]
    wide = [c * (high // len(c.encode()) + more) for c in "é你😀" for more in (0, 1)]
    chars = ["a" * (low - 1) + chr(c) for c in itertools.chain(range(1, 0xA1), [0x2028, 0x202E, 0xFFFD, 0x1F600])]
    return wrong + lengths + wide + chars


def least(schema):
    """The least valid value of a field."""
    schema = resolved(schema)
    if "const" in schema:
        return schema["const"]
    return {
        "integer": lambda: schema["minimum"],
        "string": lambda: "a" * schema.get("minLength", 0),
        "boolean": lambda: schema["default"],
        "array": lambda: [],
    }[schema["type"]]()


# What is required besides, by the schema's anyOf and oneOf.
NEEDED = {"server.say": {"text": "a"}, "client.history": {"since": 0}}
INSTEAD = {"before": "since"}


def least_message(name, field=None):
    """The least valid message of a type, to which `field` can be added."""
    made = {field: least(DEFS[name]["properties"][field]) for field in DEFS[name].get("required", [])}
    made.update(NEEDED.get(name, {}))
    if name == "client.history":
        made.pop(INSTEAD.get(field), None)
    return made


def names_field(answer, name, field):
    """Is it the field that the parser finds fault with? Of an element it only says in which list."""
    return answer.split()[:3] == (["error", "bad-element", "items"] if name in HOSTS else ["error", "bad-field", field])


@pytest.mark.parametrize("name", all_defs())
def test_limits(name):
    """Field by field, the parser takes what the schema takes, and names the field of what it does not take."""
    cases = []
    for field, schema in DEFS[name]["properties"].items():
        for value in probes(resolved(schema)) if field != "t" else []:
            message = {**least_message(name, field), field: value}
            cases.append((field, message, validator(name).is_valid(message)))
    for (field, message, valid), answer in zip(cases, ask([line_for(name, message) for _, message, _ in cases])):
        what = f"{field}: {compact(message)[:200]}: {answer[:200]}"
        assert answer.startswith("ok ") if valid else names_field(answer, name, field), what
        if valid and name not in HOSTS:
            again = json.loads(answer[3:])
            assert again.get(field, resolved(DEFS[name]["properties"][field]).get("default")) == message[field] or (
                message[field] == [] and field not in again), what


@pytest.mark.parametrize("name", all_defs())
def test_required(name):
    """Without a field that is required there is a fault that names it; without any other there is none."""
    whole = {field: least(schema) for field, schema in DEFS[name]["properties"].items()}
    if name == "client.history":
        del whole["before"]
    fields = [field for field in whole if field != "t"]
    answers = ask([line_for(name, {k: v for k, v in whole.items() if k != field}) for field in fields])
    for field, answer in zip(fields, answers):
        if field in least_message(name):
            assert names_field(answer, name, field), f"{field}: {answer}"
        else:
            assert answer.startswith("ok "), f"{field}: {answer}"


def table_names():
    """All names of fields, as the parser's table and the schema have them."""
    table = set(re.findall(r'^    \[F_\w+\] =\s*\{"(\w+)", KIND_', (ROOT / "lib/message_form.c").read_text(), flags=re.M))
    schema = {field for name in all_defs() for field in DEFS[name]["properties"]} - {"t"}
    assert table == schema
    return sorted(table)


@pytest.mark.parametrize("name", all_defs())
def test_other_fields(name):
    """The parser looks at no other fields than the schema has: what has no place in a type is ignored."""
    others = [field for field in table_names() + ["unheard-of"] if field not in DEFS[name]["properties"]]
    values = [{"a": [1, {}]}, None, 2**64]
    messages = [{**least_message(name), field: value} for field in others for value in values]
    for message, answer in zip(messages, ask([line_for(name, message) for message in messages])):
        assert validator(name).is_valid(message)
        assert answer.startswith("ok ") and "unheard-of" not in answer, f"{message}: {answer}"


def test_said_or_redacted():
    """What was said has a text until it is redacted."""
    for say, valid in (({"redacted": True}, True), ({"redacted": False}, False), ({}, False), ({"text": "x"}, True)):
        say = {"t": "say", **LOGGED, **say}
        assert validator("server.say").is_valid(say) == valid
        answers = ask([f"server {compact(say)}", f"server {compact(batch(say))}"])
        assert [answer.startswith("ok ") for answer in answers] == [valid, valid], answers


def test_history_begins_or_ends():
    """A piece of history has exactly one of since and before."""
    for fields, valid in (({"since": 1}, True), ({"before": 1}, True), ({}, False), ({"since": 1, "before": 9}, False)):
        message = {"t": "history", **fields}
        assert validator("client.history").is_valid(message) == valid
        [answer] = ask([f"client {compact(message)}"])
        assert answer.startswith("ok " if valid else "error bad-field since "), answer


def test_logged_elements():
    """A batch holds what has a number. Another type in it is passed over; what is wrong in one is a fault."""
    known = {name.partition(".")[2]: least_message(name) for name in message_defs() if name.startswith("server.")}
    logged = {each["then"]["$ref"].rpartition(".")[2] for each in DEFS["list.logged"]["allOf"]}
    for kind, message in {**known, "unheard-of": {"t": "unheard-of"}}.items():
        [answer] = ask([f"server {compact(batch(message))}"])
        assert answer.startswith("ok "), answer
        assert [item["t"] for item in json.loads(answer[3:])["items"]] == ([kind] if kind in logged else [])
    for wrong in ({"t": "say"}, {}, None, 1, "say", [], {"t": 1}, {**LOGGED, "t": "topic", "text": "a\nb"}):
        assert not validator("server.batch").is_valid(batch(wrong))
        assert ask([f"server {compact(batch(wrong))}"]) == ["error bad-element items -"], wrong


def test_unknown_types():
    """Unknown types are ignored; what has no type is not."""
    for side in ("client", "server"):
        assert validator(side).is_valid({"t": "unheard-of", "text": 1})
        assert not validator(side).is_valid({"text": "x"})
        answers = ask([f"{side} {line}" for line in ('{"t":"unheard-of","text":1}', '{"text":"x"}', '{"t":1}')])
        assert answers[0] == "ignored"
        assert all(answer.startswith("error bad-message - ") for answer in answers[1:])


def test_what_a_schema_cannot_say():
    """Integers are without fraction and exponent, keys are not repeated, nesting is at most 16 deep, no NUL."""
    say = '{"t":"say","text":"x"'
    deep = [say + ',"x":' + "[" * n + "]" * n + "}" for n in (15, 16)]
    lines = [say + tail for tail in (',"reply":4}', ',"reply":4.0}', ',"reply":4e0}', ',"x":1,"x":1}', r',"x":"\u0000"}')]
    answers = ask([f"client {line}" for line in lines + deep])
    assert [answer.split()[:3] for answer in answers[1:5]] == [["error", "bad-field", "reply"]] * 2 + [
        ["error", "bad-message", "-"]] * 2
    assert answers[0].startswith("ok ") and answers[5].startswith("ok ")
    assert answers[6].startswith("error bad-message - ")


# ---- the table and the header ----


def limits_table():
    section = re.search(r"^## Limits\n(.*?)^## ", DOCUMENT, flags=re.M | re.S).group(1)
    return dict(re.findall(r"^\| (.*?) \| (.*?) \|$", section, flags=re.M)[1:])


def constants():
    found = {name: int(value) for name, value in re.findall(r"#define MESSAGE_(\w+)\s+(\d+)\b", HEADER)}
    assert "#define MESSAGE_NUMBER_MAX  ((INT64_C(1) << 53) - 1)" in HEADER
    return {**found, "NUMBER_MAX": 2**53 - 1}


# Row of the table: (def.field ... of the schema, constants of message.h)
ROWS = {
    "`text` of say, edit, whisper": ("client.say.text client.edit.text client.whisper.text server.say.text "
                                     "server.edited.text server.whisper.text", "TEXT_MAX"),
    "`topic`, `text` of topic": ("client.open.topic client.topic.text server.topic.text server.welcome.topic "
                                 "server.room.topic list.room.topic", "TOPIC_MAX"),
    "`nick`, `to`": ("client.join.nick client.nick.nick client.whisper.to server.say.nick list.person.nick", "NICK_MAX"),
    "`room`": ("client.open.room client.read.room server.room.room list.room.room", "ROOM_MAX"),
    "`id`": ("client.say.id client.open.id server.say.id server.error.id", "ID_MAX"),
    "`secret`": ("client.join.secret", "SECRET_SIZE"),
    "`emoji`": ("client.react.emoji server.reacted.emoji list.reaction.emoji", "EMOJI_MAX"),
    "`limit`, `last`": ("client.history.limit client.search.limit client.join.last", "LIMIT_MAX"),
    "`text` of search and found": ("client.search.text server.found.text", "QUERY_MAX"),
    "`text` of error": ("server.error.text", "TEXT_MAX"),
    "`server`": ("server.welcome.server", "SERVER_MAX"),
    "`code`, `field`, `log`, `version`": ("server.error.code server.error.field server.welcome.log "
                                          "server.welcome.version", "WORD_MAX"),
    "`port`": ("server.welcome.port server.room.port list.room.port", None),
}
# Rows that neither the schema nor the parser can hold anybody to.
RULES = {"a message", "`history` and `search` requests not yet answered", "malformed messages", "messages a second"}


def test_each_row_is_known():
    assert set(limits_table()) == set(ROWS) | RULES


@pytest.mark.parametrize("row", ROWS)
def test_row(row):
    """A row of the table, the schema and message.h have the same limit."""
    text = limits_table()[row].replace(",", "")
    # The nick's 32 characters are for the server's rules; the bytes are for the parser.
    low, high = re.match(r"(\d+)(?: to (\d+))?", text).groups()
    low, high = int(low), int(re.search(r"at most (\d+)", text)[1] if "at most" in text else high or low)
    fields, constant = ROWS[row]
    assert constant is None or constants()[constant] == high
    for place in fields.split():
        name, _, field = place.rpartition(".")
        schema = resolved(DEFS[name]["properties"][field])
        if schema["type"] == "integer":
            assert (schema["minimum"], schema["maximum"]) == (low, high), place
        else:
            assert (schema.get("minLength", 0), schema["maxBytes"], schema["maxLength"]) == (low, high, high), place
            one_line = schema["not"]["pattern"].startswith(r"[\u0000-\u001f") or "^" in schema["not"]["pattern"]
            assert one_line == ("6144" not in text), place


def test_general_limits():
    """A message's size and depth, the numbers, and what carries it, as the document says."""
    known = constants()
    assert limits_table()["a message"] == f"{known['MAX']:,} bytes"
    assert f"at most {known['MAX']:,} bytes" in DOCUMENT and f"PPID {known['PPID']} " in DOCUMENT
    assert f"nesting is at most {known['DEPTH_MAX']} deep" in DOCUMENT
    assert f"the lobby {known['PORT_LOBBY']}, others from {known['PORT_ROOMS']} up" in DOCUMENT
    assert DOCUMENT.startswith(f"# The protocol, version {known['PROTOCOL']}\n")
    numbers = [each for each in DEFS.values() if each.get("type") == "integer"]
    assert {each["maximum"] for each in numbers} == {known["NUMBER_MAX"], known["LIMIT_MAX"], 65535}


def test_codes():
    """Each code of an example is in the table of codes, and those that the parser gives."""
    section = DOCUMENT.partition("### error")[2]
    codes = set(itertools.chain(*(re.findall(r"`([a-z-]+)`", row) for row in re.findall(r"^\| (`.*?) \|", section, re.M))))
    used = {message["code"] for _, message in EXAMPLES if message["t"] == "error"}
    assert used | {"bad-message", "bad-field"} <= codes
