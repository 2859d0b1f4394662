"""Lag falls to 0, as Kafka's own tools see it and as our metric says, also where the last records of a partition are a
transaction's: what scales workers by their lag would never rest."""

import json
import threading
import time

import pytest
from confluent_kafka import Producer

from harness.provider import accept, hold
from harness.wait import wait_until

ENV = {"IVR_MAX_IN_FLIGHT": "1"}  # one call on its way makes it full
HOLD_AFTER = 1  # seconds that a full worker leaves its partitions fetching (common/kafka/kafka_consumer.c)
READERS = {"CALL_REQUESTS": "dispatch", "CALLBACKS": "status", "CALL_EVENTS": "report"}

pytestmark = pytest.mark.timeout(90)


@pytest.fixture(scope="module")
def transactions(pipeline):
    producer = Producer(
        {"bootstrap.servers": pipeline.services.broker.bootstrap, "transactional.id": pipeline.name, "log_level": 0}
    )
    producer.init_transactions(15)
    return producer


def send(pipeline, transactions, kind, values, abort=False):
    """One transaction of these records, all of them in partition 0, which ends with its marker."""
    before = pipeline.ends(kind).get(0, 0)
    transactions.begin_transaction()
    for value in values:
        key = value["call_id"].encode() if "call_id" in value else b"none"
        transactions.produce(pipeline.topics[kind], json.dumps(value).encode(), key=key, partition=0)
    transactions.flush(15)
    if abort:
        transactions.abort_transaction(15)
    else:
        transactions.commit_transaction(15)
    end = before + len(values) + 1
    wait_until(lambda: pipeline.ends(kind).get(0, 0) >= end, "the transaction's marker", 10)


def lag(pipeline, kind):
    """As the process says that reads the topic."""
    return pipeline.worker(READERS[kind]).metrics().value("ivr_consumer_lag", topic=pipeline.topics[kind])


def wait_rest(pipeline, kind):
    pipeline.wait_committed(f"ivr-{READERS[kind]}", kind)
    wait_until(lambda: lag(pipeline, kind) == 0, lambda: f"lag of {kind} to be 0, not {lag(pipeline, kind)}", 10)


@pytest.mark.parametrize("kind", READERS)
def test_lag_falls_after_an_aborted_transaction(pipeline, transactions, kind):
    """Also in a partition that never held anything else."""
    send(pipeline, transactions, kind, [{"never": "read"}] * 3, abort=True)
    wait_rest(pipeline, kind)
    assert not pipeline.dead_letters(), "records of an aborted transaction were read"
    assert pipeline.committed(f"ivr-{READERS[kind]}", kind)[0] == 4


def test_lag_falls_after_requests_in_a_transaction(pipeline, transactions):
    requests = [pipeline.new_request() for _ in range(3)]
    send(pipeline, transactions, "CALL_REQUESTS", requests)
    for request in requests:
        pipeline.placed(request)
    wait_rest(pipeline, "CALL_REQUESTS")
    send(pipeline, transactions, "CALL_REQUESTS", [pipeline.new_request()], abort=True)
    wait_rest(pipeline, "CALL_REQUESTS")
    request = pipeline.new_request()
    pipeline.send(request, partition=0)
    pipeline.placed(request)
    wait_rest(pipeline, "CALL_REQUESTS")
    for kind in READERS:
        wait_rest(pipeline, kind)


def test_a_request_before_a_marker_is_not_committed_before_it_is_done(pipeline, transactions):
    """The end of a partition is no leave to pass what is still being worked on."""
    request, held = pipeline.new_request(), pipeline.services.redis.process
    wait_rest(pipeline, "CALL_REQUESTS")
    before = pipeline.committed("ivr-dispatch", "CALL_REQUESTS")
    held.freeze()
    try:
        send(pipeline, transactions, "CALL_REQUESTS", [request])
        wait_until(lambda: lag(pipeline, "CALL_REQUESTS") == 2, "the record and its marker to be seen", 10)
        assert pipeline.committed("ivr-dispatch", "CALL_REQUESTS") == before
    finally:
        held.thaw()
    pipeline.placed(request)
    wait_rest(pipeline, "CALL_REQUESTS")


def test_a_marker_that_came_while_the_worker_was_full_is_passed_after_it(pipeline, transactions):
    gate, request = threading.Event(), pipeline.new_request()
    pipeline.provider.script(request["to"], hold(gate, accept()))
    pipeline.send(request, partition=0)
    pipeline.placed(request)
    try:
        send(pipeline, transactions, "CALL_REQUESTS", [{"never": "read"}], abort=True)
        time.sleep(2 * HOLD_AFTER)
        send(pipeline, transactions, "CALL_REQUESTS", [{"never": "read"}], abort=True)
    finally:
        gate.set()
    wait_rest(pipeline, "CALL_REQUESTS")


def test_a_restarted_worker_begins_behind_the_marker(pipeline, transactions):
    send(pipeline, transactions, "CALL_REQUESTS", [pipeline.new_request()], abort=True)
    wait_rest(pipeline, "CALL_REQUESTS")
    pipeline.restart("dispatch")
    wait_rest(pipeline, "CALL_REQUESTS")
    request = pipeline.request()
    pipeline.placed(request)
    wait_rest(pipeline, "CALL_REQUESTS")
