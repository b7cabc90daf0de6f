"""Generating with prompts: the answer in both forms, and everything that a chat has as well."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from chat import PRICE, PROVIDER_KEY, assert_problem, local_provider, model, ulid_of
from prompts import generate, open_generate, publish
from quire_process import Up
from scripted_upstream import ScriptedUpstream
from statement import by_request, cost_of, entries
from upstream_answers import USAGE, Behaviour
from waiting import wait_until

FORMS = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
COST = {"amount": cost_of(USAGE, PRICE), "unit": "micro_credits", "estimated": False}
COUNTS = {"input_tokens": 11, "output_tokens": 6}
CARD = "4111 1111 1111 1111"


@pytest.fixture(scope="module")
def up(shared_upstream: ScriptedUpstream) -> Iterator[Up]:
    config = {
        "providers": {"local": local_provider(shared_upstream)},
        "models": {"writer": model("tiny"), "other": model("other-tiny")},
        "limits": {"retries": 0},
        "review": {"default": {
            "input": [{"name": "keys", "kind": "secret.api_key", "action": "block"},
                      {"name": "mail", "kind": "pii.email", "action": "redact"}],
            "output": [{"name": "banned", "kind": "literal", "values": ["forbidden phrase"],
                        "action": "block"},
                       {"name": "cards", "kind": "pii.card", "action": "redact"}]}},
    }
    with Up(config, env={"LOCAL_KEY": PROVIDER_KEY}) as started:
        assert publish(started, "post", labels=["production"]).status == 201
        yield started


def text(*chunks: str) -> Behaviour:
    return {"do": "text", "chunks": list(chunks)}


def end_of(answer: Any, stream: bool) -> tuple[str, dict[str, Any]]:
    """The output, and the answer without it, in whatever form they came."""
    assert answer.status == 200, answer.text
    if not stream:
        whole = answer.json()
        return whole.pop("output"), whole
    events = answer.chunks()
    return "".join(event["text"] for event in events if list(event) == ["text"]), events[-1]


def test_the_plain_answer(up: Up, upstream: ScriptedUpstream) -> None:
    answer = generate(up, "post", variables={"topic": "bees"}, max_output_tokens=50)
    assert answer.json() == {
        "id": f"req_{ulid_of(answer)}", "prompt": {"name": "post", "version": 1},
        "model": "writer", "output": "Hello from the scripted upstream.", "finish_reason": "stop",
        "usage": COUNTS, "cost": COST, "review": []}
    assert answer.headers["x-quire-cost"] == str(COST["amount"])
    assert "render;dur=" in answer.headers["server-timing"]
    [seen] = upstream.seen("tiny")
    assert seen.body["messages"] == [{"role": "user", "content": "Write about bees."}]
    assert seen.body["max_tokens"] == 50


def test_the_streams_exact_bytes(up: Up, upstream: ScriptedUpstream) -> None:
    upstream.play("tiny", text("One", " \"two\"", "\n"))
    answer = generate(up, "post", variables={"topic": "bees"}, stream=True)
    begin = (f'{{"id":"req_{ulid_of(answer)}","prompt":{{"name":"post","version":1}},'
             '"model":"writer"')
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    starts, ends = f"event: start\ndata: {begin}}}\n\n", (
        f'event: done\ndata: {begin},"finish_reason":"stop","usage":{{"input_tokens":11,'
        f'"output_tokens":6}},"cost":{{"amount":{COST["amount"]},"unit":"micro_credits",'
        '"estimated":false},"review":[]}\n\n')
    assert answer.text.startswith(starts) and answer.text.endswith(ends), answer.text
    between = answer.text[len(starts):-len(ends)]
    assert all(block.startswith('event: delta\ndata: {"text":')
               for block in between.removesuffix("\n\n").split("\n\n"))
    assert end_of(answer, True)[0] == 'One "two"\n'


def test_model_and_parameters_are_the_requests_then_the_versions(
        up: Up, upstream: ScriptedUpstream) -> None:
    publish(up, "tuned", "x", labels=["production"], model="other", parameters={
        "temperature": 0.25, "top_p": 0.5, "max_output_tokens": 7, "stop": ["END"], "seed": 3})
    assert generate(up, "tuned").json()["model"] == "other"
    assert generate(up, "tuned", model="writer", max_output_tokens=9).json()["model"] == "writer"
    [own], [asked] = upstream.seen("other-tiny"), upstream.seen("tiny")
    assert (own.body["temperature"], own.body["top_p"], own.body["max_tokens"],
            own.body["stop"], own.body["seed"]) == (0.25, 0.5, 7, ["END"], 3)
    assert (asked.body["temperature"], asked.body["max_tokens"]) == (0.25, 9)


def test_label_and_version_choose(up: Up) -> None:
    publish(up, "chosen", "one")
    publish(up, "chosen", "two", labels=["beta"])
    assert generate(up, "chosen", version=1).json()["prompt"]["version"] == 1
    assert generate(up, "chosen", label="beta").json()["prompt"]["version"] == 2
    assert_problem(generate(up, "chosen"), 404, "prompt_not_found")
    assert_problem(generate(up, "chosen", version=3), 404, "prompt_not_found")
    assert_problem(generate(up, "chosen", version=1, label="beta"), 400, "invalid_value")


@FORMS
def test_a_missing_variable_is_named_and_costs_nothing(up: Up, upstream: ScriptedUpstream,
                                                       stream: bool) -> None:
    problem = assert_problem(generate(up, "post", variables={"topi": 1}, stream=stream), 400,
                             "missing_variable")
    assert [error["pointer"] for error in problem["errors"]] == ["/variables/topic"]
    assert not upstream.seen("tiny")
    assert problem["request_id"] not in by_request(entries(up))


def test_template_text_in_a_variable_stays_text(up: Up, upstream: ScriptedUpstream) -> None:
    for topic in ("{{ secret }}", "{% for x in y %}", "{# no #}", "}} {{ topic }}", "\"\\n"):
        assert generate(up, "post", variables={"topic": topic}).status == 200
        sent = upstream.seen("tiny")[-1].body["messages"][0]["content"]
        assert sent == f"Write about {topic}."


def test_ten_mebibytes_of_text_are_refused(up: Up, upstream: ScriptedUpstream) -> None:
    publish(up, "bomb", "{% for i in range(10000) %}{{ word }}{% endfor %}",
            labels=["production"])
    problem = assert_problem(generate(up, "bomb", variables={"word": "x" * 1100}), 400,
                             "template_error")
    assert "bomb" in problem["detail"] and not upstream.seen("tiny")


def test_fields_are_checked(up: Up) -> None:
    for more, code, pointer in (
            ({"variables": []}, "invalid_value", "/variables"),
            ({"version": 0}, "invalid_value", "/version"),
            ({"max_output_tokens": 0}, "invalid_value", "/max_output_tokens"),
            ({"stream": "yes"}, "invalid_value", "/stream"),
            ({"metadata": {"a": 1}}, "invalid_value", "/metadata"),
            ({"prompt": None}, "missing_required_parameter", "/prompt"),
            ({"temperature": 1}, "unsupported_parameter", "/temperature")):
        problem = assert_problem(generate(up, **{"prompt": "post", **more}), 400, code)
        assert [error["pointer"] for error in problem["errors"]] == [pointer], more
    assert generate(up, "post", variables={"topic": "x"}, metadata={"a": "b"}).status == 200
    assert_problem(generate(up, "post", variables={"topic": "x"}, model="nope"), 404,
                   "model_not_found")


@FORMS
def test_redacted_output_is_told(up: Up, upstream: ScriptedUpstream, stream: bool) -> None:
    upstream.play("tiny", text("Pay ", CARD[:7], CARD[7:], " now"))
    answer = generate(up, "post", variables={"topic": "me@example.com"}, stream=stream)
    output, end = end_of(answer, stream)
    assert output == "Pay [redacted:cards] now"
    assert end["review"] == [
        {"stage": "input", "rule": "mail", "kind": "pii.email", "action": "redact", "count": 1},
        {"stage": "output", "rule": "cards", "kind": "pii.card", "action": "redact", "count": 1}]


@FORMS
def test_blocked_output_ends_at_the_phrase(up: Up, upstream: ScriptedUpstream,
                                           stream: bool) -> None:
    upstream.play("tiny", text("Say the forb", "idden phrase", " and more"))
    output, end = end_of(generate(up, "post", variables={"topic": "x"}, stream=stream), stream)
    assert (output, end["finish_reason"]) == ("Say the ", "content_filter")
    assert [(note["rule"], note["action"]) for note in end["review"]] == [("banned", "block")]


@FORMS
def test_blocked_input_reaches_nobody(up: Up, upstream: ScriptedUpstream, stream: bool) -> None:
    answer = generate(up, "post", variables={"topic": f"my key {up.api_key}"}, stream=stream)
    assert_problem(answer, 400, "content_policy_violation")
    assert not upstream.seen("tiny")


@FORMS
def test_a_repeat_by_key_is_replayed(up: Up, upstream: ScriptedUpstream, stream: bool) -> None:
    headers = {"idempotency-key": f"generate-{stream}"}
    ask = {"variables": {"topic": "x"}, "stream": stream}
    first = generate(up, "post", headers, **ask)
    again = generate(up, "post", headers, **ask)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["x-quire-cost"] == "0" and ulid_of(again) != ulid_of(first)
    output, end = end_of(first, stream)
    assert end_of(again, stream) == (output, end | {"cost": COST | {"amount": 0}})
    assert len(upstream.seen("tiny")) == 1
    assert_problem(generate(up, "post", headers, variables={"topic": "y"}), 422,
                   "idempotency_key_reused")


def test_what_breaks_off_ends_with_a_problem(up: Up, upstream: ScriptedUpstream) -> None:
    upstream.play("tiny", text("one ", "two ") | {"stop_after_events": 3, "ending": "reset"})
    answer = generate(up, "post", variables={"topic": "x"}, stream=True)
    last = answer.text.removesuffix("\n\n").split("\n\n")[-1]
    assert last.startswith("event: error\ndata: "), answer.text
    problem = json.loads(last.partition("data: ")[2])
    assert (problem["code"], problem["request_id"]) == ("stream_interrupted",
                                                        f"req_{ulid_of(answer)}")
    assert by_request(entries(up))[problem["request_id"]][0][0] == "usage"


@FORMS
def test_a_client_that_leaves_stops_the_upstream_and_pays_for_what_came(
        up: Up, upstream: ScriptedUpstream, stream: bool) -> None:
    upstream.play("tiny", {"do": "text", "chunks": {"text": "word ", "times": 100_000},
                           "itl_ms": 5})
    before = {entry["id"] for entry in entries(up)}
    connection = open_generate(up, "post", variables={"topic": "x"}, stream=stream)
    wait_until(lambda: upstream.seen("tiny") and upstream.seen("tiny")[0].bytes_sent > 800, "text")
    connection.leave()
    [seen] = upstream.seen("tiny")
    wait_until(lambda: seen.closed_ms, "the upstream to see its connection closed")
    assert seen.closed_early
    wait_until(lambda: entries(up, before), "the settlement")
    assert [entry["kind"] for entry in entries(up, before)] == ["usage"]


def test_an_unknown_model_is_told_before_a_missing_variable(up: Up) -> None:
    assert publish(up, "lost", labels=["production"], model="gone").status == 201
    assert_problem(generate(up, "post", model="gone"), 404, "model_not_found")
    assert_problem(generate(up, "lost"), 404, "model_not_found")
    assert_problem(generate(up, "lost", model="writer"), 400, "missing_variable")
