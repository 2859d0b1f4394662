"""Calling hours in C (common/model/hours.c, common/base/zone.c) and by Python's zoneinfo are the same, at random instants
and around every kind of change that a clock goes through. Seeded: the same seed asks the same questions."""

import json
import os
import random
import re
import subprocess
import zoneinfo

import pytest
from harness.paths import BUILD, ROOT
from harness.process import in_our_time
from wall_clock import DAYS, MINUTE_MS, SYSTEM, changes, is_open, is_zone, next_open, wall_clock

ASK = os.environ.get("TEST_ASK", BUILD / "bin" / "hours" / "ask")
SEED = 6
FIRST_MS, LAST_MS = 631_152_000_000, 2_145_916_800_000  # 1990 to 2038
HOUR_MS = 60 * MINUTE_MS

ZONES = {
    "Africa/Nairobi": "no changes",
    "America/New_York": "an hour, at 02:00",
    "Europe/London": "an hour, at 01:00",
    "Australia/Lord_Howe": "half an hour",
    "Asia/Kathmandu": "5:45 from UTC",
    "Africa/Casablanca": "put back for Ramadan, and its summer time is the negative one",
    "America/Sao_Paulo": "at midnight, until 2019",
    "Pacific/Apia": "a Friday that was not",
    "Asia/Tehran": "half hours, by another calendar, until 2022",
    "Africa/Cairo": "some years, some years not, twice in 2010 and 2014",
}


def answers(questions, tzdir=None):
    """What C says of (instant, window) pairs: (open, first open instant), or its refusal."""
    text = "".join(f"{at_ms} {json.dumps(window)}\n" for at_ms, window in questions)
    env = {name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}
    env |= {"TZDIR": str(tzdir)} if tzdir else {}
    done = subprocess.run([ASK], input=text.encode(), capture_output=True, env=in_our_time(env), timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    told = [line.split() for line in done.stdout.decode().splitlines()]
    assert len(told) == len(questions)
    return [" ".join(line) if line[0] == "refused:" else (line[0] == "1", int(line[1])) for line in told]


def clock_text(minute):
    return f"{minute // 60:02}:{minute % 60:02}"


def some_window(zone, rng, step, near=None):
    """Its ends are multiples of `step` minutes; near a minute of the day if one is given: short ones fall into gaps."""
    begin = rng.randrange(0, 24 * 60, step) if near is None else (near + rng.randrange(-6, 7) * step) % (24 * 60)
    length = rng.choice([step, 2 * step, rng.randrange(step, 24 * 60, step)])
    end = begin + length
    end = end if end <= 24 * 60 else end - 24 * 60
    window = {"timezone": zone, "from": clock_text(begin), "to": clock_text(end)}
    if rng.random() < 0.6:
        window["days"] = rng.sample(DAYS, rng.randint(1, 4))
    return window


def some_instants(zone, rng, count):
    """(instant, minute of the day near which a window is of interest, or None)."""
    moved = list(changes(zone, FIRST_MS, LAST_MS))
    for n in range(count):
        if moved and n % 2:
            change = rng.choice(moved)
            local = wall_clock(zone, change - 1000)
            yield change + rng.randrange(-30 * HOUR_MS, 30 * HOUR_MS), local.hour * 60
        else:
            yield rng.randrange(FIRST_MS, LAST_MS), None


def some_questions(zone, rng, count, step):
    return [(at_ms, some_window(zone, rng, step, near)) for at_ms, near in some_instants(zone, rng, count)]


def assert_same(questions, step):
    for (at_ms, window), told in zip(questions, answers(questions), strict=True):
        expected = (is_open(window, at_ms), next_open(window, at_ms, step))
        local = wall_clock(window["timezone"], at_ms)
        assert told == expected, f"{window} at {at_ms} ({local}): C says {told}, not {expected}"


@pytest.mark.parametrize("zone", ZONES)
def test_windows_open_when_the_wall_clock_says_so(zone):
    assert_same(some_questions(zone, random.Random(f"{SEED} {zone}"), 300, step=15), step=15)


@pytest.mark.parametrize("zone", ZONES)
def test_windows_open_at_their_minute(zone):
    assert_same(some_questions(zone, random.Random(f"{SEED} {zone} 1"), 15, step=1), step=1)


@pytest.mark.parametrize("zone", sorted(zone for zone in ZONES if ZONES[zone] not in ("no changes", "5:45 from UTC")))
def test_windows_around_every_change_of_the_last_decades(zone):
    """A window that begins, ends, or lies in what is jumped over or comes twice, asked for before, at and after it."""
    rng, questions = random.Random(f"{SEED} {zone} changes"), []
    for change in changes(zone, FIRST_MS, LAST_MS):
        for shift in (-HOUR_MS, -1, 0, 1, 29 * MINUTE_MS, HOUR_MS - 1, HOUR_MS):
            local = wall_clock(zone, change - 1000)
            window = some_window(zone, rng, 15, near=local.hour * 60 + rng.choice([0, 30, 60]))
            window["days"] = [DAYS[(local.weekday() + rng.choice([-1, 0, 0, 1])) % 7]]
            questions.append((change + shift, window))
    assert len(questions) >= 14
    assert_same(questions, 15)


def test_every_zone_of_tzdata_tells_the_time_as_zoneinfo_does():
    rng, questions = random.Random(SEED), []
    names = sorted(zoneinfo.available_timezones() - {"localtime"})
    assert len(names) > 400
    for zone in names:
        for _ in range(20):
            at_ms = rng.randrange(FIRST_MS, LAST_MS)
            local = wall_clock(zone, at_ms)
            now = local.hour * 60 + local.minute
            begin = (now + rng.randrange(-2, 3)) % (24 * 60)
            window = {"timezone": zone, "from": clock_text(begin), "to": clock_text(begin + 1)}
            questions.append((at_ms, window | {"days": [DAYS[local.weekday()]]}))
    for (at_ms, window), told in zip(questions, answers(questions), strict=True):
        assert told[0] == is_open(window, at_ms), f"{window} at {at_ms}: C says {told}"


LINKS = re.findall(r'^    \{"(\S+)", "(\S+)"\},$', (ROOT / "common/base/zone_links.c").read_text(encoding="utf-8"), re.M)


@pytest.fixture(scope="module")
def without_links(tmp_path_factory):
    """A tzdata as Debian 13's without tzdata-legacy, and less: no link has a file."""
    directory = tmp_path_factory.mktemp("zoneinfo")
    for name in zoneinfo.available_timezones() - {name for name, _ in LINKS} - {"localtime"}:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(f"{SYSTEM}/{name}")
    return directory


def test_the_links_are_sorted_and_end_at_zones(without_links):
    names = [name for name, _ in LINKS]
    assert names == sorted(names, key=str.encode) and len(set(names)) == len(names) > 250
    for name, zone in LINKS:
        assert not (without_links / name).exists() and (without_links / zone).is_file(), f"{name}, {zone}"
    assert {"Asia/Calcutta", "Europe/Kiev", "US/Eastern", "America/Buenos_Aires", "EST5EDT", "GMT+0", "US/Pacific-New"} <= set(names)


def test_a_name_that_tzdb_ever_had_tells_the_same_time_without_a_file_of_its_own(without_links):
    rng = random.Random(SEED)
    since_ms = 946_684_800_000  # 2000; before 1970 some differ
    asked = [(pair, rng.randrange(since_ms, LAST_MS), some_window("", rng, 15)) for pair in LINKS for _ in range(20)]

    def of(which, tzdir=None, where=lambda name: True):
        questions = [(at_ms, window | {"timezone": pair[which]}) for pair, at_ms, window in asked if where(pair[0])]
        return list(zip(questions, answers(questions, tzdir), strict=True))

    for (question, told), (_, expected) in zip(of(0, without_links), of(1), strict=True):
        assert told == expected, f"{question}: C says {told}, and of the zone {expected}"
    # Here the names may have files.
    assert of(0, where=is_zone) == of(0, without_links, where=is_zone)


def test_every_name_that_tzdata_knows_is_known_without_the_files_of_links(without_links):
    """What this machine's tzdata calls a link, and we do not, is a zone of its own there."""
    names = sorted(name for name in zoneinfo.available_timezones() if is_zone(name))
    told = answers([(0, {"timezone": name, "from": "08:00", "to": "20:00"}) for name in names], without_links)
    assert [name for name, said in zip(names, told, strict=True) if isinstance(said, str)] == []


@pytest.mark.parametrize(
    "zone",
    ["Africa/Nairobbi", "africa/nairobi", "Africa", "", "/etc/localtime", "../zoneinfo/UTC", "EST5EDT4", "XYZ3",
     "+03:00", "UTC+3", "localtime", "posixrules", "posix/UTC", "right/UTC", "tzdata.zi", "leapseconds",
     "Europe/London\n", "A" * 300],
)
def test_what_is_no_zone_is_refused(zone):
    window = {"timezone": zone, "from": "08:00", "to": "20:00"}
    assert answers([(0, window)]) == ["refused: timezone"]
