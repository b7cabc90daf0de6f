#!/usr/bin/env bash
# Runs what needs more than Debian 12 and npm. A part that cannot run here is skipped, and said so;
# only a part that ran and failed makes this fail.
#
#   ./dev acceptance [PART...]     parts: llama python (default: all)
#
# Each part is NAME.sh beside this file: exit 0 passed, 77 skipped (it says why), else failed.
# QUIRE names the program to try (build/release/quire). What is fetched stays in
# ${XDG_CACHE_HOME:-~/.cache}/quire/acceptance; delete that folder to get newer versions.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export QUIRE=${QUIRE:-$(cd "$here/../.." && pwd)/build/release/quire}
export ACCEPTANCE_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/quire/acceptance
export PATH=$PATH:/usr/sbin:/sbin
readonly all_parts=(llama python)
readonly skipped_status=77

passed=0 failed=0 skipped=0 summary=()

run_part() {
    local part=$1 started=$SECONDS status=0
    printf '\n== %s\n' "$part"
    "$here/$part.sh" || status=$?
    local took="$((SECONDS - started)) s"
    case $status in
        0) passed=$((passed + 1)); summary+=("passed   $part ($took)") ;;
        "$skipped_status") skipped=$((skipped + 1)); summary+=("SKIPPED  $part: see above why") ;;
        *) failed=$((failed + 1)); summary+=("FAILED   $part ($took, exit $status)") ;;
    esac
}

parts=("$@")
if [ $# -eq 0 ]; then parts=("${all_parts[@]}"); fi
for part in "${parts[@]}"; do
    if [[ " ${all_parts[*]} " != *" $part "* ]]; then
        echo "acceptance: no part '$part'; there are: ${all_parts[*]}" >&2
        exit 2
    fi
done
if [ ! -x "$QUIRE" ]; then
    echo "acceptance: there is no program at $QUIRE: run ./dev build first" >&2
    exit 1
fi
mkdir -p "$ACCEPTANCE_CACHE"
for part in "${parts[@]}"; do run_part "$part"; done

printf '\n== acceptance\n'
printf '%s\n' "${summary[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
