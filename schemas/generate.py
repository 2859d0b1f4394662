#!/usr/bin/env python3
"""Writes into channels.schema.json what it says about providers, from their own tables.

schemas/generate.py bin/ivrctl            rewrites the file; `make schemas` calls it
schemas/generate.py bin/ivrctl --check    exit 1 where the file is not what it would write
"""

import json
import subprocess
import sys
from pathlib import Path

FILE = Path(__file__).parent / "channels.schema.json"


def credential(setting):
    return {"$ref": "#/$defs/secret"} | ({"writeOnly": True} if setting["secret"] else {})


def credentials(provider):
    """Exactly the credentials of the provider's table; those that it cannot do without."""
    settings = provider["credentials"]
    return {
        "type": "object",
        "required": [setting["name"] for setting in settings if setting["required"]],
        "properties": {setting["name"]: credential(setting) for setting in settings},
        "additionalProperties": False,
    }


def rule(provider):
    """What holds of a channel of this provider."""
    required = [] if provider["default_base_url"] else ["base_url"]
    if any(setting["required"] for setting in provider["credentials"]):
        required.append("credentials")
    then = {"required": required, "properties": {"credentials": credentials(provider)}}
    if provider["needs_callback_secret"]:
        insecure = {"required": ["insecure"], "properties": {"insecure": {"const": True}}}
        then["if"] = {"anyOf": [insecure, {"$ref": "#/$defs/on_loopback"}]}
        then["else"] = {"required": ["callback_secret"]}
    return {"if": {"required": ["provider"], "properties": {"provider": {"const": provider["name"]}}}, "then": then}


def text_of(schema, providers):
    schema["$defs"]["provider"] = {"enum": [provider["name"] for provider in providers]}
    schema["$defs"]["provider_rules"] = {"allOf": [rule(provider) for provider in providers]}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main(ivrctl, *options):
    told = subprocess.run([ivrctl, "providers", "--json"], capture_output=True, text=True, check=True)
    before = FILE.read_text(encoding="utf-8")
    after = text_of(json.loads(before), json.loads(told.stdout))
    if "--check" not in options:
        FILE.write_text(after, encoding="utf-8")
    elif before != after:
        sys.exit(f"{FILE.name} does not fit the providers of this build: run `make schemas`, and commit it")


if __name__ == "__main__":
    main(*sys.argv[1:])
