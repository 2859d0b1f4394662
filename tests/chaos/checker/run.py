"""The directory that a run leaves, read line by line: README.md beside this package describes it."""

import base64
import sys
from bisect import bisect_right
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import orjson

from .words import TOPICS, duration_ms, time_ms

CLOCK_SKEW_MS = 50  # the same machine's clock, read by different processes and by Redis
WAY_KINDS = {"cut", "latency", "reset_peer", "slow_close", "bandwidth"}
HEAP_MS = 2000  # after such a fault: what it held back arrives


class Record(NamedTuple):
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    headers: dict  # name: bytes, the first of a name
    value: bytes | None

    @property
    def place(self):
        return self.partition, self.offset


class Placement(NamedTuple):
    """One request that the provider read, as it wrote it down before it answered."""

    line: int
    at_ms: int
    at_us: int  # the same by a clock that nobody sets
    to: str
    channel: str | None  # ours, as the callback URL names it
    call: str | None  # "tenant/call_id"; None: it carries no reference of ours
    attempt: int
    sid: str | None
    provider: str
    dialled: bool
    outcome: str | None
    faults: frozenset


class Fault(NamedTuple):
    kind: str
    target: str
    from_ms: int
    to_ms: int
    in_flight: int | None

    @property
    def may_lose(self):
        """Redis itself was hit: a run without replicas may forget what it had just answered."""
        return self.kind == "failover" or self.kind.startswith(("redis_", "primary_"))

    @property
    def may_cause_doubt(self):
        """It hit what a placement leans on: dispatch, the provider, or Redis. Kafka is no part of it."""
        if self.kind in ("term", "join"):  # whoever leaves hears its requests to their end
            return False
        kafka = self.target.startswith("kafka") or "broker" in self.kind or "leader" in self.kind
        return not kafka and not any(group in self.target for group in ("status", "report", "gateway"))

    @property
    def heaps(self):
        """(from, to): requests that left in time may reach the provider in a heap, for the way was broken or slow, or
        their sender stood still. None: it lets nobody be late."""
        if self.kind in WAY_KINDS and self.target == "provider":
            return self.from_ms - CLOCK_SKEW_MS, self.to_ms + HEAP_MS
        if self.kind == "freeze" and self.target.startswith("dispatch"):
            return self.to_ms - CLOCK_SKEW_MS, self.to_ms + HEAP_MS
        return None


def lines(path):
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, orjson.loads(line)


def decode(text):
    return None if text is None else base64.b64decode(text)


def _instant(value):
    return time_ms(value) if isinstance(value, str) else value


def _fault(item):
    start = _instant(item["at_ms"])
    end = _instant(item.get("end_ms"))
    kind = "kill" if item.get("drain") else item["kind"]  # it was asked to leave, did not, and was killed
    return Fault(kind, item.get("target", ""), start, end or start, item.get("in_flight"))


def reference(text):
    """("tenant/call_id", attempt) of ".../tenant/call_id/attempt", or (None, 0)."""
    parts = text.split("#")[0].split("?")[0].split("/")
    if len(parts) < 3 or not parts[-1].isdigit():
        return None, 0
    return sys.intern(f"{unquote(parts[-3])}/{unquote(parts[-2])}"), int(parts[-1])


def _path_parts(url):
    """What follows /callbacks/: provider, channel, and in the long form tenant, call_id, attempt."""
    return urlsplit(url).path.partition("/callbacks/")[2].split("/")


def _reference_of_url(url):
    return reference(url) if len(_path_parts(url)) == 5 else (None, 0)


def _channel_of_url(url):
    parts = _path_parts(url)
    return sys.intern(unquote(parts[1])) if len(parts) > 1 else None


class Run:
    def __init__(self, directory):
        self.directory = Path(directory)
        self.about = orjson.loads((self.directory / "run.json").read_bytes())
        self.settings = self.about.get("settings", {})
        self.lossy = self.about.get("mode") == "lossy"
        self.faults = [_fault(item) for item in self.about["faults"]]
        self.committed = orjson.loads((self.directory / "committed.json").read_bytes())
        self.pending_check_ms = duration_ms(self.settings.get("IVR_PENDING_CHECK"), 15 * 60_000)
        self.prefix = self.settings.get("IVR_REDIS_PREFIX") or "ivr"
        self.channels = self._channels()

    def _channels(self):
        """The channels file of the workers; a run without one has no limits."""
        path = self.directory / "channels.json"
        return orjson.loads(path.read_bytes()) if path.exists() else {"channels": {}}

    def records(self, topic):
        assert topic in TOPICS, topic
        for _, item in lines(self.directory / "topics" / f"{topic}.ndjson"):
            headers = {}
            for name, value in item["headers"] or ():
                headers.setdefault(name, decode(value) or b"")
            yield Record(
                item["partition"],
                item["offset"],
                item["timestamp"],
                decode(item["key"]),
                headers,
                decode(item["value"]),
            )

    def placements(self):
        shared = {}
        for number, item in lines(self.directory / "placements.ndjson"):
            ref, callback = item.get("attempt_ref"), item.get("status_callback") or ""
            call, attempt = reference(ref) if ref else _reference_of_url(callback)
            faults = frozenset(item.get("faults", ()))
            yield Placement(
                number,
                item["at_ms"],
                item.get("at_mono_us", item["at_ms"] * 1000),
                item["to"],
                _channel_of_url(callback),
                call,
                attempt,
                item.get("sid"),
                sys.intern(item.get("provider") or "twilio"),
                item["dialled"],
                item.get("outcome") and sys.intern(item["outcome"]),
                shared.setdefault(faults, faults),
            )

    def ends(self):
        """{(provider, sid): when the call ended}, as the provider knew it after the run; without that nothing."""
        path, ends = self.directory / "ended.ndjson", {}
        for _, item in lines(path) if path.exists() else ():
            if item["ended_mono_us"]:
                lasted_ms = (item["ended_mono_us"] - item["at_mono_us"]) // 1000
                ends[item["provider"], item["sid"]] = item["at_ms"] + lasted_ms
        return ends

    def acknowledged(self):
        """(line, item, path, body) of each callback that the gateway answered with 2xx."""
        for number, item in lines(self.directory / "gateway.ndjson"):
            url = urlsplit(item["url"])
            if "/callbacks/" in url.path:
                body = item.get("body")
                yield number, item, url.path, (body.encode() if body else url.query.encode())

    def committed_of(self, topic):
        """{partition: offset} of whichever group reads the topic; None when none does."""
        found = [topics[topic] for topics in self.committed.values() if topic in topics]
        if not found:
            return None
        return {int(partition): offset for committed in found for partition, offset in committed.items()}

    def faults_within(self, from_ms, to_ms):
        return [fault for fault in self.faults if fault.from_ms <= to_ms and from_ms <= fault.to_ms]


class Commits:
    """Samples of the committed offsets during the run (commits.ndjson, where the run took any)."""

    def __init__(self, run):
        self._samples = defaultdict(list)  # (topic, partition): (offset, time), both growing
        path = run.directory / "commits.ndjson"
        self.count = 0
        for _, item in lines(path) if path.exists() else ():
            self.count += 1
            samples = self._samples[item["topic"], item["partition"]]
            if not samples or item["offset"] > samples[-1][0]:
                samples.append((item["offset"], item["at_ms"]))

    def first_past(self, topic, place):
        """When the record was first seen to be committed; None: never seen."""
        samples = self._samples.get((topic, place[0]))
        if not samples:
            return None
        at = bisect_right(samples, (place[1], float("inf")))
        return samples[at][1] if at < len(samples) else None
