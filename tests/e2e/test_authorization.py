"""tests/authorization/matrix.yaml against a running process: every cell of every route, and every
method on the operator's socket."""

from __future__ import annotations

import copy
import json
import re
import secrets
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import authorization
import openapi
import pytest
from api_keys import ULID
from authorization import SCOPES, filled, judge, masked
from quire_process import ROOT, Up
from raw_http import Answer, Connection, call
from waiting import wait_until

sys.path.insert(0, str(ROOT / "tools"))

import reference_docs  # noqa: E402

MATRIX = authorization.load()
DOCUMENT = openapi.load()
ROUTES = {f"{route.verb} {route.path}": route for route in openapi.read_routes()}
RULES = openapi.read_rules()
SECRET = "a canary of the first organization"
UNKNOWN = {"request": "req_01ARZ3NDEKTSV4RRFFQ69G5FAV", "key": "key_01ARZ3NDEKTSV4RRFFQ69G5FAV",
           "prompt": "nothing"}


@dataclass
class World:
    """Two organizations. What the first one has is named as in the matrix."""

    up: Up
    org: str
    names: dict[str, str]
    other: str  # a key of the other organization
    revoked: str
    expired: str
    made: dict[tuple[str, ...], str] = field(default_factory=dict)

    def key(self, *scopes: str) -> str:
        """A key of the first organization with these scopes, made once."""
        if scopes not in self.made:
            self.made[scopes] = new_key(self.up, list(scopes))["key"]
        return self.made[scopes]

    def key_of(self, caller: str, scope: str) -> str | None:
        if caller == "no_scope":
            return self.key(*(one for one in SCOPES if one != scope))
        if caller == "owner":
            return self.key(scope)
        return {"anonymous": None, "revoked": self.revoked, "expired": self.expired,
                "other_org": self.other}[caller]

    def ask(self, name: str, key: str | None, names: dict[str, str]) -> Answer:
        row = MATRIX["routes"][name]
        return self.up.call(ROUTES[name].verb, filled(row["path"], names), key,
                            filled(row.get("body"), names), headers=row.get("headers"))

    def state(self) -> str:
        """Everything that the first organization can see of itself."""
        paths = ["credits/balance", "credits/entries?limit=1000", "requests?limit=1000",
                 "keys?limit=1000", "prompts", "prompts/post", "prompts/shared",
                 f"requests/{self.names['request']}"]
        answers = [self.up.call("GET", f"/api/v1/{path}", self.up.api_key) for path in paths]
        assert {answer.status for answer in answers} == {200}, answers
        return "\n".join(answer.text for answer in answers)

    @staticmethod
    def foreign(state: str) -> set[str]:
        """What of the first organization nobody else may be told; of ids the ULID is enough."""
        return {SECRET, *(one.partition("_")[2] for one in authorization.ID.findall(state))}

    def rpc(self, method: str, body: Any, org: str | None = None) -> Answer:
        """A call on the operator's socket."""
        unix = socket.socket(socket.AF_UNIX)
        unix.settimeout(20)
        unix.connect(str(self.up.data / "quire.sock"))
        with Connection(unix) as connection:
            connection.request("POST", f"/rpc/{path_of(method)}",
                               {"x-quire-org": org or self.org, "connection": "close"}, body)
            return connection.read_answer()


def path_of(method: str) -> str:
    package, _, name = method.partition(".")
    return f"quire.{package}.v1.{package.capitalize()}/{name}"


def new_key(up: Up, scopes: list[str], **more: str) -> dict[str, Any]:
    made = up.call("POST", "/api/v1/keys", up.api_key, {"name": "n", "scopes": scopes, **more})
    assert made.status == 201, made.text
    key: dict[str, Any] = made.json()
    return key


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match, text
    return match.group()


def new_organization(up: Up) -> str:
    """Another organization with credits; a key of it with every scope."""
    org = found(f"org_{ULID}", up.cli("call", "auth.CreateOrganization", '{"name":"x"}').stdout)
    granted = up.cli("credits", "grant", "1000000", "--reason", "test", "--org", org)
    assert granted.returncode == 0, granted
    return found(r"qk_live_\w+", up.cli("keys", "create", "--name", "x", "--scopes",
                                        ",".join(SCOPES), "--org", org, "--json").stdout)


def in_log(up: Up, request: str) -> None:
    wait_until(lambda: up.call("GET", f"/api/v1/requests/{request}", up.api_key).status == 200
               and up.call("GET", f"/api/v1/requests/{request}", up.api_key).json()["route"],
               "the request in the log")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with Up({"content": {"store": True}}) as up:
        org = found(f"org_{ULID}", up.cli("call", "auth.ListOrganizations", "{}").stdout)
        soon = datetime.now(timezone.utc) + timedelta(seconds=1)
        expired = new_key(up, [*SCOPES], expires_at=soon.isoformat())["key"]
        revoked = new_key(up, [*SCOPES])
        gone = up.call("DELETE", f"/api/v1/keys/{revoked['id']}", up.api_key)
        assert gone.status == 204, gone.text
        for name in ("post", "shared"):
            published = up.call("POST", f"/api/v1/prompts/{name}/versions", up.api_key, {
                "messages": [{"role": "user", "content": SECRET}], "labels": ["production"]})
            assert published.status == 201, published.text
        row = MATRIX["routes"]["POST /v1/chat/completions"]
        chat = up.call("POST", row["path"], up.api_key, row["body"], headers=row["headers"])
        assert chat.status == 200, chat.text
        request = chat.headers["x-request-id"]
        in_log(up, request)
        entries = up.call("GET", "/api/v1/credits/entries", up.api_key).json()["data"]
        names = {"request": request, "key": new_key(up, ["inference"])["id"],
                 "entry": entries[0]["id"], "prompt": "post", "shared": "shared"}
        other = new_organization(up)
        wait_until(lambda: up.call("GET", "/v1/models", expired).status == 401, "the expiry")
        made = World(up, org, names, other, revoked["key"], expired)
        for scope in SCOPES:  # before anybody looks at the state
            made.key_of("owner", scope), made.key_of("no_scope", scope)
        yield made


# Routes ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("caller", authorization.OF_ROUTES)
@pytest.mark.parametrize("name", sorted(MATRIX["routes"]))
def test_a_route_answers_each_caller_as_the_matrix_says(world: World, name: str,
                                                        caller: str) -> None:
    route, cell = ROUTES[name], MATRIX["routes"][name][caller]
    key = world.key_of(caller, RULES[route.method].scope)
    before = world.state()
    answer = world.ask(name, key, world.names)
    assert openapi.check_answer(DOCUMENT, route.handler, answer) == []
    if caller == "owner":
        assert judge(cell, answer, set()) == []
        if RULES[route.method].scope == "inference" and route.verb == "POST":
            in_log(world.up, answer.headers["x-request-id"])  # a stored answer is told too
        return
    assert world.state() == before, "what was asked changed the first organization"
    owners = None
    if str(cell).endswith(("own", "shared")) and route.verb == "GET":
        owners = world.ask(name, world.up.api_key, world.names)
    assert judge(cell, answer, world.foreign(before), owners) == []
    if answer.status == 404:
        unknown = world.ask(name, key, world.names | UNKNOWN)
        assert masked(answer, world.names) == masked(unknown, UNKNOWN)


@pytest.mark.parametrize("path", ["/api/v1/requests?after={request}", "/api/v1/requests?key={key}",
                                  "/api/v1/credits/entries?after={entry}",
                                  "/api/v1/keys?after={key}", "/api/v1/prompts?after={prompt}"])
def test_cursors_and_filters_of_another_organization_tell_nothing(world: World, path: str) -> None:
    answer = world.up.call("GET", filled(path, world.names), world.other)
    assert judge("200 own", answer, world.foreign(world.state())) == []


@pytest.mark.parametrize("header", ["x-quire-org", "x-org-id", "x-user-id", "quire-principal-bin",
                                    "quire-call-bin", "x-forwarded-user"])
def test_a_header_does_not_make_somebody_else(world: World, header: str) -> None:
    path = f"/api/v1/requests/{world.names['request']}"
    answer = world.up.call("GET", path, world.other, headers={header: world.org})
    assert judge("404 not_found", answer, set()) == []
    assert world.up.call("GET", path, headers={header: world.org}).status == 401


# Methods -----------------------------------------------------------------------------------------

def new_request_id() -> str:
    return "req_0" + "".join(secrets.choice("0123456789ABCDEFGHJKMNPQRSTVWXYZ") for _ in range(25))


def with_open_hold(world: World) -> str:
    body = MATRIX["methods"]["credits.Admit"]["request"]
    request = new_request_id()
    held = world.rpc("credits.Admit", filled(body, {"fresh": request}))
    assert held.status == 200, held.text
    return request


@pytest.mark.parametrize("method", sorted(MATRIX["methods"]))
def test_the_operators_socket_answers_as_the_matrix_says(world: World, method: str) -> None:
    row = MATRIX["methods"][method]
    text = json.dumps(row["request"])
    names = world.names | {"fresh": new_request_id(),
                           "caller_key": str(world.up.api_key)}
    names |= {name: with_open_hold(world) for name in ("settling", "voiding")
              if "{" + name + "}" in text}
    answer = world.rpc(method, filled(row["request"], names))
    assert judge(row["socket"], answer, set()) == []


@pytest.mark.parametrize("method", sorted(MATRIX["methods"]))
def test_no_method_is_reached_through_the_listeners(world: World, method: str) -> None:
    for path in (f"/rpc/{path_of(method)}", f"/{path_of(method)}", f"/rpc/{method}"):
        for url in (world.up.url, world.up.admin_url):
            answer = call(url, "POST", path, world.up.api_key, {})
            assert answer.status in (404, 405), (url, path, answer.text)


def test_the_socket_is_the_owners_alone(world: World) -> None:
    assert (world.up.data / "quire.sock").stat().st_mode & 0o777 == 0o600


# The matrix itself -------------------------------------------------------------------------------

def codes() -> set[str]:
    rows = reference_docs.read_catalogue((ROOT / reference_docs.CATALOGUE).read_text("utf-8"))
    return {row.code for row in rows}


def rows_of(change: Callable[[Any], object] = lambda matrix: None) -> list[str]:
    matrix = copy.deepcopy(MATRIX)
    change(matrix)
    return authorization.check_rows(matrix, list(ROUTES.values()), RULES, codes())


def test_every_route_and_every_method_has_its_row() -> None:
    assert rows_of() == []


@pytest.mark.parametrize("wanted,change", [
    ("GET /v1/models: no row in routes", lambda m: m["routes"].pop("GET /v1/models")),
    ("credits.Grant: no row in methods", lambda m: m["methods"].pop("credits.Grant")),
    ("GET /v1/old: a row in routes of nothing",
     lambda m: m["routes"].update({"GET /v1/old": m["routes"]["GET /v1/models"]})),
    ("credits.Take: a row in methods of nothing",
     lambda m: m["methods"].update({"credits.Take": m["methods"]["credits.Grant"]})),
    ("GET /v1/models: no column expired", lambda m: m["routes"]["GET /v1/models"].pop("expired")),
    ("credits.Grant: what is guest?", lambda m: m["methods"]["credits.Grant"].update(guest="ok")),
    ("credits.Grant: owner: what is 'forbidden'?",
     lambda m: m["methods"]["credits.Grant"].update(owner="forbidden")),
])
def test_a_planted_fault_of_the_matrix_is_found(wanted: str, change: Callable[[Any], Any]) -> None:
    assert rows_of(change) == [wanted]


def test_an_answer_that_the_cell_does_not_want_is_found() -> None:
    def answer(status: int, body: str, **headers: str) -> Answer:
        return Answer(status, "HTTP/1.1", [*headers.items()], body.encode())

    denied = answer(403, '{"code":"permission_denied"}')
    page = answer(200, '{"data":["key_1"]}')
    assert judge("403 permission_denied", denied, set()) == []
    assert judge("200 own", page, {"key_2"}) == [] == judge("200 shared", page, set(), page)
    for wrong in (judge("403 model_not_allowed", denied, set()),
                  judge("404 not_found", denied, set()),
                  judge("200", denied, set()),
                  judge("200 own", page, {"key_1"}),
                  judge("200 own", page, set(), page),
                  judge("200 own", answer(200, "{}", **{"idempotent-replayed": "true"}), set()),
                  judge("200 shared", page, set(), answer(200, "{}"))):
        assert len(wrong) == 1, wrong
