#!/usr/bin/env bash
# Quire in front of a real llama-server, out of Debian unstable, with a tiny random model.
# Debian 12 has no llama-server, so a minimal Debian unstable is laid out in the cache once (about
# 300 MB, half a minute) and the server runs in a chroot of it: that takes root, or sudo.
# It listens on its usual port 8080 when that is free, so that `--use llama` finds it.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
readonly system=$ACCEPTANCE_CACHE/sid usual_port=8080 start_seconds_max=60
work=$(mktemp -d)
server_pid=
sudo=()

skip() {
    echo "SKIPPED: $*"
    exit 77
}

clean_up() {
    if [ -n "$server_pid" ]; then
        "${sudo[@]}" kill "$server_pid" 2>/dev/null || true
        wait "$server_pid" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap clean_up EXIT

get_root() {
    [ "$(id -u)" -eq 0 ] && return
    sudo -n true 2>/dev/null || skip "debootstrap and chroot need root, or sudo without a password"
    sudo=(sudo -n)
}

get_system() {
    [ -d "$system" ] && return
    if ! command -v debootstrap >/dev/null; then
        echo "installing debootstrap with apt-get"
        "${sudo[@]}" apt-get install -y -qq debootstrap >"$work/apt.log" 2>&1 ||
            skip "apt-get could not install debootstrap: $(tail -n 1 "$work/apt.log")"
    fi
    echo "laying out Debian unstable with llama.cpp in $system"
    "${sudo[@]}" rm -rf --one-file-system "$system.partial"
    "${sudo[@]}" debootstrap --variant=minbase --include=llama.cpp sid "$system.partial" \
        >"$work/debootstrap.log" 2>&1 ||
        skip "debootstrap of Debian unstable failed: $(tail -n 1 "$work/debootstrap.log")"
    "${sudo[@]}" mv "$system.partial" "$system"
}

port_is_free() {
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

free_port() {
    python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])'
}

start_server() {
    port=$usual_port
    port_is_free "$port" || port=$(free_port)
    "$root/tools/tiny_gguf.py" "$work/tiny.gguf"
    "${sudo[@]}" cp "$work/tiny.gguf" "$system/tiny.gguf"
    "${sudo[@]}" chroot "$system" llama-server --offline --threads 1 --model /tiny.gguf \
        --alias tiny-random --host 127.0.0.1 --port "$port" >"$work/llama-server.log" 2>&1 &
    server_pid=$!
    local deadline=$((SECONDS + start_seconds_max))
    until curl -sf "http://127.0.0.1:$port/health" >/dev/null; do
        if ! kill -0 "$server_pid" 2>/dev/null || [ $SECONDS -ge $deadline ]; then
            tail -n 20 "$work/llama-server.log"
            echo "llama-server did not become healthy"
            exit 1
        fi
        sleep 0.1
    done
    echo "llama-server $("${sudo[@]}" chroot "$system" llama-server --version 2>&1 | head -n 1)," \
        "port $port"
}

get_root
get_system
start_server
python3 "$here/llama_checks.py" --quire "$QUIRE" --llama "http://127.0.0.1:$port"
if [ "$port" -ne $usual_port ]; then
    echo "SKIPPED: \`--use llama\`, since port $usual_port is taken by something else"
    exit 0
fi
python3 "$here/llama_checks.py" --quire "$QUIRE" --llama "http://127.0.0.1:$port" --use
