"""What pytest gives to the tests here."""

from fixtures import common, connect, empty, join, namespace, place, serve, start, started, server, shared, transport, world  # noqa: F401
from people import talk, terminal, unused_port  # noqa: F401


def pytest_configure(config):
    config.addinivalue_line("markers", "rules: the same over any transport, or made for one")
