"""Redis as a Sentinel pair or as a Cluster, and what may happen to it. Nothing is kept on disk: what a primary had not
given to its replica when it died is gone."""

import redis

from harness.redis_cluster import RedisCluster
from harness.redis_sentinel import RedisSentinel

# Keys that go at once: a node that is busy with more misses the others' pings.
_BATCH = 20
# A machine as busy as a run makes it: a node that is only late must not be replaced in the middle of a move.
_NODE_TIMEOUT_MS = 5000
_DOWN_AFTER_MS = 2000


class Group:
    """What both have in common. Faults are generators, as in faults.py."""

    def answers(self):
        try:
            return self.client.ping()
        except redis.RedisError:
            return False

    def heal(self):
        for node in self.group.nodes:
            node.process.thaw()
        self.group.mend()

    def stop(self):
        for node in self.group.nodes:
            node.process.thaw()
        self.group.stop()

    def kill_primary(self, chance, seconds):
        """kill -9; it comes back, empty, only when another one is primary."""
        old = self._some_primary(chance)
        old.kill()
        while not self._replaced(old):
            yield 0.2
        yield seconds
        self.group.restart(old)
        yield from self._whole()

    def freeze_primary(self, chance, seconds):
        """SIGSTOP, mostly for long enough to be replaced; it wakes up and believes that it still is the primary."""
        old = self._some_primary(chance)
        old.process.freeze()
        yield seconds
        old.process.thaw()
        yield 1
        yield from self._whole()

    def _replaced(self, old):
        try:
            return self._serves(old)
        except (redis.RedisError, AssertionError, StopIteration):  # nobody knows yet
            return False

    def _whole(self):
        while not self._is_whole():
            yield 0.5


class SentinelGroup(Group):
    def __init__(self, directory):
        self.group = RedisSentinel(directory, replicas=1, down_after_ms=_DOWN_AFTER_MS)
        self.url = self.group.url

    @property
    def client(self):
        return self.group.client

    def _some_primary(self, chance):
        return self.group.primary()

    def _serves(self, old):
        primary = self.group.primary()
        return primary is not old and primary.role() == "master"

    def _is_whole(self):
        try:
            return self.group._agreed()
        except (redis.RedisError, StopIteration, KeyError):
            return False

    def failover(self, chance, seconds):
        old = self.group.primary()
        try:
            self.group.sentinels[0].client.execute_command("SENTINEL", "FAILOVER", "calls")
        except redis.ResponseError:  # one is under way
            yield 1
        for _ in range(50):
            if self._replaced(old):
                break
            yield 0.2
        yield seconds
        yield from self._whole()


class ClusterGroup(Group):
    def __init__(self, directory):
        self.group = RedisCluster(directory, primaries=3, replicas=1, node_timeout_ms=_NODE_TIMEOUT_MS)
        self.url = self.group.url

    @property
    def client(self):
        return self.group.client

    def _some_primary(self, chance):
        return chance.choice(self.group.primaries())

    def _serves(self, old):
        """Whether every other node names another primary for each slot: a dead one that comes back, empty, before that
        is taken for what it was, and its replica forgets everything with it."""
        others = [node for node in self.group.living() if node is not old]
        return not any(self.group.has_slots(old, node) or node.state() != "ok" for node in others)

    def _is_whole(self):
        try:
            self.group.wait_whole(0.1)
            self.group.wait_replicas(1, 0.1)
            return True
        except (redis.RedisError, AssertionError, StopIteration):
            return False

    def failover(self, chance, seconds):
        """An orderly one: a replica takes over from its living primary."""
        primary = self._some_primary(chance)
        replica = self.group.replica_of(primary)
        replica.client.execute_command("CLUSTER", "FAILOVER")
        for _ in range(50):
            if self._replaced(primary):
                break
            yield 0.2
        yield seconds
        yield from self._whole()

    def move_slots(self, chance, seconds):
        """The slots of some shards go to another primary, one after the other, each half moved for a moment."""
        for shard in chance.sample(range(16), 3):
            slot = self.group.slot_of(f"{{ivr:{shard:02d}}}:due")
            source = self.group.owner(slot)
            target = chance.choice([node for node in self.group.primaries() if node is not source])
            self.group.begin_move(slot, target)
            yield from self._migrate(slot, source, target, most=50)
            yield seconds / 3
            yield from self._migrate(slot, source, target)
            yield from self._settle(slot, source, target)

    def _migrate(self, slot, source, target, most=None):
        """REPLACE: what a time-out left on both sides is the source's until the move is over."""
        moved = 0
        while most is None or moved < most:
            keys = source.client.execute_command("CLUSTER", "GETKEYSINSLOT", slot, _BATCH)
            if not keys:
                return
            try:
                argv = ["MIGRATE", "127.0.0.1", target.port, "", 0, 1000, "REPLACE", "KEYS", *keys]
                source.client.execute_command(*argv)
                moved += len(keys)
                yield 0.01
            except redis.RedisError:  # it took too long
                yield 0.5

    def _settle(self, slot, source, target):
        """Until every node knows the new owner. They need not wait for gossip: a failover in between would leave them
        with nobody for the slot."""
        while True:
            others = [node for node in self.group.primaries() if node is not target and node is not source]
            try:
                for node in (target, source, *others):
                    node.client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", target.id)
                if all(self.group.owner(slot, node) is target for node in self.group.living()):
                    return
            except (redis.RedisError, StopIteration):  # a key is left, or somebody is late
                yield from self._migrate(slot, source, target)
            yield 0.2
