"""What must hold of everything that a pipeline ever published, whatever a test did to it."""

from collections import defaultdict

import msgpack

WAITING, PLACING, PLACED = 1, 2, 3  # workers/calls/lib/layout.lua: a call's phases; where they, and its hold, stand in its state
SEQ, PHASE, STATUS, FINAL, HOLD = 0, 1, 2, 3, 19
STATUSES = [None, "Pending", "Gateway_unavailable", "Failed_unknown_reason", "No_answer", "Subscriber_absent", "User_busy", "Completed"]


def check_events(records):
    """Every event id has one content, and no call has a gap in its seq. Returns {(tenant, call_id): events by seq}."""
    by_id, calls = {}, defaultdict(dict)
    for record in records:
        event = record.json
        earlier = by_id.setdefault(event["id"], record.value)
        assert earlier == record.value, f"event {event['id']} has two contents:\n{earlier}\n{record.value}"
        assert event["id"] == f"{event['tenant']}/{event['call_id']}/{event['seq']}", f"event id of {event}"
        assert record.key.decode() == f"{event['tenant']}/{event['campaign']}", f"key of {record}"
        assert record.headers.get("ce_id") == event["id"], f"ce_id of {record}"
        assert record.headers.get("ce_type") == "ivr." + event["type"], f"ce_type of {record}"
        calls[event["tenant"], event["call_id"]][event["seq"]] = event
    for call, events in calls.items():
        assert sorted(events) == list(range(1, len(events) + 1)), f"{call} has a gap in seq: {sorted(events)}"
        check_history([events[seq] for seq in sorted(events)])
    return {call: [events[seq] for seq in sorted(events)] for call, events in calls.items()}


def check_history(events):
    """The events of one call tell one story: each starts where the one before ended."""
    status = None
    for event in events:
        assert event["previous_status"] == status, f"previous_status is not {status} in {event}\nof {events}"
        status = event["status"]
    assert events[0]["type"] in ("call.accepted", "call.dropped"), f"a call starts with {events[0]}"


def check_summary(summary):
    """A campaign's summary adds up, and so do its channels."""
    if summary["kind"] != "campaign":
        return
    parts = summary["waiting"] + sum(summary["dropped"].values()) + sum(summary["by_status"].values())
    assert summary["calls"] == parts, f"{summary['calls']} calls, but {parts} in parts: {summary}"
    ended = sum(summary["by_status"].values()) - summary["by_status"].get("Pending", 0)
    if ended == 0:
        assert summary["answer_rate"] is None, f"an answer rate of nothing: {summary}"
    else:
        rate = summary["by_status"].get("Completed", 0) / ended
        assert abs(summary["answer_rate"] - rate) < 0.001, f"answer_rate is not {rate}: {summary}"
    if summary["complete"]:
        busy = summary["waiting"], summary["retrying"], summary["by_status"].get("Pending", 0)
        assert busy == (0, 0, 0), f"complete, but waiting, retrying, Pending are {busy}: {summary}"


def check_summaries(records, several_workers=False):
    """Every revision adds up; revisions grow strictly where one worker published them all."""
    newest = {}
    for record in records:
        if record.value is None:
            continue
        summary, key = record.json, record.key.decode()
        check_summary(summary)
        if not several_workers:
            assert summary["revision"] > newest.get(key, 0), f"revision went from {newest[key]} to {record}"
        assert record.headers.get("ce_id") == f"{key}#{summary['revision']}", f"ce_id of {record}"
        newest[key] = max(summary["revision"], newest.get(key, 0))


def _index_problem(client, key, packed, ttl):
    """What is wrong with where a call stands, whose state was just read; "" where nothing is."""
    shard, _, call = key.partition(":call:")
    state = msgpack.unpackb(packed, raw=False, unicode_errors="surrogateescape")
    hold = state[HOLD] if len(state) > HOLD else ""
    wanted = []
    if state[PHASE] == WAITING:
        wanted = [f"{shard}:due"] + ([f"{shard}:hold:{hold}"] if hold else [])
    elif state[PHASE] in (PLACING, PLACED):
        wanted = [f"{shard}:open"]
    if wanted and all(client.zscore(index, call) is None for index in wanted):
        return f"{call} stands in none of {wanted}; its state is {state}"
    if (ttl >= 0) != bool(state[FINAL]):
        return f"{call} lives for {ttl} ms, and its state is {state}"
    return ""


def check_indexes(client, prefix):
    """Every call that is not over stands where somebody will look at it, and every one that is over will be forgotten."""
    for key in [key.decode() for key in client.scan_iter(match=f"{{{prefix}:*}}:call:*", count=10_000)]:
        while True:
            packed, ttl = client.hget(key, "s"), client.pttl(key)
            problem = packed and _index_problem(client, key, packed, ttl)
            if not problem:
                break
            # Workers may be at work between our questions: it counts where the call is still what it was.
            assert client.hget(key, "s") != packed, problem


def check_mended(worker, metrics):
    """The slow walk over the calls found nothing to put back."""
    mended = metrics.value("ivr_calls_mended_total")
    assert mended == 0, f"{worker} put {mended:g} calls back that stood in no index"


def last_records(records):
    """{"tenant/call_id": its last record}; the last is the one with the highest seq."""
    last = {}
    for record in records:
        row, key = record.json, record.key.decode()
        assert key == f"{row['tenant']}/{row['call_id']}", f"key of {record}"
        assert record.headers.get("ce_id") == f"{key}/{row['seq']}", f"ce_id of {record}"
        assert record.headers.get("ce_type") == "ivr.call-record", f"ce_type of {record}"
        last[key] = row
    return last


def records_that_lag(client, prefix, records):
    """Final calls whose last record is not what they are. Calls that version 0.1 made final (they lack the field z) have none."""
    last, found = last_records(records), []
    for key in [key.decode() for key in client.scan_iter(match=f"{{{prefix}:*}}:call:*", count=10_000)]:
        call = key.partition(":call:")[2]
        packed, final_at = client.hmget(key, "s", "z")
        if not packed or not final_at:
            continue
        state = msgpack.unpackb(packed, raw=False, unicode_errors="surrogateescape")
        said = (last[call]["seq"], last[call]["status"]) if call in last else None
        if state[FINAL] and said != (state[SEQ], STATUSES[state[STATUS]]):
            found.append(f"{call}: {said} of {state[:4]}")
    return found


def check_records_fit_summaries(records, summaries):
    """Counted by status (none: by why it was dropped), the records of a campaign that is over are its summary."""
    over, counted = {}, defaultdict(lambda: defaultdict(int))
    for record in summaries:
        summary = record.json if record.value is not None else {}
        if summary.get("kind") == "campaign" and summary["revision"] >= over.get(record.key, {}).get("revision", 0):
            over[record.key] = summary
    for row in last_records(records).values():
        counted[row["tenant"], row["campaign"]][row["status"] or row["drop_reason"]] += 1
    for summary in over.values():
        if not summary["complete"]:
            continue
        found = counted[summary["tenant"], summary["campaign"]]
        told = {name: n for name, n in (summary["by_status"] | summary["dropped"]).items() if n > 0}
        assert found == told, f"the records of {summary['tenant']}/{summary['campaign']} are {dict(found)}, its summary {told}"
