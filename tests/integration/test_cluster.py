"""A Redis Cluster: slots move, primaries die, the cluster goes down; nothing is dialled twice and nothing is lost."""

import threading
import time

import pytest
from harness.load import CHANNELS, begin, check_each_was_dialled_once
from harness.pipeline import Services
from harness.redis_cluster import RedisCluster
from harness.wait import wait_until

SHARDS = 16
ENV = {"IVR_REDIS_REPLICAS": "1", "IVR_MAX_IN_FLIGHT": "100"}

# Hundreds of calls and a failover, on machines that do other things besides.
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def made(workdir):
    made = RedisCluster(workdir / "cluster")
    yield made
    made.stop()


@pytest.fixture
def cluster(made):
    """Whole again after what the test before did to it."""
    yield made
    made.mend()


@pytest.fixture
def pipeline(make_pipeline, broker, cluster):
    workers = ("gateway", "dispatch", "dispatch")
    return make_pipeline(CHANNELS, services=Services(broker, cluster), start=workers, env=ENV)


def shard_slots(pipeline, cluster):
    return [cluster.slot_of(f"{{{pipeline.name}:{shard:02d}}}") for shard in range(SHARDS)]


def redirects(pipeline, error):
    """How often any worker was sent elsewhere or back for this reason."""
    workers = [worker for worker in pipeline.workers if worker.alive()]
    return sum(worker.metrics().value("ivr_redis_redirects_total", error=error) or 0 for worker in workers)


def wait_all_ready(pipeline, seconds):
    began = time.monotonic()
    for worker in pipeline.workers:
        worker.wait_ready()
    took = time.monotonic() - began
    assert took < seconds, f"work did not resume within {seconds} s but in {took:.1f} s"


def test_a_call_goes_from_request_to_summary(pipeline):
    pipeline.start("status", "report")
    request = pipeline.request()
    pipeline.report(request, "initiated", "ringing", "in-progress", "completed", CallDuration=7)
    pipeline.wait_final(request, "Completed")
    pipeline.wait_summary(request, lambda summary: summary["complete"], "a complete summary")
    shown = pipeline.cli("call", f"{request['tenant']}/{request['call_id']}")
    assert shown.code == 0 and "Completed" in shown.out, shown


def test_slots_that_move_under_load_lose_nothing_and_dial_nothing_twice(pipeline, cluster):
    requests = begin(pipeline)
    for slot in shard_slots(pipeline, cluster)[:10]:
        source = cluster.owner(slot)
        target = next(node for node in cluster.primaries() if node is not source)
        cluster.move(slot, target)
    check_each_was_dialled_once(pipeline, requests)
    assert redirects(pipeline, "moved") > 0
    wait_all_ready(pipeline, 5)


def test_functions_are_loaded_wherever_a_slot_comes_to_that_lacks_them(pipeline, cluster):
    requests = begin(pipeline)
    for slot in shard_slots(pipeline, cluster)[:4]:
        target = next(node for node in cluster.primaries() if node is not cluster.owner(slot))
        for node in cluster.primaries():
            node.client.function_flush("SYNC")
        cluster.move(slot, target)
    check_each_was_dialled_once(pipeline, requests)
    for node in cluster.primaries():
        assert len(node.client.function_list("ivr_*")) == 1, f"{node.name} has not got our functions"


def test_a_shard_on_both_sides_waits_and_the_others_go_on(pipeline, cluster):
    """Half of its keys are gone already: whoever ran a script there would take calls for unknown, and dial them."""
    requests = begin(pipeline)
    slot = shard_slots(pipeline, cluster)[0]
    target = next(node for node in cluster.primaries() if node is not cluster.owner(slot))
    source = cluster.begin_move(slot, target)
    cluster.move_keys(slot, source, target, most=8)
    wait_until(lambda: redirects(pipeline, "ask") > 0, "a command to be told ASK")
    keys = source.client.execute_command("CLUSTER", "COUNTKEYSINSLOT", slot)
    time.sleep(1)
    assert source.client.execute_command("CLUSTER", "COUNTKEYSINSLOT", slot) == keys, "written to while it moves"
    cluster.move_keys(slot, source, target)
    cluster.end_move(slot, source, target)
    check_each_was_dialled_once(pipeline, requests)


def test_redis_clis_reshard_under_load(pipeline, cluster):
    requests = begin(pipeline)
    source, target, _ = cluster.primaries()
    moving = threading.Thread(target=cluster.reshard, args=(source, target, 500))
    moving.start()
    check_each_was_dialled_once(pipeline, requests)
    moving.join()
    cluster.wait_whole()


def test_killing_a_primary_loses_nothing_and_dials_nothing_twice(pipeline, cluster):
    requests = begin(pipeline)
    with cluster.quick_verdicts():
        dead = cluster.kill(cluster.owner(shard_slots(pipeline, cluster)[0]))
        cluster.wait_failover(dead)
    cluster.restart(dead)
    cluster.wait_replicas(1)
    wait_all_ready(pipeline, 5)
    check_each_was_dialled_once(pipeline, requests)


def test_an_orderly_failover_is_followed(pipeline, cluster):
    requests = begin(pipeline)
    cluster.failover(cluster.replica_of(cluster.owner(shard_slots(pipeline, cluster)[0])))
    check_each_was_dialled_once(pipeline, requests)
    wait_all_ready(pipeline, 5)


def test_a_cluster_that_is_down_is_told_and_nothing_is_dialled(pipeline, cluster):
    primary = cluster.owner(shard_slots(pipeline, cluster)[0])
    frozen = [primary, cluster.replica_of(primary)]
    with cluster.quick_verdicts():
        for node in frozen:
            node.process.freeze()
        others = [node for node in cluster.living() if node not in frozen]
        wait_until(lambda: all(node.state() == "fail" for node in others), "the cluster to be down")
        dispatch = pipeline.worker("dispatch")
        wait_until(lambda: not dispatch.ready(), "/readyz to fail")
        request = pipeline.request()
        time.sleep(1)
        assert pipeline.provider.dials(request["to"]) == 0, dispatch.get("/readyz").text
        for node in frozen:
            node.process.thaw()
    wait_all_ready(pipeline, 5)
    pipeline.wait_status(request, "Pending")


def test_evicting_primary_is_named_with_its_slots(pipeline, cluster):
    primary = cluster.primaries()[1]
    primary.client.config_set("maxmemory-policy", "allkeys-lru")
    worker = pipeline.start_worker("dispatch")
    wait_until(lambda: "allkeys-lru" in worker.get("/readyz").text, lambda: worker.get("/readyz").text)
    assert f"at {primary.address}" in worker.get("/readyz").text and "slots" in worker.get("/readyz").text
    primary.client.config_set("maxmemory-policy", "noeviction")
    worker.wait_ready()


def test_plain_url_to_a_node_is_told(pipeline, cluster):
    worker = pipeline.start_worker("dispatch", IVR_REDIS_URL=f"redis://{cluster.primaries()[0].address}/0")
    wait_until(lambda: "redis+cluster" in worker.get("/readyz").text, lambda: worker.get("/readyz").text)
    assert worker.term() == 0
