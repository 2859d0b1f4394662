#!/bin/sh
# The few rules of ours that no compiler checks. Prints what breaks them; exit 1 when something does.
set -eu
cd "$(dirname "$0")/.."
bad=0

complain() {
    [ -z "$2" ] && return
    printf '%s\n%s\n\n' "$1" "$2" >&2
    bad=1
}

sources=$(git ls-files '*.c' '*.h')

complain "calls with a safer form (snprintf, buf_*, gmtime_r, strtol):" \
    "$(printf '%s\n' $sources | xargs grep -nwE '(sprintf|vsprintf|strcpy|strcat|atoi|atol|strtok|gmtime|localtime)[[:space:]]*\(' || true)"

complain "each library sits behind few files; include ours instead:" \
    "$(printf '%s\n' $sources | grep -vE '^(common/(http|kafka|redis)/|tests/unit/|tools/ivrctl/(topic|send)|tools/sandbox/broker|tests/deploy/broker)' |
       xargs grep -nE '#include <(curl/|librdkafka/|hiredis/)' || true)"

complain "GLib reads time zones for common/base/zone.c, and knows Unicode's characters for common/base/phone_mark.c, alone:" \
    "$(printf '%s\n' $sources | grep -vE '^common/base/(zone|phone_mark).c$' | xargs grep -nE '#include <(glib|gio)' || true)"

complain "common/model is free of I/O:" \
    "$(printf '%s\n' $sources | grep '^common/model/' | xargs grep -nE '#include <(uv|curl|librdkafka|hiredis)' || true)"

# Words that keys of Redis are made of, as keys.c has them: "call|out|...". They are the same in workers/calls/lib/layout.lua.
words=$(grep -oE '":[a-z_]+:?"' workers/store/keys.c | tr -d '":' | sort -u | paste -sd '|' -)
complain "keys of Redis are spelt in workers/store/keys.c alone:" \
    "$(printf '%s\n' $sources | grep -E '^(common|workers|tools)/.*\.c$' | grep -v '^workers/store/keys.c$' |
       xargs grep -nE "(\"|%s|%\.\*s|\}):($words)(:|\"|%)" || true)"

complain "workers/store/private headers are its own:" \
    "$(printf '%s\n' $sources | grep -v '^workers/store/' | xargs grep -n '#include "workers/store/\(batch\|unreadable\)\.h"' || true)"

complain "a struct has one meaning: its name stands once in common/, workers/ and tools/" \
    "$(git grep -hE '^struct [a-z_0-9]+ [{]' -- 'common/*' 'workers/*' 'tools/*' | sort | uniq -d |
       while read -r name; do git grep -nF "$name" -- 'common/*' 'workers/*' 'tools/*' | grep ':struct '; done)"

complain "the check of includes does not find what it should:" "$(tests/includes.py --test || true)"
complain "includes that look up, or go in a circle:" "$(tests/includes.py || true)"

complain "unfinished by their own words:" \
    "$(git grep -nE '\b(TODO|FIXME|XXX|HACK)\b' -- '*.c' '*.h' '*.lua' '*.py' '*.sh' Makefile ':!tests/rules.sh' || true)"

long=$(printf '%s\n' $sources | grep -v '^tests/' | xargs wc -l | awk '$2 != "total" && $1 > 800 {print $2 " (" $1 " lines)"}')
complain "files past 800 lines; look for a second idea in them:" "$long"

exit $bad
