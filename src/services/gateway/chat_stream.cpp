#include "services/gateway/chat_stream.hpp"

namespace quire::gateway {

awaitable<Result<void>> ChatStream::write(const common::v1::ChatEvent& event) {
    if (event.has_started()) return start(event);
    out_.clear();
    if (event.has_delta()) {
        writer_.append_delta(out_, event.delta());
    } else {
        const auto& finished = event.finished();
        writer_.append_finish(out_, finished.finish_reason());
        if (has_usage_ && finished.has_usage()) writer_.append_usage(out_, finished.usage());
        out_ += "data: [DONE]\n\n";
    }
    return send(out_);
}

awaitable<Result<void>> ChatStream::start(const common::v1::ChatEvent& event) {
    const common::v1::Started& started = event.started();
    if (!started.replay_of().empty()) {
        writer_ = ChunkWriter(identity_of(started, identity_), has_usage_);
    }
    out_.clear();
    writer_.append_role(out_);
    co_return co_await begin(started, out_);
}

}  // namespace quire::gateway
