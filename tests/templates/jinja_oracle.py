"""What jinja2 makes of a template, and whether Quire's engine makes the same of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import jinja2
import jinja2.filters
import jinja2.meta
import jinja2.sandbox

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("QUIRE_TEMPLATE_RENDER", ROOT / "build/release/template_render"))


class Strict(jinja2.StrictUndefined):
    """jinja2 prints an undefined value inside a list as `Undefined`; Quire refuses it."""

    def __repr__(self) -> str:
        return self._fail_with_undefined_error()


class Oracle(jinja2.sandbox.SandboxedEnvironment):
    """Without printf: in Python a text % a value is a format, in Quire it is refused. The sandbox
    is there for the hook only."""
    intercepted_binops = frozenset(["%"])

    def is_safe_attribute(self, obj, attr, value) -> bool:
        return True

    def call_binop(self, context, operator, left, right):
        if isinstance(left, str):
            raise TypeError("no printf")
        return super().call_binop(context, operator, left, right)


@jinja2.pass_eval_context
def plain_tojson(eval_ctx, value, indent=None) -> str:
    """jinja2 marks the result as HTML even without autoescape, which shows inside a list."""
    return str(jinja2.filters.do_tojson(eval_ctx, value, indent))


LIMITS = ("64 bits", "takes more than 100000 steps", "becomes longer than 1048576 bytes")
ENVIRONMENT = Oracle(undefined=Strict)
ENVIRONMENT.filters["tojson"] = plain_tojson
# What the random templates can hit of what jinja2 has and Quire has not.
NOT_OFFERED = {"filter": {"e"}, "test": set()}


@dataclass(frozen=True)
class Case:
    template: str
    variables: dict


@dataclass(frozen=True)
class Outcome:
    output: str | None  # None: refused
    names: tuple[str, ...] | None  # None: does not compile
    why: str = ""
    param: str = ""


def by_jinja(case: Case) -> Outcome:
    try:
        names = jinja2.meta.find_undeclared_variables(ENVIRONMENT.parse(case.template))
        compiled = ENVIRONMENT.from_string(case.template)
    except (jinja2.TemplateError, RecursionError) as error:
        return Outcome(None, None, str(error))
    names = tuple(sorted(names))
    try:
        return Outcome(compiled.render(case.variables), names)
    except Exception as error:  # whatever Python raises is a refusal
        return Outcome(None, names, f"{type(error).__name__}: {error}")


def by_quire(cases: Iterable[Case]) -> list[Outcome]:
    lines = "".join(json.dumps({"template": case.template, "variables": case.variables}) + "\n"
                    for case in cases)
    answer = subprocess.run([PROGRAM], input=lines, capture_output=True, text=True, check=True,
                            timeout=3600)
    return [_outcome(json.loads(line)) for line in answer.stdout.split("\n") if line]


def _outcome(answer: dict) -> Outcome:
    names = tuple(answer["names"]) if "names" in answer else None
    return Outcome(answer.get("output"), names, answer.get("error", ""), answer.get("param", ""))


def difference(case: Case, jinja: Outcome, quire: Outcome) -> str:
    """One line on how they differ; "" when they agree. Both may refuse, each with words of its own;
    a template that only one can compile must fail in the other when rendered. Quire
    may refuse what is too large for its limits, and says so."""
    if quire.output is None and (any(limit in quire.why for limit in LIMITS)
                                 or _is_not_offered(quire.why)):
        return ""
    if jinja.output != quire.output:
        return (f"{case.template!r} with {case.variables!r}: jinja2 {jinja.output!r} {jinja.why}, "
                f"quire {quire.output!r} {quire.why}")
    if jinja.names is not None and quire.names is not None and jinja.names != quire.names:
        return f"{case.template!r}: jinja2 reads {jinja.names}, quire {quire.names}"
    return ""


def _is_not_offered(why: str) -> bool:
    """jinja2 finds a wrong name in an `if` only when it gets there, Quire when it compiles. What
    Quire offers is never excused: its names are jinja2's."""
    unknown = re.search(r"there is no (filter|test|function) '(\w+)'", why)
    if unknown is None:
        return False
    kind, name = unknown.groups()
    if kind == "function":
        return name not in ENVIRONMENT.globals
    known = {"filter": ENVIRONMENT.filters, "test": ENVIRONMENT.tests}[kind]
    return name not in known or name in NOT_OFFERED[kind]


def differences(cases: list[Case]) -> list[str]:
    answers = by_quire(cases)
    assert len(answers) == len(cases)
    found = (difference(case, by_jinja(case), answer)
             for case, answer in zip(cases, answers, strict=True))
    return [text for text in found if text]
