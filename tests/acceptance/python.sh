#!/usr/bin/env bash
# The official Python SDK, from PyPI, against `quire up` with the model sim: the README's snippet
# as it stands there, then chat, streams and error classes. The virtual environment is kept in the
# cache, one for each state of requirements.txt.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
digest=$(sha256sum "$here/requirements.txt" | cut -c1-12)
environment=$ACCEPTANCE_CACHE/python-$digest

skip() {
    echo "SKIPPED: $*"
    exit 77
}

if [ ! -e "$environment/complete" ]; then
    echo "installing $(tr '\n' ' ' <"$here/requirements.txt")in $environment"
    rm -rf "$environment"
    python3 -m venv "$environment" || skip "python3 -m venv failed: apt-get install python3-venv"
    "$environment/bin/pip" install --quiet --requirement "$here/requirements.txt" ||
        skip "pip could not install requirements.txt"
    touch "$environment/complete"
fi
"$environment/bin/python" "$here/python_checks.py" --quire "$QUIRE"
