"""`ivrctl topics create` makes what schemas/asyncapi.yaml says, on a real broker."""

import uuid

import pytest
import yaml
from confluent_kafka.admin import ConfigResource, ResourceType

from harness.paths import SCHEMAS
from harness.pipeline import TOPICS
from harness.wait import wait_until

DOCUMENT = yaml.safe_load((SCHEMAS / "asyncapi.yaml").read_text(encoding="utf-8"))
BINDINGS = {channel["address"]: channel["bindings"]["kafka"] for channel in DOCUMENT["channels"].values()}


def default_name(kind):
    return "ivr." + kind.lower().replace("_", "-")


@pytest.fixture(scope="module")
def created(make_module_pipeline):
    """{kind: name} of topics that ivrctl has just made, under names of their own."""
    pipeline = make_module_pipeline(start=False)
    names = {kind: f"made-{uuid.uuid4().hex[:6]}-{kind.lower().replace('_', '-')}" for kind in TOPICS}
    made = pipeline.cli("topics", "create", env={f"IVR_TOPIC_{kind}": name for kind, name in names.items()}, timeout=40)
    assert made.code == 0, made
    broker = pipeline.services.broker
    wait_until(lambda: all(_is_whole(broker.topics().get(n)) for n in names.values()), "the new topics to show")
    return broker, names


def _is_whole(topic):
    """A broker tells of a topic before each of its partitions has a leader."""
    return topic is not None and topic.partitions and all(p.leader >= 0 for p in topic.partitions.values())


def configuration(broker, topic):
    """What was set for this topic itself, beside the broker's defaults."""
    resource = ConfigResource(ResourceType.TOPIC, topic)
    entries = next(iter(broker.admin.describe_configs([resource]).values())).result(10).values()
    return {entry.name: entry.value for entry in entries if not entry.is_default and entry.source == 1}


@pytest.mark.parametrize("kind", TOPICS)
def test_partitions_and_settings_are_those_of_the_document(created, kind):
    broker, names = created
    binding = BINDINGS[default_name(kind)]
    assert len(broker.topics()[names[kind]].partitions) == binding["partitions"]
    wanted = dict(binding["topicConfiguration"])
    wanted["cleanup.policy"] = ",".join(wanted["cleanup.policy"])
    assert configuration(broker, names[kind]) == {name: str(value) for name, value in wanted.items()}


def test_replicas_are_three_or_as_many_as_there_are_brokers(created):
    broker, names = created
    for kind in TOPICS:
        partitions = broker.topics()[names[kind]].partitions.values()
        assert all(len(partition.replicas) == 1 for partition in partitions)
        assert BINDINGS[default_name(kind)]["replicas"] == 3
