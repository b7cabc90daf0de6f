#!/usr/bin/env python3
"""The openai package against `quire up`: the README's Python, chat, streams, error classes."""

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile

import openai
from checks import ROOT, check
from quire_up import Quire, QuireError

MODEL = "sim"
MESSAGES = [{"role": "user", "content": "Write a post about bees on a roof."}]


def readme_snippets():
    readme = (ROOT / "README.md").read_text()
    return re.findall(r"^```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)


def check_readme(quire):
    """Each snippet is run as it stands. It finds Quire in QUIRE_URL and QUIRE_API_KEY; where it
    writes the usual address or a key in full, this Quire's take their place."""
    snippets = readme_snippets()
    check(f"the README has Python ({len(snippets)} snippet(s))", snippets)
    environment = os.environ | {"QUIRE_URL": quire.url, "QUIRE_API_KEY": quire.api_key}
    for number, snippet in enumerate(snippets, 1):
        code = snippet.replace("http://127.0.0.1:8700", quire.url)
        code = re.sub(r"qk_live_[^\"']*", quire.api_key, code)
        with tempfile.TemporaryDirectory() as folder:
            run = subprocess.run([sys.executable, "-c", code], env=environment, cwd=folder,
                                 capture_output=True, text=True, timeout=60)
        check(f"snippet {number} runs", run.returncode == 0, run.stderr)
        check(f"and prints text: {run.stdout[:50]!r}...", bool(run.stdout.strip()))


def check_chat(client):
    names = [model.id for model in client.models.list()]
    check("the models are listed", MODEL in names, names)
    answer = client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=20)
    choice, usage = answer.choices[0], answer.usage
    check("chat gives text", bool(choice.message.content), answer)
    check("object, id, model", answer.object == "chat.completion" and answer.model == MODEL
          and answer.id.startswith("chatcmpl-"), answer)
    check("max_tokens ends it", choice.finish_reason == "length"
          and usage.completion_tokens == 20, answer)
    check("usage adds up",
          usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, usage)
    check("the request id is exposed", (answer._request_id or "").startswith("req_"))


def check_stream(client):
    options = {"include_usage": True}
    stream = client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True,
                                            stream_options=options)
    chunks = list(stream)
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    text = "".join(choice.delta.content or "" for choice in choices)
    check(f"a stream of {len(chunks)} chunks gives text", len(chunks) > 3 and text, text)
    check("the role comes once, first", choices[0].delta.role == "assistant"
          and not any(choice.delta.role for choice in choices[1:]))
    check("one finish_reason, the last", choices[-1].finish_reason == "stop"
          and not any(choice.finish_reason for choice in choices[:-1]))
    check("usage in the last chunk alone", not chunks[-1].choices and chunks[-1].usage
          and not any(chunk.usage for chunk in chunks[:-1]), chunks[-1])


def check_leaving(client):
    """A client that leaves a stream early can go on with the next request."""
    with client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True) as stream:
        next(iter(stream))
    check_text = client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=5)
    check("a stream left early harms nothing", bool(check_text.choices[0].message.content))


async def check_async(quire):
    client = openai.AsyncOpenAI(base_url=f"{quire.url}/v1", api_key=quire.api_key, max_retries=0)
    async with client:
        asked = [client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=8)
                 for _ in range(8)]
        answers = await asyncio.gather(*asked)
        check("8 at once through AsyncOpenAI",
              all(answer.choices[0].message.content for answer in answers))
        stream = await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        check("and a stream", bool(text))


def check_error(what, kind, code, call):
    try:
        call()
    except openai.APIStatusError as error:
        check(f"{what}: {kind.__name__}, {code}", type(error) is kind and error.code == code,
              (type(error).__name__, error.code, error.message))
        check("  with a message and a request id",
              error.message and (error.request_id or "").startswith("req_"))
    else:
        check(f"{what} is an error", False)


def check_errors(quire, client):
    def ask(using=client, **changes):
        fields = {"model": MODEL, "messages": MESSAGES} | changes
        return lambda: using.chat.completions.create(**fields)

    stranger = client.with_options(api_key="qk_live_" + "0" * 43 + "_000000")
    check_error("a wrong key", openai.AuthenticationError, "invalid_api_key", ask(stranger))
    check_error("an unknown model", openai.NotFoundError, "model_not_found", ask(model="none"))
    check_error("temperature 3", openai.BadRequestError, "invalid_value", ask(temperature=3))
    check_error("no messages", openai.BadRequestError, "invalid_value", ask(messages=[]))
    check_error("n=2", openai.BadRequestError, "unsupported_value", ask(n=2))
    check_error("an error before a stream", openai.NotFoundError, "model_not_found",
                ask(model="none", stream=True))
    lost = openai.OpenAI(base_url=f"{quire.url}/v1/nowhere", api_key=quire.api_key, max_retries=0)
    check_error("an unknown path", openai.NotFoundError, "not_found", ask(lost))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quire", required=True, help="the program to try")
    options = parser.parse_args()
    print(f"openai {openai.__version__}, Python {sys.version.split()[0]}")
    with Quire(options.quire) as quire:
        client = openai.OpenAI(base_url=f"{quire.url}/v1", api_key=quire.api_key, max_retries=0)
        check_chat(client)
        check_stream(client)
        check_leaving(client)
        asyncio.run(check_async(quire))
        check_errors(quire, client)
        check_readme(quire)
        check("stops with exit code 0 on SIGTERM", quire.stop() == 0, quire.process.returncode)


if __name__ == "__main__":
    try:
        main()
    except (QuireError, OSError, openai.OpenAIError) as error:
        sys.exit(f"  FAILED: {type(error).__name__}: {error}")
