#!/usr/bin/env python3
"""Measures one dispatch and one status worker on a real Kafka and Redis against the simulator, and the machine's limits.

    make bench                     everything, about four minutes
    make bench CALLS=20000         shorter
    build/venv/bin/python tests/bench/run.py --only dispatch-0

Where Go is there, a peer written in it (tests/bench/peer) does the same work in the same run, and ours are said as multiples of it.

cpu_1k is CPU seconds (user + system, of the process) for 1,000 records over the last 75 % of a run: it hardly depends on what else shares the
cores, so it is the figure to compare. A rate is what the neighbours on this machine leave. Each run checks its own result: every call dialled
once, every event there.
"""

import argparse
import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from urllib.parse import quote_plus

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import scripts  # noqa: E402
from confluent_kafka import Consumer, Producer, TopicPartition  # noqa: E402
from harness import twilio  # noqa: E402
from harness.broker import Broker  # noqa: E402
from harness.process import Process  # noqa: E402
from harness.redis_server import RedisServer  # noqa: E402
from harness.simulator import Simulator  # noqa: E402
from harness.usage import cpu_seconds, peak_mb  # noqa: E402
from harness.worker import Worker  # noqa: E402

PARTITIONS = 8
FIGURES = ("rate", "cpu_1k", "redis_cpu_1k", "peak_mb")
PEER = pathlib.Path(__file__).resolve().parents[2] / "build" / "bin" / "bench-peer"
FLOOR = {"dispatch-0": 0.0171, "dispatch-50": 0.0183, "status": 0.0034}
TOPICS = {"CALL_REQUESTS": "requests", "CALLBACKS": "callbacks", "CALL_EVENTS": "events",
          "CALL_RECORDS": "records", "AUDIT": "audit", "DELIVERY_SUMMARIES": "summaries", "DEAD_LETTERS": "dead"}


class Bench:
    def __init__(self, folder, calls):
        self.folder, self.calls = folder, calls
        self.broker = Broker(folder / "kafka")
        self.redis = RedisServer(folder / "redis")
        self.consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": "bench"})
        self.runs = 0
        self.rows = []

    def close(self):
        self.consumer.close()
        self.redis.stop()
        self.broker.stop()

    def fresh(self, latency_ms, channels=("main",)):
        """New topics, an empty Redis, a simulator: a run's surroundings."""
        self.runs += 1
        self.redis.client.flushall()
        self.topics = {kind: f"bench{self.runs}.{name}" for kind, name in TOPICS.items()}
        (self.folder / f"run{self.runs}").mkdir()
        self.broker.create_topics({name: PARTITIONS for name in self.topics.values()})
        self.simulator = Simulator(self.folder / f"sim{self.runs}", "--callbacks", "off", "--latency-ms", str(latency_ms))
        path = self.folder / "channels.json"
        credentials = {"account_sid": twilio.ACCOUNT_SID, "auth_token": twilio.AUTH_TOKEN}
        channel = {"provider": "twilio", "from": "+254711082000", "credentials": credentials,
                   "base_url": self.simulator.base_url}
        path.write_text(json.dumps({"channels": dict.fromkeys(channels, channel), "default_channel": channels[0]}))
        self.env = {"PATH": os.environ["PATH"], "IVR_KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap,
                    "IVR_REDIS_URL": self.redis.url, "IVR_CHANNELS": str(path), "IVR_ADMIN_LISTEN": "127.0.0.1:0",
                    "IVR_PUBLIC_URL": "https://ivr.example.org", "IVR_LOG_FORMAT": "json"}
        self.env |= {f"IVR_TOPIC_{kind}": name for kind, name in self.topics.items()}

    def fill(self, kind, records):
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, "linger.ms": 20,
                             "queue.buffering.max.messages": 2000000})
        for key, value, headers in records:
            producer.produce(self.topics[kind], value, key, headers=headers)
            producer.poll(0)
        assert producer.flush(60) == 0

    def produced(self, kind):
        topic = self.topics[kind]
        return sum(self.consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1] for p in range(PARTITIONS))

    def ours(self, program, env=None):
        return Worker(program, self.folder / f"run{self.runs}", self.env | (env or {}))

    def peer(self, job, kind, in_flight):
        url = f"{self.simulator.base_url}/2010-04-01/Accounts/{twilio.ACCOUNT_SID}/Calls.json"
        env = {"PATH": os.environ["PATH"], "PEER_KAFKA": self.broker.bootstrap, "PEER_REDIS": f"127.0.0.1:{self.redis.port}",
               "PEER_EVENTS": self.topics["CALL_EVENTS"], "PEER_PROVIDER": url, "PEER_USER": twilio.ACCOUNT_SID,
               "PEER_PASSWORD": twilio.AUTH_TOKEN, "PEER_IN_FLIGHT": str(in_flight)}
        return Process("peer", [PEER, job, self.topics[kind]], self.folder / f"run{self.runs}", env)

    def measure(self, name, worker, records, done):
        """Waits until done() has counted all records; figures are of the last 75 %."""
        redis_pid = self.redis.process.pid
        first, deadline = None, time.monotonic() + 300
        while True:
            count, now = done(), time.monotonic()
            sample = (now, cpu_seconds(worker.pid), cpu_seconds(redis_pid), count)
            if first is None and count >= records // 4:
                first = sample
            if count >= records:
                break
            assert worker.alive() and now < deadline, f"{name}: {count} of {records}\n{worker.output()[-3000:]}"
            time.sleep(0.02)
        seconds, cpu, redis_cpu, n = (b - a for a, b in zip(first, sample))
        row = {"run": name, "rate": n / seconds, "cpu_1k": cpu / n * 1000, "redis_cpu_1k": redis_cpu / n * 1000,
               "peak_mb": peak_mb(worker.pid)}
        assert worker.term() == 0, worker.output()[-3000:]
        self.rows.append(row)
        floor = f"({row['cpu_1k'] / FLOOR[name]:.1f} x floor)" if name in FLOOR else ""
        say(f"{name:16} {row['rate']:8,.0f} /s   cpu_1k {row['cpu_1k']:.4f} s {floor:14}   "
            f"redis {row['redis_cpu_1k']:.4f} s   {row['peak_mb']:.0f} MB")
        return row

    def compare(self, name, ours, peers):
        """Ours as multiples of the peer's, which ran a minute later on the same servers."""
        ratio = {figure: ours[figure] / peers[figure] if peers[figure] else float("nan") for figure in FIGURES}
        self.rows.append({"run": f"{name} x peer"} | ratio)
        say(f"  x peer         {ratio['rate']:8.2f}      cpu_1k {ratio['cpu_1k']:.2f}                     "
            f"redis {ratio['redis_cpu_1k']:.2f}     {ratio['peak_mb']:.2f}")

    def dispatch(self, latency_ms, in_flight):
        name = f"dispatch-{latency_ms}"
        ours = self.dispatch_by(name, latency_ms, lambda: self.ours("ivr-dispatch", {"IVR_MAX_IN_FLIGHT": str(in_flight)}), 2)
        if PEER.exists():
            peers = self.dispatch_by(f"{name} peer", latency_ms, lambda: self.peer("dispatch", "CALL_REQUESTS", in_flight), 1)
            self.compare(name, ours, peers)

    def dispatch_by(self, name, latency_ms, start, events):
        """`events`: how many it makes of a call."""
        self.fresh(latency_ms)
        self.fill("CALL_REQUESTS", requests(self.calls))
        row = self.measure(name, start(), self.calls, lambda: self.simulator.stats()["placements"])
        stats = self.simulator.stats()
        assert stats["dialled_again_by_attempt"] == 0 and stats["placements"] == self.calls, stats
        self.wait_events(events * self.calls)
        self.simulator.term()
        return row

    def wait_events(self, expected):
        deadline = time.monotonic() + 20
        while self.produced("CALL_EVENTS") != expected:
            assert time.monotonic() < deadline, f"{self.produced('CALL_EVENTS')} events, expected {expected}"
            time.sleep(0.2)

    def status(self):
        ours = self.status_ours()
        if PEER.exists():
            self.compare("status", ours, self.status_peer())

    def status_ours(self):
        """Four callbacks a call, of calls that a dispatch worker has just placed."""
        self.fresh(0)
        calls = self.calls
        self.fill("CALL_REQUESTS", requests(calls))
        dispatch = self.ours("ivr-dispatch")
        while self.simulator.stats()["placements"] < calls:
            assert dispatch.alive(), dispatch.tail()
            time.sleep(0.1)
        assert dispatch.term() == 0, dispatch.tail()
        sids = {placed.call_id: placed.sid for placed in self.simulator.placements()}
        self.simulator.term()
        self.wait_events(2 * calls)
        self.fill("CALLBACKS", callbacks(calls, sids))
        before = self.script_calls()
        row = self.measure("status", self.ours("ivr-status"), 4 * calls, self.recorded)
        self.wait_events(2 * calls + 4 * calls)  # dialing; ringing says nothing new; connected; terminate, session_completed
        batches = self.script_calls() - before
        say(f"             {4 * calls / max(batches, 1):.0f} callbacks a script call")
        return row

    def status_peer(self):
        """The same of calls that the peer's Redis does not know: what it would read of them is not there."""
        self.fresh(0)
        self.fill("CALLBACKS", callbacks(self.calls, {call_id(i): f"CA{i:032x}" for i in range(self.calls)}))
        row = self.measure("status peer", self.peer("status", "CALLBACKS", 1), 4 * self.calls,
                           lambda: self.produced("CALL_EVENTS"))
        self.wait_events(4 * self.calls)
        self.simulator.term()
        return row

    def script_calls(self):
        info = self.redis.client.info("commandstats")
        return info.get("cmdstat_fcall", {}).get("calls", 0)

    def recorded(self):
        """How many callbacks Redis has: hops and answers, from the campaign's counters of all shards."""
        total = 0
        for shard in range(16):
            counts = self.redis.client.hmget(f"{{ivr:{shard:02}}}:n:bench/campaign", "main|h:1", "main|h:2", "main|h:4")
            dialing, connected, ended = (int(v or 0) for v in counts)
            total += 2 * dialing + connected + ended
        return total


def requests(n):
    for i in range(n):
        call = f"0192f1c4-7a00-7000-8000-{i:012}"
        request = {"call_id": call, "tenant": "bench", "campaign": "campaign", "to": f"+2547{i:08}", "channel": "main",
                   "message": {"play": "https://cdn.example.org/prompts/maize-prices-w47-sw.mp3"}, "ring_timeout": 40,
                   "retry": {"max_attempts": 3, "on": ["No_answer", "User_busy", "Subscriber_absent"],
                             "delays": [300, 1800]},
                   "metadata": {"farmer": str(i), "region": "Rift Valley"}}
        yield call, json.dumps(request), None


def call_id(i):
    return f"0192f1c4-7a00-7000-8000-{i:012}"


def callbacks(n, sids):
    """sids: {call_id: the id that the provider gave it}; a report of another one is not about the call."""
    steps = [("initiated", ""), ("ringing", ""), ("in-progress", ""), ("completed", "&CallDuration=31&Duration=1&SipResponseCode=200")]
    begin = datetime.now(timezone.utc)
    received = begin.isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()
    for number, (status, more) in enumerate(steps):
        happened = quote_plus(format_datetime(begin + timedelta(seconds=10 * number)))
        for i in range(n):
            call = call_id(i)
            body = (f"ApiVersion=2010-04-01&Called=%2B2547{i:08}&CallStatus={status}&From=%2B254711082000"
                    f"&CallSid={sids[call]}&To=%2B2547{i:08}&AccountSid={twilio.ACCOUNT_SID}&Direction=outbound-api"
                    f"&Timestamp={happened}&CallbackSource=call-progress-events"
                    f"&SequenceNumber={number}{more}")
            headers = [("content-type", b"application/x-www-form-urlencoded; charset=utf-8"), ("ce_specversion", b"1.0"),
                       ("ce_id", f"{i}-{number}".encode()), ("ce_source", b"ivr/ivr-gateway"), ("ce_type", b"ivr.callback"),
                       ("ce_time", received), ("ce_provider", b"twilio"), ("ce_channel", b"main"),
                       ("ce_verified", b"signature"), ("ce_tenant", b"bench"), ("ce_callid", call.encode()),
                       ("ce_attempt", b"1")]
            yield f"bench/{call}", body, headers


def say(text):
    print(text, flush=True)


WRK_POST = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
wrk.headers["Authorization"] = "Basic {authorization}"
wrk.body = "To=%2B254722000111&From=%2B254711082000&Url=https%3A%2F%2Fivr.example.org%2Fanswer%2Fx&Timeout=40"
"""


def limits(folder):
    """What the machine allows beside our workers: an HTTP client on the simulator, our scripts on Redis."""
    simulator = Simulator(folder / "wrk", "--callbacks", "off", "--latency-ms", "0")
    script = folder / "post.lua"
    pair = f"{twilio.ACCOUNT_SID}:{twilio.AUTH_TOKEN}".encode()
    script.write_text(WRK_POST.replace("{authorization}", base64.b64encode(pair).decode()))
    url = f"{simulator.base_url}/2010-04-01/Accounts/{twilio.ACCOUNT_SID}/Calls.json"
    out = subprocess.run(["wrk", "-t1", "-c64", "-d3s", "-s", script, url], capture_output=True, text=True, check=True)
    say("limit: wrk on the simulator    " + next(l.strip() for l in out.stdout.splitlines() if "Requests/sec" in l))
    simulator.term()

    say("limit: our scripts on Redis, microseconds of its CPU a record")
    scripts.table(folder, calls=10000, batches=(1, 16, 64))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=60000)
    parser.add_argument("--only", choices=["dispatch-0", "dispatch-50", "status", "limits"])
    parser.add_argument("--json", help="also write the figures to this file")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ivr-bench-") as folder:
        folder = pathlib.Path(folder)
        if args.only in (None, "limits"):
            limits(folder)
        bench = Bench(folder, args.calls)
        try:
            if args.only in (None, "dispatch-0"):
                bench.dispatch(0, 512)
            if args.only in (None, "dispatch-50"):
                bench.dispatch(50, 1024)
            if args.only in (None, "status"):
                bench.status()
            if not PEER.exists():
                say("no peer: there is no Go, or its modules could not be had")
        finally:
            bench.close()
        if args.json:
            pathlib.Path(args.json).write_text(json.dumps(bench.rows, indent=2))


if __name__ == "__main__":
    main()
