#include "storage/outbox_page.hpp"

#include "runtime/proto_json.hpp"
#include "storage/outbox.hpp"

namespace quire::storage {
namespace {

Result<std::string> json_of(const OutboxRow& row, const EventTypes& types) {
    const auto known = types.find(row.type);
    if (known != types.end()) {
        const std::unique_ptr<google::protobuf::Message> message(known->second->New());
        std::string json;
        if (message->ParseFromString(row.payload)) {
            runtime::append_proto_json(json, *message);
            return json;
        }
    }
    return Error(ErrorCode::kStorageUnavailable,
                 fmt::format("the outbox holds what is no {}: {}", row.type, row.event_id));
}

}  // namespace

awaitable<Result<common::v1::OutboxPage>> read_outbox_page(
    Database& database, const common::v1::ReadOutboxRequest& request, const EventTypes& types) {
    auto read = [&request](Connection& connection) {
        return read_outbox(connection, request.after_sequence(), request.limit());
    };
    QUIRE_CO_TRY(OutboxRows rows, database.read(std::move(read)));
    common::v1::OutboxPage page;
    page.set_has_more(rows.has_more);
    for (OutboxRow& row : rows.list) {
        auto& event = *page.add_events();
        if (row.payload.starts_with('{')) {  // JSON, as earlier versions wrote it
            event.set_data_json(std::move(row.payload));
        } else if (request.binary()) {
            event.set_data(std::move(row.payload));
        } else {
            auto json = json_of(row, types);
            if (!json) co_return json.error();
            event.set_data_json(*std::move(json));
        }
        event.set_sequence(row.sequence);
        event.set_id(std::move(row.event_id));
        event.set_type(std::move(row.type));
        event.set_subject(std::move(row.subject));
        event.set_time_us(row.created_at.micros);
        event.set_traceparent(std::move(row.traceparent));
    }
    co_return page;
}

}  // namespace quire::storage
