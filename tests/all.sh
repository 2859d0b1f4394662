#!/usr/bin/env bash
# Runs targets of the Makefile one after the other, each to its end whatever became of those before it, and says last
# what each came to and how long it took: tests/all.sh [VARIABLE=value] TARGET... ; exit 1 when one failed.
#
#   BUSY=2         with so many processes beside them that only compute: waits that are too tight on a busy machine show
#   DAYS_AHEAD=366 with the clock of every process so many days ahead: dates in tests and examples that age show
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

variables=()
lines=()
failed=0
busy=()
surroundings=()

# They end with us, whatever ends us.
start_busy() { # how many
    local i
    for ((i = 0; i < $1; i++)); do
        setpriv --pdeathsig KILL bash -c 'while :; do :; done' &
        busy+=($!)
    done
    printf 'beside the tests %d processes compute\n' "$1"
}

stop_busy() {
    [ ${#busy[@]} -eq 0 ] || kill "${busy[@]}" 2>/dev/null
    wait "${busy[@]}" 2>/dev/null
    busy=()
}

# The harness' own library (faketime does not get on with jemalloc); nobody touches the machine's clock.
shift_clock() { # days
    local library=$PWD/build/clock.so
    mkdir -p build
    "${CC:-cc}" -shared -fPIC -O1 -o "$library" tests/integration/harness/clock.c || exit 1
    surroundings=(env LD_PRELOAD="$library" CLOCK_OFFSET_S=$(($1 * 86400)))
    printf 'the tests live in %s\n' "$("${surroundings[@]}" date --utc +%Y-%m-%dT%H:%M:%SZ)"
}

part() { # target
    local begun=$SECONDS result=passed
    printf '\n==> %s\n' "$1"
    "${surroundings[@]}" "${MAKE:-make}" --no-print-directory -j"$(nproc)" "${variables[@]}" "$1" ||
        { result=FAILED failed=$((failed + 1)); }
    lines+=("$(printf '  %-14s %-7s %5d s' "$1" "$result" $((SECONDS - begun)))")
}

trap stop_busy EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
[ -z "${DAYS_AHEAD:-}" ] || shift_clock "$DAYS_AHEAD"
[ -z "${BUSY:-}" ] || start_busy "$BUSY"

for argument in "$@"; do
    case $argument in
    *=*) variables+=("$argument") ;;
    *) part "$argument" ;;
    esac
done
stop_busy

printf '\n'
printf '%s\n' "${lines[@]}"
if [ $failed -gt 0 ]; then
    printf '%d of %d parts FAILED, %d s\n' $failed ${#lines[@]} $SECONDS
    exit 1
fi
printf 'all %d parts passed, %d s\n' ${#lines[@]} $SECONDS
