"""The programs as the linker left them: hardened, and linked to nothing that deploy/LICENCES.md does not list."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("TEST_BIN", ROOT / "bin"))
PROGRAMS = ("ivr-dispatch", "ivr-status", "ivr-report", "ivr-gateway", "ivrctl", "ivr-sandbox")


def readelf(program, *options):
    done = subprocess.run(["readelf", "-W", *options, BIN / program], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module", params=PROGRAMS)
def program(request):
    return request.param


def test_it_is_position_independent(program):
    assert re.search(r"Type:\s+DYN", readelf(program, "-h"))
    assert re.search(r"FLAGS_1\).*\bPIE\b", readelf(program, "-d")), "a shared object, not a PIE"


def test_its_relocations_are_read_only_once_it_runs(program):
    assert "GNU_RELRO" in readelf(program, "-l")
    assert re.search(r"FLAGS_1\).*\bNOW\b", readelf(program, "-d")), "RELRO is partial: symbols are bound late"


def test_its_stack_is_guarded_and_not_executable(program):
    assert re.search(r"\b__stack_chk_fail\b", readelf(program, "--dyn-syms")), "built without -fstack-protector"
    stack = re.search(r"GNU_STACK.*", readelf(program, "-l")).group(0)
    assert re.search(r"\bRW\b", stack) and "RWE" not in stack


def test_its_calls_are_fortified(program):
    checked = set(re.findall(r"\b__(\w+)_chk\b", readelf(program, "--dyn-syms"))) - {"stack"}
    assert {"snprintf", "memcpy", "vsnprintf"} & checked, f"only {checked} are checked"


def test_it_looks_for_libraries_only_where_the_system_has_them(program):
    assert not re.search(r"\((RPATH|RUNPATH)\)", readelf(program, "-d"))
    assert "TEXTREL" not in readelf(program, "-d")


def test_every_library_is_listed_with_its_licence(program):
    listed = (ROOT / "deploy" / "LICENCES.md").read_text(encoding="utf-8")
    needed = re.findall(r"\(NEEDED\)\s+Shared library: \[(.+?)\]", readelf(program, "-d"))
    assert needed
    for library in needed:
        assert f"`{library.split('.so')[0]}`" in listed, f"{library} is not in deploy/LICENCES.md"
