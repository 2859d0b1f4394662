"""No secret leaves a process: not by what it says of a setting or a URL, nor by a dump of its memory or its TLS keys."""

import json
import re
import resource

import pytest
from harness import twilio
from harness.paths import BIN
from harness.process import run

PROGRAMS = ["ivr-dispatch", "ivr-status", "ivr-report", "ivr-gateway", "ivrctl"]
PASSWORD = "hush"


@pytest.fixture
def base(tmp_path):
    """An environment in which --check finds nothing to complain about."""
    return {"PATH": "/usr/bin:/bin", "IVR_CHANNELS": channels_file(tmp_path), "IVR_PUBLIC_URL": "https://ivr.example.test"}


def channels_file(directory, **changes):
    credentials = {"account_sid": twilio.ACCOUNT_SID, "auth_token": twilio.AUTH_TOKEN}
    channel = {"provider": "twilio", "from": "+254711082000", "credentials": credentials} | changes
    path = directory / "channels.json"
    path.write_text(json.dumps({"channels": {"main": channel}, "default_channel": "main"}), encoding="utf-8")
    return str(path)


def assert_silent(finished, *secrets):
    for secret in secrets:
        assert secret not in finished.out + finished.err, finished


# --- what is said of settings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    "token", ["x", "fifteen-letters", "sixteen letters and a blank", "a-line-break\nX-Other: header", "a-tab\tin-between-it"]
)
def test_a_token_that_can_be_guessed_or_not_be_sent_is_refused(base, tmp_path, program, token):
    refused = run([BIN / program, "--check"], base | {"IVR_API_TOKEN": token})
    assert refused.code == 2 and "IVR_API_TOKEN" in refused.err, refused
    assert token == "x" or token not in refused.err
    secret = tmp_path / "token"
    secret.write_text(token + "\n", encoding="utf-8")
    refused = run([BIN / program, "--check"], base | {"IVR_API_TOKEN_FILE": str(secret)})
    assert refused.code == 2 and "IVR_API_TOKEN" in refused.err, refused
    secret.write_text("sixteen-letters-and-more\n", encoding="utf-8")
    assert run([BIN / program, "--check"], base | {"IVR_API_TOKEN_FILE": str(secret)}).code == 0


# In each the password is not percent-encoded as it should be, or the URL is wrong elsewhere; "{p}" is the password.
REDIS_URLS = [
    "redis://user:12/{p}@127.0.0.1:6379/0",
    "redis://user:12?{p}@127.0.0.1:6379/0",
    "redis://user:12#{p}@127.0.0.1:6379/0",
    "redis://user:a/{p}@127.0.0.1:6379/0",
    "redis://:/{p}@127.0.0.1:6379/0",
    "redis://user:{p}@127.0.0.1:6379/zero",
    "redis://user:{p}@127.0.0.1:6379/0?x={p}",
    "redis://user:{p}@127.0.0.1:port/0",
    "redis://user:{p}%@127.0.0.1:6379/0",
    "redis://user:{p} @127.0.0.1:6379/0",
    "redis://127.0.0.1:6379/{p}",
    "rediss://user:12/{p}@127.0.0.1:6379/0",
    "redis+sentinel://user:12/{p}@127.0.0.1:6379/main/0",
    "redis+sentinel://user:{p}@127.0.0.1:6379/main/{p}",
    "redis+cluster://user:12/{p}@127.0.0.1:6379",
    "redis+cluster://user:{p}@127.0.0.1:6379/{p}",
    "unix://user:12/{p}@/run/redis.sock",
    "http://user:{p}@127.0.0.1:6379/0",
    "user:{p}@127.0.0.1",
]


@pytest.mark.parametrize("url", REDIS_URLS)
def test_nothing_of_a_redis_url_that_does_not_fit_is_quoted(base, url):
    for program in ("ivr-dispatch", "ivrctl"):
        refused = run([BIN / program, "--check"], base | {"IVR_REDIS_URL": url.format(p=PASSWORD)})
        assert refused.code == 2 and "Redis URL" in refused.err or "IVR_REDIS_URL" in refused.err, refused
        assert_silent(refused, PASSWORD, "user")


@pytest.mark.parametrize(
    "url",
    [
        "https://user:12/{p}@ivr.example.test",
        "https://user:{p}@ivr.example.test/base?{p}",
        "https://user:{p}@ivr.example.test/#{p}",
        "https://user:{p}@a.example,b.example",
        "ftp://user:{p}@ivr.example.test/{p}",
        "user:{p}@ivr.example.test",
    ],
)
def test_nothing_of_a_public_or_base_url_that_does_not_fit_is_quoted(base, tmp_path, url):
    url = url.format(p=PASSWORD)
    refused = run([BIN / "ivr-gateway", "--check"], base | {"IVR_PUBLIC_URL": url})
    assert refused.code == 2 and "IVR_PUBLIC_URL" in refused.err, refused
    assert_silent(refused, PASSWORD, "user")
    refused = run([BIN / "ivr-dispatch", "--check"], base | {"IVR_CHANNELS": channels_file(tmp_path, base_url=url)})
    assert refused.code == 2 and "base_url" in refused.err, refused
    assert_silent(refused, PASSWORD, "user:")


def test_a_password_in_a_good_url_is_hidden_where_the_settings_are_shown(base):
    urls = {"IVR_REDIS_URL": f"redis://user:{PASSWORD}@127.0.0.1:6379/0", "IVR_PUBLIC_URL": f"https://u:{PASSWORD}@a.example"}
    shown = run([BIN / "ivr-dispatch", "--check", "--verbose"], base | urls)
    assert shown.code == 0 and "127.0.0.1:6379" in shown.out
    assert_silent(shown, PASSWORD)


# --- what is said of requests ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["play", "answer_url"])
@pytest.mark.parametrize(
    "url",
    [
        "ftp://user:{p}@media.example/{p}/prompt.mp3?key={p}#{p}",
        "https://user:{p}@media.example/a prompt.mp3",
        "https://user:a/{p}@media.example/prompt.mp3",
        "https://user:{p}@a.example,b.example/{p}",
        "https://media.example/{p}/" + "x" * 2000,
        "user:{p}@media.example",
    ],
)
def test_of_a_request_s_url_only_scheme_and_host_are_quoted(pipeline, field, url):
    request = pipeline.send(pipeline.new_request(message={field: url.format(p=PASSWORD)}))
    letter = pipeline.wait_dead_letter(lambda record: record.key.decode() == request["call_id"])
    detail = letter.headers["ivr-detail"]
    assert f"message.{field}" in detail and PASSWORD not in detail and "user" not in detail
    refused = pipeline.api("/v1/calls", "POST", json=request)
    assert refused.status_code == 422 and PASSWORD not in refused.text and "user" not in refused.text
    said = pipeline.cli("request", "-", stdin=json.dumps(request))
    assert said.code == 1
    assert_silent(said, PASSWORD, "user")
    for worker in pipeline.workers:
        assert PASSWORD not in worker.stderr()


# --- memory and keys -------------------------------------------------------------------------------------------------


def limits_of(worker):
    with open(f"/proc/{worker.popen.pid}/limits", encoding="utf-8") as limits:
        return re.search(r"Max core file size\s+(\S+)\s+(\S+)", limits.read()).groups()


@pytest.fixture
def cores_allowed():
    """As on a machine whose owner collects core dumps; children inherit it."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


def test_a_worker_leaves_no_core_dump_unless_asked(make_pipeline, cores_allowed):
    pipeline = make_pipeline(env={"IVR_CORE_DUMPS": None})
    for worker in pipeline.workers:
        assert limits_of(worker) == ("0", "0"), worker.name
    debugged = pipeline.start("report", IVR_CORE_DUMPS="yes")[0]
    assert limits_of(debugged)[0] == str(1 << 20)


def test_the_keys_of_tls_connections_are_written_nowhere(make_pipeline, tmp_path):
    """The HTTP client would open the file when it is set up."""
    keys = tmp_path / "keys"
    pipeline = make_pipeline(start=False, env={"SSLKEYLOGFILE": str(keys)})
    for worker in pipeline.start():
        warnings = [line for line in worker.log() if "SSLKEYLOGFILE" in line.get("warning", "")]
        assert len(warnings) == 1, worker.name
    request = pipeline.request()
    pipeline.placed(request)
    assert not keys.exists()


@pytest.mark.parametrize("program", [*PROGRAMS, "ivr-sandbox"])
def test_every_program_says_that_it_writes_no_keys(base, tmp_path, program):
    keys = tmp_path / "keys"
    shown = run([BIN / program, "--check"], base | {"SSLKEYLOGFILE": str(keys)})
    assert shown.code == 0 and not keys.exists()
    assert shown.err.count("SSLKEYLOGFILE") == 1, shown


@pytest.mark.parametrize("word", ["1", "true", "YES", "maybe"])
def test_core_dumps_are_not_allowed_by_a_word_that_is_not_known(base, word):
    refused = run([BIN / "ivr-report", "--check"], base | {"IVR_CORE_DUMPS": word})
    assert refused.code == 2 and "IVR_CORE_DUMPS" in refused.err, refused


def test_numbers_need_not_stand_on_a_command_line(pipeline):
    """Where `ps` shows them to everybody on the machine; the help says so."""
    number = pipeline.new_number()
    for command in ("add", "remove"):
        changed = pipeline.cli("dnc", command, "acme", "-", "--json", stdin=number + "\n")
        assert changed.code == 0 and changed.json()["unchanged"] == 0, changed
        help_text = " ".join(pipeline.cli("dnc", command, "--help").out.split())
        assert '"ps"' in help_text and "standard input" in help_text
