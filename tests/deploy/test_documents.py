"""What the manuals say of the tree is so: links lead somewhere, files that they name exist, the table of a request's fields is the schema's."""

import json
import re
import subprocess

import manifests
import pytest

ROOT = manifests.ROOT
LISTED = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
MANUALS = [name for name in LISTED if (ROOT / name).is_file()]
README_MAX = 9 * 1000  # bytes: what somebody reads who looks for the first time


def anchors(path):
    """Of each heading, as it is linked to."""
    for heading in re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("manual", MANUALS)
def test_a_link_leads_somewhere(manual):
    path = ROOT / manual
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), f"{manual} links to {link}"
        assert not anchor or anchor in anchors(target), f"{manual} links to {link}"


@pytest.mark.parametrize("manual", [name for name in MANUALS if name != "CHANGELOG.md"])
def test_a_file_that_is_named_exists(manual):
    path = ROOT / manual
    named = re.findall(r"`((?:common|workers|tests|tools|deploy|schemas)/[\w./-]+)`", path.read_text(encoding="utf-8"))
    named = [name for name in named if not re.search(r"NAME|TARGET", name)]
    missing = [name for name in named if not ((ROOT / name).exists() or (path.parent / name).exists())]
    assert not missing, f"{manual} names {missing}"


def test_a_test_that_is_said_to_show_something_exists():
    rows = re.findall(r"^\|[^|]*\|[^|]*\|([^|]*)\|$", (ROOT / "tests/README.md").read_text(encoding="utf-8"), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(test_\w+\.(?:py|c))`", row)}
    assert len(named) > 30
    missing = [name for name in sorted(named) if not list((ROOT / "tests").glob(f"*/{name}"))]
    assert not missing


def test_the_readme_is_short():
    assert (ROOT / "README.md").stat().st_size <= README_MAX


def test_the_readme_has_every_field_of_a_request_with_its_default():
    schema = json.loads((ROOT / "schemas/call-request.schema.json").read_text(encoding="utf-8"))
    table = (ROOT / "README.md").read_text(encoding="utf-8").split("## A request\n")[1].split("\n## ")[0]
    told = {}
    for names, defaults in re.findall(r"^\| ([^|]+) \| ([^|]+) \|", table, re.MULTILINE):
        names = re.findall(r"`(\w+)`", names)
        values = [defaults.strip()] if len(names) == 1 else [part.strip() for part in defaults.split(",")]
        told.update(zip(names, values if len(values) == len(names) else values * len(names)))
    assert set(told) == set(schema["properties"])
    assert {name for name, default in told.items() if default == "required"} == set(schema["required"])
    for name, field in schema["properties"].items():
        if "default" in field:
            assert json.loads(told[name].strip("`")) == field["default"], name
