"""Where things are. TEST_BIN points the suite at another build, a sanitized one for example."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "build"
BIN = Path(os.environ.get("TEST_BIN", ROOT / "bin"))
KAFKA_LIBS = BUILD / "kafka" / "libs"
SIMULATOR = Path(os.environ.get("TEST_SIMULATOR", BUILD / "bin" / "ivr-simulator"))
SCHEMAS = ROOT / "schemas"
