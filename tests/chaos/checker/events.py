"""The events: the same id has one content, and those of a call tell one story that ends where Redis is."""

import hashlib
from typing import NamedTuple

import orjson

from .words import (
    COMPLETED,
    EVENT_TYPES,
    GATEWAY_UNAVAILABLE,
    HOP_NUMBER,
    HOPS,
    NONE,
    STATUS_RANK,
    micros,
    status_name,
    time_ms,
    time_text,
)


class Event(NamedTuple):
    seq: int
    place: tuple
    digest: bytes
    type: str
    attempt: int
    channel: str
    provider: str
    provider_call_id: str
    placed_ms: int
    status: int
    previous: int
    hop: int
    code: str
    detail: str
    final: bool
    next_ms: int
    recorded_ms: int
    ring: int
    talk: int
    cost: int
    currency: str
    drop: str


def _event(item, place, digest, shared):
    share = lambda text: shared.setdefault(text, text) if text else ""  # noqa: E731
    reason, cost = item["reason"] or {}, item["cost"]
    return Event(
        item["seq"],
        place,
        digest,
        share(item["type"]),
        item["attempt"] or 0,
        share(item["channel"]),
        share(item["provider"]),
        share(item["provider_call_id"]),
        time_ms(item["placed_at"]) or 0,
        STATUS_RANK[item["status"]],
        STATUS_RANK[item["previous_status"]],
        HOP_NUMBER[item["hop"]],
        share(reason.get("code")),
        share(reason.get("detail")),
        item["final"],
        time_ms(item["next_attempt_at"]) or 0,
        time_ms(item["recorded_at"]),
        -1 if item["ring_seconds"] is None else item["ring_seconds"],
        -1 if item["talk_seconds"] is None else item["talk_seconds"],
        -1 if cost is None else micros(cost["amount"]),
        share(cost["currency"]) if cost else "",
        share(item.get("drop_reason")),
    )


class Events:
    """`calls`: {id: [Event, ...]} by seq, each once."""

    def __init__(self, run, requests, findings):
        self.calls, self.ends = {}, {}
        self._shared, self._findings, self._requests = {}, findings, requests
        self.records = 0
        for record in run.records("call-events"):
            self._take(record)
        count = sum(len(events) for events in self.calls.values())
        findings.checked("events on the topic", self.records, f"{count:,} different ones of {len(self.calls):,} calls")
        self._sort()

    def _take(self, record):
        self.records += 1
        self.ends[record.partition] = max(record.offset + 1, self.ends.get(record.partition, 0))
        item = orjson.loads(record.value)
        call_id = f"{item['tenant']}/{item['call_id']}"
        events = self.calls.setdefault(call_id, {})
        digest = hashlib.blake2b(record.value, digest_size=16).digest()
        earlier = events.get(item["seq"])
        if earlier is not None:
            self._compare(call_id, earlier, record, digest)
            return
        self._check_identity(call_id, item, record)
        events[item["seq"]] = _event(item, record.place, digest, self._shared)

    def _compare(self, call_id, earlier, record, digest):
        if earlier.digest != digest:
            text = f"call-events {earlier.place[0]}@{earlier.place[1]} and {record.place[0]}@{record.place[1]} differ: "
            self._findings.wrong(
                "event id with two contents", f"{call_id}/{earlier.seq}", text + record.value.decode(errors="replace")
            )

    def _check_identity(self, call_id, item, record):
        where = "call-events %d@%d" % record.place
        headers = record.headers
        named = (
            item["id"] == f"{call_id}/{item['seq']}"
            and record.key == f"{item['tenant']}/{item['campaign']}".encode()
            and headers.get("ce_id") == item["id"].encode()
            and headers.get("ce_type") == b"ivr." + item["type"].encode()
            and headers.get("ce_source", b"").startswith(b"ivr/")
            and item["type"] in EVENT_TYPES
            and item["v"] == 1
        )
        if not named:
            text = f"{where}: id {item['id']}, type {item['type']}, key {record.key!r}, headers {headers}"
            self._findings.wrong("event that is misnamed", f"{call_id}/{item['seq']}", text)
        request = self._requests.accepted.get(call_id)
        campaign = f"{item['tenant']}/{item['campaign']}"
        if request and (campaign != request.campaign or (item["metadata"] or {}) != request.metadata):
            text = f"{where}: {campaign}, {item['metadata']}; call-requests {request.campaign}, {request.metadata}"
            self._findings.wrong("event is not of its request", f"{call_id}/{item['seq']}", text)

    def _sort(self):
        for call_id, events in self.calls.items():
            if len(events) != max(events):
                missing = sorted(set(range(1, max(events) + 1)) - set(events))
                text = f"seq {missing[:10]} missing, the highest is {max(events)}"
                self._findings.wrong("gap in seq", call_id, text)
            self.calls[call_id] = [events[seq] for seq in sorted(events)]


# ---- the story of one call ----


def check_stories(events, findings):
    for call_id, story in events.calls.items():
        if story[0].seq == 1 and (story[0].type != "call.accepted" or story[0].status or story[0].attempt):
            findings.wrong("call that does not begin with accepted", call_id, _shown(story[0]))
        before, hops, attempts = None, set(), []
        settled = 0  # the latest attempt that gave the call a status
        for event in story:
            _check_type(call_id, event, findings)
            if before and before.seq + 1 == event.seq:
                _check_step(call_id, before, event, settled, findings)
            if event.type != "call.hop":
                settled = event.attempt
            if event.hop >= 0 and (event.attempt, event.hop) in hops:
                findings.wrong("hop told twice", call_id, _shown(event))
            hops.add((event.attempt, event.hop))
            if event.attempt and event.attempt not in attempts:
                attempts.append(event.attempt)
            before = event
        if attempts != list(range(1, len(attempts) + 1)) and len(story) == story[-1].seq:
            findings.wrong("attempts are not numbered", call_id, f"its events tell of the attempts {attempts}, in this order")


def _shown(event):
    text = f"call-events {event.place[0]}@{event.place[1]}: seq {event.seq} {event.type} attempt {event.attempt or None}"
    text += f" {status_name(event.previous)} -> {status_name(event.status)}"
    return text + (f" {HOPS[event.hop]}" if event.hop >= 0 else "") + (" final" if event.final else "")


def _fits_its_type(event):
    kind = event.type
    if kind == "call.accepted":
        return event.seq == 1 and not event.final
    if kind == "call.dropped":
        return event.final and event.status == NONE and event.drop != ""
    if kind == "call.waiting":
        return event.next_ms > 0 and not event.final
    if kind == "call.hop":
        return event.hop >= 0 and event.status == event.previous
    if kind == "call.final":
        return event.final and event.status != NONE and event.next_ms == 0
    return event.status != NONE and not event.final


def _check_type(call_id, event, findings):
    if not _fits_its_type(event):
        findings.wrong("event is not as its type says", call_id, _shown(event))


def _check_step(call_id, before, event, settled, findings):
    both = f"{_shown(before)}; then {_shown(event)}"
    if event.previous != before.status:
        findings.wrong("previous_status is not the status before", call_id, both)
    if event.recorded_ms < before.recorded_ms:
        times = f" ({time_text(before.recorded_ms)}, {time_text(event.recorded_ms)})"
        findings.wrong("recorded_at goes back", call_id, both + times)
    if event.type == "call.hop" and event.final != before.final:
        findings.wrong("final changes with a hop", call_id, both)
    if before.final and not event.final and before.status != GATEWAY_UNAVAILABLE:
        findings.wrong("final is taken back", call_id, both)
    if before.status == COMPLETED and event.status != COMPLETED:
        findings.wrong("status goes back", call_id, both)
    # Hops of an attempt may come before its status: until then the call's is that of the attempt before.
    if event.status < before.status and event.attempt == before.attempt == settled:
        findings.wrong("status goes back", call_id, both)


# ---- where it ends ----


def check_ends(events, store, findings):
    """The last event of each call, and the last one of each attempt, are what Redis holds."""
    for call in store.calls.values():
        story = events.calls.get(call.id)
        if story is None:
            findings.wrong("call without events", call.id, f"Redis has {call.seq} changes of it, call-events none")
            continue
        _check_last(call, story, findings)
        last = {event.attempt: event for event in story if event.attempt}
        for number, attempt in call.attempts.items():
            if attempt.status:
                _check_attempt(call, number, attempt, last.get(number), findings)
        _check_told_hops(call, story, findings)
    for call_id, story in events.calls.items():
        if call_id not in store.calls:
            findings.wrong("events of a call that Redis does not know", call_id, _shown(story[-1]))


def _check_last(call, story, findings):
    event = story[-1]
    drop = next((e.drop for e in reversed(story) if e.type in ("call.final", "call.dropped")), "")
    told = event.seq, event.status, event.final, event.next_ms, drop
    held = call.seq, call.status, call.final, call.next_ms, call.drop
    if told != held:
        text = f"{_shown(event)}, next {event.next_ms}, drop {drop!r}; Redis: seq {call.seq}, "
        text += f"{status_name(call.status)}, final {call.final}, next {call.next_ms}, drop {call.drop!r}"
        findings.wrong("last event is not Redis' state", call.id, text)
    elif event.recorded_ms > call.updated_ms:
        text = f"{_shown(event)} at {time_text(event.recorded_ms)}, Redis changed {time_text(call.updated_ms)}"
        findings.wrong("last event is not Redis' state", call.id, text)


FIELDS = ("channel", "provider", "placed_ms", "code", "detail", "ring", "talk", "cost", "currency")


def _check_attempt(call, number, attempt, event, findings):
    who = f"{call.id}/{number}"
    if event is None:
        findings.wrong("attempt without events", who, f"Redis: {status_name(attempt.status)} {attempt.code}")
        return
    differ = [name for name in FIELDS if getattr(event, name) != getattr(attempt, name)]
    if event.provider_call_id != attempt.id:
        differ.append("provider_call_id")
    if differ:
        held = {name: getattr(attempt, name, attempt.id) for name in differ}
        told = {name: getattr(event, name) for name in differ}
        findings.wrong("attempt's last event is not Redis' state", who, f"{_shown(event)}: {told}; Redis: {held}")


def _check_told_hops(call, story, findings):
    told = {}
    for event in story:
        if event.hop >= 0:
            told.setdefault(event.attempt, set()).add(event.hop)
    for number, attempt in call.attempts.items():
        if len(story) == story[-1].seq and told.get(number, set()) != attempt.hop_set:
            names = [[HOPS[h] for h in sorted(hops)] for hops in (told.get(number, ()), attempt.hop_set)]
            text = f"call-events tell of {names[0]}, Redis holds {names[1]}"
            findings.wrong("hops of the events are not those of Redis", f"{call.id}/{number}", text)


