"""schemas.py WHEEL OUT: Kubernetes' own kinds as one closed JSON Schema a kind and version, for kubeconform.

WHEEL is that of kubernetes-validate (PyPI), which packs the API's definitions; OUT gets v1.30/deployment-apps-v1.json and so on.
"""

import json
import pathlib
import re
import sys
import zipfile

# The oldest that has all that we use (a preStop that sleeps), and a recent one.
VERSIONS = ("v1.30", "v1.34")
KINDS = (
    "configmap-v1", "deployment-apps-v1", "horizontalpodautoscaler-autoscaling-v2", "ingress-networking-v1", "job-batch-v1",
    "namespace-v1", "networkpolicy-networking-v1", "poddisruptionbudget-policy-v1", "secret-v1", "service-v1",
    "serviceaccount-v1", "statefulset-apps-v1",
)  # fmt: skip
REFERENCE = re.compile(r"^.*#/\$defs/(.*)$")


def plain(node, needed):
    """The node without words, its references within the document; `needed` learns which definitions they mean."""
    if isinstance(node, list):
        return [plain(item, needed) for item in node]
    if not isinstance(node, dict):
        return node
    out = {}
    for name, value in node.items():
        if name == "properties":
            out[name] = {field: plain(schema, needed) for field, schema in value.items()}
        elif name == "$ref":
            needed.add(REFERENCE.match(value).group(1))
            out[name] = "#/definitions/" + REFERENCE.match(value).group(1)
        elif name not in ("description", "$id", "$schema", "format") and not name.startswith("x-"):
            out[name] = plain(value, needed)
    return out


def whole(schema, definitions):
    needed, done = set(), {}
    top = plain(schema, needed)
    while needed - set(done):
        name = (needed - set(done)).pop()
        done[name] = plain(definitions[name], needed)
    return {"$schema": "http://json-schema.org/draft-07/schema#"} | top | {"definitions": done}


def main(wheel, out):
    with zipfile.ZipFile(wheel) as packed:
        for version in VERSIONS:
            directory = f"kubernetes_validate/kubernetes-json-schema/{version}.0-local-strict/"
            definitions = json.loads(packed.read(directory + "_definitions.json"))["$defs"]
            (out / version).mkdir(parents=True, exist_ok=True)
            for kind in KINDS:
                schema = whole(json.loads(packed.read(f"{directory}{kind}.json")), definitions)
                (out / version / f"{kind}.json").write_text(json.dumps(schema), encoding="utf-8")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
