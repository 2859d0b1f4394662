#!/usr/bin/env python3
"""Writes RESULTS.md and its charts from what the benches left.

    make bench-report                    after `make bench` and `make bench-growth`
    build/venv/bin/python tests/bench/report.py build/bench

It measures nothing: a figure that is not in the files is not in the report.
"""

import argparse
import json
import pathlib
import subprocess
import time

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
OURS, PEER, REDIS = "#1f5a8c", "#9a9a9a", "#b5482f"
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "ivr", "font.family": "sans-serif", "font.size": 10,
         "axes.spines.top": False, "axes.spines.right": False}
HEAD = """# Last measurement

{date}, version {version} ({commit}), {machine}. Broker, Redis, simulator and worker share the cores, so read CPU seconds, and
the multiples of the peer, which ran in the same minutes; a rate is what the neighbours leave. Commands: `{commands}`.
What each figure is: [README.md](README.md). Versions: {versions}.
"""


def read(path):
    return json.loads(path.read_text()) if path.exists() else []


def first_line(*argv):
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=True, cwd=HERE).stdout.splitlines()[0].strip()
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "?"


def machine():
    cpus = [line.partition(":")[2].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return f"{len(cpus)} × {cpus[0] if cpus else '?'}"


def versions():
    found = [first_line("redis-server", "--version").split(" sha")[0].replace("Redis server v=", "Redis "),
             first_line("go", "version").replace("go version go", "Go ").split(" linux")[0]]
    names = {"rdkafka": "librdkafka", "libcurl": "libcurl", "hiredis": "hiredis", "jansson": "jansson", "libuv": "libuv"}
    found += [f"{name} {first_line('pkg-config', '--modversion', key)}" for key, name in names.items()]
    return ", ".join(found)


def head(rows, growth):
    version = next((l.split("=")[1].strip() for l in (HERE / "../../Makefile").open() if l.startswith("VERSION")), "?")
    commands = [name for name, there in (("make bench", rows), ("make bench-growth", growth)) if there]
    return HEAD.format(date=time.strftime("%Y-%m-%d"), version=version, commit=first_line("git", "rev-parse", "--short", "HEAD"),
                       machine=machine(), commands="`, `".join(commands), versions=versions())


# ---- tables ----

def number(value):
    if not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(rows):
    """One of rows that have the same figures."""
    figures = [key for key in rows[0] if key != "run"]
    lines = [f"| | {' | '.join(figures)} |", "| --- |" + " ---: |" * len(figures)]
    lines += [f"| {row['run']} | {' | '.join(number(row[key]) for key in figures)} |" for row in rows]
    return "\n".join(lines) + "\n"


def tables(rows):
    kinds = {}
    for row in rows:
        kinds.setdefault(tuple(row), []).append(row)
    return "\n".join(table(kind) for kind in kinds.values())


# ---- charts ----

def save(figure, name):
    figure.tight_layout()
    figure.savefig(HERE / name, metadata={"Date": None})
    plt.close(figure)


def chart_cpu(rows):
    """CPU for a record, ours and the peer's, the worker's and Redis'."""
    by_name = {row["run"]: row for row in rows}
    names = [name for name in by_name if f"{name} peer" in by_name]
    if not names:
        return False
    figure, axes = plt.subplots(1, len(names), figsize=(9, 3.2))
    for axis, name in zip(axes if len(names) > 1 else [axes], names):
        pair = [by_name[name], by_name[f"{name} peer"]]
        worker = [row["cpu_1k"] * 1000 for row in pair]
        redis = [row["redis_cpu_1k"] * 1000 for row in pair]
        axis.bar(["ours", "Go"], worker, color=[OURS, PEER], width=0.6)
        axis.bar(["ours", "Go"], redis, bottom=worker, color=REDIS, width=0.6, alpha=0.75)
        for x, (own, other) in enumerate(zip(worker, redis)):
            axis.annotate(f"{own:.0f} + {other:.0f}", (x, own + other), ha="center", va="bottom")
        axis.set_title(name, fontsize=10)
        axis.margins(y=0.15)
    figure.axes[0].set_ylabel("µs of CPU a record: worker + Redis (red)")
    save(figure, "cpu.svg")
    return True


def chart_growth(growth):
    kinds = [what for what in dict.fromkeys(row["run"] for row in growth) if what != "replicas"]
    if not kinds:
        return False
    figure, axes = plt.subplots(1, len(kinds), figsize=(9, 3.2), sharey=True)
    for axis, what in zip(axes if len(kinds) > 1 else [axes], kinds):
        rows = [row for row in growth if row["run"] == what]
        for figure_name, color, label in (("cpu_1k", OURS, "dispatch"), ("redis_cpu_1k", REDIS, "Redis")):
            axis.plot([row["n"] for row in rows], [row[figure_name] * 1000 for row in rows], "o-", color=color, label=label)
        axis.set_xscale("log")
        axis.set_xlabel({"calls": "calls in the campaign"}.get(what, what))
    figure.axes[0].set_ylim(bottom=0)  # theirs too; once all are drawn, it ends the scaling
    figure.axes[0].set_ylabel("µs of CPU a call")
    figure.axes[0].legend(frameon=False)
    save(figure, "growth.svg")
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="with run.json and growth.json")
    folder = parser.parse_args().folder
    rows, growth = read(folder / "run.json"), read(folder / "growth.json")
    with plt.rc_context(STYLE):
        parts = [head(rows, growth)]
        if rows:
            parts.append("## Beside the peer\n\n" + ("![CPU a record](cpu.svg)\n\n" if chart_cpu(rows) else "") + tables(rows))
        if growth:
            parts.append("## Growth\n\n" + ("![CPU a call as it grows](growth.svg)\n\n" if chart_growth(growth) else "") + tables(growth))
    (HERE / "RESULTS.md").write_text("\n".join(parts))
    print(HERE / "RESULTS.md")


if __name__ == "__main__":
    main()
