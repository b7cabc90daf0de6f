"""tests/authorization/matrix.yaml: its rows, and what a cell wants of an answer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from api_keys import ULID
from openapi import Route, Rule
from raw_http import Answer

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "tests/authorization/matrix.yaml"
OF_ROUTES = ("anonymous", "revoked", "expired", "no_scope", "other_org", "owner")
OF_METHODS = (*OF_ROUTES, "operator", "operator_tcp", "socket")
ID = re.compile(f"(?:org|prj|usr|key|req|txn|hold)_{ULID}")
SCOPES = ("inference", "prompts:read", "prompts:write", "credits:read", "credits:write",
          "requests:read", "keys:write")
Matrix = dict[str, dict[str, dict[str, Any]]]


def load() -> Matrix:
    matrix: Matrix = yaml.safe_load(FILE.read_text("utf-8"))
    return matrix


def check_rows(matrix: Matrix, routes: list[Route], rules: dict[str, Rule],
               codes: set[str]) -> list[str]:
    """A row for every route and method and no other, each with every column; known codes only."""
    served = {f"{route.verb} {route.path}" for route in routes}
    found = []
    for kind, wanted, columns, call in (
            ("routes", served, OF_ROUTES, {"path", "body", "headers"}),
            ("methods", set(rules), OF_METHODS, {"request"})):
        rows = matrix[kind]
        found += [f"{name}: no row in {kind}" for name in wanted - rows.keys()]
        found += [f"{name}: a row in {kind} of nothing" for name in rows.keys() - wanted]
        for name, row in rows.items():
            found += [f"{name}: no column {column}" for column in columns if column not in row]
            found += [f"{name}: what is {more}?" for more in row.keys() - {*columns} - call]
            found += [f"{name}: {column}: what is '{word}'?" for column in columns
                      for word in str(row.get(column, "")).split()
                      if word not in codes | {"ok", "own", "shared"} and not word.isdecimal()]
    return found


def code_of(answer: Answer) -> str:
    """The code of an error in either dialect; "" when the answer is good."""
    if answer.status < 400:
        return ""
    body = answer.json()
    return str(body["code"] if "code" in body else body["error"]["code"])


def judge(cell: object, answer: Answer, foreign: set[str],
          owners: Answer | None = None) -> list[str]:
    """What of the answer is not as the cell wants it. `foreign` are the ids and texts that must not
    be in an answer of one's own; `owners` is what the owner is answered."""
    status, _, word = str(cell).partition(" ")
    found = []
    if answer.status != int(status):
        found.append(f"answered {answer.status}, not {status}: {answer.text[:300]}")
    elif answer.status >= 400 and code_of(answer) != word:
        found.append(f"answered {code_of(answer)}, not {word}")
    if word == "own":
        seen = [one for one in foreign if one in answer.text or one in str(answer.header_list)]
        found += [f"tells {sorted(seen)} of the other organization"] if seen else []
        if "idempotent-replayed" in answer.headers:
            found.append("is a stored answer of the other organization")
        if owners is not None and owners.body == answer.body:
            found.append("is the owner's answer")
    if word == "shared" and owners is not None and owners.body != answer.body:
        found.append("is not what the owner is answered")
    return found


def filled(value: Any, names: dict[str, str]) -> Any:
    """The value with every {name} in its texts replaced."""
    text = json.dumps(value)
    for name, stands_for in names.items():
        text = text.replace("{" + name + "}", stands_for)
    return json.loads(text)


def masked(answer: Answer, names: dict[str, str]) -> tuple[int, Any]:
    """The answer without what differs from call to call, and without the names that were sent."""
    text = answer.text
    for name, sent in names.items():
        text = text.replace(sent, name)
    body = json.loads(text)
    for varying in ("request_id", "trace_id"):
        body.pop(varying, None)
    return answer.status, body
