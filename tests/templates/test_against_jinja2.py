"""Quire's templates against jinja2: the corpus, random templates, and a planted difference."""

from __future__ import annotations

import dataclasses
import json
import os

import pytest

from jinja_oracle import PROGRAM, ROOT, Case, by_jinja, by_quire, difference, differences
from random_templates import random_cases

IS_SOAK = os.environ.get("QUIRE_SOAK") == "1"
SEEDS = range(200) if IS_SOAK else range(3)
CASES_PER_SEED = 1000
SHOWN_MAX = 20
CORPUS = sorted((ROOT / "tests/corpora/templates").glob("*.json"))


def corpus_cases() -> list[Case]:
    cases = []
    for path in CORPUS:
        page = json.loads(path.read_text())
        for row in page["cases"]:
            template, *own = row if isinstance(row, list) else [row]
            cases.append(Case(template, own[0] if own else page["variables"]))
    return cases


@pytest.fixture(scope="module", autouse=True)
def program() -> None:
    if not PROGRAM.exists():
        raise pytest.UsageError(f"no program at {PROGRAM}: build it, or set QUIRE_TEMPLATE_RENDER")


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_corpus_page_has_cases(path) -> None:
    assert json.loads(path.read_text())["cases"]


def test_corpus_is_large_enough() -> None:
    assert len(corpus_cases()) >= 150


def test_the_corpus_renders_as_in_jinja2() -> None:
    found = differences(corpus_cases())
    assert not found, "\n".join(found[:SHOWN_MAX])


@pytest.mark.parametrize("seed", SEEDS)
def test_random_templates_render_as_in_jinja2(seed: int) -> None:
    found = differences(random_cases(seed, CASES_PER_SEED))
    assert not found, f"{len(found)} differ\n" + "\n".join(found[:SHOWN_MAX])


def test_random_templates_are_not_all_refused() -> None:
    answers = by_quire(random_cases(0, CASES_PER_SEED))
    assert sum(answer.output is not None for answer in answers) > CASES_PER_SEED / 5


@pytest.mark.parametrize("planted", [
    {"output": "Hello Ada "}, {"output": None, "why": "refused"}, {"names": ("other",)}])
def test_a_planted_difference_is_found(planted: dict) -> None:
    case = Case("Hello {{ name }}", {"name": "Ada"})
    answer = by_quire([case])[0]
    assert difference(case, by_jinja(case), answer) == ""
    assert difference(case, by_jinja(case), dataclasses.replace(answer, **planted)) != ""
