"""What was committed: never ahead of its work, never past the end, and all of it after the run."""

from .run import CLOCK_SKEW_MS
from .words import time_ms, time_text


def check_offsets(run, ends, findings):
    """`ends`: {topic: {partition: offset after the last record}} of the topics that workers read."""
    count = 0
    for topic, of_topic in ends.items():
        committed = run.committed_of(topic)
        if committed is None:
            findings.wrong("not committed", topic, "committed.json names no group that reads it")
            continue
        for partition in sorted(of_topic.keys() | committed.keys()):
            count += 1
            _check_partition(f"{topic} {partition}", committed.get(partition, 0), of_topic.get(partition, 0), findings)
    findings.checked("partitions with committed offsets", count)


def _check_partition(where, committed, end, findings):
    if committed > end:
        findings.wrong("committed past the end", where, f"{committed}, its last record is {end - 1}")
    elif committed < end:
        findings.wrong("not committed", where, f"{committed} of {end} after the run")


def check_requests_in_time(requests, events, commits, findings):
    """Of each request that a sample found committed: its call, or its dead letter, was there before."""
    if not commits.count:
        return
    findings.checked("samples of committed offsets", commits.count)
    for place, call_id in requests.places:
        passed = commits.first_past("call-requests", place)
        done = _done_at(place, call_id, requests, events) if passed else None
        if done and done > passed + CLOCK_SKEW_MS:
            text = f"call-requests {place[0]}@{place[1]} was committed by {time_text(passed)}, its effect is of {time_text(done)}"
            findings.wrong("committed ahead of its work", call_id, text)


def _done_at(place, call_id, requests, events):
    letters = requests.letters.get(place)
    if letters:
        return min(time_ms(letter.failed_at) for letter in letters)
    story = events.calls.get(call_id)
    return story[0].recorded_ms if story and story[0].seq == 1 else None
