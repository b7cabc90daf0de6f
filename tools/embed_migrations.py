"""Writes a header with a service's SQL migrations: embed_migrations.py SERVICE HEADER SCRIPT..."""

import pathlib
import re
import sys


def main(service: str, header: str, scripts: list[str]) -> None:
    lines = [
        f"// Generated from the migrations of {service}. Do not edit.",
        "#pragma once",
        '#include "storage/migrations.hpp"',
        f"namespace quire::{service} {{",
        "inline constexpr storage::Migration kMigrations[] = {",
    ]
    for script in sorted(pathlib.Path(s) for s in scripts):
        match = re.fullmatch(r"(\d{4})_([a-z0-9_]+)", script.stem)
        if match is None:
            sys.exit(f"{script}: a migration is named NNNN_what_it_does.sql")
        number, name = int(match.group(1)), script.stem
        lines.append(f'    {{{number}, "{name}", R"sql({script.read_text()})sql"}},')
    lines += ["};", f"}}  // namespace quire::{service}", ""]
    pathlib.Path(header).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(header).write_text("\n".join(lines))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
