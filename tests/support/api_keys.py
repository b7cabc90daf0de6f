"""API keys the way interfaces.md fixes them: prefix, 256 bits, checksum."""

from __future__ import annotations

import re
import secrets
import zlib

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SHAPE = re.compile(r"qk_live_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}")
ULID = "[0-9A-HJKMNP-TV-Z]{26}"


def base62(number: int, width: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 62)
        text = DIGITS[digit] + text
    return text.rjust(width, "0")


def checksum(head: str) -> str:
    """The last part of a key: CRC-32 of all that stands before its last underscore."""
    return base62(zlib.crc32(head.encode()), 6)


def unknown_key() -> str:
    """A well-formed key that nobody was ever given."""
    head = "qk_live_" + base62(secrets.randbits(256), 43)
    return f"{head}_{checksum(head)}"


def with_wrong_checksum(key: str) -> str:
    last = "1" if key[-1] == "0" else "0"
    return key[:-1] + last


def is_well_formed(key: str) -> bool:
    head, _, tail = key.rpartition("_")
    return SHAPE.fullmatch(key) is not None and checksum(head) == tail
