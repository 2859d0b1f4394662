"""Ports for servers that cannot pick their own and tell us."""

import random
import socket

# Below the range from which the kernel gives outgoing connections their ports: between our look and the server's bind, and
# while a server is down for a moment, nobody may take its port by chance. Random, because suites run beside each other.
_LOWEST, _HIGHEST = 15000, 32000

_given = set()


def free_port():
    """A port nobody listens on now, and which this process has not given away before."""
    while True:
        port = random.SystemRandom().randrange(_LOWEST, _HIGHEST)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def _is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
