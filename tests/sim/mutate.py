#!/usr/bin/env python3
"""Plants a known bug in copies of the ledger's sources, to see that the simulation finds it.

tests/sim/mutate.py --list                 the mutants: name and the sources that they change
tests/sim/mutate.py NAME SOURCE_ROOT INTO  writes the changed sources of NAME below INTO

A mutant replaces exact text. It fails when the text is not there exactly once: when the ledger
changes, the mutant is changed with it and cannot rot.
"""

import sys
from pathlib import Path

LEDGER = "services/credits/ledger.cpp"
STORE = "services/credits/ledger_store.cpp"
SQLITE = "storage/sqlite_connection.cpp"

ANSWER_ALL = "for (LedgerOperation* operation : batch) operation->answer"

MUTANTS = {
    # A hold may take what is not there: neither memory nor the statement looks.
    "guard_dropped": [
        (LEDGER, "affordable_output(balance, order.input_tokens",
         "affordable_output({kBalanceMax}, order.input_tokens"),
        (LEDGER, "QUIRE_ASSERT(amount && *amount <= balance,", "QUIRE_ASSERT(amount,"),
        (STORE, "debits_pending + $2 + debits_posted + $3 <= credits_posted + $5)", "TRUE)"),
    ],
    # Clients hear of a batch that a crash or a full disk may still undo.
    "answer_before_commit": [
        (LEDGER, "constexpr std::int64_t kOutputTokensMin = 16;",
         "constexpr std::int64_t kOutputTokensMin = 16;\nbool is_answered = false;"),
        (LEDGER, "const auto committed = store_->commit();",
         f"{ANSWER_ALL}(Result<void>());\n    is_answered = true;\n"
         "    const auto committed = store_->commit();"),
        (LEDGER, f"{ANSWER_ALL}(done);",
         f"if (!std::exchange(is_answered, false)) {{\n        {ANSWER_ALL}(done);\n    }}"),
    ],
    # A settlement that is repeated is charged again.
    "double_settle": [
        (LEDGER, "if (end->kind == TransferKind::kUsage) return settled_before(order, *end);", ""),
    ],
    # Deadlines follow a wall clock that jumps.
    "expiry_by_wall_clock": [
        (LEDGER, "if (now() < hold.expires_at)", "if (clock_.now() < hold.expires_at)"),
        (LEDGER, "const Timestamp time = now();", "const Timestamp time = clock_.now();"),
        (LEDGER, "hold.expires_at = now() + order.ttl;",
         "hold.expires_at = clock_.now() + order.ttl;"),
    ],
    # Releasing what was released gives the money back again.
    "void_releases_twice": [
        (LEDGER,
         'if (end && end->kind == TransferKind::kUsage) return over(request_id, "settled");',
         'if (end && end->kind == TransferKind::kUsage) return over(request_id, "settled");\n'
         "    if (end && end->kind == TransferKind::kVoid) {\n"
         "        const auto pending = accounts_.at(end->debit_account).debits_pending;\n"
         "        TransferRow again = *end;\n"
         "        again.pending = {-std::min(pending, -end->pending.micros)};\n"
         "        accounts_.move(again);\n"
         "    }"),
    ],
    # After a failed write memory goes on with what the store has lost.
    "memory_kept": [
        (LEDGER, "if (!done) forget();", "if (!done && store_) store_->roll_back();"),
        (LEDGER, "    failure_.reset();\n", ""),
        (LEDGER, "const auto begun = store_->begin();",
         "failure_.reset();\n    const auto begun = store_->begin();"),
    ],
    # What exceeds the hold and the balance is nobody's.
    "write_off_forgotten": [
        (LEDGER, "if (paid == excess) return Money();", "if (paid <= excess) return Money();"),
    ],
    # SQLite does not sync each commit.
    "commit_not_synced": [
        (SQLITE, "PRAGMA synchronous=FULL", "PRAGMA synchronous=NORMAL"),
    ],
}


def sources(name):
    return sorted({path for path, _old, _new in MUTANTS[name]})


def mutate(name, root, into):
    for path in sources(name):
        text = (root / path).read_text()
        for where, old, new in MUTANTS[name]:
            if where != path:
                continue
            if text.count(old) != 1:
                raise SystemExit(f"mutant {name}: `{old}` is {text.count(old)} times in {path}: "
                                 "change tests/sim/mutate.py with it")
            text = text.replace(old, new)
        target = into / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def main(arguments):
    if arguments == ["--list"]:
        for name in MUTANTS:
            print(";".join([name, *sources(name)]))
        return 0
    if len(arguments) != 3 or arguments[0] not in MUTANTS:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    mutate(arguments[0], Path(arguments[1]), Path(arguments[2]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
