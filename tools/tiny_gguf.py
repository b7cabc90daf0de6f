#!/usr/bin/env python3
"""Writes a tiny Llama model with random weights as a GGUF file.

It is for tests that need a real model server and no real model: llama-server loads the file in
milliseconds and answers with text that means nothing. The file is GGUF version 3, all weights
F32, about 0.5 MB: two layers of width 64, and a vocabulary of every byte, a few words and single
characters, so that any prompt can be tokenized. The same seed gives the same file.

    tools/tiny_gguf.py tiny.gguf [--seed 7]
"""

import argparse
import math
import random
import struct
import sys
from pathlib import Path

WIDTH, LAYERS, HEADS, FEED_FORWARD, CONTEXT_TOKENS = 64, 2, 4, 128, 4096
WEIGHT_DEVIATION = 0.15
ALIGNMENT = 32

WORDS = "the a bee honey garden city write post about hello roof and is of to in".split()
LETTERS = "abcdefghijklmnopqrstuvwxyz"
CHARACTERS = LETTERS + LETTERS.upper() + "0123456789.,!?'-:;\n"
WORD_START = "\u2581"  # SentencePiece's mark for the space before a word

CHAT_TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"
)

# Value types of GGUF metadata, and the kinds of token of its vocabulary.
UINT32, INT32, FLOAT32, STRING, ARRAY = 4, 5, 6, 8, 9
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
TENSOR_F32 = 0


def vocabulary():
    """The tokens and the kind of each; a token's place in the list is its id."""
    tokens = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)]
    tokens += [(f"<0x{byte:02X}>", BYTE) for byte in range(256)]
    tokens += [(WORD_START + word, NORMAL) for word in WORDS]
    tokens += [(character, NORMAL) for character in WORD_START + CHARACTERS]
    return tokens


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def entry(key, value_type, value):
    return string(key) + struct.pack("<I", value_type) + value


def uint32(key, value):
    return entry(key, UINT32, struct.pack("<I", value))


def array(key, item_type, items):
    return entry(key, ARRAY, struct.pack("<IQ", item_type, len(items)) + b"".join(items))


def metadata(tokens):
    """Everything llama-server wants to know about the model apart from its weights."""
    scores = [struct.pack("<f", -float(place)) for place in range(len(tokens))]
    epsilon = struct.pack("<f", 1e-5)
    return [
        entry("general.architecture", STRING, string("llama")),
        entry("general.name", STRING, string("tiny-random")),
        uint32("llama.context_length", CONTEXT_TOKENS),
        uint32("llama.embedding_length", WIDTH),
        uint32("llama.block_count", LAYERS),
        uint32("llama.feed_forward_length", FEED_FORWARD),
        uint32("llama.attention.head_count", HEADS),
        uint32("llama.attention.head_count_kv", HEADS),
        uint32("llama.rope.dimension_count", WIDTH // HEADS),
        uint32("llama.vocab_size", len(tokens)),
        entry("llama.attention.layer_norm_rms_epsilon", FLOAT32, epsilon),
        entry("tokenizer.ggml.model", STRING, string("llama")),
        array("tokenizer.ggml.tokens", STRING, [string(text) for text, _ in tokens]),
        array("tokenizer.ggml.scores", FLOAT32, scores),
        array("tokenizer.ggml.token_type", INT32, [struct.pack("<i", k) for _, k in tokens]),
        uint32("tokenizer.ggml.bos_token_id", 1),
        uint32("tokenizer.ggml.eos_token_id", 2),
        entry("tokenizer.chat_template", STRING, string(CHAT_TEMPLATE)),
    ]


def tensors(token_count):
    """Name and shape of each tensor, in the order of the file."""
    yield "token_embd.weight", (WIDTH, token_count)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        yield block + "attn_norm.weight", (WIDTH,)
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            yield block + part + ".weight", (WIDTH, WIDTH)
        yield block + "ffn_norm.weight", (WIDTH,)
        yield block + "ffn_gate.weight", (WIDTH, FEED_FORWARD)
        yield block + "ffn_up.weight", (WIDTH, FEED_FORWARD)
        yield block + "ffn_down.weight", (FEED_FORWARD, WIDTH)
    yield "output_norm.weight", (WIDTH,)
    yield "output.weight", (WIDTH, token_count)


def weights(shape, rng):
    """Vectors are normalisation factors and stay 1; matrices are random."""
    count = math.prod(shape)
    values = [1.0] * count if len(shape) == 1 else [
        rng.gauss(0, WEIGHT_DEVIATION) for _ in range(count)
    ]
    return struct.pack(f"<{count}f", *values)


def padding(data):
    return b"\0" * (-len(data) % ALIGNMENT)


def model(seed):
    """The whole file: header, metadata, tensor descriptions, weights."""
    rng = random.Random(seed)
    tokens = vocabulary()
    entries = metadata(tokens)
    descriptions, data = [], bytearray()
    for name, shape in tensors(len(tokens)):
        sizes = struct.pack(f"<{len(shape)}Q", *shape)
        place = struct.pack("<IQ", TENSOR_F32, len(data))
        descriptions.append(string(name) + struct.pack("<I", len(shape)) + sizes + place)
        data += weights(shape, rng)
        data += padding(data)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(descriptions), len(entries))
    head += b"".join(entries) + b"".join(descriptions)
    return head + padding(head) + bytes(data)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="where the model is written")
    parser.add_argument("--seed", type=int, default=7, help="of the random weights (7)")
    options = parser.parse_args()
    data = model(options.seed)
    try:
        options.file.write_bytes(data)
    except OSError as error:
        sys.exit(f"tiny_gguf: cannot write {options.file}: {error.strerror}")
    print(f"{options.file}: {len(data)} bytes, {len(vocabulary())} tokens", file=sys.stderr)


if __name__ == "__main__":
    main()
