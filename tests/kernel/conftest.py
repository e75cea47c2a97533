"""What pytest gives to the tests here: the same as in tests/spec."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "spec"))

from fixtures import join, place, serve, start, started  # noqa: E402,F401
