"""The request log: a page within a second of every ending, and the same money as the ledger."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_keys import ULID
from chat import (MESSAGES, PRICE, PROVIDER_KEY, ask, assert_error, assert_problem, local_provider,
                  model, open_chat)
from prompts import generate, publish
from quire_process import Up
from raw_http import Answer
from scripted_upstream import ScriptedUpstream
from statement import entries
from upstream_answers import Behaviour
from waiting import wait_until, wait_until_still

FORMS = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
PAGE_SECONDS = 1.0
WORDS: Behaviour = {"do": "text", "chunks": {"text": "word ", "times": 10}}
STALLED: Behaviour = WORDS | {"stop_after_events": 6, "ending": "stall"}
CUT: Behaviour = WORDS | {"stop_after_events": 6, "ending": "close"}
RULES = {"default": {
    "input": [{"name": "keys", "kind": "literal", "values": ["open sesame"], "action": "block"},
              {"name": "mail", "kind": "pii.email", "action": "redact"}],
    "output": [{"name": "banned", "kind": "literal", "values": ["forbidden"],
                "action": "block"}]}}
SHORT = {"id", "at", "route", "streamed", "status", "http_status", "model", "provider", "prompt",
         "variant", "key_id", "usage", "cost", "review", "error", "trace_id"}
WHOLE = SHORT | {"steps", "content"}
Page = dict[str, Any]


def config(upstream: ScriptedUpstream, **more: Any) -> dict[str, Any]:
    return {"providers": {"local": local_provider(upstream)},
            "models": {"writer": model("tiny"), "other": model("tiny")},
            "limits": {"retries": 0}, "review": RULES, **more}


@pytest.fixture(scope="module")
def up(shared_upstream: ScriptedUpstream) -> Iterator[Up]:
    with Up(config(shared_upstream, content={"store": True}),
            env={"LOCAL_KEY": PROVIDER_KEY}) as started:
        yield started


def get(up: Up, path: str, key: str | None = None) -> Answer:
    return up.call("GET", f"/api/v1/requests{path}", key or up.api_key)


def page(up: Up, request_id: str) -> Page:
    """The page of a request that has just been answered."""
    began = time.monotonic()
    wait_until(lambda: get(up, f"/{request_id}").status == 200, f"the page of {request_id}",
               PAGE_SECONDS)
    # The story may come a moment after the settlement; both within the second.
    wait_until(lambda: get(up, f"/{request_id}").json()["route"], "the story", PAGE_SECONDS)
    assert time.monotonic() - began < PAGE_SECONDS
    found: Page = get(up, f"/{request_id}").json()
    assert set(found) == WHOLE, found
    assert found["id"] == request_id
    return found


def page_of(up: Up, answer: Answer) -> Page:
    return page(up, answer.headers["x-request-id"])


def listed(up: Up, query: str = "") -> list[Page]:
    answer = get(up, f"?limit=1000{query}")
    assert answer.status == 200, answer.text
    data: list[Page] = answer.json()["data"]
    return data


def new_key(up: Up) -> str:
    """A key that may do nothing but ask models."""
    made = up.call("POST", "/api/v1/keys", up.api_key, {"name": "n", "scopes": ["inference"]})
    assert made.status == 201, made.text
    return str(made.json()["key"])


@FORMS
def test_a_completed_request_has_its_whole_story(up: Up, upstream: ScriptedUpstream,
                                                 stream: bool) -> None:
    upstream.play("tiny", WORDS)
    found = page_of(up, ask(up, stream=stream))

    assert (found["status"], found["http_status"], found["error"]) == ("completed", 200, None)
    assert found["route"] == "/v1/chat/completions" and found["streamed"] is stream
    assert (found["model"], found["provider"]) == ("writer", "local")
    assert found["prompt"] is None and found["variant"] is None and found["review"] == []
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", found["at"])
    assert re.fullmatch(f"key_{ULID}", found["key_id"])
    assert re.fullmatch("[0-9a-f]{32}", found["trace_id"])
    usage, lines = found["usage"], found["cost"]["lines"]
    assert usage == {"input_tokens": 11, "output_tokens": 6, "estimated": False}
    assert [(line["class"], line["tokens"], line["price"]) for line in lines] == [
        ("input", 11, PRICE["input"]), ("output", 6, PRICE["output"])]
    assert found["cost"]["amount"] == sum(line["amount"] for line in lines) > 0
    assert found["cost"]["unit"] == "micro_credits"
    names = [step["name"] for step in found["steps"]]
    assert names == ["auth", "admit", "review.input", "queue", "upstream", "first_token",
                     "review.output", "settle"]
    starts = [step["start_us"] for step in found["steps"]]
    assert starts[0] == 0 and starts == sorted(starts)
    assert all(step["duration_us"] >= 0 for step in found["steps"])
    assert found["content"]["input"] == f"user: {MESSAGES[0]['content']}"
    assert found["content"]["output"] == "word " * 10


@pytest.mark.parametrize("is_kept", [False, True])
def test_what_a_provider_says_of_a_request_is_text_of_it(tmp_path: Path, upstream: ScriptedUpstream,
                                                         is_kept: bool) -> None:
    upstream.play("tiny", {"do": "status", "status": 400, "body": {
        "error": {"message": "cannot read 'a canary of bees'"}}})
    with Up(config(upstream, content={"store": is_kept}), data=tmp_path / "data",
            env={"LOCAL_KEY": PROVIDER_KEY}) as own:
        answer = ask(own)
        assert answer.status == 400 and "canary" in answer.text
        assert ("canary" in page_of(own, answer)["error"]["message"]) is is_kept
    stored = b"".join(file.read_bytes() for file in (tmp_path / "data").iterdir())
    assert (b"a canary of bees" in stored) is is_kept


@FORMS
def test_a_blocked_answer_has_its_review_step(up: Up, upstream: ScriptedUpstream,
                                              stream: bool) -> None:
    upstream.play("tiny", {"do": "text", "chunks": ["a forbidden ", "word"]})
    names = [step["name"] for step in page_of(up, ask(up, stream=stream))["steps"]]
    assert names.count("review.output") == 1 and names[-1] == "settle", names


@FORMS
def test_a_generation_names_its_prompt(up: Up, upstream: ScriptedUpstream, stream: bool) -> None:
    assert publish(up, "post", labels=["production"]).status == 201
    version = publish(up, "post", "Say {{ topic }}!", labels=["production"]).json()["version"]
    upstream.play("tiny", WORDS)
    found = page_of(up, generate(up, "post", variables={"topic": "bees"}, stream=stream))
    assert found["prompt"] == {"name": "post", "version": version}
    assert (found["route"], found["streamed"]) == ("/api/v1/generate", stream)
    assert [step["name"] for step in found["steps"]] == [
        "auth", "render", "admit", "review.input", "queue", "upstream", "first_token",
        "review.output", "settle"]
    starts = [step["start_us"] for step in found["steps"]]
    assert starts == sorted(starts)
    assert found["content"] == {"input": "user: Say bees!", "output": "word " * 10}


def test_a_generation_that_could_not_begin_has_a_page(up: Up) -> None:
    unknown = page_of(up, generate(up, "nothing" * 100))
    assert (unknown["status"], unknown["http_status"]) == ("failed", 404)
    assert unknown["error"]["code"] == "prompt_not_found"
    assert unknown["prompt"]["name"] == ("nothing" * 100)[:256]
    assert unknown["cost"]["amount"] == 0 and unknown["model"] == ""
    assert publish(up, "post", labels=["production"]).status == 201
    incomplete = page_of(up, generate(up, "post", variables={}))
    assert (incomplete["status"], incomplete["http_status"]) == ("failed", 400)
    assert incomplete["prompt"]["version"] >= 1
    assert incomplete["error"]["code"] == "missing_variable"


def test_the_trace_of_the_caller_is_on_the_page(up: Up) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    answer = up.call("POST", "/v1/chat/completions", up.api_key,
                     {"model": "writer", "messages": MESSAGES},
                     headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    assert page_of(up, answer)["trace_id"] == trace


def test_a_problem_names_the_trace_too(up: Up) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    answer = up.call("GET", "/api/v1/requests/req_0", up.api_key, headers=headers)
    assert assert_problem(answer, 404, "not_found")["trace_id"] == trace


@FORMS
def test_a_blocked_input_costs_nothing_and_leaves_no_text(up: Up, stream: bool) -> None:
    answer = ask(up, stream=stream, messages=[{"role": "user", "content": "Open Sesame"}])
    assert_error(answer, 400, "content_policy_violation")
    found = page_of(up, answer)
    assert (found["status"], found["http_status"]) == ("blocked", 400)
    assert found["error"]["code"] == "content_policy_violation"
    assert found["review"] == [{"stage": "input", "rule": "keys", "kind": "literal",
                                "action": "block", "count": 1}]
    assert [step["name"] for step in found["steps"]] == ["auth", "admit", "review.input"]
    assert found["cost"] == {"amount": 0, "unit": "micro_credits", "lines": []}
    assert found["content"] is None and "esame" not in str(found)


@FORMS
def test_a_blocked_output_is_paid_for_and_told(up: Up, upstream: ScriptedUpstream,
                                               stream: bool) -> None:
    upstream.play("tiny", WORDS | {"chunks": {"text": "so forbidden ", "times": 3}})
    found = page_of(up, ask(up, stream=stream))
    assert (found["status"], found["http_status"], found["error"]) == ("blocked", 200, None)
    assert found["review"] == [{"stage": "output", "rule": "banned", "kind": "literal",
                                "action": "block", "count": 1}]
    assert found["cost"]["amount"] > 0
    assert found["content"]["output"] == "so "


def test_what_was_redacted_is_not_on_the_page(up: Up) -> None:
    answer = ask(up, messages=[{"role": "user", "content": "I am ann@example.org"}])
    found = page_of(up, answer)
    assert found["review"] == [{"stage": "input", "rule": "mail", "kind": "pii.email",
                                "action": "redact", "count": 1}]
    assert found["content"]["input"] == "user: I am [redacted:mail]"


def test_failures_have_a_page_from_an_unknown_model_on(up: Up, upstream: ScriptedUpstream) -> None:
    unknown = page_of(up, ask(up, model="nobody"))
    assert (unknown["status"], unknown["http_status"]) == ("failed", 404)
    assert unknown["error"]["code"] == "model_not_found" and unknown["cost"]["amount"] == 0
    upstream.play("tiny", {"do": "status", "status": 500})
    broken = page_of(up, ask(up))
    assert (broken["status"], broken["http_status"]) == ("failed", 502)
    assert broken["error"]["code"] == "upstream_error" and broken["provider"] in (None, "local")
    before = len(listed(up))
    assert ask(up, temperature=7).status == 400
    page_of(up, ask(up))  # comes after whatever the wrong one had made
    assert len(listed(up)) == before + 1


def test_a_page_tells_what_was_waited_for_where_nothing_came(upstream: ScriptedUpstream) -> None:
    narrow = model("tiny", concurrency=1)
    with Up(config(upstream, models={"writer": narrow},
                   limits={"retries": 0, "queue_wait": "300ms", "first_token": "600ms"}),
            env={"LOCAL_KEY": PROVIDER_KEY}) as up:
        upstream.play("tiny", {"do": "silent"})
        with open_chat(up) as silent:
            wait_until(lambda: upstream.seen("tiny"), "one at the upstream")
            queued = page_of(up, ask(up))
            unanswered = page_of(up, silent.read_answer())
        publish(up, "post", labels=["production"])
        unrendered = page_of(up, generate(up, "post"))
    assert queued["error"]["code"] == "queue_timeout"
    assert [step["name"] for step in queued["steps"]] == ["auth", "admit", "review.input", "queue"]
    assert queued["steps"][-1]["duration_us"] > 250_000
    assert unanswered["error"]["code"] == "upstream_timeout"
    assert unanswered["provider"] == "local"
    assert [step["name"] for step in unanswered["steps"]][3:] == ["queue", "upstream"]
    assert unanswered["steps"][-1]["duration_us"] > 500_000
    assert unrendered["error"]["code"] == "missing_variable"
    assert [step["name"] for step in unrendered["steps"]] == ["auth", "render"]


def test_a_stream_that_breaks_off_is_failed_with_the_status_it_had(
        up: Up, upstream: ScriptedUpstream) -> None:
    upstream.play("tiny", CUT)
    answer = ask(up, stream=True)
    found = page_of(up, answer)
    assert (found["status"], found["http_status"]) == ("failed", 200)
    assert found["error"]["code"] == "stream_interrupted"
    assert found["usage"]["estimated"] and found["cost"]["amount"] > 0


@FORMS
def test_a_client_that_leaves_is_told_of_too(up: Up, upstream: ScriptedUpstream,
                                             stream: bool) -> None:
    known = {one["id"] for one in listed(up)}
    upstream.play("tiny", STALLED)
    connection = open_chat(up, stream=stream)
    seen = wait_until(lambda: upstream.seen("tiny"), "the request upstream")[-1]
    wait_until(lambda: seen.bytes_sent, "the first words")
    wait_until_still(lambda: seen.bytes_sent, "all words of the upstream", still=0.1)
    connection.leave(False)
    wait_until(lambda: {one["id"] for one in listed(up)} - known, "the request in the log",
               PAGE_SECONDS)
    (request_id,) = {one["id"] for one in listed(up)} - known
    found = page(up, request_id)
    assert (found["status"], found["http_status"]) == ("cancelled", 499)
    assert found["error"]["code"] == "client_closed_request"
    assert found["usage"]["estimated"] and found["cost"]["amount"] > 0


@FORMS
def test_the_end_of_the_process_is_no_client_that_left(upstream: ScriptedUpstream, tmp_path: Path,
                                                       stream: bool) -> None:
    data = tmp_path / "data"
    environment = {"LOCAL_KEY": PROVIDER_KEY}
    upstream.play("tiny", STALLED)
    with Up(config(upstream, shutdown={"drain": "100ms"}), data=data, env=environment) as first:
        api_key = first.api_key
        with open_chat(first, stream=stream):
            seen = wait_until(lambda: upstream.seen("tiny"), "the request upstream")[-1]
            wait_until(lambda: seen.bytes_sent, "the first words")
            wait_until_still(lambda: seen.bytes_sent, "all words of the upstream", still=0.2)
            first.signal()
            assert first.wait(5) == 0
    with Up(config(upstream), data=data, env=environment) as up:
        up.api_key = api_key
        (found,) = wait_until(lambda: listed(up), "the request in the log", PAGE_SECONDS)
        told = page(up, found["id"])
        assert (told["status"], told["http_status"]) == ("failed", 200 if stream else 503)
        assert told["error"]["code"] == "shutting_down" and told["cost"]["amount"] > 0


def test_a_silent_stream_has_the_status_of_its_keep_alive(upstream: ScriptedUpstream) -> None:
    limits = {"keep_alive": "50ms", "first_token": "300ms", "retries": 0}
    upstream.play("tiny", {"do": "silent"})
    with Up(config(upstream, limits=limits), env={"LOCAL_KEY": PROVIDER_KEY}) as up:
        answer = ask(up, stream=True)
        assert answer.status == 200
        assert answer.chunks()[-1]["error"]["code"] == "upstream_timeout"
        found = page_of(up, answer)
        assert (found["status"], found["http_status"]) == ("failed", 200)
        assert found["error"]["code"] == "upstream_timeout"
        assert up.gauge("quire_http_requests_total", route="/v1/chat/completions", code="200") == 1
        lines = [line for line in up.stderr.splitlines() if found["id"] in line]
        assert any("request failed" in line for line in lines), lines
        assert not any("request refused" in line for line in lines), lines


def test_content_is_off_unless_it_is_allowed(upstream: ScriptedUpstream) -> None:
    with Up(config(upstream), env={"LOCAL_KEY": PROVIDER_KEY}) as up:
        upstream.play("tiny", WORDS)
        assert page_of(up, ask(up))["content"] is None


def test_content_is_on_for_a_project_that_allows_it(upstream: ScriptedUpstream,
                                                    tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Up(config(upstream), data=data, env={"LOCAL_KEY": PROVIDER_KEY}) as first:
        project = first.cli("call", "auth.ListOrganizations", "{}").stdout
        project_id = re.search(f"prj_{ULID}", project)
        assert project_id, project
        api_key = first.api_key
    allowed = config(upstream, content={"projects": {project_id.group(): True}})
    with Up(allowed, data=data, env={"LOCAL_KEY": PROVIDER_KEY}) as up:
        up.api_key = api_key
        upstream.play("tiny", WORDS)
        assert page_of(up, ask(up))["content"]["output"] == "word " * 10


def test_lists_are_newest_first_and_short_and_page(up: Up, upstream: ScriptedUpstream) -> None:
    ids = [ask(up).headers["x-request-id"] for _ in range(5)]
    page(up, ids[-1])
    first = get(up, "?limit=2").json()
    assert [one["id"] for one in first["data"]] == [ids[4], ids[3]] and first["has_more"]
    assert all(set(one) == SHORT for one in first["data"])
    assert all("lines" not in one["cost"] for one in first["data"])
    second = get(up, f"?limit=2&after={ids[3]}").json()
    assert [one["id"] for one in second["data"]] == [ids[2], ids[1]]
    everything = listed(up)
    assert get(up, f"?limit=5&after={everything[-1]['id']}").json() == {"data": [],
                                                                        "has_more": False}


def test_filters_can_be_combined(up: Up, upstream: ScriptedUpstream) -> None:
    second = new_key(up)
    mine = page_of(up, ask(up, key=second, model="other"))
    failed = page_of(up, ask(up, key=second, model="nobody"))
    assert mine["key_id"] == failed["key_id"]
    key = f"&key={mine['key_id']}"
    assert [one["id"] for one in listed(up, key)] == [failed["id"], mine["id"]]
    assert [one["id"] for one in listed(up, f"{key}&status=failed")] == [failed["id"]]
    assert [one["id"] for one in listed(up, f"{key}&model=other")] == [mine["id"]]
    assert listed(up, f"{key}&model=other&status=failed") == []
    assert listed(up, "&model=nothing") == [] and listed(up, "&key=key_none") == []


def test_half_a_character_of_a_models_name_spoils_no_event(up: Up) -> None:
    name = "x" * 99 + "é" * 5
    answer = ask(up, model=name)
    assert_error(answer, 404, "model_not_found", "model")
    found = page_of(up, answer)
    assert found["model"] == name and found["error"]["code"] == "model_not_found"
    done = up.cli("call", "prompts.ReadOutbox", "{}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "after=req_1", "after=x",
                                   "status=done"])
def test_what_is_out_of_range_is_400(up: Up, query: str) -> None:
    assert_problem(get(up, f"?{query}"), 400, "invalid_value")
    bare = up.call("POST", "/api/v1/keys", up.api_key, {"name": "x"}).json()["key"]
    assert_problem(get(up, f"?{query}", bare), 400, "invalid_value")


def test_foreign_and_unknown_ids_answer_the_same(up: Up) -> None:
    mine = page_of(up, ask(up))["id"]
    made = up.cli("call", "auth.CreateOrganization", '{"name":"others"}')
    assert made.returncode == 0, made
    org = re.search(f"org_{ULID}", made.stdout)
    assert org, made
    key = up.cli("keys", "create", "--name", "theirs", "--scopes", "requests:read", "--org",
                 org.group(), "--json").stdout
    stranger = re.search(r"qk_live_\w+", key)
    assert stranger, key
    foreign = assert_problem(get(up, f"/{mine}", stranger.group()), 404, "not_found")
    unknown = assert_problem(get(up, f"/{mine[:-1]}{'0' if mine[-1] != '0' else '1'}"), 404,
                             "not_found")
    for problem in (foreign, unknown):
        problem["detail"] = re.sub(f"req_{ULID}", "req_", problem["detail"])
        del problem["request_id"], problem["trace_id"]
    assert foreign == unknown
    assert get(up, "", stranger.group()).json()["data"] == []
    assert_problem(get(up, "/nonsense"), 404, "not_found")


def test_the_scope_is_needed(up: Up) -> None:
    poor = new_key(up)
    assert_problem(get(up, "", poor), 403, "permission_denied")
    assert_problem(get(up, "/req_1", poor), 403, "permission_denied")


def test_all_costs_add_up_to_what_the_ledger_booked(up: Up, upstream: ScriptedUpstream) -> None:
    for behaviour in (WORDS, CUT, {"do": "status", "status": 500}):
        upstream.play("tiny", behaviour)
        for stream in (False, True):
            ask(up, stream=stream)
    upstream.play("tiny", WORDS)
    page_of(up, ask(up))
    booked = -sum(entry["amount"] for entry in entries(up)
                  if entry["kind"] in ("usage", "overrun"))
    assert booked > 0
    wait_until(lambda: sum(one["cost"]["amount"] for one in listed(up)) == booked,
               "the same total", PAGE_SECONDS)
