#!/usr/bin/env bash
# Builds deploy/Dockerfile for real and runs what comes out. No registry is needed: the base image is made here, of Debian 13's
# packages, without documents, as Debian's own slim image is. Root; some minutes. `make image-test` calls it.
#
#   KEEP=1   leaves the image in build/image/store
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

MOST_MB=150
work=$PWD/build/image
store=$work/store
base=localhost/debian:13-slim
image=localhost/ivr-workers:test
mkdir -p "$work"
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot BUILDAH_FORMAT=oci
bud() { buildah --root "$store" --runroot "$work/run" "$@"; }

say() { printf 'image: %s\n' "$*"; }
die() { printf 'image: %s\n' "$*" >&2; exit 1; }

clean() {
    [ -n "${container:-}" ] && bud umount "$container" >/dev/null 2>&1
    [ -n "${KEEP:-}" ] || { bud rm --all >/dev/null 2>&1; bud rmi --all --force >/dev/null 2>&1; rm -rf "$store" "$work/run"; }
    return 0
}
trap clean EXIT

# What minbase has, less what a slim image leaves out. Made once a day at most.
make_base() {
    [ -n "$(find "$work/base.tar" -mtime -1 2>/dev/null)" ] && return
    say "making the base of Debian 13's packages"
    mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Languages "none"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/lintian/*' \
        trixie "$work/base.tar.new" || die "mmdebstrap could not make the base"
    mv "$work/base.tar.new" "$work/base.tar"
}

import_base() {
    local from
    from=$(bud from scratch)
    bud add -q "$from" "$work/base.tar" / >/dev/null
    bud config --cmd bash "$from"
    bud commit -q --rm "$from" "$base" >/dev/null
}

# A program in the image as its pods run it: as its user, to whom nothing in it belongs, on a root that cannot be written.
in_image() {
    "${as_its_user[@]}" "$@"
}

check_nothing_can_be_written() {
    ! in_image sh -c 'touch /tmp/x || touch /var/tmp/x || touch /x || touch /dev/shm/x' 2>/dev/null ||
        die "this test's root can be written: it shows nothing"
}

check_programs() {
    local program
    for program in ivr-dispatch ivr-status ivr-report ivr-gateway ivrctl ivr-simulator; do
        in_image "$program" --version >/dev/null || die "$program does not run in the image"
        in_image "$program" --help > "$work/words" && grep -q "$program" "$work/words" || die "$program --help says nothing of itself"
    done
    in_image ivr-status --check > "$work/words" && grep -q 'configuration ok' "$work/words" || die "ivr-status --check is not content with its defaults"
    ! in_image ivr-dispatch --check 2>"$work/words" || die "ivr-dispatch --check is content without a channels file"
    grep -q channels.json "$work/words" || die "ivr-dispatch --check does not name the file that it misses"
    # TLS to Redis, which this Debian's hiredis has, and calling hours, for which zones are needed.
    in_image IVR_REDIS_URL=rediss://redis:6379/0 ivr-status --check >/dev/null || die "rediss:// is refused in the image"
    [ -s "$root/etc/ssl/certs/ca-certificates.crt" ] || die "the image trusts no certificate"
}

requests() { # how many
    seq "$1" | sed 's/.*/{"call_id": "c&", "tenant": "acme", "campaign": "first", "to": "+254722000111", "message": {"say": "Hello."}}/'
}

# With calling hours in a zone as browsers name it, whether or not tzdata still has a file for the name.
check_zones() {
    local zone
    for zone in Africa/Nairobi Asia/Kolkata Asia/Calcutta Europe/Kiev US/Eastern America/Buenos_Aires EST5EDT; do
        requests 1 | sed "s|}}\$|}, \"calling_hours\": {\"timezone\": \"$zone\", \"from\": \"08:00\", \"to\": \"20:00\"}}|" |
            says "1 lines: 1 fit, nothing was sent" ivrctl request - --dry-run
    done
}

says() { # what it must say, then a command in the image that reads its standard input
    local wanted=$1 said
    shift
    said=$(in_image "$@" 2>&1) && [ "$said" = "$wanted" ] || die "$* says \"$said\", not \"$wanted\""
}

# The documented first call, checked and sent; and a file that is longer than what may stay in memory.
check_requests() {
    local address
    "${CC:-cc}" -o "$work/broker" tests/deploy/broker.c $(pkg-config --cflags --libs rdkafka)
    coproc broker { exec "$work/broker"; }
    read -r address <&"${broker[0]}" || die "the broker does not start"
    requests 3 | says "3 lines: 3 fit, nothing was sent" ivrctl request - --dry-run
    requests 3 | says "3 lines: 3 sent" IVR_KAFKA_BOOTSTRAP_SERVERS="$address" ivrctl request -
    requests 300000 > "$root/srv/requests.ndjson"
    says "300000 lines: 300000 fit, nothing was sent" ivrctl request /srv/requests.ndjson --dry-run
    says "300000 lines: 300000 sent" IVR_KAFKA_BOOTSTRAP_SERVERS="$address" ivrctl request /srv/requests.ndjson
    rm "$root/srv/requests.ndjson"
    eval "exec ${broker[1]}>&-"
    wait "$broker_PID"
}

# A worker that waits for Kafka and Redis is alive, says what it misses, and goes when it is told to.
check_running() {
    local pid port code=0
    "${as_its_user[@]}" IVR_ADMIN_LISTEN=127.0.0.1:0 IVR_KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:1 IVR_REDIS_URL=redis://127.0.0.1:1/0 \
        ivr-report 2>"$work/report.log" &
    pid=$!
    for _ in $(seq 100); do
        port=$(sed -n 's/.*"admin_listen":"127.0.0.1:\([0-9]*\)".*/\1/p' "$work/report.log")
        [ -n "$port" ] && break
        sleep 0.1
    done
    [ -n "$port" ] || die "ivr-report did not open its admin listener: $(cat "$work/report.log")"
    python3 - "$port" <<'PYTHON' || die "ivr-report does not say in /readyz what it misses"
import sys, urllib.error, urllib.request
url = f"http://127.0.0.1:{sys.argv[1]}"
assert urllib.request.urlopen(url + "/healthz").status == 200
try:
    urllib.request.urlopen(url + "/readyz")
    sys.exit("ready without Redis")
except urllib.error.HTTPError as refusal:
    assert refusal.code == 503 and b"redis" in refusal.read()
PYTHON
    kill -TERM $pid
    wait $pid || code=$?
    [ $code -eq 0 ] || die "ivr-report ended with $code on SIGTERM"
}

check_contents() {
    local owned
    bud inspect --type image "$image" > "$work/inspect.json"
    python3 - "$work/inspect.json" <<'PYTHON' || die "the image's configuration is not as it should be"
import json, sys
config = json.load(open(sys.argv[1]))["OCIv1"]["config"]
assert config["User"] == "10001:10001", config["User"]
for label in ("title", "description", "version", "revision", "licenses"):
    assert config["Labels"]["org.opencontainers.image." + label], label
PYTHON
    owned=$(find "$root" -xdev -uid 10001 | head -5)
    [ -z "$owned" ] || die "the image's user owns files: $owned"
    [ -z "$(find "$root/usr/bin" -name 'gcc*' -o -name make -o -name 'python3*')" ] || die "build tools are left in the image"
    python3 -c 'import json, sys; names = {c["name"] for c in json.load(open(sys.argv[1]))["components"]}
assert {"ivr-dispatch", "librdkafka1", "libhiredis1.1.0"} <= names, names' \
        "$root/usr/local/share/doc/ivr-workers/sbom.cdx.json" || die "the image has no bill of materials"
}

make_base
import_base
say "building deploy/Dockerfile"
bud bud -q --isolation chroot --build-arg "DEBIAN=$base" --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
    -f deploy/Dockerfile -t "$image" . > "$work/build.log" 2>&1 || { tail -30 "$work/build.log" >&2; die "the build failed"; }
container=$(bud from "$image")
root=$(bud mount "$container")
as_its_user=(unshare --mount sh -c 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec chroot --userspec=10001:10001 "$0" "$@"'
    "$root" /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin)
check_nothing_can_be_written
check_programs
check_requests
check_zones
check_running
check_contents
megabytes=$(( ($(du -s --block-size=1 --apparent-size "$root" | cut -f1) + 999999) / 1000000 ))
say "$megabytes MB unpacked, of which the programs are $(du -ch --block-size=1M "$root"/usr/local/bin/* | tail -1 | cut -f1) MB"
[ $megabytes -lt $MOST_MB ] || die "the image has $megabytes MB, $MOST_MB are the limit"
say "1 passed, 0 failed"
