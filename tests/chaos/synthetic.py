"""What a small run would leave if all went well, made up: nine calls of every kind, in a form that a test can spoil.

remains = Remains()
remains.events[3]["value"]["seq"] = 9      records are plain dicts until write()
remains.write(directory)

Nothing here is the checker's: the two must agree because both say what the contract says.
"""

import base64
import copy
import json
from collections import Counter
from datetime import datetime, timezone

import msgpack

START = 1_795_000_020_000  # the first second of a minute
STATUSES = (None, "Pending", "Gateway_unavailable", "Failed_unknown_reason", "No_answer", "Subscriber_absent")
STATUSES += ("User_busy", "Completed")
HOPS = ("message_out", "dialing", "connected", "terminate", "session_completed")
TOPICS = ("call-requests", "callbacks", "call-events", "call-records", "delivery-summaries", "dead-letters", "audit")
PENDING, IN_DOUBT, FAILED, NO_ANSWER, BUSY, COMPLETED = 1, 2, 3, 4, 6, 7
WAITING, PLACED, DONE, DROPPED = 1, 3, 4, 5
CAMPAIGN = "acme/maize"
CHANNEL_SLOT = "{ivr:ch:main}"
# Lines: as many as the run below needs, and none more.
CHANNELS = {
    "channels": {"main": {"calls_per_second": 2, "concurrent_calls": 2, "fallback": ["spare"]}, "spare": {}},
    "default_channel": "main",
    "tenants": {"acme": {"concurrent_calls": 2}},
}
HOLD_MS = (40 + 3600 + 60) * 1000  # a request that says nothing: ring_timeout, time_limit, and the rest
URL = "https://ivr.example.test/callbacks/twilio/main"


def time_text(ms):
    text = datetime.fromtimestamp(ms / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{ms % 1000:03d}Z"


class Attempt:
    def __init__(self, placed_ms):
        self.status, self.terminal, self.kind, self.code, self.detail = 0, 0, 0, "", ""
        self.sid, self.placed_ms, self.ring, self.talk = "", placed_ms, -1, -1
        self.cost, self.currency, self.reported, self.closed = -1, "", 0, 0
        self.hops = {}  # number: (theirs, ours)

    def packed(self):
        flat = [self.status, self.terminal, self.kind, self.code, self.detail, "main", "twilio", self.sid]
        flat += [int(self.sid != ""), float(self.placed_ms), self.ring, self.talk, self.cost, self.currency, 0]
        flat += [self.reported, 0, 0, self.closed, -1]
        for number in range(len(HOPS)):
            flat += [*self.hops.get(number, (0, 0)), ""]
        return msgpack.packb(flat)


class Call:
    """One call on its way: what happens to it, told to everybody who hears of it."""

    def __init__(self, remains, number, max_attempts=1):
        self.remains, self.name, self.id = remains, f"call-{number}", f"acme/call-{number}"
        self.now = START + 1000 * number
        self.created = self.now
        self.max_attempts, self.to = max_attempts, f"+2547{number:08d}"
        self.seq = self.phase = self.status = self.final = self.next_at = 0
        self.drop, self.attempts = "", []
        request = {"call_id": self.name, "tenant": "acme", "campaign": "maize", "to": self.to}
        request |= {"message": {"say": "Hello"}, "metadata": {"n": number}}
        request |= {"retry": {"max_attempts": max_attempts}} if max_attempts > 1 else {}
        self.remains.add("call-requests", self.name, request)
        self.remains.calls.append(self)
        self.emit("accepted", 0)

    @property
    def attempt(self):
        return self.attempts[-1] if self.attempts else None

    def emit(self, kind, previous=None, hop=None):
        self.seq += 1
        self.now += 10
        told = self.attempt if self.attempt and self.attempt.status else None
        if told and hop is not None:
            told.hops[hop] = (self.now - self.now % 1000 if hop else 0, self.now)
        previous = self.status if previous is None else previous
        event = {"v": 1, "id": f"{self.id}/{self.seq}", "seq": self.seq, "type": f"call.{kind}"}
        event |= {"tenant": "acme", "campaign": "maize", "call_id": self.name, "to": "+2547****0001"}
        event |= {"metadata": {"n": int(self.name[5:])}, "attempt": len(self.attempts) if told else None}
        event |= {"channel": "main", "provider": "twilio", "provider_call_id": (told.sid or None) if told else None}
        event |= {"placed_at": time_text(told.placed_ms) if told else None, "status": STATUSES[self.status]}
        event |= {"previous_status": STATUSES[previous], "hop": None if hop is None else HOPS[hop], "reason": None}
        if told and told.code:
            event["reason"] = {"code": told.code, "detail": told.detail}
        event |= {"final": bool(self.final), "next_attempt_at": time_text(self.next_at) if self.next_at else None}
        event |= {"occurred_at": None, "recorded_at": time_text(self.now)}
        event |= {"ring_seconds": told.ring if told and told.ring >= 0 else None}
        event |= {"talk_seconds": told.talk if told and told.talk >= 0 else None}
        priced = told and told.cost >= 0
        event["cost"] = {"amount": f"{told.cost / 1e6:.6f}", "currency": told.currency} if priced else None
        event |= {"drop_reason": self.drop} if self.drop else {}
        headers = {"ce_id": event["id"], "ce_type": f"ivr.call.{kind}", "ce_source": "ivr/ivr-status"}
        self.remains.add("call-events", CAMPAIGN, event, headers)

    def change(self, kind, status, hop=None, final=0, next_at=0):
        previous, self.status, self.final, self.next_at = self.status, status, final, next_at
        self.phase = DONE if final else WAITING if next_at else PLACED
        self.attempt.status = status
        self.emit(kind, previous, hop)

    # ---- what the provider sees and says ----

    def claim(self):
        self.now += 5
        self.next_at = 0
        self.attempts.append(Attempt(self.now))
        return f"{self.id}/{len(self.attempts)}"

    def dial(self, outcome="completed", faults=(), dialled=True):
        ref = self.claim()
        self.sid = f"CA{self.name}{len(self.attempts)}"
        line = {"at_ms": self.now + 1, "to": self.to, "from": "+254711082000", "status_callback": f"{URL}/{ref}#rc=5"}
        line |= {"sid": self.sid if dialled else None, "dialled": dialled, "outcome": outcome if dialled else None}
        self.remains.placements.append(line | {"faults": list(faults)})

    def accept(self):
        self.attempt.sid, self.attempt.reported = self.sid, 1
        self.change("status", PENDING, 0)

    def callback(self, word, **fields):
        path = f"{self.id}/{len(self.attempts)}"
        body = f"CallSid={self.sid}&CallStatus={word}" + "".join(f"&{name}={value}" for name, value in fields.items())
        headers = {"ce_provider": "twilio", "ce_channel": "main", "ce_tenant": "acme", "ce_callid": self.name}
        headers["ce_attempt"] = str(len(self.attempts))
        self.remains.add("callbacks", path, body, headers)
        self.remains.gateway.append({"at_ms": self.now, "url": f"{URL}/{path}", "body": body})
        self.attempt.reported = 1

    def ring(self):
        self.callback("ringing")
        self.emit("hop", hop=1)

    def hang_up(self):
        self.remains.ends[self.sid] = self.now

    def end(self, word, status, sip=None, final=1):
        """Twilio's closing report of a call that nobody answered."""
        self.hang_up()
        self.callback(word, **({"SipResponseCode": sip} if sip else {}))
        attempt = self.attempt
        attempt.terminal, attempt.ring = 1, 12
        attempt.kind, attempt.code, attempt.detail = (2, str(sip), word) if sip else (1, word, "")
        if final:
            self.change("final", status, 3, final=1)
        else:
            self.change("waiting", status, 3, next_at=self.now + 60)
        self.emit("hop", hop=4)

    def answer(self, talk):
        self.callback("in-progress")
        self.change("final", COMPLETED, 2, final=1)
        self.hang_up()
        self.callback("completed", CallDuration=talk)
        self.attempt.terminal, self.attempt.ring, self.attempt.talk = 1, 9, talk
        self.attempt.cost, self.attempt.currency = 6500, "USD"
        self.emit("hop", hop=3)
        self.emit("hop", hop=4)

    def doubt(self, code, closed=0):
        self.attempt.kind, self.attempt.code, self.attempt.detail, self.attempt.closed = 1, code, "who knows", closed
        self.change("final", IN_DOUBT, 0, final=1)

    def expire(self):
        self.phase, self.final, self.drop = DROPPED, 1, "expired"
        self.emit("dropped")

    def record(self):
        cost = sum(max(a.cost, 0) for a in self.attempts)
        row = {"v": 1, "tenant": "acme", "campaign": "maize", "call_id": self.id.split("/")[1], "seq": self.seq}
        row |= {"status": STATUSES[self.status], "drop_reason": self.drop or None, "attempts": len(self.attempts)}
        return row | {"created_at": time_text(self.created + 10), "cost_amount": f"{cost / 1e6:.6f}" if cost else None}

    def stored(self):
        """The hash that Redis has of it."""
        n, attempt = len(self.attempts), self.attempt
        reason = attempt.code if attempt else ""
        won = n if self.status == COMPLETED else 0
        s = [self.seq, self.phase, self.status, self.final, n, CAMPAIGN, "main", float(self.created + 10)]
        s += [float(self.now), self.next_at, self.drop, n, 0, 0, "", reason, n, won, []]
        fields = {"s": msgpack.packb(s), "p": msgpack.packb([self.max_attempts, 112, [300], 0, 0])}
        return fields | {f"a{i}": a.packed() for i, a in enumerate(self.attempts, 1)}


def _stories(remains):
    for number in range(1, 4):
        call = Call(remains, number)
        call.dial()
        call.accept()
        call.ring()
        call.answer(20 * number)
    busy = Call(remains, 4)
    busy.dial("busy")
    busy.accept()
    busy.ring()
    busy.end("busy", BUSY, sip=486)
    failed = Call(remains, 5)
    failed.dial("failed")
    failed.accept()
    failed.end("failed", FAILED, sip=404)
    again = Call(remains, 6, max_attempts=2)
    again.dial("no-answer")
    again.accept()
    again.end("no-answer", NO_ANSWER, final=0)
    again.dial()
    again.accept()
    again.answer(70)
    cut = Call(remains, 7)
    cut.dial(faults=["timeout"])
    cut.hang_up()
    cut.doubt("no_response")
    killed = Call(remains, 8)
    killed.claim()
    killed.doubt("claim_lost", closed=2)
    remains.faults.append({"kind": "kill", "target": "dispatch.1", "at_ms": killed.now, "end_ms": killed.now + 10, "in_flight": 1})
    Call(remains, 9).expire()


class Remains:
    def __init__(self):
        self.topics = {name: [] for name in TOPICS}
        self.placements, self.gateway, self.calls, self.faults, self.commits = [], [], [], [], []
        self.ends = {}  # when the call of a sid ended
        self.channels = copy.deepcopy(CHANNELS)
        self.mode, self.ended_ms = "kill", START + 90_000
        _stories(self)
        self._refuse()
        for call in self.calls:
            self.add("call-records", call.id, call.record())
        self.redis = {f"{{ivr:03}}:call:{call.id}": call.stored() for call in self.calls}
        self.redis["{ivr:03}:n:" + CAMPAIGN] = self._counters()
        self.redis |= self._held()
        self.committed = {
            group: {topic: {"0": len(self.topics[topic])}}
            for group, topic in (("d", "call-requests"), ("s", "callbacks"), ("r", "call-events"))
        }
        self._summarize(revision=1, calls=0)
        self._summarize(revision=2, calls=len(self.calls))
        self._windows()

    def add(self, topic, key, value, headers=None):
        record = {"partition": 0, "offset": len(self.topics[topic]), "timestamp": START, "key": key}
        self.topics[topic].append(record | {"headers": headers or {}, "value": value})
        return record

    def of(self, topic, call, **fields):
        """The records of a topic that belong to a call and have these values in them."""
        name = f"call-{call}"
        return [
            record
            for record in self.topics[topic]
            if (name in json.dumps(record) and all(record["value"].get(k) == v for k, v in fields.items()))
        ]

    def _refuse(self):
        bad = {"call_id": "call-bad", "tenant": "acme", "campaign": "maize", "to": "0722"}
        record = self.add("call-requests", "call-bad", bad)
        self.bury(record | {"value": bad}, "call-requests", "invalid_request")

    def bury(self, record, topic, reason):
        headers = {"ivr-reason": reason, "ivr-source-topic": f"ivr.{topic}", "ivr-source-partition": "0"}
        headers |= {"ivr-source-offset": str(record["offset"]), "ivr-failed-at": time_text(START)}
        self.add("dead-letters", record["key"], record["value"], headers)

    def _attempts(self):
        return [attempt for call in self.calls for attempt in call.attempts]

    def _counters(self):
        counts = Counter(calls=len(self.calls))
        for call in self.calls:
            counts[f"s:{call.status}" if call.status else f"d:{call.drop}"] += 1
            if call.attempt and call.attempt.code:
                counts[f"r:{call.attempt.code}"] += 1
        for a in self._attempts():
            counts["attempts"] += 1
            counts.update(f"h:{hop}" for hop in a.hops)
            counts["ringsum"] += max(a.ring, 0)
            counts["talksum"] += max(a.talk, 0)
            counts["cost:USD"] += max(a.cost, 0)
        fields = {f"main|{name}": str(value).encode() for name, value in counts.items()}
        return fields | {"first": str(self.calls[0].created + 10).encode()}

    def _held(self):
        """By the two in doubt; the provider was asked for one of them, which has its number too."""
        held = [(f"{call.id}/1", call.attempt.placed_ms + HOLD_MS) for call in self.calls[6:8]]
        keys = {f"{CHANNEL_SLOT}:{name}": list(held) for name in ("lines", "lines:acme")}
        keys["{ivr:03}:lined"] = [(f"main|{name}", deadline) for name, deadline in held]
        return keys | {f"{{ivr:05}}:lock:acme|main|{self.calls[6].to}": held[0][0]}

    def _details(self, statuses, reasons, attempts):
        hops = Counter(HOPS[hop] for a in attempts for hop in a.hops)
        cost = sum(max(a.cost, 0) for a in attempts)
        said = {"by_status": dict(Counter(STATUSES[s] for s in statuses if s)), "attempts": len(attempts)}
        said |= {"by_reason": dict(Counter(r for r in reasons if r)), "hops": {hop: hops[hop] for hop in HOPS}}
        said["ring_seconds"] = _seconds([a.ring for a in attempts])
        said["talk_seconds"] = _seconds([a.talk for a in attempts])
        return said | {"cost": {"USD": f"{cost / 1e6:.6f}"} if cost else {}}

    def _summarize(self, revision, calls):
        some = self.calls[:calls]
        attempts = [attempt for call in some for attempt in call.attempts]
        reasons = [call.attempt.code for call in some if call.attempt]
        said = {"calls": len(some), "waiting": 0, "retrying": 0}
        said["dropped"] = {"cancelled": 0, "expired": sum(1 for call in some if call.drop)}
        said |= self._details([call.status for call in some], reasons, attempts)
        ended = sum(said["by_status"].values())
        said["answer_rate"] = round(said["by_status"].get("Completed", 0) / ended, 6) if ended else None
        summary = {"v": 1, "kind": "campaign", "tenant": "acme", "campaign": "maize", "revision": revision}
        summary |= {"as_of": time_text(START), "complete": True, **said, "by_channel": {"main": said} if some else {}}
        summary |= {"first_call_at": time_text(self.calls[0].created + 10), "last_change_at": time_text(START)}
        self._publish(f"campaign:{CAMPAIGN}", summary)

    def _windows(self):
        start = time_text(START - START % 60_000)
        attempts = self._attempts()
        summary = {"v": 1, "kind": "window", "tenant": "acme", "campaign": "maize", "channel": "main", "revision": 5}
        summary |= {"window_start": start, **self._details([a.status for a in attempts], [a.code for a in attempts], attempts)}
        self._publish(f"window:{CAMPAIGN}/main/{start}", summary)

    def _publish(self, key, summary):
        self.add("delivery-summaries", key, summary, {"ce_id": f"{key}#{summary['revision']}"})

    # ---- onto the disk ----

    @staticmethod
    def _logged(placement):
        return placement | {"at_mono_us": (placement["at_ms"] - START) * 1000, "ended_mono_us": None}

    def _ended(self, placement):
        ended = self.ends.get(placement["sid"])
        return self._logged(placement) | {"provider": "twilio", "ended_mono_us": ended and (ended - START) * 1000}

    def write(self, directory):
        (directory / "topics").mkdir(parents=True)
        for topic, records in self.topics.items():
            _write_lines(directory / "topics" / f"{topic}.ndjson", map(_record, records))
        _write_lines(directory / "placements.ndjson", map(self._logged, self.placements))
        _write_lines(directory / "ended.ndjson", map(self._ended, self.placements))
        _write_lines(directory / "gateway.ndjson", self.gateway)
        _write_lines(directory / "redis.ndjson", map(_key, self.redis.items()))
        if self.commits:
            _write_lines(directory / "commits.ndjson", self.commits)
        run = {"seed": 1, "mode": self.mode, "faults": self.faults, "started_ms": START, "ended_ms": self.ended_ms}
        (directory / "run.json").write_text(json.dumps(run), encoding="utf-8")
        (directory / "committed.json").write_text(json.dumps(self.committed), encoding="utf-8")
        (directory / "channels.json").write_text(json.dumps(self.channels), encoding="utf-8")
        return directory


def _seconds(values):
    values = sorted(value for value in values if value >= 0)
    rank = {p: values[(len(values) * p + 99) // 100 - 1] if values else None for p in (50, 95)}
    return {"p50": rank[50], "p95": rank[95], "sum": sum(values)}


def _base64(value):
    if value is None:
        return None
    data = value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else json.dumps(value).encode()
    return base64.b64encode(data).decode()


def _record(record):
    headers = [[name, _base64(value)] for name, value in record["headers"].items()]
    return record | {"key": _base64(record["key"]), "value": _base64(record["value"]), "headers": headers}


def _key(item):
    key, value = item
    types = {dict: "hash", list: "zset", str: "string", int: "stream"}
    kind = types[type(value)]
    plain = {field: _base64(data) for field, data in value.items()} if kind == "hash" else value
    return {"key": key, "type": kind, "value": plain}


def _write_lines(path, items):
    path.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
