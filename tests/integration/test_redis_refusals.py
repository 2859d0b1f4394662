"""Every no of Redis is heard: by /readyz, one log line and the person at ivrctl, in Redis' own words; and nothing is half done.

All workers run as the Redis user that deploy/README.md says is the least.
"""

import concurrent.futures
import contextlib
import pathlib
import shutil
import time

import pytest
from harness.paths import ROOT
from harness.pipeline import WORKERS, Services
from harness.redis_server import RedisServer
from harness.wait import wait_until

TOLD_S = 2.0
BACK_S = 5.0
SLACK_S = 1.5  # of a machine that is busy with others
PASSWORD = "a-password-of-redis"

pytestmark = pytest.mark.timeout(180)


def least_user(prefix):
    """The documented line, for this prefix."""
    line = next(line for line in (ROOT / "deploy" / "README.md").read_text().splitlines() if "~{ivr:" in line)
    words = line.strip().strip("`").split()
    assert words[:3] == ["ACL", "SETUSER", "ivr"]
    return [word.replace(">PASSWORD", f">{PASSWORD}").replace("{ivr:", "{" + prefix + ":") for word in words]


@pytest.fixture(scope="module")
def redis(workdir):
    server = RedisServer(workdir / "refusing-redis", "--enable-protected-configs", "yes")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def pipeline(broker, redis, make_module_pipeline):
    pipeline = make_module_pipeline(services=Services(broker, redis), start=False)
    redis.client.execute_command(*least_user(pipeline.name))
    pipeline.env["IVR_REDIS_URL"] = redis.url.replace("://", "://ivr@")
    pipeline.env["IVR_REDIS_PASSWORD"] = PASSWORD
    pipeline.start()
    known = pipeline.request()
    pipeline.wait_status(known, "Pending")
    pipeline.known = known
    return pipeline


# --- ways to say no: each begins it, and ends it at its exit ---------------------------------------------------------


@contextlib.contextmanager
def config(redis, name, wrong, right):
    redis.client.config_set(name, wrong)
    try:
        yield
    finally:
        redis.client.config_set(name, right)


@contextlib.contextmanager
def failing_save(redis):
    """The directory to save into is gone."""
    before = redis.client.config_get("dir")["dir"]
    gone = pathlib.Path(before) / "gone"
    gone.mkdir()
    redis.client.config_set("dir", str(gone))
    shutil.rmtree(gone)
    redis.client.config_set("save", "3600 1")
    redis.client.bgsave()
    wait_until(lambda: redis.client.info("persistence")["rdb_last_bgsave_status"] == "err", "the save to fail")
    try:
        yield
    finally:
        redis.client.config_set("save", "")
        redis.client.config_set("dir", before)


@contextlib.contextmanager
def replica(redis):
    redis.client.replicaof("127.0.0.1", 1)
    try:
        yield
    finally:
        redis.client.replicaof("NO", "ONE")


@contextlib.contextmanager
def user_without(redis, prefix, *rules):
    redis.client.execute_command("ACL", "SETUSER", "ivr", *rules)
    try:
        yield
    finally:
        redis.client.execute_command(*least_user(prefix)[:3], "reset", *least_user(prefix)[3:])


WAYS = {
    "OOM": lambda redis, prefix: config(redis, "maxmemory", "1mb", "0"),
    "NOREPLICAS": lambda redis, prefix: config(redis, "min-replicas-to-write", "1", "0"),
    "MISCONF": lambda redis, prefix: failing_save(redis),
    "READONLY": lambda redis, prefix: replica(redis),
    "NOPERM keys": lambda redis, prefix: user_without(redis, prefix, "resetkeys", "~another:*"),
    "NOPERM fcall": lambda redis, prefix: user_without(redis, prefix, "-fcall"),
    "NOPERM function": lambda redis, prefix: user_without(redis, prefix, "-function|load"),
    "NOPERM zadd": lambda redis, prefix: user_without(redis, prefix, "-zadd"),
    "NOPERM xadd and hincrby": lambda redis, prefix: user_without(redis, prefix, "-xadd", "-hincrby"),
    "maxmemory-policy": lambda redis, prefix: config(redis, "maxmemory-policy", "allkeys-lru", "noeviction"),
}
REFUSALS = [way for way in WAYS if way != "maxmemory-policy"]


def refusing(pipeline, redis, way):
    return WAYS[way](redis, pipeline.name)


# --- who hears it ----------------------------------------------------------------------------------------------------


def why_not(worker):
    response = worker.get("/readyz")
    return response.text if response.status_code == 503 else ""


def wait_told(pipeline, word, seconds):
    """Each of the four says the word within that time; how long it took."""
    began = time.monotonic()
    for kind in WORKERS:
        worker = pipeline.worker(kind)
        left = max(began + seconds + SLACK_S - time.monotonic(), 0.01)
        wait_until(lambda w=worker: word in why_not(w), lambda w=worker: f"{w.name} to say {word}: {why_not(w)!r}", left)
    return time.monotonic() - began


def lines_with(worker, word, since):
    return [line for line in worker.log()[since:] if word in line.get("error", "")]


def wait_all_ready(pipeline):
    for kind in WORKERS:
        pipeline.worker(kind).wait_ready(BACK_S + SLACK_S)


def run_all(pipeline, *commands, **options):
    """Several of ivrctl at once."""
    with concurrent.futures.ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(lambda words: pipeline.cli(*words, **options), commands))


def asked_of_redis(redis):
    return redis.client.info("stats")["total_commands_processed"]


@pytest.mark.parametrize("way", REFUSALS)
def test_a_refusal_is_heard_by_everybody_and_nothing_is_lost_by_it(pipeline, redis, way):
    word = way.split()[0]
    before = {kind: len(pipeline.worker(kind).log()) for kind in WORKERS}
    with refusing(pipeline, redis, way):
        wait_told(pipeline, word, TOLD_S)
        for kind in WORKERS:
            worker = pipeline.worker(kind)
            wait_until(lambda w=worker, k=kind: lines_with(w, word, before[k]), f"{kind} to log {word}", 1)
        requests_ = [pipeline.request() for _ in range(20)]
        pipeline.report(pipeline.known, "ringing")
        told = run_all(pipeline, ["call", "acme/never-sent"], ["campaign", "acme/never-sent"],
                       ["pause", "tenant", "globex"], ["dnc", "add", "globex", "+254722000111"])
        for done in told:
            assert done.code == 3 and word in done.err and done.out == "", done
        shown = pipeline.cli("channels")
        assert shown.code == 3 and word in shown.err and "main" in shown.out, shown
        assert pipeline.api("/v1/calls/acme/never-sent").status_code == 503
        assert not any(pipeline.provider.dials(request["to"]) for request in requests_)
    wait_all_ready(pipeline)
    for request in requests_:
        pipeline.placed(request)
    for request in requests_:
        pipeline.wait_status(request, "Pending")
        assert pipeline.provider.dials(request["to"]) == 1
    told = run_all(pipeline, ["call", "acme/never-sent"], ["resume", "tenant", "globex"])
    assert [done.code for done in told] == [1, 0]


def test_a_refusal_is_one_line_and_hardly_a_question_however_long_it_lasts(pipeline, redis):
    before = {kind: len(pipeline.worker(kind).log()) for kind in WORKERS}
    with refusing(pipeline, redis, "NOPERM zadd"):
        wait_told(pipeline, "NOPERM", TOLD_S)
        pipeline.report(pipeline.known, "ringing")
        requests_ = [pipeline.request() for _ in range(100)]
        time.sleep(1)
        asked = asked_of_redis(redis)
        time.sleep(2)
        rate = (asked_of_redis(redis) - asked) / 2
        assert rate < 40, f"{rate:.0f} commands a second are asked of a Redis that refuses"
        for kind in WORKERS:
            told = lines_with(pipeline.worker(kind), "NOPERM", before[kind])
            assert len(told) == 1, f"{kind} told it {len(told)} times: {told}"
    wait_all_ready(pipeline)
    for request in requests_:
        pipeline.placed(request)


def test_a_policy_that_is_changed_while_running_is_seen(pipeline, redis):
    with refusing(pipeline, redis, "maxmemory-policy"):
        wait_told(pipeline, "allkeys-lru", 10)
    wait_all_ready(pipeline)


def test_what_redis_knows_is_shown_although_it_takes_nothing(pipeline, redis):
    with refusing(pipeline, redis, "OOM"):
        wait_told(pipeline, "OOM", TOLD_S)
        known = f"acme/{pipeline.known['call_id']}"
        assert pipeline.cli("call", known, "--json").json()["status"] == "Pending"
        assert pipeline.call(pipeline.known)["status"] == "Pending"
    wait_all_ready(pipeline)


def test_who_is_not_let_in_is_told_by_ivrctl(pipeline, redis):
    """NOAUTH, WRONGPASS, no more clients: each with exit code 3 and Redis' own words."""
    command = ["call", "acme/never-sent"]
    wrong = pipeline.cli(*command, env={"IVR_REDIS_PASSWORD": "wrong"})
    assert wrong.code == 3 and "WRONGPASS" in wrong.err, wrong
    redis.client.config_set("requirepass", "somebody-s")
    try:
        none = pipeline.cli(*command, env={"IVR_REDIS_URL": redis.url, "IVR_REDIS_PASSWORD": None})
        assert none.code == 3 and "NOAUTH" in none.err, none
    finally:
        redis.client.config_set("requirepass", "")
    clients = redis.client.info("clients")["connected_clients"]
    redis.client.config_set("maxclients", clients)
    try:
        full = pipeline.cli(*command)
        assert full.code == 3 and "max number of clients" in full.err, full
    finally:
        redis.client.config_set("maxclients", 10000)
    nobody = pipeline.cli(*command, env={"IVR_REDIS_URL": "redis://127.0.0.1:9/0", "IVR_REDIS_PASSWORD": None})
    assert nobody.code == 3 and "refused" in nobody.err, nobody
