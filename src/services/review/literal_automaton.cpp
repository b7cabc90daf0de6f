#include "services/review/literal_automaton.hpp"

namespace quire::review {

LiteralAutomaton::State LiteralAutomaton::child_of(State state, unsigned char byte) const {
    for (const auto& [label, child] : nodes_[state].children) {
        if (label == byte) return child;
    }
    return kStart;
}

void LiteralAutomaton::add(std::string_view text, int rule) {
    State state = kStart;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        State child = child_of(state, byte);
        if (child == kStart) {
            child = static_cast<State>(nodes_.size());
            nodes_[state].children.emplace_back(byte, child);
            nodes_.emplace_back().depth = nodes_[state].depth + 1;
        }
        state = child;
    }
    nodes_[state].outputs.push_back({static_cast<std::uint32_t>(text.size()), rule});
}

/// Bytes that stand in no text behave alike, so the table has a column for each of the others.
void LiteralAutomaton::number_classes() {
    for (const Node& node : nodes_) {
        for (const auto& [byte, child] : node.children) {
            if (class_of_[byte] == 0) class_of_[byte] = static_cast<std::uint8_t>(classes_++);
        }
    }
}

void LiteralAutomaton::build() {
    number_classes();
    std::vector<unsigned char> byte_of_class(classes_, 0);
    for (std::size_t byte = 0; byte < class_of_.size(); ++byte) {
        if (class_of_[byte] != 0) byte_of_class[class_of_[byte]] = static_cast<unsigned char>(byte);
    }
    next_.assign(nodes_.size() * classes_, kStart);
    has_output_.assign(nodes_.size(), 0);
    // Breadth first: the row of a node's suffix, which is shorter, is there before its own.
    std::vector<State> order{kStart};
    for (std::size_t i = 0; i < order.size(); ++i) {
        const State state = order[i];
        connect(state, byte_of_class);
        for (const auto& [byte, child] : nodes_[state].children) order.push_back(child);
    }
}

void LiteralAutomaton::connect(State state, const std::vector<unsigned char>& byte_of_class) {
    Node& node = nodes_[state];
    const Node& suffix = nodes_[node.suffix];
    node.output_link = suffix.outputs.empty() ? suffix.output_link : node.suffix;
    has_output_[state] = !node.outputs.empty() || node.output_link != kStart;
    for (std::size_t c = 1; c < classes_; ++c) {
        const State fallback = state == kStart ? kStart : next_[node.suffix * classes_ + c];
        const State child = child_of(state, byte_of_class[c]);
        if (child != kStart) nodes_[child].suffix = fallback;
        next_[state * classes_ + c] = child != kStart ? child : fallback;
    }
}

}  // namespace quire::review
