"""Our functions in Redis: loaded where they are missing, whoever removed them; refused by name where there can be none."""

import json
import socketserver
import threading

import pytest
from harness.load import CHANNELS, begin, check_each_was_dialled_once
from harness.pipeline import WORKERS, Services
from harness.ports import free_port
from harness.redis_server import RedisServer
from harness.wait import wait_until

TOO_OLD = "Redis 7.0 or later, or Valkey, is needed: this is 6.0.16"


@pytest.fixture
def own_redis(broker, workdir):
    redis = RedisServer(workdir / f"redis-{free_port()}")
    yield Services(broker, redis)
    redis.stop()


def ours(client):
    return [library[1].decode() for library in client.function_list("ivr_*")]


class Until:
    """Does something again and again, from another thread, until it is left."""

    def __init__(self, seconds, do):
        self._seconds, self._do, self.times = seconds, do, 0
        self._done, self._thread = threading.Event(), threading.Thread(target=self._run)

    def _run(self):
        while not self._done.wait(self._seconds):
            self._do()
            self.times += 1

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *problem):
        self._done.set()
        self._thread.join()


@pytest.mark.timeout(120)
def test_functions_that_vanish_under_load_cost_no_call_and_no_second_dial(own_redis, make_pipeline):
    pipeline = make_pipeline(CHANNELS, services=own_redis, start=("gateway", "dispatch", "dispatch", "status"))
    client = own_redis.redis.client
    with Until(0.01, lambda: client.function_flush("SYNC")) as flushing:
        requests = begin(pipeline)
        check_each_was_dialled_once(pipeline, requests)
    assert flushing.times > 50
    wait_until(lambda: ours(client), "somebody to load them again")
    refused = [line for worker in pipeline.workers for line in worker.log() if "defect" in json.dumps(line)]
    assert not refused, refused[:3]


def test_an_operator_removes_what_older_versions_left(own_redis, make_pipeline):
    """Also what is in use: it costs its users one more load."""
    client = own_redis.redis.client
    client.function_load("#!lua name=ivr_000000000000\nredis.register_function('ivr_000000000000_claim', function() return 1 end)")
    pipeline = make_pipeline(services=own_redis)
    assert len(ours(client)) == 2, "the functions of another version were removed under its feet"
    for name in ours(client):
        client.function_delete(name)
    request = pipeline.request()
    pipeline.report(request, "initiated", "ringing", "in-progress", "completed", CallDuration=7)
    pipeline.wait_final(request, "Completed")
    assert len(ours(client)) == 1


def test_a_user_that_may_not_load_them_is_told_by_every_worker(own_redis, make_pipeline):
    client = own_redis.redis.client
    client.execute_command("ACL", "SETUSER", "worker", "on", ">pass", "~*", "&*", "+@all", "-function")
    url = own_redis.redis.url.replace("redis://", "redis://worker:pass@")
    pipeline = make_pipeline(start=False, services=own_redis)
    workers = [pipeline.start_worker(kind, IVR_REDIS_URL=url) for kind in WORKERS]
    for worker in workers:
        wait_said(worker, "our functions cannot be loaded: NOPERM")
    client.execute_command("ACL", "SETUSER", "worker", "+function|load")
    for worker in workers:
        worker.wait_ready()


class OldRedis(socketserver.StreamRequestHandler):
    """As much of a Redis 6.0 as a worker asks of it before it is refused."""

    ANSWERS = {b"PING": b"+PONG\r\n", b"ROLE": b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n",
               b"CONFIG": b"*2\r\n$16\r\nmaxmemory-policy\r\n$10\r\nnoeviction\r\n",
               b"INFO": b"$33\r\n# Server\r\nredis_version:6.0.16\r\n\r\n\r\n"}

    def handle(self):
        while head := self.rfile.readline():
            words = []
            for _ in range(int(head[1:])):
                size = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(size + 2)[:-2])
            name = words[0].upper()
            unknown = b"-ERR unknown command `%s`, with args beginning with: \r\n" % name
            self.wfile.write(self.ANSWERS.get(name, unknown))


def test_a_server_without_functions_is_refused_by_name(make_pipeline):
    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), OldRedis) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        pipeline = make_pipeline(start=False)
        url = f"redis://127.0.0.1:{server.server_address[1]}/0"
        workers = [pipeline.start_worker(kind, IVR_REDIS_URL=url) for kind in WORKERS]
        for worker in workers:
            wait_said(worker, TOO_OLD)
        server.shutdown()


def wait_said(worker, words):
    """In /readyz, which is 503, and in the log; the worker lives."""

    def said():
        response = worker.get("/readyz")
        return response.status_code == 503 and words in response.text

    wait_until(said, lambda: f"{words!r} in /readyz of {worker.name}, which says {worker.get('/readyz').text}", 20)
    wait_until(lambda: words in json.dumps(worker.log()), lambda: f"{words!r} in the log:\n{worker.tail()}", 5)
    assert worker.alive() and worker.get("/healthz").status_code == 200
