"""Asks our decoders in C (tests/schemas/decode.c): thousands of documents to one process."""

import os
import subprocess

from harness.paths import BUILD, ROOT
from harness.process import in_our_time

DECODE = os.environ.get("TEST_DECODE", BUILD / "bin" / "schemas" / "decode")


def answers(kind, lines, variables=None):
    """One answer for each line: "ok", or "refused: " and why. The process sees these environment variables only."""
    text = "".join(line + "\n" for line in lines)
    env = {name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")} | (variables or {})
    done = subprocess.run([DECODE, kind], input=text.encode(), capture_output=True, env=in_our_time(env), cwd=ROOT, timeout=60)
    assert done.returncode == 0, f"decode {kind} exited with {done.returncode}: {done.stderr.decode()}"
    told = done.stdout.decode(errors="replace").split("\n")[:-1]
    assert len(told) == len(lines), f"{len(told)} answers to {len(lines)} documents"
    return told
