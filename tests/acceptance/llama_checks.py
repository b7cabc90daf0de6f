#!/usr/bin/env python3
"""Quire in front of a running llama-server: the same words, plain and streamed, counted by the
server itself and charged to the micro-credit; then the demo.
With --use: what `--use llama` finds by itself."""

import argparse
import json
import subprocess
import sys
import urllib.request

from checks import ROOT, check
from quire_up import Quire, QuireError, config_for

MODEL_THERE, MODEL_HERE = "tiny-random", "writer"
OUTPUT_TOKENS = 24
PRICE = {"input": 1_500_000, "output": 6_100_000}  # micro-credits per million tokens


def post(url, key, body):
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    request = urllib.request.Request(url + "/v1/chat/completions", json.dumps(body).encode(),
                                     headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read().decode()


def question(model, **more):
    """Always the same words: no sampling, and no reuse of the prompt's work, which rounds
    differently. `cache_prompt` is llama-server's own field and must reach it."""
    messages = [{"role": "user", "content": "write a post about the honey of the city"}]
    return {"model": model, "messages": messages, "max_tokens": OUTPUT_TOKENS, "temperature": 0,
            "cache_prompt": False} | more


def ask_plain(url, key, model):
    answer = json.loads(post(url, key, question(model)))
    return answer, answer["choices"][0]["message"]["content"]


def ask_streamed(url, key, model):
    body = question(model, stream=True, stream_options={"include_usage": True})
    lines = post(url, key, body).splitlines()
    events = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    chunks = [json.loads(event) for event in events if event != "[DONE]"]
    deltas = [choice["delta"].get("content") for chunk in chunks for choice in chunk["choices"]]
    return events, chunks, [text for text in deltas if text]


def available(quire):
    request = urllib.request.Request(quire.url + "/api/v1/credits/balance",
                                     headers={"authorization": f"Bearer {quire.api_key}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["available"]


def check_charge(before, quire, own):
    """The server's own count times the price, rounded up once."""
    due = own["prompt_tokens"] * PRICE["input"] + own["completion_tokens"] * PRICE["output"]
    expected, charged = -(-due // 1_000_000), before - available(quire)
    check(f"the balance is lower by exactly price x usage ({expected})", charged == expected,
          charged)


def check_plain(quire, own_answer, own_text):
    before = available(quire)
    answer, text = ask_plain(quire.url, quire.api_key, MODEL_HERE)
    check(f"a plain answer, word for word the server's: {text!r}", text == own_text, text)
    check("the name that was asked for", answer["model"] == MODEL_HERE, answer["model"])
    finish_reason = answer["choices"][0]["finish_reason"]
    check("finish_reason length", finish_reason == "length", finish_reason)
    check_usage(answer["usage"], own_answer["usage"])
    check_charge(before, quire, own_answer["usage"])


def check_streamed(quire, own_answer, own_text):
    before = available(quire)
    events, chunks, deltas = ask_streamed(quire.url, quire.api_key, MODEL_HERE)
    check("a streamed answer, the same words", "".join(deltas) == own_text, "".join(deltas))
    check(f"in pieces ({len(deltas)})", len(deltas) > 1)
    check("ending with [DONE]", events[-1] == "[DONE]", events[-1])
    reasons = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]
    check("one finish_reason, the last", reasons[-1] == "length" and not any(reasons[:-1]), reasons)
    check("one id in all chunks", len({chunk["id"] for chunk in chunks}) == 1)
    check_usage(chunks[-1]["usage"], own_answer["usage"])
    check_charge(before, quire, own_answer["usage"])


def check_usage(usage, own):
    counts = ("prompt_tokens", "completion_tokens", "total_tokens")
    same = all(usage[count] == own[count] for count in counts)
    numbers = f"{own['prompt_tokens']} in, {own['completion_tokens']} out"
    check(f"usage is the server's count ({numbers})", same, usage)


def check_demo(options, *arguments):
    demo = [sys.executable, ROOT / "tools/demo.py", "--quire", options.quire]
    command = [*demo, "--json", *arguments]
    run = subprocess.run(command, capture_output=True, text=True)
    check(f"demo {' '.join(arguments)} exits 0", run.returncode == 0, run.stderr)
    facts = json.loads(run.stdout)
    check(f"its text is the real model's {facts['model']}",
          facts["model"] == MODEL_THERE and facts["simulated"] is False, facts)
    check(f"{facts['usage']['output_tokens']} tokens of it: {facts['text'][:40]!r}...",
          bool(facts["text"].strip()), facts)
    lines = {line["class"]: line["tokens"] for line in facts["page"]["cost"]["lines"]}
    counts = (facts["usage"]["input_tokens"], facts["usage"]["output_tokens"])
    told = (lines["input"] + lines.get("cached", 0), lines["output"] + lines.get("reasoning", 0))
    check(f"its page has cost lines for all tokens {lines}", told == counts, facts["page"])


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quire", required=True, help="the program to try")
    parser.add_argument("--llama", required=True, metavar="URL", help="of the llama-server")
    parser.add_argument("--use", action="store_true", help="try --use llama instead of a config")
    return parser.parse_args()


def main():
    options = arguments()
    if options.use:
        with Quire(options.quire, use="llama") as quire:
            _, text = ask_plain(quire.url, quire.api_key, MODEL_THERE)
            check("--use llama offers the model under its own name", bool(text), text)
        check_demo(options, "--use", "llama")
        return
    own_answer, own_text = ask_plain(options.llama, "none", MODEL_THERE)
    check("the llama-server alone gives text", bool(own_text), own_answer)
    config = config_for({MODEL_HERE: (f"{options.llama}/v1", MODEL_THERE)})
    config["models"][MODEL_HERE]["price"] = PRICE
    with Quire(options.quire, config) as quire:
        check_plain(quire, own_answer, own_text)
        check_streamed(quire, own_answer, own_text)
        check("stops with exit code 0 on SIGTERM", quire.stop() == 0, quire.process.returncode)
    check_demo(options, "--base-url", f"{options.llama}/v1")


if __name__ == "__main__":
    try:
        main()
    except (QuireError, OSError) as error:
        said = error.read().decode() if hasattr(error, "read") else ""
        sys.exit(f"  FAILED: {error} {said}")
