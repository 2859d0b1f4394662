"""No refusal leaves a half-written call: a script that may not do all that it does, does nothing."""

import pathlib
import re

from conftest import *

COMMANDS = set((ROOT / "build/gen/commands").read_text().split())
DENIED = sorted(COMMANDS - {"FCALL", "FUNCTION|LOAD", "SCAN"})


@pytest.fixture
def limited(store):
    """A store whose user has all rights but one: limited(command) or limited(key pattern)."""
    def make(*rules):
        store.redis.acl_deluser("limited")
        store.redis.execute_command("ACL", "SETUSER", "limited", "on", "nopass", "+@all", *rules)
        path = store.redis.connection_pool.connection_kwargs["path"]
        client = redis_py.Redis(unix_socket_path=path, username="limited", password="x")
        clients.append(client)
        other = Store(client)
        other.tokens = store.tokens
        return other

    clients = []
    yield make
    for client in clients:
        client.close()
    store.redis.acl_deluser("limited")


def everything(client):
    """All that Redis holds: what a script that was refused must leave as it was."""
    return {key: client.dump(key) for key in client.scan_iter("*")}


def a_call_s_life(store):
    """Each step as it is asked, and asked again where it was refused."""
    yield "request", lambda: store.request("t/c1", token="a")
    yield "outcome", lambda: store.outcome("t/c1", 1, "a", "accepted", accepted())
    yield "park", lambda: store.park()
    yield "link", lambda: store.batch("link", [["twilio:CA1", "t/c1/1", 1, "ch"]])
    yield "evidence", lambda: store.evidence("t/c1", evidence(NO_ANSWER, 1, hops=[TERMINATE]))
    yield "stored", lambda: store.request("t/c2", max_attempts=2)
    yield "due", lambda: store.due()
    yield "claim", lambda: store.claim("t/c2", "b", line=1, contact="+1")
    yield "contact", lambda: store.contact("t/c2")
    yield "back", lambda: store.outcome("t/c2", 1, "b", "back")
    yield "pause", lambda: store.control("pause", "campaign:t/camp")
    yield "sweep", lambda: store.sweep()
    yield "settle", lambda: store.settle()
    yield "unlock", lambda: store.unlock("t/c2")


@pytest.mark.parametrize("command", DENIED)
def test_a_user_without_one_command_writes_nothing_and_loses_nothing(store, limited, command):
    """Whatever step needs the command is refused as a whole, and done as if nothing had been once the right is back."""
    denied, refused = limited("~*", f"-{command.lower()}"), []
    for (name, tried), (_, done) in zip(a_call_s_life(denied), a_call_s_life(store)):
        before = everything(store.redis)
        try:
            tried()
        except redis_py.exceptions.NoPermissionError as error:
            assert command.lower() in str(error)
            assert everything(store.redis) == before, f"{name} wrote something without {command}"
            refused.append(name)
            done()
    assert store.state("t/c1")[PHASE] == DONE and store.state("t/c2")[PHASE] == WAITING
    with pytest.raises(redis_py.exceptions.NoPermissionError, match=command.lower()):
        denied.scripts["probe"](keys=[store.shard])


@pytest.mark.parametrize("pattern", ["~{ivr:00}", "~{ivr:00}:call:*", "~other:*"])
def test_a_user_without_all_of_our_keys_writes_nothing(store, limited, pattern):
    denied = limited("~{ivr:00}", pattern)
    with pytest.raises(redis_py.exceptions.NoPermissionError):
        denied.request("t/c1", token="a")
    with pytest.raises(redis_py.exceptions.NoPermissionError):
        denied.scripts["probe"](keys=[store.shard])
    assert not everything(store.redis)


def test_a_user_that_may_not_load_our_functions_is_found_out_by_the_proof(store, limited):
    denied = limited("~*")
    store.redis.execute_command("ACL", "SETUSER", "limited", "-function|load")
    with pytest.raises(redis_py.exceptions.NoPermissionError, match="function.load"):
        denied.scripts["probe"](keys=[store.shard])


def test_the_proof_changes_nothing(store):
    before = store.redis.info("stats")["total_commands_processed"], store.redis.lastsave()
    dirty = store.redis.info("persistence")["rdb_changes_since_last_save"]
    assert store.scripts["probe"](keys=[store.shard]) == 1
    assert before and store.redis.info("persistence")["rdb_changes_since_last_save"] == dirty
    assert not everything(store.redis)


REFUSALS = {
    "OOM": ({"maxmemory": 1}, {"maxmemory": 0}),
    "NOREPLICAS": ({"min-replicas-to-write": 1}, {"min-replicas-to-write": 0}),
}


@pytest.mark.parametrize("word", REFUSALS)
def test_the_proof_has_redis_own_words(store, word):
    wrong, right = REFUSALS[word]
    for name, value in wrong.items():
        store.redis.config_set(name, value)
    try:
        with pytest.raises(redis_py.exceptions.ResponseError, match="(?i)maxmemory|" + word + "|replicas"):
            store.scripts["probe"](keys=[store.shard])
        with pytest.raises(redis_py.exceptions.ResponseError):
            store.request("t/c1", token="a")
        assert not everything(store.redis)
    finally:
        for name, value in right.items():
            store.redis.config_set(name, value)
    assert store.scripts["probe"](keys=[store.shard]) == 1


def documented_rules():
    """The line of deploy/README.md that says which user is the least."""
    text = (ROOT / "deploy" / "README.md").read_text()
    line = next(line for line in text.splitlines() if "~{ivr:" in line)
    return line.strip().strip("`").split()


def test_the_documented_user_is_the_least(store, limited):
    """Every command that the programs send to Redis, and none besides."""
    rules = documented_rules()
    granted = {rule[1:].upper() for rule in rules if rule.startswith("+")}
    sent = set(COMMANDS)
    for file in (ROOT / "common/redis").glob("*.c"):
        words = re.findall(r'SPAN_LIT\("([A-Z]{3,})"\)', file.read_text())
        sent |= {word for word in words if word not in ("AUTH", "SENTINEL", "MASTER", "CLUSTER", "CONFIG", "SLOTS", "INFO", "FUNCTION", "LOAD")}
    assert granted == sent | {"CONFIG|GET", "CLUSTER|SLOTS", "CLUSTER|INFO"}


def test_the_documented_user_may_do_all_of_it(store, limited):
    rules = [rule for rule in documented_rules() if rule[0] in "~&+-"]
    least = limited("-@all", *rules)
    assert least.scripts["probe"](keys=[store.shard]) == 1
    for _, step in a_call_s_life(least):
        step()
    with pytest.raises(redis_py.exceptions.NoPermissionError):
        least.redis.get("another:key")
