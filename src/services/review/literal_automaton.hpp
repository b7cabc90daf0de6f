#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quire::review {

/// Aho and Corasick's automaton over bytes: every place where one of many texts ends, in one pass
/// whose cost does not depend on how many there are. Immutable after `build`.
class LiteralAutomaton {
public:
    using State = std::uint32_t;
    static constexpr State kStart = 0;

    struct Output {
        std::uint32_t size;  ///< of the text that ends here
        int rule;
    };

    /// `text` is not empty.
    void add(std::string_view text, int rule);
    void build();
    bool is_empty() const { return nodes_.size() == 1; }
    std::size_t states() const { return nodes_.size(); }

    State next(State state, unsigned char byte) const {
        return next_[state * classes_ + class_of_[byte]];
    }
    /// Whether a text ends in `state`; then `for_each_output` names them all.
    bool has_output(State state) const { return has_output_[state] != 0; }
    template <class Visit>
    void for_each_output(State state, Visit visit) const {
        for (State at = state; at != kStart; at = nodes_[at].output_link) {
            for (const Output& output : nodes_[at].outputs) visit(output);
        }
    }
    /// How many of the last bytes are the beginning of a text: no match that ends later begins
    /// before them.
    std::size_t depth(State state) const { return nodes_[state].depth; }

private:
    struct Node {
        std::vector<std::pair<unsigned char, State>> children;
        std::vector<Output> outputs;
        std::size_t depth = 0;
        State suffix = kStart;
        State output_link = kStart;  ///< the longest proper suffix with an output
    };

    State child_of(State state, unsigned char byte) const;
    void number_classes();
    void connect(State state, const std::vector<unsigned char>& byte_of_class);

    std::vector<Node> nodes_{1};
    std::vector<State> next_;
    std::vector<unsigned char> has_output_;
    std::array<std::uint8_t, 256> class_of_{};  ///< 0: in no text
    std::size_t classes_ = 1;
};

}  // namespace quire::review
