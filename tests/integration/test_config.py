"""Configuration: what is wrong is said at once, by name; a bad file while running changes nothing."""

import json
import signal

import pytest

from harness import twilio
from harness.paths import BIN
from harness.ports import free_port
from harness.pipeline import WORKERS, Services
from harness.process import Process, run, wrapped
from harness.redis_server import RedisServer
from harness.wait import wait_until

PROGRAMS = ["ivr-dispatch", "ivr-status", "ivr-report", "ivr-gateway", "ivrctl", "ivr-sandbox"]
RUNNING = ["ivr-dispatch", "ivr-status", "ivr-report", "ivr-gateway"]


@pytest.fixture
def base(tmp_path):
    """An environment in which --check finds nothing to complain about."""
    channel = {
        "provider": "twilio",
        "from": "+254711082000",
        "credentials": {"account_sid": twilio.ACCOUNT_SID, "auth_token": twilio.AUTH_TOKEN},
    }
    path = tmp_path / "channels.json"
    path.write_text(json.dumps({"channels": {"main": channel}, "default_channel": "main"}), encoding="utf-8")
    return {"PATH": "/usr/bin:/bin", "IVR_CHANNELS": str(path), "IVR_PUBLIC_URL": "https://ivr.example.test"}


def check(program, env, **changes):
    return run([BIN / program, "--check"], env | changes)


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_and_version(program):
    shown = run([BIN / program, "--help"], env={})
    assert shown.code == 0 and program in shown.out and "--check" in shown.out, shown
    version = run([BIN / program, "--version"], env={})
    assert version.code == 0 and any(character.isdigit() for character in version.out), version


@pytest.mark.parametrize("program", RUNNING)
def test_help_names_every_variable_of_the_contract(program):
    shown = run([BIN / program, "--help"], env={}).out
    for name in (
        "IVR_KAFKA_BOOTSTRAP_SERVERS", "IVR_REDIS_URL", "IVR_REDIS_PREFIX", "IVR_REDIS_SHARDS", "IVR_REDIS_REPLICAS",
        "IVR_CHANNELS", "IVR_TOPIC_CALL_REQUESTS", "IVR_GROUP_ID", "IVR_MAX_IN_FLIGHT", "IVR_ADMIN_LISTEN",
        "IVR_GATEWAY_LISTEN", "IVR_PUBLIC_URL", "IVR_REPORT_INTERVAL", "IVR_PENDING_CHECK", "IVR_PENDING_LIMIT",
        "IVR_DRAIN_TIMEOUT", "IVR_RETENTION", "IVR_LOG_LEVEL", "IVR_LOG_FORMAT", "IVR_PII", "IVR_GIVE_UP",
        "IVR_UNKNOWN_CALLBACK_KEEP", "IVR_API_TOKEN", "IVR_PII_KEY",
        "IVR_TOPIC_PREFIX", "IVR_TOPIC_CALL_RECORDS", "IVR_TOPIC_AUDIT", "IVR_PII_METADATA", "IVR_ACTOR",
    ):  # fmt: skip
        assert name in shown, f"{program} --help does not mention {name}"


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_unknown_option_is_exit_2(program, base):
    shown = run([BIN / program, "--frobnicate"], base)
    assert shown.code == 2 and "frobnicate" in shown.err, shown


@pytest.mark.parametrize("program", PROGRAMS)
def test_check_of_a_good_configuration_is_exit_0(program, base):
    assert check(program, base).code == 0, check(program, base)


WRONG = [
    ("IVR_REPORT_INTERVAL", "5"),
    ("IVR_REPORT_INTERVAL", "5 s"),
    ("IVR_REPORT_INTERVAL", "-5s"),
    ("IVR_REPORT_INTERVAL", "5y"),
    ("IVR_REPORT_INTERVAL", "99999999999999999999d"),
    ("IVR_DRAIN_TIMEOUT", "soon"),
    ("IVR_PENDING_CHECK", "15"),
    ("IVR_RETENTION", "0x7d"),
    ("IVR_MAX_IN_FLIGHT", "many"),
    ("IVR_MAX_IN_FLIGHT", "0"),
    ("IVR_MAX_IN_FLIGHT", "10 000"),
    ("IVR_REDIS_SHARDS", "0"),
    ("IVR_REDIS_SHARDS", "sixteen"),
    ("IVR_REDIS_REPLICAS", "-1"),
    ("IVR_REDIS_URL", "localhost:6379"),
    ("IVR_REDIS_URL", "http://localhost:6379"),
    ("IVR_LOG_LEVEL", "loud"),
    ("IVR_LOG_FORMAT", "xml"),
    ("IVR_PII", "hide"),
    ("IVR_PUBLIC_URL", "ivr.example.test"),
    ("IVR_ADMIN_LISTEN", "nowhere"),
    ("IVR_ADMIN_LISTEN", "127.0.0.1:99999"),
    ("IVR_KAFKA_NO_SUCH_PROPERTY", "1"),
    ("IVR_KAFKA_SESSION_TIMEOUT_MS", "long"),
    ("IVR_KAFKA_ENABLE_AUTO_COMMIT", "true"),
    ("IVR_KAFKA_ENABLE_AUTO_OFFSET_STORE", "true"),
    ("IVR_KAFKA_ACKS", "1"),
    ("IVR_KAFKA_ENABLE_IDEMPOTENCE", "false"),
    ("IVR_KAFKA_AUTO_OFFSET_RESET", "latest"),
    ("IVR_API_TOKEN_FILE", "/no/such/file"),
]


@pytest.mark.parametrize("name, value", WRONG, ids=lambda text: text.replace("/", "_"))
def test_a_wrong_value_is_exit_2_and_names_its_variable(base, name, value):
    for shown in (check("ivr-dispatch", base, **{name: value}), run([BIN / "ivr-dispatch"], base | {name: value})):
        assert shown.code == 2, shown
        assert name in shown.err + shown.out, shown


def test_hashed_numbers_need_a_key(base):
    shown = check("ivr-dispatch", base, IVR_PII="hash")
    assert shown.code == 2 and "IVR_PII_KEY" in shown.err, shown
    assert check("ivr-dispatch", base, IVR_PII="hash", IVR_PII_KEY="k" * 32).code == 0


def test_all_that_is_wrong_is_said_at_once(base):
    shown = check("ivr-status", base, IVR_REPORT_INTERVAL="5", IVR_LOG_LEVEL="loud", IVR_KAFKA_ACKS="0")
    assert shown.code == 2
    for name in ("IVR_REPORT_INTERVAL", "IVR_LOG_LEVEL", "IVR_KAFKA_ACKS"):
        assert name in shown.err, shown


def test_an_unknown_variable_is_a_warning_that_names_it(base):
    shown = check("ivr-dispatch", base, IVR_REPORT_INTERVALL="5s")
    assert shown.code == 0 and "IVR_REPORT_INTERVALL" in shown.err, shown


def test_an_empty_variable_counts_as_unset(base):
    assert check("ivr-dispatch", base, IVR_REPORT_INTERVAL="", IVR_LOG_LEVEL="", IVR_API_TOKEN="").code == 0


def test_a_property_of_librdkafka_can_be_set(base):
    assert check("ivr-dispatch", base, IVR_KAFKA_SESSION_TIMEOUT_MS="7000", IVR_KAFKA_LINGER_MS="2").code == 0


def test_a_secret_is_never_printed(base, tmp_path):
    secret = tmp_path / "token"
    secret.write_text("tell-nobody\n", encoding="utf-8")
    env = base | {"IVR_API_TOKEN_FILE": str(secret), "IVR_REDIS_URL": "redis://user:hush-hush@127.0.0.1:1/0"}
    for args in (["--check"], ["--check", "--verbose"], ["--help"]):
        shown = run([BIN / "ivr-gateway", *args], env)
        for word in ("tell-nobody", "hush-hush", twilio.AUTH_TOKEN):
            assert word not in shown.out + shown.err, shown


def changed(channel_changes=None, **top):
    channel = {
        "provider": "twilio",
        "from": "+254711082000",
        "credentials": {"account_sid": twilio.ACCOUNT_SID, "auth_token": twilio.AUTH_TOKEN},
    }
    channel = {name: value for name, value in (channel | (channel_changes or {})).items() if value is not None}
    return json.dumps({"channels": {"main": channel}, "default_channel": "main"} | top)


def hours(**changes):
    """A file whose default hours for Kenya are these."""
    return changed(calling_hours={"254": {"timezone": "Africa/Nairobi", "from": "08:00", "to": "20:00"} | changes})


BAD_FILES = {
    "no JSON": ("{", "channels.json"),
    "empty": ("", "channels.json"),
    "no channels": ("{}", "channels"),
    "channels a list": ('{"channels": []}', "channels"),
    "unknown provider": (changed({"provider": "pigeon"}), "pigeon"),
    "provider missing": (changed({"provider": None}), "main.provider"),
    "credentials missing": (changed({"credentials": None}), "main.credentials"),
    "auth_token missing": (changed({"credentials": {"account_sid": "AC1"}}), "auth_token"),
    "secret from a missing file": (
        changed({"credentials": {"account_sid": "AC1", "auth_token": {"file": "/no/such/secret"}}}),
        "/no/such/secret",
    ),
    "secret from an unset variable": (
        changed({"credentials": {"account_sid": "AC1", "auth_token": {"env": "NO_SUCH_SECRET"}}}),
        "NO_SUCH_SECRET",
    ),
    "from no number": (changed({"from": "0711082000"}), "main.from"),
    "timeout without unit": (changed({"request_timeout": "10"}), "request_timeout"),
    "timeout a number": (changed({"request_timeout": 10}), "request_timeout"),
    "negative rate": (changed({"calls_per_second": -1}), "main.calls_per_second"),
    "less than a call in ten seconds": (changed({"calls_per_second": 0.05}), "main.calls_per_second"),
    "no line": (changed({"concurrent_calls": 0}), "main.concurrent_calls"),
    "concurrent_calls a string": (changed({"concurrent_calls": "5"}), "concurrent_calls"),
    "plain http": (changed({"base_url": "http://api.example.test"}), "base_url"),
    "base_url no URL": (changed({"base_url": "api.example.test"}), "base_url"),
    "default_channel unknown": (changed(default_channel="other"), "default_channel"),
    "calling_hours of nowhere": (hours(timezone="Africa/Nairobbi"), "calling_hours.254.timezone"),
    "calling_hours of no length": (hours(to="08:00"), "calling_hours.254.to"),
    "calling_hours on no day": (hours(days=[]), "calling_hours.254.days"),
    "calling_hours until past midnight": (hours(to="24:30"), "calling_hours.254.to"),
    "calling_hours of no country": (changed(calling_hours={"KE": {}}), "calling_hours"),
    "calling_hours within a channel": (changed({"calling_hours": {}}), "main.calling_hours"),
    "fallback unknown": (changed({"fallback": ["other"]}), "main.fallback"),
    "fallback to itself": (changed({"fallback": ["main"]}), "main.fallback"),
    "one_call_per_number a string": (changed({"one_call_per_number": "no"}), "main.one_call_per_number"),
    "a tenant without a line": (changed(tenants={"acme": {"concurrent_calls": 0}}), "tenants.acme.concurrent_calls"),
    "a tenant with a setting that is none": (changed(tenants={"acme": {"lines": 5}}), "tenants.acme.lines"),
    "tenants within a channel": (changed({"tenants": {}}), "main.tenants"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_channels_file_is_exit_2_and_names_file_and_field(base, name):
    text, field = BAD_FILES[name]
    with open(base["IVR_CHANNELS"], "w", encoding="utf-8") as file:
        file.write(text)
    for program in ("ivr-dispatch", "ivr-gateway"):
        shown = check(program, base)
        assert shown.code == 2, shown
        assert "channels.json" in shown.err and field in shown.err, shown
        assert twilio.AUTH_TOKEN not in shown.err


def test_a_missing_channels_file_is_exit_2_and_named(base):
    shown = check("ivr-dispatch", base, IVR_CHANNELS="/no/such/channels.json")
    assert shown.code == 2 and "/no/such/channels.json" in shown.err, shown


def test_plain_http_is_allowed_where_it_is_asked_for_or_on_loopback(base):
    for changes in ({"base_url": "http://api.example.test", "insecure": True}, {"base_url": "http://127.0.0.1:8080"}):
        with open(base["IVR_CHANNELS"], "w", encoding="utf-8") as file:
            file.write(changed(changes))
        assert check("ivr-dispatch", base).code == 0, check("ivr-dispatch", base)


# --- while running -------------------------------------------------------------------------------------------------


def test_sighup_reads_the_channels_file_again_and_a_bad_one_leaves_the_old(make_pipeline):
    pipeline = make_pipeline({"main": {}})
    for worker in pipeline.workers:
        worker.send(signal.SIGHUP)
    pipeline.channels_path.write_text('{"channels": {"main": {"provider": "pigeon"}}}', encoding="utf-8")
    for kind in ("dispatch", "gateway"):
        worker = pipeline.worker(kind)
        worker.send(signal.SIGHUP)
        worker.wait_log(lambda line: "pigeon" in json.dumps(line), "the complaint about the file")
    request = pipeline.request()
    pipeline.report(request, "completed")
    pipeline.wait_final(request, "Completed")

    pipeline.write_channels({"main": {}, "added": {"from": "+254711082777"}})
    pipeline.reload()

    def placed_on_the_new_channel():
        attempt = pipeline.request(channel="added")  # before the reload is done this is an unknown channel
        wait_until(
            lambda: (
                pipeline.provider.dials(attempt["to"])
                or pipeline.dead_letters(lambda record: attempt["call_id"].encode() in record.value)
            ),
            "a dial or a dead letter",
        )
        return pipeline.provider.placements(attempt["to"])

    placements = wait_until(placed_on_the_new_channel, "the added channel to be used")
    assert placements[0].sender == "+254711082777"
    assert all(worker.alive() for worker in pipeline.workers)


def test_readyz_names_a_missing_topic(make_pipeline):
    pipeline = make_pipeline(start=False, env={"IVR_TOPIC_CALL_EVENTS": "no.such.topic"})
    worker = pipeline.start_worker("dispatch")
    wait_until(lambda: "no.such.topic" in worker.get("/readyz").text, "the missing topic in /readyz")
    assert worker.get("/readyz").status_code == 503
    assert worker.get("/healthz").status_code == 200


@pytest.mark.parametrize("kind", WORKERS)
def test_readyz_says_that_redis_does_not_answer(make_pipeline, kind):
    pipeline = make_pipeline(start=False, env={"IVR_REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"})
    worker = pipeline.start_worker(kind)
    wait_until(lambda: "redis" in worker.get("/readyz").text.lower(), "Redis in /readyz")
    assert worker.get("/readyz").status_code == 503
    assert worker.alive()


@pytest.fixture
def own_redis(broker, workdir):
    """A Redis that a test may freeze or configure; it outlives the pipeline that uses it."""
    redis = RedisServer(workdir / f"redis-{free_port()}")
    yield Services(broker, redis)
    redis.process.thaw()
    redis.stop()


def test_a_redis_that_may_evict_is_not_ready(own_redis, make_pipeline):
    own_redis.redis.client.config_set("maxmemory-policy", "allkeys-lru")
    pipeline = make_pipeline(start=False, services=own_redis)
    worker = pipeline.start_worker("dispatch")
    wait_until(lambda: "noeviction" in worker.get("/readyz").text, "maxmemory-policy in /readyz")
    assert worker.get("/readyz").status_code == 503
    own_redis.redis.client.config_set("maxmemory-policy", "noeviction")
    worker.wait_ready()


def test_another_number_of_shards_than_at_the_first_start_is_exit_2(make_pipeline):
    pipeline = make_pipeline(start=("dispatch",))
    for kind in WORKERS:
        other = pipeline.start_worker(kind, IVR_REDIS_SHARDS="8")
        assert other.wait(20) == 2, other.tail()
        assert "IVR_REDIS_SHARDS" in other.stderr()


def test_a_worker_with_another_number_of_shards_does_nothing_before_it_ends(make_pipeline):
    pipeline = make_pipeline()
    requests = [pipeline.request() for _ in range(20)]
    for request in requests:
        pipeline.wait_status(request, "Pending")
    # A group of its own reads every request again, and would not find its call in the shards that it believes in.
    wrong = pipeline.start_worker("dispatch", IVR_REDIS_SHARDS="8", IVR_GROUP_ID=pipeline.name + ".again")
    assert wrong.wait(15) == 2
    assert all(pipeline.provider.dials(request["to"]) == 1 for request in requests)


def test_two_on_one_port_is_a_clear_error(make_pipeline):
    pipeline = make_pipeline(start=("gateway",))
    taken = pipeline.worker("gateway").gateway.removeprefix("http://")
    env = pipeline.worker_env("ivr-gateway") | {"IVR_GATEWAY_LISTEN": taken}
    other = Process("second-gateway", wrapped([BIN / "ivr-gateway"]), pipeline.directory, env)
    assert other.wait(20) in (1, 2)
    assert taken.rsplit(":", 1)[-1] in other.stderr()


def test_a_worker_waits_for_a_redis_that_comes_back(own_redis, make_pipeline):
    pipeline = make_pipeline(services=own_redis)
    before = pipeline.request()
    pipeline.wait_status(before, "Pending")
    own_redis.redis.process.freeze()
    during = pipeline.request()
    wait_until(lambda: not pipeline.worker("dispatch").ready(), "dispatch to say that it is not ready", 20)
    own_redis.redis.process.thaw()
    pipeline.wait_status(during, "Pending", timeout=30)
    pipeline.report(during, "completed")
    pipeline.wait_final(during, "Completed")
    assert pipeline.provider.dials(during["to"]) == 1
