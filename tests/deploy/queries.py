"""Every PromQL query that deploy/ has, and the series that it asks for.

    for where, query in all_queries():
        for selector in selectors(query): ...        # name, {label: (operator, value)}
"""

import json
import re
from pathlib import Path

import yaml

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
DASHBOARD = DEPLOY / "grafana" / "ivr-workers.json"
RULES = DEPLOY / "prometheus" / "ivr-workers.rules.yaml"
SCALERS = DEPLOY / "kubernetes" / "components" / "autoscale-keda" / "scalers.yaml"

# Ours and those that every process has; functions and labels are written otherwise.
_SELECTOR = re.compile(r"\b((?:ivr|process)_[a-z_]+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
# What Prometheus adds to what it scrapes from pods.
TARGET_LABELS = {"namespace", "pod", "instance", "job"}


def dashboard_queries():
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        for target in panel.get("targets", []):
            yield f"dashboard, {panel['title']}", target["expr"]


def rule_queries():
    for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            yield f"alert {rule['alert']}", rule["expr"]


def scaler_queries():
    for scaler in yaml.safe_load_all(SCALERS.read_text(encoding="utf-8")):
        for trigger in scaler["spec"]["triggers"]:
            if trigger["type"] == "prometheus":
                yield f"scaler {scaler['metadata']['name']}", trigger["metadata"]["query"]


def all_queries():
    yield from dashboard_queries()
    yield from rule_queries()
    yield from scaler_queries()


def selectors(query):
    for match in _SELECTOR.finditer(query):
        yield match.group(1), {name: (op, value) for name, op, value in _MATCHER.findall(match.group(2) or "")}


def labels_of_aggregations(query):
    """Every label that the query groups or joins by."""
    found = set()
    for names in re.findall(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)", query):
        found |= {name.strip() for name in names.split(",") if name.strip()}
    return found
