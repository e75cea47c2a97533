"""The tests of the protocol quote docs/protocol.md: what they say that it says, it says."""

import ast
import glob
import os
import re

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = [
    f"{HERE}/test_{name}.py"
    for name in (
        "join say edit redact react topic nick typing read whisper history search names rooms open presence heads error classic_lobby"
    ).split()
]


def flat(text):
    return re.sub(r"\s+", " ", text).strip()


@pytest.mark.parametrize("path", FILES, ids=lambda path: os.path.basename(path)[5:-3])
def test_quotes(path):
    """Each test's docstring begins with a sentence of the page, or parts of it around […]."""
    with open(f"{HERE}/../../docs/protocol.md", encoding="utf-8") as file:
        page = flat(file.read())
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    tests = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    assert tests
    for test in tests:
        quote = (ast.get_docstring(test) or "").split("\n\n")[0]
        assert quote, f"{test.name} quotes nothing"
        for part in quote.split("[…]"):
            assert flat(part) in page, f"{test.name}: docs/protocol.md does not say: {flat(part)}"


def test_all_files():
    """The files above are there."""
    assert set(FILES) <= set(glob.glob(f"{HERE}/test_*.py"))
