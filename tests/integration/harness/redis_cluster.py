"""A Redis Cluster of real processes: primaries with a replica each, free ports, no persistence."""

import contextlib
import subprocess

import redis

from .ports import free_port
from .redis_sentinel import RedisNode
from .wait import wait_until

SLOTS = 16384
# Silent for so long is dead. On a busy machine the living are silent for seconds: a test says when it wants a quick verdict.
NODE_TIMEOUT_MS = 15000
QUICK_TIMEOUT_MS = 2000


class ClusterNode(RedisNode):
    def __init__(self, directory, name, timeout_ms):
        self.bus_port = free_port()
        options = ["--cluster-enabled", "yes", "--cluster-port", self.bus_port, "--cluster-replica-validity-factor", 0]
        options += ["--cluster-node-timeout", timeout_ms, "--cluster-config-file", f"{name}.nodes"]
        super().__init__(directory, name, *options)
        self.id = self.client.cluster("MYID").decode()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def state(self):
        return self.client.cluster("INFO")["cluster_state"]


class RedisCluster:
    """cluster.url is what IVR_REDIS_URL wants; cluster.client knows the slots."""

    def __init__(self, directory, primaries=3, replicas=1, node_timeout_ms=NODE_TIMEOUT_MS):
        count = primaries * (1 + replicas)
        self.node_timeout_ms = node_timeout_ms
        self.nodes = [ClusterNode(directory, f"node-{i}", node_timeout_ms) for i in range(count)]
        self._meet()
        self._give_slots(self.nodes[:primaries])
        for i, node in enumerate(self.nodes[primaries:]):
            self._replicate(node, self.nodes[i % primaries])
        self.url = "redis+cluster://" + ",".join(node.address for node in self.nodes[:2])
        self.wait_whole()
        self.wait_replicas(replicas)
        self.client = redis.RedisCluster(host="127.0.0.1", port=self.nodes[0].port)

    def _meet(self):
        for epoch, node in enumerate(self.nodes):
            node.client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", epoch + 1)
        first = self.nodes[0]
        for node in self.nodes[1:]:
            first.client.execute_command("CLUSTER", "MEET", "127.0.0.1", node.port, node.bus_port)
        wait_until(lambda: all(self._knows_all(node) for node in self.nodes), "the nodes to know each other", 60)

    def _knows_all(self, node):
        return int(node.client.cluster("INFO")["cluster_known_nodes"]) == len(self.nodes)

    @staticmethod
    def _give_slots(primaries):
        share = SLOTS // len(primaries)
        for i, node in enumerate(primaries):
            last = SLOTS - 1 if node is primaries[-1] else (i + 1) * share - 1
            node.client.execute_command("CLUSTER", "ADDSLOTSRANGE", i * share, last)

    @staticmethod
    def _replicate(node, primary):
        def accepted():
            try:
                return node.client.execute_command("CLUSTER", "REPLICATE", primary.id)
            except redis.ResponseError:  # it has not heard of the primary's slots yet
                return False

        wait_until(accepted, f"{node.name} to follow {primary.name}")

    def living(self):
        return [node for node in self.nodes if node.process.alive()]

    def wait_whole(self, timeout=60.0):
        wait_until(lambda: all(node.state() == "ok" for node in self.living()), "every node to say ok", timeout)

    def wait_replicas(self, n=1, timeout=60.0):
        """Until every living primary has n replicas that follow."""

        def follow():
            for node in self.primaries():
                info = node.client.info("replication")
                if sum(info.get(f"slave{i}", {}).get("state") == "online" for i in range(8)) < n:
                    return False
            return True

        wait_until(follow, f"{n} replicas to follow each primary", timeout)

    def _ranges(self, seen_by=None):
        """(first, last, port of the primary) as a living node sees them."""
        found = (seen_by or self.living()[0]).client.execute_command("CLUSTER SLOTS")
        return [(first, last, primary[1]) for (first, last), primary in _slots_of(found)]

    def _at(self, port):
        return next(node for node in self.nodes if node.port == port)

    def primaries(self):
        """Living nodes with slots."""
        ports = {port for _, _, port in self._ranges()}
        return [node for node in self.living() if node.port in ports]

    def has_slots(self, node, seen_by):
        return any(port == node.port for _, _, port in self._ranges(seen_by))

    def _serves(self, node, slot, seen_by):
        return any(port == node.port and first <= slot <= last for first, last, port in self._ranges(seen_by))

    def owner(self, slot, seen_by=None):
        return self._at(next(port for first, last, port in self._ranges(seen_by) if first <= slot <= last))

    def slot_of(self, key):
        return self.living()[0].client.cluster("KEYSLOT", key)

    @contextlib.contextmanager
    def quick_verdicts(self):
        """While it lasts, a silent node is soon taken for dead; afterwards the cluster is whole again."""
        self._set_timeout(QUICK_TIMEOUT_MS)
        yield
        self.wait_whole()
        self._set_timeout(self.node_timeout_ms)

    def _set_timeout(self, ms):
        for node in self.living():
            node.client.config_set("cluster-node-timeout", ms)

    # --- faults --------------------------------------------------------------------------------------------------

    def begin_move(self, slot, target):
        """From now on the slot is on both sides: ASK, until move_keys() and end_move()."""
        source = self.owner(slot)
        target.client.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.client.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
        return source

    @staticmethod
    def move_keys(slot, source, target, most=None):
        """Moves `most` keys (all of them) and returns how many there were to move."""
        moved = 0
        while most is None or moved < most:
            room = 100 if most is None else min(100, most - moved)
            keys = source.client.execute_command("CLUSTER", "GETKEYSINSLOT", slot, room)
            if not keys:
                break
            source.client.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
            moved += len(keys)
        return moved

    def end_move(self, slot, source, target):
        """Until every node has heard of it. One that takes the next slot before it knows the newest epoch takes it with
        an older one, is told that it is not the owner, and the slot is nobody's."""
        for node in dict.fromkeys((target, source, *self.primaries())):
            node.client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", target.id)
        wait_until(
            lambda: all(self._serves(target, slot, node) for node in self.living()),
            f"every node to know that slot {slot} is at {target.name}",
        )

    def move(self, slot, target):
        source = self.begin_move(slot, target)
        self.move_keys(slot, source, target)
        self.end_move(slot, source, target)

    def reshard(self, source, target, slots):
        """As operators do it: `redis-cli --cluster reshard`."""
        argv = ["redis-cli", "--cluster", "reshard", source.address, "--cluster-from", source.id, "--cluster-to"]
        argv += [target.id, "--cluster-slots", str(slots), "--cluster-yes"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr

    def kill(self, node):
        """Kills a primary (or any node); wait_failover(node) waits until others serve its slots."""
        node.kill()
        return node

    def wait_failover(self, node, timeout=60.0):
        wait_until(lambda: all(port != node.port for _, _, port in self._ranges()), "a replica to be promoted", timeout)
        self.wait_whole(timeout)

    def failover(self, replica):
        """An orderly one: the replica takes its primary's slots."""
        replica.client.execute_command("CLUSTER", "FAILOVER")
        wait_until(lambda: replica in self.primaries(), "the replica to take over")

    def replica_of(self, primary):
        return next(node for node in self.living() if _follows(node, primary))

    def restart(self, node):
        """The dead node comes back, empty, as a replica of whoever has its slots now."""
        node.start()

    def mend(self):
        for node in self.nodes:
            if not node.process.alive():
                node.start()
        self.wait_whole()
        self.wait_replicas(1)

    def stop(self):
        self.client.close()
        for node in self.nodes:
            node.stop()


def _slots_of(reply):
    """redis-py turns the reply into a dict for some of its versions."""
    if isinstance(reply, dict):
        return [(span, (entry["primary"][0], int(entry["primary"][1]))) for span, entry in reply.items()]
    return [((entry[0], entry[1]), (entry[2][0], int(entry[2][1]))) for entry in reply]


def _follows(node, primary):
    role = node.client.role()
    return role[0] == b"slave" and int(role[2]) == primary.port
