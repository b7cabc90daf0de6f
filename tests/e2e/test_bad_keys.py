"""Keys that are missing, wrong, revoked, expired, or not allowed to do this."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from api_keys import is_well_formed, unknown_key, with_wrong_checksum
from chat import PATH, ask, assert_error, assert_problem, body
from quire_process import Up
from raw_http import Answer
from waiting import wait_until

KEYS = "/api/v1/keys"


def create(up: Up, scopes: list[str], **more: Any) -> dict[str, Any]:
    answer = up.call("POST", KEYS, up.api_key, {"name": "test", "scopes": scopes, **more})
    assert answer.status == 201, answer.text
    made = answer.json()
    assert isinstance(made, dict)
    return made


def bearer(value: str) -> dict[str, str]:
    return {"authorization": f"Bearer {value}"}


WRONG: dict[str, dict[str, str]] = {
    "missing": {},
    "empty": {"authorization": ""},
    "only the scheme": {"authorization": "Bearer"},
    "an empty token": {"authorization": "Bearer "},
    "another scheme": {"authorization": "Basic dXNlcjpwYXNzd29yZA=="},
    "garbage": bearer("hello"),
    "another product's": bearer("sk-proj-0123456789"),
    "only the prefix": bearer("qk_live_"),
    "very long": bearer("qk_live_" + "A" * 20_000),
    "control bytes": bearer("qk_live_\x7f\x01"),
    "SQL": bearer("qk_live_' OR '1'='1"),
    "unknown": bearer(unknown_key()),
    "unknown as api-key": {"api-key": unknown_key()},
    "unknown as x-api-key": {"x-api-key": unknown_key()},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_key_is_refused_and_the_scheme_named(gateway: Up, name: str) -> None:
    answer = gateway.call("POST", PATH, None, body(), headers=WRONG[name])
    if name == "control bytes" and answer.status == 400:
        return
    error = assert_error(answer, 401, "invalid_api_key")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    given = WRONG[name].get("authorization", "").removeprefix("Bearer ")
    assert not given or len(given) <= 8 or given not in error["message"]


def test_a_key_with_a_wrong_checksum_is_refused(gateway: Up, key: str) -> None:
    assert_error(ask(gateway, with_wrong_checksum(key)), 401, "invalid_api_key")
    head, _, tail = key.rpartition("_")
    changed = head[:-1] + ("A" if head[-1] != "A" else "B")
    assert_error(ask(gateway, f"{changed}_{tail}"), 401, "invalid_api_key")


def test_the_first_key_has_the_published_shape(key: str) -> None:
    assert is_well_formed(key)


def test_api_key_and_x_api_key_stand_for_the_bearer_token(gateway: Up, key: str) -> None:
    for headers in ({"api-key": key}, {"x-api-key": key}, {"Authorization": f"bearer {key}"},
                    {"API-Key": key}):
        answer = gateway.call("POST", PATH, None, body(), headers=headers)
        assert answer.status == 200, (headers, answer.text)


def test_management_errors_about_keys_are_problems(gateway: Up) -> None:
    for headers in ({}, bearer(unknown_key())):
        answer = gateway.call("GET", KEYS, headers=headers)
        assert_problem(answer, 401, "invalid_api_key")
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_key_is_created_listed_and_deleted(gateway: Up) -> None:
    made = create(gateway, ["inference", "keys:write"])
    assert {"id", "key", "name", "scopes", "last4", "created_at", "expires_at"} <= set(made)
    assert made["id"].startswith("key_") and is_well_formed(made["key"])
    assert made["last4"] == made["key"][-4:]
    assert sorted(made["scopes"]) == ["inference", "keys:write"] and made["name"] == "test"
    assert made["expires_at"] is None
    datetime.strptime(made["created_at"], "%Y-%m-%dT%H:%M:%S.%fZ")

    listed = gateway.call("GET", KEYS, gateway.api_key)
    assert listed.status == 200 and made["key"] not in listed.text
    found = [one for one in listed.json()["data"] if one["id"] == made["id"]]
    assert len(found) == 1 and found[0]["last4"] == made["last4"] and "key" not in found[0]

    assert ask(gateway, made["key"]).status == 200
    gone = gateway.call("DELETE", f"{KEYS}/{made['id']}", gateway.api_key)
    assert (gone.status, gone.body) == (204, b"")


def test_a_repeat_makes_no_second_key(gateway: Up) -> None:
    def make(name: str) -> Answer:
        return gateway.call("POST", KEYS, gateway.api_key, {"name": name},
                            headers={"idempotency-key": "make once"})

    first = make("once").json()
    again = make("once")
    assert_problem(again, 422, "already_completed")
    assert again.json()["key_id"] == first["id"] and first["key"] not in again.text
    assert_problem(make("twice"), 422, "idempotency_key_reused")
    names = [one["name"] for one in gateway.call("GET", KEYS, gateway.api_key).json()["data"]]
    assert names.count("once") == 1 and "twice" not in names


def test_a_revoked_key_is_refused_within_five_seconds(gateway: Up) -> None:
    made = create(gateway, ["inference"])
    assert ask(gateway, made["key"]).status == 200
    assert gateway.call("DELETE", f"{KEYS}/{made['id']}", gateway.api_key).status == 204
    answer = wait_until(lambda: refused(gateway, made["key"]), "the revocation in force", 5.0)
    assert_error(answer, 401, "api_key_revoked")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_an_expired_key_is_refused(gateway: Up) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=2)
    made = create(gateway, ["inference"], expires_at=soon.isoformat().replace("+00:00", "Z"))
    assert ask(gateway, made["key"]).status == 200
    answer = wait_until(lambda: refused(gateway, made["key"]), "the expiry in force", 8.0)
    assert_error(answer, 401, "api_key_expired")


def refused(up: Up, key: str) -> Any:
    answer = ask(up, key)
    return answer if answer.status != 200 else None


def test_a_key_without_the_scope_is_permission_denied(gateway: Up) -> None:
    inference = create(gateway, ["inference"])["key"]
    assert_problem(gateway.call("GET", KEYS, inference), 403, "permission_denied")
    assert_problem(gateway.call("POST", KEYS, inference, {"name": "x", "scopes": ["inference"]}),
                   403, "permission_denied")
    assert_problem(gateway.call("DELETE", f"{KEYS}/key_01ARZ3NDEKTSV4RRFFQ69G5FAV", inference),
                   403, "permission_denied")

    keys_only = create(gateway, ["keys:write"])["key"]
    assert gateway.call("GET", KEYS, keys_only).status == 200
    assert_error(ask(gateway, keys_only), 403, "permission_denied")


def test_the_scope_is_checked_after_the_fields_and_before_the_model(gateway: Up) -> None:
    keys_only = create(gateway, ["keys:write"])["key"]
    assert_error(gateway.call("POST", PATH, keys_only, b"{"), 400, "invalid_json")
    assert_error(ask(gateway, keys_only, temperature=9), 400, "invalid_value", "temperature")
    assert_error(ask(gateway, keys_only, model="nobody"), 403, "permission_denied")


@pytest.mark.parametrize("data", [
    {"name": ""}, {"name": "a\nb"}, {"name": "é" * 101}, {"name": "x", "scopes": ["fly"]},
    {"name": "x", "scopes": ["inference", "fly"]},
    {"name": "x", "expires_at": "2001-01-01T00:00:00Z"}], ids=str)
def test_the_fields_of_a_new_key_are_checked_before_the_scope(gateway: Up, data: Any) -> None:
    reader = create(gateway, ["credits:read"])["key"]
    assert_problem(gateway.call("POST", KEYS, reader, data), 400, "invalid_value")
    assert_problem(gateway.call("POST", KEYS, reader, {"name": "x"}), 403, "permission_denied")


def test_the_cursor_of_a_list_is_checked_before_the_scope(gateway: Up) -> None:
    bare = create(gateway, ["inference"])["key"]
    for path in (KEYS, "/api/v1/credits/entries", "/api/v1/requests"):
        assert_problem(gateway.call("GET", f"{path}?after=bogus", bare), 400, "invalid_value")
        assert_problem(gateway.call("GET", path, bare), 403, "permission_denied")


def test_a_name_has_up_to_a_hundred_characters_whatever_their_bytes(gateway: Up) -> None:
    for name in ("é" * 60, "\U0001f41d" * 100):
        answer = gateway.call("POST", KEYS, gateway.api_key, {"name": name})
        assert answer.status == 201, answer.text
        assert answer.json()["name"] == name
    answer = gateway.call("POST", KEYS, gateway.api_key, {"name": "é" * 101})
    assert_problem(answer, 400, "invalid_value")


@pytest.mark.parametrize(("data", "code"), [
    (b"{", "invalid_json"),
    ({"scopes": ["inference"]}, "missing_required_parameter"),
    ({"name": 5, "scopes": ["inference"]}, "invalid_value"),
    ({"name": "x", "scopes": "inference"}, "invalid_value"),
    ({"name": "x", "scopes": ["fly"]}, "invalid_value"),
    ({"name": "x", "scopes": [5]}, "invalid_value"),
    ({"name": "x", "scopes": ["inference"], "expires_at": "tomorrow"}, "invalid_value"),
    ({"name": "x", "scopes": ["inference"], "expires_at": 5}, "invalid_value"),
    ({"name": "x", "scopes": ["inference"], "expires_at": "2001-01-01T00:00:00Z"},
     "invalid_value"),
    ({"name": "x", "scopes": ["inference"], "expires_at": "1970-01-01T00:00:00Z"},
     "invalid_value"),
    ({"name": "x", "scopes": []}, "invalid_value"),
], ids=str)
def test_a_wrong_key_request_is_a_problem(gateway: Up, data: Any, code: str) -> None:
    problem = assert_problem(gateway.call("POST", KEYS, gateway.api_key, data), 400, code)
    for error in problem.get("errors", []):
        assert error["pointer"].startswith("/") and error["detail"]


def test_the_pointer_of_a_problem_names_the_field(gateway: Up) -> None:
    data = {"name": "x", "scopes": ["inference", "fly"]}
    problem = assert_problem(gateway.call("POST", KEYS, gateway.api_key, data), 400,
                             "invalid_value")
    assert problem["errors"][0]["pointer"].startswith("/scopes")


def test_unknown_and_malformed_ids_are_not_found(gateway: Up) -> None:
    seen = set()
    for name in ("key_01ARZ3NDEKTSV4RRFFQ69G5FAV", "key_x", "nothing", "%2e%2e", "x" * 3000):
        answer = gateway.call("DELETE", f"{KEYS}/{name}", gateway.api_key)
        seen.add(assert_problem(answer, 404, "not_found")["title"])
    assert len(seen) == 1
