"""The manifests of deploy/kubernetes: as they stand in their files, and as Kustomize renders an overlay."""

import functools
import os
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
TOOLS = Path(os.environ.get("TEST_DEPLOY_TOOLS", ROOT / "build" / "deploy"))
OVERLAYS = sorted(path.parent.name for path in KUBERNETES.glob("overlays/*/kustomization.yaml"))
WORKERS = ("ivr-dispatch", "ivr-status", "ivr-report", "ivr-gateway")
TOOLBOX = "ivr-toolbox"


def documents(path):
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]


def base(kind):
    """Deployments and so on of the base, by name."""
    found = (d for path in sorted((KUBERNETES / "base").glob("*.yaml")) for d in documents(path))
    return {document["metadata"]["name"]: document for document in found if document.get("kind") == kind}


@functools.cache
def rendered_text(overlay):
    kustomize = TOOLS / "kustomize"
    assert kustomize.exists(), f"{kustomize} is missing: run `make deps-deploy`"
    done = subprocess.run([kustomize, "build", KUBERNETES / "overlays" / overlay], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rendered(overlay, *kinds):
    """Every object of the overlay, or those of these kinds."""
    found = [document for document in yaml.safe_load_all(rendered_text(overlay)) if document]
    return [document for document in found if not kinds or document["kind"] in kinds]


def pods(overlay):
    """(name, pod spec) of whatever makes pods."""
    for document in rendered(overlay, "Deployment", "StatefulSet", "Job"):
        yield document["metadata"]["name"], document["spec"]["template"]["spec"]
