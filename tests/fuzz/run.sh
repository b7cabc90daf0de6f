#!/usr/bin/env bash
# Builds the fuzz targets with clang and runs each, or one: tests/fuzz/run.sh [SECONDS [NAME]]
# Prints "fuzz NAME: passed, N executions" for each; exit status 1 when one found something.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
SECONDS_EACH=${1:-60}
BUILD=build/fuzz
CLANG=$(command -v clang++-14 || command -v clang++ || true)
if [ -z "$CLANG" ]; then
    echo "fuzz all: skipped, there is no clang++ (apt-get install clang-14 libclang-rt-14-dev)"
    exit 0
fi

mkdir -p "$BUILD"
GENERATED=build/release/generated # of the contracts
[ -d "$GENERATED" ] || {
    echo "fuzz all: failed, build the release first: the contracts' code is generated there"
    exit 1
}
# clang 14 cannot check the types of called functions where there are coroutines.
FLAGS=(-std=c++20 -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link
    -fno-sanitize-recover=undefined -fno-sanitize=function -D_GLIBCXX_ASSERTIONS -DBOOST_ASIO_SEPARATE_COMPILATION
    -DBOOST_ASIO_NO_DEPRECATED -DSPDLOG_COMPILED_LIB -DSPDLOG_FMT_EXTERNAL -DSPDLOG_SHARED_LIB
    -DFMT_SHARED -I. -Isrc -isystem "$GENERATED")
SOURCES=(tests/support/review_cases.cpp tests/support/review_oracle.cpp src/base/rng.cpp
    src/base/error.cpp src/base/assert.cpp src/runtime/json.cpp src/runtime/boost_impl.cpp
    src/runtime/config/values.cpp src/runtime/config/suggestion.cpp
    src/runtime/http/{connection,headers,problem}.cpp
    src/services/review/{beginnings,match_copy,normalizer,literal_automaton,live_prefix,pattern_rule}.cpp
    src/services/review/{hand_scanners,known_patterns,review_config,rule_set,copy_scan}.cpp
    src/services/review/{hold_back,reviewed_text}.cpp
    src/base/{clock,id}.cpp src/runtime/{async,deadline_timer,log,metrics,trace_context,wakeup}.cpp
    src/runtime/rpc/method.cpp src/runtime/rpc/wire/{http2_session,http2_stream,wire_call}.cpp
    src/runtime/rpc/wire/wire_format.cpp tests/contract/conformance_service.cpp
    "$GENERATED"/quire/{common/v1/common,options/v1/options,wire/v1/wire}.pb.cc
    "$GENERATED"/quire/conformance/v1/conformance{.pb.cc,_rpc.cpp,_fake.cpp})
for source in src/services/prompts/template/*.cpp; do
    [[ $source == *_test.cpp ]] || SOURCES+=("$source")
done
LIBRARIES=(-lnghttp2 -lprotobuf -lspdlog -lprometheus-cpp-core -lre2 -lhs -licuuc -lz -lfmt -lgtest -lssl -lcrypto -lpthread)

# An object is as old as the newest of what it may be made of.
is_stale() {
    [ ! -e "$2" ] || [ "$1" -nt "$2" ] ||
        [ -n "$(find src tests/support tests/contract -name '*.hpp' -newer "$2" -print -quit)" ]
}

objects=()
for source in "${SOURCES[@]}"; do
    object=$BUILD/${source//\//_}.o
    objects+=("$object")
    ! is_stale "$source" "$object" || "$CLANG" "${FLAGS[@]}" -c "$source" -o "$object"
done

status=0
for target in tests/fuzz/${2:-*}_fuzz.cpp; do
    name=$(basename "$target" _fuzz.cpp)
    "$CLANG" "${FLAGS[@]}" -fsanitize=fuzzer "$target" "${objects[@]}" "${LIBRARIES[@]}" \
        -o "$BUILD/${name}_fuzz"
    mkdir -p "$BUILD/corpus/$name"
    log=$BUILD/$name.log
    if "$BUILD/${name}_fuzz" -max_total_time="$SECONDS_EACH" -max_len=600 -timeout=10 \
        -artifact_prefix="$BUILD/$name-" "$BUILD/corpus/$name" "tests/fuzz/corpus/$name" \
        >"$log" 2>&1; then
        runs=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$log")
        echo "fuzz $name: passed, $runs executions"
    else
        tail -n 30 "$log"
        echo "fuzz $name: failed, see $log"
        status=1
    fi
done
exit $status
