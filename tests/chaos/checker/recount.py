"""Counting calls and attempts again, into the form that a summary has."""

from collections import Counter
from typing import NamedTuple

from .words import COMPLETED, HOPS, NONE, PENDING, STATUSES, micros, time_ms

EXACT_SECONDS = 60
MOST_REASONS = 64
DROPPED_ALWAYS = ("cancelled", "expired")


class CountedCall(NamedTuple):
    campaign: str
    channel: str
    status: int
    drop: str
    retrying: bool
    reason: str
    created_ms: int
    attempts: list


class CountedAttempt(NamedTuple):
    channel: str
    placed_ms: int
    status: int
    reason: str
    hops: frozenset
    ring: int
    talk: int
    cost: int
    currency: str


# ---- what there is to count ----


def from_redis(store, events):
    """The calls as Redis has them. Of attempts that reached nobody it forgets some: their events tell of those."""
    for call in store.calls.values():
        attempts = [_attempt_of_redis(a) for a in call.attempts.values() if a.status]
        if len(attempts) < call.attempt:
            forgotten = _last_by_attempt(events.calls.get(call.id, ()))
            attempts += [_attempt_of_event(e, 2, ()) for n, e in forgotten.items() if n not in call.attempts]
        retrying = call.status != NONE and not call.final and call.phase == "waiting"
        yield CountedCall(
            call.campaign, call.channel, call.status, call.drop, retrying, call.reason, call.created_ms, attempts
        )


def _attempt_of_redis(a):
    return CountedAttempt(a.channel, a.placed_ms, a.status, a.code, a.hop_set, a.ring, a.talk, a.cost, a.currency)


def from_events(events, campaigns):
    """The calls as their events tell of them; `campaigns`: {call: "tenant/campaign"}."""
    for call_id, story in events.calls.items():
        last, by_attempt, hops = story[-1], _last_by_attempt(story), {}
        for event in story:
            if event.hop >= 0:
                hops.setdefault(event.attempt, []).append(event.hop)
        attempts = [_attempt_of_event(e, NONE, hops.get(n, ())) for n, e in by_attempt.items()]
        source = by_attempt.get(_source(last, hops, by_attempt), last)
        retrying = last.status != NONE and not last.final and last.next_ms > 0
        yield CountedCall(
            campaigns[call_id], source.channel, last.status, last.drop, retrying, source.code, story[0].recorded_ms, attempts
        )


def _last_by_attempt(story):
    return {event.attempt: event for event in story if event.attempt}


def _source(last, hops, by_attempt):
    """The attempt whose status the call has: the first that was answered, else the latest."""
    answered = [number for number, seen in hops.items() if HOPS.index("connected") in seen]
    return min(answered) if last.status == COMPLETED and answered else max(by_attempt, default=0)


def _attempt_of_event(event, status, hops):
    return CountedAttempt(
        event.channel, event.placed_ms, status, event.code, frozenset(hops), event.ring, event.talk, event.cost, event.currency
    )


# ---- counting ----


class Tally:
    def __init__(self):
        self.calls = self.waiting = self.retrying = self.attempts = 0
        self.dropped, self.by_status, self.by_reason = Counter(), Counter(), Counter()
        self.hops, self.ring, self.talk, self.cost = Counter(), Counter(), Counter(), Counter()

    def add_call(self, call):
        self.calls += 1
        self.retrying += call.retrying
        if call.status:
            self.by_status[STATUSES[call.status - 1]] += 1
            self.add_reason(call.reason)
        elif call.drop:
            self.dropped[call.drop] += 1
        else:
            self.waiting += 1

    def add_reason(self, reason):
        if reason:
            self.by_reason[reason] += 1

    def add_attempt(self, attempt):
        self.attempts += 1
        self.hops.update(HOPS[hop] for hop in attempt.hops)
        if attempt.ring >= 0:
            self.ring[attempt.ring] += 1
        if attempt.talk >= 0:
            self.talk[attempt.talk] += 1
        if attempt.cost >= 0:
            self.cost[attempt.currency] += attempt.cost


class Recount:
    def __init__(self, calls, with_windows):
        self.campaigns, self.channels, self.windows, self.first_ms = {}, {}, {}, {}
        for call in calls:
            of = call.campaign
            self._at(self.campaigns, of).add_call(call)
            channels = self.channels.setdefault(of, {})
            self._at(channels, call.channel).add_call(call)
            self.first_ms[of] = min(call.created_ms, self.first_ms.get(of, call.created_ms))
            for attempt in call.attempts:
                self._at(self.campaigns, of).add_attempt(attempt)
                self._at(channels, attempt.channel).add_attempt(attempt)
                if with_windows:
                    self._add_to_window(of, attempt)

    @staticmethod
    def _at(tallies, key):
        tally = tallies.get(key)
        if tally is None:
            tally = tallies[key] = Tally()
        return tally

    def _add_to_window(self, campaign, attempt):
        minute = attempt.placed_ms - attempt.placed_ms % 60_000
        tally = self._at(self.windows, (campaign, attempt.channel, minute))
        tally.add_attempt(attempt)
        if attempt.status:
            tally.by_status[STATUSES[attempt.status - 1]] += 1
            tally.add_reason(attempt.reason)

    def channels_of(self, campaign):
        return self.channels.get(campaign, {})


# ---- comparing ----


def percentile(seconds, percent):
    """Nearest rank of {value: count}; None of nothing."""
    rank, seen = (sum(seconds.values()) * percent + 99) // 100, 0
    for value in sorted(seconds):
        seen += seconds[value]
        if seen >= rank:
            return value
    return None


def _percentile_fits(said, exact):
    if exact is None or said is None or exact <= EXACT_SECONDS:
        return said == exact
    return exact - 1 <= said <= exact * 1.05 + 1


def _seconds_differ(name, said, seconds):
    differ = []
    total = sum(value * count for value, count in seconds.items())
    if said["sum"] != total:
        differ.append(f"{name}.sum {said['sum']}, counted {total}")
    for key, percent in (("p50", 50), ("p95", 95)):
        exact = percentile(seconds, percent)
        if not _percentile_fits(said[key], exact):
            differ.append(f"{name}.{key} {said[key]}, counted {exact}")
    return differ


def _counts_differ(name, said, counted):
    said = {key: value for key, value in said.items() if value}
    counted = {key: value for key, value in counted.items() if value}
    keys = sorted(said.keys() | counted.keys())
    return [
        f"{name}.{k} {said.get(k, 0)}, counted {counted.get(k, 0)}" for k in keys if said.get(k, 0) != counted.get(k, 0)
    ]


def _reasons_differ(said, counted):
    if len(counted) <= MOST_REASONS:
        return _counts_differ("by_reason", said, counted)
    named = {reason: value for reason, value in said.items() if reason != "other"}
    differ = _counts_differ("by_reason", named, {reason: counted.get(reason, 0) for reason in named})
    if sum(said.values()) != sum(counted.values()) or len(said) > MOST_REASONS:
        differ.append(f"by_reason sums to {sum(said.values())} of {len(said)}, counted {sum(counted.values())}")
    return differ


def details_differ(said, tally):
    """What windows and campaigns both have; windows count attempts by status, campaigns calls."""
    differ = [] if said["attempts"] == tally.attempts else [f"attempts {said['attempts']}, counted {tally.attempts}"]
    differ += _counts_differ("by_status", said["by_status"], tally.by_status)
    differ += _reasons_differ(said["by_reason"], tally.by_reason)
    differ += _counts_differ("hops", said["hops"], tally.hops)
    differ += _seconds_differ("ring_seconds", said["ring_seconds"], tally.ring)
    differ += _seconds_differ("talk_seconds", said["talk_seconds"], tally.talk)
    cost = {currency: micros(amount) for currency, amount in said["cost"].items()}
    return differ + _counts_differ("cost", cost, tally.cost)


def calls_differ(said, tally):
    differ = []
    for name in ("calls", "waiting", "retrying"):
        if said[name] != getattr(tally, name):
            differ.append(f"{name} {said[name]}, counted {getattr(tally, name)}")
    return differ + _counts_differ("dropped", said["dropped"], tally.dropped) + details_differ(said, tally)


def sums_differ(summary):
    """What a single revision of a campaign contradicts itself in."""
    by_status = summary["by_status"]
    parts = summary["waiting"] + sum(summary["dropped"].values()) + sum(by_status.values())
    differ = [] if summary["calls"] == parts else [f"calls {summary['calls']}, its parts {parts}"]
    pending = by_status.get(STATUSES[PENDING - 1], 0)
    ended = sum(by_status.values()) - pending
    rate = by_status.get("Completed", 0) / ended if ended else None
    said = summary["answer_rate"]
    if (said is None) != (rate is None) or (rate is not None and abs(said - rate) > 0.001):
        differ.append(f"answer_rate {said}, its parts {rate}")
    if "complete" in summary and summary["complete"] and not summary["waiting"] == summary["retrying"] == pending == 0:
        busy = f"waiting {summary['waiting']}, retrying {summary['retrying']}, Pending {pending}"
        differ.append(f"complete {summary['complete']}, but {busy}")
    return differ


def first_call_differs(summary, first_ms):
    said = time_ms(summary["first_call_at"])
    return said is None or abs(said - first_ms) > 1000
