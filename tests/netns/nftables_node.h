// SPDX-License-Identifier: Apache-2.0
//
// The nf_tables port mapper on a node of its own, and how its tests look at what is in the kernel.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "datapath/nftables_port_mapper.h"
#include "harness/netns.h"

namespace tortie {

inline PortMapping mapping(std::uint16_t host_port,
                           std::optional<std::string_view> host_ip = std::nullopt,
                           Protocol protocol = Protocol::kTcp)
{
    PortMapping out;
    out.host_port = host_port;
    out.container_port = 80;
    out.protocol = protocol;
    if (host_ip)
        out.host_ip = IpAddr::parse(*host_ip);
    return out;
}

// Container `id` at 10.88.0.<host>/16 with one TCP port.
inline Publication pod(std::string_view id, int host, std::uint16_t host_port)
{
    return {.attachment = {"net", std::string(id), "eth0"},
            .addresses = {*Cidr::parse("10.88.0." + std::to_string(host) + "/16")},
            .mappings = {mapping(host_port)},
            .policy = {}};
}

inline int count(std::string_view text, std::string_view what)
{
    int n = 0;
    for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1))
        ++n;
    return n;
}

class NftablesPortMapperTest : public testing::Test {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_ROOT();
        node_.emplace();
    }

    Result<std::vector<PublishedPort>> try_publish(const Publication &publication)
    {
        return node_->inside([&] { return mapper_.publish(publication); });
    }

    std::vector<PublishedPort> publish(const Publication &publication)
    {
        auto done = try_publish(publication);
        EXPECT_TRUE(done) << done.error().what();
        return done ? *done : std::vector<PublishedPort>();
    }

    std::vector<PublishedPort> withdraw(const Publication &publication)
    {
        auto done = node_->inside([&] { return mapper_.withdraw(publication); });
        EXPECT_TRUE(done) << done.error().what();
        return done ? *done : std::vector<PublishedPort>();
    }

    // Empty when all is well.
    std::string check(const Publication &publication)
    {
        const auto done = node_->inside([&] { return mapper_.check(publication); });
        if (done)
            return "";
        EXPECT_EQ(done.error().kind(), ErrorKind::kNotFound);
        return done.error().what();
    }

    std::string nft(const std::vector<std::string> &arguments)
    {
        std::vector<std::string> argv{"nft"};
        argv.insert(argv.end(), arguments.begin(), arguments.end());
        return node_->run(argv);
    }

    std::string map(const std::string &name)
    {
        return nft({"list", "map", "inet", "tortie", name});
    }
    std::string set(const std::string &name)
    {
        return nft({"list", "set", "inet", "tortie", name});
    }
    std::string ruleset() { return nft({"list", "ruleset"}); }

    std::optional<test::Netns> node_;
    NftablesPortMapper mapper_{""};
};

}  // namespace tortie
