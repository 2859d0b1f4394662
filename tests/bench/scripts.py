#!/usr/bin/env python3
"""What one record costs Redis in each script, at several batch sizes: CPU of the redis-server process, fed through `redis-cli --pipe`.

(redis-benchmark cannot send these records: its -x ends an argument at the first zero byte.)
"""

import pathlib
import subprocess
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "integration"), str(TESTS / "scripts")]

import msgpack  # noqa: E402
from harness.redis_server import RedisServer  # noqa: E402
from harness.usage import cpu_seconds  # noqa: E402
from library import Library  # noqa: E402

CONFIG = [7 * 86400000, 86400000, 3600000, 900000]
IDENTITY = ('"tenant":"bench","campaign":"campaign","call_id":"0192f1c4-7a00-7000-8000-000000000000","to":"+2547****0001",'
            '"metadata":{"farmer":"1","region":"Rift Valley"}')
REQUEST = '{"call_id":"0192f1c4-7a00-7000-8000-000000000000","tenant":"bench","to":"+254700000001","message":{"play":"https://x"}}' * 2
# When the calls were requested. A fixed date would be older than the retention one day: refusals would be measured.
BEGIN_MS = int(time.time() * 1000)
# What each script must answer of a record: a measurement of something else is none.
RECORDED, REPEATED, PENDING, COMPLETED = 0, 8, 1, 7
ANSWERS = {"request": b"claimed", "outcome": RECORDED, "dialing": RECORDED + PENDING, "ringing": REPEATED + PENDING,
           "answered": RECORDED + COMPLETED, "completed": RECORDED + COMPLETED}


def pack(value):
    return msgpack.packb(value, use_bin_type=False)


def evidence(status=0, terminal=0, hops=0, after_s=0, talk=-1, code=""):
    return [status, terminal, hops, BEGIN_MS + after_s * 1000, 0, -1, talk, -1, "", 0, code, "", "", "CA" + "0" * 32, 0]


def records(name, i):
    call = f"bench/0192f1c4-7a00-7000-8000-{i:012}"
    policy = pack([3, 112, [300, 1800], 0, 0])
    if name == "request":
        return [call, "f" * 16, "bench/campaign", "main", "twilio", IDENTITY, REQUEST, policy, BEGIN_MS, 0, "t" * 16,
                15000, 0, "", "", 60000, 0]
    if name == "outcome":
        return [call, 1, "t" * 16, "accepted", evidence(1, 0, 1), 0, 1, "", "main", "twilio"]
    step = {"dialing": evidence(0, 0, 2), "ringing": evidence(0, 0, 2, 1), "answered": evidence(7, 0, 4, 10),
            "completed": evidence(7, 1, 28, 20, 31)}[name]
    return [call, 1, "main", "twilio", step, 1, ""]


def resp(args):
    out = [b"*%d\r\n" % len(args)]
    for arg in args:
        arg = arg if isinstance(arg, bytes) else str(arg).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(arg), arg))
    return b"".join(out)


def table(folder, calls=20000, batches=(1, 4, 16, 64)):
    print(f"{'batch':>6}" + "".join(f"{n:>11}" for n in STEPS))
    for batch in batches:
        redis = RedisServer(pathlib.Path(folder) / f"redis{batch}")
        row = f"{batch:6}"
        for name in STEPS:
            row += f"{cost(redis, name, calls - calls % batch, batch):11.1f}"
        print(row, flush=True)
        redis.stop()


def cost(redis, name, calls, batch):
    """Microseconds of Redis' CPU a record, of so many calls in batches."""
    script = name if name in ("request", "outcome") else "evidence"
    function = Library(redis.client).function(script)
    probe(redis, function, name, calls)
    stream = b"".join(
        resp(["FCALL", function, 1, "{ivr:00}", pack(CONFIG), *(pack(records(name, i)) for i in range(first, first + batch))])
        for first in range(0, calls, batch))
    before = cpu_seconds(redis.process.pid)
    done = subprocess.run(["redis-cli", "-p", str(redis.port), "--pipe"], input=stream, capture_output=True, check=True)
    assert b"errors: 0" in done.stdout, done.stdout
    return (cpu_seconds(redis.process.pid) - before) / calls * 1e6


def probe(redis, function, name, i):
    """Of one call, what the script says of it: redis-cli --pipe swallows it."""
    _, _, results = redis.client.fcall(function, 1, "{ivr:00}", pack(CONFIG), pack(records(name, i)))
    answer = msgpack.unpackb(results, raw=True)[0]
    answer = answer[0] if isinstance(answer, list) else answer
    assert answer == ANSWERS[name], f"{name} is not what is measured: Redis says {answer}, not {ANSWERS[name]}"


STEPS = ("request", "outcome", "dialing", "ringing", "answered", "completed")

if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="ivr-bench-") as scratch:
        table(scratch)
