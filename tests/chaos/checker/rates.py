"""calls_per_second: what the provider's own clock says of every window of one second.

A window begins at each placement. Those that a fault overlaps which lets requests arrive in a heap (Fault.heaps) say
nothing of when they left: they are counted, and not judged.
"""

from bisect import bisect_left, bisect_right

from .dials import LOSS_MS
from .words import time_text

WINDOW_MS, WINDOW_US = 1000, 1_000_000
SHOWN = 12


def allowed(rate):
    """Placements in a window: the rate, and the larger of 1 and 2 % of it."""
    return int(rate + max(1, 0.02 * rate))


def check_rates(run, dials, findings):
    heaps = sorted(fault.heaps for fault in run.faults if fault.heaps)
    for name, channel in run.channels["channels"].items():
        rate = channel.get("calls_per_second")
        if rate:
            _check_channel(run, name, rate, dials.by_channel.get(name, []), heaps, findings)


def _check_channel(run, name, rate, placements, heaps, findings):
    placements = sorted(placements, key=lambda placement: placement.at_us)
    times = [placement.at_us for placement in placements]
    judged, peak, until = 0, 0, times[0] if times else 0
    for first, start in enumerate(times):
        if _overlaps(heaps, placements[first].at_ms, placements[first].at_ms + WINDOW_MS):
            continue
        judged += 1
        count = bisect_left(times, start + WINDOW_US, first) - first
        peak = max(peak, count)
        if count > allowed(rate) and start >= until:
            until = start + WINDOW_US  # the windows that begin within it tell the same
            _tell(run, name, rate, placements[first : first + count], findings)
    text = f"{len(times) - judged:,} more met a fault on the way; at most {peak} in one, the rate is {rate}"
    findings.checked(f"windows of a second of {name}", judged, text)


def _overlaps(heaps, start, end):
    """Few faults have them: those that begin before the window's end are looked at."""
    return any(to > start for _, to in heaps[: bisect_right(heaps, (end, end))])


def _tell(run, name, rate, placements, findings):
    start, start_us = placements[0].at_ms, placements[0].at_us
    shown = ", ".join(f"{p.line} (+{(p.at_us - start_us) // 1000} ms)" for p in placements[:SHOWN])
    text = f"{len(placements)} placements within a second from {time_text(start)}, {allowed(rate)} are allowed: "
    near = run.faults_within(start - LOSS_MS, start + LOSS_MS)
    excused = any(fault.may_lose for fault in near)
    findings.wrong("more placements than the rate", name, f"{text}placements.ndjson {shown}", excused)
