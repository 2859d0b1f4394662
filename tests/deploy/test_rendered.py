"""The overlays as a cluster would get them: strictly valid, locked down, nothing referred to that is not there."""

import copy
import subprocess

import manifests
import pytest
import yaml

VERSIONS = sorted(path.name for path in (manifests.TOOLS / "schemas").glob("v1.*"))

# What an overlay's reader creates by hand, as deploy/README.md says; cert-manager and Strimzi make the others.
SECRETS_BY_HAND = {"ivr-redis", "ivr-providers", "ivr-api", "ivr-kafka", "kafka-cluster-ca-cert"}


def kubeconform(text, version):
    schemas = (manifests.TOOLS / "schemas" / version, manifests.ROOT / "tests" / "deploy" / "crds")
    locations = [part for s in schemas for part in ("-schema-location", f"{s}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json")]
    argv = [manifests.TOOLS / "kubeconform", "-strict", "-summary", *locations, "-"]
    return subprocess.run(argv, input=text, capture_output=True, text=True)


def test_there_are_versions_to_check_against():
    assert len(VERSIONS) == 2 and len(manifests.OVERLAYS) >= 3, "run `make deps-deploy`"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", manifests.OVERLAYS)
def test_an_overlay_is_strictly_valid(overlay, version):
    done = kubeconform(manifests.rendered_text(overlay), version)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Invalid: 0, Errors: 0, Skipped: 0" in done.stdout, done.stdout


def _misspelt(document):
    """The document with a field that nobody knows, deep inside."""
    spoilt = copy.deepcopy(document)
    place = spoilt["spec"]
    for step in {"Deployment": ("template", "spec"), "ScaledObject": ("scaleTargetRef",), "KafkaUser": ("authorization",)}.get(
        spoilt["kind"], ()
    ):
        place = place[step]
    place["mispelt"] = True
    return spoilt


@pytest.mark.parametrize(
    "kind",
    ["Deployment", "NetworkPolicy", "PodDisruptionBudget", "Ingress", "ScaledObject", "TriggerAuthentication", "KafkaTopic",
     "KafkaUser", "PodMonitor", "PrometheusRule"],
)  # fmt: skip
def test_a_misspelt_field_is_seen(kind):
    document = manifests.rendered("production", kind)[0]
    done = kubeconform(yaml.safe_dump(_misspelt(document)), VERSIONS[-1])
    assert done.returncode != 0 and "mispelt" in done.stdout + done.stderr, f"nobody noticed: {done.stdout}"


# --- Pod Security "restricted" -----------------------------------------------------------------------------------------

RESTRICTED_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def breaches(pod):
    """What the Pod Security Standard "restricted" would refuse of a pod."""
    context = pod.get("securityContext", {})
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(name):
            yield name
    for volume in pod.get("volumes", []):
        if not (set(volume) - {"name"}) <= RESTRICTED_VOLUMES:
            yield f"volume {volume['name']}"
    for container in pod["containers"] + pod.get("initContainers", []):
        own = container.get("securityContext", {})
        merged = context | own
        if merged.get("runAsNonRoot") is not True or merged.get("runAsUser", 1) == 0:
            yield "may run as root"
        if merged.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
            yield "no seccomp profile"
        if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
            yield "may gain privileges"
        if own.get("capabilities", {}).get("drop") != ["ALL"] or own["capabilities"].get("add"):
            yield "has capabilities"
        if any("hostPort" in port for port in container.get("ports", [])):
            yield "a port of the host"


@pytest.mark.parametrize("overlay", manifests.OVERLAYS)
def test_pods_are_restricted_and_know_no_token(overlay):
    for name, pod in manifests.pods(overlay):
        assert not list(breaches(pod)), f"{name}: {list(breaches(pod))}"
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["enableServiceLinks"] is False, f"{name}: a Service's variables would pass for settings"
    labels = manifests.rendered(overlay, "Namespace")[0]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("overlay", manifests.OVERLAYS)
def test_our_containers_write_nowhere_and_have_limits(overlay):
    for name, pod in manifests.pods(overlay):
        container = pod["containers"][0]
        assert "memory" in container["resources"]["limits"] and "cpu" in container["resources"]["requests"], name
        if container.get("command", [""])[0].startswith("ivr"):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
            assert container["terminationMessagePolicy"] == "FallbackToLogsOnError", name


# --- references --------------------------------------------------------------------------------------------------------


def _refers(pod):
    for volume in pod.get("volumes", []):
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
    for container in pod["containers"]:
        for source in container.get("envFrom", []):
            yield "ConfigMap", source["configMapRef"]["name"]


@pytest.mark.parametrize("overlay", manifests.OVERLAYS)
def test_what_a_pod_refers_to_is_there(overlay):
    there = {(d["kind"], d["metadata"]["name"]) for d in manifests.rendered(overlay)}
    there |= {("Secret", user["metadata"]["name"]) for user in manifests.rendered(overlay, "KafkaUser")}
    there |= {("Secret", name) for name in SECRETS_BY_HAND}
    readme = (manifests.ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
    for name, pod in manifests.pods(overlay):
        for kind, wanted in _refers(pod):
            assert (kind, wanted) in there, f"{name}: no {kind} {wanted}"
            assert wanted not in SECRETS_BY_HAND or wanted in readme, f"README does not say how {wanted} comes to be"


@pytest.mark.parametrize("overlay", manifests.OVERLAYS)
def test_a_file_that_a_setting_names_is_mounted(overlay):
    settings = next(
        d["data"] for d in manifests.rendered(overlay, "ConfigMap") if d["metadata"]["name"].startswith("ivr-settings")
    )
    for document in manifests.rendered(overlay, "Deployment"):
        container = document["spec"]["template"]["spec"]["containers"][0]
        if document["metadata"]["name"] not in (*manifests.WORKERS, manifests.TOOLBOX):
            continue
        mounts = [mount["mountPath"] + "/" for mount in container["volumeMounts"]]
        values = settings | {variable["name"]: variable["value"] for variable in container["env"]}
        reads_channels = document["metadata"]["name"] in ("ivr-dispatch", "ivr-gateway")
        for name, value in values.items():
            if value.startswith("/") and (name != "IVR_CHANNELS" or reads_channels):
                assert any(value.startswith(mount) for mount in mounts), f"{document['metadata']['name']}: {name}={value}"


def mounted(pod, kind):
    """{name of a Secret or ConfigMap that the pod sees}"""
    key = {"Secret": ("secret", "secretName"), "ConfigMap": ("configMap", "name")}[kind]
    return {volume[key[0]][key[1]] for volume in pod["volumes"] if key[0] in volume}


@pytest.mark.parametrize("overlay", manifests.OVERLAYS)
def test_the_toolbox_reaches_kafka_and_redis_and_sees_no_secret_of_a_provider(overlay):
    toolbox = next(
        d for d in manifests.rendered(overlay, "Deployment") if d["metadata"]["name"] == manifests.TOOLBOX
    )
    pod = toolbox["spec"]["template"]["spec"]
    secrets = mounted(pod, "Secret")
    assert any(name.startswith("ivr-redis") for name in secrets)
    assert not any(name.startswith(("ivr-providers", "ivr-api")) for name in secrets), secrets
    if manifests.rendered(overlay, "KafkaUser"):
        assert manifests.TOOLBOX in secrets, "it has no certificate of its own"
    elif "IVR_KAFKA_SASL_PASSWORD_FILE" in manifests.rendered_text(overlay):
        assert "ivr-kafka" in secrets
    labels = toolbox["spec"]["template"]["metadata"]["labels"]
    policies = [
        policy["spec"]
        for policy in manifests.rendered(overlay, "NetworkPolicy")
        if policy["spec"]["podSelector"].get("matchLabels", {}).items() <= labels.items()
    ]
    ports = {port["port"] for policy in policies for rule in policy.get("egress", []) for port in rule.get("ports", [])}
    assert {53, 9093, 6379, 26379} <= ports and 443 not in ports


@pytest.mark.parametrize("overlay", manifests.OVERLAYS)
def test_a_changed_channels_file_rolls_the_pods(overlay):
    """Its map has a name made of its content, and the pods use that name."""
    names = {d["metadata"]["name"] for d in manifests.rendered(overlay, "ConfigMap")}
    hashed = {name for name in names if name.startswith(("ivr-channels-", "ivr-settings-"))}
    assert len(hashed) == 2, names


@pytest.mark.parametrize("overlay", [name for name in manifests.OVERLAYS if name != "dev"])
def test_where_replicas_scale_no_apply_sets_them_back(overlay):
    scaled = {
        document["spec"]["scaleTargetRef"]["name"]
        for document in manifests.rendered(overlay, "ScaledObject", "HorizontalPodAutoscaler")
    }
    assert scaled == set(manifests.WORKERS)
    for document in manifests.rendered(overlay, "Deployment"):
        assert "replicas" not in document["spec"], document["metadata"]["name"]
