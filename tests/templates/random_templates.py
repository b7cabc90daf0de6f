"""Random templates over the whole language, and variables for them; a seed gives the same ones."""

from __future__ import annotations

import random

from jinja_oracle import Case

VARIABLES = {
    "name": "Ada Lovelace", "text": "the quick  brown fox, jumps\nover the lazy dog", "empty": "",
    "quoted": "it's \"quoted\"\\\t", "wide": "Straße ΣΑΣ ñandú 日本", "number": 7, "negative": -3,
    "big": 123456, "half": 2.5, "tiny": 1e-07, "huge": 1e+16, "yes": True, "no": False,
    "nothing": None, "items_": [3, 1, 2, 1], "words": ["pear", "Apple", "fig", "apple"],
    "mixed": [1, "a", None, 2.0, True], "none_in": [], "nested": [[1, 2], [3, [4, "x"]]],
    "user": {"name": "Bo", "age": 41, "tags": ["a", "b"], "address": {"city": "Köln"}},
    "people": [{"name": "Bo", "age": 3}, {"name": "al", "age": 2}, {"name": "Cy", "age": 2}],
    "braces": "{{ name }} {% if %}",
}
NAMES = [*VARIABLES, "absent", "x", "y", "s1", "s2"]
FILTERS = ["upper", "lower", "trim", "title", "capitalize", "length", "count", "first", "last",
           "int", "float", "string", "list", "sort", "unique|list", "reverse|list", "round",
           "tojson|replace('~~', '')"]  # which makes Markup, whose repr differs, a plain text
TESTS = ["defined", "undefined", "none", "boolean", "true", "false", "integer", "float", "number",
         "string", "mapping", "sequence", "iterable"]
LITERALS = ["0", "1", "2", "10", "1_000", "0.5", "2.0", "1e3", "3.14159", "true", "false", "none",
            "''", "'a'", '"b c"', "'it\\'s'", "'\\n'", "'\\u00e9x'", "'Apple'", "[]", "[1, 'a']"]
TEXTS = ["a", " ", "\n", "  \n\t", "Hello, ", "{ } % #", "ü日", "\r\n", "-", "'quotes\""]


class Generator:
    def __init__(self, seed: int):
        self.random = random.Random(seed)

    def case(self) -> Case:
        template = self.body(3)
        if self.random.random() < 0.05:
            template = self.damaged(template)
        names = self.random.sample(list(VARIABLES), self.random.randint(len(VARIABLES) // 2,
                                                                       len(VARIABLES)))
        return Case(template, {name: VARIABLES[name] for name in names})

    def damaged(self, template: str) -> str:
        # With an end of its own: jinja2 takes a comment that begins at the very end for none.
        at = self.random.randrange(len(template) + 1)
        kept = template[at + self.random.randrange(3):]
        put = self.random.choice(["", "", "}", "{", "%", "'", "|", ")", "("])
        return template[:at] + put + kept + "x"

    def body(self, depth: int) -> str:
        return "".join(self.part(depth) for _ in range(self.random.randint(1, 3)))

    def part(self, depth: int) -> str:
        kinds = ["text", "print", "print", "print", "comment", "raw", "set"]
        if depth > 0:
            kinds += ["if", "for", "for"]
        return getattr(self, self.random.choice(kinds))(depth)

    def text(self, _depth: int) -> str:
        return self.random.choice(TEXTS)

    def print(self, depth: int) -> str:
        return self.between("{{", self.expression(depth), "}}")

    def comment(self, _depth: int) -> str:
        return self.between("{#", self.random.choice(["", "x", "{{ y }}", "\n"]), "#}")

    def raw(self, _depth: int) -> str:
        return (self.tag("raw") + self.random.choice(["{{ name }}", " {# ", "\n{% if %}"])
                + self.tag("endraw"))

    def set(self, depth: int) -> str:
        return self.tag(f"set {self.random.choice(['s1', 's2'])} = {self.expression(depth)}")

    def between(self, begin: str, inside: str, end: str) -> str:
        space = self.random.choice([" ", " ", "", "\n"])
        left = self.random.choice(["", "", "", "-"])
        right = self.random.choice(["", "", "", "-"])
        return f"{begin}{left}{space or ' '}{inside}{space or ' '}{right}{end}"

    def tag(self, inside: str) -> str:
        return self.between("{%", inside, "%}")

    def if_(self, depth: int) -> str:
        parts = [self.tag(f"if {self.expression(depth - 1)}"), self.body(depth - 1)]
        for _ in range(self.random.choice([0, 0, 1, 2])):
            parts += [self.tag(f"elif {self.expression(depth - 1)}"), self.body(depth - 1)]
        if self.random.random() < 0.5:
            parts += [self.tag("else"), self.body(depth - 1)]
        return "".join(parts) + self.tag("endif")

    def for_(self, depth: int) -> str:
        kind = self.random.randrange(6)
        walked = self.random.choice(["items_", "words", "mixed", "people", "none_in", "nested",
                                     "text|list", "range(3)", "user", "range(1, 9, 3)"])
        target = "x"
        if kind == 0:
            target, walked = "x, y", "user.items()"
        elif kind == 1:
            walked = self.expression(1)
        elif kind == 2:
            walked += f" if {self.expression(1)}"
        parts = [self.tag(f"for {target} in {walked}"), self.body(depth - 1)]
        if self.random.random() < 0.4:
            parts.append("{{ loop." + self.random.choice(
                ["index", "index0", "first", "last", "length", "revindex", "revindex0"]) + " }}")
        if self.random.random() < 0.3:
            parts += [self.tag("else"), self.body(depth - 1)]
        return "".join(parts) + self.tag("endfor")

    def expression(self, depth: int) -> str:
        if depth <= 0:
            return self.random.choice([*NAMES, *LITERALS])
        left, right = self.expression(depth - 1), self.expression(depth - 1)
        kind = self.random.randrange(16)
        if kind < 3:
            return self.random.choice(NAMES)
        if kind < 5:
            return f"{self.operand(left)}|{self.filter(depth)}"
        if kind < 7:
            if self.random.random() < 0.1:  # jinja2 formats a text before %
                return f"{self.random.randrange(9)} % {right}"
            return f"{left} {self.random.choice(['+', '-', '*', '/', '//', '~'])} {right}"
        if kind == 7:
            return f"{left} {self.random.choice(['and', 'or'])} {right}"
        if kind == 8:
            signs = ["==", "!=", "<", "<=", ">", ">=", "in", "not in"]
            return f"{left} {self.random.choice(signs)} {right}"
        if kind == 9:
            return f"(not {left})"
        if kind == 10:
            is_ = self.random.choice(["is", "is not"])
            return f"({self.operand(left)} {is_} {self.random.choice(TESTS)})"
        if kind == 11:
            return f"({left} if {right} else {self.expression(depth - 1)})"
        if kind == 12:
            return self.random.choice([f"[{left}, {right}]", f"({left}, {right})", f"({left})"])
        if kind == 13:
            return self.random.choice(["user.name", "user['age']", "user.address.city", "user.no",
                                       "people[0].name", "people[-1]", "people[9].name", "words[1]",
                                       "nested.1.0", "absent.name", "text[3]", "wide[-1]", "x[0]"])
        if kind == 14:
            return f"{self.random.choice(['words', 'text', 'wide', 'items_'])}[{self.slice()}]"
        return f"-{self.operand(left)}"

    def operand(self, text: str) -> str:
        return f"({text})"

    def slice(self) -> str:
        bound = ["", "0", "1", "2", "-1", "-2", "9", "-9"]
        return f"{self.random.choice(bound)}:{self.random.choice(bound)}"

    def filter(self, depth: int) -> str:
        value = self.expression(depth - 2)
        number = self.random.randrange(12)
        return self.random.choice([
            self.random.choice(FILTERS), self.random.choice(FILTERS), self.random.choice(FILTERS),
            f"default({value})", f"d({value}, true)", "default", f"join({value})", "join(', ')",
            f"replace({value}, 'z')", f"replace('a', {value}, {number})",
            f"string|truncate({number})",
            f"string|truncate({number}, true)",
            f"string|truncate({number}, false, '…', {number % 3})",
            f"round({number % 4})", f"round({number % 3}, 'floor')", f"int({value})",
            f"float({value})", "sort(reverse=true)", "sort(case_sensitive=true)",
            "sort(attribute='age')|tojson", "join(',', attribute='name')", "trim('a')",
            "unique(true)|join('|')", "unique(attribute='age')|list|length",
        ])


setattr(Generator, "if", Generator.if_)
setattr(Generator, "for", Generator.for_)


def random_cases(seed: int, count: int) -> list[Case]:
    generator = Generator(seed)
    return [generator.case() for _ in range(count)]
