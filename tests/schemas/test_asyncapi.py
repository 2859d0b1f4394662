"""schemas/asyncapi.yaml: it is AsyncAPI, its references lead somewhere, and it names what the programs know."""

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import pytest
import yaml
from harness import schemas
from harness.paths import BIN, ROOT, SCHEMAS

HERE = Path(__file__).parent
DOCUMENT = yaml.safe_load((SCHEMAS / "asyncapi.yaml").read_text(encoding="utf-8"))


def references(value):
    if isinstance(value, dict):
        yield from (value["$ref"],) if "$ref" in value else ()
        value = list(value.values())
    if isinstance(value, list):
        for inside in value:
            yield from references(inside)


def follow(reference):
    """What a reference leads to: a place in the document, or a schema file beside it."""
    if reference.startswith("./"):
        return json.loads((SCHEMAS / reference).read_text(encoding="utf-8"))
    found = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def test_the_document_is_asyncapi():
    used = json.loads((HERE / "asyncapi-3.0-used.json").read_text(encoding="utf-8"))
    found = [error.message for error in jsonschema_rs.Draft202012Validator(used).iter_errors(DOCUMENT)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("reference", sorted(set(references(DOCUMENT))))
def test_a_reference_leads_somewhere(reference):
    assert follow(reference)


def test_every_schema_of_a_topic_is_referred_to():
    referred = {Path(name).name.removesuffix(".schema.json") for name in references(DOCUMENT) if name.startswith("./")}
    assert referred == {n for n in schemas.names() if n not in ("call", "channels") and not n.startswith("http-")}


def test_every_topic_stands_in_it_under_its_default_name():
    shown = subprocess.run([BIN / "ivrctl", "--help"], capture_output=True, text=True, check=True).stdout
    defaults = set(re.findall(r"\(default: (ivr\.[a-z-]+)\)", shown))
    addresses = {channel["address"] for channel in DOCUMENT["channels"].values()}
    assert addresses == defaults and len(addresses) == 7
    assert all(channel["bindings"]["kafka"]["topic"] == channel["address"] for channel in DOCUMENT["channels"].values())


def test_every_topic_is_used_and_every_message_belongs_to_one():
    assert {o["channel"]["$ref"] for o in DOCUMENT["operations"].values()} == {f"#/channels/{n}" for n in DOCUMENT["channels"]}
    of_channels = {ref for channel in DOCUMENT["channels"].values() for ref in references(channel["messages"])}
    assert of_channels == {f"#/components/messages/{name}" for name in DOCUMENT["components"]["messages"]}


def test_the_channels_schema_fits_the_providers_of_this_build():
    done = subprocess.run(
        [sys.executable, SCHEMAS / "generate.py", BIN / "ivrctl", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_readme_s_five_lines_work():
    """Its Python is run as it stands, from the folder that it says."""
    block = re.search(r"(?:^    .*\n)+", (SCHEMAS / "README.md").read_text(encoding="utf-8").split("Python", 1)[1], re.M)
    code = "\n".join(line[4:] for line in block.group(0).splitlines())
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("to: "), (code, done)
