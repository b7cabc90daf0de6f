"""`quire sim`: an OpenAI-compatible server of its own, deterministic by seed."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from chat import PATH, body, text_of
from quire_process import Sim, run_quire
from raw_http import Answer, Closed, connect


def chat(sim: Sim, **more: Any) -> Answer:
    return sim.call("POST", PATH, body=body(model_of(sim), **more))


def model_of(sim: Sim) -> str:
    return str(sim.call("GET", "/v1/models").json()["data"][0]["id"])


def test_the_ready_line_names_url_and_version() -> None:
    with Sim() as sim:
        assert sim.ready["event"] == "ready"
        assert sim.url.startswith("http://127.0.0.1:") and not sim.url.endswith(":0")
        assert sim.ready["version"] == json.loads(run_quire("version", "--json").stdout)["version"]


def test_it_answers_plain_and_streamed_with_the_tokens_asked_for() -> None:
    with Sim("--tokens", "12", "--seed", "5") as sim:
        plain = chat(sim).json()
        assert plain["object"] == "chat.completion"
        assert plain["usage"]["completion_tokens"] == 12
        assert plain["choices"][0]["finish_reason"] in ("stop", "length")
        answer = chat(sim, stream=True, stream_options={"include_usage": True})
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.done and answer.complete
        assert answer.chunks()[-1]["usage"]["completion_tokens"] == 12


def test_the_same_seed_gives_the_same_text_in_any_process() -> None:
    texts = []
    for seed in ("5", "5", "6"):
        with Sim("--tokens", "30", "--seed", seed) as sim:
            texts.append(text_of(chat(sim, stream=True).chunks()))
    assert texts[0] == texts[1] != texts[2]


def test_time_to_first_token_and_between_tokens_are_kept() -> None:
    with Sim("--ttft-ms", "200", "--itl-ms", "20", "--tokens", "10") as sim:
        name = model_of(sim)
        with connect(sim.url) as connection:
            began = time.monotonic()
            connection.request("POST", PATH, body=body(name, stream=True))
            events = connection.events(connection.read_head())
            next(data for data in events if data != "[DONE]"
                 and json.loads(data)["choices"][0]["delta"].get("content"))
            first = time.monotonic() - began
            assert list(events)[-1] == "[DONE]"
            whole = time.monotonic() - began
        assert first >= 0.195
        assert whole - first >= 0.15
        assert whole < 5.0


def test_a_fail_rate_of_one_fails_every_request() -> None:
    with Sim("--fail-rate", "1") as sim:
        for stream in (False, True):
            answer = chat(sim, stream=stream)
            assert answer.status >= 500
            assert answer.error()["message"]


def test_a_fail_rate_in_between_fails_some_and_the_same_by_seed() -> None:
    def statuses() -> list[int]:
        with Sim("--fail-rate", "0.5", "--seed", "9", "--tokens", "2") as sim:
            return [chat(sim).status for _ in range(30)]

    first = statuses()
    assert 200 in first and any(status >= 500 for status in first)
    assert statuses() == first


def test_a_cut_rate_of_one_cuts_every_stream() -> None:
    with Sim("--cut-rate", "1", "--tokens", "20") as sim:
        for _ in range(5):
            try:
                answer = chat(sim, stream=True)
            except (Closed, ConnectionError):
                continue
            assert not answer.complete
            assert b"[DONE]" not in answer.body


def test_it_needs_no_key_and_takes_any() -> None:
    with Sim("--tokens", "2") as sim:
        answer = sim.call("POST", PATH, "anything", body(model_of(sim)))
        assert answer.status == 200


@pytest.mark.parametrize("arguments", [["--fail-rate", "2"], ["--tokens", "many"],
                                       ["--ttft-ms", "-1"], ["--nonsense"],
                                       ["--listen", "nowhere"], ["--listen", "127.0.0.1:99999"]])
def test_wrong_flags_end_with_2(arguments: list[str]) -> None:
    listen = [] if "--listen" in arguments else ["--listen", "127.0.0.1:0"]
    done = run_quire("sim", *listen, *arguments)
    assert done.returncode == 2, done
    assert done.stdout == "" and done.stderr


def test_a_second_signal_ends_it_at_once_also_while_it_streams() -> None:
    sim = Sim("--itl-ms", "50", "--tokens", "1000")
    try:
        with connect(sim.url) as connection:
            connection.request("POST", PATH, body=body(model_of(sim), stream=True))
            assert connection.read_head().status == 200
            sim.signal()
            sim.signal()
            sim.wait(3)
    finally:
        sim.kill()
