"""The channels of a campaign: what each may do, and how much of the campaign goes there.

Limits grow with the campaign, so that what is limited ends with the rest: over the whole run there is room for more
than comes, but it comes in waves, and in each of them for a while there is not.
"""

import math

# Of all calls; what is left goes to the default channel, which has no limits.
SHARES = {
    "paced": 0.06,  # calls_per_second
    "lined": 0.06,  # concurrent_calls
    "narrow": 0.03,  # both
    "backed": 0.05,  # a fallback, to which there is a way of its own
}
DEFAULT, BACKUP = "main", "backup"

# A tenant with a cap of its own on each channel.
CAPPED = "capped"
TENANTS = {"acme": 0.55, "globex": 0.40, CAPPED: 0.05}

_WAVE_S = 30
_WAVE_PART = 3  # all of it comes in this part of a wave
# What a placement costs besides itself: retries, and what the provider put off.
_PLACEMENTS = 1.15
# Seconds that a call holds its line, reports and their delays included, those in doubt (70 s) on average with the rest.
_HOLD_S = 2.5
_LEAST_RATE, _LEAST_LINES = 2, 4


def in_wave(number, count, seconds):
    """Whether the calls of limited channels come now, of a campaign of so many within so many seconds."""
    waves = max(1, round(seconds / _WAVE_S))
    return number * waves % count < count / _WAVE_PART


def channel_of_call(dice, number, count, seconds):
    """The channel's name for a dice from 0 to 1; None: it says none."""
    if not in_wave(number, count, seconds):
        return None
    for name, share in SHARES.items():
        dice -= share * _WAVE_PART
        if dice < 0:
            return name
    return None


def _rate(share, pace):
    """Half as much again as comes on average, which is half of what comes in a wave."""
    return max(_LEAST_RATE, math.ceil(1.5 * _PLACEMENTS * share * pace))


def _lines(share, pace):
    return max(_LEAST_LINES, math.ceil(1.5 * _HOLD_S * share * pace))


def limits(count, seconds):
    """(what each channel has besides its address, the tenants' part of the channels file)"""
    pace = count / seconds
    channels = {
        DEFAULT: {},
        "paced": {"calls_per_second": _rate(SHARES["paced"], pace)},
        "lined": {"concurrent_calls": _lines(SHARES["lined"], pace)},
        "narrow": {
            "calls_per_second": _rate(SHARES["narrow"], pace),
            "concurrent_calls": _lines(SHARES["narrow"], pace),
        },
        "backed": {"fallback": [BACKUP]},
        BACKUP: {},
    }
    return channels, {CAPPED: {"concurrent_calls": _lines(TENANTS[CAPPED], pace)}}
