#!/usr/bin/env bash
# Installs what is missing, and nothing else: checks first, so a second run takes no time and needs no network.
#
#   tests/deps.sh build    what building and `make demo` need
#   tests/deps.sh test     additionally what `make test`, `make lint` and `make bench` need
#   tests/deps.sh deploy   what `make deploy-test` needs besides: kubeconform, kustomize, promtool, schemas
#   tests/deps.sh image    what `make image-test` needs: mmdebstrap, buildah
#   tests/deps.sh servers  what `make scripts-servers` needs: mmdebstrap
#
# Debian 12 and 13 through apt; elsewhere the missing parts are named. Kafka's jars and the Python packages live
# under build/ and are fetched again only when tests/kafka/pom.xml or tests/requirements.txt change; so is toxiproxy,
# which Go builds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

root=$PWD
missing=()  # Debian packages

say() { printf 'deps: %s\n' "$*"; }
die() { printf 'deps: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        command -v sudo >/dev/null || die "not root and no sudo: run as root: $*"
        sudo "$@"
    fi
}

need_program() { # program, package
    command -v "$1" >/dev/null || missing+=("$2")
}

need_library() { # pkg-config name, package
    pkg-config --exists "$1" 2>/dev/null || missing+=("$2")
}

# msgpack-c changed its name between Debian 12 and 13, for pkg-config and for apt.
need_msgpack() {
    pkg-config --exists msgpack-c 2>/dev/null && return
    pkg-config --exists msgpack 2>/dev/null && return
    missing+=(msgpack)
}

# Only once the package lists are there can apt be asked which of the two names it knows.
settle_msgpack() {
    local i name=libmsgpack-dev
    apt-cache show libmsgpack-c-dev >/dev/null 2>&1 && name=libmsgpack-c-dev
    for i in "${!missing[@]}"; do
        [ "${missing[$i]}" != msgpack ] || missing[$i]=$name
    done
}

# clang's runtime with libFuzzer is a package of its own, named after clang's major version.
need_fuzzer() {
    need_program clang clang
    echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' |
        clang -fsanitize=fuzzer -x c - -o /dev/null 2>/dev/null || missing+=(fuzzer)
}

# Only once clang's version is known.
settle_fuzzer() {
    local i version
    version=$(apt-cache depends clang | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p')
    for i in "${!missing[@]}"; do
        [ "${missing[$i]}" != fuzzer ] || missing[$i]=libclang-rt-$version-dev
    done
}

need_for_build() {
    need_program gcc gcc
    [ -e /usr/include/stdio.h ] || missing+=(libc6-dev)
    need_program make make
    need_program pkg-config pkg-config
    need_program redis-server redis-server
    need_program redis-cli redis-tools
    need_library rdkafka librdkafka-dev
    need_library hiredis libhiredis-dev
    need_library jansson libjansson-dev
    need_library libcurl libcurl4-openssl-dev
    need_library libuv libuv1-dev
    need_library openssl libssl-dev
    need_library jemalloc libjemalloc-dev
    need_library glib-2.0 libglib2.0-dev
    [ -e "${TZDIR:-/usr/share/zoneinfo}/Africa/Nairobi" ] || missing+=(tzdata) # calling hours
    need_msgpack
}

need_for_test() {
    need_library cmocka libcmocka-dev
    [ -x /usr/sbin/nghttpd ] || need_program nghttpd nghttp2-server # sbin is not on everybody's path
    need_program clang-format clang-format
    need_fuzzer
    need_program clang-tidy clang-tidy
    need_program luacheck lua-check
    need_program lua5.1 lua5.1
    need_program java default-jre-headless
    need_program mvn maven
    need_program python3 python3
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    need_program wrk wrk
    need_program valgrind valgrind
    [ -x build/toxiproxy/server ] || need_program go golang-go
}

# Debian starts a daemon that it installs. We want the redis-server binary, not a Redis on port 6379: forbid the
# start while apt runs (an administrator's own policy stays), and do not let the next boot start it either.
install_packages() {
    local policy=/usr/sbin/policy-rc.d ours=0 status=0
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
        as_root chmod 755 $policy
        ours=1
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" </dev/null || status=$?
    [ $ours -eq 0 ] || as_root rm -f $policy
    [ $status -eq 0 ] || die "apt-get could not install: $*"
    if [[ " $* " == *" redis-server "* ]] && command -v systemctl >/dev/null; then
        as_root systemctl disable --now redis-server >/dev/null 2>&1 || true
    fi
}

install_missing() {
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || die "no apt here; please install what Debian calls: ${missing[*]}"
    say "installing ${missing[*]}"
    as_root apt-get update -q </dev/null || die "apt-get update failed"
    settle_msgpack
    settle_fuzzer
    install_packages "${missing[@]}"
}

# Kafka's jars are complete only once the stamp is written: a download that was cut off starts over.
fetch_kafka() {
    local dir=build/kafka
    cmp -s tests/kafka/pom.xml $dir/stamp && return
    say "fetching Kafka's jars"
    rm -rf $dir
    mkdir -p $dir
    mvn -q -B -f tests/kafka/pom.xml dependency:copy-dependencies -DincludeScope=runtime \
        -DoutputDirectory="$root/$dir/libs" </dev/null || die "maven could not fetch Kafka (tests/kafka/pom.xml)"
    cp tests/kafka/pom.xml $dir/stamp
}

# The last version that Debian 12's Go can build. Its command is called "server", which is why it has a directory.
fetch_toxiproxy() {
    local dir=$root/build/toxiproxy version=v2.5.0
    [ "$(cat "$dir/stamp" 2>/dev/null)" = $version ] && return
    say "building toxiproxy"
    mkdir -p "$dir"
    GOBIN=$dir go install github.com/Shopify/toxiproxy/v2/cmd/server@$version </dev/null || die "go could not install toxiproxy"
    echo $version > "$dir/stamp"
}

# The last versions that Debian 12's Go can build.
fetch_kubernetes_tools() {
    local dir=$root/build/deploy kubeconform=v0.6.3 kustomize=v5.0.3
    [ "$(cat "$dir/tools" 2>/dev/null)" = "$kubeconform $kustomize" ] && return
    command -v go >/dev/null || { missing=(golang-go); install_missing; }
    say "building kubeconform and kustomize"
    mkdir -p "$dir"
    GOBIN=$dir go install github.com/yannh/kubeconform/cmd/kubeconform@$kubeconform </dev/null || die "go could not install kubeconform"
    GOBIN=$dir go install sigs.k8s.io/kustomize/kustomize/v5@$kustomize </dev/null || die "go could not install kustomize"
    echo "$kubeconform $kustomize" > "$dir/tools"
}

# Debian's package would start a Prometheus; we want a file of it.
fetch_promtool() {
    local dir=$root/build/deploy
    [ -x "$dir/promtool" ] && return
    command -v apt-get >/dev/null || die "no apt here; please put promtool into build/deploy"
    say "fetching promtool"
    mkdir -p "$dir/prometheus"
    apt-cache show prometheus >/dev/null 2>&1 || as_root apt-get update -q </dev/null
    (cd "$dir/prometheus" && apt-get download -q prometheus </dev/null && dpkg-deb -x prometheus_*.deb .) >/dev/null ||
        die "apt could not fetch the package prometheus"
    cp "$dir/prometheus/usr/bin/promtool" "$dir/promtool"
    rm -rf "$dir/prometheus"
}

# Kubernetes' own schemas come packed in a Python package; the validator of bills of materials is one.
fetch_validators() {
    local dir=$root/build/deploy kubernetes=1.37.0
    [ "$(cat "$dir/validators" 2>/dev/null)" = "$kubernetes $(cksum <tests/deploy/requirements.txt)" ] && return
    say "fetching Kubernetes' schemas and a validator of bills of materials"
    rm -rf "$dir/schemas" "$dir/python" "$dir/wheel"
    mkdir -p "$dir"
    local pip=(build/venv/bin/python -m pip -q --disable-pip-version-check)
    "${pip[@]}" download --no-deps -d "$dir/wheel" kubernetes-validate==$kubernetes </dev/null || die "pip could not fetch kubernetes-validate"
    build/venv/bin/python tests/deploy/schemas.py "$dir"/wheel/*.whl "$dir/schemas"
    rm -rf "$dir/wheel"
    "${pip[@]}" install --target "$dir/python" -r tests/deploy/requirements.txt </dev/null ||
        die "pip could not install tests/deploy/requirements.txt"
    echo "$kubernetes $(cksum <tests/deploy/requirements.txt)" > "$dir/validators"
}

make_venv() {
    local dir=build/venv
    # A checkout that moved has a venv whose scripts point nowhere: ask Python, not the file's presence.
    cmp -s tests/requirements.txt $dir/stamp && $dir/bin/python -c 'import pytest' 2>/dev/null && return
    say "making the Python environment"
    rm -rf $dir
    python3 -m venv $dir
    $dir/bin/python -m pip install -q --disable-pip-version-check -r tests/requirements.txt </dev/null ||
        die "pip could not install tests/requirements.txt"
    cp tests/requirements.txt $dir/stamp
}

main() {
    case "${1:-}" in
    build)
        need_for_build
        install_missing
        ;;
    test)
        need_for_build
        need_for_test
        install_missing
        fetch_kafka
        fetch_toxiproxy
        make_venv
        ;;
    deploy)
        make_venv
        fetch_kubernetes_tools
        fetch_promtool
        fetch_validators
        ;;
    image)
        need_program mmdebstrap mmdebstrap
        need_program buildah buildah
        install_missing
        ;;
    servers)
        need_program mmdebstrap mmdebstrap
        install_missing
        ;;
    *)
        printf 'usage: tests/deps.sh build|test|deploy|image|servers\n' >&2
        exit 2
        ;;
    esac
    say "$1: everything is there"
}

main "$@"
