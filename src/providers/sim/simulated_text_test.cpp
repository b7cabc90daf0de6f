#include "providers/sim/simulated_text.hpp"

#include <gtest/gtest.h>

#include <set>

namespace quire::providers {
namespace {

SimulatedText::Options tokens(std::int64_t count) {
    SimulatedText::Options options;
    options.tokens = count;
    return options;
}

std::string join(const SimulatedText& text) {
    std::string whole;
    for (const std::string& token : text.tokens()) whole += token;
    return whole;
}

std::string text_of(std::string_view prompt, const SimulatedText::Options& options) {
    return join(SimulatedText(prompt, options));
}

TEST(SimulatedText, SaysThatItIsSimulated) {
    EXPECT_EQ(text_of("prompt", tokens(8)), "This is simulated text from Quire, not the");
    EXPECT_EQ(text_of("another", tokens(8)), "This is simulated text from Quire, not the");
}

TEST(SimulatedText, RepeatsWhatItIsAskedTo) {
    const std::string text = text_of("Please.\nRepeat: my card is 4111 1111", tokens(120));

    EXPECT_EQ(text,
              "This is simulated text from Quire, not the words of a language model. Imagine: my "
              "card is 4111 1111");
    EXPECT_EQ(count_words(text_of("Repeat: ", tokens(16))), 16);
}

TEST(SimulatedText, IsTheSameForTheSameSeedAndPrompt) {
    EXPECT_EQ(text_of("prompt", tokens(200)), text_of("prompt", tokens(200)));
}

TEST(SimulatedText, DiffersBySeedAndPrompt) {
    std::set<std::string> seen;
    for (const std::string_view prompt : {"", "a", "b", "ab"}) {
        for (std::uint64_t seed = 0; seed < 5; ++seed) {
            auto options = tokens(60);
            options.seed = seed;
            seen.insert(text_of(prompt, options));
        }
    }

    EXPECT_EQ(seen.size(), 20u);
}

TEST(SimulatedText, HasAsManyTokensAsItWasToldOneWordEach) {
    for (const std::int64_t count : {1, 2, 14, 15, 120, 1000}) {
        const SimulatedText text("prompt", tokens(count));

        EXPECT_EQ(text.tokens().size(), static_cast<std::size_t>(count));
        EXPECT_EQ(count_words(join(text)), count);
        EXPECT_EQ(text.finish_reason(), "stop");
    }
}

TEST(SimulatedText, PutsASpaceBeforeEveryTokenButTheFirst) {
    const SimulatedText text("prompt", tokens(40));

    for (std::size_t i = 0; i < text.tokens().size(); ++i) {
        EXPECT_EQ(text.tokens()[i].starts_with(' '), i > 0) << text.tokens()[i];
    }
}

TEST(SimulatedText, ALimitBelowItsLengthCutsIt) {
    auto options = tokens(100);
    options.tokens_max = 30;

    const SimulatedText text("prompt", options);

    EXPECT_EQ(text.tokens().size(), 30u);
    EXPECT_EQ(text.finish_reason(), "length");
    EXPECT_TRUE(text_of("prompt", tokens(100)).starts_with(join(text)));
}

TEST(SimulatedText, ALimitThatItReachesOrNeverReachesCutsNothing) {
    for (const std::int64_t limit : {100, 101}) {
        auto options = tokens(100);
        options.tokens_max = limit;

        const SimulatedText text("prompt", options);

        EXPECT_EQ(text.tokens().size(), 100u);
        EXPECT_EQ(text.finish_reason(), "stop") << limit;
    }
}

TEST(SimulatedText, EndsBeforeAStopSequenceWhereverItBegins) {
    struct Case {
        std::vector<std::string> stop;
        std::string_view text;
    };
    for (const Case& each : std::vector<Case>{
             {{"text"}, "This is simulated "},
             {{" text"}, "This is simulated"},
             {{"ulated te"}, "This is sim"},
             {{"d text from Qu"}, "This is simulate"},
             {{"This"}, ""},
             {{"his"}, "T"},
             {{"s"}, "Thi"},
             {{"Quire", "text"}, "This is simulated "},
             {{"", "nowhere", "Quire"}, "This is simulated text from "},
             {{"the words of"}, "This is simulated text from Quire, not "},
         }) {
        auto options = tokens(20);
        options.stop = each.stop;

        const SimulatedText text("prompt", options);

        EXPECT_EQ(join(text), each.text) << each.stop.front();
        EXPECT_EQ(text.finish_reason(), "stop");
        for (const std::string& token : text.tokens()) EXPECT_NE(token, "");
    }
}

TEST(SimulatedText, AStopSequenceBeforeTheLimitIsAStop) {
    auto options = tokens(100);
    options.tokens_max = 10;
    options.stop = {"Quire"};

    EXPECT_EQ(SimulatedText("prompt", options).finish_reason(), "stop");
}

TEST(SimulatedText, AStopSequenceBehindTheLimitIsNotReached) {
    auto options = tokens(100);
    options.tokens_max = 4;
    options.stop = {"Quire"};

    const SimulatedText text("prompt", options);

    EXPECT_EQ(text.finish_reason(), "length");
    EXPECT_EQ(text.tokens().size(), 4u);
}

TEST(SimulatedText, StopSequencesThatNeverComeChangeNothing) {
    auto options = tokens(50);
    options.stop = {"", "xylophone"};

    EXPECT_EQ(text_of("prompt", options), text_of("prompt", tokens(50)));
}

TEST(CountWords, CountsRunsOfNonSpaces) {
    EXPECT_EQ(count_words(""), 0);
    EXPECT_EQ(count_words(" \n\t\r"), 0);
    EXPECT_EQ(count_words("one"), 1);
    EXPECT_EQ(count_words("  one\ntwo\tthree  größe 🐝 "), 5);
}

}  // namespace
}  // namespace quire::providers
