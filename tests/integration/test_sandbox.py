"""ivr-sandbox: a campaign over all three providers, whose table shows them side by side."""

import os
import re
import signal
from pathlib import Path

import pytest
from harness.paths import BIN, ROOT
from harness.process import Process, run
from harness.wait import wait_until

CHANNELS = ["gb-vonage", "ke-africastalking", "us-twilio"]
STATUSES = {
    "Completed", "No_answer", "User_busy", "Subscriber_absent", "Gateway_unavailable", "Failed_unknown_reason",
    "Pending",
}  # fmt: skip


@pytest.fixture
def env(tmp_path):
    """Where the sandbox makes its directory, nothing else is."""
    (tmp_path / "tmp").mkdir()
    return {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path / "tmp")}


def table(shown):
    """{row: [a number for each channel, all]}, of the columns under the channels' names."""
    lines = shown.splitlines()
    head = next(i for i, line in enumerate(lines) if line.split() == [*CHANNELS, "all"])
    rows = {}
    for line in lines[head + 1 :]:
        if not line.strip():
            return rows
        name, *numbers = line.split()
        rows[name] = numbers if name == "answer" else [int(number.replace(",", "")) for number in numbers[:4]]
    return rows


def adds_up(rows):
    counts = [numbers for name, numbers in rows.items() if name not in ("calls", "answer")]
    return [sum(column) for column in zip(*counts, strict=True)] == rows["calls"]


def left_behind(env):
    return list(Path(env["TMPDIR"]).iterdir())


def test_a_campaign_over_three_providers_adds_up(env):
    shown = run([BIN / "ivr-sandbox", "--calls", "150"], env, timeout=180)
    assert shown.code == 0, shown
    rows = table(shown.out)
    assert set(rows) == STATUSES | {"calls", "answer"}, shown
    assert rows["calls"] == [50, 50, 50, 150] and adds_up(rows), rows
    assert all(sum(numbers[:3]) == numbers[3] for name, numbers in rows.items() if name != "answer"), rows
    assert all(number > 0 for number in rows["Completed"]), rows
    assert "dialled 150 calls for 150 attempts, none twice" in shown.out
    assert left_behind(env) == []


def test_the_examples_have_contacts_for_each_channel():
    contacts = (ROOT / "schemas" / "examples" / "contacts.csv").read_text(encoding="utf-8").splitlines()[1:]
    counts = [sum(line.startswith(prefix) for line in contacts) for prefix in ("+254", "+1", "+44")]
    assert len(contacts) == sum(counts) == 500 and min(counts) > 150, counts


def test_kept_up_it_says_what_to_type_and_that_works(env, tmp_path):
    sandbox = Process("ivr-sandbox", [BIN / "ivr-sandbox", "--calls", "9", "--keep"], tmp_path, env=env)
    wait_until(lambda: "Ctrl-C" in sandbox.output() and "tail -f" in sandbox.output(), "what to type", timeout=120)
    shown = sandbox.output()
    theirs = env | dict(re.findall(r"^  export (\w+)=(.*)$", shown, re.MULTILINE))
    campaign = re.search(r"demo/maize-prices-[-\d]+", shown).group()
    live = run([BIN / "ivrctl", "campaign", campaign], theirs)
    assert live.code == 0 and table(live.out)["calls"] == [3, 3, 3, 9], live
    sandbox.send(signal.SIGINT)
    assert sandbox.wait(30) == 0, sandbox.tail()
    assert left_behind(env) == []
