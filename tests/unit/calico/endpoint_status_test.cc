// SPDX-License-Identifier: Apache-2.0
#include "calico/endpoint_status.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "harness/temp_dir.h"

namespace tortie::calico {
namespace {

using namespace std::chrono_literals;

constexpr const char *kFelixs = R"({"ifaceName": "cali1", "mac": "02:00:00:00:00:01",
    "ipv4Nets": ["10.65.0.2/32"], "ipv6Nets": ["dead:beef::2/128"]})";

TEST(EndpointStatusFile, IsNamedAsFelixNamesIt)
{
    const auto name = [](const char *orchestrator, const char *workload, const char *endpoint) {
        return endpoint_status_file_name({.orchestrator = orchestrator,
                                          .workload = workload,
                                          .endpoint = endpoint,
                                          .host_ifname = {},
                                          .addresses = {},
                                          .since = {}});
    };
    EXPECT_EQ(name("k8s", "default/testpod1", "eth0"), "k8s default%2Ftestpod1 eth0");
    EXPECT_EQ(name("k8/s", "defaul/t/testp/od1", "eth/0"),
              "k8%2Fs defaul%2Ft%2Ftestp%2Fod1 eth%2F0");
    EXPECT_EQ(name("k8s", "default/t est pod1", "eth0"), "k8s default%2Ft%20est%20pod1 eth0");
    EXPECT_EQ(name("a-b_c.d~e", "$&+=:@", "!*'();,?%\xc3\xa9"),
              "a-b_c.d~e $&+=:@ %21%2A%27%28%29%3B%2C%3F%25%C3%A9");
}

class EndpointStatus : public testing::Test {
protected:
    // Gives the directory, in which nothing happens by itself.
    std::string status_dir() const { return dir_ / "endpoint-status"; }

    void make_dir() const { std::filesystem::create_directory(status_dir()); }

    void write(const std::string &text) const
    {
        std::ofstream(status_dir() + '/' + endpoint_status_file_name(pod_)) << text;
    }

    void let_it_be_from(std::chrono::seconds ago) const
    {
        const std::string path = status_dir() + '/' + endpoint_status_file_name(pod_);
        std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() - ago);
    }

    bool ready_within(std::chrono::milliseconds budget) const
    {
        return wait_for_endpoint_status(status_dir(), pod_, Deadline::in(budget)).has_value();
    }

    // Whether a file with that text ends the wait.
    bool is_taken(const std::string &text) const
    {
        write(text);
        return ready_within(0ms);
    }

    test::TempDir dir_;
    AwaitedEndpoint pod_{.orchestrator = "k8s",
                         .workload = "default/pod-1",
                         .endpoint = "eth0",
                         .host_ifname = "cali1",
                         .addresses = {*IpAddr::parse("10.65.0.2"), *IpAddr::parse("dead:beef::2")},
                         .since = std::chrono::system_clock::now()};
};

TEST_F(EndpointStatus, IsThereAlready)
{
    make_dir();
    EXPECT_TRUE(is_taken(kFelixs));
}

TEST_F(EndpointStatus, ComesWhileWeWait)
{
    make_dir();
    std::thread felix([&] { write(kFelixs); });

    EXPECT_TRUE(ready_within(10s));

    felix.join();
}

TEST_F(EndpointStatus, ComesWithItsDirectory)
{
    std::thread felix([&] {
        make_dir();
        write(kFelixs);
    });

    EXPECT_TRUE(ready_within(10s));

    felix.join();
}

TEST_F(EndpointStatus, DoesNotComeBeforeTheDeadline)
{
    make_dir();

    const auto waited = wait_for_endpoint_status(status_dir(), pod_, Deadline::in(30ms));

    ASSERT_FALSE(waited);
    EXPECT_EQ(waited.error().kind(), ErrorKind::kTryAgain);
    EXPECT_FALSE(ready_within(0ms));
}

TEST_F(EndpointStatus, OfBeforeTheLinkDoesNotCount)
{
    make_dir();
    write(kFelixs);
    let_it_be_from(1s);
    EXPECT_FALSE(ready_within(30ms));

    std::thread felix([&] { write(kFelixs); });
    EXPECT_TRUE(ready_within(10s));
    felix.join();
}

TEST_F(EndpointStatus, OfAnotherInterfaceOrAddressDoesNotCount)
{
    make_dir();
    EXPECT_FALSE(is_taken(R"({"ifaceName": "cali2"})"));
    EXPECT_FALSE(is_taken(R"({"ifaceName": "cali1", "ipv4Nets": ["10.65.0.3/32"]})"));
    EXPECT_FALSE(is_taken(R"({"ipv4Nets": ["10.65.0.2/32"], "ipv6Nets": ["dead:beef::3/128"]})"));
    EXPECT_FALSE(is_taken(R"({"ipv4Nets": ["nonsense"]})"));
}

TEST_F(EndpointStatus, CountsWhenItDoesNotSayOfWhat)
{
    make_dir();
    for (const char *text : {"", "{}", "null", "nonsense", "[1]", R"({"ifaceName": 7})",
                             R"({"ifaceName": "", "ipv4Nets": []})", R"({"other": true})"})
        EXPECT_TRUE(is_taken(text)) << text;
    EXPECT_TRUE(is_taken(std::string(100'000, ' '))) << "too long to read";
}

TEST_F(EndpointStatus, SurvivesThatItsDirectoryIsReplaced)
{
    make_dir();
    std::thread felix([&] {
        std::filesystem::remove(status_dir());
        make_dir();
        write(kFelixs);
    });

    EXPECT_TRUE(ready_within(10s));

    felix.join();
}

}  // namespace
}  // namespace tortie::calico
