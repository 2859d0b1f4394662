"""Campaigns of hundreds of calls over several replicas, dialled by the simulator: what the tests of rates, lines and turns
share."""

from .ports import free_port
from .wait import wait_until

PUBLIC_URL = "https://ivr.example.test"


def gateway_behind(simulator_options=()):
    """(options of the simulator, environment of the pipeline): its callbacks reach the gateway."""
    port = free_port()
    via = ("--via", f"{PUBLIC_URL}=http://127.0.0.1:{port}")
    return (*simulator_options, *via), {"IVR_GATEWAY_LISTEN": f"127.0.0.1:{port}"}


def name_of(sender):
    """The channel that is named after its caller id, by which the simulator tells channels apart."""
    return sender.lstrip("+")


def dialling(simulator, channels):
    """These channels, under their name or caller id, with the simulator as their provider."""
    return {name_of(name): {"base_url": simulator.base_url} | changes for name, changes in channels.items()}


def replicas(pipeline):
    """The living dispatch workers."""
    return [worker for worker in pipeline.workers if worker.program == "ivr-dispatch" and worker.alive()]


def everywhere(pipeline, metric, **labels):
    """What each living dispatch worker says of a metric."""
    return [worker.metrics().value(metric, **labels) for worker in replicas(pipeline)]


def in_doubt(pipeline, request):
    """Whether nobody knows if it was placed: its worker died with the claim."""
    call = pipeline.call(request)
    return call is not None and call["status"] == "Gateway_unavailable" and len(call["attempts"]) == 1


def wait_tried(pipeline, simulator, requests, sender=None, timeout=30.0, most=10):
    """Until each of the requests was placed; those whose worker was killed between claim and request are in doubt instead,
    and are returned: not more than `most`. All go to channels of that caller id, where one is given."""

    def left():
        dialled = {(placed.tenant, placed.call_id) for placed in simulator.placements(sender)}
        return [request for request in requests if (request["tenant"], request["call_id"]) not in dialled]

    def doubtful():
        rest = left()
        return (rest,) if len(rest) <= most and all(in_doubt(pipeline, request) for request in rest) else None

    def what():
        rest = left()
        return f"{len(rest)} of {len(requests)} calls to be placed, for example {[pipeline.call(r) for r in rest[:2]]}"

    # Counting costs the simulator nothing; its list is long, and what it measures would wait while it writes it.
    enough = simulator.count(sender) + len(left()) - most
    wait_until(lambda: simulator.count(sender) >= enough, what, timeout, 0.1)
    return wait_until(doubtful, what, timeout, 0.5)[0]
