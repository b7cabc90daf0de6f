"""Names that are refused, each with its reason and the places where it is right."""

import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Ban:
    pattern: str  # a match with the group `right` is none
    reason: str
    allowed: tuple = ()  # path prefixes; "*test*" stands for tests/ and *_test.cpp
    regex: re.Pattern = field(init=False, compare=False)

    def __post_init__(self):
        object.__setattr__(self, "regex", re.compile(self.pattern))

    def allows(self, file):
        return file.path.startswith(self.allowed) or ("*test*" in self.allowed and file.is_test)


EDGES = ("src/base/", "src/runtime/", "*test*")

BANS = [
    Ban(r"\bdetached\b", "nobody would wait for it at shutdown: spawn through TaskGroup"),
    Ban(r"\bstd::w?(?:s|c)?regex\w*", "slow, and its recursion overflows the stack on long input: "
        "write a scanner or use RE2"),
    Ban(r"\b(?:system|steady|high_resolution)_clock::now\b",
        "take a Clock, so that tests and the simulation set the time", EDGES),
    Ban(r"\bstd::random_device\b", "take an Rng, so that tests and the simulation are seeded",
        EDGES),
    Ban(r"(?<![\w.>])(?:s?rand|random|drand48)\s*\(", "take an Rng", EDGES),
    Ban(r"\b(?:secure_)?getenv\b", "take a config struct", (*EDGES, "src/app/")),
    Ban(r"\bthis_thread::sleep_(?:for|until)\b|(?<![\w.>])(?:u|nano)?sleep\s*\(",
        "it stalls the event loop: await runtime::sleep_for, or wait for the condition", EDGES),
    Ban(r"\bstd::cout\b|\bprintf\s*\(|\bfmt::print(?:ln)?\s*\(\s*(?!stderr\b)|\bputs\s*\(",
        "stdout is data of the commands in app: use QUIRE_LOG",
        ("src/app/", "tools/", "tests/", "*test*")),
    # A private constructor has no other way than unique_ptr<T>(new T(...)).
    Ban(r"(?P<right>\bunique_ptr<[^;{}]*?>\s*\w*\s*[({]\s*)?(?<!operator )\bnew\b\s*[\w:(]",
        "own it: std::make_unique or std::make_shared"),
    Ban(r"(?<!operator )\bdelete\b\s*(?:\[\s*\]\s*)?[\w:*(]", "own it: std::unique_ptr"),
    Ban(r"\bcatch\s*\(\s*\.\.\.\s*\)", "it hides bugs: catch what the library throws; the general "
        "net is in runtime", ("src/runtime/",)),
    Ban(r"(?<!\w)assert\s*\(", "use QUIRE_ASSERT, which stays on in release"),
    Ban(r"\bstd::async\b", "its future blocks in the destructor: use BlockingPool"),
    Ban(r"\bstd::j?thread\b(?!::)", "threads belong to runtime (event loops, pools)",
        ("src/runtime/", "tests/", "*test*")),
    Ban(r"\bnlohmann\b", "Boost.JSON is the one JSON parser"),
]

MARKERS = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
INLINE_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.S)


def check(repository):
    for file in repository:
        if file.is_cpp:
            for ban in BANS:
                yield from _find(file, ban)
        if file.is_code or file.suffix in {".md", ".yaml", ".yml"}:
            yield from _find_markers(file)


def _find(file, ban):
    if ban.allows(file):
        return
    for match in ban.regex.finditer(file.code):
        if not match.groupdict().get("right"):
            yield file.finding(match.start(), "ban", f"`{match.group().strip()}`: {ban.reason}")


def _find_markers(file):
    # These two hold the words as data.
    if file.path.startswith("tools/tidy/") or file.is_planted:
        return
    text = file.text
    if file.suffix == ".md":
        text = INLINE_CODE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)
    for match in MARKERS.finditer(text):
        yield file.finding(match.start(), "ban", f"`{match.group()}`: do it, or write down in "
                           "docs/ what is missing and why")
