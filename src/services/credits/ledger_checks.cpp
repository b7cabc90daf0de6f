#include "services/credits/ledger_checks.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace quire::credits {
namespace {

/// One invariant: how many rows it is about, and a query that gives one text per violation.
struct Check {
    std::string_view name;
    bool is_quick;
    std::string_view count;
    std::string_view violations;
};

constexpr std::array kChecks{
    Check{"I1", true, "SELECT COUNT(*) FROM accounts",
          "SELECT 'posted: debits ' || SUM(debits_posted) || ', credits ' || SUM(credits_posted) "
          "FROM accounts HAVING SUM(debits_posted) <> SUM(credits_posted)"},
    Check{"I2", true, "SELECT COUNT(*) FROM accounts",
          "SELECT 'pending: debits ' || SUM(debits_pending) || ', credits ' || "
          "SUM(credits_pending) FROM accounts HAVING SUM(debits_pending) <> SUM(credits_pending)"},
    Check{"I3", false, "SELECT COUNT(*) FROM accounts",
          "SELECT 'account ' || a.id || ' is not the fold of its transfers' FROM accounts a "
          "LEFT JOIN (SELECT debit_account AS id, SUM(pending) AS pending, SUM(posted) AS posted "
          "  FROM transfers GROUP BY debit_account) d ON d.id = a.id "
          "LEFT JOIN (SELECT credit_account AS id, SUM(pending) AS pending, SUM(posted) AS posted "
          "  FROM transfers GROUP BY credit_account) c ON c.id = a.id "
          "WHERE a.debits_pending <> COALESCE(d.pending, 0) "
          "OR a.debits_posted <> COALESCE(d.posted, 0) "
          "OR a.credits_pending <> COALESCE(c.pending, 0) "
          "OR a.credits_posted <> COALESCE(c.posted, 0) LIMIT 20"},
    Check{"I4", true, "SELECT COUNT(*) FROM accounts WHERE name = 'prepaid'",
          "SELECT 'account ' || id || ' of ' || org_id || ' is overdrawn' FROM accounts WHERE "
          "name = 'prepaid' AND debits_posted + debits_pending > credits_posted LIMIT 20"},
    Check{"I5", false, "SELECT COUNT(*) FROM transfers WHERE slot = 2",
          "SELECT 'the end of ' || r.reference || ' does not fit its hold' FROM transfers r "
          "LEFT JOIN transfers h ON h.reference = r.reference AND h.slot = 1 WHERE r.slot = 2 "
          "AND (h.seq IS NULL OR h.seq > r.seq OR h.pending <> -r.pending OR r.posted > h.pending "
          "OR (r.kind <> 'usage' AND r.posted <> 0)) LIMIT 20"},
    Check{"I6", true, "SELECT COUNT(*) FROM holds",
          "SELECT 'open holds ' || held || ', pending ' || pending FROM "
          "(SELECT COALESCE(SUM(amount), 0) AS held FROM holds), "
          "(SELECT SUM(debits_pending) AS pending FROM accounts) WHERE held <> pending"},
    Check{"I6", false, "SELECT COUNT(*) FROM holds",
          "SELECT 'the hold of ' || h.request_id || ' and its transfer differ' FROM holds h "
          "LEFT JOIN transfers t ON t.reference = h.request_id AND t.slot = 1 "
          "LEFT JOIN transfers e ON e.reference = h.request_id AND e.slot = 2 "
          "WHERE t.seq IS NULL OR t.pending <> h.amount OR e.seq IS NOT NULL LIMIT 20"},
    Check{"I8", false, "SELECT COUNT(*) FROM transfers WHERE kind = 'usage'",
          "SELECT reference || ' is settled ' || COUNT(*) || ' times' FROM transfers WHERE "
          "kind = 'usage' GROUP BY reference HAVING COUNT(*) > 1 LIMIT 20"},
    Check{"I9", false, "SELECT COUNT(*) FROM outbox",
          "SELECT subject || ' is told ' || COUNT(*) || ' times' FROM outbox GROUP BY type, "
          "subject HAVING COUNT(*) > 1 LIMIT 20"},
    Check{"I9", false, "SELECT COUNT(*) FROM outbox",
          "SELECT subject || ' is booked and not told' FROM (SELECT CASE kind WHEN 'grant' THEN id "
          "ELSE reference END AS subject FROM transfers WHERE kind IN ('grant', 'usage') EXCEPT "
          "SELECT subject FROM outbox) LIMIT 20"},
    Check{"I9", false, "SELECT COUNT(*) FROM outbox",
          "SELECT subject || ' is told and not booked' FROM (SELECT subject FROM outbox EXCEPT "
          "SELECT CASE kind WHEN 'grant' THEN id ELSE reference END FROM transfers WHERE kind IN "
          "('grant', 'usage')) LIMIT 20"},
    Check{"I9", false, "SELECT COUNT(*) FROM outbox",
          "SELECT 'the outbox ends at ' || MAX(seq) || ' with ' || COUNT(*) || ' events' FROM "
          "outbox HAVING COUNT(*) > 0 AND MAX(seq) - MIN(seq) + 1 <> COUNT(*)"},
};

}  // namespace

Result<LedgerReport> check_ledger(storage::Connection& connection, bool is_quick) {
    LedgerReport report;
    for (const Check& check : kChecks) {
        if (is_quick && !check.is_quick) continue;
        QUIRE_TRY(const auto count, connection.query(check.count));
        report.checked[std::string(check.name)] = count.front().integer(0);
        QUIRE_TRY(const auto found, connection.query(check.violations));
        for (const storage::Row& row : found) {
            report.violations.push_back(fmt::format("{}: {}", check.name, row.text(0)));
        }
    }
    return report;
}

}  // namespace quire::credits
