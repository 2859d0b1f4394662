"""Which calls were under way at once, by the provider's own log: never more than a channel's lines, than a tenant may
have on a channel, or than one to a number.

A call is live from its placement to its end, and no longer than a line may be held. An attempt of which nobody said that it
is over may be live as far as anybody can tell: until its deadline it has its line, and its number.
"""

from collections import defaultdict
from typing import NamedTuple

from .calls import may_be_live
from .words import time_text

# A deadline counts from when the line was taken, which is before the claim that Redis tells of.
BEFORE_CLAIM_MS = 15_000
SHOWN = 6


class Hold(NamedTuple):
    from_ms: int
    to_ms: int
    call: str
    attempt: int
    to: str
    live: bool  # False: as far as anybody can tell
    locks: bool  # it has its number, too
    twice: bool  # its request prefers two calls to none

    @property
    def tenant(self):
        return self.call.partition("/")[0]

    def __str__(self):
        until = f"{time_text(self.from_ms)} to {time_text(self.to_ms)[11:]}"
        return f"{self.call}/{self.attempt} {'live' if self.live else 'may be live'} {until}"


class Holds:
    """`live` and `open`: {channel: [Hold, ...]}, by the provider's log, and as far as anybody can tell."""

    def __init__(self, run, dials, requests, store, findings):
        self.live, self.open = defaultdict(list), defaultdict(list)
        self._requests, self._ends = requests, run.ends()
        self.endless = 0
        for channel, placements in dials.by_channel.items():
            for placement in placements:
                if placement.dialled and placement.call in requests.accepted:
                    self.live[channel].append(self._live(placement))
        for call in store.calls.values():
            for number, attempt in call.attempts.items():
                if may_be_live(attempt) and call.id in requests.accepted:
                    locks = (call.id, number) in dials.by_attempt and number == max(call.attempts)
                    self.open[attempt.channel].append(self._open(call.id, number, attempt, locks))
        if self.endless and self._ends:
            findings.note(f"{self.endless:,} calls have no end in the provider's log: live until their deadline")

    def _live(self, placement):
        request = self._requests.accepted[placement.call]
        deadline, end = placement.at_ms + request.hold_ms, self._ends.get((placement.provider, placement.sid))
        self.endless += end is None
        to_ms = deadline if end is None else min(end, deadline)
        ids = placement.call, placement.attempt, placement.to
        return Hold(placement.at_ms, to_ms, *ids, True, True, request.redial_in_doubt)

    def _open(self, call_id, number, attempt, locks):
        request = self._requests.accepted[call_id]
        to_ms = attempt.placed_ms + request.hold_ms - BEFORE_CLAIM_MS
        return Hold(attempt.placed_ms, to_ms, call_id, number, request.to, False, locks, request.redial_in_doubt)


def check_lines(run, holds, findings):
    if not run.channels["channels"] or not run.ends():
        return
    caps = {tenant: about.get("concurrent_calls") for tenant, about in run.channels.get("tenants", {}).items()}
    for name, channel in run.channels["channels"].items():
        live, open_ = holds.live.get(name, []), holds.open.get(name, [])
        if channel.get("concurrent_calls"):
            _check_cap(name, channel["concurrent_calls"], live, open_, findings)
        for tenant, cap in caps.items():
            if cap:
                theirs = [[hold for hold in some if hold.tenant == tenant] for some in (live, open_)]
                if theirs[0]:
                    _check_cap(f"{tenant} on {name}", cap, *theirs, findings)
        if channel.get("one_call_per_number", True):
            _check_numbers(name, live, open_, findings)


# ---- how many at once ----


def _check_cap(where, cap, live, open_, findings):
    peak = _sweep(live, cap, lambda present: _tell_over("more calls at once than lines", where, cap, present, findings))

    def given_away(present):
        if sum(hold.live for hold in present) <= cap:  # else it was told above
            _tell_over("line given away while its attempt may be live", where, cap, present, findings)

    _sweep(_once(live, open_), cap, given_away)
    text = f"at most {peak} at once, {cap} are allowed; {len(open_)} without an end"
    findings.checked(f"calls that were live, {where}", len(live), text)


def _once(live, open_):
    """Of an attempt that is both, the open one is the longer."""
    known = {(hold.call, hold.attempt) for hold in open_}
    return [hold for hold in live if (hold.call, hold.attempt) not in known] + open_


def _sweep(holds, cap, tell):
    """Through time; tells of each that begins while `cap` others last. Answers with the most at once."""
    present, peak = [], 0
    for hold in sorted(holds):
        present = [other for other in present if other.to_ms > hold.from_ms]
        present.append(hold)
        peak = max(peak, len(present))
        if len(present) > cap:
            tell(present)
    return peak


def _tell_over(kind, where, cap, present, findings):
    shown = "; ".join(str(hold) for hold in [present[-1], *present[:SHOWN]])
    findings.wrong(kind, where, f"{len(present)} at {time_text(present[-1].from_ms)}, {cap} are allowed: {shown}")


# ---- one a number ----


def _check_numbers(name, live, open_, findings):
    """What may be live counts where the provider was asked at all (a worker that died before had not locked the number),
    and where it is the call's latest attempt (the next one takes the number over)."""
    numbers = defaultdict(list)
    for hold in _once(live, [hold for hold in open_ if hold.locks]):
        numbers[hold.tenant, hold.to].append(hold)
    shared = [holds for holds in numbers.values() if len({hold.call for hold in holds}) > 1]
    for holds in numbers.values():
        for hold, other in _overlapping(sorted(holds)):
            _tell_pair(name, hold, other, findings)
    if live:
        text = f"{len(shared):,} of them by several requests of one tenant"
        findings.checked(f"numbers called on {name}", len(numbers), text)


def _overlapping(holds):
    for at, hold in enumerate(holds):
        for other in holds[at + 1 :]:
            if other.from_ms >= hold.to_ms:
                break
            if not (hold.call == other.call and hold.twice):
                yield hold, other


def _tell_pair(name, hold, other, findings):
    live = hold.live and other.live
    kind = "two calls to one number at once" if live else "number given away while an attempt may be live"
    findings.wrong(kind, f"{hold.tenant} on {name}, {hold.to}", f"{hold}; {other}")
