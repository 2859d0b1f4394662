"""promtool on the alerts and on the dashboard, and a validator on the bill of materials."""

import json
import os
import subprocess
import sys

import manifests
import pytest
import queries
import yaml

PROMTOOL = manifests.TOOLS / "promtool"


def promtool(*arguments, cwd=None):
    assert PROMTOOL.exists(), f"{PROMTOOL} is missing: run `make deps-deploy`"
    return subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, cwd=cwd)


def test_the_rules_are_sound():
    done = promtool("check", "rules", queries.RULES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_fires_when_it_should_and_only_then():
    done = promtool("test", "rules", "ivr-workers.test.yaml", cwd=queries.RULES.parent)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_and_the_scalers_speak_promql(tmp_path):
    """As rules, because promtool has no word for a single query; Grafana's variables get values first."""
    rules = []
    for number, (_, query) in enumerate(list(queries.dashboard_queries()) + list(queries.scaler_queries())):
        for name, value in {"$__rate_interval": "1m", "$namespace": ".*", "$channel": ".*"}.items():
            query = query.replace(name, value)
        rules.append({"record": f"q:{number}", "expr": query})
    path = tmp_path / "dashboard.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    done = promtool("check", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(rules) > 30 and "$" not in path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def bill(tmp_path_factory):
    programs = [manifests.ROOT / "bin" / name for name in ("ivr-dispatch", "ivr-status", "ivr-report", "ivr-gateway", "ivrctl")]
    argv = [sys.executable, manifests.ROOT / "deploy" / "sbom.py", "0.0.0", *programs]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    path = tmp_path_factory.mktemp("sbom") / "sbom.json"
    path.write_text(done.stdout, encoding="utf-8")
    return path


def test_the_bill_of_materials_is_cyclonedx(bill):
    code = (
        "import sys; from cyclonedx.schema import SchemaVersion; from cyclonedx.validation.json import JsonStrictValidator;"
        "sys.exit(JsonStrictValidator(SchemaVersion.V1_5).validate_str(open(sys.argv[1]).read()))"
    )
    env = dict(os.environ, PYTHONPATH=str(manifests.TOOLS / "python"))
    done = subprocess.run([sys.executable, "-c", code, bill], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_bill_of_materials_has_what_the_programs_load(bill):
    document = json.loads(bill.read_text(encoding="utf-8"))
    components = {component["name"]: component for component in document["components"]}
    assert {"ivr-dispatch", "ivrctl", "libc6", "librdkafka1", "libjansson4"} <= set(components)
    depends = {entry["ref"]: entry["dependsOn"] for entry in document["dependencies"]}
    assert components["librdkafka1"]["bom-ref"] in depends[components["ivr-dispatch"]["bom-ref"]]
    assert components["librdkafka1"]["licenses"] == [{"license": {"id": "BSD-2-Clause"}}]
    assert all(component["version"] for component in components.values())
    known = set(depends)
    assert all(reference in known for on in depends.values() for reference in on)
