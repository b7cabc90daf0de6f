#!/usr/bin/env bash
# The Debian 12 packages that ./dev needs, in groups, and how they get here. Sourced by ./dev,
# which has say, die and join_with.

declare -A PACKAGES=(
    [build]="g++ cmake ninja-build ccache mold pkg-config git python3 ca-certificates
        libboost1.81-dev libssl-dev libprotobuf-dev protobuf-compiler libprotoc-dev libsqlite3-dev
        zlib1g-dev prometheus-cpp-dev libspdlog-dev libfmt-dev libyaml-cpp-dev libcli11-dev
        libre2-dev libhyperscan-dev libicu-dev libnghttp2-dev libjemalloc-dev"
    [test]="libgtest-dev libgmock-dev python3-pytest python3-jinja2 python3-yaml python3-jsonschema
        npm curl openssl
        libgrpc++-dev protobuf-compiler-grpc python3-grpcio python3-protobuf"
    [lint]="clang-format-14 git python3"
    [bench]="nginx-light wrk valgrind"
    [soak]="clang-14 libclang-rt-14-dev"
)

# Hyperscan is for amd64 only; Vectorscan is the same library for the others.
if [ "$(dpkg --print-architecture 2>/dev/null || echo amd64)" != amd64 ]; then
    PACKAGES[build]=${PACKAGES[build]/libhyperscan-dev/libvectorscan-dev}
fi

declare -A DEPS_REASON=(
    [build]="to compile Quire"
    [test]="to run its tests"
    [lint]="to check its style"
    [bench]="to measure it against nginx"
    [soak]="to fuzz it"
)

# Packages that are only a command: it may have come another way, and then Debian's would clash.
declare -A COMMAND_OF=(
    [cmake]=cmake [ninja-build]=ninja [ccache]=ccache [mold]=mold [pkg-config]=pkg-config [git]=git
    [npm]=npm [curl]=curl [openssl]=openssl [clang-format-14]=clang-format-14 [clang-14]=clang++-14
    [nginx-light]=nginx
    [wrk]=wrk [valgrind]=valgrind
)

# group_packages GROUP...: their packages, one a line.
group_packages() {
    local group
    for group in "$@"; do
        tr -s '[:space:]' '\n' <<<"${PACKAGES[$group]}"
    done | sort -u
}

# missing_packages NAME...: those that are not there, one a line. One call of dpkg-query.
missing_packages() {
    local installed package
    installed=$(dpkg-query --show --showformat='${db:Status-Abbrev}${Package}\n' "$@" 2>/dev/null) ||
        true # it fails when it does not know one of them
    for package in "$@"; do
        [[ $'\n'$installed$'\n' != *$'\nii '"$package"$'\n'* ]] || continue
        command -v "${COMMAND_OF[$package]:-/nowhere}" >/dev/null || printf '%s\n' "$package"
    done
}

# ensure_deps GROUP...: installs what is missing; says what and why before it does.
ensure_deps() {
    local group packages=() missing=() reasons=() start=$SECONDS
    command -v dpkg-query >/dev/null || {
        name_packages "$@"
        return
    }
    mapfile -t packages < <(group_packages "$@")
    mapfile -t missing < <(missing_packages "${packages[@]}")
    [ ${#missing[@]} -gt 0 ] || return 0
    for group in "$@"; do reasons+=("${DEPS_REASON[$group]}"); done
    say "Debian packages are missing $(join_with ', ' "${reasons[@]}"):"
    say "  ${missing[*]}"
    say "installing them with apt-get; the first time this may take a few minutes"
    install_packages "${missing[@]}"
    mkdir -p build
    touch build/deps-changed # CMake looks again for what it had not found
    say "installed in $((SECONDS - start)) s"
}

install_packages() {
    local log
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
        die "you are not root and there is no sudo; as root, run: $(by_hand "$@")"
    log=$(mktemp)
    if ! { as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "$@"; } >"$log" 2>&1 </dev/null; then
        grep -E '^(E|W|Err)' "$log" >&2 || tail -n 15 "$log" >&2
        rm -f "$log"
        explain_failure "$@"
    fi
    rm -f "$log"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

by_hand() {
    local sudo=
    [ "$(id -u)" = 0 ] || ! command -v sudo >/dev/null || sudo="sudo "
    printf '%s' "${sudo}apt-get update && ${sudo}apt-get install -y --no-install-recommends $*"
}

# Names each package that apt cannot install, and what to run by hand.
explain_failure() {
    local package missing=() unknown=()
    mapfile -t missing < <(missing_packages "$@")
    for package in "${missing[@]}"; do
        apt-get install --simulate -qq --no-install-recommends "$package" >/dev/null 2>&1 ||
            unknown+=("$package")
    done
    if [ ${#unknown[@]} -gt 0 ]; then
        say "apt knows no way to install: ${unknown[*]} (Quire is made for Debian 12)"
    else
        say "apt-get failed; still missing: ${missing[*]}"
    fi
    die "by hand: $(by_hand "${missing[@]}")"
}

# Elsewhere than on Debian the packages are only named; the build says what it does not find.
name_packages() {
    local packages=()
    [ -z "${QUIRE_DEPS_NAMED:-}" ] || return 0
    export QUIRE_DEPS_NAMED=1
    mapfile -t packages < <(group_packages "$@")
    say "this is not Debian, so nothing is installed; needed are the counterparts of Debian 12's"
    say "  ${packages[*]}"
}
