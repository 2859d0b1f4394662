"""ivrctl: what an operator types."""

import csv
import io
import json
import uuid

import pytest
from confluent_kafka.admin import ConfigResource, ResourceType

from harness.paths import BIN, SCHEMAS
from harness.pipeline import TOPICS
from harness.process import Process, run, wrapped
from harness.wait import wait_until

CHANNELS = {"main": {}, "spare": {"from": "+254711082001", "calls_per_second": 3}}


@pytest.fixture(scope="module")
def finished(pipeline):
    """A call that was answered."""
    request = pipeline.request(metadata={"farmer": 9})
    pipeline.report(request, "initiated", "ringing", "in-progress", "completed", CallDuration=11)
    pipeline.wait_final(request, "Completed")
    pipeline.wait_summary(request, lambda s: s["complete"], "complete")
    return request


def name_of(request):
    return f"acme/{request['call_id']}"


# --- call, campaign ------------------------------------------------------------------------------------------------


def test_call_as_json_is_what_the_gateway_shows(pipeline, finished):
    shown = pipeline.cli("call", name_of(finished), "--json")
    assert shown.code == 0, shown
    assert shown.json() == pipeline.call(finished)


def test_call_shows_status_and_hop_log_with_the_number_masked(pipeline, finished):
    shown = pipeline.cli("call", name_of(finished))
    assert shown.code == 0, shown
    for word in ("Completed", "message_out", "dialing", "connected", "terminate", "session_completed"):
        assert word in shown.out
    assert finished["to"] not in shown.out
    assert finished["to"][:5] + "****" + finished["to"][-4:] in shown.out


def test_plain_shows_the_number(pipeline, finished):
    assert pipeline.cli("call", name_of(finished), "--plain", "--json").json()["to"] == finished["to"]
    assert finished["to"] in pipeline.cli("call", name_of(finished), "--plain").out


@pytest.mark.parametrize("command", ["call", "campaign"])
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_what_is_unknown_is_exit_1_with_nothing_on_stdout(pipeline, command, more):
    shown = pipeline.cli(command, "acme/nobody-knows", *more)
    assert (shown.code, shown.out) == (1, ""), shown
    assert "nobody-knows" in shown.err


def test_campaign_shows_its_counts(pipeline, finished):
    shown = pipeline.cli("campaign", f"acme/{finished['campaign']}", "--json")
    assert shown.code == 0, shown
    summary = shown.json()
    assert (summary["kind"], summary["calls"], summary["by_status"]["Completed"]) == ("campaign", 1, 1)
    assert "Completed" in pipeline.cli("campaign", f"acme/{finished['campaign']}").out


# --- request -------------------------------------------------------------------------------------------------------


def test_requests_as_ndjson_go_onto_the_topic(pipeline):
    requests = [pipeline.new_request() for _ in range(5)]
    sent = pipeline.cli("request", "-", stdin="".join(json.dumps(request) + "\n" for request in requests))
    assert sent.code == 0, sent
    for request in requests:
        pipeline.wait_status(request, "Pending")


TABLES = {
    "a column twice": ("to,say,to\n{to},Hi,+254722000999\n", ':1: column "to" is there twice (columns 1 and 3)'),
    "one field under two names": ("to,say,message.say\n{to},Hi,Ho\n", ':1: columns "say" and "message.say" are the same'),
    "metadata twice": ("to,say,metadata.a,metadata.a\n{to},Hi,1,2\n", ':1: column "metadata.a" is there twice'),
    "a column without a name": ("to,,say\n{to},lost,Hi\n", ":2: column 2: data under a column without a name"),
    "only in a later row": ("to,say,\n{to},Hi,\n{to},Ho,lost\n", ":3: column 3: data under a column without a name"),
    "more cells than columns": ("to,say\n{to},Hi,you\n", ":2: 3 cells, but the header has 2"),
}


@pytest.mark.parametrize("what", TABLES)
def test_a_table_in_which_something_would_be_lost_is_refused_by_name(pipeline, tmp_path, what):
    text, said = TABLES[what]
    path = tmp_path / "contacts.csv"
    path.write_text(text.format(to=pipeline.new_number()), encoding="utf-8")
    refused = pipeline.cli("request", str(path), "--tenant", "acme", "--campaign", "lost")
    assert (refused.code, refused.out) == (1, "") and f"{path}{said}" in refused.err, refused


def test_columns_that_somebody_cleared_lose_nothing(pipeline, tmp_path):
    path = tmp_path / "contacts.csv"
    path.write_text(f"to,,say,\n{pipeline.new_number()},,Hi,\n{pipeline.new_number()}, ,Ho,,,\n", encoding="utf-8")
    taken = pipeline.cli("request", str(path), "--tenant", "acme", "--campaign", "cleared", "--dry-run", "--json")
    assert taken.code == 0 and taken.json()["lines"] == 2 and taken.json()["wrong"] == 0, taken


def test_requests_as_csv_go_onto_the_topic(pipeline, tmp_path):
    requests = [pipeline.new_request(message=None) for _ in range(3)]
    table = io.StringIO()
    writer = csv.DictWriter(table, ["call_id", "tenant", "campaign", "to", "say", "language"])
    writer.writeheader()
    for request in requests:
        writer.writerow(request | {"say": 'Maize, "dry", is 45', "language": "en-GB"})
    path = tmp_path / "contacts.csv"
    path.write_text(table.getvalue(), encoding="utf-8")
    sent = pipeline.cli("request", path)
    assert sent.code == 0, sent
    for request in requests:
        pipeline.wait_status(request, "Pending")


@pytest.mark.parametrize("source", ["file", "pipe"])
def test_requests_are_sent_where_nothing_can_be_written(pipeline, tmp_path, source):
    """As with the read-only root of the image: no file may get a byte."""
    requests = [pipeline.new_request() for _ in range(2)]
    text = "".join(json.dumps(request) + "\n" for request in requests)
    path = tmp_path / "requests.ndjson"
    path.write_text(text, encoding="utf-8")
    what, stdin = (path, None) if source == "file" else ("-", text)
    for more in (["--dry-run"], []):
        argv = ["prlimit", "--fsize=0", BIN / "ivrctl", "request", what, *more]
        sent = run(argv, pipeline.worker_env("ivrctl"), stdin)
        assert (sent.code, sent.err) == (0, ""), sent
    for request in requests:
        pipeline.wait_status(request, "Pending")


def test_a_bad_line_is_named_and_not_sent(pipeline):
    good, bad = pipeline.new_request(), pipeline.new_request(to="0722000111")
    sent = pipeline.cli("request", "-", stdin=f"{json.dumps(good)}\n{json.dumps(bad)}\n{{\n")
    assert sent.code == 1, sent
    assert "2" in sent.err and "to" in sent.err
    assert "0722000111" not in sent.err
    assert pipeline.call(bad) is None and pipeline.provider.dials("0722000111") == 0


def test_a_file_that_is_not_there_is_named(pipeline, tmp_path):
    sent = pipeline.cli("request", tmp_path / "missing.ndjson")
    assert sent.code in (1, 2) and "missing.ndjson" in sent.err


# --- tail, dead-letters --------------------------------------------------------------------------------------------


def tail(pipeline, what, produce, wanted):
    """The first line of `ivrctl tail WHAT --json` that contains `wanted`; tail runs until it is stopped."""
    argv = wrapped([BIN / "ivrctl", "tail", what, "--json"])
    child = Process(f"tail-{what}", argv, pipeline.directory, pipeline.worker_env("ivrctl"))

    def line():
        produce()  # tail shows what comes after it has started, whenever that is: keep producing
        assert child.alive(), child.tail()
        return next((line for line in child.output().splitlines() if wanted in line), None)

    try:
        return json.loads(wait_until(line, f"{wanted} in the output of tail", interval=0.3))
    finally:
        assert child.term(10) == 0, child.tail()


def test_tail_shows_events_as_they_come(pipeline):
    campaign = f"tailed-{uuid.uuid4().hex[:6]}"
    event = tail(pipeline, "events", lambda: pipeline.request(campaign=campaign), campaign)
    assert campaign in json.dumps(event)


def test_tail_shows_dead_letters_as_they_come(pipeline):
    mark = uuid.uuid4().hex
    letter = tail(pipeline, "dead-letters", lambda: pipeline.produce("CALL_REQUESTS", mark.encode(), key="x"), mark)
    assert "invalid_json" in json.dumps(letter)


def examples_of(schema):
    paths = sorted((SCHEMAS / "examples" / schema).glob("*.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def the_headers_of(schema, ce_id):
    (headers,) = examples_of(f"{schema}-headers")
    return list((headers | {"ce_id": ce_id}).items())


def test_tail_shows_records_to_the_end(pipeline):
    records = examples_of("call-record")
    for record in records:
        key = f"{record['tenant']}/{record['call_id']}"
        pipeline.produce("CALL_RECORDS", record, key, the_headers_of("call-record", f"{key}/{record['seq']}"))
    shown = pipeline.cli("tail", "records", "--until-end", "--json")
    assert shown.code == 0, shown
    lines = [json.loads(line) for line in shown.out.splitlines()]
    assert all(record in lines for record in records)
    plain = pipeline.cli("tail", "records", "--until-end", "--campaign", f"acme/{records[0]['campaign']}").out
    assert plain.count("\n") == len(records)
    for words in ("Completed", "cancelled", "in doubt", "erased", "cost 0.0065 USD", "cost 1.2 KES", "talk 31 s"):
        assert words in plain, plain
    assert pipeline.cli("tail", "records", "--until-end", "--campaign", "acme/another").out == ""


def test_tail_shows_audit_to_the_end(pipeline):
    said = examples_of("audit")
    for record in said:
        pipeline.produce("AUDIT", record, "acme", the_headers_of("audit", record["id"]))
    shown = pipeline.cli("tail", "audit", "--until-end", "--json")
    assert shown.code == 0, shown
    lines = [json.loads(line) for line in shown.out.splitlines()]
    assert all(record in lines for record in said)
    plain = pipeline.cli("tail", "audit", "--until-end").out
    for words in ("cancel", "affected 17", "by jane (user, ivrctl): wrong prices", "dnc.add", "+2547****0111", "begun"):
        assert words in plain, plain
    of_one = pipeline.cli("tail", "audit", "--until-end", "--campaign", "acme/maize-prices-w47").out
    assert "campaign:acme/maize-prices-w47" in of_one and "dnc.add" not in of_one


def test_tail_until_the_end_of_an_empty_topic_ends(make_pipeline):
    pipeline = make_pipeline(start=False)
    for kind in TOPICS:
        pipeline.ends(kind)  # once each partition has a leader
    for what in ("events", "records", "summaries", "dead-letters", "audit"):
        shown = pipeline.cli("tail", what, "--until-end")
        assert (shown.code, shown.out) == (0, ""), shown


def test_dead_letters_are_listed_with_their_reason(pipeline):
    bad = pipeline.new_request(ring_timeout="forty")
    pipeline.send(bad)
    pipeline.wait_dead_letter(lambda record: bad["call_id"].encode() in record.value)
    listed = pipeline.cli("dead-letters", "list", "--json")
    assert listed.code == 0, listed
    line = next(line for line in listed.out.splitlines() if bad["call_id"] in line)
    assert "invalid_request" in line and "ring_timeout" in line
    assert bad["to"] not in listed.out
    plain = pipeline.cli("dead-letters", "list")
    assert plain.code == 0 and "invalid_request" in plain.out


# --- channels, topics ----------------------------------------------------------------------------------------------


def test_channels_are_shown_without_their_secrets(pipeline):
    for more in ((), ("--json",)):
        shown = pipeline.cli("channels", *more)
        assert shown.code == 0, shown
        assert "main" in shown.out and "spare" in shown.out and "twilio" in shown.out
        assert "f00dfacecafebeef" not in shown.out + shown.err
    json.loads(pipeline.cli("channels", "--json").out)


def test_topics_create_makes_every_topic_and_may_be_repeated(pipeline):
    fresh = {
        name: f"fresh-{uuid.uuid4().hex[:6]}-{name[10:].lower()}"
        for name in pipeline.env
        if name.startswith("IVR_TOPIC_")
    }
    fresh = {name: topic.replace("_", "-") for name, topic in fresh.items()}
    for _ in range(2):
        made = pipeline.cli("topics", "create", env=fresh, timeout=40)
        assert made.code == 0, made
    there = pipeline.services.broker.topics()
    assert set(fresh.values()) <= set(there)
    assert all(len(there[topic].partitions) > 1 for topic in fresh.values())
    summaries = ConfigResource(ResourceType.TOPIC, fresh["IVR_TOPIC_DELIVERY_SUMMARIES"])
    config = next(iter(pipeline.services.broker.admin.describe_configs([summaries]).values())).result(10)
    assert "compact" in config["cleanup.policy"].value


# --- usage ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args", [(), ("frobnicate",), ("call",), ("call", "no-slash"), ("tail", "everything"), ("call", "a/b", "--what")]
)
def test_wrong_usage_is_exit_2(pipeline, args):
    shown = pipeline.cli(*args)
    assert (shown.code, shown.out) == (2, ""), shown
    assert shown.err


def test_a_redis_that_does_not_answer_is_exit_3_and_said(pipeline, finished):
    shown = pipeline.cli("call", name_of(finished), env={"IVR_REDIS_URL": "redis://127.0.0.1:1/0"})
    assert (shown.code, shown.out) == (3, ""), shown
    assert "redis" in shown.err.lower()


def test_a_kafka_that_does_not_answer_is_exit_3_and_said(pipeline):
    request = json.dumps(pipeline.new_request()) + "\n"
    sent = pipeline.cli("request", "-", stdin=request, env={"IVR_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}, timeout=60)
    assert sent.code == 3 and sent.err, sent
