#!/usr/bin/env bash
# Runs the script tests, and those of common/redis, on the servers that we say we work with, beside the one that is installed:
# Redis and Valkey of Debian 13, from its packages; and asks a Redis 6.0 of Debian 11, which has no functions, to be refused by its
# version. Nothing is installed: the packages are unpacked below build/servers, once. Root; a minute, and the download.
# `make scripts-servers` calls it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

work=$PWD/build/servers
mkdir -p "$work"

say() { printf 'servers: %s\n' "$*"; }
die() { printf 'servers: %s\n' "$*" >&2; exit 1; }

unpack() { # release package...
    local release=$1
    shift
    [ -e "$work/$release/unpacked" ] && return
    say "unpacking ${*} of Debian's $release"
    rm -rf "${work:?}/$release"
    mmdebstrap --quiet --variant=extract --aptopt='Acquire::Languages "none"' --include="$(IFS=,; echo "$*")" "$release" \
        "$work/$release" || die "mmdebstrap could not unpack $* of $release"
    touch "$work/$release/unpacked"
}

# A folder whose redis-server is that one, with its own libraries. A program that is a symbolic link looks at its name.
server() { # name release program
    local tree=$work/$2 folder=$work/bin/$1 loader libraries
    loader=$(find "$tree/usr/lib" "$tree/lib" -name 'ld-linux*.so.*' 2>/dev/null | head -n 1)
    libraries=$(find "$tree/usr/lib" "$tree/lib" -mindepth 1 -maxdepth 1 -type d -name '*-linux-gnu' 2>/dev/null | paste -sd:)
    mkdir -p "$folder"
    printf '#!/bin/sh\nexec %s --library-path %s %s "$@"\n' "$loader" "$libraries" "$tree/usr/bin/$3" > "$folder/redis-server"
    chmod +x "$folder/redis-server"
    echo "$folder"
}

run_tests() { # folder
    local version test
    version=$("$1/redis-server" --version | sed 's/ sha=.*//')
    say "$version"
    PATH=$1:$PATH build/venv/bin/pytest -q tests/scripts || die "$version: the script tests failed"
    for test in build/bin/unit/test_redis build/bin/unit/test_redis_replicas build/bin/unit/test_redis_cluster build/bin/unit/test_record; do
        PATH=$1:$PATH $test > "$work/unit.log" 2>&1 || { tail -n 40 "$work/unit.log"; die "$version: $test failed"; }
    done
}

refuse() { # folder
    local dir said="" pid
    dir=$(mktemp -d)
    "$1/redis-server" --port 0 --unixsocket "$dir/redis" --save "" --dir "$dir" > "$dir/log" &
    pid=$!
    for _ in $(seq 100); do [ -S "$dir/redis" ] && break; sleep 0.1; done
    said=$(env -i PATH="$PATH" IVR_REDIS_URL="unix://$dir/redis" bin/ivrctl call tenant/call 2>&1) && die "ivrctl is content with $1"
    kill $pid
    rm -rf "$dir"
    [[ $said == *"Redis 7.0 or later, or Valkey, is needed: this is 6.0"* ]] || die "Redis 6.0 is not refused by its version: $said"
    say "refused as it should be: $said"
}

unpack trixie redis-server valkey-server
run_tests "$(server redis-8 trixie redis-server)"
run_tests "$(server valkey trixie valkey-server)"
unpack bullseye redis-server
refuse "$(server redis-6 bullseye redis-server)"
