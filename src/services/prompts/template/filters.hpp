#pragma once

#include "services/prompts/template/budget.hpp"
#include "services/prompts/template/value.hpp"

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quire::prompts {

using FilterArguments = std::vector<std::optional<Value>>;

/// One row of the table of filters.
struct Filter {
    using Function = Result<Value> (*)(const Value&, const FilterArguments&, Budget&);

    std::string_view name;
    Function function;
    std::array<std::string_view, 4> parameters{};  ///< in order; "" behind the last
    std::size_t needed = 0;                        ///< how many of them must be given
    bool takes_undefined = false;

    std::size_t parameter_count() const;
};

std::span<const Filter> text_filters();
std::span<const Filter> number_filters();
std::span<const Filter> sequence_filters();

/// nullptr when there is none of that name.
const Filter* find_filter(std::string_view name);
std::vector<std::string> filter_names();

/// What the filters share in reading their arguments: the argument, or `fallback`.
Result<bool> flag_argument(const FilterArguments& arguments, std::size_t at, bool fallback);
Result<std::int64_t> integer_argument(const FilterArguments& arguments, std::size_t at,
                                      std::int64_t fallback);
Result<std::string> text_argument(const FilterArguments& arguments, std::size_t at,
                                  std::string fallback, Budget& budget);

}  // namespace quire::prompts
