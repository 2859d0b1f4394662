"""Where things are. TEST_BIN points the suite at another build, a sanitized one for example."""

import os
import socket
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "build"
BIN = Path(os.environ.get("TEST_BIN", ROOT / "bin"))
KAFKA_LIBS = BUILD / "kafka" / "libs"
SIMULATOR = Path(os.environ.get("TEST_SIMULATOR", BUILD / "bin" / "ivr-simulator"))
SCHEMAS = ROOT / "schemas"


def free_port():
    """A port nobody listens on now. For servers that cannot pick their own and tell us."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
