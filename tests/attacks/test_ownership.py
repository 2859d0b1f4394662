"""Nobody reports on, ends, redials or reads a call that is not theirs; and what was said once says nothing of another call.

In a platform whose tenants bring accounts of their own, each channel's credentials are in other hands.
"""

import hashlib
import json
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from urllib.parse import urlencode

import forging
import jwt
import pytest
import requests
from forging import ANSWERED, BUSY, CHANNELS, NO_ANSWER, OWN_SECRETS, PROVIDERS, RINGING, SECRETS, said, url_of  # noqa: F401
from harness import twilio, vonage
from harness.provider import accept, answer, close, hold, limit, refuse_number
from harness.wait import wait_until

ENV = {"IVR_UNKNOWN_CALLBACK_KEEP": "1s"}

pytestmark = pytest.mark.timeout(180)  # the first one makes a call in every state of every provider
each_provider = pytest.mark.parametrize("provider", PROVIDERS)


# --- calls in every state --------------------------------------------------------------------------------------------


def in_an_hour():
    return (datetime.now(timezone.utc) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def pending(pipeline, channel, **fields):
    if channel.startswith("own-"):
        fields["message"] = forging.OWN_MESSAGE
    request = pipeline.request(channel=channel, **fields)
    pipeline.wait_status(request, "Pending")
    return request


def report(pipeline, request, what, **fields):
    placement = pipeline.placed(request)
    word, own = what[placement.language.NAME]
    pipeline.provider.report(placement, word, **(own | fields))


def waiting(pipeline, channel):
    request = pipeline.request(channel=channel, not_before=in_an_hour())
    pipeline.wait_call(request, lambda call: call["phase"] == "waiting", "it to wait")
    return request


def ringing(pipeline, channel):
    request = pending(pipeline, channel)
    report(pipeline, request, RINGING)
    pipeline.wait_call(request, lambda call: len(call["attempts"][0]["hops"]) == 2, "it to ring")
    return request


def not_answered(pipeline, channel):
    request = pending(pipeline, channel)
    report(pipeline, request, NO_ANSWER)
    pipeline.wait_final(request, "No_answer")
    return request


def refused(pipeline, channel):
    retry = {"max_attempts": 3, "on": ["Failed_unknown_reason"], "delays": [1]}
    request = pipeline.new_request(channel=channel, retry=retry)
    pipeline.provider.script(request["to"], refuse_number())
    pipeline.send(request)
    pipeline.wait_final(request, "Failed_unknown_reason")
    return request


def retrying(pipeline, channel):
    request = pending(pipeline, channel, retry={"max_attempts": 2, "on": ["No_answer"], "delays": [3600]})
    report(pipeline, request, NO_ANSWER)
    pipeline.wait_call(request, lambda call: call["next_attempt_at"] is not None, "its retry")
    return request


def in_doubt(pipeline, channel):
    request = pipeline.new_request(channel=channel)
    pipeline.provider.script(request["to"], close())
    pipeline.send(request)
    pipeline.wait_status(request, "Gateway_unavailable")
    return request


STATES = (waiting, ringing, not_answered, refused, retrying, in_doubt)


@pytest.fixture(scope="module")
def victims(pipeline):
    """{(channel, state): request} of the platform's channels."""
    made = [(channel, state) for channel in PROVIDERS for state in STATES]
    with ThreadPoolExecutor(6) as threads:
        requests_ = threads.map(lambda one: one[1](pipeline, one[0]), made)
        return {(channel, state.__name__): request for (channel, state), request in zip(made, requests_)}


@pytest.fixture(scope="module")
def mine(pipeline):
    """{provider: placement} of the stranger's own calls, whose ids and words are real."""
    return {name: pipeline.placed(pending(pipeline, f"own-{name}")) for name in PROVIDERS}


def states_of(pipeline, victims):
    return {key: pipeline.call(request) for key, request in victims.items()}


def read_through(pipeline):
    """Everything that was sent is read: applied, parked, or a dead letter. What had waited may come back meanwhile."""
    ends = pipeline.ends("CALLBACKS")

    def read():
        committed = pipeline.committed("ivr-status", "CALLBACKS")
        return all(committed.get(partition, 0) >= end for partition, end in ends.items())

    wait_until(read, lambda: f"ivr-status to commit {ends}", timeout=30, interval=0.2)


# Reports that are nobody's: {mark: what they become once they have waited}. The last test looks for them all.
letters = {}


def send(pipeline, provider, url, what, placement, secret=None, reason="unknown_call", **fields):
    """A report that must be taken and belong to nobody: it is a dead letter in the end."""
    mark, body = said(placement, what, **fields)
    response = pipeline.provider.deliver(*forging.delivery(provider, url, body, secret or SECRETS[provider]))
    assert response.status_code in (200, 204), f"the signature is right for its channel: {response.text}"
    assert "Maize" not in response.text
    letters[mark] = reason


# --- another channel's credentials -----------------------------------------------------------------------------------


@each_provider
def test_a_channel_s_token_changes_no_call_of_another_channel(pipeline, victims, mine, provider):
    """At every attempt that there could be, with their own calls' ids and with new ones."""
    before, placements = states_of(pipeline, victims), len(pipeline.provider.placements())
    own, placement = f"own-{provider}", mine[provider]
    for request in victims.values():
        for attempt, what in ((1, ANSWERED), (1, BUSY), (2, ANSWERED), (2, RINGING), (3, ANSWERED)):
            new_id = {forging.ID_FIELD[provider]: placement.language.new_id()}
            url = url_of(pipeline, own, request, attempt)
            send(pipeline, provider, url, what, placement, OWN_SECRETS[provider], **new_id)
            if provider == "africastalking":
                new_id["clientRequestId"] = f"{request['tenant']}/{request['call_id']}/{attempt}"
                send(pipeline, provider, url_of(pipeline, own), what, placement, OWN_SECRETS[provider], **new_id)
    read_through(pipeline)
    assert states_of(pipeline, victims) == before
    assert len(pipeline.provider.placements()) == placements, "a call was dialled again"


@each_provider
def test_a_channel_s_token_reads_no_message_of_another_channel(pipeline, victims, mine, provider):
    own = f"own-{provider}"
    for (channel, state), request in victims.items():
        for attempt in (1, 2):
            url = url_of(pipeline, own, request, attempt, "answer")
            body = said(mine[provider], RINGING)[1]
            response = pipeline.provider.deliver(*forging.delivery(provider, url, body, OWN_SECRETS[provider]))
            assert response.status_code == 404, f"{channel} {state}: {response.text}"
            assert "Maize" not in response.text


def test_the_message_of_the_channel_s_own_call_is_told(pipeline, mine):
    """So that the refusals above are not of everything."""
    request = pending(pipeline, "own-twilio")
    placement = pipeline.placed(request)
    for attempt, status in ((1, 200), (2, 404)):
        url = url_of(pipeline, "own-twilio", request, attempt, "answer")
        body = twilio.callback(placement, "in-progress")
        answer = pipeline.provider.deliver(*twilio.delivery(url, body, OWN_SECRETS["twilio"]))
        assert (answer.status_code, "interest" in answer.text) == (status, status == 200)


def test_of_a_call_that_went_elsewhere_each_channel_reports_its_own_attempt(pipeline):
    request = pipeline.request(channel="gone")
    call = pipeline.wait_status(request, "Pending")
    assert [attempt["channel"] for attempt in call["attempts"]] == ["gone", "own-twilio"]
    placement, before, own = pipeline.placed(request), pipeline.call(request), OWN_SECRETS["twilio"]
    for channel, secret, attempt in (("gone", None, 2), ("gone", None, 3), ("own-twilio", own, 1), ("own-twilio", own, 3)):
        url = url_of(pipeline, channel, request, attempt)
        send(pipeline, "twilio", url, ANSWERED, placement, secret)
        body = said(placement, RINGING)[1]
        sent = twilio.delivery(url.replace("callbacks", "answer"), body, secret)
        assert pipeline.provider.deliver(*sent).status_code == 404
    read_through(pipeline)
    assert pipeline.call(request) == before
    pipeline.provider.deliver(*twilio.delivery(url_of(pipeline, "own-twilio", request, 2), said(placement, BUSY)[1], own))
    pipeline.wait_final(request, "User_busy")


@each_provider
def test_a_call_that_was_never_dialled_is_ended_by_nobody(pipeline, victims, mine, provider):
    """Not on its own channel either: nothing was given out that could be reported."""
    request = victims[provider, "waiting"]
    before = pipeline.call(request)
    for attempt in (1, 2):
        new_id = {forging.ID_FIELD[provider]: mine[provider].language.new_id()}
        send(pipeline, provider, url_of(pipeline, provider, request, attempt), ANSWERED, mine[provider], **new_id)
    read_through(pipeline)
    assert pipeline.call(request) == before


# --- ids of other calls ----------------------------------------------------------------------------------------------


def unnamed(provider):
    """A report by the provider's id alone."""
    return {"clientRequestId": None} if provider == "africastalking" else {}


@each_provider
def test_another_channel_s_provider_id_finds_nothing(pipeline, victims, mine, provider):
    victim = {forging.ID_FIELD[provider]: pipeline.placed(victims[provider, "ringing"]).sid}
    before = states_of(pipeline, victims)
    url = url_of(pipeline, f"own-{provider}")
    send(pipeline, provider, url, ANSWERED, mine[provider], OWN_SECRETS[provider], **victim, **unnamed(provider))
    read_through(pipeline)
    assert states_of(pipeline, victims) == before


def accepted_as(provider, sid):
    """The reply of a provider that says its call has that id."""
    if provider == "twilio":
        return answer(201, twilio.call_object(sid, "+254700000001", "+254711082000"))
    return accept(**{{"africastalking": "sessionId", "vonage": "uuid"}[provider]: sid})


@each_provider
def test_a_provider_that_answers_with_another_s_id_takes_no_report_of_it(pipeline, provider):
    """The stranger's own server says that the victim's call is theirs. The victim's reports by id still find the victim."""
    victim = pending(pipeline, provider)
    placement = pipeline.placed(victim)
    greedy = pipeline.new_request(channel=f"own-{provider}")
    pipeline.provider.script(greedy["to"], accepted_as(provider, placement.sid))
    pipeline.send(greedy)
    pipeline.wait_status(greedy, "Pending")
    before = pipeline.call(greedy)
    body = said(placement, BUSY, **unnamed(provider))[1]
    url = url_of(pipeline, provider)
    assert pipeline.provider.deliver(*forging.delivery(provider, url, body, SECRETS[provider])).status_code == 204
    pipeline.wait_final(victim, "User_busy")
    assert pipeline.call(greedy) == before


@each_provider
def test_a_report_of_another_call_at_a_call_s_path_changes_nothing(pipeline, victims, provider):
    """A child leg's report, or that of another call, rightly signed for the path: it is not about this attempt."""
    request = victims[provider, "ringing"]
    placement, before = pipeline.placed(request), pipeline.call(request)
    ids = [placement.language.new_id()]
    if provider != "vonage":  # there the id alone counts: it would be a report of the other call
        ids.append(pipeline.placed(victims[provider, "not_answered"]).sid)
    for sid in ids:
        fields = {forging.ID_FIELD[provider]: sid}
        send(pipeline, provider, url_of(pipeline, provider, request), ANSWERED, placement, **fields)
    read_through(pipeline)
    assert pipeline.call(request) == before


@each_provider
def test_a_foreign_id_reads_no_message_at_a_call_s_path(pipeline, victims, provider):
    request = victims[provider, "ringing"]
    placement = pipeline.placed(request)
    url = url_of(pipeline, provider, request, what="answer")
    answers = {}
    for sid in (placement.language.new_id(), placement.sid):
        body = said(placement, RINGING, **{forging.ID_FIELD[provider]: sid})[1]
        response = pipeline.provider.deliver(*forging.delivery(provider, url, body, SECRETS[provider]))
        answers[sid == placement.sid] = response.status_code, "Maize" in response.text
    assert answers == {False: (404, False), True: (200, True)}


@each_provider
def test_before_the_response_a_call_s_own_reports_count(pipeline, provider):
    """The id is not sure yet. What is said early counts by the path where that is proved, and else waits for the id."""
    gate, request = threading.Event(), pipeline.new_request(channel=provider)
    pipeline.provider.script(request["to"], hold(gate, accept()))
    pipeline.send(request)
    placement = pipeline.placed(request)
    report(pipeline, request, RINGING)
    read_through(pipeline)
    gate.set()
    call = pipeline.wait_call(request, lambda call: call["attempts"] and len(call["attempts"][0]["hops"]) == 2, "the hop")
    assert (call["status"], call["attempts"][0]["provider_call_id"]) == ("Pending", placement.sid)
    assert not pipeline.dead_letters(lambda record: placement.sid.encode() in record.value)


@each_provider
def test_a_report_that_came_before_its_response_was_lost_still_counts(pipeline, provider):
    """No response will tell the id. What waited for it is looked at once more before it is given up."""
    gate, request = threading.Event(), pipeline.new_request(channel=provider)
    pipeline.provider.script(request["to"], hold(gate, close()))
    pipeline.send(request)
    pipeline.placed(request)
    report(pipeline, request, BUSY)
    read_through(pipeline)
    gate.set()
    pipeline.wait_final(request, "User_busy", timeout=30)
    assert pipeline.provider.dials(request["to"]) == 1


def test_a_429_that_lied_changes_nothing_of_the_call_that_followed(pipeline):
    """The claim was given back, so its number is used again; what is reported of the first placement is another call."""
    request = pipeline.new_request(channel="twilio")
    pipeline.provider.script(request["to"], limit(), accept())
    pipeline.send(request)
    pipeline.wait_status(request, "Pending", timeout=30)
    lied, before = pipeline.placed(request, 1), pipeline.call(request)
    send(pipeline, "twilio", url_of(pipeline, "twilio", request), ANSWERED, lied)
    read_through(pipeline)
    assert pipeline.call(request) == before


# --- said again ------------------------------------------------------------------------------------------------------


def every_other_path(pipeline, provider, victims):
    yield url_of(pipeline, provider)
    for (channel, state), victim in victims.items():
        if channel == provider:
            yield from (url_of(pipeline, provider, victim, attempt) for attempt in (1, 2))
            if state in ("waiting", "ringing"):
                yield url_of(pipeline, provider, victim, 1, "answer")


@each_provider
def test_replayed_callbacks_change_nothing(pipeline, victims, provider):
    """Everything that was once sent for one call is sent again: as it was, to every other path of the channel, as a GET."""
    request = pending(pipeline, provider)
    placement = pipeline.placed(request)
    url = pipeline.provider.callback_url(placement).partition("#")[0]
    sent = [placement.language.delivery(url, said(placement, what)[1]) for what in (RINGING, ANSWERED, BUSY)]
    for delivery in sent:
        assert pipeline.provider.deliver(*delivery).status_code // 100 == 2
    pipeline.wait_call(request, lambda call: len(call["attempts"][0]["hops"]) == 5, "every hop")
    read_through(pipeline)
    before, mine = states_of(pipeline, victims), pipeline.call(request)
    events = len(pipeline.all_events(request))
    token = url.partition("?")[2]
    for method, _, headers, payload in sent:
        assert pipeline.provider.deliver(method, url, headers, payload).status_code // 100 == 2
        for path in every_other_path(pipeline, provider, victims):
            target = f"{path}?{token}" if token else path
            for way, body in (("POST", payload), ("GET", None)):
                answered = pipeline.provider.deliver(way, target, headers, body)
                assert "Maize" not in answered.text or target == url, f"{way} {target}"
    read_through(pipeline)
    assert states_of(pipeline, victims) == before
    assert pipeline.call(request) == mine and len(pipeline.all_events(request)) == events


# --- Vonage: the signature covers the body alone ----------------------------------------------------------------------


def test_a_vonage_token_authorises_no_get(pipeline, victims):
    request = victims["vonage", "ringing"]
    placement, before = pipeline.placed(request), pipeline.call(request)
    marks = []
    for what in ("callbacks", "answer"):
        for payload in (None, b""):
            mark, event = said(placement, ANSWERED)
            url = f"{url_of(pipeline, 'vonage', request, what=what)}?{urlencode(event)}"
            headers = {"Authorization": vonage.bearer(payload)}
            response = pipeline.provider.deliver("GET", url, headers, None)
            assert response.status_code == 405 and response.headers["Allow"] == "POST, OPTIONS"
            assert "Maize" not in response.text
            marks.append(mark)
    read_through(pipeline)
    assert pipeline.call(request) == before
    assert not pipeline.callback_records(lambda record: any(mark.encode() in record.value for mark in marks))


def test_a_vonage_token_over_an_empty_body_says_nothing_and_reads_nothing(pipeline, victims):
    request = victims["vonage", "ringing"]
    before = pipeline.call(request)
    for what in ("callbacks", "answer"):
        for payload in (None, b""):
            url = pipeline.provider.delivered_to(url_of(pipeline, "vonage", request, what=what))
            headers = {"Authorization": vonage.bearer(payload), "Content-Type": "application/json"}
            response = requests.post(url, data=b"", headers=headers, timeout=10)
            assert "Maize" not in response.text and response.status_code in (204, 403, 404)
    read_through(pipeline)
    assert pipeline.call(request) == before


def test_a_webhook_of_another_application_is_refused(pipeline, victims):
    """An account signs for all of its applications with one secret."""
    request = victims["vonage", "ringing"]
    placement, before = pipeline.placed(request), pipeline.call(request)
    payload = json.dumps(said(placement, ANSWERED)[1]).encode()
    claims = {"iat": int(time.time()), "jti": "1", "payload_hash": hashlib.sha256(payload).hexdigest()}
    for application in ("bbbbbbbb-bbbb-cccc-dddd-0123456789ab", "", 7):
        token = jwt.encode(claims | {"application_id": application}, vonage.SECRET, algorithm="HS256")
        headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
        url = pipeline.provider.delivered_to(pipeline.provider.callback_url(placement))
        assert requests.post(url, payload, headers=headers, timeout=10).status_code == 403
    assert pipeline.call(request) == before


def test_a_vonage_event_counts_for_the_call_that_its_body_names(pipeline):
    """At another call's path it is still the report of its own call: the path is not signed."""
    named, pathed = pending(pipeline, "vonage"), pending(pipeline, "vonage")
    before = pipeline.call(pathed)
    body = said(pipeline.placed(named), BUSY)[1]
    pipeline.provider.deliver(*vonage.delivery(url_of(pipeline, "vonage", pathed), body))
    pipeline.wait_final(named, "User_busy")
    assert pipeline.call(pathed) == before


def test_a_vonage_doubt_is_ended_by_an_event_of_its_number_and_by_no_other(pipeline):
    doubtful = in_doubt(pipeline, "vonage")
    placement, before = pipeline.placed(doubtful), pipeline.call(doubtful)
    known = pipeline.placed(pending(pipeline, "vonage"))
    url = url_of(pipeline, "vonage", doubtful)
    for to in ("254799999999", None):
        send(pipeline, "vonage", url, BUSY, placement, to=to, uuid=vonage.new_id())
    body = said(placement, RINGING, uuid=known.sid)[1]  # of its number, but another attempt's call
    assert pipeline.provider.deliver(*vonage.delivery(url, body)).status_code == 204
    read_through(pipeline)
    assert pipeline.call(doubtful) == before
    pipeline.provider.deliver(*vonage.delivery(url, said(placement, BUSY)[1]))
    pipeline.wait_final(doubtful, "User_busy")


# --- Twilio: names and values run together ----------------------------------------------------------------------------


def cut_elsewhere(text, rng):
    """The signed text of a form as another form with the same signature, or None."""
    cuts = sorted(rng.sample(range(1, len(text)), rng.choice((1, 3, 5))))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)])]
    fields = list(zip(pieces[::2], pieces[1::2]))
    return fields if "".join(name + value for name, value in sorted(set(fields))) == text else None


def test_a_signed_report_cut_elsewhere_says_the_same(pipeline):
    """The signature fits: nobody notices but who reads what is signed."""
    request = pending(pipeline, "twilio")
    placement, rng = pipeline.placed(request), random.Random(13)
    body = {name: value for name, value in said(placement, BUSY, SipResponseCode=486)[1].items() if value}
    headers, _ = twilio.signed_post(placement.status_callback, body)
    url = pipeline.provider.delivered_to(placement.status_callback)
    text = "".join(name + value for name, value in sorted(body.items()))
    tried = 0
    while tried < 60:
        fields = cut_elsewhere(text, rng)
        if fields is None:
            continue
        assert requests.post(url, urlencode(fields), headers=headers, timeout=10).status_code == 204
        tried += 1
    pipeline.wait_final(request, "User_busy")
    read_through(pipeline)
    before = pipeline.call(request)
    assert requests.post(url, urlencode(body), headers=headers, timeout=10).status_code == 204
    read_through(pipeline)
    assert pipeline.call(request) == before
    attempt = before["attempts"][0]
    assert attempt["reason"] == {"code": "486", "detail": "busy"} and attempt["provider_call_id"] == placement.sid


def test_a_report_of_attempt_12_is_none_of_attempt_1(pipeline, victims):
    """The end of the URL moved into the first field."""
    request = victims["twilio", "ringing"]
    placement, before = pipeline.placed(request), pipeline.call(request)
    mark, body = said(placement, ANSWERED)
    first = min(body)
    headers, _ = twilio.signed_post(url_of(pipeline, "twilio", request, 12), body)
    moved = {("2" + name if name == first else name): value for name, value in body.items()}
    url = pipeline.provider.delivered_to(url_of(pipeline, "twilio", request, 1))
    assert requests.post(url, urlencode(moved), headers=headers, timeout=10).status_code == 204
    letters[mark] = "unparseable_callback"
    read_through(pipeline)
    assert pipeline.call(request) == before


# --- anything, at random ----------------------------------------------------------------------------------------------


def random_try(pipeline, rng, victims, mine):
    """A stranger's request: any path, reference, id and word, with their own credentials."""
    provider = rng.choice(PROVIDERS)
    own, victim = f"own-{provider}", victims[rng.choice(list(victims))]
    placements = pipeline.provider.placements(victim["to"]) + [mine[provider]]
    fields, attempt = {forging.ID_FIELD[provider]: rng.choice(placements).sid}, rng.choice([1, 1, 2, 2, 3, 12])
    if provider == "africastalking":
        fields["clientRequestId"] = rng.choice([None, f"acme/{victim['call_id']}/{attempt}"])
    body = said(mine[provider], rng.choice([ANSWERED, BUSY, NO_ANSWER, RINGING]), **fields)[1]
    what, request = rng.choice([("callbacks", victim), ("callbacks", None), ("answer", victim)])
    return forging.delivery(provider, url_of(pipeline, own, request, attempt, what), body, OWN_SECRETS[provider])


def test_a_stranger_s_credentials_and_any_reference_change_nothing_of_others(pipeline, victims, mine):
    rng = random.Random(20261122)
    before, placements = states_of(pipeline, victims), len(pipeline.provider.placements())
    for _ in range(150):
        sent = random_try(pipeline, rng, victims, mine)
        assert "Maize" not in pipeline.provider.deliver(*sent).text, sent
    read_through(pipeline)
    assert states_of(pipeline, victims) == before
    assert len(pipeline.provider.placements()) == placements


# --- what became of it ------------------------------------------------------------------------------------------------


def test_what_is_nobody_s_is_a_dead_letter_and_counted(pipeline, victims):
    """After it has waited for a call to be known; and nothing of it was applied then."""
    before = states_of(pipeline, victims)

    def missing():
        reasons = {}
        for letter in pipeline.dead_letters():
            mark = letter.value.partition(b"forged")[2][:6].decode()
            reasons[f"forged{mark}"] = letter.headers["ivr-reason"]
        return {mark: reason for mark, reason in letters.items() if reasons.get(mark) != reason}

    wait_until(lambda: not missing(), lambda: f"{len(missing())} of {len(letters)} dead letters: {missing()}", timeout=45)
    read_through(pipeline)
    assert states_of(pipeline, victims) == before
    metrics = pipeline.worker("status").metrics()
    assert metrics.value("ivr_dead_letters_total", reason="unknown_call") >= len(letters) - 1
