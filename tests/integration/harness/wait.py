"""Waiting with a deadline."""

import pathlib
import time

_PRESSURE = pathlib.Path("/proc/pressure/cpu")
# Of a second in which somebody waited for a CPU all the time, so much does not count.
_UNCOUNTED = 2 / 3


def _starved_s():
    """Seconds of the machine's life in which somebody who was ready to run had no CPU; 0 where the kernel does not say."""
    try:
        return int(_PRESSURE.read_text(encoding="ascii").split("total=", 1)[1].split()[0]) / 1e6
    except (OSError, IndexError, ValueError):
        return 0.0


class Deadline:
    """So many seconds from now, of a machine that has time for us: where others take the CPUs it comes later, at most three
    times as late. What a program promises is promised of a machine that runs it."""

    def __init__(self, seconds, now=time.monotonic, starved=_starved_s):
        self._seconds, self._now, self._starved = seconds, now, starved
        self._begun, self._begun_starved = now(), starved()

    def passed(self):
        elapsed = self._now() - self._begun
        if elapsed <= self._seconds:
            return False
        starved = min(self._starved() - self._begun_starved, elapsed)
        return elapsed - _UNCOUNTED * starved > self._seconds


def wait_until(check, what, timeout=15.0, interval=0.05):
    """Polls check() until it answers something true, and returns that.

    `what` ends the sentence "timed out after 15 s waiting for ..."; a callable is asked only when it is needed, so
    that the message can show what was there instead.
    """
    deadline = Deadline(timeout)
    while True:
        found = check()
        if found:
            return found
        if deadline.passed():
            text = what() if callable(what) else what
            raise AssertionError(f"timed out after {timeout:g} s waiting for {text}")
        time.sleep(interval)
