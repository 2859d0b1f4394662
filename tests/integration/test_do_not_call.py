"""Do-not-call lists: a number that stands on one is not dialled, at any attempt."""

import json
import time

from harness.wait import wait_until

CHANNELS = {"main": {}}


def dnc(pipeline, *words, code=0, **options):
    result = pipeline.cli("dnc", *words, **options)
    assert result.code == code, f"{words}: {result}"
    return result.out


def wait_dropped(pipeline, request):
    call = pipeline.wait_call(request, lambda call: call["phase"] == "dropped", "the drop")
    assert (call["drop_reason"], call["status"], call["attempts"]) == ("do_not_call", None, [])
    assert pipeline.provider.dials(request["to"]) == 0


def test_a_listed_number_is_dropped_and_not_dialled(pipeline):
    request = pipeline.new_request()
    dnc(pipeline, "add", "acme", request["to"])
    pipeline.send(request)
    wait_dropped(pipeline, request)
    other = pipeline.request(to=request["to"], tenant="other-tenant")
    pipeline.placed(other)
    event = pipeline.wait_event(request, lambda e: e["type"] == "call.dropped", "its event")
    assert (event["drop_reason"], event["final"], event["status"]) == ("do_not_call", True, None)
    summary = pipeline.wait_summary(request, lambda s: s["complete"], "the summary")
    assert summary["dropped"]["do_not_call"] == 1 and summary["calls"] == 1


def test_everybody_s_list_holds_for_every_tenant(pipeline):
    request = pipeline.new_request(tenant="some-tenant")
    dnc(pipeline, "add", "--global", request["to"])
    pipeline.send(request)
    wait_dropped(pipeline, request)
    dnc(pipeline, "remove", "--global", request["to"])
    again = pipeline.request(to=request["to"], tenant="some-tenant")
    pipeline.placed(again)


def test_a_number_that_is_listed_meanwhile_is_not_dialled_at_its_retry(pipeline):
    request = pipeline.request(retry={"max_attempts": 3, "delays": [2]})
    pipeline.placed(request)
    dnc(pipeline, "add", "acme", request["to"])
    pipeline.report(request, "busy")
    call = pipeline.wait_final(request, "User_busy")
    assert (call["phase"], call["drop_reason"], len(call["attempts"])) == ("done", "do_not_call", 1)
    assert pipeline.provider.dials(request["to"]) == 1


def test_a_worker_that_cannot_read_the_lists_does_not_dial(pipeline):
    redis = pipeline.services.redis.client
    keys = [f"{{{pipeline.name}:{shard:02d}}}:dnc:acme" for shard in range(16)]
    kept = {key: redis.get(key) for key in keys if redis.type(key) == b"string"}
    assert not kept
    for key in keys:
        redis.delete(key)
        redis.set(key, "unreadable")
    request = pipeline.request()
    pipeline.worker("dispatch").wait_log(
        lambda line: "do-not-call lists cannot be read" in line["msg"], "the warning"
    )
    until = time.monotonic() + 1
    while time.monotonic() < until:
        assert pipeline.provider.dials(request["to"]) == 0
        time.sleep(0.05)
    for key in keys:
        redis.delete(key)
    pipeline.placed(request)
    wait_until(lambda: pipeline.provider.dials(request["to"]) == 1, "one dial")


def test_a_list_is_added_to_from_a_file_and_shown_in_order(pipeline):
    numbers = [f"+25471{n:07d}" for n in range(300)]
    text = "# register\n\n" + "\n".join(reversed(numbers)) + "\n"
    told = json.loads(dnc(pipeline, "add", "listed-tenant", "-", "--json", stdin=text))
    assert told == {"list": "listed-tenant", "added": 300, "unchanged": 0}
    assert dnc(pipeline, "list", "listed-tenant", "--plain").split() == numbers
    page = dnc(pipeline, "list", "listed-tenant", "--plain", "--after", numbers[9], "--limit", "3").split()
    assert page == numbers[10:13]
    masked = dnc(pipeline, "list", "listed-tenant").split()
    assert masked[0] == "+2547****0000" and len(masked) == 300
    assert "300" in dnc(pipeline, "remove", "listed-tenant", "-", stdin=text)
    assert dnc(pipeline, "list", "listed-tenant") == ""


def test_one_wrong_number_changes_nothing(pipeline):
    result = pipeline.cli("dnc", "add", "wrong-tenant", "-", stdin="+254722000111\n0722000112\n")
    assert (result.code, result.out) == (1, "")
    assert "stdin:2:" in result.err and "0722000112" not in result.err
    assert dnc(pipeline, "list", "wrong-tenant") == ""


def test_the_same_over_http(pipeline):
    request = pipeline.new_request()
    path = f"/v1/dnc/acme/{request['to']}"
    assert pipeline.api(path).json() == {"list": "acme", "listed": False}
    assert pipeline.api(path, "PUT").json() == {"list": "acme", "listed": True}
    assert pipeline.api(path).json()["listed"] is True
    pipeline.send(request)
    wait_dropped(pipeline, request)
    assert pipeline.api(path, "DELETE").json() == {"list": "acme", "listed": False}
    everybody = path.replace("acme", "*")
    assert pipeline.api(everybody, "PUT").json() == {"list": "*", "listed": True}
    assert pipeline.api(path).json()["listed"] is True
    pipeline.api(everybody, "DELETE")
    assert pipeline.api(path, "PUT", token=None).status_code == 401
    assert pipeline.api("/v1/dnc/acme/0722000111", "PUT").status_code == 404
