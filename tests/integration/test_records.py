"""ivr.call-records and ivr.audit on a real Kafka: a row a final call, and who did what, also while Kafka is away."""

import json
import signal

import pytest
from harness.wait import wait_until

NUMBERED = {"IVR_PII_KEY": "a-key-of-the-tests", "IVR_PII_METADATA": "order"}


@pytest.fixture(scope="module")
def pipeline(make_module_pipeline):
    return make_module_pipeline(env=NUMBERED, partitions=2)


def rows(pipeline, request):
    return [record.json for record in pipeline.tap.records(pipeline.topics["CALL_RECORDS"])
            if record.json["call_id"] == request["call_id"]]


def wait_row(pipeline, request, matches=lambda row: True, what="its record", timeout=15):
    return wait_until(lambda: next((row for row in reversed(rows(pipeline, request)) if matches(row)), None), what, timeout)


def said(pipeline, **fields):
    return [record for record in pipeline.tap.records(pipeline.topics["AUDIT"])
            if all(record.json[name] == value for name, value in fields.items())]


def wait_said(pipeline, timeout=20, **fields):
    return wait_until(lambda: next(iter(said(pipeline, **fields)), None), f"the audit record of {fields}", timeout)


def test_a_final_call_has_a_row_that_is_the_call(pipeline):
    request = pipeline.request(metadata={"order": 7, "name": "Jane"}, priority=3)
    pipeline.report(request, "completed", CallDuration=4)
    pipeline.wait_final(request, "Completed")
    row = wait_row(pipeline, request, lambda row: row["talk_seconds"] == 4)
    call, events = pipeline.call(request), pipeline.all_events(request)
    assert (row["tenant"], row["campaign"], row["seq"]) == (request["tenant"], request["campaign"], events[-1]["seq"])
    assert row["to"] == events[0]["to"] and row["to_hash"] == events[0]["to_hash"] and row["to_hash"].startswith("h:")
    assert row["metadata"] == events[0]["metadata"] == {"order": 7, "name": "***"}
    assert (row["status"], row["drop_reason"], row["in_doubt"], row["attempts"], row["priority"]) == ("Completed", None, False, 1, 3)
    assert (row["channel"], row["provider"]) == ("main", "twilio")
    assert row["provider_call_id"] == call["attempts"][0]["provider_call_id"]
    assert row["first_attempt_at"] == row["last_attempt_at"] == call["attempts"][0]["placed_at"]
    assert row["created_at"] <= row["first_attempt_at"] <= row["final_at"]
    assert row["erased"] is False and row["costs"] is None


def test_a_later_report_makes_another_row(pipeline):
    request = pipeline.request()
    pipeline.report(request, "no-answer")
    pipeline.wait_final(request, "No_answer")
    first = wait_row(pipeline, request, lambda row: row["status"] == "No_answer")
    pipeline.report(request, "completed", CallDuration=2)
    second = wait_row(pipeline, request, lambda row: row["status"] == "Completed")
    assert second["seq"] > first["seq"] and second["final_at"] == first["final_at"]


def test_a_cancelled_call_has_its_reason(pipeline):
    request = pipeline.new_request(not_before="2030-01-01T00:00:00Z")
    pipeline.send(request)
    pipeline.wait_call(request, lambda call: call["phase"] == "waiting", "it to wait")
    assert pipeline.cli("cancel", "call", f"acme/{request['call_id']}").code == 0
    row = wait_row(pipeline, request)
    assert (row["status"], row["drop_reason"], row["attempts"], row["first_attempt_at"]) == (None, "cancelled", 0, None)


def test_rows_of_a_killed_worker_come_all_the_same(pipeline):
    requests = [pipeline.request() for _ in range(20)]
    for request in requests:
        pipeline.report(request, "completed", CallDuration=1)
    pipeline.worker("status").kill9()
    pipeline.start("status")
    for request in requests:
        pipeline.wait_final(request, "Completed")
        wait_row(pipeline, request, lambda row: row["status"] == "Completed", timeout=60)


def test_who_paused_and_why_is_on_the_topic(pipeline):
    pipeline.request(campaign="audited")
    wait_until(lambda: pipeline.cli("campaign", "acme/audited").code == 0, "the campaign to be known")
    done = pipeline.cli("pause", "campaign", "acme/audited", "--reason", "ask +254722000111", env={"IVR_ACTOR": "jane"})
    assert done.code == 0, done
    record = wait_said(pipeline, action="pause", target="campaign:acme/audited")
    assert record.key == b"acme" and record.headers["ce_type"] == "ivr.audit" and record.headers["ce_id"] == record.json["id"]
    assert record.json["actor"] == {"kind": "user", "name": "jane"} and record.json["from"] == "ivrctl"
    assert record.json["reason"] == "ask +2547****0111" and record.json["result"] == "done"
    assert pipeline.cli("resume", "campaign", "acme/audited").code == 0
    wait_said(pipeline, action="resume", target="campaign:acme/audited")


def test_over_http_it_is_the_token_that_did_it(pipeline):
    answer = pipeline.api("/v1/tenants/other/pause", "POST", json={"reason": "holiday"})
    assert answer.status_code == 200 and answer.json()["affected"] == 0
    record = wait_said(pipeline, action="pause", target="tenant:other")
    assert record.json["actor"] == {"kind": "token", "name": "api-token"} and record.json["reason"] == "holiday"
    assert pipeline.api("/v1/tenants/other/pause", "POST", data="no").status_code == 400


def test_of_a_listed_number_only_the_hash_is_told(pipeline):
    number = pipeline.new_number()
    assert pipeline.cli("dnc", "add", "acme", number, "--reason", "asked for it").code == 0
    record = wait_said(pipeline, action="dnc.add", reason="asked for it")
    assert number not in json.dumps(record.json) and record.json["target_hash"].startswith("h:") and record.json["affected"] == 1


def test_what_could_not_be_done_is_told_as_refused(pipeline):
    request = pipeline.request()
    pipeline.report(request, "completed", CallDuration=1)
    pipeline.wait_final(request, "Completed")
    pipeline.wait_call(request, lambda call: call["attempts"][0]["hops"][-1]["hop"] == "session_completed", "its end")
    assert pipeline.cli("pause", "call", f"acme/{request['call_id']}").code == 1
    record = wait_said(pipeline, action="pause", target=f"call:acme/{request['call_id']}")
    assert (record.json["result"], record.json["affected"]) == ("refused", 0)


def test_none_is_lost_when_nobody_is_there_to_send_it(pipeline):
    for kind in ("dispatch", "status"):
        worker = pipeline.worker(kind)
        worker.send(signal.SIGTERM)
        worker.wait(30)
    assert pipeline.cli("pause", "tenant", "alone", env={"IVR_ACTOR": "jane"}).code == 0
    assert not said(pipeline, target="tenant:alone")
    pipeline.start("dispatch", "status")
    wait_said(pipeline, target="tenant:alone")
