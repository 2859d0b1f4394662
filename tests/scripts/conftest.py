"""The Lua scripts on a real Redis, without C: what `make` embeds is run as it is (build/gen/library.lua)."""

import contextlib
import itertools
import subprocess
import tempfile
import time
import typing

import msgpack
import pytest
import redis as redis_py
from library import ROOT, Library, layout

LAYOUT = layout()
STATE = {name: number - 1 for name, number in LAYOUT["S"].items()}
SEQ, PHASE, STATUS, FINAL, ATTEMPT, CAMPAIGN, CHANNEL, CREATED, UPDATED, NEXT_AT, DROP, SPENT, TOKEN, REASON, SOURCE, WON = (
    STATE[name] for name in ("SEQ", "PHASE", "STATUS", "FINAL", "ATTEMPT", "CAMPAIGN", "CHANNEL", "CREATED", "UPDATED", "NEXT_AT",
                             "DROP", "SPENT", "TOKEN", "REASON", "SOURCE", "WON"))
WAITING, PLACING, PLACED, DONE, DROPPED = LAYOUT["PHASE"].values()
PENDING, UNAVAILABLE, FAILED, NO_ANSWER, ABSENT, BUSY, COMPLETED = range(1, 8)
STATUSES = [None, "Pending", "Gateway_unavailable", "Failed_unknown_reason", "No_answer", "Subscriber_absent",
            "User_busy", "Completed"]
MESSAGE_OUT, DIALING, CONNECTED, TERMINATE, SESSION = range(5)
OUTCOMES = ["recorded", "late", "unknown"]
EVIDENCES = ["recorded", "repeated", "unknown", "foreign", "unproved", "fits"]
CONTACTS = ["free", "listed", "busy"]
UNLINKED = 64
HOPS = ["message_out", "dialing", "connected", "terminate", "session_completed"]
EVENT = ["type", "id", "seq", "identity", "campaign", "attempt", "channel", "provider", "provider_call_id", "placed_at",
         "status", "previous", "hop", "code", "detail", "final", "next_at", "occurred", "recorded", "ring", "talk",
         "cost", "currency", "drop", "trace", "in_doubt"]
RECORD = [name.lower() for name in LAYOUT["RECORD"]]

DAY_MS = 24 * 3600 * 1000


def pack(value):
    """Redis' cmsgpack knows the older MessagePack: strings are bytes, and there is no bin type."""
    return msgpack.packb(value, use_bin_type=False, unicode_errors="surrogateescape")


def evidence(status=0, terminal=0, hops=(), at=0, answered=0, ring=-1, talk=-1, cost=-1, currency="", kind=0, code="",
             detail="", hop_detail="", provider_id="", permanent=0):
    mask = sum(1 << hop for hop in hops)
    return [status, terminal, mask, at, answered, ring, talk, cost, currency, kind, code, detail, hop_detail,
            provider_id, permanent]


class Channel:
    """One replica's side of a channel's slot (admit.lua), and what tests have to shift in it."""

    SETTINGS = "0123456789abcdef"

    def __init__(self, client, scripts, base="{ivr:ch:ke}"):
        self.redis, self.scripts, self.base = client, scripts, base

    def prove(self):
        """The provider has accepted a request with its settings, and a worker has asked just now."""
        now = self.now()
        self.redis.hset(f"{self.base}:state", mapping={"proved": self.SETTINGS, "proved_at": now})

    def admit(self, want=0, slots=0, queue=(), done=(), dropped=(), back=(), rate=0, lines=0, caps=None, ahead=30000,
              lease=10000, spare=64, late=0, epoch=0, ok=0, fails=0, suspend=0, why="", resumed=0, settings=SETTINGS, asker=1, coming=0,
              going=0, accepted=0, ended=0, proofs=0, trial=30000):
        """rate: placements a second; spare: tickets that may come without a send time; queue and back: (ticket, priority); done: (ticket, line ms)."""
        between = 1000000 // rate if rate else 0
        args = [between, lines, caps or {}, ahead, lease, want, spare, slots, late, epoch, ok, fails, suspend, why, resumed,
                [settings, asker, coming, going, accepted, ended, proofs, trial], flat(queue), flat(done), list(dropped), flat(back)]
        return Admission(*msgpack.unpackb(self.scripts["admit"](keys=[self.base], args=[pack(args)])))

    def take(self, want=1, **more):
        return self.admit(want=want, **more).tickets

    def slots(self, wanted=1, **more):
        return self.admit(slots=wanted, **more).slots[:wanted]

    def release(self, *attempts):
        return self.scripts["release"](keys=[self.base], args=list(attempts))

    def in_line(self, tenant=None):
        key = f"{self.base}:lines" + (f":{tenant}" if tenant else "")
        return {member.decode() for member in self.redis.zrange(key, 0, -1)}

    def in_hand(self):
        return {member.decode() for member in self.redis.zrange(f"{self.base}:taken", 0, -1)}

    def now(self):
        return redis_ms(self.redis)

    def value(self, name):
        return int(self.redis.hget(f"{self.base}:state", name) or 0)

    def shift(self, name, by):
        """Moves a stored time (slot in us, probe_at and since in ms): -by is time that passed."""
        self.redis.hincrby(f"{self.base}:state", name, by)

    def end_leases(self):
        for ticket in self.redis.zrange(f"{self.base}:taken", 0, -1):
            self.redis.zadd(f"{self.base}:taken", {ticket: 1})

    def end_line(self, attempt):
        """The line's deadline has come."""
        for key in (f"{self.base}:lines", f"{self.base}:lines:{attempt.split('/')[0]}"):
            self.redis.zadd(key, {attempt: 1}, xx=True)


class Admission(typing.NamedTuple):
    """What admit.lua returns."""
    queued: int
    lines: int
    closed: str
    why: str
    since: int
    epoch: int
    tickets: list
    slots: list
    wait: int
    proved: int
    proofs: int


def redis_ms(client):
    seconds, us = client.time()
    return seconds * 1000 + us // 1000


def flat(pairs):
    return [value for pair in pairs for value in pair]


class Store:
    """What workers/store does, in Python: one shard, every script as the build embeds it."""

    def __init__(self, client, shard="{ivr:00}", retention=7 * DAY_MS, pending_limit=DAY_MS, give_up=3600 * 1000,
                 pending_check=900 * 1000):
        self.redis, self.shard = client, shard
        self.config = [retention, pending_limit, give_up, pending_check]
        self.scripts = Library(client)
        self.events, self.freed, self.unreadable = [], [], []
        self.tokens = (f"token{n}" for n in itertools.count())

    def run(self, name, *args):
        entry, events, results, *told = self.scripts[name](keys=[self.shard], args=[pack(self.config), *args])
        self.unreadable += [why.decode() for why in told]
        new = msgpack.unpackb(events) if events else []
        self.events += [dict(zip(EVENT, values)) for values in new if values[0] != "freed"]
        self.freed += [tuple(values[1:]) for values in new if values[0] == "freed"]
        return msgpack.unpackb(results) if results else []

    def batch(self, name, records):
        return self.run(name, *[pack(record) for record in records])

    def request(self, call="t/c1", fingerprint="f1", campaign="t/camp", channel="ch", token=None, recorded=0,
                not_before=0, wait=0, max_attempts=1, on=(NO_ANSWER, ABSENT, BUSY), delays=(300, 1800), redial=0,
                expires=0, claim_ms=15000, contact="", hold_ms=60000, lease=0, body="{}"):
        policy = pack([max_attempts, sum(1 << s for s in on), list(delays), redial, expires])
        record = [call, fingerprint, campaign, channel, "twilio", '"call_id":"x"', body, policy, recorded, not_before,
                  token or "", claim_ms, wait, "", contact, hold_ms, lease]
        return self.batch("request", [record])[0][:2]

    def placed(self, call="t/c1", **request):
        """A call whose first attempt was accepted by the provider."""
        token = next(self.tokens)
        assert self.request(call, token=token, **request) == ["claimed", 1]
        self.outcome(call, 1, token, "accepted", accepted(call))
        return token

    def outcome(self, call, attempt, token, kind, ev=None, wait=0):
        return OUTCOMES[self.batch("outcome", [[call, attempt, token, kind, ev or evidence(), wait, 0, "", "ch",
                                            "twilio"]])[0]]

    def evidence(self, call, ev, attempt=1, channel="ch", called=None):
        """called: the reference is not proved, the report says that this number was called ("" none)."""
        return EVIDENCES[self.evidence_number(call, ev, attempt, channel, called) % UNLINKED // 8]

    def evidence_number(self, call, ev, attempt=1, channel="ch", called=None):
        unproved = [] if called is None else [called]
        return self.batch("evidence", [[call, attempt, channel, "twilio", ev, 0, "", *unproved]])[0]

    def claim(self, call, token, channel="ch", claim_ms=15000, contact="", line=0, hold_ms=60000):
        return self.batch("claim", [[call, token, claim_ms, channel, "twilio", "", contact, line, hold_ms]])[0][:2]

    def claim_no(self, call="t/c1"):
        """The number of its latest claim: what its ticket, line and lock are named by."""
        state = self.state(call)
        return state[ATTEMPT] + (state[24] if len(state) > 24 else 0)

    def lined(self, call="t/c1", token=None, **request):
        """A call whose first attempt is claimed, with the line to its contact and one of its channel."""
        token = token or next(self.tokens)
        self.request(call, **request)
        assert self.claim(call, token, contact="+1", line=1) == ["claimed", 1]
        return token

    def look(self, call="t/c1", attempt=1, lease=30000, channel="ch"):
        return self.batch("look", [[call, attempt, lease, channel]])[0]

    def defer(self, call="t/c1", ms=600000):
        return self.batch("defer", [[call, ms]])[0]

    def wake(self, call="t/c1"):
        return self.batch("wake", [[call]])[0]

    def contact(self, call="t/c1", attempt=1, line="t|ch|+1", number="+1", hold_ms=60000):
        """May it be called: "free", "listed" or "busy"."""
        tenant = call.split("/")[0]
        return CONTACTS[self.batch("contact", [[tenant, number, line, call, attempt, hold_ms]])[0]]

    def unlock(self, call="t/c1", attempt=1, line="t|ch|+1"):
        """The call that waited longest."""
        return self.batch("unlock", [[line, f"{call}/{attempt}"]])[0]

    def due_at(self, call="t/c1"):
        return self.redis.zscore(f"{self.shard}:due", call)

    def now(self):
        return redis_ms(self.redis)

    def postpone(self, call, opening):
        return self.batch("postpone", [[call, opening, "twilio"]])[0]

    def due(self, limit=64, lease=30000, suspended=(), lost_ms=""):
        return [offer[:4] for offer in self.offers(limit, lease, suspended, lost_ms)]

    def offers(self, limit=64, lease=30000, suspended=(), lost_ms=""):
        return self.run("due", limit, lease, pack(list(suspended)), lost_ms)

    def settle(self, limit=64, look_ups=8):
        return self.run("settle", limit, look_ups)

    def park(self, field="ch|cb:0:1", keep=60000, provider_id="twilio:CA1", value=None, channel="ch", of_id=(32, 256 * 1024),
             of_channel=(1000, 1 << 20), of_all=(4000, 4 << 20)):
        """The reference behind the id, "" when it was parked, or "!id", "!channel", "!all" for want of room: (records, bytes)."""
        value = value if value is not None else "value of " + field
        args = [provider_id, field, value, keep, channel, *of_id, *of_channel, *of_all]
        return self.scripts["park"](keys=[self.shard], args=args).decode()

    def overdue(self, lease=0, ids=10, longest="", page=32, most_bytes=1 << 20):
        """What is offered: [id, known, [field, value, ...], ...]; self.more tells whether there is more."""
        more, *found = self.scripts["parked"](keys=[self.shard], args=[ids, lease, longest, page, most_bytes])
        self.more = more == b"1"
        return found

    def unpark(self, *fields, provider_id="twilio:CA1"):
        return self.scripts["unpark"](keys=[self.shard], args=[provider_id, *fields])

    def control(self, what, key, audit=""):
        """What an operator says of a campaign, tenant or channel; the state of it afterwards."""
        return self.run("controls", what, key, audit)[0]

    def concerned(self, key):
        """How many calls of a campaign, tenant or channel wait, and how many are at their provider."""
        return tuple(self.run("controls", "look", key, "")[2:])

    def control_call(self, what, call="t/c1", audit=""):
        return self.run("control", call, what, audit)[0]

    def sweep(self, limit=64):
        """One step; whether there is more to do."""
        return self.run("sweep", limit)[0] == 1

    def sweep_all(self, limit=64):
        for _ in range(1000):
            if not self.sweep(limit):
                return
        raise AssertionError("a sweep without end")

    def hangups(self, limit=64):
        return self.run("hangup", limit)

    def take_records(self, limit=64, lease=60000):
        """The rows that were handed out, with their leases, and what ivr.audit is to say: [(lease, row)], [(lease, text)]."""
        rows, audits = self.run("take_records", limit, lease)
        return [(lease, dict(zip(RECORD, row))) for lease, row in rows], [tuple(said) for said in audits]

    def sent_records(self, *sent):
        """They are on their topics: ("record", id, lease) or ("audit", text)."""
        self.batch("sent_records", sent)

    def settle_records(self, ms=2000):
        """The time passes that a row waits for further changes."""
        for key in ("records", "audit"):
            for member, at in self.redis.zrange(f"{self.shard}:{key}", 0, -1, withscores=True):
                self.redis.zadd(f"{self.shard}:{key}", {member: at - ms})

    def held(self, key):
        return [member.decode() for member in self.redis.zrange(f"{self.shard}:hold:{key}", 0, -1)]

    def state(self, call="t/c1"):
        raw = self.redis.hget(f"{self.shard}:call:{call}", "s")
        return msgpack.unpackb(raw) if raw else None

    def attempt(self, call="t/c1", n=1):
        raw = self.redis.hget(f"{self.shard}:call:{call}", f"a{n}")
        return msgpack.unpackb(raw) if raw else None

    def counters(self, kind, name):
        raw = self.redis.hgetall(f"{self.shard}:{kind}:{name}")
        return {k.decode(): int(v) for k, v in raw.items() if k != b"first" and int(v) != 0}

    def all_counters(self):
        """Every counter of every campaign and window that is not zero."""
        found = {}
        for kind in ("n", "w"):
            for key in self.redis.scan_iter(f"{self.shard}:{kind}:*".replace("{", "\\{")):
                name = key.decode().split(f":{kind}:", 1)[1]
                found[f"{kind}:{name}"] = self.counters(kind, name)
        return found

    def later(self, call, ms):
        """Makes time pass for a call: its next attempt, its claim or its limit comes `ms` earlier."""
        for index in ("due", "open"):
            if self.redis.zscore(f"{self.shard}:{index}", call) is not None:
                self.redis.zincrby(f"{self.shard}:{index}", -ms, call)
        state = self.state(call)
        if state[NEXT_AT]:
            state[NEXT_AT] -= ms
            self.redis.hset(f"{self.shard}:call:{call}", "s", pack(state))


    def age(self, call, ms, n=1):
        """Makes the attempt `ms` older."""
        attempt = self.attempt(call, n)
        attempt[9] -= ms
        self.redis.hset(f"{self.shard}:call:{call}", f"a{n}", pack(attempt))
        self.later(call, ms)


def accepted(call="t/c1"):
    return evidence(PENDING, hops=[MESSAGE_OUT], provider_id="CA" + call)


@contextlib.contextmanager
def private_redis():
    with tempfile.TemporaryDirectory(prefix="ivr-scripts-") as folder:
        path = f"{folder}/redis.sock"
        server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder],
                                  stdout=subprocess.DEVNULL)
        client = redis_py.Redis(unix_socket_path=path)
        deadline = time.monotonic() + 10
        while True:
            try:
                client.ping()
                break
            except redis_py.ConnectionError:
                assert time.monotonic() < deadline, "redis-server did not start"
                time.sleep(0.02)
        yield client
        server.terminate()
        server.wait()


@pytest.fixture(scope="session")
def redis_server():
    with private_redis() as client:
        yield client


@pytest.fixture
def store(redis_server):
    redis_server.flushall()
    store = Store(redis_server)
    yield store
    assert not store.unreadable, "a test that spoils a call looks at these, and clears them"


@pytest.fixture
def channel(store):
    channel = Channel(store.redis, store.scripts)
    channel.prove()
    return channel


@pytest.fixture
def unproved(store):
    """A channel that nobody has ever asked for."""
    return Channel(store.redis, store.scripts)
