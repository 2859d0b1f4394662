"""Ports that stay the same over restarts."""

import random
import socket

# Below the range from which the kernel gives outgoing connections their ports: a server that is down for a moment
# must find its port free when it comes back.
_LOWEST, _HIGHEST = 15000, 32000

_given = set()


def fixed_port():
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
