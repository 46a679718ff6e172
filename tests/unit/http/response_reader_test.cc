// SPDX-License-Identifier: Apache-2.0
#include "http/response_reader.h"

#include <gtest/gtest.h>

namespace tortie::http {
namespace {

constexpr ResponseReader::Limits kLimits{.header_bytes = 1024, .body_bytes = 100};

// All answers in `bytes`, fed `step` at a time; a last line tells of an error.
std::vector<std::string> read_all(std::string_view bytes, std::size_t step)
{
    ResponseReader reader(kLimits);
    std::vector<std::string> out;
    while (!bytes.empty()) {
        reader.add(bytes.substr(0, step));
        bytes.remove_prefix(std::min(step, bytes.size()));
        for (;;) {
            auto next = reader.next();
            if (!next) {
                out.push_back("error: " + next.error().what());
                return out;
            }
            if (!*next)
                break;
            out.push_back(std::to_string((*next)->status) + ' ' + (*next)->body);
        }
    }
    return out;
}

using Texts = std::vector<std::string>;

TEST(ResponseReader, ReadsPipelinedAnswersHoweverTheyAreCut)
{
    const std::string bytes =
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"
        "HTTP/1.1 100 Continue\r\n\r\n"
        "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: "
        "chunked\r\n\r\n3\r\ncde\r\n1;x=y\r\nf\r\n0\r\n\r\n"
        "HTTP/1.1 204 No Content\r\n\r\n"
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

    for (std::size_t step = 1; step <= bytes.size(); ++step)
        EXPECT_EQ(read_all(bytes, step), (Texts{"200 ab", "404 cdef", "204 ", "200 "})) << step;
}

TEST(ResponseReader, KeepsTypeAndRetryAfter)
{
    ResponseReader reader(kLimits);
    reader.add(
        "HTTP/1.1 429 Too Many\r\ncontent-type: text/plain; x\r\nRETRY-AFTER: 3\r\n"
        "Content-Length: 0\r\n\r\n");

    const auto answer = reader.next();

    ASSERT_TRUE(answer && *answer);
    EXPECT_EQ((*answer)->content_type, "text/plain; x");
    EXPECT_EQ((*answer)->retry_after, "3");
}

TEST(ResponseReader, KnowsWhetherTheConnectionLives)
{
    for (const auto &[head, lives] : {std::pair{"HTTP/1.1 200 OK\r\n", true},
                                      {"HTTP/1.1 200 OK\r\nConnection: close\r\n", false},
                                      {"HTTP/1.0 200 OK\r\n", false}}) {
        ResponseReader reader(kLimits);
        reader.add(std::string(head) + "Content-Length: 0\r\n\r\n");
        ASSERT_TRUE(reader.next().value());
        EXPECT_EQ(reader.keeps_alive(), lives) << head;
    }
}

TEST(ResponseReader, TakesABodyThatEndsWithTheConnection)
{
    ResponseReader reader(kLimits);
    reader.add("HTTP/1.1 200 OK\r\n\r\nto the end");
    ASSERT_FALSE(reader.next().value());

    const auto answer = reader.at_end();

    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body, "to the end");
    EXPECT_FALSE(reader.keeps_alive());
}

TEST(ResponseReader, TellsNothingFromHalf)
{
    ResponseReader nothing(kLimits);
    EXPECT_EQ(nothing.at_end().error().what(), "EOF");

    for (const char *half : {"HTTP/1.1 2", "HTTP/1.1 200 OK\r\nContent-Le",
                             "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
                             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"}) {
        ResponseReader reader(kLimits);
        reader.add(half);
        ASSERT_TRUE(reader.next());
        const auto end = reader.at_end();
        ASSERT_FALSE(end) << half;
        EXPECT_EQ(end.error().what(), "unexpected EOF") << half;
        EXPECT_EQ(end.error().kind(), ErrorKind::kTryAgain);
    }
}

TEST(ResponseReader, RefusesGarbageAndShowsItsBeginning)
{
    const auto out = read_all("SSH-2.0-OpenSSH\r\n\x01\r\n\r\n", 100);

    ASSERT_EQ(out.size(), 1U);
    EXPECT_TRUE(out[0].starts_with("error: malformed HTTP response")) << out[0];
    EXPECT_NE(out[0].find("SSH-2.0-OpenSSH\\r\\n\\x01"), std::string::npos) << out[0];
}

TEST(ResponseReader, RefusesConflictingLengths)
{
    for (const char *lengths :
         {"Content-Length: 1\r\nContent-Length: 2\r\n", "Content-Length: -1\r\n",
          "Content-Length: 99999999999999999999\r\n", "Content-Length: x\r\n"}) {
        const auto out =
            read_all("HTTP/1.1 200 OK\r\n" + std::string(lengths) + "\r\nabcdef", 1000);
        ASSERT_FALSE(out.empty()) << lengths;
        EXPECT_TRUE(out[0].starts_with("error: ")) << lengths << out[0];
    }
}

TEST(ResponseReader, BoundsBodyAndHeader)
{
    const std::string big(101, 'x');
    EXPECT_EQ(read_all("HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + big, 4096),
              (Texts{"error: the answer is longer than 100 bytes"}));
    EXPECT_EQ(
        read_all("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n32\r\n" +
                     std::string(50, 'x') + "\r\n33\r\n" + std::string(51, 'x') + "\r\n0\r\n\r\n",
                 4096),
        (Texts{"error: the answer is longer than 100 bytes"}));
    EXPECT_EQ(read_all("HTTP/1.1 200 OK\r\nX: " + std::string(2000, 'y') + "\r\n\r\n", 4096),
              (Texts{"error: malformed HTTP response: header longer than 1024"}));
}

}  // namespace
}  // namespace tortie::http
