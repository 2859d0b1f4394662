#!/usr/bin/env python3
"""Whether a call costs the same in a large campaign as in a small one, with many campaigns and many channels, and what a
second replica adds.

    make bench-growth                    about ten minutes: up to a million calls
    make bench-growth CALLS=100000       shorter
    build/venv/bin/python tests/bench/growth.py --only channels

Each figure is CPU seconds for 1,000 calls, of the dispatch worker and of Redis, at a provider that answers at once.
"""

import argparse
import json
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from harness.usage import cpu_seconds  # noqa: E402
from run import Bench, requests, say  # noqa: E402

WINDOW = 20000  # calls that a figure is of: of fewer the clock ticks of CPU time are too coarse
SPREADS = (1, 10, 100, 1000)
SLOW_MS, IN_FLIGHT = 2000, 500


def spread(calls, campaigns=1, channels=1):
    """The requests of run.py, in turn of so many campaigns, on so many channels."""
    for i, (key, value, headers) in enumerate(requests(calls)):
        request = json.loads(value)
        request |= {"campaign": f"campaign-{i % campaigns}", "channel": f"channel-{i % channels}"}
        yield key, json.dumps(request), headers


class Growth:
    def __init__(self, bench):
        self.bench, self.rows = bench, []

    def spent(self, worker):
        return time.monotonic(), cpu_seconds(worker.pid), cpu_seconds(self.bench.redis.process.pid)

    def placements(self):
        return self.bench.simulator.stats()["placements"]

    def wait_placed(self, worker, calls):
        """(the moment's figures, how many calls it is by then)"""
        deadline = time.monotonic() + 900
        while (placed := self.placements()) < calls:
            assert worker.alive() and time.monotonic() < deadline, f"{placed} of {calls}\n{worker.output()[-3000:]}"
            time.sleep(0.02)
        return self.spent(worker), placed

    def window(self, worker, what, n, begin, end):
        """One figure: what the calls between two moments cost."""
        (before, first), (after, last) = self.wait_placed(worker, begin), self.wait_placed(worker, end)
        _, cpu, redis = ((b - a) / (last - first) * 1000 for a, b in zip(before, after))
        self.rows.append({"run": what, "n": n, "cpu_1k": cpu, "redis_cpu_1k": redis})
        say(f"{what:10} {n:9,}   dispatch {cpu:.4f} s   redis {redis:.4f} s")

    def finish(self, worker, calls):
        """Every call was dialled, once, and has its two events."""
        self.wait_placed(worker, calls)
        stats = self.bench.simulator.stats()
        assert stats["dialled_again_by_attempt"] == 0 and stats["placements"] == calls, stats
        self.bench.wait_events(2 * calls)
        assert worker.term() == 0, worker.output()[-3000:]
        self.bench.simulator.term()

    def start(self, calls, latency_ms=0, channels=1, replicas=1, in_flight=512, **kinds):
        bench = self.bench
        bench.fresh(latency_ms, [f"channel-{n}" for n in range(channels)])
        bench.fill("CALL_REQUESTS", spread(calls, channels=channels, **kinds))
        return [bench.ours("ivr-dispatch", {"IVR_MAX_IN_FLIGHT": str(in_flight)}) for _ in range(replicas)]

    def calls(self, most):
        """One campaign that grows: what the next 20,000 calls cost once it has so many."""
        sizes = [n for n in (1000, 10000, 100000, 1000000) if n <= most]
        total = max(sizes[-1], 2 * WINDOW)
        worker, = self.start(total)
        for n in sizes:
            begin = min(n, total - WINDOW)
            self.window(worker, "calls", n, begin, begin + WINDOW)
        self.finish(worker, total)

    def campaigns(self):
        for n in SPREADS:
            worker, = self.start(2 * WINDOW, campaigns=n)
            self.window(worker, "campaigns", n, WINDOW // 2, 2 * WINDOW)
            self.finish(worker, 2 * WINDOW)

    def channels(self):
        for n in SPREADS:
            worker, = self.start(2 * WINDOW, channels=n)
            self.window(worker, "channels", n, WINDOW // 2, 2 * WINDOW)
            self.finish(worker, 2 * WINDOW)

    def replicas(self):
        """Calls a second at a provider that takes two seconds: what is in flight limits one replica, the next adds its own."""
        rates = {}
        for n in (1, 2):
            calls = 20 * IN_FLIGHT * n
            workers = self.start(calls, latency_ms=SLOW_MS, replicas=n, in_flight=IN_FLIGHT)
            (before, first), (after, last) = (self.wait_placed(workers[0], calls * part // 20) for part in (5, 18))
            rates[n] = (last - first) / (after[0] - before[0])
            say(f"replicas   {n:9}   {rates[n]:6.0f} calls a second")
            for worker in workers[1:]:
                self.wait_placed(worker, calls)
                assert worker.term() == 0, worker.output()[-3000:]
            self.finish(workers[0], calls)
        self.rows.append({"run": "replicas", "n": 2, "times": rates[2] / rates[1]})
        say(f"replicas   two do {rates[2] / rates[1]:.2f} times the work of one")

    def flat(self):
        """The dearest of each kind as a multiple of its first."""
        for what in dict.fromkeys(row["run"] for row in self.rows if "cpu_1k" in row):
            rows = [row for row in self.rows if row["run"] == what]
            most = {figure: max(row[figure] for row in rows) / rows[0][figure] for figure in ("cpu_1k", "redis_cpu_1k")}
            say(f"{what:10} at most {most['cpu_1k']:.2f} times the first (dispatch), {most['redis_cpu_1k']:.2f} (redis)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000000, help="the largest campaign")
    parser.add_argument("--only", choices=["calls", "campaigns", "channels", "replicas"])
    parser.add_argument("--json", help="also write the figures to this file")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ivr-growth-") as folder:
        bench = Bench(pathlib.Path(folder), args.calls)
        growth = Growth(bench)
        try:
            for name, run in (("calls", lambda: growth.calls(args.calls)), ("campaigns", growth.campaigns),
                              ("channels", growth.channels), ("replicas", growth.replicas)):
                if args.only in (None, name):
                    run()
        finally:
            bench.close()
        growth.flat()
        if args.json:
            pathlib.Path(args.json).write_text(json.dumps(growth.rows, indent=2))


if __name__ == "__main__":
    main()
