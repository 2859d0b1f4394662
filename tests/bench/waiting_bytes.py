#!/usr/bin/env python3
"""What a call that waits in its channel's queue costs Redis: bytes, and microseconds of its one thread.

    make build/gen/scripts.h && build/venv/bin/python tests/bench/waiting_bytes.py [CALLS]

A Redis of its own, the scripts as the build embeds them, records in batches of 64 as workers send them.
"""

import pathlib
import sys
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "scripts"))

from conftest import Channel, Store, pack, private_redis  # noqa: E402

BATCH, SHARDS, TENANTS = 64, 64, 4
LINE_MS, DEFER_MS = 120000, 600000
REQUEST = ('{"call_id":"%s","tenant":"tenant%d","campaign_id":"spring-reminders","to":"+2547%08d","from":"+254200000000",'
           '"channel":"ke-main","priority":5,"max_attempts":3,"message":{"text":"Habari, miadi yako ni kesho saa nne asubuhi.",'
           '"language":"sw-KE"},"metadata":{"patient":"p-%08d","clinic":"north"}}')
IDENTITY = '"tenant":"tenant%d","call_id":"%s","campaign_id":"spring-reminders","to":"+2547%08d"'


def records(calls):
    """A request.lua record and its ticket each."""
    policy = pack([3, 1 << 4 | 1 << 6, [300, 1800], 0, 0])
    for n in range(calls):
        call, tenant = str(uuid.UUID(int=(n + 1) << 64 | n)), n % TENANTS
        request = REQUEST % (call, tenant, n, n)
        key = f"tenant{tenant}/{call}"
        yield [key, "f" * 16, f"tenant{tenant}/spring-reminders", "ke-main", "twilio", IDENTITY % (tenant, call, n), request[:300],
               policy, 0, 0, "", 15000, 0, "", "", 0, 30000], f"{key}/1"


def batches(values):
    return [values[i:i + BATCH] for i in range(0, len(values), BATCH)]


class Bench:
    def __init__(self, client):
        self.redis = client
        self.stores = [Store(client, shard=f"{{ivr:{n:02}}}") for n in range(SHARDS)]
        self.channel = Channel(client, self.stores[0].scripts, "{ivr:ch:ke-main}")
        self.bytes = self.used()

    def used(self):
        return self.redis.info("memory")["used_memory"]

    def step(self, name, calls, run):
        """Runs it, and prints what it left and what it took, a call each."""
        self.redis.config_resetstat()
        run()
        for store in self.stores:
            self.redis.delete(f"{store.shard}:out")
        before, self.bytes = self.bytes, self.used()
        stats = self.redis.info("commandstats")["cmdstat_fcall"]
        print(f"{name:38}{(self.bytes - before) / calls:10.0f} bytes{stats['usec'] / calls:9.2f} us a call"
              f"{stats['usec_per_call']:9.0f} us a batch")

    def sharded(self, script, rows):
        for shard, store in enumerate(self.stores):
            for batch in batches(rows[shard::SHARDS]):
                store.batch(script, batch)


def main(calls):
    with private_redis() as client:
        bench = Bench(client)
        channel, rows = bench.channel, list(records(calls))
        tickets = [ticket for _, ticket in rows]
        for store in bench.stores:
            store.due()
        channel.admit()
        channel.prove()
        for name in ("request", "defer"):
            bench.stores[0].batch(name, [])
        bench.bytes = bench.used()
        start = bench.bytes
        bench.step("stored (request.lua)", calls, lambda: bench.sharded("request", [row for row, _ in rows]))
        bench.step("ticket queued (admit.lua)", calls,
                   lambda: [channel.admit(queue=[(ticket, 5) for ticket in batch]) for batch in batches(tickets)])
        bench.step("put off (defer.lua)", calls, lambda: bench.sharded("defer", [[row[0], DEFER_MS] for row, _ in rows]))
        print(f"{'a waiting call, all of it':38}{(bench.bytes - start) / calls:10.0f} bytes")
        taken = []
        bench.step("taken, with send time and line", calls, lambda: drain(channel, calls, taken))
        assert sorted(taken) == sorted(tickets)
        bench.step("lines released (release.lua)", calls, lambda: [channel.release(*batch) for batch in batches(taken)])


def drain(channel, calls, taken):
    """As a worker does it: what was claimed is said with the next call."""
    before = []
    while len(taken) < calls:
        found = channel.admit(want=BATCH, slots=BATCH, lines=1000000, done=[(ticket, LINE_MS) for ticket in before], ok=1)
        before = found.tickets
        taken += before
    channel.admit(done=[(ticket, LINE_MS) for ticket in before])


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20000)
