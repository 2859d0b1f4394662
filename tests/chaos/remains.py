"""What a run leaves behind for the checker: topics, committed offsets, what was done to whom."""

import base64
import json
import struct

import requests
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicPartition,
)

from harness.wait import wait_until
from kafka_cluster import OFFSETS_PARTITIONS
from world import CONSUMES, PARTITIONS


def _consumer(bootstrap):
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "remains",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )


def ends(kafka, topic):
    """{partition: offset after the last record}"""

    def ask(partition):
        try:
            return kafka.asker.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
        except KafkaException:  # a leader is still being chosen, or the asker knows only the one before
            kafka.renew_asker()
            return None

    return {
        partition: wait_until(lambda partition=partition: ask(partition), f"the end of {topic}/{partition}", 60)[1]
        for partition in range(PARTITIONS[topic])
    }


def committed(kafka, group):
    """{partition: offset} of the topic that this group consumes; 0 where nothing was committed."""
    topic = CONSUMES[group]
    wanted = [TopicPartition(topic, number) for number in range(PARTITIONS[topic])]
    asked = [ConsumerGroupTopicPartitions(f"ivr-{group}", wanted)]
    future = next(iter(kafka.admin.list_consumer_group_offsets(asked).values()))
    return {tp.partition: max(0, tp.offset) for tp in future.result(15).topic_partitions}


def lags(kafka):
    """How many records each group has not committed yet."""
    lag = {}
    for group, topic in CONSUMES.items():
        done = committed(kafka, group)
        lag[group] = sum(end - done.get(partition, 0) for partition, end in ends(kafka, topic).items())
    return lag


def dump_commits(kafka, path):
    """Every commit of every group there ever was, with its time, from the brokers' own topic of them."""
    readers = {f"ivr-{group}" for group in CONSUMES}
    with open(path, "w", encoding="utf-8") as out:
        for message in _everything(kafka, "__consumer_offsets", OFFSETS_PARTITIONS):
            commit = _commit_of(message)
            if commit is not None and commit["group"] in readers:
                out.write(json.dumps(commit, separators=(",", ":")) + "\n")


def _commit_of(message):
    """A commit's key is: version 0 or 1, group, topic, partition; its value: version, offset, what we do not need."""
    key, value = message.key(), message.value()
    (version,) = struct.unpack_from(">h", key)
    if version > 1 or value is None:
        return None
    group, at = _text(key, 2)
    topic, at = _text(key, at)
    (partition,) = struct.unpack_from(">i", key, at)
    (offset,) = struct.unpack_from(">q", value, 2)
    at_ms = message.timestamp()[1]
    return {"at_ms": at_ms, "group": group, "topic": _short(topic), "partition": partition, "offset": offset}


def _text(data, at):
    (length,) = struct.unpack_from(">h", data, at)
    return data[at + 2 : at + 2 + length].decode(), at + 2 + length


def _b64(data):
    return None if data is None else base64.b64encode(data).decode()


def _line(message):
    headers = [[name, _b64(value)] for name, value in message.headers() or []]
    return {
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp": message.timestamp()[1],
        "key": _b64(message.key()),
        "headers": headers,
        "value": _b64(message.value()),
    }


def dump_topic(kafka, topic, path):
    """Every record, one line each; answers with how many there were."""
    count = 0
    with open(path, "w", encoding="utf-8") as out:
        for message in _everything(kafka, topic, PARTITIONS[topic]):
            count += 1
            out.write(json.dumps(_line(message), separators=(",", ":")) + "\n")
    return count


def _everything(kafka, topic, partitions):
    """Every record of a topic that nobody writes to any more."""
    consumer = _consumer(kafka.bootstrap)
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(partitions)])
    unread = set(range(partitions))
    while unread:
        for message in consumer.consume(2000, timeout=1):
            if message.error() is None:
                yield message
            elif message.error().code() == KafkaError._PARTITION_EOF:
                unread.discard(message.partition())
    consumer.close()


def dump_ended(simulator, path):
    """The provider's log once more, as it tells it now: with the ends of the calls."""
    with requests.get(simulator.base_url + "/_sim/placements", stream=True, timeout=60) as response:
        response.raise_for_status()
        with open(path, "wb") as out:
            for part in response.iter_content(1 << 20):
                out.write(part)


def leave(world, run):
    """Writes everything into the run's directory; `run` is what run.json says."""
    directory = world.directory
    (directory / "topics").mkdir(exist_ok=True)
    offsets = {group: {_short(topic): committed(world.kafka, group)} for group, topic in CONSUMES.items()}
    counts = {}
    for topic in PARTITIONS:
        counts[_short(topic)] = dump_topic(world.kafka, topic, directory / "topics" / f"{_short(topic)}.ndjson")
    dump_commits(world.kafka, directory / "commits.ndjson")
    (directory / "gateway.ndjson").touch()
    (directory / "placements.ndjson").touch()
    dump_ended(world.simulator, directory / "ended.ndjson")
    (directory / "redis.url").write_text(world.redis.url + "\n", encoding="utf-8")
    _write(directory / "committed.json", offsets)
    _write(directory / "run.json", run | {"records": counts})


def _short(topic):
    return topic.removeprefix("ivr.")


def _write(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def value_of(line):
    """The value of a dumped record."""
    return base64.b64decode(json.loads(line)["value"])
