"""What was asked for: the requests on the topic, and which of them were turned down."""

import sys
from collections import defaultdict
from typing import NamedTuple

import orjson

from .words import PENDING, STATUS_RANK

DEFAULT_RETRY_ON = ("No_answer", "User_busy", "Subscriber_absent")
RING_TIMEOUT_S, TIME_LIMIT_S, HOLD_REST_S = 40, 3600, 60


class Request(NamedTuple):
    id: str
    place: tuple  # partition, offset
    to: str
    campaign: str  # "tenant/campaign"
    metadata: dict
    max_attempts: int
    retry_on: frozenset
    redial_in_doubt: bool
    channel: str | None  # as requested; None: whichever is chosen
    hold_ms: int  # the most that it may hold a line, and its number

    def first_channel(self, run):
        return self.channel or run.channels.get("default_channel")


class DeadLetter(NamedTuple):
    place: tuple  # of itself
    source: tuple  # partition, offset of the record that it is
    reason: str
    failed_at: str
    key: bytes | None
    value: bytes | None


def dead_letters(run):
    """{topic kind: {source place: [DeadLetter, ...]}}; the topic's own name may carry a prefix."""
    found = {"call-requests": defaultdict(list), "callbacks": defaultdict(list)}
    for record in run.records("dead-letters"):
        text = {name: value.decode(errors="replace") for name, value in record.headers.items()}
        source = int(text["ivr-source-partition"]), int(text["ivr-source-offset"])
        kind = "callbacks" if text["ivr-source-topic"].endswith("callbacks") else "call-requests"
        letter = DeadLetter(
            record.place, source, text["ivr-reason"], text.get("ivr-failed-at"), record.key, record.value
        )
        found[kind][source].append(letter)
    return found


def _read(record):
    try:
        item = orjson.loads(record.value)
        tenant, call_id, campaign = (str(item[name]) for name in ("tenant", "call_id", "campaign"))
    except (ValueError, KeyError, TypeError):
        return None
    retry = item.get("retry") if isinstance(item.get("retry"), dict) else {}
    try:
        retry_on = frozenset(STATUS_RANK.get(word, PENDING) for word in retry.get("on", DEFAULT_RETRY_ON))
    except TypeError:
        retry_on = frozenset()
    return Request(
        sys.intern(f"{tenant}/{call_id}"),
        record.place,
        str(item.get("to")),
        sys.intern(f"{tenant}/{campaign}"),
        item.get("metadata") or {},
        retry.get("max_attempts") or 1,
        retry_on,
        item.get("redial_in_doubt") is True,
        item.get("channel"),
        _hold_ms(item),
    )


def _hold_ms(item):
    ring, talk = item.get("ring_timeout", RING_TIMEOUT_S), item.get("time_limit", TIME_LIMIT_S)
    fits = isinstance(ring, int) and isinstance(talk, int)
    return (ring + talk + HOLD_REST_S) * 1000 if fits else 0


class Requests:
    """`accepted`: the first request of each id that is no dead letter. `letters`: dead letters by source."""

    def __init__(self, run, letters, findings):
        self.letters = letters
        self.accepted = {}
        self.refused = {}  # id: DeadLetter, of ids that have nothing but dead letters
        self.places = []  # (place, id or None) of every record
        self.ends = {}
        for record in run.records("call-requests"):
            self._take(record, findings)
        for call_id in self.accepted:
            self.refused.pop(call_id, None)
        findings.checked("requests on the topic", len(self.places), f"{len(self.accepted):,} different ones accepted")
        findings.checked("requests that became dead letters", len(letters))

    def _take(self, record, findings):
        request, letters = _read(record), self.letters.get(record.place)
        self.places.append((record.place, request.id if request else None))
        self.ends[record.partition] = max(record.offset + 1, self.ends.get(record.partition, 0))
        if letters:
            _compare_letters(record, letters, findings)
            if request:
                self.refused.setdefault(request.id, letters[0])
        elif request and request.id in self.accepted:
            _compare_repeat(self.accepted[request.id], request, findings)
        elif request:
            self.accepted[request.id] = request


def _compare_letters(record, letters, findings):
    for letter in letters:
        if letter.value != record.value or letter.key != record.key:
            findings.wrong(
                "dead letter is not its original",
                "call-requests %d@%d" % record.place,
                f"dead-letters {letter.place[0]}@{letter.place[1]} holds {letter.value!r}, "
                f"the record {record.value!r}",
            )


def _compare_repeat(first, request, findings):
    if (first.to, first.campaign) != (request.to, request.campaign):
        findings.wrong(
            "conflict without a dead letter",
            request.id,
            f"call-requests {first.place[0]}@{first.place[1]} asks for {first.to} in {first.campaign}, "
            f"{request.place[0]}@{request.place[1]} for {request.to} in {request.campaign}",
        )


def check_fates(requests, calls, events, committed, findings):
    """Every record on the topic ended as a call or as a dead letter, and no call came from nowhere."""
    for place, call_id in requests.places:
        if place in requests.letters or (call_id and (call_id in calls or call_id in events)):
            continue
        passed = committed is not None and committed.get(place[0], 0) > place[1]
        where = f"call-requests {place[0]}@{place[1]} has no call, no event and no dead letter"
        if passed:
            text = f"{where}, and the committed offset is {committed[place[0]]}: nobody reads it again"
            findings.wrong("lost request", call_id, text)
        else:
            findings.wrong("request not taken", call_id, where)
    for call_id in calls:
        if call_id not in requests.accepted:
            findings.wrong("call without an accepted request", call_id, _why_not(requests, call_id))


def _why_not(requests, call_id):
    letter = requests.refused.get(call_id)
    if letter is None:
        return "it is in Redis, and no record on call-requests asks for it"
    return f"it is in Redis, and dead-letters {letter.place[0]}@{letter.place[1]} refuses it as {letter.reason}"
