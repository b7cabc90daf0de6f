#include "tests/sim/answer_book.hpp"

#include <fmt/format.h>

#include <cstdlib>

namespace quire::sim {
namespace {

using credits::Slot;

/// Keeps the first text; what is told later must be the same.
std::string keep(std::string& first, const std::string& told, const std::string& subject) {
    if (first.empty()) first = told;
    if (first == told) return "";
    return fmt::format("{} was told `{}`, now `{}`", subject, first, told);
}

/// What the store says of one reference.
struct Effects {
    bool has_hold = false;
    bool has_grant = false;
    bool is_settled = false;
    std::int64_t charged = 0;  ///< to the customer or the operator
};

std::map<std::string, Effects> effects_in(const StoreImage& store) {
    std::map<std::string, Effects> effects;
    for (const ReferenceEntry& entry : store.entries) {
        Effects& of = effects[entry.reference];
        of.has_hold |= entry.slot == Slot::kHold;
        of.has_grant |= entry.slot == Slot::kGrant;
        of.is_settled |= entry.kind == credits::TransferKind::kUsage;
        if (entry.slot != Slot::kGrant) of.charged += entry.posted;
    }
    return effects;
}

}  // namespace

std::string AnswerBook::note(const Order& order, const Outcome& outcome) {
    const std::string subject = subject_of(order);
    const std::string told = outcome.facts + " " + outcome.id;
    if (outcome.kind == "hold admitted" || outcome.kind == "hold exists") {
        return keep(promises_[subject].hold, told, subject);
    }
    if (outcome.kind == "settle done") {
        Promises& promises = promises_[subject];
        promises.settled = std::strtoll(outcome.facts.c_str() + sizeof("total"), nullptr, 10);
        return keep(promises.settle, told, subject);
    }
    if (outcome.kind == "grant done") return keep(promises_[subject].grant, told, subject);
    return "";
}

std::string AnswerBook::broken_promise(const StoreImage& store) const {
    std::map<std::string, Effects> effects = effects_in(store);
    for (const auto& [subject, promises] : promises_) {
        const Effects& there = effects[subject];
        if (!promises.hold.empty() && !there.has_hold) return "I12: lost: the hold of " + subject;
        if (!promises.grant.empty() && !there.has_grant) return "I12: lost: " + subject;
        if (promises.settle.empty()) continue;
        if (!there.is_settled) return "I12: lost: the settlement of " + subject;
        if (there.charged != promises.settled) {
            return fmt::format("I12: {} was told {}, {} is booked", subject, promises.settled,
                               there.charged);
        }
    }
    return "";
}

}  // namespace quire::sim
