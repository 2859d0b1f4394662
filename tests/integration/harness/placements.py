"""What the simulator was asked to dial: how fast, how many at once, whose turn it was. Times are seconds of the machine's
monotonic clock, those of time.monotonic()."""

from collections import Counter


class Placed:
    """One line of GET /_sim/placements."""

    def __init__(self, line):
        self.at = line["at_mono_us"] / 1e6
        self.ended = line["ended_mono_us"] and line["ended_mono_us"] / 1e6  # None: not yet
        self.to, self.sender, self.ref, self.sid = line["to"], line["from"], line["attempt_ref"], line.get("sid")
        self.tenant, self.call_id, attempt = self.ref.split("/")
        self.attempt = int(attempt)
        self.dialled = line["dialled"]

    def __repr__(self):
        return f"{self.ref} at {self.at:.3f}"


def instants(placements):
    return sorted(placed.at for placed in placements)


def most_in_a_window(times, seconds=1.0):
    """The most of these instants that lie in any window of that length, which has its beginning and not its end."""
    times = sorted(times)
    first = most = 0
    for last, at in enumerate(times):
        while times[first] <= at - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def allowed_in_a_second(rate):
    """What a provider may see of a channel with that many calls_per_second: the larger of one and 2 % more."""
    return rate + max(1, 0.02 * rate)


def per_second(times):
    """How fast they followed each other: the gaps between the first and the last of them count, nothing before or after."""
    times = sorted(times)
    assert len(times) > 1, f"{len(times)} instants have no rate"
    return (len(times) - 1) / (times[-1] - times[0])


def most_at_once(placements):
    """The most calls that were placed and not over at any instant."""
    changes = [(placed.at, 1) for placed in placements if placed.dialled]
    changes += [(placed.ended, -1) for placed in placements if placed.dialled and placed.ended]
    busy = most = 0
    for _, change in sorted(changes):  # at the same instant an end comes first
        busy += change
        most = max(most, busy)
    return most


def twice(placements):
    """Numbers that were asked for more than once."""
    return {to: times for to, times in Counter(placed.to for placed in placements).items() if times > 1}
