"""Kafka over TLS, with passwords, certificates and ACLs: it works with the least, and says what is wanting."""

import ctypes
import json
import os
import re
import time

import pytest

from harness.paths import BIN, ROOT
from harness.pipeline import Services
from harness.process import run
from harness.secure_broker import SecureBroker
from harness.usage import cpu_seconds
from harness.wait import wait_until

# Its own broker starts within the first test's time.
pytestmark = pytest.mark.timeout(180)

WORKERS = ("dispatch", "status", "report", "gateway")
PASSWORDS = {name: f"s3cret-of-{name}" for name in (*WORKERS, "toolbox", "newcomer", "nobody")}

# (resource, which, operation) that each needs and no more; the table in deploy/KAFKA.md says the same.
LEAST = {
    "dispatch": {
        ("topic", "CALL_REQUESTS", "READ"),
        ("topic", "CALL_EVENTS", "WRITE"),
        ("topic", "CALLBACKS", "WRITE"),
        ("topic", "DEAD_LETTERS", "WRITE"),
        ("topic", "CALL_RECORDS", "WRITE"),
        ("topic", "AUDIT", "WRITE"),
        ("group", "ivr-dispatch", "READ"),
    },
    "status": {
        ("topic", "CALLBACKS", "READ"),
        ("topic", "CALLBACKS", "WRITE"),
        ("topic", "CALL_EVENTS", "WRITE"),
        ("topic", "DEAD_LETTERS", "WRITE"),
        ("topic", "CALL_RECORDS", "WRITE"),
        ("topic", "AUDIT", "WRITE"),
        ("group", "ivr-status", "READ"),
    },
    "report": {
        ("topic", "CALL_EVENTS", "READ"),
        ("topic", "DELIVERY_SUMMARIES", "WRITE"),
        ("topic", "DEAD_LETTERS", "WRITE"),
        ("group", "ivr-report", "READ"),
    },
    "gateway": {
        ("topic", "CALLBACKS", "WRITE"),
        ("topic", "CALL_REQUESTS", "WRITE"),
        ("topic", "DEAD_LETTERS", "DESCRIBE"),
        ("topic", "AUDIT", "WRITE"),
    },
    "toolbox": {
        ("topic", "CALL_REQUESTS", "WRITE"),
        ("topic", "CALL_EVENTS", "READ"),
        ("topic", "DELIVERY_SUMMARIES", "READ"),
        ("topic", "DEAD_LETTERS", "READ"),
        ("topic", "CALL_RECORDS", "READ"),
        ("topic", "AUDIT", "READ"),
        ("topic", "AUDIT", "WRITE"),
    },
}

# Every command of ivrctl that deploy/README.md asks for, but those of the administrator of Kafka's topics.
OF_THE_ADMINISTRATOR = {"topics create"}
COMMANDS = set(re.findall(r"\bivrctl ((?:topics|dead-letters|tail|dnc) [a-z-]+|[a-z]+)", (ROOT / "deploy" / "README.md").read_text()))


@pytest.fixture(scope="module")
def broker(workdir):
    broker = SecureBroker(workdir / "secure-kafka", PASSWORDS)
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def services(broker, redis_server):
    return Services(broker, redis_server)


def with_password(broker, user, **changes):
    """The variables of SASL over TLS."""
    secret = broker.certificates.directory / f"{user}.password"
    if not secret.exists():  # a worker that was started a moment ago may be reading it
        secret.write_text(PASSWORDS.get(user, "of nobody") + "\n", encoding="ascii")
    variables = {
        "IVR_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{broker.sasl_port}",
        "IVR_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "IVR_KAFKA_SASL_MECHANISM": "PLAIN",
        "IVR_KAFKA_SASL_USERNAME": user,
        "IVR_KAFKA_SASL_PASSWORD_FILE": str(secret),
        "IVR_KAFKA_SSL_CA_LOCATION": str(broker.certificates.ca),
    }
    return variables | changes


def with_certificate(broker, user):
    """The variables of TLS where the client shows a certificate too, its key under a password."""
    certificate, key = broker.certificates.signed(user, password=PASSWORDS[user])
    return {
        "IVR_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{broker.tls_port}",
        "IVR_KAFKA_SECURITY_PROTOCOL": "SSL",
        "IVR_KAFKA_SSL_CA_LOCATION": str(broker.certificates.ca),
        "IVR_KAFKA_SSL_CERTIFICATE_LOCATION": str(certificate),
        "IVR_KAFKA_SSL_KEY_LOCATION": str(key),
        "IVR_KAFKA_SSL_KEY_PASSWORD": PASSWORDS[user],
    }


def named(pipeline, resource, which):
    return pipeline.topics[which] if resource == "topic" else f"{pipeline.name}.{which}"


def allow_the_least(broker, pipeline):
    for user, rules in LEAST.items():
        for resource, which, operation in rules:
            broker.allow(user, resource, named(pipeline, resource, which), operation)


def start_all(pipeline, variables):
    """One of each, under its own name."""
    workers = {kind: pipeline.start_worker(kind, **variables(kind)) for kind in WORKERS}
    for worker in workers.values():
        worker.wait_ready(60)
    pipeline.provider.behind(pipeline.public_url, workers["gateway"].gateway)
    return workers


def finish_the_call(pipeline, request):
    pipeline.report(request, "ringing", "in-progress", "completed", CallDuration=20)
    pipeline.wait_status(request, "Completed")
    pipeline.wait_summary(request, lambda s: s["by_status"]["Completed"] == 1, "a summary with the call")


def why_not(worker):
    return worker.get("/readyz").text


def wait_why(worker, *words, timeout=30):
    """Until /readyz says all these words."""
    wait_until(
        lambda: all(word in why_not(worker) for word in words),
        lambda: f"{words} in /readyz of {worker.name}, which says {why_not(worker)!r}\n{worker.tail()}",
        timeout,
    )


def no_secret_in_logs(pipeline, *secrets):
    for worker in pipeline.workers:
        for secret in (*PASSWORDS.values(), *secrets):
            assert secret not in worker.stderr() + worker.output(), f"{worker.name} tells {secret}"


def test_calls_run_over_sasl_and_tls_with_the_least_acls(broker, make_pipeline):
    pipeline = make_pipeline(start=False)
    allow_the_least(broker, pipeline)
    start_all(pipeline, lambda kind: with_password(broker, kind))
    finish_the_call(pipeline, pipeline.request())
    the_toolbox_does_what_the_runbook_asks(pipeline, with_password(broker, "toolbox"))
    no_secret_in_logs(pipeline)


def the_toolbox_does_what_the_runbook_asks(pipeline, toolbox):
    request = pipeline.new_request()
    pipeline.produce("CALL_REQUESTS", b"no JSON", key="x")
    asked = {
        "request": ("-",),
        "call": (f"acme/{request['call_id']}",),
        "campaign": (f"acme/{request['campaign']}",),
        "tail events": ("--from-beginning", "-n", "1"),
        "tail summaries": ("--from-beginning", "-n", "1"),
        "dead-letters list": ("-n", "1"),
        "pause": ("channel", "main"),
        "resume": ("channel", "main"),
        "channels": (),
    }
    assert COMMANDS - OF_THE_ADMINISTRATOR == set(asked), "deploy/README.md and this test name other commands"
    for command, words in asked.items():
        done = pipeline.cli(*command.split(), *words, stdin=json.dumps(request), env=toolbox)
        assert done.code == 0 and done.out, f"{command}: {done}"
        if command == "request":
            finish_the_call(pipeline, request)
    refused = pipeline.cli("topics", "create", env=toolbox | {"IVR_TOPIC_CALLBACKS": "new.one"})
    assert refused.code == 1 and "uthorization" in refused.out + refused.err, refused


def test_calls_run_where_both_sides_show_a_certificate(broker, make_pipeline):
    pipeline = make_pipeline(start=False)
    allow_the_least(broker, pipeline)
    start_all(pipeline, lambda kind: with_certificate(broker, kind))
    finish_the_call(pipeline, pipeline.request())
    no_secret_in_logs(pipeline)


def test_why_there_is_no_connection_is_told(broker, make_pipeline):
    pipeline = make_pipeline(start=False)
    broker.add_scram_user("scram", "s3cret-of-scram")
    broker.allow("scram", "topic", pipeline.topics["CALLBACKS"], "WRITE")
    for topic in ("CALL_REQUESTS", "DEAD_LETTERS"):
        broker.allow("scram", "topic", pipeline.topics[topic], "WRITE")
    stranger = str(broker.certificates.authority("stranger"))
    wrong = {"IVR_KAFKA_SASL_PASSWORD": "a-wr0ng-one", "IVR_KAFKA_SASL_PASSWORD_FILE": None}
    cases = (
        (wrong, "Authentication"),
        ({"IVR_KAFKA_SSL_CA_LOCATION": stranger}, "certificate is refused: unable to get local issuer"),
        ({"IVR_KAFKA_BOOTSTRAP_SERVERS": f"localhost:{broker.sasl_port}"}, "refused: hostname mismatch"),
    )
    started = [
        (pipeline.start_worker("gateway", **with_password(broker, "gateway", **changes)), words)
        for changes, words in cases
    ]
    scram = pipeline.start_worker("gateway", **scram_variables(broker))
    for worker, words in started:
        wait_why(worker, "Kafka does not answer", words)
    scram_works_or_says_why_not(scram)
    spent = {worker: cpu_seconds(worker.pid) for worker, _ in started}
    time.sleep(2)
    for worker, words in started:
        assert words in why_not(worker), why_not(worker)
        assert cpu_seconds(worker.pid) - spent[worker] < 0.5, f"{worker.name} does not wait between its tries"
    no_secret_in_logs(pipeline, "a-wr0ng-one", "s3cret-of-scram")


def scram_variables(broker):
    return with_password(
        broker,
        "scram",
        IVR_KAFKA_SASL_MECHANISM="SCRAM-SHA-512",
        IVR_KAFKA_SASL_PASSWORD="s3cret-of-scram",
        IVR_KAFKA_SASL_PASSWORD_FILE=None,
    )


def scram_works_or_says_why_not(worker):
    if ctypes.CDLL("librdkafka.so.1").rd_kafka_version() >= 0x02060100:
        worker.wait_ready()
    else:
        wait_why(worker, "refuse SCRAM from librdkafka before 2.6.1")


def test_an_acl_that_is_taken_away_is_named_and_its_return_seen(broker, make_pipeline):
    pipeline = make_pipeline(start=False)
    allow_the_least(broker, pipeline)
    workers = start_all(pipeline, lambda kind: with_password(broker, kind))
    topics = pipeline.topics
    finish_the_call(pipeline, pipeline.request())
    events, callbacks, group = topics["CALL_EVENTS"], topics["CALLBACKS"], f"{pipeline.name}.ivr-report"
    # Seen, but not to be read; not even seen; a group that is not ours; seen, but not to be written.
    broker.allow("status", "topic", callbacks, "DESCRIBE")
    broker.take_away("status", "topic", callbacks, "WRITE")
    broker.take_away("status", "topic", callbacks, "READ")
    broker.allow("newcomer", "topic", callbacks, "WRITE")
    broker.allow("newcomer", "topic", topics["DEAD_LETTERS"], "DESCRIBE")
    workers["newcomer"] = pipeline.start_worker("gateway", **with_password(broker, "newcomer"))
    broker.allow("dispatch", "topic", events, "DESCRIBE")
    broker.take_away("dispatch", "topic", events, "WRITE")
    broker.take_away("report", "group", group, "READ")
    request = pipeline.request()
    wait_why(workers["dispatch"], events, "writing (WRITE)")
    wait_why(workers["status"], callbacks, "reading (READ)")
    wait_why(workers["newcomer"], topics["CALL_REQUESTS"], "DESCRIBE")
    wait_why(workers["report"], "consumer group (READ)")
    broker.allow("status", "topic", callbacks, "READ", "WRITE")
    broker.allow("newcomer", "topic", topics["CALL_REQUESTS"], "WRITE")
    broker.allow("dispatch", "topic", events, "WRITE")
    broker.allow("report", "group", group, "READ")
    for worker in workers.values():
        worker.wait_ready(45)
    finish_the_call(pipeline, request)


def test_a_user_who_may_write_nowhere_is_told_and_not_restarted_in_a_loop(broker, make_pipeline):
    pipeline = make_pipeline(start=False)
    worker = pipeline.start_worker("gateway", **with_password(broker, "nobody"))
    wait_why(worker, pipeline.topics["DEAD_LETTERS"], "DESCRIBE")
    time.sleep(2)
    assert worker.alive(), worker.tail()


def test_check_names_the_variable(broker):
    def problem(**changes):
        env = {"PATH": os.environ["PATH"]} | with_password(broker, "report", **changes)
        done = run([BIN / "ivr-report", "--check"], env)
        assert done.code == 2, done
        return done.err

    assert "IVR_KAFKA_SSL_CA_LOCATION: cannot read /no/ca.pem: No such file" in problem(
        IVR_KAFKA_SSL_CA_LOCATION="/no/ca.pem"
    )
    assert "IVR_KAFKA_SSL_CA_LOCATION" in problem(IVR_KAFKA_SSL_CA_LOCATION="/etc/passwd")
    assert "IVR_KAFKA_SASL_PASSWORD_FILE" in problem(IVR_KAFKA_SASL_PASSWORD_FILE="/no/password")
    assert "IVR_KAFKA_SASL_USERNAME" in problem(IVR_KAFKA_SASL_USERNAME="")
    assert "IVR_KAFKA_SASL_MECHANISM" in problem(IVR_KAFKA_SASL_MECHANISM="")
    assert "IVR_KAFKA_SECURITY_PROTOCOL" in problem(IVR_KAFKA_SECURITY_PROTOCOL="tls")
    told = problem(IVR_KAFKA_SSL_KEY_PEM="s3cret-key")
    assert "IVR_KAFKA_SSL_KEY_PEM" in told and "s3cret-key" not in told


def test_the_readme_lists_the_least_acls():
    rows = re.findall(r"^\| `ivr-(\w+)` \| (\w+) \| `([\w.-]+)` \| (\w+) \|$", (ROOT / "deploy" / "KAFKA.md").read_text(), re.M)
    listed = {}
    for user, resource, name, operation in rows:
        which = name.removeprefix("ivr.").replace("-", "_").upper() if resource == "topic" else name
        listed.setdefault(user, set()).add((resource, which, operation))
    assert listed == LEAST
