"""api/openapi/gateway.yaml: every route, its access, and the answers of a running process."""

from __future__ import annotations

import copy
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import openapi
import pytest
from api_keys import ULID
from chat import MESSAGES, PROVIDER_KEY, ask, local_provider, model
from prompts import generate, get, label, publish
from quire_process import ROOT, Up
from raw_http import Answer, connect
from scripted_upstream import ScriptedUpstream
from upstream_answers import Behaviour
from waiting import wait_until

sys.path.insert(0, str(ROOT / "tools"))

import reference_docs  # noqa: E402

DOCUMENT = openapi.load()
OPERATIONS = {one.id: one for one in openapi.operations(DOCUMENT)}
IDS = sorted(OPERATIONS)
WORDS: Behaviour = {"do": "text", "chunks": ["so ", "many ", "words"]}
FORBIDDEN: Behaviour = {"do": "text", "chunks": ["so ", "forbidden ", "words"]}
RULES = {"default": {
    "input": [{"name": "keys", "kind": "literal", "values": ["open sesame"], "action": "block"}],
    "output": [{"name": "banned", "kind": "literal", "values": ["forbidden"],
                "action": "block"}]}}
# The shortest good call of each operation: path, body. {id} and the like are of no object.
CALLS: dict[str, tuple[str, Any]] = {
    "create_chat_completion": ("/v1/chat/completions", {"model": "writer", "messages": MESSAGES}),
    "list_models": ("/v1/models", None),
    "get_model": ("/v1/models/acme/writer/v1", None),
    "get_balance": ("/api/v1/credits/balance", None),
    "list_entries": ("/api/v1/credits/entries", None),
    "list_requests": ("/api/v1/requests", None),
    "get_request": ("/api/v1/requests/req_0", None),
    "create_key": ("/api/v1/keys", {"name": "n"}),
    "list_keys": ("/api/v1/keys", None),
    "revoke_key": ("/api/v1/keys/key_0", None),
    "generate": ("/api/v1/generate", {"prompt": "post", "variables": {"topic": "bees"}}),
    "list_prompts": ("/api/v1/prompts", None),
    "get_prompt": ("/api/v1/prompts/post", None),
    "publish_version": ("/api/v1/prompts/post/versions", {"messages": MESSAGES}),
    "set_label": ("/api/v1/prompts/post/labels/old", {"version": 1}),
}


@dataclass
class World:
    """A quire with a published prompt and a few requests, and keys of other kinds."""

    up: Up
    upstream: ScriptedUpstream
    poor: str  # a key whose only scope nothing below needs
    broke: str  # of an organization without credits
    broke_org: str
    request: str  # the id of a request that is in the log

    def call(self, operation_id: str, key: str | None = None, body: Any = None,
             query: str = "", **more: Any) -> Answer:
        path, usual = CALLS[operation_id]
        return self.up.call(OPERATIONS[operation_id].verb, path + query, key or self.up.api_key,
                            usual if body is None else body, **more)


@pytest.fixture(scope="module")
def world(shared_upstream: ScriptedUpstream) -> Iterator[World]:
    config = {"providers": {"local": local_provider(shared_upstream)},
              "models": {"writer": model("tiny"), "acme/writer/v1": model("tiny")},
              "limits": {"retries": 0}, "review": RULES, "content": {"store": True}}
    with Up(config, env={"LOCAL_KEY": PROVIDER_KEY}) as up:
        shared_upstream.reset()
        made = up.call("POST", "/api/v1/keys", up.api_key,
                       {"name": "poor", "scopes": ["credits:write"]})
        assert publish(up, "post", labels=["production"]).status == 201
        org = re.search(f"org_{ULID}",
                        up.cli("call", "auth.CreateOrganization", '{"name":"broke"}').stdout)
        assert org
        broke = re.search(r"qk_live_\w+", up.cli("keys", "create", "--name", "broke", "--org",
                                                 org.group(), "--json").stdout)
        assert broke
        shared_upstream.play("tiny", WORDS)
        request = ask(up).headers["x-request-id"]
        wait_until(lambda: up.call("GET", f"/api/v1/requests/{request}", up.api_key).status == 200,
                   "the request in the log")
        yield World(up, shared_upstream, made.json()["key"], broke.group(),
                    org.group(), request)


# Against the code --------------------------------------------------------------------------------

def catalogue() -> dict[str, int]:
    rows = reference_docs.read_catalogue((ROOT / reference_docs.CATALOGUE).read_text("utf-8"))
    return {row.code: row.http_status for row in rows}


def test_every_route_is_an_operation_named_after_its_handler() -> None:
    assert openapi.check_routes(DOCUMENT, openapi.read_routes()) == []


def test_access_is_that_of_the_method_behind_the_route() -> None:
    assert openapi.check_access(DOCUMENT, openapi.read_routes(), openapi.read_rules()) == []


def test_error_codes_are_those_of_the_catalogue() -> None:
    assert openapi.check_codes(DOCUMENT, catalogue()) == []


def test_the_file_is_openapi_3_1() -> None:
    assert openapi.check_form(DOCUMENT) == []


def test_the_version_is_the_programs() -> None:
    version = re.search(r"project\(quire VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text())
    assert version and DOCUMENT["info"]["version"] == version.group(1)


# Against the answers -----------------------------------------------------------------------------

def played(world: World, behaviour: Behaviour, **more: Any) -> Answer:
    world.upstream.reset()
    world.upstream.play("tiny", behaviour)
    return ask(world.up, **more)


def generated(world: World, behaviour: Behaviour, **more: Any) -> Answer:
    world.upstream.reset()
    world.upstream.play("tiny", behaviour)
    return generate(world.up, "post", **({"variables": {"topic": "bees"}} | more))


def twice(world: World, key: str, first: dict[str, Any], second: dict[str, Any]) -> Answer:
    world.upstream.reset()
    world.upstream.play("tiny", WORDS)
    headers = {"idempotency-key": key}
    assert world.call("create_chat_completion", body=first, headers=headers).status == 200
    return world.call("create_chat_completion", body=second, headers=headers)


CHAT = CALLS["create_chat_completion"][1]
WITH_USAGE = {"stream": True, "stream_options": {"include_usage": True}}
TOOLS: Behaviour = {"do": "tools"}
THOUGHTS: Behaviour = WORDS | {"reasoning": ["hm"]}
CUT: Behaviour = WORDS | {"stop_after_events": 3, "ending": "close"}
STALLED: Behaviour = WORDS | {"stop_after_events": 2, "ending": "stall"}
DOWN: Behaviour = {"do": "status", "status": 500}


def while_the_first_runs(world: World) -> Answer:
    world.upstream.reset()
    world.upstream.play("tiny", STALLED)
    headers = {"idempotency-key": "busy"}
    with connect(world.up.url) as first:
        first.request("POST", CALLS["create_chat_completion"][0],
                      headers | {"authorization": f"Bearer {world.up.api_key}"}, CHAT)
        wait_until(lambda: world.upstream.seen("tiny"), "the first request upstream")
        return world.call("create_chat_completion", headers=headers)


def published_twice(world: World, key: str, first: str, second: str) -> Answer:
    headers = {"idempotency-key": key}
    assert publish(world.up, "twice", first, headers=headers).status == 201
    return publish(world.up, "twice", second, headers=headers)


def key_made_twice(world: World) -> Answer:
    headers = {"idempotency-key": "a key"}
    assert world.call("create_key", headers=headers).status == 201
    return world.call("create_key", headers=headers)


def revoked(world: World) -> Answer:
    made = world.call("create_key").json()["id"]
    return world.up.call("DELETE", f"/api/v1/keys/{made}", world.up.api_key)


def generated_without_credits(world: World) -> Answer:
    published = world.up.cli("call", "prompts.PublishVersion",
                             '{"name": "own", "messages": [{"role": "user", "content": "Hi"}],'
                             ' "labels": ["production"]}', "--org", world.broke_org)
    assert published.returncode == 0, published
    return generate(world.up, "own", key=world.broke)


Case = Callable[[World], Answer]
CASES: list[tuple[str, int, Case]] = [
    ("create_chat_completion", 200, lambda w: played(w, WORDS)),
    ("create_chat_completion", 200, lambda w: played(w, WORDS, stream=True)),
    ("create_chat_completion", 200, lambda w: played(w, WORDS, **WITH_USAGE)),
    ("create_chat_completion", 200, lambda w: played(w, TOOLS)),
    ("create_chat_completion", 200, lambda w: played(w, TOOLS, **WITH_USAGE)),
    ("create_chat_completion", 200, lambda w: played(w, THOUGHTS)),
    ("create_chat_completion", 200, lambda w: played(w, THOUGHTS, stream=True)),
    ("create_chat_completion", 200, lambda w: played(w, FORBIDDEN)),
    ("create_chat_completion", 200, lambda w: played(w, CUT, stream=True)),
    ("create_chat_completion", 200, lambda w: twice(w, "again", CHAT, CHAT)),
    ("create_chat_completion", 409, while_the_first_runs),
    ("create_chat_completion", 422, lambda w: twice(w, "other", CHAT, CHAT | {"seed": 1})),
    ("create_chat_completion", 400, lambda w: played(
        w, WORDS, messages=[{"role": "user", "content": "Open Sesame"}])),
    ("create_chat_completion", 402, lambda w: ask(w.up, w.broke)),
    ("create_chat_completion", 404, lambda w: ask(w.up, model="nobody")),
    ("create_chat_completion", 502, lambda w: played(w, DOWN)),
    ("create_chat_completion", 502, lambda w: played(w, {"do": "status", "status": 401})),
    ("create_chat_completion", 503, lambda w: played(w, {"do": "status", "status": 429})),
    ("list_models", 200, lambda w: w.call("list_models")),
    ("get_model", 200, lambda w: w.call("get_model")),
    ("get_model", 404, lambda w: w.up.call("GET", "/v1/models/nobody", w.up.api_key)),
    ("generate", 200, lambda w: generated(w, WORDS)),
    ("generate", 200, lambda w: generated(w, WORDS, stream=True)),
    ("generate", 200, lambda w: generated(w, FORBIDDEN)),
    ("generate", 200, lambda w: generated(w, FORBIDDEN, stream=True)),
    ("generate", 200, lambda w: generated(w, CUT, stream=True)),
    ("generate", 400, lambda w: generated(w, WORDS, variables={})),
    ("generate", 400, lambda w: generated(w, WORDS, variables={"topic": "open sesame"})),
    ("generate", 402, generated_without_credits),
    ("generate", 404, lambda w: generate(w.up, "nothing")),
    ("generate", 404, lambda w: generated(w, WORDS, model="nobody")),
    ("generate", 502, lambda w: generated(w, DOWN, stream=True)),
    ("list_prompts", 200, lambda w: w.call("list_prompts", query="?limit=1")),
    ("list_prompts", 400, lambda w: w.call("list_prompts", query="?limit=0")),
    ("get_prompt", 200, lambda w: w.call("get_prompt")),
    ("get_prompt", 200, lambda w: get(w.up, "post", "?label=production")),
    ("get_prompt", 400, lambda w: get(w.up, "post", "?version=none")),
    ("get_prompt", 404, lambda w: get(w.up, "nothing")),
    ("publish_version", 201, lambda w: publish(
        w.up, "whole", labels=["b", "a"], model="writer", parameters={"temperature": 1})),
    ("publish_version", 201, lambda w: published_twice(w, "again", "same", "same")),
    ("publish_version", 400, lambda w: publish(w.up, "post", "{{ ")),
    ("publish_version", 422, lambda w: published_twice(w, "other", "one", "another")),
    ("set_label", 200, lambda w: label(w.up, "post", "old", 1)),
    ("set_label", 400, lambda w: label(w.up, "post", "OLD", 1)),
    ("set_label", 404, lambda w: label(w.up, "nothing", "old", 1)),
    ("get_balance", 200, lambda w: w.call("get_balance")),
    ("list_entries", 200, lambda w: w.call("list_entries", query="?limit=1000")),
    ("list_entries", 400, lambda w: w.call("list_entries", query="?after=x")),
    ("list_requests", 200, lambda w: w.call("list_requests", query="?limit=1000")),
    ("list_requests", 400, lambda w: w.call("list_requests", query="?status=done")),
    ("get_request", 200, lambda w: w.up.call("GET", f"/api/v1/requests/{w.request}", w.up.api_key)),
    ("get_request", 404, lambda w: w.call("get_request")),
    ("create_key", 201, lambda w: w.call("create_key")),
    ("create_key", 201, lambda w: w.call("create_key", body={
        "name": "n", "scopes": ["keys:write"], "expires_at": "2199-01-31T00:00:00Z"})),
    ("create_key", 422, key_made_twice),
    ("list_keys", 200, lambda w: w.call("list_keys")),
    ("list_keys", 400, lambda w: w.call("list_keys", query="?limit=1001")),
    ("revoke_key", 204, revoked),
    ("revoke_key", 404, lambda w: w.call("revoke_key")),
]


def refusals(operation_id: str) -> list[tuple[str, int, Case]]:
    """What every operation answers to callers and bodies that it does not take."""
    def refused(status: int, **how: Any) -> tuple[str, int, Case]:
        return operation_id, status, lambda world: world.call(operation_id, **how)

    found = [refused(401, key="qk_live_no"),
             (operation_id, 403, lambda world: world.call(operation_id, key=world.poor))]
    if "requestBody" in OPERATIONS[operation_id].item:
        found += [refused(400, body="{"), refused(413, headers={"content-length": "11000000"}),
                  refused(415, headers={"content-type": "text/plain"})]
    return found


CASES += [one for operation_id in IDS for one in refusals(operation_id)]


@pytest.mark.parametrize("operation_id,status,run", CASES,
                         ids=[f"{one[0]}-{one[1]}" for one in CASES])
def test_answers_are_as_described(world: World, operation_id: str, status: int, run: Case) -> None:
    answer = run(world)
    assert answer.status == status, answer.text[:500]
    assert openapi.check_answer(DOCUMENT, operation_id, answer) == []


def test_every_operation_is_answered_well_and_badly() -> None:
    for operation_id, one in OPERATIONS.items():
        statuses = {status for called, status, _ in CASES if called == operation_id}
        good = {int(status) for status in one.item["responses"] if status < "300"}
        assert good <= statuses and max(statuses) >= 400, operation_id


@pytest.mark.parametrize("behaviour,wanted", [
    (WORDS, {"start", "delta", "done"}), (CUT, {"start", "delta", "error"})], ids=["whole", "cut"])
def test_every_kind_of_event_is_seen(world: World, behaviour: Behaviour, wanted: set[str]) -> None:
    answer = generated(world, behaviour, stream=True)
    assert {name for name, _ in openapi.named_events(answer.text)} == wanted


@pytest.mark.parametrize("operation_id,body", [
    ("create_chat_completion", {"model": "writer"}),
    ("create_chat_completion", CHAT | {"temperature": 3}),
    ("create_chat_completion", CHAT | {"messages": []}),
    ("create_chat_completion", CHAT | {"stop": ["a", "b", "c", "d", "e"]}),
    ("create_chat_completion", CHAT | {"n": 2}),
    ("create_key", {"name": ""}),
    ("create_key", {"name": "n", "scopes": ["everything"]}),
    ("create_key", {"name": "n", "scope": "inference"}),
    ("publish_version", {"messages": []}),
    ("publish_version", {"messages": [{"role": "tool", "content": ""}]}),
    ("publish_version", {"messages": MESSAGES, "labels": ["UP"]}),
    ("publish_version", {"messages": MESSAGES, "parameters": {"logprobs": True}}),
    ("set_label", {"version": 0}),
    ("set_label", {}),
    ("generate", {"variables": {}}),
    ("generate", {"prompt": "post", "max_output_tokens": 0}),
    ("generate", {"prompt": "post", "metadata": {"a": 1}}),
    ("generate", {"prompt": "post", "topic": "bees"}),
])
def test_what_the_description_refuses_is_refused(world: World, operation_id: str,
                                                 body: Any) -> None:
    assert openapi.check_request(DOCUMENT, operation_id, body)
    answer = world.call(operation_id, body=body)
    assert answer.status == 400, answer.text
    assert openapi.check_answer(DOCUMENT, operation_id, answer) == []


@pytest.mark.parametrize("operation_id,body", [
    ("create_chat_completion", CHAT | {"stop": None, "temperature": 0.5, "user": "u"}),
    ("create_key", {"name": "n", "scopes": None, "expires_at": None}),
    ("publish_version", {"messages": MESSAGES, "model": None, "labels": []}),
    ("set_label", {"version": 1}),
    ("generate", {"prompt": "post", "variables": {"topic": [1]}, "metadata": {"a": "b"}}),
    *((name, body) for name, (_, body) in CALLS.items() if body is not None),
])
def test_what_the_description_takes_is_taken(world: World, operation_id: str, body: Any) -> None:
    world.upstream.reset()
    world.upstream.play("tiny", WORDS)
    assert openapi.check_request(DOCUMENT, operation_id, body) == []
    answer = world.call(operation_id, body=body)
    assert answer.status < 300, answer.text
    assert openapi.check_answer(DOCUMENT, operation_id, answer) == []


# The checks find what they are for ---------------------------------------------------------------

def changed(change: Callable[[Any], object]) -> openapi.Document:
    document = copy.deepcopy(DOCUMENT)
    change(document)
    return document


def at(document: Any, *names: Any) -> Any:
    for name in names:
        document = document[name]
    return document


MODELS = ("paths", "/v1/models", "get")
PLANTED_ROUTES = {
    "/v1/models is not described": lambda d: d["paths"].pop("/v1/models"),
    "/v1/other is no route": lambda d: d["paths"].update({"/v1/other": d["paths"]["/v1/models"]}),
    "the handler is list_models": lambda d: at(d, *MODELS).update(operationId="models"),
    "differ about a body": lambda d: at(d, "paths", "/api/v1/keys", "post").pop("requestBody"),
}
PLANTED_FORM = {
    "leads nowhere": lambda d: at(d, "components", "schemas").pop("ErrorCode"),
    "is used by nothing": lambda d: at(d, "components", "schemas").update(Spare={}),
    "'descripton' was unexpected": lambda d: at(d, *MODELS, "responses", "200").update(
        descripton="a"),
    "is there twice": lambda d: at(d, *MODELS).update(operationId="get_model"),
    "is not declared": lambda d: at(d, *MODELS).update(tags=["others"]),
    "the parameters []": lambda d: at(d, "paths", "/api/v1/keys/{id}", "delete").pop("parameters"),
    "is not required": lambda d: at(d, "paths", "/api/v1/keys/{id}", "delete", "parameters",
                                    0).pop("required"),
    "unknown keywords ['requried']": lambda d: at(d, "components", "schemas", "Model").update(
        requried=[]),
    "required and not described": lambda d: at(d, "components", "schemas", "Model",
                                               "properties").pop("id"),
    "is not valid under any": lambda d: at(d, "components", "schemas", "Model").update(type="text"),
    "'3.1.0' was expected": lambda d: d.update(openapi="3.0.0"),
}


@pytest.mark.parametrize("wanted", PLANTED_ROUTES)
def test_a_planted_route_is_found(wanted: str) -> None:
    found = openapi.check_routes(changed(PLANTED_ROUTES[wanted]), openapi.read_routes())
    assert any(wanted in one for one in found), found


@pytest.mark.parametrize("wanted", PLANTED_FORM)
def test_a_planted_fault_of_form_is_found(wanted: str) -> None:
    found = openapi.check_form(changed(PLANTED_FORM[wanted]))
    assert any(wanted in one for one in found), found


def test_a_route_that_was_added_to_the_table_is_found() -> None:
    source = openapi.ROUTES.read_text("utf-8").replace(
        "constexpr std::array kRoutes{",
        'constexpr std::array kRoutes{ Route{"GET", "/v1/new", "prompts.New", false,\n'
        "&GatewayApi::get_new},")
    found = openapi.check_routes(DOCUMENT, openapi.read_routes(source))
    assert found == ["GET /v1/new is not described"]


def test_another_scope_in_the_proto_is_found() -> None:
    rules = openapi.read_rules() | {"credits.GetBalance": openapi.Rule("OPERATOR")}
    found = openapi.check_access(DOCUMENT, openapi.read_routes(), rules)
    assert len(found) == 1 and found[0].startswith("get_balance: x-quire-access is"), found


def test_rules_are_read_from_the_proto() -> None:
    source = ('package quire.a.v1;\n  rpc B(C) returns (stream D) {\n'
              '    option (quire.options.v1.rule) = {access: SCOPE, scope: "x:y"};\n  }\n')
    assert openapi.read_rules([source]) == {"a.B": openapi.Rule("SCOPE", "x:y")}
    with pytest.raises(AssertionError):
        openapi.read_rules([source.replace("rule", "other")])


def test_an_unknown_code_is_found() -> None:
    found = openapi.check_codes(DOCUMENT, catalogue() | {"model_not_found": 410})
    assert found and all("model_not_found" in one for one in found)


BALANCE = b'{"available":1,"held":0,"unit":"micro_credits"}'
HEADERS = {"x-request-id": "req_01ARZ3NDEKTSV4RRFFQ69G5FAV", "server-timing": "auth;dur=0.1",
           "content-type": "application/json"}


def balance(body: bytes = BALANCE, status: int = 200, **headers: str) -> list[str]:
    made = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    answer = Answer(status, "HTTP/1.1", [pair for pair in made.items() if pair[1]], body)
    return openapi.check_answer(DOCUMENT, "get_balance", answer)


def test_a_wrong_answer_is_found() -> None:
    assert balance() == []
    for wrong in (balance(b'{"available":1,"held":0}'),
                  balance(BALANCE.replace(b"1", b'"1"')),
                  balance(BALANCE.replace(b"{", b'{"more":1,')),
                  balance(status=418),
                  balance(content_type="text/html"),
                  balance(x_request_id=""),
                  balance(x_request_id="req_1"),
                  balance(x_other="1")):
        assert wrong


def test_a_wrong_event_is_found() -> None:
    def check(text: str) -> list[str]:
        headers = HEADERS | {"content-type": "text/event-stream; charset=utf-8"}
        answer = Answer(200, "HTTP/1.1", list(headers.items()), text.encode())
        return openapi.check_answer(DOCUMENT, "generate", answer)

    assert check('event: delta\ndata: {"text":"a"}\n\n') == []
    for wrong in ("", ": only a comment\n\n", 'data: {"text":"a"}\n\n',
                  'event: delta\ndata: {"text":""}\n\n', 'event: delta\ndata: {"txt":"a"}\n\n'):
        assert check(wrong), wrong
