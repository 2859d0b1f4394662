"""No number leaves unless IVR_PII says so: however a provider, a request or a person at a terminal spells it.

What is looked for is read by Python's own Unicode tables: all that is left of a text once everything but its digits is
gone, in whatever script they are.
"""

import json
import unicodedata
import urllib.parse

import pytest
import requests

SPELLINGS = {
    "e164": "+{cc}{n}",
    "blanks": "+{cc} {n:3} {n:6} {n:9}",
    "dashes": "+{cc}-{n:3}-{n:6}-{n:9}",
    "dots": "+{cc}.{n:3}.{n:6}.{n:9}",
    "brackets": "(+{cc}) ({n:3}) {n:6}-{n:9}",
    "no plus": "{cc}{n}",
    "double zero": "00{cc}{n}",
    "national": "0{n}",
    "national, blanks": "0{n:3} {n:6}{n:9}",
    "national, dashes": "0{n:3}-{n:6}-{n:9}",
    "no-break spaces": "+{cc}\u00a0{n:3}\u202f{n:6}\u2009{n:9}",
    "other dashes": "+{cc}\u2011{n:3}\u2013{n:6}\u2212{n:9}",
    "zero width": "+{cc}{n:3}\u200b{n:6}\u2060{n:9}",
    "soft hyphens": "+{cc}{n:3}\u00ad{n:6}\ufeff{n:9}",
    "Arabic-Indic": "+{cc:ar}{n:ar}",
    "Devanagari": "+{cc:hi}{n:hi}",
    "fullwidth": "\uff0b{cc:full}{n:full}",
    "mathematical": "+{cc:math}{n:math}",
    "percent": "%2B{cc}%20{n}",
}
ZEROS = {"ar": "\u0660", "hi": "\u0966", "full": "\uff10", "math": "\U0001d7ce"}
KEY = "a-key-of-the-tests"
CHANNELS = {"main": {}, "at": {"provider": "africastalking"}}


class Digits(str):
    """The number's digits; {n:3} are the three that end at the third, {n:ar} all of them in another script."""

    def __format__(self, how):
        if how.isdigit():
            return self[int(how) - 3 : int(how)]
        zero = ord(ZEROS[how]) if how else ord("0")
        return "".join(chr(zero + int(digit)) for digit in self)


def spelled(name, number):
    return SPELLINGS[name].format(cc=Digits(number[1:4]), n=Digits(number[4:]))


def digits_of(text):
    """Of a line, of JSON or of an URL: the decimal digits, as they would be dialled."""
    text = urllib.parse.unquote(text.encode().decode("unicode_escape", errors="replace") if "\\u" in text else text)
    values = (unicodedata.decimal(character, None) for character in unicodedata.normalize("NFKC", text))
    return "".join(str(value) for value in values if value is not None)


def shows(text, number):
    return any(number[4:] in digits_of(line) for line in text.splitlines())


@pytest.fixture(scope="module", params=["mask", "hash", "plain"])
def pii(request):
    return request.param


@pytest.fixture(scope="module")
def pipeline(make_module_pipeline, pii):
    return make_module_pipeline(CHANNELS, env={"IVR_PII": pii, "IVR_PII_KEY": KEY, "IVR_UNKNOWN_CALLBACK_KEEP": "1s"})


@pytest.fixture(scope="module")
def failed(pipeline):
    """{spelling: call} whose provider named the number in its code and in its words; all of one campaign."""
    calls = {name: pipeline.request(campaign="spelled", channel="at") for name in SPELLINGS}
    for name, request in calls.items():
        number = spelled(name, request["to"])
        said = {"hangupCause": f"REJECTED_{number}", "status": f"no route to {number}: gone"}
        pipeline.report(request, "NotAnswered", **said)
    for request in calls.values():
        pipeline.wait_final(request, "Failed_unknown_reason")
    return calls


def assert_follows(pii, text, number, what):
    """The number is there in plain mode only; what hides it says that something is hidden."""
    assert shows(text, number) == (pii == "plain"), f"{what}: {text!r}"
    if pii != "plain":
        assert ("****" if pii == "mask" else "h:") in text, f"{what}: {text!r}"


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_reason_s_code_and_words_follow_the_setting(pipeline, pii, failed, spelling):
    request = failed[spelling]
    reason = pipeline.all_events(request)[-1]["reason"]
    assert reason["code"].startswith("REJECTED_") and reason["detail"].endswith(": gone")
    assert_follows(pii, reason["code"], request["to"], "the event's code")
    assert_follows(pii, reason["detail"], request["to"], "the event's detail")
    assert pipeline.call(request)["attempts"][0]["reason"] == reason


def test_ivrctl_shows_them_the_same_way(pipeline, pii, failed):
    request = failed["zero width"]
    shown = pipeline.cli("call", f"acme/{request['call_id']}").out
    assert_follows(pii, next(line for line in shown.splitlines() if "reason: " in line), request["to"], "ivrctl call")


def test_the_counters_of_a_campaign_have_the_codes_as_the_events_have_them(pipeline, pii, failed):
    any_call = next(iter(failed.values()))
    summary = pipeline.wait_summary(any_call, lambda s: s["complete"] and s["calls"] == len(failed), "all of them")
    codes = {pipeline.all_events(request)[-1]["reason"]["code"] for request in failed.values()}
    assert set(summary["by_reason"]) == codes
    shown = pipeline.cli("campaign", "acme/spelled", "--json")
    assert set(shown.json()["by_reason"]) == codes


@pytest.mark.parametrize("pii", ["hash"], indirect=True, scope="module")
def test_under_a_hash_every_spelling_with_its_country_is_the_number_s_own(pipeline, pii, failed):
    for spelling in ("e164", "blanks", "brackets", "double zero", "zero width", "Arabic-Indic", "percent"):
        event = pipeline.all_events(failed[spelling])[-1]
        assert event["to"] in event["reason"]["detail"], spelling


BAD = {
    "to": lambda number: {"to": number.removeprefix("+") + "x"},
    "from": lambda number: {"from": number + " x"},
    "campaign": lambda number: {"campaign": number},
    "channel": lambda number: {"channel": number},
    "not_before": lambda number: {"not_before": number},
    "message.language": lambda number: {"message": {"say": "Hi", "language": number}},
}


@pytest.fixture(scope="module")
def letters(pipeline):
    """[(field, number, dead letter, the same as ivrctl lists it)]"""
    sent = {}
    for field, changes in BAD.items():
        for spelling in ("e164", "national, blanks", "zero width", "fullwidth"):
            number = pipeline.new_number()
            request = pipeline.send(pipeline.new_request(**changes(spelled(spelling, number))))
            sent[request["call_id"]] = (field, number)
    found = pipeline.tap.wait(
        pipeline.topics["DEAD_LETTERS"], lambda record: record.key.decode() in sent, "all of them", count=len(sent)
    )
    listed = map(json.loads, pipeline.cli("dead-letters", "list", "--json").out.splitlines())
    by_key = {line["key"]: line for line in listed}
    return [(*sent[record.key.decode()], record, by_key[record.key.decode()]) for record in found]


def test_a_dead_letter_s_detail_follows_the_setting(pii, letters):
    for field, number, letter, listed in letters:
        assert field in letter.headers["ivr-detail"]
        assert_follows(pii, letter.headers["ivr-detail"], number, "ivr-detail")
        assert listed["detail"] == letter.headers["ivr-detail"]
        assert shows(letter.value.decode(), number), "the original is kept as it was"
        assert_follows(pii, listed["value"], number, "the value that ivrctl shows")


def test_what_v1_answers_to_a_request_that_does_not_fit_follows_the_setting(pipeline, pii):
    for changes in BAD.values():
        number = pipeline.new_number()
        refused = pipeline.api("/v1/calls", "POST", json=pipeline.new_request(**changes(spelled("blanks", number))))
        assert refused.status_code == 422
        assert_follows(pii, refused.json()["errors"][0]["message"], number, "422")


def test_a_log_follows_the_setting(pipeline, pii):
    """An unknown field's name, the reason of a suspension, the path of who has no business here."""
    number = pipeline.new_number()
    pipeline.send(pipeline.new_request(**{f"call {spelled('blanks', number)}": 1}))
    dispatch, gateway = pipeline.worker("dispatch"), pipeline.worker("gateway")
    line = dispatch.wait_log(lambda entry: "unknown field" in entry.get("msg", ""), "the unknown field")
    assert_follows(pii, line["field"], number, "the log of dispatch")
    tail = urllib.parse.quote(number)
    for path, field in ((f"/callbacks/twilio/{tail}/acme/c1/1", "channel"), (f"/callbacks/twilio/main/acme/{number[1:]}/1", "path")):
        before = len(gateway.log())
        assert requests.post(gateway.gateway + path, data={"CallSid": "CA1"}, timeout=5).status_code in (403, 404)
        line = gateway.wait_log(lambda entry: field in entry and entry in gateway.log()[before:], path)
        assert_follows(pii, line[field], number, "the log of the gateway")


def test_what_is_said_to_the_person_at_the_terminal_follows_the_setting(pipeline, pii, tmp_path):
    number = pipeline.new_number()
    for spelling in ("national, blanks", "zero width", "Arabic-Indic"):
        said = pipeline.cli("dnc", "add", "acme", "-", stdin=spelled(spelling, number) + "\n")
        assert said.code == 1
        assert_follows(pii, said.err.splitlines()[0], number, "dnc add")
    said = pipeline.cli("dnc", "add", "acme", number[1:])
    assert_follows(pii, said.err, number, "dnc add of what is taken for a file")
    said = pipeline.cli("dnc", "list", "acme", number)
    assert said.code == 2
    assert_follows(pii, said.err.splitlines()[0], number, "a word too many")
    table = tmp_path / "contacts.csv"
    table.write_text(f"to,{spelled('blanks', number)}\n{number},x\n", encoding="utf-8")
    said = pipeline.cli("request", str(table), "--tenant", "acme", "--campaign", "c", "--say", "Hi")
    assert said.code == 1
    assert_follows(pii, said.err, number, "a column's name")
    table.write_text(f"to,campaign\n{number},{spelled('dashes', number)}\n", encoding="utf-8")
    said = pipeline.cli("request", str(table), "--tenant", "acme", "--say", "Hi")
    assert said.code == 1
    assert_follows(pii, said.err.splitlines()[0], number, "a cell")


def test_plain_of_ivrctl_shows_what_it_is_given(pipeline, pii):
    number = pipeline.new_number()
    said = pipeline.cli("dnc", "add", "acme", "-", "--plain", stdin=spelled("blanks", number) + "\n")
    assert shows(said.err, number)


@pytest.mark.parametrize("pii", ["mask", "hash"], indirect=True, scope="module")
def test_nothing_else_of_it_is_in_any_log(pipeline, pii, failed):
    pipeline.wait_committed("ivr-status", "CALLBACKS")
    for worker in pipeline.workers:
        for line in worker.log():
            for request in failed.values():
                assert not shows(json.dumps(line), request["to"]), f"{worker.name}: {line}"
