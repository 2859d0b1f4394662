#!/usr/bin/env python3
"""Where Redis' time goes: which functions and commands a call costs at several rates, and what replicas ask that have nothing to do.

    build/venv/bin/python tests/bench/redis_work.py                          flat out, 500 and 50 calls a second, idle
    build/venv/bin/python tests/bench/redis_work.py --only idle --replicas 1 4 8

Two figures: CPU seconds of the redis-server process (all of its work, its sockets too), and what Redis' slow log, told that everything is
slow, says of each command (its execution alone). The slow log costs about 1 us a command itself, so the CPU is of a run without it.
"""

import argparse
import collections
import pathlib
import re
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from confluent_kafka import Producer  # noqa: E402
from harness.usage import cpu_seconds  # noqa: E402
from run import Bench, callbacks, requests, say  # noqa: E402


class Spent:
    """What Redis and the workers spend between two moments."""

    def __init__(self, bench, workers, listed):
        self.bench, self.workers, self.listed = bench, workers, listed
        self.redis = bench.redis.client
        self.redis.config_set("slowlog-max-len", 1 << 20)
        self.redis.slowlog_reset()
        self.redis.config_set("slowlog-log-slower-than", 0 if listed else -1)
        self.redis.config_resetstat()
        self.begun = self.now()

    def now(self):
        switches = [switches_of(worker.pid) for worker in self.workers]
        return [time.monotonic(), cpu_seconds(self.bench.redis.process.pid), sum(cpu_seconds(w.pid) for w in self.workers), sum(switches)]

    def end(self, name, n):
        seconds, redis_cpu, worker_cpu, switches = (b - a for a, b in zip(self.begun, self.now()))
        self.redis.config_set("slowlog-log-slower-than", -1)
        per = n / 1000 if n else seconds
        what = "for 1,000" if n else "a second"
        asked = self.asked()
        say(f"{name:26} {what}: redis {redis_cpu / per * 1000:7.1f} ms   workers {worker_cpu / per * 1000:7.1f} ms   "
            f"commands {asked / per:8,.0f}   wake-ups {switches / per:8,.0f}   ({seconds:.1f} s)")
        if self.listed:
            self.table(per)

    def asked(self):
        """Commands that clients sent, without those that functions ran."""
        stats = self.redis.info("commandstats")
        total = sum(stats[key]["calls"] for key in stats if key in ("cmdstat_fcall", "cmdstat_fcall_ro"))
        return total + self.plain(stats)

    def plain(self, stats):
        return sum(row["calls"] for key, row in stats.items() if key in ("cmdstat_ping", "cmdstat_xack", "cmdstat_wait"))

    def table(self, per):
        """By function: how many, how many records, microseconds of each."""
        found = collections.defaultdict(lambda: [0, 0, 0])
        self.redis.response_callbacks.pop("SLOWLOG GET", None)  # it joins the words
        for entry in self.redis.execute_command("SLOWLOG GET", 1 << 20):
            row = found[name_of(entry[3])]
            row[0] += 1
            row[1] += records_of(entry[3])
            row[2] += entry[2]
        for name, (calls, records, us) in sorted(found.items(), key=lambda item: -item[1][2]):
            say(f"    {name:22} {calls / per:9,.1f} calls   {records / calls:5.1f} records each   {us / calls:8.1f} us a call   "
                f"{us / records:6.1f} us a record   {us / per / 1000:7.2f} ms")


def switches_of(pid):
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary"):
                total += int(line.split()[1])
    return total


def name_of(words):
    if words[0].upper().startswith(b"FCALL"):
        return re.sub(r"^ivr_[0-9a-f]{12}_", "", words[1].decode())
    return words[0].decode(errors="replace").upper()


def records_of(words):
    """Of FCALL name 1 shard config record...: what stands behind the config. The slow log keeps 31 words and says how many more."""
    more = re.match(rb"\.\.\. \((\d+) more arguments\)$", words[-1])
    n = 31 + int(more[1]) if more else len(words)
    return max(n - 5, 1) if words[0].upper().startswith(b"FCALL") else 1


def produce(bench, kind, records, rate):
    producer = Producer({"bootstrap.servers": bench.broker.bootstrap, "linger.ms": 0})
    begun = time.monotonic()
    for i, (key, value, headers) in enumerate(records):
        wait = begun + i / rate - time.monotonic()
        if wait > 0:
            producer.poll(wait if wait > 0.001 else 0)
            time.sleep(max(begun + i / rate - time.monotonic(), 0))
        producer.produce(bench.topics[kind], value, key, headers=headers)
    producer.flush(60)


def paced(bench, name, calls, rate, listed, replicas=1):
    """So many calls at that rate, and their callbacks at four times it."""
    bench.fresh(50)
    workers = [bench.ours("ivr-dispatch", {"IVR_MAX_IN_FLIGHT": "1024"}) for _ in range(replicas)]
    for worker in workers:
        worker.wait_ready()
    time.sleep(4)
    spent = Spent(bench, workers, listed)
    produce(bench, "CALL_REQUESTS", requests(calls), rate)
    wait(lambda: bench.simulator.stats()["placements"] >= calls)
    bench.wait_events(2 * calls)
    spent.end(f"dispatch, {name}", calls)
    for worker in workers:
        worker.term()
    status = [bench.ours("ivr-status") for _ in range(replicas)]
    for worker in status:
        worker.wait_ready()
    time.sleep(4)
    spent = Spent(bench, status, listed)
    produce(bench, "CALLBACKS", callbacks(calls), rate)
    wait(lambda: bench.recorded() >= 4 * calls)
    bench.wait_events(6 * calls)
    spent.end(f"status, {name}", 4 * calls)
    for worker in status:
        worker.term()
    bench.simulator.term()


def idle(bench, replicas, listed, seconds=8):
    bench.fresh(0)
    for program in ("ivr-dispatch", "ivr-status"):
        workers = [bench.ours(program) for _ in range(replicas)]
        for worker in workers:
            worker.wait_ready()
        time.sleep(3)
        spent = Spent(bench, workers, listed)
        time.sleep(seconds)
        spent.end(f"{replicas} idle {program}", 0)
        for worker in workers:
            worker.term()
    bench.simulator.term()


def wait(done):
    deadline = time.monotonic() + 120
    while not done():
        assert time.monotonic() < deadline, "it does not come to its end"
        time.sleep(0.05)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["flat", "500", "50", "idle"])
    parser.add_argument("--calls", type=int, default=10000)
    parser.add_argument("--replicas", type=int, nargs="*", default=[1, 3])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ivr-bench-") as folder:
        bench = Bench(pathlib.Path(folder), args.calls)
        try:
            for listed in (False, True):
                if args.only in (None, "flat"):
                    paced(bench, "flat out", args.calls, 1e9, listed)
                if args.only in (None, "500"):
                    paced(bench, "500 a second", min(args.calls, 5000), 500, listed)
                if args.only in (None, "50"):
                    paced(bench, "50 a second", min(args.calls, 500), 50, listed)
                if args.only in (None, "idle"):
                    for replicas in args.replicas:
                        idle(bench, replicas, listed)
        finally:
            bench.close()


if __name__ == "__main__":
    main()
