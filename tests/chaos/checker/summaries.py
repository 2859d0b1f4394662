"""The last summary of each key equals a recount from Redis and from the events; each revision adds up by itself."""

import orjson

from .recount import (
    Recount,
    calls_differ,
    details_differ,
    first_call_differs,
    from_events,
    from_redis,
    sums_differ,
)
from .words import time_ms, time_text

# A window is published once its minute is over: of one that was open shortly before the end there may be no summary yet.
WINDOW_CLOSED_MS = 60_000 + 15_000
ONLY_CALLS = {"calls", "waiting", "retrying", "attempts"}


class Summaries:
    """`last`: {key: (revision, place, summary)}, the highest revision, as a reader keeps it."""

    def __init__(self, run, findings):
        self.last, self._tail, self._findings = {}, {}, findings
        count = 0
        for record in run.records("delivery-summaries"):
            count += 1
            if record.value is not None:
                self._take(record)
        self._check_tails()
        windows = sum(1 for key in self.last if key.startswith("window:"))
        findings.checked("revisions of summaries", count)
        findings.checked("last summaries", len(self.last), f"{len(self.last) - windows:,} campaigns, {windows:,} windows")

    def _take(self, record):
        key, summary = record.key.decode(), orjson.loads(record.value)
        revision, where = summary["revision"], "delivery-summaries %d@%d" % record.place
        if key != _key_of(summary) or record.headers.get("ce_id") != f"{key}#{revision}".encode():
            self._findings.wrong("summary that is misnamed", key, f"{where}: {_key_of(summary)}, {record.headers}")
        if summary["kind"] == "campaign":
            for part, name in [(summary, "")] + [(p, f"by_channel.{c}: ") for c, p in summary["by_channel"].items()]:
                for text in sums_differ(part):
                    self._findings.wrong("summary does not add up", key, f"{where}: {name}{text}")
        kept = self.last.get(key)
        if kept and kept[0] == revision and kept[2] != summary:
            text = f"{where} and {kept[1][0]}@{kept[1][1]} differ"
            self._findings.wrong("revision with two contents", f"{key}#{revision}", text)
        self._tail[key] = revision, record.place
        if not kept or revision > kept[0]:
            self.last[key] = revision, record.place, summary

    def _check_tails(self):
        """Compaction keeps the last record of a key: it must be the newest one."""
        for key, (revision, place) in self._tail.items():
            if revision < self.last[key][0]:
                text = f"delivery-summaries {place[0]}@{place[1]} is revision {revision}, {self.last[key][0]} came before it"
                self._findings.wrong("older revision stays the last", key, text)


def _key_of(summary):
    campaign = f"{summary['tenant']}/{summary['campaign']}"
    if summary["kind"] == "campaign":
        return f"campaign:{campaign}"
    return f"window:{campaign}/{summary['channel']}/{summary['window_start']}"


def check_summaries(run, summaries, store, events, findings):
    by_redis = Recount(from_redis(store, events), with_windows=True)
    _check_counters(store, by_redis, findings)
    campaigns = {call.id: call.campaign for call in store.calls.values()}
    told = Recount((c for c in from_events(events, _Campaigns(campaigns))), with_windows=False)
    for source, recount in (("Redis", by_redis), ("the events", told)):
        for campaign, tally in recount.campaigns.items():
            _check_campaign(summaries, campaign, tally, recount, source, findings)
    ended, still_open = run.about.get("ended_ms"), 0
    for (campaign, channel, minute), tally in by_redis.windows.items():
        key = f"window:{campaign}/{channel}/{time_text(minute)}"
        if key in summaries.last:
            _check_window(summaries, key, tally, findings)
        elif ended and minute + WINDOW_CLOSED_MS > ended:
            still_open += 1
        else:
            findings.wrong("window without a summary", key, f"{tally.attempts} attempts were placed in it")
    if still_open:
        findings.note(f"{still_open} windows were open at the end and are not published: not checked")
    for key in summaries.last:
        if not _counted(key, by_redis):
            findings.wrong("summary of nothing", key, "neither calls nor attempts of it are in Redis")


class _Campaigns(dict):
    """Events of calls that Redis does not know are reported elsewhere; they count under a name of their own."""

    def __missing__(self, call_id):
        return call_id.partition("/")[0] + "/(unknown)"


def _counted(key, recount):
    kind, _, name = key.partition(":")
    if kind == "campaign":
        return name in recount.campaigns
    campaign, channel, start = name.rsplit("/", 2)
    return (campaign, channel, time_ms(start)) in recount.windows


def _check_campaign(summaries, campaign, tally, recount, source, findings):
    key = f"campaign:{campaign}"
    if key not in summaries.last:
        if not campaign.endswith("/(unknown)"):
            findings.wrong("campaign without a summary", key, f"{tally.calls} calls in {source}")
        return
    revision, place, summary = summaries.last[key]
    differ = calls_differ(summary, tally)
    if first_call_differs(summary, recount.first_ms[campaign]):
        differ.append(f"first_call_at {summary['first_call_at']}, counted {time_text(recount.first_ms[campaign])}")
    channels = recount.channels_of(campaign)
    for channel in sorted(summary["by_channel"].keys() | channels.keys()):
        differ += _channel_differs(channel, summary["by_channel"].get(channel), channels.get(channel))
    _tell(f"summary is not the recount from {source}", key, revision, place, differ, findings)


def _channel_differs(channel, said, tally):
    if said is None or tally is None:
        return [f"by_channel.{channel} " + ("missing" if said is None else "counted nothing")]
    return [f"by_channel.{channel}.{text}" for text in calls_differ(said, tally)]


def _check_window(summaries, key, tally, findings):
    revision, place, summary = summaries.last[key]
    _tell("window is not the recount from Redis", key, revision, place, details_differ(summary, tally), findings)


def _tell(kind, key, revision, place, differ, findings):
    if differ:
        shown = "; ".join(differ[:6]) + (f"; and {len(differ) - 6} more" if len(differ) > 6 else "")
        findings.wrong(kind, key, f"revision {revision}, delivery-summaries {place[0]}@{place[1]}: {shown}")


# ---- the counters themselves ----


def _check_counters(store, recount, findings):
    """Redis against Redis: a counter that drifted is told apart from a summary that is old."""
    findings.checked("counters in Redis", sum(map(len, store.counters.values())), f"{len(store.counters):,} campaigns")
    for campaign in recount.campaigns.keys() | store.counters.keys():
        counted = {}
        for channel, tally in recount.channels_of(campaign).items():
            counted |= {f"{channel}|{field}": value for field, value in _fields_of(tally)}
        held = store.counters.get(campaign, {})
        wrong = [
            f"{field} {held.get(field, 0)}, counted {counted.get(field, 0)}"
            for field in sorted(held.keys() | counted.keys())
            if _comparable(field) and held.get(field, 0) != counted.get(field, 0)
        ]
        if wrong:
            findings.wrong("counter is not the recount", campaign, "; ".join(wrong[:6]))


def _comparable(field):
    """Of the seconds only the sums: the histogram's buckets are the workers' own affair, and how many reasons have a name."""
    what = field.rpartition("|")[2]
    return field != "first" and what != "#r" and not what.startswith(("ring:", "talk:"))


def _fields_of(tally):
    from .words import HOPS, STATUSES

    yield from ((name, getattr(tally, name)) for name in sorted(ONLY_CALLS))
    yield from ((f"d:{reason}", n) for reason, n in tally.dropped.items())
    yield from ((f"s:{STATUSES.index(status) + 1}", n) for status, n in tally.by_status.items())
    yield from ((f"r:{reason}", n) for reason, n in tally.by_reason.items())
    yield from ((f"h:{HOPS.index(hop)}", n) for hop, n in tally.hops.items())
    yield "ringsum", sum(value * n for value, n in tally.ring.items())
    yield "talksum", sum(value * n for value, n in tally.talk.items())
    yield from ((f"cost:{currency}", n) for currency, n in tally.cost.items())
