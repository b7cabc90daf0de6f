#!/usr/bin/env python3
"""Has a short blog post written by a Quire of its own, and shows what happened on the way.

It starts `quire up` on a temporary folder, publishes the prompt `blog_post`, generates with it and
prints the post as it is streamed; then one answer that review redacts and one that it cuts, the
page of the first request with its steps and cost lines, the statement and what is left, and how to
go on. Nothing is left behind. The text is simulated unless a real model is named.

    ./dev demo ["bees on a roof"] [--use openai|ollama|vllm|llama] [--base-url URL] [--json]
"""

import argparse
import contextlib
import http.client
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unicodedata
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 10
ANSWER_SECONDS_MAX = 300
PAGE_SECONDS_MAX = 5
OUTPUT_TOKENS_MAX = 600
REVIEW = {"review": {"default": {"output": [
    {"name": "cards", "kind": "pii.card", "action": "redact"},
    {"name": "banned", "kind": "literal", "values": ["the secret recipe"], "action": "block"}]}}}
PRICE = {"input": 150000, "output": 600000}  # micro-credits per million tokens, as for `sim`
SIMULATED = "sim"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

PROMPTS = {
    "blog_post": [
        {"role": "system", "content": "You write short, {{ tone | default('friendly') }} blog "
         "posts of two paragraphs, in plain text."},
        {"role": "user", "content": "Write a short blog post about {{ topic | trim }}."}],
    "repeat": [{"role": "user", "content": "Repeat: {{ words }}"}],
}

# What the model is asked to repeat, to show what a rule makes of it. 4111… is a test number.
REPEATED = {"redacted": "my card is 4111 1111 1111 1111, thank you",
            "blocked": "first take the secret recipe from the drawer"}

SEEN = {"ready_ms": "start to ready", "first_token_ms": "first token",
        "total_ms": "whole answer"}

NEXT_STEPS = """
./dev up%(up)s   # a Quire that stays; it prints its key once
export QUIRE_URL=http://127.0.0.1:8700 QUIRE_API_KEY=qk_live_...   # the key it printed

# curl
curl -N "$QUIRE_URL/v1/chat/completions" -H "Authorization: Bearer $QUIRE_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"model": "%(model)s", "stream": true, "messages": [{"role": "user", "content": "Hello"}]}'

# a prompt of your own, and what happened
curl "$QUIRE_URL/api/v1/prompts/blog_post/versions" -H "Authorization: Bearer $QUIRE_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"labels": ["production"],
       "messages": [{"role": "user", "content": "A post about {{ topic }}."}]}'
curl "$QUIRE_URL/api/v1/generate" -H "Authorization: Bearer $QUIRE_API_KEY" \\
  -H "Content-Type: application/json" -d '{"prompt": "blog_post", "variables": {"topic": "bees"}}'
curl "$QUIRE_URL/api/v1/requests?limit=1" -H "Authorization: Bearer $QUIRE_API_KEY"

# Python: pip install openai
import os
from openai import OpenAI
client = OpenAI(base_url=os.environ["QUIRE_URL"] + "/v1", api_key=os.environ["QUIRE_API_KEY"])
messages = [{"role": "user", "content": "Hello"}]
answer = client.chat.completions.create(model="%(model)s", messages=messages)
print(answer.choices[0].message.content)

// Node: npm install openai
import OpenAI from "openai";
const { QUIRE_URL, QUIRE_API_KEY } = process.env;
const client = new OpenAI({ baseURL: QUIRE_URL + "/v1", apiKey: QUIRE_API_KEY });
const messages = [{ role: "user", content: "Hello" }];
const answer = await client.chat.completions.create({ model: "%(model)s", messages });
console.log(answer.choices[0].message.content);
"""


class DemoError(Exception):
    """Something that the demo was waiting for did not come; the text is for the user."""


class Quire:
    """`quire up` on a temporary folder."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        self.log_path = folder / "quire.log"
        self.process = None

    def start(self, arguments):
        """Returns after the ready line; says how long that took, in milliseconds."""
        command = [str(self.binary), "up", "--json", "--data", str(self.folder / "data"),
                   "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", *arguments]
        started = time.monotonic()
        with self.log_path.open("wb") as log:
            try:  # in a session of its own, so that Ctrl-C reaches it through stop() alone
                self.process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                    start_new_session=True)
            except OSError as error:
                raise DemoError(f"cannot run {self.binary}: {error.strerror}") from error
        ready = self._ready_line(started + START_SECONDS_MAX)
        self.url, self.api_key = ready["url"], ready["api_key"]
        return (time.monotonic() - started) * 1e3

    def _ready_line(self, deadline):
        descriptor, line = self.process.stdout.fileno(), b""
        while b"\n" not in line:
            wait = max(0, deadline - time.monotonic())
            readable, _, _ = select.select([descriptor], [], [], wait)
            piece = os.read(descriptor, 65536) if readable else b""
            if not piece:
                why = "ended before it was ready" if readable else "was not ready in time"
                raise DemoError(f"quire up {why}. It said:\n{self.said()}")
            line += piece
        try:
            ready = json.loads(line.split(b"\n")[0])
            return {"url": ready["url"], "api_key": ready["api_key"]}
        except (ValueError, LookupError, TypeError) as error:
            raise DemoError(f"not a ready line with url and api_key: {line!r}") from error

    def said(self):
        lines = self.log_path.read_text(errors="replace").splitlines()
        return "\n".join("  " + line for line in lines[-8:]) or "  (nothing)"

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Page:
    """What people see: the post with its lines broken as it comes, and headings."""

    def __init__(self, out):
        self.out = out
        self.out.reconfigure(errors="replace")  # a terminal may not know a model's characters
        self.coloured = out.isatty() and not os.environ.get("NO_COLOR")
        self.width = min(shutil.get_terminal_size().columns, 88) - 2
        self.word, self.column = "", 0

    def write(self, text):
        self.out.write(text)
        self.out.flush()

    def heading(self, text):
        self.write(f"\n\033[1m{text}\033[0m\n" if self.coloured else f"\n{text}\n")

    def post(self, text):
        """A piece of the post. A model may say anything: control characters are not passed on."""
        for character in text:
            if character in " \n":
                self._end_word()
                self.column = 0 if character == "\n" else self.column
                self.out.write(character if character == "\n" else "")
            elif unicodedata.category(character) not in ("Cc", "Cf"):
                self.word += character
        self.out.flush()

    def end_post(self):
        self._end_word()
        self.write("\n")

    def _end_word(self):
        if not self.word:
            return
        fits = 0 < self.column and self.column + 1 + len(self.word) <= self.width
        before = " " if fits else "\n  " if self.column else "  "
        self.out.write(before + self.word)
        self.column = len(self.word) + (self.column + 1 if fits else 0)
        self.word = ""

    def times(self, facts):
        self.heading(f"Its page: GET /api/v1/requests/{facts['request_id']}")
        shown = facts["page"]
        self.write(f"  {shown['status']}, prompt {shown['prompt']['name']} version "
                   f"{shown['prompt']['version']}, trace {shown['trace_id']}\n")
        self.write(f"  {'step':<28}{'began, ms':>12}{'took, ms':>12}\n")
        for step in shown["steps"]:
            self.write(f"  {step['name']:<28}{step['start_us'] / 1e3:>12.2f}"
                       f"{step['duration_us'] / 1e3:>12.2f}\n")
        self.heading("What the client saw")
        for name in ("ready_ms", "first_token_ms", "total_ms"):
            self.write(f"  {SEEN[name]:<28}{facts[name]:>12.2f} ms\n")
        if facts["tokens_per_second"]:
            self.write(f"  tokens a second {facts['tokens_per_second']:>24.0f}\n")

    def money(self, facts):
        self.heading("What it cost (micro-credits; prices are for a million tokens)")
        for line in facts["page"]["cost"]["lines"]:
            self.write(f"  {line['class']:<10}{line['tokens']:>8,} tokens at {line['price']:>10,}"
                       f"{line['amount']:>12,}\n")
        self.write(f"  together{facts['page']['cost']['amount']:>43,}\n")
        self.heading("The statement, newest first")
        for entry in facts["entries"]:
            self.write(f"  {entry['kind']:<10}{entry['amount']:>+16,}  {entry['description']}\n")
        balance = facts["balance"]
        self.write(f"  {'available':<10}{balance['available']:>16,}  held {balance['held']:,}\n")

    def review(self, facts):
        self.heading("What review made of two answers")
        for kind, shown in facts["review"].items():
            self.write(f"  asked to repeat: {REPEATED[kind]}\n")
            self.write(f"  came:            {shown['text']}\n")
            rules = ", ".join(f"{decision['action']} by the rule {decision['rule']}"
                              for decision in shown["decisions"]) or "nothing to find"
            self.write(f"  finish_reason:   {shown['finish_reason']}, cost {shown['cost']}; "
                       f"{rules}\n")

    def next_steps(self, facts, options):
        self.heading("How to go on (this Quire is gone again)")
        self.write("quire.yaml: " + json.dumps(facts["config"]) + "\n")
        up = " --config quire.yaml" + (f" --use {options.use}" if options.use else "")
        self.write(NEXT_STEPS.lstrip() % {"up": up, "model": facts["model"]})


@contextlib.contextmanager
def temporary_quire(binary):
    folder = Path(tempfile.mkdtemp(prefix="quire-demo-"))
    quire = Quire(binary, folder)
    try:
        yield quire
    finally:
        for number in STOP_SIGNALS:  # a second Ctrl-C must not leave the process behind
            signal.signal(number, signal.SIG_IGN)
        quire.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def request(method, url, api_key=None, body=None):
    """One HTTP request; what is not a 200 becomes the server's own message."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=ANSWER_SECONDS_MAX)
    headers = {"content-type": "application/json"} if body is not None else {}
    if api_key:
        headers["authorization"] = f"Bearer {api_key}"
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        if answer.status not in (200, 201):
            raise DemoError(f"{method} {parts.path} answered {answer.status}: "
                            f"{error_text(answer.read())}")
        yield answer
    except (OSError, http.client.HTTPException) as error:
        raise DemoError(f"{method} {url}: {error or type(error).__name__}") from error
    finally:
        connection.close()


def error_text(body):
    """The message of OpenAI's error object, or of a problem document."""
    try:
        document = json.loads(body)
        error = document.get("error") or document
        return f"{error.get('message') or error['detail']} ({error['code']})"
    except (ValueError, LookupError, TypeError, AttributeError):
        return body.decode(errors="replace")[:500]


def get_json(quire, path):
    with request("GET", quire.url + path, quire.api_key) as answer:
        return json.load(answer)


def post_json(quire, path, body):
    with request("POST", quire.url + path, quire.api_key, json.dumps(body)) as answer:
        return json.load(answer)


def models_of(base_url, api_key=None):
    with request("GET", base_url + "/models", api_key) as answer:
        names = [model["id"] for model in json.load(answer)["data"]]
    if not names:
        raise DemoError(f"{base_url} offers no model")
    return names


def configuration(base_url, model):
    """A quire.yaml with one model, served by the OpenAI-compatible server at base_url."""
    return REVIEW | {
        "providers": {"local": {"kind": "openai", "base_url": base_url}},
        "models": {model: {"provider": "local", "upstream_model": model, "price": PRICE}},
    }


def start_arguments(options, folder, facts):
    facts["config"] = REVIEW
    if options.base_url:
        model = options.model or models_of(options.base_url)[0]
        facts["config"] = configuration(options.base_url, model)
    path = folder / "quire.yaml"
    path.write_text(json.dumps(facts["config"]))  # JSON is YAML
    use = ["--use", options.use] if options.use else []
    return ["--config", str(path), *use]


def publish_prompts(quire, facts, page):
    for name, messages in PROMPTS.items():
        version = post_json(quire, f"/api/v1/prompts/{name}/versions",
                            {"messages": messages, "labels": ["production"]})
        facts["prompts"].append(version)
        page.write(f"  {name} version {version['version']}, label production, variables: "
                   f"{', '.join(version['variables'])}\n")


def events(answer):
    """(event, data) of each server-sent event, as it comes."""
    kind = ""
    for line in answer:
        if line.startswith(b"event:"):
            kind = line[6:].strip().decode()
        elif line.startswith(b"data:"):
            yield kind, line[5:].strip()


def write_post(quire, facts, page):
    """Streams the post to the page; what was seen on the way goes into the facts."""
    body = json.dumps({"prompt": "blog_post", "variables": {"topic": facts["topic"]},
                       "model": facts["model"], "max_output_tokens": OUTPUT_TOKENS_MAX,
                       "stream": True})
    started = time.monotonic()
    with request("POST", quire.url + "/api/v1/generate", quire.api_key, body) as answer:
        facts["request_id"] = answer.getheader("x-request-id")
        for kind, data in events(answer):
            try:
                take(kind, json.loads(data), facts, page, started)
            except (ValueError, LookupError, TypeError) as error:
                raise DemoError(f"not an event of a stream: {data[:300]!r}") from error
    facts["total_ms"] = (time.monotonic() - started) * 1e3
    page.end_post()


def find_page(quire, facts):
    """The request as the log has it, which is there within a second of its answer."""
    deadline = time.monotonic() + PAGE_SECONDS_MAX
    path = f"/api/v1/requests/{facts['request_id']}"
    while True:
        try:
            facts["page"] = get_json(quire, path)
            facts["steps"] = facts["page"]["steps"]
            return
        except DemoError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def show_money(quire, facts, page):
    """What the post was charged, from the statement, and what is left."""
    facts["balance"] = get_json(quire, "/api/v1/credits/balance")
    facts["entries"] = get_json(quire, "/api/v1/credits/entries?limit=10")["data"]
    page.money(facts)


def show_review(quire, facts, page):
    """Two answers that a rule has changed; a real model may not repeat what it is asked to."""
    for kind, text in REPEATED.items():
        answer = post_json(quire, "/api/v1/generate", {
            "prompt": "repeat", "variables": {"words": text}, "model": facts["model"],
            "max_output_tokens": 100})
        facts["review"][kind] = {
            "text": answer["output"], "cost": answer["cost"]["amount"],
            "finish_reason": answer["finish_reason"], "decisions": answer["review"]}
    page.review(facts)


def take(kind, data, facts, page, started):
    """One event of the stream: the start, a piece of text, the end, or an error."""
    if kind == "error":
        page.end_post()
        raise DemoError(f"the stream broke off: {error_text(json.dumps(data).encode())}")
    if kind == "delta":
        if facts["first_token_ms"] is None:
            facts["first_token_ms"] = (time.monotonic() - started) * 1e3
        facts["text"] += data["text"]
        page.post(data["text"])
    elif kind == "done":
        facts["done"] = True
        facts["usage"], facts["finish_reason"] = data["usage"], data["finish_reason"]


def complete(facts):
    """Adds what follows from the rest; says what an answer lacked."""
    tokens = (facts["usage"] or {}).get("output_tokens")
    if tokens and facts["first_token_ms"] is not None:
        seconds = (facts["total_ms"] - facts["first_token_ms"]) / 1e3
        facts["tokens_per_second"] = tokens / seconds if seconds > 0 else None
    if not facts["text"].strip():
        raise DemoError("no text came")
    if not facts["finish_reason"] or not facts["done"]:
        raise DemoError("the stream ended without its last event: it was cut short")


def run(options, facts, page):
    if not os.access(options.quire, os.X_OK):
        raise DemoError(f"there is no program at {options.quire}: run ./dev build first")
    with temporary_quire(options.quire) as quire:
        arguments = start_arguments(options, quire.folder, facts)
        facts["ready_ms"] = quire.start(arguments)
        facts["model"] = options.model or models_of(quire.url + "/v1", quire.api_key)[0]
        facts["simulated"] = facts["model"] == SIMULATED
        kind = "simulated text, no key, no network" if facts["simulated"] else "a real model"
        page.heading("Two prompts are published")
        publish_prompts(quire, facts, page)
        page.heading(f"A post about {facts['topic']}, by the model {facts['model']} ({kind})")
        write_post(quire, facts, page)
        complete(facts)
        show_review(quire, facts, page)
        find_page(quire, facts)
        page.times(facts)
        show_money(quire, facts, page)
    if quire.process.returncode != 0:
        raise DemoError(f"quire up ended with exit code {quire.process.returncode} when stopped")
    facts["ok"] = True
    page.next_steps(facts, options)


def arguments():
    parser = argparse.ArgumentParser(
        prog="./dev demo", description=__doc__.splitlines()[0],
        epilog="Without --use and --base-url the text is simulated: no key, no network.")
    parser.add_argument("topic", nargs="?", default="bees on a roof", help="of the post")
    real = parser.add_mutually_exclusive_group()
    real.add_argument("--use", metavar="NAME", help="a real model: openai, ollama, vllm, llama")
    real.add_argument("--base-url", metavar="URL", type=lambda url: url.rstrip("/"),
                      help="of any OpenAI-compatible server, such as http://127.0.0.1:9000/v1")
    parser.add_argument("--model", metavar="NAME", help="of those offered (the first one)")
    parser.add_argument("--quire", metavar="FILE", type=Path,
                        default=ROOT / "build/release/quire", help="the program to run")
    parser.add_argument("--json", action="store_true",
                        help="one JSON document of the facts on stdout, the talk on stderr")
    options = parser.parse_args()
    if not options.topic.strip():
        parser.error("the topic is empty")
    return options


def stop_by_signal(number, _):
    sys.exit(128 + number)


def main():
    options = arguments()
    for number in STOP_SIGNALS:
        signal.signal(number, stop_by_signal)
    facts = {"ok": False, "topic": options.topic, "model": None, "simulated": None,
             "ready_ms": None, "steps": [], "first_token_ms": None, "total_ms": None,
             "usage": None, "tokens_per_second": None, "finish_reason": None, "done": False,
             "request_id": None, "text": "", "entries": [], "balance": None, "review": {},
             "prompts": [], "page": None}
    page = Page(sys.stderr if options.json else sys.stdout)
    try:
        run(options, facts, page)
    except DemoError as error:
        facts["error"] = str(error)
        print(f"demo: {error}", file=sys.stderr)
    if options.json:
        print(json.dumps(facts, indent=2))
    return 0 if facts["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
