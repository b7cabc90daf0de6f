"""An upstream that dies after k bytes: never a silent cut, never the same text twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from chat import PROVIDER_KEY, ask, body, local_provider, model, text_of
from quire_process import POOLED, Up
from scripted_upstream import ScriptedUpstream, Seen
from upstream_answers import answer
from upstream_presets import TEXT

PLAYED = {"do": "text"}
# A model for each request that runs at once. Their names are equally long, as are their answers.
MODELS = [f"cut{number}" for number in range(8)]


def wire_pieces() -> list[bytes]:
    """What the upstream sends for a streamed request: the head, then one piece for each event."""
    asked = Seen(0, "POST", "/", {}, [], "", 0.0)
    asked.body = body(MODELS[0], stream=True, stream_options={"include_usage": True})
    return [data for _, data in answer(PLAYED, asked)]


PIECES = wire_pieces()
LENGTH = sum(map(len, PIECES))
# Head, role chunk, then the first text: with its last byte the first content is there.
FIRST_CONTENT_ENDS = sum(map(len, PIECES[:3]))
SOME = sorted({0, 1, 17, len(PIECES[0]) - 1, len(PIECES[0]), len(PIECES[0]) + 1,
               FIRST_CONTENT_ENDS - 20, FIRST_CONTENT_ENDS, FIRST_CONTENT_ENDS + 1,
               *range(50, LENGTH, 97), LENGTH - 1})


@pytest.fixture(scope="module")
def up(shared_upstream: ScriptedUpstream) -> Iterator[Up]:
    config = {"providers": {"local": local_provider(shared_upstream)},
              "models": {name: model(name) for name in MODELS}, "limits": {"retries": 1}}
    with Up(config, env={"LOCAL_KEY": PROVIDER_KEY}) as started:
        yield started


def check(up: Up, upstream: ScriptedUpstream, model_name: str, after_bytes: int,
          ending: str) -> None:
    before = len(upstream.seen(model_name))
    upstream.play(model_name, PLAYED | {"stop_after_bytes": after_bytes, "ending": ending})
    made = ask(up, model=model_name, stream=True)
    assert made.status == 200, (after_bytes, made.text)
    chunks = made.chunks()
    text = text_of(chunks)
    attempts = len(upstream.seen(model_name)) - before
    if made.done:
        assert text == TEXT, after_bytes
        assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    else:
        assert "error" in chunks[-1], (after_bytes, chunks)
        assert chunks[-1]["error"]["code"] == "stream_interrupted"
        assert TEXT.startswith(text) and text, after_bytes
        assert attempts == 1, "tried again after the first content"
    if ending == "close" and after_bytes < FIRST_CONTENT_ENDS - 4:
        assert made.done and attempts == 2, f"not tried again after {after_bytes} bytes"
    if ending == "close" and after_bytes >= FIRST_CONTENT_ENDS:
        assert attempts == 1, f"tried again after {after_bytes} bytes"


@pytest.mark.parametrize("ending", ["close", "reset"])
@pytest.mark.parametrize("after_bytes", SOME)
def test_a_stream_that_dies_is_tried_again_or_told(up: Up, upstream: ScriptedUpstream,
                                                   after_bytes: int, ending: str) -> None:
    check(up, upstream, MODELS[0], after_bytes, ending)


def each(cuts: Iterable[int], check_one: Callable[[str, int], None]) -> None:
    """Checks every cut, one request for each model at once: most of their time is back-off."""
    cuts = list(cuts)

    def check_share(number: int) -> None:
        for after_bytes in cuts[number::len(MODELS)]:
            check_one(MODELS[number], after_bytes)

    with ThreadPoolExecutor(len(MODELS)) as pool:
        list(pool.map(check_share, range(len(MODELS))))


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["close", "reset"])
def test_a_stream_may_die_after_any_byte(up: Up, upstream: ScriptedUpstream,
                                         ending: str) -> None:
    assert ask(up, model=MODELS[0]).status == 200
    before = up.footprint_at_rest()
    each(range(LENGTH), lambda name, after_bytes: check(up, upstream, name, after_bytes, ending))
    up.wait_until_back_to(before, pooled=POOLED + len(MODELS))


@pytest.mark.slow
def test_a_plain_request_survives_a_death_after_any_byte(up: Up,
                                                         upstream: ScriptedUpstream) -> None:
    def check_plain(model_name: str, after_bytes: int) -> None:
        upstream.play(model_name, PLAYED | {"stop_after_bytes": after_bytes})
        made = ask(up, model=model_name)
        if made.status == 200:
            assert made.json()["choices"][0]["message"]["content"] == TEXT
        else:
            assert made.status == 502, made.text
            assert after_bytes >= FIRST_CONTENT_ENDS - 4

    each(range(0, LENGTH, 3), check_plain)
