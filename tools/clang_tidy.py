#!/usr/bin/env python3
"""Runs clang-tidy on every .cpp below src/ and tests/ that a build folder compiles.

tools/clang_tidy.py build/release     (the folder must be built: generated headers are read)

g++'s compile commands are made fit for clang: no launcher, and instead of g++'s precompiled header
the header it was made of. Sources that are compiled together are read one by one.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = "clang-tidy-14"
COMPILER = re.compile(r"(?:.*/)?(?:c\+\+|g\+\+)(?:-\d+)?$")
TOGETHER = re.compile(r'^#include "(.+\.cpp)"$', re.M)
ONLY_GCC = {"-fpch-preprocess", "-Winvalid-pch", "-Wno-tsan"}


def fit_for_clang(command):
    words = shlex.split(command)
    start = next(at for at, word in enumerate(words) if COMPILER.match(word))
    fit = [word for word in words[start:] if word not in ONLY_GCC]
    while "--param" in fit:  # g++'s own knobs
        at = fit.index("--param")
        del fit[at:at + 2]
    for at, word in enumerate(fit):
        # cmake_pch.hxx has a .gch beside it, which clang would take for its own kind.
        if word.endswith("/cmake_pch.hxx"):
            fit[at] = str(ROOT / "cmake/pch.hpp")
    return shlex.join(fit)


def apart(entry):
    """The entries of what CMake compiles as one, else the entry itself."""
    together = entry["file"]
    if "/Unity/" not in together:
        return [entry]
    return [entry | {"file": path, "command": entry["command"].replace(together, path)}
            for path in TOGETHER.findall(Path(together).read_text())]


def entries(folder):
    """Of our own sources, one command each."""
    own = (str(ROOT / "src") + os.sep, str(ROOT / "tests") + os.sep)
    found = {}
    for compiled in json.loads((folder / "compile_commands.json").read_text()):
        for entry in apart(compiled):
            if entry["file"].startswith(own):
                command = fit_for_clang(entry["command"])
                found.setdefault(entry["file"], entry | {"command": command})
    return list(found.values())


def check(database, path):
    command = [PROGRAM, "-p", database, "--quiet", "--extra-arg=-Wno-unknown-warning-option", path]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def main(arguments):
    if len(arguments) != 1:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    commands = entries(Path(arguments[0]))
    failed = 0
    with tempfile.TemporaryDirectory(prefix="quire-clang-tidy-") as database:
        (Path(database) / "compile_commands.json").write_text(json.dumps(commands))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for run in pool.map(lambda entry: check(database, entry["file"]), commands):
                failed += run.returncode != 0
                sys.stdout.write(run.stdout)
                sys.stdout.flush()
    print(f"clang-tidy: {len(commands)} files, {failed} with findings", file=sys.stderr)
    return 1 if failed or not commands else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
