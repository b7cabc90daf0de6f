#!/usr/bin/env python3
"""Whether a request stays as cheap when there is much data: instructions of the whole process per
plain request, counted by valgrind's callgrind, which no other program disturbs.

Three folders: few keys and few rows of the ledger, 100,000 keys, 1,000,000 rows of the ledger (the
key and the request of a first run, copied with sums that add up). Each runs twice, with different
numbers of requests, and the difference counts: start and stop cancel out.

    ./dev bench flat [--requests 400] [--keys 100000] [--rows 1000000] [--json]
"""

import argparse
import http.client
import json
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from measure import MeasureError, request_body
from nginx_process import Nginx, NginxError
from quire_up import Quire, QuireError, config_for

ROOT = Path(__file__).resolve().parents[2]
FEW_KEYS, FEW_ROWS = 10, 1_000
WANTED = 0.05
REFERENCE_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ulid_text(number):
    """Distinct texts of 26 characters, younger than none that a process makes."""
    digits = ""
    for _ in range(26):
        digits = REFERENCE_DIGITS[number % 32] + digits
        number //= 32
    return digits


def add_keys(folder, count):
    """Copies of the first key, under other hashes: nobody knows their text."""
    with sqlite3.connect(folder / "auth.db") as store:
        first = rows_of(store, "SELECT * FROM api_keys")
        insert_copies(store, "api_keys", first, count - 1, lambda number, place, row: {
            "id": f"key_{ulid_text(number)}", "hash": f"{number * 2654435761:064x}"})


def rows_of(store, sql, *values):
    cursor = store.execute(sql, values)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor]


def insert_copies(store, table, originals, copies, change):
    marks = ", ".join(f"CAST(:{column} AS TEXT)" if isinstance(value, bytes) else f":{column}"
                      for column, value in originals[0].items())
    store.executemany(f"INSERT INTO {table} VALUES ({marks})", (
        row | change(number, place, row) for number in range(1, copies + 1)
        for place, row in enumerate(originals)))


def add_rows(folder, count):
    """Copies of what one request left in the ledger, accounts that say so, and a request log that
    has heard of all of them."""
    with sqlite3.connect(folder / "credits.db") as store:
        [first] = rows_of(store, "SELECT reference FROM transfers WHERE kind = 'usage'")
        request = first["reference"]
        pair = rows_of(store, "SELECT * FROM transfers WHERE reference = ? ORDER BY seq", request)
        told = rows_of(store, "SELECT seq, event_id, type, subject, CAST(payload AS BLOB) AS "
                               "payload, traceparent, created_at FROM outbox WHERE subject = ?",
                        request)
        [last] = rows_of(store, "SELECT (SELECT MAX(seq) FROM transfers) AS transfer, "
                                "(SELECT MAX(seq) FROM outbox) AS event")
        copies = (count - last["transfer"]) // len(pair)
        insert_copies(store, "transfers", pair, copies, lambda number, place, row: {
            "seq": last["transfer"] + (number - 1) * len(pair) + place + 1,
            "id": row["id"][:-26] + ulid_text(number),
            "reference": request[:-26] + ulid_text(number)})
        insert_copies(store, "outbox", told, copies, lambda number, place, row: {
            "seq": last["event"] + number, "event_id": f"evt_{ulid_text(number)}",
            "subject": request[:-26] + ulid_text(number),
            "payload": row["payload"].replace(
                request.encode(), (request[:-26] + ulid_text(number)).encode())})
        for row in pair:
            for account, side in (("debit_account", "debits"), ("credit_account", "credits")):
                store.execute(
                    f"UPDATE accounts SET {side}_posted = {side}_posted + ?, "
                    f"{side}_pending = {side}_pending + ? WHERE id = ?",
                    (copies * row["posted"], copies * row["pending"], row[account]))
    with sqlite3.connect(folder / "analytics.db") as store:
        store.execute("INSERT OR REPLACE INTO inbox VALUES ('analytics', '/services/credits', ?, "
                      "'evt_0', 0)", (last["event"] + copies,))


class Counted(Quire):
    """A Quire under callgrind, where verifying a long ledger, at each start, takes minutes."""

    start_seconds_max, stop_seconds_max = 120, 600
    verify_seconds_max = 1800

    def __init__(self, binary, config, data, api_key):
        super().__init__(binary, config)
        at = self.command.index("--data")
        self.command[at + 1] = str(data)
        self.command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                        "--fair-sched=yes",
                        *self.command]
        self.api_key = api_key

    def start(self):
        super().start()
        deadline = time.monotonic() + self.verify_seconds_max
        while "the ledger was verified" not in self.log_path.read_text():
            if time.monotonic() > deadline:
                raise MeasureError(f"the ledger was not verified in {self.verify_seconds_max} s")
            time.sleep(0.1)

    def instructions(self):
        """After the end."""
        found = re.search(r"Collected : (\d+)", self.log_path.read_text())
        if not found:
            raise MeasureError(f"valgrind counted nothing:\n{self.log_tail()}")
        return int(found.group(1))


def ask(quire, count):
    body = request_body("plain", False)
    parts = quire.url.removeprefix("http://")
    connection = http.client.HTTPConnection(parts, timeout=600)
    headers = {"content-type": "application/json", "authorization": f"Bearer {quire.api_key}"}
    for _ in range(count):
        connection.request("POST", "/v1/chat/completions", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise MeasureError(f"answered {answer.status}: {text[:300]!r}")
    connection.close()


def count(binary, config, data, api_key, requests):
    with TemporaryDirectory(prefix="bench-flat-") as folder:
        copy = Path(folder) / "data"
        shutil.copytree(data, copy)
        with Counted(binary, config, copy, api_key) as quire:
            ask(quire, requests)
            quire.stop()
            return quire.instructions()


def make_folder(folder, binary, config, keys, rows):
    """A folder with this much in it, and the one key that is known."""
    with Quire(binary, config) as quire:
        ask(quire, 1)
        quire.stop()
        shutil.copytree(quire.folder / "data", folder)
        api_key = quire.api_key
    add_keys(folder, keys)
    add_rows(folder, rows)
    return api_key


def verify(binary, data):
    run = subprocess.run([str(binary), "credits", "verify", "--data", str(data)],
                         capture_output=True, text=True)
    if run.returncode != 0:
        raise MeasureError(f"the ledger that was made is wrong: {run.stdout}{run.stderr}")


def measure(options, say):
    sizes = {"few": (FEW_KEYS, FEW_ROWS), "keys": (options.keys, FEW_ROWS),
             "rows": (FEW_KEYS, options.rows)}
    figures = {}
    with Nginx.mock() as mock, TemporaryDirectory(prefix="bench-flat-") as folder:
        config = config_for({"plain": (f"{mock.url}/plain/v1", "mock")})
        for name, (keys, rows) in sizes.items():
            say(f"{keys:,} keys, {rows:,} rows of the ledger")
            data = Path(folder) / name
            api_key = make_folder(data, options.quire, config, keys, rows)
            verify(options.quire, data)
            short, long = (count(options.quire, config, data, api_key, requests)
                           for requests in (options.requests // 4, options.requests))
            figures[name] = (long - short) / (options.requests - options.requests // 4)
    return {"sizes": sizes, "instructions": figures,
            "change": {name: figures[name] / figures["few"] - 1 for name in ("keys", "rows")}}


def print_report(report):
    print(f"\n{'keys':>10}{'ledger rows':>14}{'instructions per request':>28}{'change':>10}")
    for name, (keys, rows) in report["sizes"].items():
        change = report["change"].get(name)
        shown = "" if change is None else f"{change:+.1%}"
        print(f"{keys:>10,}{rows:>14,}{report['instructions'][name]:>28,.0f}{shown:>10}")
    print(f"wanted: within {WANTED:.0%}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quire", type=Path, default=ROOT / "build/release/quire")
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args()
    if options.requests < 8 or options.keys < FEW_KEYS or options.rows < FEW_ROWS:
        parser.error(f"at least 8 requests, {FEW_KEYS} keys, {FEW_ROWS} rows")
    if shutil.which("valgrind") is None:
        sys.exit("bench flat: valgrind is missing: apt-get install valgrind")
    started = time.monotonic()
    try:
        report = measure(options, lambda what: print(f"bench flat: {what}", file=sys.stderr))
    except (MeasureError, NginxError, QuireError) as error:
        sys.exit(f"bench flat: {error}")
    print(json.dumps(report, indent=2)) if options.json else print_report(report)
    print(f"bench flat: {time.monotonic() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
