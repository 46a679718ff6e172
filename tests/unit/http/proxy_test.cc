// SPDX-License-Identifier: Apache-2.0
#include "http/proxy.h"

#include <map>

#include <gtest/gtest.h>

namespace tortie::http {
namespace {

class ProxyFromEnvironment : public testing::Test {
protected:
    // "host:port" of the proxy for this server, "" for none, "error: ..." otherwise.
    std::string proxy_for(const std::string &host, std::uint16_t port = 443, bool tls = true)
    {
        Server server{.host = host, .port = port};
        if (tls)
            server.tls = Tls{};
        const auto proxy = proxy_from_environment(
            [this](const char *name) {
                const auto it = env_.find(name);
                return it == env_.end() ? nullptr : it->second.c_str();
            },
            server);
        if (!proxy)
            return "error: " + proxy.error().what();
        return *proxy ? (*proxy)->host + ":" + std::to_string((*proxy)->port) : "";
    }

    std::map<std::string, std::string> env_;
};

TEST_F(ProxyFromEnvironment, IsChosenByTheServersScheme)
{
    env_ = {{"HTTPS_PROXY", "http://secure.example:3128"}, {"http_proxy", "plain.example"}};

    EXPECT_EQ(proxy_for("10.0.0.1"), "secure.example:3128");
    EXPECT_EQ(proxy_for("10.0.0.1", 80, false), "plain.example:80");
}

TEST_F(ProxyFromEnvironment, PrefersUpperCase)
{
    env_ = {{"HTTPS_PROXY", "http://upper.example"}, {"https_proxy", "http://lower.example"}};
    EXPECT_EQ(proxy_for("10.0.0.1"), "upper.example:80");

    env_["HTTPS_PROXY"] = "";
    EXPECT_EQ(proxy_for("10.0.0.1"), "lower.example:80");
}

TEST_F(ProxyFromEnvironment, IsNeverUsedForThisMachine)
{
    env_ = {{"HTTPS_PROXY", "http://p.example"}};

    for (const char *host : {"localhost", "127.0.0.1", "127.8.8.8", "::1"})
        EXPECT_EQ(proxy_for(host), "") << host;
    EXPECT_EQ(proxy_for("localhost.example"), "p.example:80");
}

TEST_F(ProxyFromEnvironment, SparesAddressesAndNetworks)
{
    env_ = {{"HTTPS_PROXY", "http://p.example"},
            {"NO_PROXY", "10.96.0.0/12, 192.0.2.7,[fd00::7]:6443 ,2001:db8::/32,192.0.2.8:6443"}};

    EXPECT_EQ(proxy_for("10.96.0.1"), "");
    EXPECT_EQ(proxy_for("10.112.0.1"), "p.example:80");
    EXPECT_EQ(proxy_for("192.0.2.7", 6443), "");
    EXPECT_EQ(proxy_for("192.0.2.8", 6443), "");
    EXPECT_EQ(proxy_for("192.0.2.8", 443), "p.example:80");
    EXPECT_EQ(proxy_for("fd00::7", 6443), "");
    EXPECT_EQ(proxy_for("fd00::7", 443), "p.example:80");
    EXPECT_EQ(proxy_for("2001:db8::5"), "");
}

TEST_F(ProxyFromEnvironment, SparesDomains)
{
    env_ = {{"HTTPS_PROXY", "http://p.example"},
            {"no_proxy", "cluster.example,.below.example,*.star.example,port.example:6443"}};

    EXPECT_EQ(proxy_for("cluster.example"), "");
    EXPECT_EQ(proxy_for("API.Cluster.Example"), "");
    EXPECT_EQ(proxy_for("mycluster.example"), "p.example:80");
    EXPECT_EQ(proxy_for("x.below.example"), "");
    EXPECT_EQ(proxy_for("below.example"), "p.example:80");
    EXPECT_EQ(proxy_for("x.star.example"), "");
    EXPECT_EQ(proxy_for("port.example", 6443), "");
    EXPECT_EQ(proxy_for("port.example", 443), "p.example:80");
}

TEST_F(ProxyFromEnvironment, SparesEverythingByAStar)
{
    env_ = {{"HTTPS_PROXY", "http://p.example"}, {"NO_PROXY", "a.example,*"}};

    EXPECT_EQ(proxy_for("10.0.0.1"), "");
}

TEST_F(ProxyFromEnvironment, RefusesSocksAndNonsense)
{
    env_ = {{"HTTPS_PROXY", "socks5://p.example:1080"}};
    EXPECT_EQ(proxy_for("10.0.0.1"),
              "error: proxy socks5://p.example:1080: only http and https proxies are supported");

    env_ = {{"HTTPS_PROXY", "http://:x"}};
    EXPECT_TRUE(proxy_for("10.0.0.1").starts_with("error: invalid proxy address"));
}

TEST(ParseProxy, KeepsUserAndScheme)
{
    const auto proxy = parse_proxy("https://u.example:word@p.example:8443/");

    ASSERT_TRUE(proxy);
    EXPECT_TRUE(proxy->https);
    EXPECT_EQ(proxy->host, "p.example");
    EXPECT_EQ(proxy->port, 8443);
    EXPECT_EQ(proxy->user_info, "u.example:word");
}

}  // namespace
}  // namespace tortie::http
