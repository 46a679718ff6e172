// SPDX-License-Identifier: Apache-2.0
#include "http/url.h"

#include <gtest/gtest.h>

namespace tortie::http {
namespace {

TEST(ParseUrl, ReadsServersAsKubeconfigsNameThem)
{
    const auto plain = parse_url("https://10.96.0.1");
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->scheme, "https");
    EXPECT_EQ(plain->host, "10.96.0.1");
    EXPECT_EQ(plain->port, 443);
    EXPECT_EQ(plain->path, "");

    const auto v6 = parse_url("HTTPS://[FD00::1]:6443/k8s/clusters/c-1/");
    ASSERT_TRUE(v6);
    EXPECT_EQ(v6->scheme, "https");
    EXPECT_EQ(v6->host, "fd00::1");
    EXPECT_EQ(v6->port, 6443);
    EXPECT_EQ(v6->path, "/k8s/clusters/c-1");
    EXPECT_EQ(v6->address(), "[fd00::1]:6443");
}

TEST(ParseUrl, DecodesTheUser)
{
    const auto url = parse_url("http://u.example:p%40ss@proxy.example");
    ASSERT_TRUE(url);
    EXPECT_EQ(url->user_info, "u.example:p@ss");
    EXPECT_EQ(url->host, "proxy.example");
    EXPECT_EQ(url->port, 80);
}

TEST(ParseUrl, RefusesWhatCannotBeDialled)
{
    for (const char *text :
         {"", "10.0.0.1:443", "ftp://h", "https://", "https://:443", "https://h.example:0",
          "https://h.example:65536", "https://h.example:4x", "https://[::1", "https://[::1]x",
          "https://h.example?x=1", "https://h.example#f", "https://h.example\r\nX: y",
          "https://a.example b", "https://u.example%4@h", "https://h.example:443\n"}) {
        const auto url = parse_url(text);
        ASSERT_FALSE(url) << text;
        EXPECT_EQ(url.error().kind(), ErrorKind::kInvalidInput) << text;
    }
}

TEST(ParseUrl, KeepsPasswordsOutOfItsErrors)
{
    const auto url = parse_url("https://user.example:secret@h:port");

    ASSERT_FALSE(url);
    EXPECT_EQ(url.error().what().find("secret"), std::string::npos);
}

TEST(PercentEncoded, LeavesUnreservedCharactersAlone)
{
    EXPECT_EQ(percent_encoded("aZ09-._~"), "aZ09-._~");
    EXPECT_EQ(percent_encoded("a/b c=d,\xc3\xa9"), "a%2Fb%20c%3Dd%2C%C3%A9");
}

}  // namespace
}  // namespace tortie::http
