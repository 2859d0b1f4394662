"""What deploy/ says agrees with what the programs are: names, topics, rights, limits, alerts. Needs no tool but Python."""

import json
import os
import re
import subprocess
from pathlib import Path

import manifests
import pytest
import queries
import yaml

ROOT = manifests.ROOT
DEPLOY = ROOT / "deploy"
BIN = Path(os.environ.get("TEST_BIN", ROOT / "bin"))
README = (DEPLOY / "README.md").read_text(encoding="utf-8")
STRIMZI = manifests.KUBERNETES / "components" / "kafka-strimzi"

METRIC = re.compile(r'METRIC\(\w+, "(\w+)", (\w+), "([^"]*)",\s*((?:"[^"]*"\s*)+)\)')


@pytest.fixture(scope="module")
def metrics():
    """{name of a series: the labels that it has}, from the table that the programs are built with."""
    table = METRIC.findall((ROOT / "common/run/metrics_table.h").read_text(encoding="utf-8"))
    found = {name: {label for label in labels.split(",") if label} for name, _, labels, _ in table}
    for name, kind, labels, _ in table:
        if kind == "HISTOGRAM":
            found[name + "_bucket"] = found[name] | {"le"}
            found[name + "_sum"] = found[name + "_count"] = found[name]
    text = (ROOT / "common/run/metrics.c").read_text(encoding="utf-8")
    return found | {name: set() for name in re.findall(r'"(process_\w+)"', text)}


@pytest.mark.parametrize("where, query", list(queries.all_queries()), ids=lambda value: value if len(value) < 60 else "")
def test_a_query_asks_for_metrics_and_labels_that_there_are(metrics, where, query):
    asked = list(queries.selectors(query))
    assert asked, f"{where} asks for nothing of ours: {query}"
    labels = set(queries.TARGET_LABELS)
    for name, matchers in asked:
        assert name in metrics, f"{where}: nobody has {name}"
        unknown = set(matchers) - metrics[name] - queries.TARGET_LABELS
        assert not unknown, f"{where}: {name} has no label {unknown}"
        labels |= metrics[name]
    assert queries.labels_of_aggregations(query) <= labels, f"{where}: groups by a label that nothing has: {query}"


def test_words_in_queries_are_words_of_the_metric():
    """outcome="in_doubt" and so on: the sentence in the table lists every value."""
    text = (ROOT / "common/run/metrics_table.h").read_text(encoding="utf-8")
    told = {name: "".join(re.findall(r'"([^"]*)"', words)) for name, _, _, words in METRIC.findall(text)}
    for where, query in queries.all_queries():
        for name, matchers in queries.selectors(query):
            for label in {"outcome", "result"} & set(matchers):
                for word in matchers[label][1].split("|"):
                    assert re.search(rf"\b{word}\b", told[name]), f"{where}: {name} does not say {label}={word}"


# --- alerts ----------------------------------------------------------------------------------------------------------


def rules():
    groups = yaml.safe_load(queries.RULES.read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


@pytest.mark.parametrize("alert", rules())
def test_an_alert_has_words_a_case_and_an_entry_in_the_runbook(alert):
    rule = rules()[alert]
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["summary"] and rule["annotations"]["description"]
    cases = (DEPLOY / "prometheus" / "ivr-workers.test.yaml").read_text(encoding="utf-8")
    assert re.search(rf"alertname: {alert}\s+exp_alerts:\s+- exp_labels", cases), f"{alert} never fires in a test"
    assert re.search(rf"^### {alert}$", README, re.MULTILINE), f"{alert} is not in the runbook"


def test_the_runbook_has_no_alert_that_there_is_not():
    assert set(re.findall(r"^### (Ivr\w+)$", README, re.MULTILINE)) == set(rules())


def test_the_operators_rules_are_those_of_the_file():
    document = yaml.safe_load((DEPLOY / "prometheus" / "prometheusrule.yaml").read_text(encoding="utf-8"))
    plain = yaml.safe_load(queries.RULES.read_text(encoding="utf-8"))
    assert document["spec"] == plain, "run `make alerts`"


# --- topics and rights -----------------------------------------------------------------------------------------------


def test_topics_are_those_of_the_document():
    document = yaml.safe_load((ROOT / "schemas" / "asyncapi.yaml").read_text(encoding="utf-8"))
    wanted = {}
    for channel in document["channels"].values():
        binding = channel["bindings"]["kafka"]
        config = dict(binding["topicConfiguration"], **{"min.insync.replicas": 2})
        config["cleanup.policy"] = ",".join(config["cleanup.policy"])
        wanted[channel["address"]] = (binding["partitions"], binding["replicas"], config)
    topics = {
        topic["metadata"]["name"]: (topic["spec"]["partitions"], topic["spec"]["replicas"], topic["spec"]["config"])
        for topic in manifests.documents(STRIMZI / "topics.yaml")
    }
    assert topics == wanted


def test_a_user_may_do_what_the_table_lists_and_nothing_else():
    rows = re.findall(
        r"^\| `(ivr-\w+)` \| (topic|group) \| `([\w.-]+)` \| (\w+) \|$",
        (DEPLOY / "KAFKA.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    wanted = {(user, kind, name, operation.lower()) for user, kind, name, operation in rows}
    assert len(wanted) > 15
    given = set()
    for user in manifests.documents(STRIMZI / "users.yaml"):
        assert user["spec"]["authentication"] == {"type": "tls"}
        for acl in user["spec"]["authorization"]["acls"]:
            for operation in acl["operations"]:
                resource = acl["resource"]
                given.add((user["metadata"]["name"], resource["type"], resource["name"], operation.lower()))
    assert given == wanted


# --- workers ---------------------------------------------------------------------------------------------------------


def seconds(duration):
    return int(duration.removesuffix("s"))


def settings():
    lines = (manifests.KUBERNETES / "base" / "settings.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_every_setting_is_one_that_the_programs_know():
    shown = subprocess.run([BIN / "ivr-dispatch", "--help"], capture_output=True, text=True, check=True).stdout
    text = "\n".join(p.read_text(encoding="utf-8") for p in sorted(DEPLOY.rglob("*")) if p.suffix in (".yaml", ".env"))
    text = re.sub(r"^\s*#.*", "", text, flags=re.MULTILINE)
    for name in set(re.findall(r"\bIVR_[A-Z_]+[A-Z]\b", text)):
        known = name.startswith("IVR_KAFKA_") or re.search(rf"\b{name.removesuffix('_FILE')}\b", shown)
        assert known, f"{name} is no variable of ours"


@pytest.mark.parametrize("name", manifests.WORKERS)
def test_the_grace_is_longer_than_the_drain(name):
    pod = manifests.base("Deployment")[name]["spec"]["template"]["spec"]
    sleep = pod["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    flush = 5  # FLUSH_MS of workers/program/worker.c
    assert pod["terminationGracePeriodSeconds"] >= sleep + seconds(settings()["IVR_DRAIN_TIMEOUT"]) + flush + 10


@pytest.mark.parametrize("name", manifests.WORKERS)
def test_a_rollout_takes_nobody_away_before_the_new_one_is_ready(name):
    spec = manifests.base("Deployment")[name]["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert spec["minReadySeconds"] >= 10
    assert spec["template"]["spec"]["containers"][0]["readinessProbe"]["httpGet"]["path"].startswith("/readyz")
    budget = manifests.base("PodDisruptionBudget")[name]["spec"]
    assert budget["selector"]["matchLabels"] == spec["selector"]["matchLabels"] and budget["maxUnavailable"] == 1


def test_replicas_never_exceed_partitions():
    partitions = min(
        topic["spec"]["partitions"]
        for topic in manifests.documents(STRIMZI / "topics.yaml")
        if topic["metadata"]["name"] in ("ivr.call-requests", "ivr.callbacks", "ivr.call-events")
    )
    for path in manifests.KUBERNETES.glob("components/autoscale-*/scalers.yaml"):
        for scaler in manifests.documents(path):
            most = scaler["spec"].get("maxReplicaCount") or scaler["spec"]["maxReplicas"]
            assert most <= partitions, scaler["metadata"]["name"]


def test_the_gateway_alone_is_reachable_and_dispatch_alone_reaches_the_internet():
    policies = manifests.base("NetworkPolicy")
    everyone = policies["ivr-workers"]["spec"]
    assert set(everyone["policyTypes"]) == {"Ingress", "Egress"}
    assert [rule["ports"] for rule in everyone["ingress"]] == [[{"protocol": "TCP", "port": "admin"}]]
    assert not any("ipBlock" in peer for rule in everyone["egress"] for peer in rule["to"])
    for name, policy in policies.items():
        if any("ipBlock" in peer for rule in policy["spec"].get("egress", []) for peer in rule["to"]):
            assert policy["spec"]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "ivr-dispatch"}, name
        if name != "ivr-workers" and "ingress" in policy["spec"]:
            assert policy["spec"]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "ivr-gateway"}, name


def test_the_ingress_shows_the_providers_paths_alone():
    for ingress in manifests.documents(manifests.KUBERNETES / "components" / "ingress" / "ingress.yaml"):
        paths = {path["path"] for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]}
        assert paths == {"/callbacks", "/answer"}, paths


def test_every_threat_that_is_stopped_names_tests_that_there_are():
    section = README.split("| who, with what |")[1].split("\n\n")[0]
    shown = re.findall(r"`(test_\w+\.(?:py|c))::(\w+)`", section)
    assert len(shown) > 30
    files = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*") if path.suffix in (".py", ".c")}
    for file, name in shown:
        assert re.search(rf"^(?:def|static void) {name}\(", files.get(file, ""), re.MULTILINE), f"no {name} in {file}"
    rows = [row for row in section.splitlines() if row.startswith("|") and "---" not in row]
    unproved = [row for row in rows[1:] if "::" not in row]
    assert len(unproved) == 1 and "nothing of ours" in unproved[0]


def test_the_dashboard_names_no_panel_twice_and_lays_none_over_another():
    panels = json.loads(queries.DASHBOARD.read_text(encoding="utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or panel["description"], panel["title"]
