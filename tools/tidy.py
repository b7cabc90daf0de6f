#!/usr/bin/env python3
"""Checks the style rules that a compiler does not: include direction, coroutine forms, banned
names, lengths, names, dead files and links.

tools/tidy.py [FILES]           all files that git knows or would add; FILES narrows the report
tools/tidy.py --update-ratchet  lowers tools/tidy_ratchet.json to what is needed now
"""

import json
import os
import sys
from pathlib import Path

from tidy import awaits, bans, dropped, forwards, includes, lengths, links, names
from tidy.repository import Repository

ROOT = Path(__file__).resolve().parent.parent
CHECKS = (includes.check, awaits.check, dropped.check, forwards.check, bans.check, lengths.check,
          names.check, links.check)


def findings(repository):
    return sorted({finding for check in CHECKS for finding in check(repository)})


def update_ratchet(repository):
    text = json.dumps(lengths.lowered(repository), indent=2, sort_keys=True)
    (ROOT / lengths.RATCHET).write_text(text + "\n")


def main(arguments):
    if any(argument in ("-h", "--help") for argument in arguments):
        print(__doc__.strip())
        return 0
    repository = Repository.from_git(ROOT)
    if arguments == ["--update-ratchet"]:
        update_ratchet(repository)
        return 0
    wanted = {os.path.relpath(Path(argument).resolve(), ROOT) for argument in arguments}
    for unknown in sorted(wanted - set(repository.files)):
        print(f"tidy: git does not know {unknown}", file=sys.stderr)
        return 2
    found = [finding for finding in findings(repository) if not wanted or finding.path in wanted]
    for finding in found:
        print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
