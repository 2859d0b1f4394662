"""Everything that appears on a set of topics, kept in memory by a thread of its own."""

import json
import threading
from collections import defaultdict
from functools import cached_property

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from .wait import Deadline


class Record:
    def __init__(self, message):
        self.topic, self.partition, self.offset = message.topic(), message.partition(), message.offset()
        self.key, self.value = message.key(), message.value()
        self.header_pairs = message.headers() or []  # repeats kept
        self.headers = {name: (value or b"").decode(errors="replace") for name, value in self.header_pairs}

    @cached_property
    def json(self):
        return json.loads(self.value)

    def __repr__(self):
        return f"{self.topic}/{self.partition}@{self.offset} {self.key!r} {self.headers} {(self.value or b'')[:300]!r}"


class Tap:
    """Reads {topic: partitions} from the beginning, outside any consumer group.

    meanwhile() is called while something is waited for, and may end the wait by raising.
    """

    def __init__(self, bootstrap, partitions, meanwhile=lambda: None):
        self._meanwhile = meanwhile
        self._records = defaultdict(list)
        self._changed = threading.Condition()
        self._next = defaultdict(int)  # offset after the last record read, or the end, by (topic, partition)
        self._stop = False
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "tap-never-committed",
                "enable.auto.commit": False,
                # Of a partition whose leader is not known yet, too: the default would skip to its end.
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 20,
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )
        self._consumer.assign(
            [
                TopicPartition(name, number, OFFSET_BEGINNING)
                for name, count in partitions.items()
                for number in range(count)
            ]
        )
        self._thread = threading.Thread(target=self._read, name="tap", daemon=True)
        self._thread.start()

    def _read(self):
        while not self._stop:
            messages = self._consumer.consume(1000, timeout=0.05)
            with self._changed:
                for message in messages:
                    self._take(message)
                self._changed.notify_all()

    def _take(self, message):
        place = message.topic(), message.partition()
        if message.error() is None:
            self._records[message.topic()].append(Record(message))
            self._next[place] = message.offset() + 1
        elif message.error().code() == KafkaError._PARTITION_EOF:  # markers of transactions are no records
            self._next[place] = message.offset()

    def records(self, topic, matches=lambda record: True):
        with self._changed:
            found = list(self._records[topic])
        return [record for record in found if matches(record)]

    def wait(self, topic, matches, what, count=1, timeout=15.0):
        """The records for which matches(record) holds, once there are at least `count`."""
        deadline = Deadline(timeout)
        while True:
            found = self.records(topic, matches)
            if len(found) >= count:
                return found
            self._meanwhile()
            if deadline.passed():
                seen = "\n".join(repr(record) for record in self.records(topic)[-8:])
                raise AssertionError(
                    f"timed out after {timeout:g} s waiting for {what} on {topic}: "
                    f"{len(found)} of {count}; last records there:\n{seen or 'none'}"
                )
            with self._changed:
                self._changed.wait(0.2)

    def has_read(self, topic, ends):
        """Whether everything before these {partition: offset} is here."""
        with self._changed:
            return all(self._next[topic, partition] >= end for partition, end in ends.items())

    def close(self):
        self._stop = True
        self._thread.join(5)
        self._consumer.close()
