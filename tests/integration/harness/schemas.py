"""The published schemas (schemas/), compiled once, and what holds of our own records and answers besides.

Consumers are told to ignore what they do not know, so the schemas are open. What we produce ourselves is held against a
closed copy of them: a field that no schema describes is a mistake here.
"""

import copy
import functools
import json

import jsonschema_rs

from .paths import SCHEMAS


def names():
    return sorted(path.name.removesuffix(".schema.json") for path in SCHEMAS.glob("*.schema.json"))


def load(name):
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))


def _retrieve(uri):
    return json.loads((SCHEMAS / uri.rsplit("/", 1)[-1]).read_text(encoding="utf-8"))


def closed(schema):
    """The same schema, refusing members that it does not describe."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    inside = {key: closed(part) for key, part in schema.items()}
    if schema.get("type") in ("object", ["object", "null"]) and "properties" in schema:
        inside.setdefault("unevaluatedProperties", False)
    return inside


@functools.cache
def validator(name, only_described=False):
    schema = closed(copy.deepcopy(load(name))) if only_described else load(name)
    return jsonschema_rs.Draft202012Validator(schema, retriever=_retrieve, validate_formats=only_described)


def problems(name, document, only_described=False):
    """["path: sentence"], empty where the document fits."""
    found = validator(name, only_described).iter_errors(document)
    return [".".join(map(str, error.instance_path)) + ": " + error.message for error in found]


def check(name, document, what, only_described=True):
    if not validator(name, only_described).is_valid(document):
        wrong = "\n".join(problems(name, document, only_described))
        raise AssertionError(f"{what} does not fit schemas/{name}.schema.json:\n{wrong}\n{document}")


# --- what we produce -------------------------------------------------------------------------------------------------


def check_call_requests(records):
    """Those that ivrctl and the gateway passed on; others are the tests' own."""
    for record in records:
        if record.headers.get("ce_source") in ("ivr/ivr-gateway", "ivr/ivrctl"):
            check("call-request-headers", record.headers, record)
            check("call-request", record.json, record, only_described=False)


def check_callbacks(records, handmade):
    """All but those whose value a test made and produced by itself."""
    for record in records:
        if record.value not in handmade:
            check("callback-headers", record.headers, record)


def check_call_events(records):
    for record in records:
        check("call-event-headers", record.headers, record)
        check("call-event", record.json, record)


def check_call_records(records):
    for record in records:
        check("call-record-headers", record.headers, record)
        check("call-record", record.json, record)


def check_audit(records):
    for record in records:
        check("audit-headers", record.headers, record)
        check("audit", record.json, record)


def check_delivery_summaries(records):
    for record in records:
        if record.value is not None:
            check("delivery-summary-headers", record.headers, record)
            check("delivery-summary", record.json, record)


def check_dead_letters(records):
    """Beside ours stand the headers of the original, whatever they are."""
    for record in records:
        check("dead-letter-headers", record.headers, record, only_described=False)


# --- what we answer --------------------------------------------------------------------------------------------------

_ANSWERS = (
    ("POST", "/v1/", 200, "http-control"),
    ("GET", "/v1/dnc/", 200, "http-listed"),
    ("PUT", "/v1/dnc/", 200, "http-listed"),
    ("DELETE", "/v1/dnc/", 200, "http-listed"),
    ("POST", "/v1/calls", 202, "http-accepted"),
    ("POST", "/v1/calls", 422, "http-refused"),
    ("GET", "/v1/calls/", 200, "call"),
    ("GET", "/v1/campaigns/", 200, "delivery-summary"),
)


def check_answer(method, path, response):
    """What the gateway's /v1 answered, by method, path and status code."""
    is_json = response.headers.get("Content-Type", "").startswith("application/json")
    if method == "HEAD" or not path.startswith("/v1/") or not is_json:
        return
    found = (
        schema
        for wanted, prefix, status, schema in _ANSWERS
        if method == wanted and path.startswith(prefix) and response.status_code == status
    )
    check(next(found, "http-error"), response.json(), f"{response.status_code} to {method} {path}")
