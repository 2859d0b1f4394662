"""Every callback that the gateway acknowledged is on the topic, and what is on the topic is reflected in the call."""

import hashlib
import sys
from collections import Counter

from . import reports
from .dials import DOUBTFUL, REFUSED
from .run import CLOCK_SKEW_MS
from .store import NO_REPORT
from .words import (
    COMPLETED,
    CONNECTED,
    FAILED,
    GATEWAY_UNAVAILABLE,
    HOPS,
    MESSAGE_OUT,
    NO_ANSWER,
    NONE,
    PENDING,
    SUBSCRIBER_ABSENT,
    USER_BUSY,
    status_name,
    time_text,
)

# How the provider says that a call ended, where it is asked (a look-up has no SIP code).
LOOKED_UP = {
    "completed": {COMPLETED},
    "busy": {USER_BUSY},
    "no-answer": {NO_ANSWER},
    "absent": {NO_ANSWER, SUBSCRIBER_ABSENT},
    "failed": {FAILED},
    "canceled": {FAILED},
}
DISPATCH_FAILURES = {"cannot_be_placed"}


class Merged:
    """All that the callbacks on the topic say of one attempt: the maximum, the union, the best reason."""

    __slots__ = ("status", "terminal", "hops", "talk", "reason", "count", "place", "sid")

    def __init__(self):
        self.status, self.terminal, self.hops, self.talk = PENDING, False, frozenset(), -1
        self.reason, self.count, self.place, self.sid = None, 0, None, ""

    def add(self, report, place):
        better = report.status > self.status or self.place is None
        self.place = place if better else self.place
        reason = (report.status, report.kind, report.code)
        if report.kind and (self.reason is None or _beats(reason, self.reason)):
            self.reason = reason
        self.status = max(self.status, report.status)
        self.terminal = self.terminal or report.terminal
        if not report.hops <= self.hops:
            self.hops = self.hops | report.hops
        self.talk = max(self.talk, report.talk)
        self.sid = report.sid or self.sid
        self.count += 1


def _beats(a, b):
    return a[:2] > b[:2] or (a[:2] == b[:2] and a[2].encode() < b[2].encode())


def _key(path_ref, body):
    return path_ref, hashlib.blake2b(body, digest_size=16).digest()


def _path_of(record):
    """The URL path that the record's headers tell of, without what only guards it."""
    text = {name: value.decode(errors="replace") for name, value in record.headers.items()}
    parts = [text.get("ce_provider", ""), text.get("ce_channel", "")]
    if "ce_callid" in text:
        parts += [text.get("ce_tenant", ""), text["ce_callid"], text.get("ce_attempt", "")]
    return "/".join(parts)


class Callbacks:
    """Reads the topic once. `merged`: {(call, attempt): Merged}."""

    def __init__(self, run, dials, letters, commits, store, findings):
        self.merged, self.ends = {}, {}
        self._on_topic = Counter()
        self._dials, self._letters, self._commits, self._store = dials, letters, commits, store
        self._findings = findings
        count = 0
        for record in run.records("callbacks"):
            count += 1
            self._take(record)
        findings.checked("callbacks on the topic", count, f"{len(self.merged):,} attempts, {len(letters):,} dead letters")

    def _take(self, record):
        self.ends[record.partition] = max(record.offset + 1, self.ends.get(record.partition, 0))
        if "ivr-parked" not in record.headers:  # else a copy of one that came before
            self._on_topic[_key(_path_of(record), record.value)] += 1
        provider = record.headers.get("ce_provider", b"").decode()
        report = reports.read(provider, record.value)
        attempt = self._attempt_of(record, provider, report)
        letters = self._letters.get(record.place)
        if letters:
            self._check_letter(record, letters[0], attempt, report.sid)
        elif attempt is None:
            text = f"callbacks {record.place[0]}@{record.place[1]}: {report.sid or record.key}, no dead letter"
            self._findings.wrong("callback of nobody", provider, text)
        else:
            self.merged.setdefault(attempt, Merged()).add(report, record.place)
            # One that names only the provider's id is done when it is parked, and what comes back is a record of its own.
            if self._commits.count and ("ce_callid" in record.headers or "ivr-parked" in record.headers):
                self._check_commit(record, attempt, report)

    def _attempt_of(self, record, provider, report):
        headers = record.headers
        if "ce_callid" in headers:
            call_id = f"{headers['ce_tenant'].decode()}/{headers['ce_callid'].decode()}"
            return sys.intern(call_id), int(headers["ce_attempt"])
        found = self._dials.by_sid.get((provider, report.sid))
        return found if found and found[0] else None

    def _check_letter(self, record, letter, attempt, sid):
        if letter.reason == "unknown_call" and attempt and self._could_know(record, attempt, sid):
            text = f"callbacks {record.place[0]}@{record.place[1]} became dead-letters "
            text += f"{letter.place[0]}@{letter.place[1]} as unknown_call, and Redis has the call"
            self._findings.wrong("callback of a known call given up", "%s/%d" % attempt, text)

    def _could_know(self, record, attempt, sid):
        """By our reference, or by the provider's id: nobody told that of a call whose response never came. A report of another
        call than the attempt's (it was placed twice, and a failover forgot the first) is nobody's."""
        call = self._store.calls.get(attempt[0])
        held = call and call.attempts.get(attempt[1])
        if held and held.id_sure and sid and sid != held.id:
            return False
        return bool(held and held.id) if "ce_callid" not in record.headers else call is not None

    def _check_commit(self, record, attempt, report):
        passed = self._commits.first_past("callbacks", record.place)
        call = self._store.calls.get(attempt[0])
        held = call and call.attempts.get(attempt[1])
        for hop in report.hops if passed and held else ():
            if held.hops[hop] and held.hops[hop].recorded_ms > passed + CLOCK_SKEW_MS:
                text = f"callbacks {record.place[0]}@{record.place[1]} was committed by {time_text(passed)}, "
                text += f"its hop {HOPS[hop]} recorded {time_text(held.hops[hop].recorded_ms)}"
                self._findings.wrong("committed ahead of its work", "%s/%d" % attempt, text)

    def check_acknowledged(self, run):
        """As often as the gateway said yes, as often the body is there."""
        count, left = 0, self._on_topic.copy()
        for line, item, path, body in run.acknowledged():
            count += 1
            key = _key(path.partition("/callbacks/")[2], body)
            left[key] -= 1
            if left[key] < 0:
                at = time_text(item.get("at_ms"))
                text = f"gateway.ndjson:{line} {at} was answered with 2xx; the topic holds {self._on_topic[key]} of it"
                self._findings.wrong("callback not on the topic", path, text)
        self._findings.checked("callbacks that the gateway acknowledged", count)


# ---- reflected ----


def check_reflected(run, callbacks, dials, store, findings):
    for key, merged in callbacks.merged.items():
        call = store.calls.get(key[0])
        attempt = call and call.attempts.get(key[1])
        if attempt is None:
            text = f"{_told(merged)}; Redis does not know " + ("the attempt" if call else "the call")
            findings.wrong("callback not reflected", "%s/%d" % key, text)
        else:
            _check_reflected("%s/%d" % key, merged, attempt, findings)
    count = 0
    for call in store.calls.values():
        for number, attempt in call.attempts.items():
            count += attempt.status != NONE
            key = call.id, number
            _check_explained(run, key, attempt, callbacks.merged.get(key), dials.by_attempt.get(key, ()), findings)
    findings.checked("attempts whose status was worked out again", count)


def _told(merged):
    place = f"callbacks {merged.place[0]}@{merged.place[1]} and {merged.count - 1} others" if merged.place else "callbacks"
    return f"{place} say {status_name(merged.status)}, hops {[HOPS[h] for h in sorted(merged.hops)]}"


def _held(attempt):
    hops = [HOPS[h] for h in sorted(attempt.hop_set)]
    return f"Redis holds {status_name(attempt.status)} ({attempt.code}), hops {hops}"


def _check_reflected(who, merged, attempt, findings):
    both = f"{_told(merged)}; {_held(attempt)}"
    if attempt.status < merged.status or not attempt.reported:
        findings.wrong("callback not reflected", who, both)
    elif not merged.hops <= attempt.hop_set or (merged.terminal and not attempt.terminal):
        findings.wrong("callback not reflected", who, both)
    elif attempt.talk < merged.talk:
        findings.wrong("callback not reflected", who, f"{both}; talk {attempt.talk}, callbacks say {merged.talk}")
    elif merged.sid and attempt.id != merged.sid:
        findings.wrong("callback not reflected", who, f"{both}; id {attempt.id}, callbacks say {merged.sid}")


def _check_explained(run, key, attempt, merged, placements, findings):
    """Redis holds no more than what somebody said: callbacks, the reply to the placement, a look-up, a timer."""
    said = merged.status if merged else NONE
    who = "%s/%d" % key
    sources = _other_sources(run, attempt, placements)
    if attempt.status > said and attempt.status not in sources:
        text = f"{_told(merged) if merged else 'no callback says anything'}; {_held(attempt)}"
        findings.wrong("status that nobody reported", who, text)
    elif attempt.status == said and said > GATEWAY_UNAVAILABLE and said not in sources:
        _check_reason(who, attempt, merged, findings)
    extra = attempt.hop_set - (merged.hops if merged else frozenset()) - {MESSAGE_OUT}
    if attempt.status == COMPLETED:
        extra -= {CONNECTED}
    if extra and not _asked(run, attempt, placements):
        text = f"{_told(merged) if merged else 'no callback'}; {_held(attempt)}"
        findings.wrong("hop that nobody reported", who, text)


def _check_reason(who, attempt, merged, findings):
    best = merged.reason[2] if merged.reason and merged.reason[0] == merged.status else ""
    if attempt.code != best:
        findings.wrong("reason is not the provider's", who, f"{_told(merged)}, reason {best!r}; {_held(attempt)}")


def _other_sources(run, attempt, placements):
    sources = {GATEWAY_UNAVAILABLE} if _may_doubt(attempt, placements) else set()
    faults = frozenset().union(*(p.faults for p in placements))
    if any(p.dialled for p in placements):
        sources.add(PENDING)
    if faults & REFUSED or attempt.closed == NO_REPORT or attempt.code in DISPATCH_FAILURES:
        sources.add(FAILED)
    if _asked(run, attempt, placements):
        for placement in placements:
            sources |= LOOKED_UP.get(placement.outcome, set())
    return sources


def _may_doubt(attempt, placements):
    return attempt.unreached or attempt.code != "" or any(p.faults & DOUBTFUL for p in placements)


def _asked(run, attempt, placements):
    """Whether the provider may have been asked: it has the call, and the time for asking had come."""
    ended = run.about.get("ended_ms")
    time_came = ended is None or ended >= attempt.placed_ms + run.pending_check_ms
    return time_came and any(p.dialled for p in placements)
