"""Prompts: what is published never changes, labels move, and a move is in force at once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from chat import PROVIDER_KEY, assert_problem, local_provider, model
from prompts import generate, get, label, publish
from quire_process import Up, run_quire
from scripted_upstream import ScriptedUpstream


@pytest.fixture(scope="module")
def up(shared_upstream: ScriptedUpstream) -> Iterator[Up]:
    config = {"providers": {"local": local_provider(shared_upstream)},
              "models": {"writer": model("tiny")}}
    with Up(config, env={"LOCAL_KEY": PROVIDER_KEY}) as started:
        yield started


def pointers(problem: dict[str, Any]) -> list[str]:
    return [error["pointer"] for error in problem["errors"]]


def foreign_key(up: Up) -> str:
    """The key of another organization: with every scope, but none of these prompts."""
    made = json.loads(up.cli("call", "auth.CreateOrganization", '{"name": "others"}').stdout)
    created = up.cli("keys", "create", "--name", "other", "--org", made["organization"]["id"],
                     "--scopes", "inference,prompts:read,prompts:write", "--json")
    key: str = json.loads(created.stdout)["key"]
    return key


def test_publishes_lists_gets_and_labels(up: Up) -> None:
    first = publish(up, "blog_post", labels=["production"])
    assert first.status == 201, first.text
    made = first.json()
    assert list(made) == ["name", "version", "labels", "variables", "created_at"]
    assert (made["name"], made["version"], made["labels"], made["variables"]) == (
        "blog_post", 1, ["production"], ["topic"])

    second = publish(up, "blog_post", "Now about {{ topic }} in {{ language }}.", model="writer",
                     parameters={"max_output_tokens": 5, "stop": ["END"]}).json()
    assert (second["version"], second["labels"]) == (2, [])
    assert second["variables"] == ["language", "topic"]

    newest = get(up, "blog_post").json()
    assert (newest["version"], newest["model"]) == (2, "writer")
    assert newest["parameters"] == {"max_output_tokens": 5, "stop": ["END"]}
    assert newest["messages"] == [
        {"role": "user", "content": "Now about {{ topic }} in {{ language }}."}]
    assert get(up, "blog_post", "?label=production").json()["version"] == 1
    assert get(up, "blog_post", "?version=1").json()["model"] is None

    moved = label(up, "blog_post", "production", 2)
    assert moved.status == 200
    assert (moved.json()["version"], moved.json()["labels"]) == (2, ["production"])
    listed = up.call("GET", "/api/v1/prompts", up.api_key).json()
    [entry] = [one for one in listed["data"] if one["name"] == "blog_post"]
    assert (entry["latest_version"], entry["labels"]) == (2, {"production": 2})


def test_a_version_never_changes(up: Up) -> None:
    publish(up, "fixed", "one {{ a }}", labels=["production"])
    before = get(up, "fixed", "?version=1").json()
    publish(up, "fixed", "two {{ b }}", labels=["production"])
    after = get(up, "fixed", "?version=1").json()
    assert before.pop("labels") == ["production"] and after.pop("labels") == []
    assert before == after


def test_a_repeat_publishes_no_second_version(up: Up) -> None:
    headers = {"idempotency-key": "publish once"}
    first = publish(up, "repeated", headers=headers)
    again = publish(up, "repeated", headers=headers)
    assert (first.status, again.status) == (201, 201)
    assert again.json() == first.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    for name, content in (("repeated", "Another."), ("elsewhere", "Write about {{ topic }}.")):
        assert_problem(publish(up, name, content, headers=headers), 422, "idempotency_key_reused")
    assert get(up, "repeated").json()["version"] == 1
    assert publish(up, "repeated").json()["version"] == 2
    assert_problem(publish(up, "repeated", headers={"idempotency-key": "k" * 256}), 400,
                   "invalid_value")


def test_a_label_goes_forth_and_back_within_a_second(up: Up, upstream: ScriptedUpstream) -> None:
    publish(up, "live", "old words", labels=["production"])
    assert generate(up, "live").json()["prompt"]["version"] == 1
    for version, change in ((2, lambda: publish(up, "live", "new words", labels=["production"])),
                            (1, lambda: label(up, "live", "production", 1))):
        began = time.monotonic()
        assert change().status in (200, 201)
        answer = generate(up, "live").json()
        assert time.monotonic() - began < 1.0
        assert answer["prompt"] == {"name": "live", "version": version}
    sent = [seen.body["messages"][0]["content"] for seen in upstream.seen("tiny")]
    assert sent == ["old words", "new words", "old words"]


def test_foreign_and_unknown_names_answer_the_same() -> None:
    with Up() as up:
        assert_foreign_is_unknown(up)


def assert_foreign_is_unknown(up: Up) -> None:
    publish(up, "mine", labels=["production"])
    other = foreign_key(up)

    def shape(problem: dict[str, Any]) -> dict[str, Any]:
        shown = {key: value for key, value in problem.items()
                 if key not in ("request_id", "trace_id")}
        return json.loads(json.dumps(shown).replace("mine", "NAME").replace("nobodys", "NAME"))

    for ask in (lambda name: get(up, name, key=other),
                lambda name: get(up, name, "?version=1", key=other),
                lambda name: label(up, name, "x", 1, key=other),
                lambda name: generate(up, name, key=other, variables={"topic": "x"})):
        foreign = shape(assert_problem(ask("mine"), 404, "prompt_not_found"))
        assert foreign == shape(assert_problem(ask("nobodys"), 404, "prompt_not_found"))
    assert up.call("GET", "/api/v1/prompts", other).json() == {"data": [], "has_more": False}
    assert publish(up, "mine", key=other).json()["version"] == 1


def test_what_is_wrong_is_named(up: Up) -> None:
    publish(up, "known", labels=["production"])
    user = {"role": "user", "content": "x"}
    for name, body, code, pointer in (
            ("Bad", {"messages": [user]}, "invalid_value", "/name"),
            ("a" * 65, {"messages": [user]}, "invalid_value", "/name"),
            ("n", {}, "missing_required_parameter", "/messages"),
            ("n", {"messages": []}, "invalid_value", "/messages"),
            ("n", {"messages": [user | {"role": "tool"}]}, "invalid_value", "/messages/0/role"),
            ("n", {"messages": [user | {"content": 5}]}, "invalid_value", "/messages/0/content"),
            ("n", {"messages": [user], "labels": ["No"]}, "invalid_value", "/labels"),
            ("n", {"messages": [user], "parameters": {"temperature": 3}}, "invalid_value",
             "/parameters/temperature"),
            ("n", {"messages": [user], "parameters": {"tools": []}}, "unsupported_parameter",
             "/parameters/tools"),
            ("n", {"messages": [user], "text": "x"}, "unsupported_parameter", "/text"),
            ("n", {"messages": [user, user | {"content": "a {{ b"}]}, "template_error",
             "/messages/1/content")):
        answer = up.call("POST", f"/api/v1/prompts/{name}/versions", up.api_key, body)
        assert pointers(assert_problem(answer, 400, code)) == [pointer], (name, body)
    assert_problem(get(up, "n"), 404, "prompt_not_found")
    assert_problem(label(up, "known", "Loud", 1), 400, "invalid_value")
    assert_problem(label(up, "known", "production", 9), 404, "prompt_not_found")
    assert_problem(get(up, "known", "?version=0"), 400, "invalid_value")
    assert_problem(get(up, "known", "?version=1&label=production"), 400, "invalid_value")


def test_fields_are_checked_before_the_scope(up: Up) -> None:
    key = up.call("POST", "/api/v1/keys", up.api_key,
                  {"name": "credits", "scopes": ["credits:read"]}).json()["key"]
    user = {"role": "user", "content": "x"}
    for name, body, code in (
            ("Bad", {"messages": [user]}, "invalid_value"),
            ("n", {"messages": []}, "invalid_value"),
            ("n", {"messages": [user | {"role": "tool"}]}, "invalid_value"),
            ("n", {"messages": [user], "labels": ["No"]}, "invalid_value"),
            ("n", {"messages": [user], "parameters": {"temperature": 3}}, "invalid_value"),
            ("n", {"messages": [user], "parameters": {"tools": []}}, "unsupported_parameter")):
        answer = up.call("POST", f"/api/v1/prompts/{name}/versions", key, body)
        assert_problem(answer, 400, code)
    assert_problem(label(up, "n", "LOUD", 1, key=key), 400, "invalid_value")
    assert_problem(get(up, "n", "?label=a&version=1", key=key), 400, "invalid_value")
    assert_problem(publish(up, "n", key=key), 403, "permission_denied")
    assert_problem(label(up, "n", "a", 1, key=key), 403, "permission_denied")
    assert_problem(get(up, "n", "?label=a", key=key), 403, "permission_denied")


def test_reading_and_writing_are_scopes_of_their_own(up: Up) -> None:
    made = up.call("POST", "/api/v1/keys", up.api_key,
                   {"name": "reader", "scopes": ["prompts:read"]}).json()["key"]
    publish(up, "scoped")
    assert get(up, "scoped", key=made).status == 200
    assert_problem(publish(up, "scoped", key=made), 403, "permission_denied")
    assert_problem(label(up, "scoped", "x", 1, key=made), 403, "permission_denied")
    assert_problem(generate(up, "scoped", key=made), 403, "permission_denied")


YAML = """name: by_file
messages:
  - role: system
    content: "You write."
  - role: user
    content: |
      About {{ topic }}.
parameters:
  temperature: 0.5
  max_output_tokens: 20
  stop: ["7"]
"""


@pytest.mark.parametrize("remote", [False, True], ids=["socket", "url"])
def test_prompts_by_command(up: Up, tmp_path: Path, remote: bool) -> None:
    name = "by_url" if remote else "by_socket"
    file = tmp_path / "prompt.yaml"
    file.write_text(YAML.replace("by_file", name), "utf-8")

    def run(*arguments: str) -> Any:
        if remote:
            done = run_quire("prompts", *arguments, "--json", "--url", up.url,
                             env={"QUIRE_API_KEY": str(up.api_key)})
        else:
            done = up.cli("prompts", *arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    made = run("publish", str(file), "--label", "production")
    assert (made["name"], made["version"], made["labels"]) == (name, 1, ["production"])
    assert made["variables"] == ["topic"]
    assert run("publish", str(file))["version"] == 2
    shown = run("get", name, "--label", "production")
    assert shown == get(up, name, "?label=production").json()
    assert shown["parameters"] == {"temperature": 0.5, "max_output_tokens": 20, "stop": ["7"]}
    assert shown["messages"][1]["content"] == "About {{ topic }}.\n"
    assert run("label", name, "2", "production")["labels"] == ["production"]
    [entry] = [one for one in run("list")["data"] if one["name"] == name]
    assert (entry["latest_version"], entry["labels"]) == (2, {"production": 2})


@pytest.mark.parametrize("remote", [False, True], ids=["socket", "url"])
@pytest.mark.parametrize("messages, named", [
    ("[{role: user}]", "content"), ("[{role: user, content: }]", "content"),
    ("[{content: x}]", "role"), ("[x]", "role"), ("x", "messages")])
def test_a_file_whose_messages_are_none_is_not_published(
        up: Up, tmp_path: Path, messages: str, named: str, remote: bool) -> None:
    file = tmp_path / "prompt.yaml"
    file.write_text(f"name: halves\nmessages: {messages}\n", "utf-8")
    more = ("--url", up.url) if remote else ("--data", str(up.data))
    done = run_quire("prompts", "publish", str(file), *more,
                     env={"QUIRE_API_KEY": str(up.api_key)})
    assert (done.returncode, done.stdout) == (2, "") and named in done.stderr, done
    assert get(up, "halves").status == 404


def test_quoted_parameters_stay_text(up: Up, tmp_path: Path) -> None:
    file = tmp_path / "prompt.yaml"
    file.write_text("""name: quoted
messages: [{role: user, content: Hi}]
parameters:
  seed: 7
  response_format: {type: json_schema, json_schema: {name: x, strict: true, schema: {
    type: string, enum: ["1", '2', three], const: "true"}}}
""", "utf-8")
    assert up.cli("prompts", "publish", str(file)).returncode == 0
    parameters = get(up, "quoted").json()["parameters"]
    assert parameters["seed"] == 7
    described = parameters["response_format"]["json_schema"]
    assert described["strict"] is True
    assert described["schema"] == {"type": "string", "enum": ["1", "2", "three"], "const": "true"}


def test_more_prompts_than_fit_a_page_are_listed_to_the_last() -> None:
    with Up() as many:
        names = {f"p{number}" for number in range(1005)}
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(lambda name: publish(many, name).status, names)) == {201}
        for more in (("--data", str(many.data)), ("--url", many.url)):
            done = run_quire("prompts", "list", "--json", *more,
                             env={"QUIRE_API_KEY": str(many.api_key)})
            assert {one["name"] for one in json.loads(done.stdout)["data"]} == names


def test_a_prompt_does_not_steer_the_terminal(up: Up) -> None:
    assert publish(up, "steering", "one\n\x1b[2Jtwo\x07\tth\x9brée").status == 201
    done = up.cli("prompts", "get", "steering")
    assert "one\n[2Jtwo\tthrée" in done.stdout, done.stdout


def test_commands_say_what_is_wrong(up: Up, tmp_path: Path) -> None:
    file = tmp_path / "prompt.json"
    file.write_text(json.dumps({"name": "broken", "messages": [
        {"role": "user", "content": "{{ oops"}]}), "utf-8")
    done = up.cli("prompts", "publish", str(file))
    assert (done.returncode, done.stdout) == (2, "") and "template_error" in done.stderr
    assert up.cli("prompts", "publish", str(tmp_path / "none.yaml")).returncode == 2
    done = up.cli("prompts", "get", "nobodys")
    assert done.returncode == 1 and "prompt_not_found" in done.stderr
    assert up.cli("prompts", "label", "x", "zero", "y").returncode == 2
