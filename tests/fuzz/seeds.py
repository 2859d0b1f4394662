"""Writes the seed inputs of every fuzz target from what the repository knows: the corpus, the schemas' examples.

python3 tests/fuzz/seeds.py DIRECTORY        DIRECTORY/TARGET/..., one file a seed
"""

import hashlib
import json
import pathlib
import sys
from urllib.parse import urlencode

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests" / "corpus"
END = b"\xff"  # ends a part of an input (tests/fuzz/fuzz.h)


def body_of(part):
    """A case's body, however it is written (tests/corpus/README.md)."""
    if "json" in part:
        return json.dumps(part["json"]).encode()
    if "form" in part:
        return urlencode([tuple(field) for field in part["form"]]).encode()
    return part.get("body", "").encode()


def status_bytes(status):
    """How response.c takes an HTTP status; one that it never gives stands for another."""
    return ((status - 200) % 400).to_bytes(2, "big")


def of_case(provider, case):
    """(target, input) of one corpus case."""
    for name in ("response", "looked_up", "found"):
        if name in case:
            yield f"response-{provider}", status_bytes(case[name]["status"]) + body_of(case[name])
    for name in ("callback", "verify"):
        if name in case:
            part = case[name]
            body, query = body_of(part), part.get("query", "").encode()
            content_type = part.get("content_type", "").encode()
            signature = next(iter(part.get("headers", {}).values()), "").encode()
            yield f"callback-{provider}", END.join((body, query, content_type, signature))
            headers = [b"ce_provider", provider.encode(), b"ce_channel", b"main", b"content-type", content_type]
            headers += [b"ce_tenant", b"acme", b"ce_callid", b"c-1", b"ce_attempt", b"1"]
            yield "record", END.join([body, *headers])
            yield "query", END.join((b"/callbacks/twilio/main/acme/c-1/1", query or body))
            if provider == "twilio":
                yield "signed_text", END.join((body, bytes((7, 34, 10, 4))))


def from_corpus():
    for folder in sorted(path for path in CORPUS.iterdir() if path.is_dir()):
        channel = json.loads((folder / "channel.json").read_text(encoding="utf-8"))
        yield "channels", json.dumps({"channels": {"main": channel}, "default_channel": "main"}).encode()
        for path in sorted(folder.glob("*.json")):
            if path.name != "channel.json":
                yield from of_case(folder.name, json.loads(path.read_text(encoding="utf-8")))


def from_examples():
    for path in sorted((ROOT / "schemas" / "examples").rglob("*request*.json")):
        yield "request", path.read_bytes()
    for path in sorted((ROOT / "schemas" / "examples").rglob("channels/*.json")):
        yield "channels", path.read_bytes()
    for path in sorted((ROOT / "schemas" / "examples").rglob("*.csv")):
        yield "rows", b"".join(path.read_bytes().splitlines(keepends=True)[:4])


ODD_JSON = (
    b'{"a":12345678901234567890,"b":[1e400,-1E-400,0.30000000000000004,3.14159265358979323846],"c":1.5}',
    b'{"a":"\\u0000\\ud800\\udc00\\ud83d","b":"caf\xe9","\xff":1,"c":"\xc0\x80"}',
    b'\xef\xbb\xbf{"a":1,"a":2,"a":1}', b'{"a":NaN,"b":-Infinity,"c":007,"d":"C:\\x"}trailing', b'"text"', b"-0.0",
    b"[" * 260 + b"]" * 260,
)


def by_hand():
    yield from (("json", text) for text in ODD_JSON)
    yield from (("response-vonage", status_bytes(201) + b'{"uuid":"1","status":"started","x":' + text + b"}") for text in ODD_JSON)
    yield from (("response-twilio", status_bytes(201) + b'{"sid":"CA1","x":' + text + b"}") for text in ODD_JSON)
    yield "callback-twilio", END.join((b"CallSid=CA1&CallStatus=busy&x=%zz&y=%00&z=%C0%80&%=1", b"", b"", b""))
    request = {
        "call_id": "c:1", "tenant": "acme", "campaign": "maize", "to": "+254722000111", "channel": "main",
        "from": "+254711082000", "message": {"say": "Habari", "language": "sw-KE"}, "ring_timeout": 40,
        "time_limit": 600, "not_before": "2026-11-22T18:50:50Z", "expires_at": "2026-11-23T18:50:50.5+03:00",
        "calling_hours": {"timezone": "Africa/Nairobi", "from": "08:00", "to": "19:30", "days": ["mon", "sun"]},
        "retry": {"max_attempts": 3, "on": ["No_answer"], "delays": [300, 1800]}, "redial_in_doubt": True,
        "priority": 0, "metadata": {"farmer": "17", "nested": {"a": [1, 2.5, None]}},
    }
    yield "request", json.dumps(request).encode()
    night = {"timezone": "America/Sao_Paulo", "from": "22:30", "to": "24:00", "days": ["fri"]}
    yield "request", json.dumps(request | {"calling_hours": night, "expires_at": "2026-12-01T00:00:00Z"}).encode()
    channel = {"provider": "twilio", "credentials": {"account_sid": "AC1", "auth_token": "x"}}
    hours = {"1": night, "254": {"timezone": "Etc/GMT-3", "from": "23:59", "to": "00:00"}}
    yield "channels", json.dumps({"channels": {"main": channel}, "calling_hours": hours}).encode()
    limits = {"calls_per_second": 0.1, "concurrent_calls": 1e6, "one_call_per_number": False, "fallback": ["spare"]}
    tenants = {"zed": {"concurrent_calls": 1}, "acme": {"concurrent_calls": 50.0}}
    channels = {"main": channel | limits, "spare": channel}
    yield "channels", json.dumps({"channels": channels, "tenants": tenants}).encode()
    yield "query", END.join((b"/ivr/answer/vonage/main/acme/c%2D1/2", b"a=b&token=x%41&%74oken=y&c=%"))
    for url in ("redis://user:p%40ss@h:6379/3", "rediss://h", "unix:///run/redis.sock?db=1",
                "redis+sentinel://:pw@a:26379,b:26379/mymaster/2", "redis+cluster://a:1,b:2", "redis://[::1]:1/0"):
        yield "redis_url", url.encode()
    for text in ("2026-11-22T18:50:50.123Z", "2026-11-22t18:50:50+03:00", "Sat, 07 May 2022 14:30:14 +0000", "15m",
                 "250ms", "call +254722000111 or 0722000111 now"):
        yield "texts", text.encode()
    form = b"POST /callbacks/twilio/main HTTP/1.1\r\nHost: h:80\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\n"
    chunked = b"POST http://h/x?y=1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: a, close\r\n\r\n"
    for head in (form, chunked, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n\r\n"):
        yield "http", END.join((head, b"3\r\nabc\r\n0A;x=\"y\"\r\n0123456789\r\n0\r\nX-T: u\r\n\r\nrest"))
    yield "json_array", b' [{"a":[1,{}],"b":"],[\\""},[ ], 1e2 ,null,"x"]\n'
    yield "rows", b"to,tenant,campaign,message.say,retry.delays\n+254722000111,acme,maize,\"Hello, you\",300;600\n"


def main():
    directory = pathlib.Path(sys.argv[1])
    for source in (from_corpus, from_examples, by_hand):
        for target, data in source():
            folder = directory / target
            folder.mkdir(parents=True, exist_ok=True)
            (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


if __name__ == "__main__":
    main()
