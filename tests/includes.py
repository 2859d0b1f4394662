#!/usr/bin/env python3
"""Who may include whom: each folder looks only down, and no files go in a circle. Prints what breaks it; exit 1 when something does.

A unit is a .c and its .h together. What a folder may look at stands in MAY, and itself besides. `includes.py --test` tries the check
on trees of its own.
"""

import pathlib
import re
import sys
import tempfile

BASE = {"common/base"}
JSON = BASE | {"common/json"}
MODEL = JSON | {"common/model"}
RUN = JSON | {"common/run"}
REDIS = RUN | {"common/redis"}
STORE = REDIS | MODEL | {"workers/store"}
PROVIDERS = RUN | MODEL | {"common/http", "workers/providers"}
# A call's events, and its callbacks that wait, are records of Kafka.
CALLS = STORE | {"common/kafka", "workers/calls"}
PROGRAM = CALLS | PROVIDERS | {"workers/channel", "workers/contact", "workers/program"}
MAY = {
    "common/base": BASE,
    "common/json": JSON,
    "common/model": MODEL,
    "common/run": RUN,
    "common/http": RUN | {"common/http"},
    "common/kafka": RUN | {"common/kafka"},
    "common/redis": REDIS,
    "workers/store": STORE,
    "workers/calls": CALLS,
    "workers/channel": STORE,
    "workers/contact": STORE,
    "workers/providers": PROVIDERS,
    "workers/program": PROGRAM,
    "workers/dispatch": PROGRAM,
    "workers/status": PROGRAM,
    "workers/report": PROGRAM,
    "workers/gateway": PROGRAM,
}
FOLDERS = ("common", "workers", "tools", "tests/simulator")
GENERATED = {"scripts", "layout"}  # in build/gen


def folder(unit):
    """The folder that the rules speak of: that of a provider belongs to providers."""
    parts = unit.split("/")
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]


def units(root):
    """{unit: {units that it includes}}"""
    found = {}
    for path in (path for name in FOLDERS for path in (root / name).rglob("*.[ch]")):
        unit = str(path.relative_to(root).with_suffix(""))
        included = re.findall(r'^#include "([^"]+)\.h"', path.read_text(encoding="utf-8"), re.M)
        found.setdefault(unit, set()).update(set(included) - GENERATED - {unit})
    return found


def steps_up(graph):
    for unit, included in sorted(graph.items()):
        own = folder(unit)
        may = MAY.get(own)
        for other in sorted(included):
            if may is not None and folder(other) not in may | {own}:
                yield f"{unit} looks up to {other}: {own} may include {', '.join(sorted(may))}"


def circles(graph):
    """The strongly connected components of more than one unit (Tarjan's algorithm)."""
    index, low, stack, found = {}, {}, [], []

    def visit(unit):
        index[unit] = low[unit] = len(index)
        stack.append(unit)
        for other in sorted(graph.get(unit, ())):
            if other not in index:
                visit(other)
            if other in stack:
                low[unit] = min(low[unit], low[other])
        if low[unit] == index[unit]:
            at = stack.index(unit)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for unit in sorted(graph):
        if unit not in index:
            visit(unit)
    return found


def complaints(root):
    graph = units(root)
    return list(steps_up(graph)) + [f"these include each other in a circle: {' '.join(circle)}" for circle in circles(graph)]


# Files and what they include, and what the complaint about them begins with; None: there is none.
TREES = [
    ({"common/base/span.h": [], "common/json/json.c": ["common/base/span", "common/json/json", "scripts"], "common/json/json.h": []}, None),
    ({"common/base/span.c": ["common/json/json"], "common/json/json.h": []}, "common/base/span looks up to common/json/json: "),
    ({"workers/calls/parked.h": ["workers/program/worker"]}, "workers/calls/parked looks up to workers/program/worker: "),
    ({"workers/channel/queue.h": ["workers/calls/due"]}, "workers/channel/queue looks up to workers/calls/due: "),
    ({"workers/status/status.c": ["workers/dispatch/judge"]}, "workers/status/status looks up to workers/dispatch/judge: "),
    ({"workers/providers/vonage/vonage.c": ["workers/providers/provider"]}, None),
    # By a header and a source of the same name, as well as by headers alone.
    (
        {"tools/a.h": ["tools/b"], "tools/b.h": [], "tools/b.c": ["tools/b", "tools/c"], "tools/c.h": ["tools/a"]},
        "these include each other in a circle: tools/a tools/b tools/c",
    ),
    ({"tests/simulator/a.h": ["tests/simulator/b"], "tests/simulator/b.h": ["tests/simulator/a"]}, "these include each other in a circle: "),
    # A facade whose implementation has a name of its own is none.
    ({"tools/f.h": [], "tools/f_private.h": ["tools/f"], "tools/f_open.c": ["tools/f", "tools/f_private"]}, None),
]


def wrong_about(files, expected):
    """What the check says about a tree, where that is not what it should say."""
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        for path, included in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text("".join(f'#include "{unit}.h"\n' for unit in included), encoding="utf-8")
        said = complaints(root)
    right = not said if expected is None else len(said) == 1 and said[0].startswith(expected)
    return [] if right else [f"includes.py says {said} of {sorted(files)}, expected {expected}"]


def main():
    if sys.argv[1:] == ["--test"]:
        said = [line for files, expected in TREES for line in wrong_about(files, expected)]
    else:
        said = complaints(pathlib.Path(__file__).resolve().parent.parent)
    print("\n".join(said), end="\n" if said else "")
    return 1 if said else 0


sys.exit(main())
