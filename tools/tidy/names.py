"""Names of folders and files, and what must not be committed at all."""

import re

from tidy.repository import FILE_BYTES_MAX, Finding

REFUSED_FOLDERS = {"common", "core", "util", "utils", "misc", "helpers", "lib", "internal"}
# The proto package that holds what every contract says: money, paging, principal.
COMMON_CONTRACT = "api/proto/quire/common/"
SNAKE = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*$")
GIVEN_NAMES = {"CMakeLists.txt", "README.md", "Dockerfile", "package-lock.json"}
DATA_FOLDERS = {"corpus", "corpora"}  # names chosen by fuzzers

BINARY_SUFFIXES = {".o", ".a", ".so", ".pyc", ".gch"}
BINARY_STARTS = {b"\x7fELF": "an ELF binary", b"!<arch>\n": "a static library"}
PRIVATE_KEY = re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----")
SECRET = re.compile(r"\bqk_live_[0-9A-Za-z]{43}|(?<![\w-])sk-(?=[\w-]*\d)[\w-]{32,}")


def check(repository):
    for file in repository:
        yield from _check_folders(file)
        if file.path.startswith(("src/", "tests/")):
            yield from _check_file_name(file)
        yield from _check_content(file)
        yield from _check_secrets(file)


def _check_folders(file):
    if file.path.startswith(COMMON_CONTRACT):
        return
    for folder in REFUSED_FOLDERS.intersection(file.folders):
        yield Finding(file.path, 1, "folder-name", f"`{folder}` says nothing: name the folder by "
                      "the noun it holds")


def _check_file_name(file):
    if DATA_FOLDERS.intersection(file.folders) or file.name.startswith("."):
        return
    if file.suffix in {".h", ".hh", ".hxx", ".cc", ".cxx", ".c"}:
        yield Finding(file.path, 1, "file-name", "C++ files end in .hpp and .cpp")
    for part in (*file.folders, file.name):
        if part not in GIVEN_NAMES and not SNAKE.match(part):
            yield Finding(file.path, 1, "file-name", f"`{part}` is not snake_case")


def _check_content(file):
    if file.size > FILE_BYTES_MAX:
        yield Finding(file.path, 1, "file-size",
                      f"{file.size} bytes; {FILE_BYTES_MAX} is the limit")
    if file.suffix in BINARY_SUFFIXES:
        yield Finding(file.path, 1, "binary", f"{file.suffix} files are built, not committed")
    for start, what in BINARY_STARTS.items():
        if file.data.startswith(start):
            yield Finding(file.path, 1, "binary", f"{what} is built, not committed")


def _check_secrets(file):
    if file.is_planted:
        return
    for match in PRIVATE_KEY.finditer(file.text):
        yield file.finding(match.start(), "secret", "a private key: make one when it is needed")
    if file.is_test:
        return
    for match in SECRET.finditer(file.text):
        yield file.finding(match.start(), "secret", f"`{match.group()[:10]}...` looks like a "
                           "secret: take it from file: or env:")
