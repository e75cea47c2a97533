"""What pytest gives to the tests here."""

from fixtures import connect, join, namespace, serve, start, started, server  # noqa: F401
from people import talk, terminal, unused_port  # noqa: F401
