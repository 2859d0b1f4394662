"""The calls as they stand in Redis, read raw: hashes and MessagePack, none of the project's own code between.

The layout is the one that workers/calls/lib/layout.lua describes. DIR/redis.ndjson, a copy that --save made, stands in for a
Redis that is gone: one key a line, {"key", "type", "value"}; hashes as {field: base64}.
"""

import base64
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import msgpack
import orjson

from .keys import TYPES, WAITERS, channel_of, kind_of, line_of
from .run import lines
from .words import HOPS

BATCH = 1000
PHASES = (None, "waiting", "placing", "placed", "done", "dropped")
NO_REPORT, SETTLED = 1, 2  # what Attempt.closed holds


class Hop(NamedTuple):
    at_ms: int
    recorded_ms: int
    detail: str


class Attempt(NamedTuple):
    status: int
    terminal: int
    kind: int
    code: str
    detail: str
    channel: str
    provider: str
    id: str
    id_sure: int
    placed_ms: int
    ring: int
    talk: int
    cost: int
    currency: str
    answered_ms: int
    reported: int
    unreached: int
    permanent: int
    closed: int
    ring_given: int
    hops: tuple  # of Hop or None, by number
    claim_no: int  # the number of its claim, which names its line and its lock; 0: the number of the attempt

    @property
    def hop_set(self):
        return frozenset(number for number, hop in enumerate(self.hops) if hop)


class Call(NamedTuple):
    id: str
    seq: int
    phase: str
    status: int
    final: bool
    attempt: int
    campaign: str
    channel: str
    created_ms: int
    updated_ms: int
    next_ms: int
    drop: str
    spent: int
    token: str
    reason: str
    source: int
    won: int
    unreached_kept: int
    max_attempts: int
    retry_on: int
    redial_in_doubt: bool
    attempts: dict  # number: Attempt


class Store(NamedTuple):
    calls: dict  # id: Call
    counters: dict  # "tenant/campaign": {field: int}, all shards added up
    due: set
    open: set
    outbox: int  # entries that nobody produced
    parked: list  # (id, field) of callbacks that wait
    held: "Held"


class Held(NamedTuple):
    """What attempts have, and calls wait for, beside their shards' own state."""

    lines: dict  # (channel, "tenant/call_id/claim"): {key: deadline ms}
    locks: dict  # "TENANT|CHANNEL|NUMBER": "tenant/call_id/claim"
    waiters: dict  # "TENANT|CHANNEL|NUMBER": [call, ...]
    tickets: dict  # (channel, "tenant/call_id/claim"): [key, ...]


# ---- the copies of a call's arrays ----


def _unpack(blob):
    return msgpack.unpackb(blob, raw=False, unicode_errors="surrogateescape", strict_map_key=False)


def _whole(value):
    return int(value) if isinstance(value, float) else value


def _attempt(blob, shared):
    values = [shared.setdefault(v, v) if isinstance(v, str) else _whole(v) for v in _unpack(blob)]
    flat = values[20 : 20 + 3 * len(HOPS)]
    hops = tuple(Hop(*flat[i : i + 3]) if flat[i + 1] else None for i in range(0, len(flat), 3))
    behind = values[20 + 3 * len(HOPS) :]  # the number it holds, whether it has a line, the number of its claim
    return Attempt(*values[:20], hops, behind[2] if len(behind) > 2 else 0)


def _call(key, fields, shared):
    s, p = [_whole(v) for v in _unpack(fields[b"s"])], _unpack(fields[b"p"])
    attempts = {int(f[1:]): _attempt(v, shared) for f, v in fields.items() if f[:1] == b"a" and f[1:].isdigit()}
    share = lambda text: shared.setdefault(text, text)  # noqa: E731
    return Call(
        id=key.partition(":call:")[2],
        seq=s[0],
        phase=PHASES[s[1]],
        status=s[2],
        final=s[3] == 1,
        attempt=s[4],
        campaign=share(s[5]),
        channel=share(s[6]),
        created_ms=s[7],
        updated_ms=s[8],
        next_ms=s[9],
        drop=share(s[10]),
        spent=s[11],
        token=s[14],
        reason=share(s[15]),
        source=s[16],
        won=s[17],
        unreached_kept=len(s[18]),
        max_attempts=_whole(p[0]),
        retry_on=_whole(p[1]),
        redial_in_doubt=bool(p[3]),
        attempts=dict(sorted(attempts.items())),
    )


# ---- reading ----


def _hosts(text):
    return [(host.partition(":")[0], int(host.partition(":")[2] or 6379)) for host in text.split(",")]


def _nodes(url):
    """A client for every primary that holds a part of the keys."""
    import redis

    kind, netloc = url.partition("://")[0], urlsplit(url).netloc
    user, _, hosts = netloc.rpartition("@")
    name, _, password = user.partition(":")
    login = {"username": unquote(name) or None, "password": unquote(password)} if user else {}
    path = urlsplit(url).path.strip("/").split("/")
    if kind.endswith("+sentinel"):
        from redis.sentinel import Sentinel

        database = int(path[1]) if len(path) > 1 else 0
        return [Sentinel(_hosts(hosts), socket_timeout=10).master_for(path[0], db=database, **login)]
    if kind.endswith("+cluster"):
        from redis.cluster import ClusterNode, RedisCluster

        cluster = RedisCluster(startup_nodes=[ClusterNode(*host) for host in _hosts(hosts)], **login)
        return [cluster.get_redis_connection(node) for node in cluster.get_primaries()]
    return [redis.Redis.from_url(url)]


def _ask(pipe, key, type_):
    if type_ == "hash":
        pipe.hgetall(key)
    elif type_ == "zset":
        pipe.zrange(key, 0, -1, withscores=True)
    elif type_ == "string":
        pipe.get(key)
    else:
        pipe.xlen(key)


def _live(url, prefix):
    for node in _nodes(url):
        keys, cursor = [], None
        while cursor != 0:
            cursor, some = node.scan(cursor or 0, match=f"{{{prefix}:*", count=10_000)
            keys += [key.decode() for key in some if kind_of(key.decode(), prefix)]
        keys = sorted(set(keys))
        for i in range(0, len(keys), BATCH):
            batch = keys[i : i + BATCH]
            pipe = node.pipeline(transaction=False)
            for key in batch:
                _ask(pipe, key, TYPES[kind_of(key, prefix)])
            yield from zip(batch, pipe.execute())


def _copy(path):
    for _, item in lines(path):
        value = item["value"]
        if item["type"] == "hash":
            value = {field.encode(): base64.b64decode(text) for field, text in value.items()}
        elif item["type"] == "zset":
            value = [(member.encode(), score) for member, score in value]
        elif item["type"] == "string":
            value = value.encode()
        yield item["key"], value


def _plain(value, type_):
    if type_ == "hash":
        return {field.decode(): base64.b64encode(text).decode() for field, text in value.items()}
    if type_ == "zset":
        return [(member.decode(), score) for member, score in value]
    return value.decode() if type_ == "string" else value


def _saved(source, path, prefix):
    with path.open("wb") as file:
        for key, value in source:
            if value is not None:  # a lock that ended by itself since
                type_ = TYPES[kind_of(key, prefix)]
                file.write(orjson.dumps({"key": key, "type": type_, "value": _plain(value, type_)}) + b"\n")
            yield key, value


def _source(run, save):
    copy = run.directory / "redis.ndjson"
    if copy.exists():
        return _copy(copy)
    url = (run.directory / "redis.url").read_text(encoding="utf-8").strip()
    live = _live(url, run.prefix)
    return _saved(live, copy, run.prefix) if save else live


def read(run, save=False):
    store, shared, outbox = Store({}, {}, set(), set(), 0, [], Held({}, {}, {}, {})), {}, 0
    for key, value in _source(run, save):
        kind = kind_of(key, run.prefix)
        if kind == ":call:":
            if b"s" in value:
                call = _call(key, value, shared)
                store.calls[call.id] = call
        elif kind == ":n:":
            _add_counters(store.counters.setdefault(key.partition(":n:")[2], {}), value)
        elif kind == ":park:":
            store.parked.extend((key.partition(":park:")[2], field.decode()) for field in value)
        elif kind == ":out":
            outbox += value
        elif kind in (":due", ":open"):
            getattr(store, kind[1:]).update(member.decode() for member, _ in value)
        elif value:
            _add_held(store.held, key, kind, value)
    return store._replace(outbox=outbox)


def _add_counters(totals, fields):
    for field, number in fields.items():
        field = field.decode()
        if field == "first":
            totals[field] = min(totals.get(field, int(number)), int(number))
        else:
            totals[field] = totals.get(field, 0) + int(number)


def _add_held(held, key, kind, value):
    if kind == ":lock:":
        held.locks[line_of(key)] = value.decode()
        return
    for member, score in value.items() if isinstance(value, dict) else value:
        member = member.decode()
        if kind == ":lines":
            held.lines.setdefault((channel_of(key), member), {})[key] = int(score)
        elif kind == ":lined":
            channel, _, name = member.partition("|")
            held.lines.setdefault((channel, name), {})[key] = int(score)
        elif kind == WAITERS:
            held.waiters.setdefault(line_of(key), []).append(member)
        else:
            held.tickets.setdefault((channel_of(key), member), []).append(key)
