#pragma once

#include "quire/common/v1/common.pb.h"
#include "runtime/async.hpp"
#include "storage/database.hpp"

#include <map>
#include <string_view>

namespace quire::storage {

/// What a service publishes: the default instance of each event's message, by the event's type.
using EventTypes = std::map<std::string_view, const google::protobuf::Message*>;

/// A service's answer to ReadOutbox, from the outbox in `database`.
awaitable<Result<common::v1::OutboxPage>> read_outbox_page(
    Database& database, const common::v1::ReadOutboxRequest& request, const EventTypes& types);

}  // namespace quire::storage
