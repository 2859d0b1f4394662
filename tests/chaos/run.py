"""One run: a campaign under faults, until it is quiet; then the checker's word on what is left.

    python tests/chaos/run.py --seed 7 --calls 20000 --minutes 8
    python tests/chaos/run.py --seed 7 --calls 100000 --minutes 32 --mode all        a quarter in each mode

`make chaos` calls it. Exit code 0 only when the checker found nothing and every worker ended as it should.
"""

import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

import remains  # noqa: E402
from campaign import Campaign  # noqa: E402
from faults import Faults  # noqa: E402
from plan import MODES, plan  # noqa: E402
from world import PARTITIONS, REQUEST_TIMEOUT, World, now_ms  # noqa: E402

_STEP_S = 0.05
# After the last fault: what waits for a deadline must have met it, and the machine may be slow.
QUIET_WITHIN_S = 300
# A run as short as this does not wait for its last window: the checker knows when it ended.
SHORT_S = 120
# The report workers' own grace of 3 s, and time for them to publish.
WINDOW_GRACE_S = 6


class Run:
    def __init__(self, directory, options, say=print):
        self.directory, self.options, self.say = directory, options, say
        self.seconds = options.minutes * 60
        self.row = None  # once it is over: what a table of several runs says of it
        self._told = 0
        self._placements, self._placed_s = 0, 0.0

    def execute(self):
        """Everything up to the checker; answers with the summary of the run."""
        schedule = plan(self.options.seed, self.seconds, self.options.gap, self.options.mode)
        world = World(self.directory, self.options, self.say)
        try:
            world.start_workers()
            campaign = Campaign(
                world.kafka.bootstrap,
                PARTITIONS["ivr.call-events"],
                self.options.seed,
                self.options.calls,
                self.seconds,
            )
            began = now_ms()
            faults = self._campaign(world, campaign, schedule)
            quiet = self._settle(world, campaign)
            stats = world.simulator.stats()
            world.stop_workers()
            campaign.close()
            run = self._describe(world, campaign, faults, quiet, began) | {"simulator": stats}
            remains.leave(world, run)
            problems = run["problems"] + self._check()
            self.say(table(run, self.directory, problems))
            self.row = row(run, self.directory, problems)
            return problems
        finally:
            world.close()

    def _campaign(self, world, campaign, schedule):
        campaign.begin()
        faults = Faults(world, schedule, self.options.seed)
        while not (campaign.everything_sent() and faults.done()):
            faults.step()
            campaign.step(_STEP_S)
            world.tend()
            self._tell(campaign, faults)
        return faults

    def _tell(self, campaign, faults):
        elapsed = campaign.elapsed()
        if elapsed - self._told < self.options.tell:
            return
        self._told = elapsed
        left = max(0, self.seconds - elapsed)
        self.say(
            f"{elapsed:5.0f} s  calls {len(campaign.final)} done of {campaign.sent} sent of {campaign.count}"
            f"  faults {len(faults.log)} of {faults.planned}  about {left:.0f} s left"
        )

    # --- until it is quiet ---------------------------------------------------------------------------------------

    def _settle(self, world, campaign):
        """Heals everything and waits until nothing moves; answers with what still did when the time was over."""
        world.heal()
        self.say("healed; waiting until it is quiet")
        deadline = time.monotonic() + QUIET_WITHIN_S
        asked, moving = 0.0, {"everything": 1}
        while moving and time.monotonic() < deadline:
            campaign.step(_STEP_S)
            world.tend()
            if time.monotonic() - asked > 2:
                asked = time.monotonic()
                moving = self._moving(world, campaign)
                self._told = campaign.elapsed()
                self.say(f"{campaign.elapsed():5.0f} s  moving: {moving or 'nothing'}")
        return moving

    def _moving(self, world, campaign):
        stats = world.simulator.stats()
        waits = stats["deliveries"]
        if stats["placements"] != self._placements:
            self._placements, self._placed_s = stats["placements"], time.time()
        counts = {
            "requests not sent": campaign.unsent(),
            # Without replicas a failover may forget a call, and nobody ends that any more.
            "calls not final": len(campaign.missing()) if self.options.mode != "lossy" else 0,
            "calls at the provider": stats["in_progress"],
            "callbacks on their way": waits["waiting"] + waits["out"],
            "in Redis": _unsettled(world.redis.client),
        }
        if any(counts.values()):
            return {what: count for what, count in counts.items() if count}
        lags = {f"lag of {group}": lag for group, lag in remains.lags(world.kafka).items() if lag}
        return lags or self._open_window()

    def _open_window(self):
        """Windows are published when their minute is over: seconds until that is so for the last placement."""
        if self.seconds < SHORT_S:
            return {}
        left = (self._placed_s // 60 + 1) * 60 + WINDOW_GRACE_S - time.time()
        return {"seconds until the last window closes": round(left)} if left > 0 else {}

    # --- telling -------------------------------------------------------------------------------------------------

    def _describe(self, world, campaign, faults, quiet, began):
        return {
            "seed": self.options.seed,
            "mode": self.options.mode,
            "calls": campaign.count,
            "good_calls": len(campaign.calls),
            "minutes": self.options.minutes,
            "started_ms": began,
            "ended_ms": now_ms(),
            "requests": {
                "sent": campaign.sent,
                "repeated": campaign.repeated,
                "acknowledged": campaign.acknowledged,
                "failed": campaign.failed,
            },
            "faults": faults.log,
            "workers": world.history,
            "settings": world.settings,
            "request_timeout": REQUEST_TIMEOUT,
            "problems": _problems(world, campaign, quiet),
        }

    def _check(self):
        """The checker's findings, one line each."""
        done = subprocess.run(
            [sys.executable, "-m", "checker", "--save", str(self.directory)], cwd=HERE, capture_output=True, text=True
        )
        (self.directory / "checker.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
        if done.returncode == 0:
            return []
        lines = (done.stdout + done.stderr).splitlines()
        return [f"checker: {line.strip()}" for line in lines if line.strip() and "VIOLATION" in line] or lines[-5:]


def _unsettled(client):
    """Calls that wait or are open, events in outboxes, rows of final calls, parked callbacks: all shards together."""
    count = 0
    for shard in range(16):
        key = f"{{ivr:{shard:02d}}}"
        count += sum(client.zcard(f"{key}:{name}") for name in ("due", "open", "parks", "records", "audit")) + client.xlen(f"{key}:out")
    return count


def _problems(world, campaign, quiet):
    """What no checker sees in the remains: workers that crashed or did not drain, a run that did not end."""
    found = [f"not quiet in time: {quiet}"] if quiet else []
    if campaign.failed:
        found.append(f"{campaign.failed} requests could not be produced")
    for entry in world.history:
        if entry["what"] == "ended":
            found.append(f"{entry['worker']} ended by itself with {entry['code']}: {entry['tail'].splitlines()[-1:]}")
        if entry["what"] == "left" and entry["code"] != 0:
            found.append(f"{entry['worker']} ended with {entry['code']} on SIGTERM")
    return found


def table(run, directory, problems):
    """What a person wants to know of it."""
    kinds = collections.Counter(fault["kind"] for fault in run["faults"])
    finals = _final_statuses(directory)
    stats = run["simulator"]
    rows = [
        ("seed, mode", f"{run['seed']}, {run['mode']}"),
        ("calls", f"{run['calls']} in {(run['ended_ms'] - run['started_ms']) / 1000:.0f} s"),
        ("requests sent twice", run["requests"]["repeated"]),
        ("faults", f"{len(run['faults'])}: " + ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))),
        ("placements", f"{stats['placements']}, {stats['dialled']} dialled"),
        ("dialled again", stats["dialled_again_by_attempt"]),
        ("placed again at risk", stats["risked_again_by_attempt"]),
        ("callbacks", f"{stats['callbacks']['acknowledged']} acknowledged, {stats['callbacks']['given_up']} given up"),
        ("ended as", ", ".join(f"{status} {count}" for status, count in finals.most_common())),
        ("violations", len(problems)),
    ]
    lines = [f"  {name:22} {value}" for name, value in rows]
    lines += [f"  ! {problem}" for problem in problems[:40]]
    return "\n".join(["", *lines, f"  {'remains':22} {directory}"])


COLUMNS = ("mode, seed", "calls", "faults", "placements", "dialled again", "in doubt", "callbacks", "events")
COLUMNS += ("seconds", "violations")


def row(run, directory, problems):
    """The same as one line of a table; `in doubt` and `events` are the checker's counts."""
    counts = _checked(directory)
    stats = run["simulator"]
    return (
        f"{run['mode']}, {run['seed']}",
        run["calls"],
        len(run["faults"]),
        stats["placements"],
        stats["dialled_again_by_attempt"],
        counts.get("attempts in doubt", "?"),
        stats["callbacks"]["acknowledged"],
        counts.get("events on the topic", "?"),
        round((run["ended_ms"] - run["started_ms"]) / 1000),
        len(problems),
    )


def _checked(directory):
    """{what: how many}, as the checker counted."""
    lines = (directory / "checker.txt").read_text(encoding="utf-8").splitlines()
    found = (re.match(r"  (\S.*?)  +([\d,]+)(?:  |$)", line) for line in lines)
    return {match[1]: int(match[2].replace(",", "")) for match in found if match}


def markdown(rows):
    """For tests/chaos/README.md, with the sums of what can be added."""
    sums = [sum(cells) if all(isinstance(cell, int) for cell in cells) else "all" for cells in zip(*rows, strict=True)]
    lines = [COLUMNS, ["---"] * len(COLUMNS), *rows, *([sums] if len(rows) > 1 else [])]
    return "\n".join("| " + " | ".join(_shown(cell) for cell in line) + " |" for line in lines)


def _shown(cell):
    return f"{cell:,}" if isinstance(cell, int) else cell


def _final_statuses(directory):
    """How many calls ended how; those in doubt apart."""
    last = {}
    with open(directory / "topics" / "call-events.ndjson", encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(remains.value_of(line))
            key = event["tenant"], event["call_id"]
            if key not in last or last[key]["seq"] < event["seq"]:
                last[key] = event
    return collections.Counter(_ending(event) for event in last.values())


def _ending(event):
    if not event["final"]:
        return f"{event['status']} (not final)"
    if event["status"] == "Gateway_unavailable":
        return f"Gateway_unavailable/{(event['reason'] or {}).get('code')}"
    return event["status"] or event["type"]


def options_of(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--calls", type=int, default=20000)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--mode", choices=(*MODES, "all"), default="plain")
    parser.add_argument("--gap", type=float, default=5, help="seconds between faults, on average")
    parser.add_argument("--tell", type=float, default=10, help="seconds between lines of progress")
    parser.add_argument("--directory", type=pathlib.Path, help="where everything is kept [a temporary one]")
    return parser.parse_args(arguments)


def runs_of(options):
    """The options of each run: one, or one in each mode, which share calls and minutes."""
    modes = MODES if options.mode == "all" else (options.mode,)
    for number, mode in enumerate(modes):
        shared = {"mode": mode, "seed": options.seed + number, "minutes": options.minutes / len(modes)}
        yield argparse.Namespace(**vars(options) | shared | {"calls": options.calls // len(modes)})


def main():
    options = options_of(sys.argv[1:])
    directory = options.directory or pathlib.Path(tempfile.mkdtemp(prefix="ivr-chaos-"))
    rows, failed = [], False

    def say(text):
        print(text, flush=True)

    for one in runs_of(options):
        kept = directory / f"{one.mode}-{one.seed}"
        say(f"{one.mode}, seed {one.seed}: {one.calls} calls in {one.minutes:g} minutes; everything is kept in {kept}")
        run = Run(kept, one, say)
        failed = bool(run.execute()) or failed
        rows.append(run.row)
    say("\n" + markdown(rows))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
