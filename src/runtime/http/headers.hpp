#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire::http {

/// Header fields in one buffer, in the order they came; names compare without case.
class Headers {
public:
    void add(std::string_view name, std::string_view value);
    /// The first field of this name, "" when there is none.
    std::string_view find(std::string_view name) const;
    bool contains(std::string_view name) const;
    std::size_t count(std::string_view name) const;
    std::size_t size() const { return fields_.size(); }
    std::pair<std::string_view, std::string_view> at(std::size_t index) const;

private:
    struct Field {
        std::uint32_t name_at, name_size, value_at, value_size;
    };
    std::string_view name_of(const Field& f) const {
        return std::string_view(storage_).substr(f.name_at, f.name_size);
    }
    std::string_view value_of(const Field& f) const {
        return std::string_view(storage_).substr(f.value_at, f.value_size);
    }

    std::string storage_;
    std::vector<Field> fields_;
};

bool equals_ignoring_case(std::string_view a, std::string_view b);
std::string_view trimmed(std::string_view text);

}  // namespace quire::http
