#!/usr/bin/env bash
# Runs fuzz targets, as many at a time as there are processors: tests/fuzz/run.sh PROGRAMS-DIRECTORY SECONDS [TARGET...]
#
# Starts from the seeds (seeds.py), the committed inputs (tests/fuzz/corpus/TARGET) and what earlier runs found worth
# keeping (build/fuzz/corpus/TARGET). One line a target; a finding is kept, named, and how to run it again is printed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

programs=$1 seconds=$2
shift 2
work=build/fuzz
mkdir -p $work/logs
python3 tests/fuzz/seeds.py $work/seeds || exit 1

fuzz() { # target
    local target=$1 log=$work/logs/$1.log found=$work/findings/$1
    local dirs=($work/corpus/"$target")
    mkdir -p "${dirs[0]}" "$found"
    for dir in $work/seeds/"$target" tests/fuzz/corpus/"$target"; do
        [ -d "$dir" ] && dirs+=("$dir")
    done
    if "$programs/$target" -max_total_time="$seconds" -max_len=16384 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$found/" "${dirs[@]}" >"$log" 2>&1; then
        printf '%-26s %4s s  %12s inputs  no finding\n' "$target" "$seconds" \
            "$(awk '/stat::number_of_executed_units/ {print $2}' "$log")"
        return 0
    fi
    printf '%-26s FOUND something: %s\n' "$target" "$(grep -m1 -E 'ERROR|Assertion|runtime error' "$log" || tail -n 1 "$log")"
    printf '    again: %s %s\n' "$programs/$target" "$(ls -t "$found"/* 2>/dev/null | head -n 1)"
    return 1
}

if [ $# -eq 0 ]; then
    mapfile -t targets < <(cd "$programs" && ls)
    set -- "${targets[@]}"
fi

failed=0
for target in "$@"; do
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do
        wait -n || failed=1
    done
    fuzz "$target" &
done
while [ "$(jobs -p | wc -l)" -gt 0 ]; do
    wait -n || failed=1
    jobs >/dev/null
done
exit $failed
