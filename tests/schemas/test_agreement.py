"""Our decoders in C and the published schemas accept the same documents, and refuse the same ones.

What JSON Schema cannot say is listed in EXCEPTIONS: where a document falls under one of them, C refuses although the schema
accepts. Never the other way round.
"""

import json
import re
from datetime import datetime, timedelta

import pytest
import wall_clock
from decoder import answers
from generate import Generator, line_of
from harness import schemas
from harness.paths import ROOT

DOCUMENTS = 2800
SEED = 4


def text_places(document, *path):
    """The texts under a path whose "*" stands for every member."""
    found = [document]
    for part in path:
        inside = [value for value in found if isinstance(value, dict)]
        found = [v for value in inside for v in (value.values() if part == "*" else [value[part]] if part in value else [])]
    return [text for text in found if isinstance(text, str)]


def instant(text):
    """The time, None where the text is no RFC 3339 time that the calendar has."""
    text = text.upper().replace("Z", "+00:00")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def times(document):
    return [text for name in ("not_before", "expires_at") for text in text_places(document, name)]


def has_port_out_of_range(url):
    """A port that is none: 0, or past 65535."""
    authority = url.split("//", 1)[-1].replace("?", "/").replace("#", "/").split("/", 1)[0].rsplit("@", 1)[-1]
    port = authority.rsplit(":", 1)[1] if ":" in authority.rsplit("]", 1)[-1] else ""
    return port.isdigit() and not 1 <= int(port) <= 65535


def expires_before_it_may_start(document):
    start, end = (next(iter(text_places(document, name)), None) for name in ("not_before", "expires_at"))
    return bool(start and end and instant(start) and instant(end) and instant(end) <= instant(start))


def windows(document):
    """The request's window, or all of those of a channels file."""
    hours = document.get("calling_hours")
    if not isinstance(hours, dict):
        return []
    found = hours.values() if "channels" in document else [hours]
    return [window for window in found if isinstance(window, dict)]


def has_unknown_zone(document):
    zones = [window["timezone"] for window in windows(document) if isinstance(window.get("timezone"), str)]
    return any(not wall_clock.is_zone(zone) for zone in zones)


def window_never_opens(document):
    return any(window.get("from") == window.get("to") for window in windows(document))


def opens_too_late(document):
    start, end = (instant(next(iter(text_places(document, name)), "")) for name in ("not_before", "expires_at"))
    if not (start and end and windows(document)) or has_unknown_zone(document) or window_never_opens(document):
        return False
    opens_ms = wall_clock.next_open(windows(document)[0], (start - wall_clock.EPOCH) // timedelta(milliseconds=1))
    return opens_ms >= (end - wall_clock.EPOCH) // timedelta(milliseconds=1)


def names_of(document):
    return set(document["channels"]) if isinstance(document.get("channels"), dict) else set()


def fallbacks(document):
    channels = document["channels"].items() if names_of(document) else ()
    return {name: channel.get("fallback", []) for name, channel in channels if isinstance(channel, dict)}


def falls_back_in_a_circle(document):
    edges = fallbacks(document)

    def reaches(name, goal, seen):
        if name in seen:
            return False
        return goal in edges.get(name, ()) or any(reaches(n, goal, seen | {name}) for n in edges.get(name, ()))

    return any(reaches(name, name, set()) for name in edges)


def longer_than(limit, *path):
    return lambda document: any(len(text.encode()) > limit for text in text_places(document, *path))


def secrets_that_are_not_there(document):
    """Environment variables and files that a channels file names, and this machine does not have."""
    kept = ("channels", "*", "credentials", "*"), ("channels", "*", "callback_secret")
    named = [(kind, text) for path in kept for kind in ("env", "file") for text in text_places(document, *path, kind)]
    named += [(k, v) for secrets in lists_of_secrets(document) for s in secrets if isinstance(s, dict) for k, v in s.items()]
    return any(text != ENVIRONMENT_NAME if kind == "env" else not is_file(text) for kind, text in named)


def is_file(text):
    try:
        return (ROOT / str(text)).is_file()
    except (OSError, ValueError):
        return False


def lists_of_secrets(document):
    channels = document["channels"].values() if names_of(document) else ()
    lists = [channel.get("callback_secret") for channel in channels if isinstance(channel, dict)]
    return [found for found in lists if isinstance(found, list)]


ENVIRONMENT_NAME, FILE_NAME = "TEST_SECRET", "/proc/self/comm"
REQUEST = {"call_id": "c-1", "tenant": "acme", "campaign": "maize", "to": "+254722000111", "message": {"say": "x"}}
CHANNEL = {"provider": "twilio", "credentials": {"account_sid": "AC1", "auth_token": "x"}}


def one_channel(**changes):
    return {"channels": {"a": CHANNEL | changes}}


# Each: why the schema cannot say it, whether a document falls under it, and a document that does.
EXCEPTIONS = {
    "call-request": {
        "expires_at after not_before: compares two members": (
            expires_before_it_may_start,
            REQUEST | {"not_before": "2026-11-22T18:50:50Z", "expires_at": "2026-11-22T18:50:50Z"},
        ),
        "30 February, a leap second in mid-day: the calendar": (
            lambda document: any(instant(text) is None for text in times(document)),
            REQUEST | {"not_before": "2026-02-30T00:00:00Z"},
        ),
        "calling_hours.timezone is a zone of tzdata: the machine": (
            has_unknown_zone,
            REQUEST | {"calling_hours": {"timezone": "Africa/Nairobbi", "from": "08:00", "to": "20:00"}},
        ),
        "calling_hours open between not_before and expires_at: compares members": (
            opens_too_late,
            REQUEST
            | {"calling_hours": {"timezone": "UTC", "from": "08:00", "to": "09:00"}}
            | {"not_before": "2026-11-22T09:00:00Z", "expires_at": "2026-11-23T08:00:00Z"},
        ),
        "calling_hours.from is not to: compares two members": (
            window_never_opens,
            REQUEST | {"calling_hours": {"timezone": "Africa/Nairobi", "from": "08:00", "to": "08:00"}},
        ),
        "a URL's port is 1 to 65535: a number within a text": (
            lambda document: any(map(has_port_out_of_range, text_places(document, "message", "*"))),
            REQUEST | {"message": {"play": "https://a.example.org:65536/x"}},
        ),
        "a URL has at most 2000 bytes: maxLength counts characters": (
            longer_than(2000, "message", "*"),
            REQUEST | {"message": {"play": "https://a.example.org/" + "é" * 1500}},
        ),
        "channel has at most 128 bytes: maxLength counts characters": (
            longer_than(128, "channel"),
            REQUEST | {"channel": "é" * 100},
        ),
        "metadata has at most 2048 bytes: the size of a value as JSON": (
            lambda document: len(json.dumps(document.get("metadata"), ensure_ascii=False).encode()) > 2000,
            REQUEST | {"metadata": {"x": "y" * 2048}},
        ),
        "64 KiB in all: the size of a document": (
            lambda document: len(line_of(document).encode()) > 64 * 1024,
            REQUEST | {"x": "y" * 64 * 1024},
        ),
    },
    "channels": {
        "default_channel is a channel of this file: compares members": (
            lambda document: not set(text_places(document, "default_channel")) <= names_of(document),
            one_channel() | {"default_channel": "b"},
        ),
        "fallback names channels of this file: compares members": (
            lambda document: any(not set(names) <= names_of(document) for names in fallbacks(document).values()),
            one_channel(fallback=["b"]),
        ),
        "a timezone is a zone of tzdata: the machine": (
            has_unknown_zone,
            one_channel() | {"calling_hours": {"254": {"timezone": "Africa/Nairobbi", "from": "08:00", "to": "20:00"}}},
        ),
        "from is not to: compares two members": (
            window_never_opens,
            one_channel() | {"calling_hours": {"254": {"timezone": "UTC", "from": "08:00", "to": "08:00"}}},
        ),
        "fallback does not lead in a circle: compares members": (falls_back_in_a_circle, one_channel(fallback=["a"])),
        "a URL's port is 1 to 65535: a number within a text": (
            lambda document: any(map(has_port_out_of_range, text_places(document, "channels", "*", "base_url"))),
            one_channel(base_url="https://a.example.org:0"),
        ),
        "a secret's variable is set and its file is there: the machine": (
            secrets_that_are_not_there,
            one_channel(callback_secret={"env": "TEST_NOT_SET"}),
        ),
    },
}
# The sentence of a provider's own check (open of struct provider), which no table holds: a key that parses, two credentials
# that go together. Unlike the others' it names the channel, and then the field.
OWN_CHECK = re.compile(r"channels\.[A-Za-z0-9._-]+: (credentials\.|from: )")


def is_excepted(kind, document, answer):
    return any(falls(document) for falls, _ in EXCEPTIONS[kind].values()) or OWN_CHECK.search(answer)


# --- documents -------------------------------------------------------------------------------------------------------


def some_url(random):
    host = random.choice(["a.example.org", "user:pass@a.example.org", "[::1]", "10.0.0.1", "bücher.example", "x"])
    port = random.choice(["", "", ":8443", ":"])
    path = random.choice(["", "/", "/a/b.mp3?x=1&y=%20#z", "?q", "#f", "/é", "/@:,"])
    return random.choice(["https://", "http://"]) + host + port + path


def some_base_url(random):
    host = random.choice(["http://127.0.0.1", "http://localhost", "http://[::1]", "https://a.example.org", "https://10.1.2.3"])
    return host + random.choice(["", ":8443"]) + random.choice(["", "/", "/api/laml"])


def some_zone(random):
    return random.choice(["Africa/Nairobi", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+3", "America/Port-au-Prince"])


def some_time(random):
    moment = datetime(1950, 1, 1) + timedelta(seconds=random.randrange(150 * 365 * 86400))
    text = moment.isoformat() + random.choice(["", ".5", ".123", ".123456789"])
    text += random.choice(["Z", "z", "+03:00", "-11:30", "+23:59"])
    return text.replace("T", "t") if random.random() < 0.1 else text


def consistent_request(document, random):
    """Most times the two ends in the right order."""
    if random.random() < 0.9 and expires_before_it_may_start(document):
        document["not_before"], document["expires_at"] = document["expires_at"], document["not_before"]
    return document


def good_credentials(provider):
    """Ones that pass the provider's own check: those of its corpus."""
    path = ROOT / "tests" / "corpus" / provider / "channel.json"
    return json.loads(path.read_text(encoding="utf-8"))["credentials"]


def consistent_channels(document, random):
    """Nearly always names that exist, without circles, and what passes the provider's own check."""
    names = list(document["channels"])
    for number, channel in enumerate(document["channels"].values()):
        if random.random() < 0.97 and "fallback" in channel:
            channel["fallback"] = names[number + 1 :]
        if random.random() < 0.97 and "from" in channel:
            channel["from"] = "+254711082000"
        if random.random() < 0.97:
            channel["credentials"] = good_credentials(channel["provider"])
    if "default_channel" in document and random.random() < 0.97:
        document["default_channel"] = random.choice(names)
    return document


KINDS = {
    "call-request": (consistent_request, {"url": some_url, "timezone": some_zone, "time": some_time}),
    "channels": (
        consistent_channels,
        {"base_url": some_base_url, "timezone": some_zone, "env": lambda r: ENVIRONMENT_NAME, "file": lambda r: FILE_NAME},
    ),
}


class Asked:
    """Documents with what the schema and what C say of each."""

    def __init__(self, kind, documents):
        check = schemas.validator(kind)
        self.kind, self.documents = kind, documents
        self.fits = [check.is_valid(document) for document in documents]
        self.answers = answers(kind, [line_of(document) for document in documents], {ENVIRONMENT_NAME: "s3cret"})

    def disagreements(self):
        for document, fits, answer in zip(self.documents, self.fits, self.answers, strict=True):
            accepted = answer == "ok"
            if accepted != fits and not (fits and is_excepted(self.kind, document, answer)):
                yield f"schema {'accepts' if fits else 'refuses'}, C: {answer[:300]}\n{line_of(document)[:2000]}"

    def assert_agreement(self):
        found = sorted(self.disagreements(), key=len)
        if found:
            pytest.fail(f"{len(found)} of {len(self.documents)}, the shortest:\n" + "\n".join(found[:4]), pytrace=False)


@pytest.fixture(scope="module", params=KINDS)
def generated(request):
    kind = request.param
    prepare, texts = KINDS[kind]
    generator = Generator(schemas.load(kind), SEED, texts)
    return kind, generator, [prepare(generator.document(), generator.random) for _ in range(DOCUMENTS)]


def test_generated_documents_that_the_schema_accepts_are_accepted(generated):
    kind, _, documents = generated
    asked = Asked(kind, documents)
    asked.assert_agreement()
    both = sum(fits and answer == "ok" for fits, answer in zip(asked.fits, asked.answers, strict=True))
    assert both >= 2000, f"only {both} of {len(documents)} generated documents were accepted by both"


@pytest.mark.parametrize("times", [1, 1, 2, 4])
def test_mutated_documents_are_accepted_or_refused_by_both(generated, times):
    kind, generator, documents = generated
    asked = Asked(kind, [generator.mutated(document, times) for document in documents])
    asked.assert_agreement()
    refused = asked.fits.count(False)
    assert refused >= 500, f"only {refused} of {len(documents)} mutated documents were refused: they are too tame"


@pytest.mark.parametrize("kind, why", [(kind, why) for kind, rows in EXCEPTIONS.items() for why in rows])
def test_an_exception_is_one_still(kind, why):
    """The schema accepts its example, C refuses it, and the exception covers it."""
    falls, example = EXCEPTIONS[kind][why]
    asked = Asked(kind, [example])
    assert asked.fits == [True] and asked.answers[0].startswith("refused"), (asked.fits, asked.answers)
    assert falls(example)


@pytest.mark.parametrize(
    "line", ['{"a": 1, "a": 2}', '{"a": "\\u0000"}', "[" * 65 + "]" * 65, '{"a": 9223372036854775808}', '{"a": "\\ud800"}', ""]
)
def test_what_is_json_to_some_and_not_to_us_is_refused_whatever_stands_in_it(line):
    """A key twice, a NUL, 65 levels, integers past 64 bits, half a surrogate pair: no schema speaks of these."""
    for kind in KINDS:
        assert answers(kind, [line])[0].startswith("refused"), line
