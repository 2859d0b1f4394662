#!/usr/bin/env bash
# Runs targets of the Makefile one after the other, each to its end whatever became of those before it, and says last
# what each came to and how long it took: tests/all.sh [VARIABLE=value] TARGET... ; exit 1 when one failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

variables=()
lines=()
failed=0

part() { # target
    local begun=$SECONDS result=passed
    printf '\n==> %s\n' "$1"
    "${MAKE:-make}" --no-print-directory -j"$(nproc)" "${variables[@]}" "$1" || { result=FAILED failed=$((failed + 1)); }
    lines+=("$(printf '  %-14s %-7s %5d s' "$1" "$result" $((SECONDS - begun)))")
}

for argument in "$@"; do
    case $argument in
    *=*) variables+=("$argument") ;;
    *) part "$argument" ;;
    esac
done

printf '\n'
printf '%s\n' "${lines[@]}"
if [ $failed -gt 0 ]; then
    printf '%d of %d parts FAILED, %d s\n' $failed ${#lines[@]} $SECONDS
    exit 1
fi
printf 'all %d parts passed, %d s\n' ${#lines[@]} $SECONDS
