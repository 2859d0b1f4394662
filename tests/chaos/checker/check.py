"""All checks of one run, in the order in which they read what it left."""

from .callbacks import Callbacks, check_reflected
from .calls import check_hops, check_limited, check_store
from .dials import Dials, check_dials, check_doubt
from .events import Events, check_ends, check_stories
from .fallbacks import check_fallbacks
from .findings import Findings
from .leftovers import check_leftovers
from .lines import Holds, check_lines
from .offsets import check_offsets, check_requests_in_time
from .rates import check_rates
from .records import Records, check_records
from .requests import Requests, check_fates, dead_letters
from .run import Commits, Run
from .store import read
from .summaries import Summaries, check_summaries


def check(directory, save=False):
    run = Run(directory)
    findings = Findings(run.lossy)
    letters, commits, store = dead_letters(run), Commits(run), read(run, save)
    requests = Requests(run, letters["call-requests"], findings)
    findings.checked("calls in Redis", len(store.calls), f"{sum(len(c.attempts) for c in store.calls.values()):,} attempts")
    dials = Dials(run, findings)
    check_dials(run, dials, requests, store, findings)
    check_doubt(run, dials, store, findings)
    callbacks = Callbacks(run, dials, letters["callbacks"], commits, store, findings)
    callbacks.check_acknowledged(run)
    check_reflected(run, callbacks, dials, store, findings)
    events = Events(run, requests, findings)
    check_stories(events, findings)
    check_ends(events, store, findings)
    check_records(Records(run, findings), store, findings)
    check_store(store, findings)
    check_hops(run, store, findings)
    check_limited(run, requests, store, findings)
    check_rates(run, dials, findings)
    check_lines(run, Holds(run, dials, requests, store, findings), findings)
    check_leftovers(run, requests, store, findings)
    check_fallbacks(run, dials, requests, store, findings)
    check_fates(requests, store.calls, events.calls, run.committed_of("call-requests"), findings)
    check_requests_in_time(requests, events, commits, findings)
    ends = {"call-requests": requests.ends, "callbacks": callbacks.ends, "call-events": events.ends}
    check_offsets(run, ends, findings)
    check_summaries(run, Summaries(run, findings), store, events, findings)
    return run, findings
