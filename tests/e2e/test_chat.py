"""A chat request through the gateway: the answer, and the stream that says the same."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from chat import ask, assert_error, open_chat, text_of, ulid_of
from quire_process import Up
from scripted_upstream import ScriptedUpstream
from upstream_answers import CALLS, USAGE
from upstream_presets import PLAIN, TEXT, WRITTEN

TWO_CALLS = PLAIN["two-tools"]["calls"]


def streamed(up: Up, **more: Any) -> list[Any]:
    """The chunks of a stream that ends as it should."""
    answer = ask(up, stream=True, **more)
    assert answer.status == 200 and answer.complete and answer.done, answer.text
    return answer.chunks()


def test_a_plain_answer_has_every_required_field(gateway: Up, upstream: ScriptedUpstream) -> None:
    answer = ask(gateway)
    assert answer.status == 200
    assert answer.headers["content-type"].split(";")[0] == "application/json"
    made = answer.json()
    assert made["object"] == "chat.completion"
    assert made["id"] == f"chatcmpl-{ulid_of(answer)}"
    assert made["model"] == "writer"
    assert isinstance(made["created"], int) and abs(made["created"] - time.time()) < 60
    assert {name: made["usage"][name] for name in USAGE} == USAGE
    [choice] = made["choices"]
    assert choice["index"] == 0 and choice["finish_reason"] == "stop"
    assert choice["logprobs"] is None and "logprobs" in choice
    message = choice["message"]
    assert (message["role"], message["content"]) == ("assistant", TEXT)
    assert "refusal" in message and message["refusal"] is None
    assert not message.get("tool_calls")


def test_a_stream_says_the_same_in_chunks_of_one_shape(gateway: Up,
                                                       upstream: ScriptedUpstream) -> None:
    answer = ask(gateway, stream=True)
    assert answer.headers["content-type"].replace(" ", "").lower() == (
        "text/event-stream;charset=utf-8")
    assert "no-cache" in answer.headers["cache-control"]
    assert answer.headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in answer.headers
    chunks = answer.chunks()
    assert answer.done and text_of(chunks) == TEXT
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert {chunk["id"] for chunk in chunks} == {f"chatcmpl-{ulid_of(answer)}"}
    assert {chunk["model"] for chunk in chunks} == {"writer"}
    [created] = {chunk["created"] for chunk in chunks}
    assert abs(created - time.time()) < 60
    choices = [chunk["choices"][0] for chunk in chunks]
    assert [choice["index"] for choice in choices] == [0] * len(choices)
    assert choices[0]["delta"]["role"] == "assistant"
    assert not any("role" in choice["delta"] for choice in choices[1:])
    assert [choice["finish_reason"] for choice in choices][-1] == "stop"
    assert all(choice["finish_reason"] is None for choice in choices[:-1])
    assert all(choice["logprobs"] is None for choice in choices if "logprobs" in choice)


def test_text_comes_as_the_upstream_gives_it_not_at_the_end(gateway: Up,
                                                            upstream: ScriptedUpstream) -> None:
    upstream.play("tiny", {"do": "text", "chunks": ["one", "two"], "stop_after_events": 2,
                           "ending": "stall"})
    with open_chat(gateway, stream=True) as connection:
        events = connection.events(connection.read_head())
        first = next(data for data in events if '"one"' in data)
        assert json.loads(first)["choices"][0]["delta"]["content"] == "one"


def test_usage_comes_only_when_asked_for(gateway: Up, upstream: ScriptedUpstream) -> None:
    for options in (None, {}, {"include_usage": False}):
        chunks = streamed(gateway, stream_options=options)
        assert all(chunk.get("usage") is None and chunk["choices"] for chunk in chunks)
    chunks = streamed(gateway, stream_options={"include_usage": True})
    assert chunks[-1]["choices"] == []
    assert {name: chunks[-1]["usage"][name] for name in USAGE} == USAGE
    assert all("usage" in chunk and chunk["usage"] is None for chunk in chunks[:-1])
    assert all(chunk["choices"] for chunk in chunks[:-1])


@pytest.mark.parametrize("name", ["no-usage", "zero-usage"])
def test_usage_that_the_upstream_does_not_give_is_still_numbers(
        gateway: Up, upstream: ScriptedUpstream, name: str) -> None:
    upstream.play("tiny", then=PLAIN[name])
    usage = ask(gateway).json()["usage"]
    last = streamed(gateway, stream_options={"include_usage": True})[-1]
    assert last["choices"] == []
    for one in (usage, last["usage"]):
        assert all(isinstance(one[name], int) and one[name] >= 0 for name in USAGE)
        assert one["total_tokens"] == one["prompt_tokens"] + one["completion_tokens"]


def test_the_upstream_is_always_asked_to_stream_with_usage(gateway: Up,
                                                           upstream: ScriptedUpstream) -> None:
    ask(gateway)
    ask(gateway, stream=False)
    ask(gateway, stream=True)
    ask(gateway, stream=True, stream_options={"include_usage": False})
    for seen in upstream.seen("tiny"):
        assert seen.body["stream"] is True
        assert seen.body["stream_options"]["include_usage"] is True
    assert len(upstream.seen("tiny")) == 4


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter"])
def test_the_finish_reason_is_passed_on(gateway: Up, upstream: ScriptedUpstream,
                                        reason: str) -> None:
    upstream.play("tiny", then={"do": "text", "finish": reason})
    assert ask(gateway).json()["choices"][0]["finish_reason"] == reason
    assert streamed(gateway)[-1]["choices"][0]["finish_reason"] == reason


@pytest.mark.parametrize("calls", [CALLS, TWO_CALLS], ids=["one", "two"])
def test_tool_calls_come_whole_in_a_plain_answer(gateway: Up, upstream: ScriptedUpstream,
                                                 calls: list[dict[str, str]]) -> None:
    upstream.play("tiny", {"do": "tools", "calls": calls})
    [choice] = ask(gateway).json()["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert [(call["id"], call["type"], call["function"]["name"], call["function"]["arguments"])
            for call in choice["message"]["tool_calls"]] == [
        (call["id"], "function", call["name"], call["arguments"]) for call in calls]


@pytest.mark.parametrize("calls", [CALLS, TWO_CALLS], ids=["one", "two"])
def test_streamed_tool_calls_begin_with_id_type_and_name(
        gateway: Up, upstream: ScriptedUpstream, calls: list[dict[str, str]]) -> None:
    upstream.play("tiny", {"do": "tools", "calls": calls, "argument_bytes": 1})
    chunks = streamed(gateway)
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    arguments: dict[int, str] = {}
    for chunk in chunks:
        for delta in chunk["choices"][0]["delta"].get("tool_calls", []):
            if delta["index"] not in arguments:
                call = calls[delta["index"]]
                assert (delta["id"], delta["type"]) == (call["id"], "function")
                assert delta["function"]["name"] == call["name"]
                arguments[delta["index"]] = ""
            arguments[delta["index"]] += delta["function"].get("arguments", "")
    assert arguments == {number: call["arguments"] for number, call in enumerate(calls)}


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_kept_apart_from_the_text(gateway: Up, upstream: ScriptedUpstream,
                                               field: str) -> None:
    upstream.play("tiny", then={"do": "text", "reasoning": ["Let me", " think."],
                                "reasoning_field": field})
    message = ask(gateway).json()["choices"][0]["message"]
    assert message["content"] == TEXT
    assert message["reasoning_content"] == "Let me think."
    chunks = streamed(gateway)
    assert text_of(chunks) == TEXT
    assert "".join(chunk["choices"][0]["delta"].get("reasoning_content") or ""
                   for chunk in chunks) == "Let me think."


def test_logprobs_are_passed_on(gateway: Up, upstream: ScriptedUpstream) -> None:
    ask(gateway, logprobs=True, top_logprobs=2)
    seen = upstream.seen("tiny")[-1].body
    assert (seen["logprobs"], seen["top_logprobs"]) == (True, 2)


@pytest.mark.parametrize("name", WRITTEN)
def test_however_the_upstream_writes_it_the_text_is_the_same(
        gateway: Up, upstream: ScriptedUpstream, name: str) -> None:
    upstream.play("tiny", then=WRITTEN[name])
    made = ask(gateway).json()
    assert made["choices"][0]["message"]["content"] == TEXT
    assert made["choices"][0]["finish_reason"] == "stop"
    assert made["usage"]["total_tokens"] == USAGE["total_tokens"]
    chunks = streamed(gateway, stream_options={"include_usage": True})
    assert text_of(chunks) == TEXT
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"]["total_tokens"] == USAGE["total_tokens"]


def test_tool_calls_of_a_plain_upstream_answer_are_understood(gateway: Up,
                                                              upstream: ScriptedUpstream) -> None:
    made = {"id": "x", "object": "chat.completion", "created": 1, "model": "tiny", "choices": [
        {"index": 0, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": None, "tool_calls": [
                {"id": "call_1", "type": "function",
                 "function": {"name": "get_weather", "arguments": "{}"}}]}}]}
    upstream.play("tiny", then={"do": "status", "status": 200, "body": made})
    [choice] = ask(gateway).json()["choices"]
    assert choice["message"]["tool_calls"][0]["function"]["name"] == "get_weather"
    deltas = [delta for chunk in streamed(gateway)
              for delta in chunk["choices"][0]["delta"].get("tool_calls", [])]
    assert deltas[0]["index"] == 0 and deltas[0]["type"] == "function"
    assert deltas[0]["function"]["name"] == "get_weather"


@pytest.mark.parametrize("text", [
    "\u00e4\u00f6\u00fc \u4f60\u597d \U0001f41d\u200d\U0001f525 e\u0301", 'quotes " \\ / \u0000',
    "line\r\nbreaks\rand\u2028separators\u0085", "data: [DONE]\n\ndata: {}", "",
], ids=["unicode", "escapes", "line ends", "looks like SSE", "nothing"])
def test_any_text_arrives_as_it_was_sent(gateway: Up, upstream: ScriptedUpstream,
                                         text: str) -> None:
    upstream.play("tiny", then={"do": "text", "chunks": list(text), "split": 1})
    assert (ask(gateway).json()["choices"][0]["message"]["content"] or "") == text
    assert text_of(streamed(gateway)) == text


def test_a_long_answer_arrives_whole(gateway: Up, upstream: ScriptedUpstream) -> None:
    upstream.play("tiny", then={"do": "text", "chunks": {"text": "0123456789" * 100,
                                                         "times": 5000}})
    assert len(ask(gateway).json()["choices"][0]["message"]["content"]) == 5_000_000
    assert len(text_of(streamed(gateway))) == 5_000_000


def test_many_requests_at_once_keep_their_answers_apart(gateway: Up,
                                                        upstream: ScriptedUpstream) -> None:
    upstream.play("tiny", then={"do": "echo"})
    connections = [open_chat(gateway, x_number=number, stream=number % 2 == 0)
                   for number in range(40)]
    for number, connection in enumerate(connections):
        with connection:
            answer = connection.read_answer()
            assert answer.status == 200
            text = (text_of(answer.chunks()) if number % 2 == 0
                    else answer.json()["choices"][0]["message"]["content"])
            assert json.loads(text)["x_number"] == number


def test_every_answer_has_a_request_id_of_its_own(gateway: Up, upstream: ScriptedUpstream) -> None:
    ids = [ulid_of(ask(gateway)), ulid_of(ask(gateway, stream=True)),
           ulid_of(ask(gateway, model="nobody")), ulid_of(gateway.call("GET", "/v1/models"))]
    assert len(set(ids)) == 4


def test_errors_before_the_first_content_of_a_stream_are_plain(gateway: Up,
                                                               upstream: ScriptedUpstream) -> None:
    assert_error(ask(gateway, model="nobody", stream=True), 404, "model_not_found")
    assert_error(ask(gateway, stream=True, n=2), 400, "unsupported_value", "n")
    upstream.play("tiny", {"do": "status", "status": 500})
    assert_error(ask(gateway, stream=True), 502, "upstream_error")


@pytest.mark.slow
def test_a_stream_that_waits_long_is_kept_alive_by_comments(gateway: Up,
                                                            upstream: ScriptedUpstream) -> None:
    upstream.play("tiny", {"do": "text", "ttft_ms": 10_700},
                  {"do": "status", "status": 500, "ttft_ms": 10_700})
    with open_chat(gateway, stream=True) as first, open_chat(gateway, stream=True) as second:
        began = time.monotonic()
        heads = [first.read_head(), second.read_head()]
        assert 9.0 <= time.monotonic() - began <= 10.6
        assert [head.status for head in heads] == [200, 200]
        bodies = [b"".join(one.body_parts(head)).decode()
                  for one, head in zip((first, second), heads, strict=True)]
    assert all(text.startswith(":") for text in bodies)
    ends = sorted(text.rstrip("\n").rsplit("\n", 1)[-1][:16] for text in bodies)
    assert ends[0] == "data: [DONE]" and ends[1].startswith('data: {"error"')
