#pragma once

#include "quire/common/v1/chat.pb.h"
#include "runtime/rpc/stream.hpp"

#include <optional>
#include <string>
#include <vector>

namespace quire::test {

inline common::v1::ChatEvent started_event() {
    common::v1::ChatEvent event;
    event.mutable_started()->set_model("writer");
    return event;
}

inline common::v1::ChatEvent text_event(const std::string& text) {
    common::v1::ChatEvent event;
    event.mutable_delta()->set_text(text);
    return event;
}

inline common::v1::ChatEvent finished_event(const std::string& reason = "stop") {
    common::v1::ChatEvent event;
    event.mutable_finished()->set_finish_reason(reason);
    return event;
}

/// Keeps the events of a generation, and as words: `started`, the text of each delta,
/// `finished:REASON`, `unanswered STEP…`. With `refusal` it takes none.
class ChatEvents final : public rpc::Sink<common::v1::ChatEvent> {
public:
    awaitable<Result<void>> write(const common::v1::ChatEvent& event) override {
        if (refusal) co_return *refusal;
        all.push_back(event);
        if (event.has_started()) {
            words.push_back("started");
        } else if (event.has_delta()) {
            words.push_back(event.delta().text());
        } else if (event.has_unanswered()) {
            words.push_back("unanswered");
            for (const auto& step : event.unanswered().steps()) words.back() += ' ' + step.name();
        } else {
            words.push_back("finished:" + event.finished().finish_reason());
        }
        co_return Result<void>();
    }

    /// The first and the last event; empty where they are others.
    const common::v1::Started& started() const {
        return all.empty() ? common::v1::Started::default_instance() : all.front().started();
    }
    const common::v1::Finished& finished() const {
        return all.empty() ? common::v1::Finished::default_instance() : all.back().finished();
    }

    std::optional<Error> refusal;
    std::vector<common::v1::ChatEvent> all;
    std::vector<std::string> words;
};

}  // namespace quire::test
