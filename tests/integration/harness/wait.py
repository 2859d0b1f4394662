"""Waiting with a deadline."""

import time


def wait_until(check, what, timeout=15.0, interval=0.05):
    """Polls check() until it answers something true, and returns that.

    `what` ends the sentence "timed out after 15 s waiting for ..."; a callable is asked only when it is needed, so
    that the message can show what was there instead.
    """
    deadline = time.monotonic() + timeout
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            text = what() if callable(what) else what
            raise AssertionError(f"timed out after {timeout:g} s waiting for {text}")
        time.sleep(interval)
