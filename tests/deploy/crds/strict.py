"""strict.py STRIMZI_DIRECTORY OUT: JSON Schemas of custom resources in which an unknown field is an error (generate.sh)."""

import json
import pathlib
import sys

import yaml
from cloudcoil.models.keda import v1alpha1 as keda
from cloudcoil.models.prometheus_operator import v1 as monitoring

MODELS = {
    "scaledobject-keda-v1alpha1": keda.ScaledObject,
    "triggerauthentication-keda-v1alpha1": keda.TriggerAuthentication,
    "podmonitor-monitoring-v1": monitoring.PodMonitor,
    "prometheusrule-monitoring-v1": monitoring.PrometheusRule,
}
NOISE = {"title", "description", "default", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string"}


def strict(node):
    """The same without words, without null as an alternative, and closed wherever it lists its fields."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    alternatives = [item for item in node.get("anyOf", []) if item != {"type": "null"}]
    if len(alternatives) == 1 and node.get("anyOf") != alternatives:
        return strict({name: value for name, value in node.items() if name != "anyOf"} | alternatives[0])
    out = {}
    for name, value in node.items():
        if name in ("properties", "$defs"):  # these are names of fields, not of the schema's words
            out[name] = {field: strict(schema) for field, schema in value.items()}
        elif name not in NOISE:
            out[name] = strict(value)
    if out.get("properties") and "additionalProperties" not in out:
        out["additionalProperties"] = False
    return out


def write(out, name, schema):
    text = json.dumps({"$schema": "http://json-schema.org/draft-07/schema#"} | schema, sort_keys=True, separators=(",", ":"))
    (out / f"{name}.json").write_text(text.replace("$defs", "definitions") + "\n", encoding="utf-8")


def main(strimzi, out):
    for name, model in MODELS.items():
        write(out, name, strict(model.model_json_schema(by_alias=True)))
    for path in sorted(strimzi.glob("*.yaml")):
        definition = yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]
        for version in definition["versions"]:
            name = f"{definition['names']['singular']}-{definition['group'].split('.')[0]}-{version['name']}"
            if version["name"] == "v1beta2":
                write(out, name, strict(version["schema"]["openAPIV3Schema"]))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
