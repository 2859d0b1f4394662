"""The schemas themselves, and the examples beside them: valid ones fit, invalid ones fail where their name says.

An invalid example is named FIELD--WHY.json, FIELD with dots: an error stands there, and nowhere else.
"""

import json

import jsonschema
import jsonschema_rs
import pytest
from decoder import answers
from generate import line_of
from harness import schemas
from harness.paths import ROOT, SCHEMAS
from referencing import Registry, Resource

EXAMPLES = SCHEMAS / "examples"
VALID = sorted(path for path in EXAMPLES.glob("*/*.json") if path.parent.name != "invalid")
INVALID = sorted((EXAMPLES / "invalid").glob("*/*.json"))
DECODED = {"call-request", "channels"}
KEY = (ROOT / "tests/corpus/vonage/private_key.pem").read_text(encoding="utf-8")
# The environment that examples of channels files refer to.
VARIABLES = {"AT_API_KEY": "0123456789abcdef", "VONAGE_PRIVATE_KEY": KEY, "VONAGE_SIGNATURE_SECRET": "s" * 32}

REGISTRY = Registry(retrieve=lambda uri: Resource.from_contents(schemas.load(uri.removesuffix(".schema.json"))))


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def name_of(path):
    return f"{path.parent.name}/{path.stem}"


def errors(kind, document):
    """What the validator that most people have says; jsonschema_rs, which the other tests use, must not differ."""
    found = list(jsonschema.Draft202012Validator(schemas.load(kind), registry=REGISTRY).iter_errors(document))
    assert bool(found) != schemas.validator(kind).is_valid(document), f"two validators differ on {document}"
    return found


def missing(error):
    if error.validator == "required":
        return [name for name in error.validator_value if name not in error.instance]
    if error.validator == "dependentRequired":
        needed = [n for name, needs in error.validator_value.items() if name in error.instance for n in needs]
        return [name for name in needed if name not in error.instance]
    return []


def unexpected(error):
    known = error.schema.get("properties", {})
    return [name for name in error.instance if name not in known] if error.validator == "additionalProperties" else []


def places(error):
    """Where an error stands, dotted: the field that is wrong, missing or too much; with what an anyOf says inside."""
    here = [str(part) for part in error.absolute_path]
    if "propertyNames" in error.absolute_schema_path:
        here.append(error.instance)
    more = missing(error) + unexpected(error)
    found = [".".join([*here, name]) for name in more] if more else [".".join(here)]
    return found + [place for inside in error.context for place in places(inside)]


@pytest.mark.parametrize("kind", schemas.names())
def test_a_schema_is_one_and_has_examples(kind):
    schema = schemas.load(kind)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] and schema["description"]
    jsonschema_rs.meta.validate(schema)
    assert [path for path in VALID if path.parent.name == kind], "no valid example"
    assert [path for path in INVALID if path.parent.name == kind], "no invalid example"


@pytest.mark.parametrize("path", VALID, ids=name_of)
def test_a_valid_example_fits(path):
    kind, document = path.parent.name, read(path)
    assert not errors(kind, document), schemas.problems(kind, document)
    if kind in DECODED:
        assert answers(kind, [line_of(document)], VARIABLES) == ["ok"]


@pytest.mark.parametrize("path", INVALID, ids=name_of)
def test_an_invalid_example_fails_where_its_name_says(path):
    kind, document, field = path.parent.name, read(path), path.stem.split("--")[0]
    found = [place for error in errors(kind, document) for place in places(error)]
    assert field in found, f"{field} is not where it is wrong: {found}"
    elsewhere = [place for place in found if not (field + ".").startswith(place + ".") and not place.startswith(field)]
    assert not elsewhere, f"{field} is not all that is wrong: {elsewhere}"
    if kind in DECODED:
        said = answers(kind, [line_of(document)])[0]
        assert said.startswith("refused") and field.split(".")[-1].rstrip("0123456789") in said, said


@pytest.mark.parametrize("path", VALID, ids=name_of)
def test_an_example_has_no_field_that_its_schema_does_not_describe(path):
    if path.stem != "unknown-fields" and path.parent.name != "dead-letter-headers":
        schemas.check(path.parent.name, read(path), name_of(path))
