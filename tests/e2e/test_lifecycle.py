"""How `quire up` starts, what it refuses to start with, and how it stops."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_keys import is_well_formed
from chat import PATH, PROVIDER_KEY, ask, assert_error, body, local_provider, model, open_chat
from quire_process import (
    Process,
    Up,
    binary,
    clean_environment,
    full_disk,
    run_quire,
    up_command,
)
from raw_http import Closed, call, connect
from scripted_upstream import ScriptedUpstream, now_ms
from waiting import wait_until

TALKING = {"do": "text", "chunks": {"text": "word ", "times": 100}, "itl_ms": 10}
STALLED = {"do": "text", "stop_after_events": 3, "ending": "stall"}


def up_fails(tmp_path: Path, config: Any = None, env: dict[str, str] | None = None,
             arguments: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """A `quire up` that is expected to end by itself; stdout must hold nothing then."""
    command = up_command(tmp_path / "data", tmp_path, config, arguments)
    done = run_quire(*command, home=tmp_path, env=env)
    assert done.stdout == "", done
    assert done.returncode in (1, 2) and done.stderr, done
    return done


def with_upstream(upstream: ScriptedUpstream, **more: Any) -> dict[str, Any]:
    return {"providers": {"local": local_provider(upstream)},
            "models": {"writer": model("tiny")}, **more}


def test_the_first_run_prints_a_key_and_the_second_does_not(tmp_path: Path) -> None:
    with Up(data=tmp_path / "data") as first:
        ready = first.ready
        assert set(ready) == {"event", "url", "admin_url", "data", "version", "api_key"}
        assert Path(ready["data"]) == tmp_path / "data"
        assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d*", ready["url"])
        assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d*", ready["admin_url"])
        key = first.api_key
        assert key is not None and is_well_formed(key)
        assert ask(first, model="sim").status == 200
    with Up(data=tmp_path / "data") as second:
        assert second.api_key is None and "api_key" not in second.ready
        assert ask(second, key, model="sim").status == 200


def test_other_files_in_the_folder_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "notes.txt").write_text("mine")
    with Up(data=tmp_path / "data") as up:
        assert up.api_key is not None
    assert (tmp_path / "data" / "notes.txt").read_text() == "mine"


def test_the_first_key_has_every_scope() -> None:
    with Up() as up:
        [key] = up.call("GET", "/api/v1/keys", up.api_key).json()["data"]
        assert {"inference", "prompts:read", "prompts:write", "credits:read", "credits:write",
                "requests:read", "keys:write"} <= set(key["scopes"])


@pytest.mark.parametrize("after_ms", [1, 5, 10, 20, 40, 80, 160])
def test_an_interrupted_first_run_is_completed_by_the_next(tmp_path: Path, after_ms: int) -> None:
    data = tmp_path / "data"
    process = subprocess.Popen([str(binary()), *up_command(data, tmp_path)], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               env=clean_environment(tmp_path))
    try:
        process.wait(after_ms / 1000.0)
    except subprocess.TimeoutExpired:
        process.kill()
    printed, _ = process.communicate(timeout=10)
    with Up(data=data) as up:
        key = json.loads(printed)["api_key"] if printed else up.api_key
        assert key is not None, "no key although none was printed before"
        answer = ask(up, key, model="sim")
        assert answer.status == 200, f"a key that was printed does not work: {answer.text}"


def test_a_first_run_that_was_not_told_is_completed_beside_others(tmp_path: Path) -> None:
    data = tmp_path / "data"

    def make_organization() -> bool:
        return run_quire("call", "auth.CreateOrganization", '{"name": "second"}', "--data",
                         str(data), home=tmp_path).returncode == 0

    with Path("/dev/full").open("w") as full:  # the ready line cannot be written
        process = subprocess.Popen([str(binary()), *up_command(data, tmp_path)], stdout=full,
                                   stderr=subprocess.DEVNULL, env=clean_environment(tmp_path))
    try:
        wait_until(make_organization, "a second organization", limit=20.0)
    finally:
        process.terminate()
        process.wait(20)
    with Up(data=data) as up:
        assert up.api_key is not None
        assert ask(up, model="sim").status == 200


def test_a_folder_in_use_is_refused_and_the_process_named(tmp_path: Path) -> None:
    with Up(data=tmp_path / "data") as up:
        done = up_fails(tmp_path)
        assert done.returncode == 1
        assert str(up.pid) in done.stderr
        assert ask(up, model="sim").status == 200


def test_a_kill_right_after_the_ready_line_loses_neither_folder_nor_key(tmp_path: Path) -> None:
    for number in range(20):
        data = tmp_path / str(number)
        first = Up(data=data)
        key = first.api_key
        first.kill()
        with Up(data=data) as second:
            answer = ask(second, key, model="sim")
            assert answer.status == 200, f"try {number}: {answer.text}"


def test_a_disk_that_is_full_from_the_ready_line_on_ends_nothing(tmp_path: Path) -> None:
    for number in range(12):
        data = tmp_path / str(number)
        with Up(data=data) as first:  # its stderr is a file, too
            with full_disk(first):
                assert ask(first, model="sim").status in (200, 503), f"try {number}"
            assert ask(first, model="sim").status == 200
        with Up(data=data) as second:
            assert ask(second, first.api_key, model="sim").status == 200


def test_a_closed_standard_file_is_not_replaced(tmp_path: Path) -> None:
    for closed in ("1", "2"):
        data = tmp_path / closed
        process = subprocess.Popen(
            ["/bin/sh", "-c", f'exec "$@" {closed}>&-', "sh", str(binary()),
             *up_command(data, tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=clean_environment(tmp_path))
        try:
            wait_until((data / "quire.sock").exists, "a process that listens", limit=20.0)
        finally:
            process.terminate()
            process.communicate(timeout=20)
        assert (data / "quire.lock").read_text() == str(process.pid)
        with Up(data=data) as up:  # a key that nobody saw is made anew
            assert (up.api_key is not None) == (closed == "1")


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    data = bytes(tmp_path) + b"/\xff"
    command = [os.fsencode(word) for word in up_command(tmp_path / "data", tmp_path)]
    command[command.index(os.fsencode(tmp_path / "data"))] = data
    command.remove(b"--json")
    process = subprocess.Popen([os.fsencode(binary()), *command], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, env=clean_environment(tmp_path))
    assert process.stdout is not None
    try:
        assert process.stdout.readline().startswith(b"Quire ")
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.stdout.close()


def test_the_admin_port_shows_the_models_in_force(tmp_path: Path) -> None:
    with Up(data=tmp_path / "data") as up:
        shown = up.admin("/config").text
    assert re.search(r"^models:\n  sim:", shown, re.M), shown


def test_an_address_of_ipv6_is_told_as_a_url(tmp_path: Path) -> None:
    command = up_command(tmp_path / "data", tmp_path)
    command[command.index("--listen") + 1] = "[::1]:0"
    with Process(command, home=tmp_path) as up:
        assert re.fullmatch(r"http://\[::1\]:\d+", up.url), up.url


def test_what_was_there_keeps_its_mode(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o755)
    assert run_quire("credits", "verify", "--data", str(data)).returncode == 1
    assert list(data.iterdir()) == []
    with Up(data=data):
        modes = {file.name: oct(file.stat().st_mode & 0o777) for file in data.iterdir()}
    assert set(modes.values()) == {"0o600"}, modes
    assert data.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("flag", ["--listen", "--admin"])
def test_a_taken_port_is_refused_and_named(tmp_path: Path, flag: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = up_command(tmp_path / "data", tmp_path)
        command[command.index(flag) + 1] = f"127.0.0.1:{port}"
        done = run_quire(*command, home=tmp_path)
    assert done.returncode == 1
    assert str(port) in done.stderr


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, not a folder")
    done = up_fails(tmp_path)
    assert done.returncode in (1, 2)
    assert str(tmp_path / "data") in done.stderr


def test_a_newer_schema_is_refused_by_name(tmp_path: Path) -> None:
    with Up(data=tmp_path / "data"):
        pass
    [file] = [found for found in (tmp_path / "data").rglob("*auth*")
              if found.is_file() and found.read_bytes()[:15] == b"SQLite format 3"]
    with sqlite3.connect(file) as database:
        database.row_factory = sqlite3.Row
        last = dict(database.execute(
            "SELECT * FROM schema_migrations ORDER BY version DESC LIMIT 1").fetchone())
        last["version"] += 1000
        marks = ", ".join("?" for _ in last)
        database.execute(f"INSERT INTO schema_migrations({', '.join(last)}) VALUES ({marks})",
                         list(last.values()))
    database.close()
    done = up_fails(tmp_path)
    assert done.returncode == 1
    assert "auth" in done.stderr and "newer" in done.stderr.lower()
    assert str(last["version"]) in done.stderr


@pytest.mark.parametrize("other", [False, True], ids=["moved", "replaced"])
def test_it_stops_when_its_data_folder_is_gone(tmp_path: Path, other: bool) -> None:
    up = Up(data=tmp_path / "data")
    try:
        shutil.move(tmp_path / "data", tmp_path / "kept")
        with contextlib.ExitStack() as running:
            if other:
                second = running.enter_context(Up(data=tmp_path / "data"))
            assert up.wait(5) == 1
            assert str(tmp_path / "data") in up.stderr and "replaced" in up.stderr
            if other:
                assert json.loads(second.cli("keys", "list", "--json").stdout)["data"]
    finally:
        up.kill()


@pytest.fixture
def talking(upstream: ScriptedUpstream) -> Iterator[Up]:
    config = with_upstream(upstream, shutdown={"drain": "5s"})
    with Up(config, env={"LOCAL_KEY": PROVIDER_KEY}) as up:
        yield up


def test_sigterm_lets_streams_finish_and_refuses_new_requests(
        talking: Up, upstream: ScriptedUpstream) -> None:
    upstream.play("tiny", TALKING)
    with connect(talking.url) as kept, open_chat(talking, stream=True) as running:
        kept.request("GET", "/v1/models", {"authorization": f"Bearer {talking.api_key}"})
        assert kept.read_answer().status == 200
        head = running.read_head()
        events = running.events(head)
        next(events)
        talking.signal()
        wait_until(lambda: talking.admin("/readyz").status == 503, "readiness to end")
        assert talking.admin("/healthz").status == 200
        assert_error(ask(talking), 503, "shutting_down")
        with contextlib.suppress(Closed, ConnectionError):  # an idle connection may be closed
            kept.request("POST", PATH, {"authorization": f"Bearer {talking.api_key}"}, body())
            assert_error(kept.read_answer(), 503, "shutting_down")
        rest = list(events)
        assert rest[-1] == "[DONE]"
        assert sum('"word "' in data for data in rest) >= 90
    assert talking.wait(5) == 0


def test_plain_answers_are_finished_too(talking: Up, upstream: ScriptedUpstream) -> None:
    upstream.play("tiny", TALKING)
    with open_chat(talking) as running:
        wait_until(lambda: upstream.seen("tiny"), "the request upstream")
        talking.signal()
        answer = running.read_answer()
    assert answer.status == 200
    assert answer.json()["choices"][0]["message"]["content"] == "word " * 100
    assert talking.wait(5) == 0


def test_idle_connections_do_not_hold_it_up(talking: Up) -> None:
    with connect(talking.url) as idle, connect(talking.url):
        idle.request("GET", "/v1/models", {"authorization": f"Bearer {talking.api_key}"})
        idle.read_answer()
        began = now_ms()
        talking.signal()
        assert talking.wait(5) == 0
    assert now_ms() - began < 2000


def test_what_does_not_end_is_cut_off_when_the_drain_is_over(upstream: ScriptedUpstream) -> None:
    config = with_upstream(upstream, shutdown={"drain": "1s"})
    with Up(config, env={"LOCAL_KEY": PROVIDER_KEY}) as up:
        upstream.play("tiny", STALLED)
        with open_chat(up, stream=True) as running:
            events = running.events(running.read_head())
            next(events)
            began = now_ms()
            up.signal()
            try:
                rest = list(events)
            except (Closed, ConnectionError):
                rest = []
            assert "[DONE]" not in rest
        assert up.wait(5) == 0
        assert 900 <= now_ms() - began <= 3000


def test_a_call_of_the_operator_may_end_as_well(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    with Up(with_upstream(upstream), env={"LOCAL_KEY": PROVIDER_KEY}) as up:
        upstream.play("tiny", {"do": "text", "chunks": {"text": "word ", "times": 100},
                               "itl_ms": 10})
        request = {"request": {"model": "writer", "messages": [
            {"role": "user", "parts": [{"text": "hi"}]}]}}
        calling = subprocess.Popen(
            [str(binary()), "call", "prompts.Chat", json.dumps(request), "--data", str(up.data)],
            text=True, stdout=subprocess.PIPE, env=clean_environment(tmp_path))
        wait_until(lambda: upstream.seen("tiny"), "the request upstream")
        up.signal()
        printed, _ = calling.communicate(timeout=10)
        assert calling.returncode == 0
        assert json.loads(printed.splitlines()[-1])["finished"]["finish_reason"] == "stop"
        assert up.wait(5) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_second_signal_stops_at_once(upstream: ScriptedUpstream, number: int) -> None:
    up = Up(with_upstream(upstream), env={"LOCAL_KEY": PROVIDER_KEY})
    try:
        upstream.play("tiny", STALLED)
        with open_chat(up, stream=True) as running:
            next(running.events(running.read_head()))
            up.signal(number)
            wait_until(lambda: up.admin("/readyz").status == 503, "the first signal to be heard")
            began = now_ms()
            up.signal(number)
            up.wait(5)
            assert now_ms() - began < 1000
    finally:
        up.kill()


def test_health_and_metrics_are_on_the_admin_listener_only() -> None:
    with Up() as up:
        version = up.ready["version"]
        for path in ("/healthz", "/readyz"):
            answer = up.admin(path)
            assert answer.status == 200
            made = answer.json()
            assert (made["status"], made["version"]) == ("ok", version)
            probed = call(up.admin_url, "HEAD", path)
            assert (probed.status, probed.text) == (200, "")
            assert call(up.url, "GET", path).status == 404
        assert call(up.url, "GET", "/metrics").status == 404
        metrics = up.admin("/metrics")
        assert metrics.headers["content-type"].startswith("text/plain")
        names = {name for name, _ in up.metrics()}
        assert {"quire_build_info", "quire_inflight_requests", "quire_http_connections",
                "quire_tasks"} <= names
        assert up.admin("/v1/models").status == 404


def test_it_is_ready_soon_and_small_when_idle(capsys: pytest.CaptureFixture[str],
                                           tmp_path: Path) -> None:
    with Up(data=tmp_path / "data") as first:
        first_ms = first.ready_ms
    with Up(data=tmp_path / "data") as up, capsys.disabled():
        print(f"\nfirst run ready in {first_ms:.0f} ms, later in {up.ready_ms:.0f} ms; "
              f"idle memory {up.resident_bytes() / 2**20:.1f} MiB, {up.open_files()} files open")
        assert max(first_ms, up.ready_ms) < 10_000
        assert up.resident_bytes() < 512 * 2**20  # the figures that count are ./dev bench path's
        assert up.open_files() < 200
