"""Calling hours by Python's zoneinfo: what common/model/hours.c is held against. It knows nothing of offsets and looks
at the wall clock only, minute by minute."""

from datetime import datetime, timedelta, timezone
from zoneinfo import TZPATH, ZoneInfo, ZoneInfoNotFoundError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SYSTEM = "/usr/share/zoneinfo"
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MINUTE_MS = 60_000
# Longer than any window stays closed: a week, a window that fell into a gap, and the next week.
LONGEST_MS = 16 * 24 * 60 * MINUTE_MS

assert SYSTEM in TZPATH, f"zoneinfo reads {TZPATH}, the programs {SYSTEM}"


def minutes(text):
    hours, rest = text.split(":")
    return int(hours) * 60 + int(rest)


def is_zone(name):
    """A zone of tzdata that is the same on every machine."""
    if name in ("localtime", "posixrules") or name.startswith(("posix/", "right/")):
        return False
    try:
        return bool(ZoneInfo(name))
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return False


def wall_clock(zone, at_ms):
    return (EPOCH + timedelta(milliseconds=at_ms)).astimezone(ZoneInfo(zone))


def is_open(window, at_ms):
    """The wall clock shows a time in [from, to), on a day on which the window began."""
    local = wall_clock(window["timezone"], at_ms)
    begin, end, now = minutes(window["from"]), minutes(window["to"]), local.hour * 60 + local.minute
    days = window.get("days") or DAYS
    today, yesterday = DAYS[local.weekday()], DAYS[local.weekday() - 1]
    if begin < end:
        return begin <= now < end and today in days
    return (now >= begin and today in days) or (now < end and yesterday in days)


def next_open(window, at_ms, step=1):
    """The first open instant from at_ms on, looked for every `step` minutes of UTC; `step` divides whatever the window
    and the zone's changes are made of."""
    if is_open(window, at_ms):
        return at_ms
    step_ms = step * MINUTE_MS
    first = at_ms - at_ms % step_ms + step_ms
    for then in range(first, at_ms + LONGEST_MS, step_ms):
        if is_open(window, then):
            return then
    raise AssertionError(f"{window} does not open within {LONGEST_MS} ms of {at_ms}")


def changes(zone, first_ms, last_ms):
    """The instants at which the zone's clock is moved."""

    def offset(at_ms):
        return wall_clock(zone, at_ms).utcoffset()

    day_ms = 24 * 60 * MINUTE_MS
    for start in range(first_ms, last_ms, day_ms):
        low, high = start, start + day_ms
        if offset(low) == offset(high):
            continue
        while high - low > 1000:
            middle = (low + high) // 2 // 1000 * 1000
            low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
        yield high
