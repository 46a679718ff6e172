// SPDX-License-Identifier: Apache-2.0
//
// Processes of the node that ask for a mapped port of loopback, in a cgroup of the test's own.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include "base/deadline.h"
#include "base/file.h"
#include "base/pause.h"
#include "prog/portmap_node.h"

namespace tortie::test {
namespace {

constexpr std::uint32_t kLocal = TORTIE_PM_MAY_ADOPT | TORTIE_PM_MAY_LOCAL;

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

class PortmapLocal : public ::testing::TestWithParam<bool> {
protected:
    void SetUp() override
    {
        TORTIE_NEEDS_ROOT();
        node_.emplace(GetParam());
        ASSERT_TRUE(node_->object.loaded());
        node_->publish(kLocal);
        const auto cookie = cookie_of(node_->node);
        if (!cookie)
            GTEST_SKIP() << "this kernel tells no cookies of network namespaces (since 5.14)";
        node_->object.state().node_netns = *cookie;
        enter_cgroup();
    }

    void TearDown() override
    {
        if (cgroup_.empty())
            return;
        move_to(root_ + home_ + "/cgroup.procs");
        const Deadline deadline = Deadline::in(std::chrono::seconds(2));
        while (::rmdir(cgroup_.c_str()) < 0 && !deadline.passed())
            pause_for(std::chrono::milliseconds(2));  // it may be busy for a moment
        ::umount2(root_.c_str(), MNT_DETACH);
        ::rmdir(root_.c_str());
    }

    static std::optional<std::uint64_t> cookie_of(const Netns &where)
    {
        return where.inside([]() -> std::optional<std::uint64_t> {
            const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
            std::uint64_t cookie = 0;
            socklen_t size = sizeof(cookie);
            if (::getsockopt(socket.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) < 0)
                return std::nullopt;
            return cookie;
        });
    }

    static void move_to(const std::string &procs)
    {
        const UniqueFd file(::open(procs.c_str(), O_WRONLY | O_CLOEXEC));
        EXPECT_EQ(::write(file.get(), "0", 1), 1) << procs << ": errno " << errno;
    }

    // A group below the one this process is in, with the programs at it.
    void enter_cgroup()
    {
        const auto own = read_file("/proc/self/cgroup", 4096);
        ASSERT_TRUE(own);
        const std::size_t at = own->find("0::");
        ASSERT_NE(at, std::string::npos) << "no cgroup2";
        home_ = own->substr(at + 3, own->find('\n', at) - at - 3);
        root_ = "/run/tt-cgroup-" + std::to_string(::getpid());
        ASSERT_EQ(::mkdir(root_.c_str(), 0755), 0);
        ASSERT_EQ(::mount("cgroup2", root_.c_str(), "cgroup2", 0, nullptr), 0) << errno;
        cgroup_ = root_ + "/tt-prog-" + std::to_string(::getpid());
        ASSERT_EQ(::mkdir(cgroup_.c_str(), 0755), 0) << errno;
        const UniqueFd group(::open(cgroup_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        const auto &programs = node_->object.skeleton().progs;
        for (const bpf_program *program :
             {programs.tt_pm_connect4, programs.tt_pm_connect6, programs.tt_pm_sendmsg4,
              programs.tt_pm_sendmsg6, programs.tt_pm_recvmsg4, programs.tt_pm_recvmsg6,
              programs.tt_pm_peer4, programs.tt_pm_peer6})
            ASSERT_EQ(bpf_prog_attach(bpf_program__fd(program), group.get(),
                                      bpf_program__expected_attach_type(program), 0),
                      0)
                << bpf_program__name(program);
        move_to(cgroup_ + "/cgroup.procs");
    }

    std::string loopback() const { return GetParam() ? "::1" : "127.0.0.1"; }
    std::uint64_t translated() const { return node_->object.counted(TORTIE_PM_LOCAL); }

    std::optional<PortmapNode> node_;
    std::string home_;  // where this process came from
    std::string root_;
    std::string cgroup_;
};

sockaddr_in6 mapped(const std::string &address, std::uint16_t port)
{
    const MapAddress words(address);
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(port);
    std::memcpy(&to.sin6_addr, words.words_be, sizeof(to.sin6_addr));
    return to;
}

std::string text_of(const sockaddr_in6 &from)
{
    char text[INET6_ADDRSTRLEN] = {};
    ::inet_ntop(AF_INET6, &from.sin6_addr, text, sizeof(text));
    return text + (" " + std::to_string(ntohs(from.sin6_port)));
}

TEST_P(PortmapLocal, ReachesThePodByLoopback)
{
    const AddressEcho tcp(node_->pod, Transport::kTcp, kPodPort, "tcp");
    const AddressEcho udp(node_->pod, Transport::kUdp, kPodPort, "udp");

    const std::string node = GetParam() ? "2001:db8:2::1" : "10.65.0.1";
    EXPECT_EQ(ask(node_->node, Transport::kTcp, loopback(), kHostPort), "tcp " + node);
    EXPECT_EQ(ask(node_->node, Transport::kUdp, loopback(), kHostPort), "udp " + node);
    EXPECT_EQ(translated(), 2u);
}

TEST_P(PortmapLocal, IsToldThePeerThatItAskedFor)
{
    const AddressEcho server(node_->pod, Transport::kTcp, kPodPort, "pod");
    const UniqueFd socket = node_->node.inside(
        [] { return UniqueFd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)); });
    const sockaddr_in6 to = mapped(loopback(), kHostPort);
    ASSERT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr *>(&to), sizeof(to)), 0)
        << errno;

    sockaddr_in6 peer{};
    socklen_t size = sizeof(peer);
    ASSERT_EQ(::getpeername(socket.get(), reinterpret_cast<sockaddr *>(&peer), &size), 0);

    EXPECT_EQ(text_of(peer), text_of(to));
}

TEST_P(PortmapLocal, GetsAnswersFromWhereItSentItsDatagrams)
{
    const AddressEcho server(node_->pod, Transport::kUdp, kPodPort, "pod");
    const UniqueFd socket = node_->node.inside(
        [] { return UniqueFd(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)); });
    const sockaddr_in6 to = mapped(loopback(), kHostPort);
    ASSERT_EQ(
        ::sendto(socket.get(), "?", 1, 0, reinterpret_cast<const sockaddr *>(&to), sizeof(to)), 1);
    timeval patience = {.tv_sec = 2, .tv_usec = 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));

    char answer[64] = {};
    sockaddr_in6 from{};
    socklen_t size = sizeof(from);
    ASSERT_GT(::recvfrom(socket.get(), answer, sizeof(answer), 0,
                         reinterpret_cast<sockaddr *>(&from), &size),
              0);

    EXPECT_EQ(text_of(from), text_of(to));
}

TEST_P(PortmapLocal, IsLeftAloneInAPod)
{
    const AddressEcho own(node_->pod, Transport::kTcp, kHostPort, "own");

    EXPECT_EQ(ask(node_->pod, Transport::kTcp, loopback(), kHostPort), "own " + loopback());
    EXPECT_EQ(translated(), 0u);
}

TEST_P(PortmapLocal, IsLeftAloneWhenBoundToLoopback)
{
    const AddressEcho own(node_->node, Transport::kTcp, kHostPort, "own");
    const UniqueFd socket = node_->node.inside(
        [] { return UniqueFd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)); });
    const sockaddr_in6 here = mapped(loopback(), 0);
    const sockaddr_in6 to = mapped(loopback(), kHostPort);
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr *>(&here), sizeof(here)), 0);

    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr *>(&to), sizeof(to)), 0);
    EXPECT_EQ(translated(), 0u);
}

TEST_P(PortmapLocal, IsLeftAloneForOtherPortsAndAddresses)
{
    const AddressEcho own(node_->node, Transport::kTcp, 8081, "own");
    const AddressEcho pod(node_->pod, Transport::kTcp, kPodPort, "pod");

    EXPECT_EQ(ask(node_->node, Transport::kTcp, loopback(), 8081), "own " + loopback());
    EXPECT_NE(ask(node_->node, Transport::kTcp, node_->pod_address(), kPodPort), "nobody");
    EXPECT_EQ(translated(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Families, PortmapLocal, ::testing::Bool(),
                         [](const auto &of) { return of.param ? "IPv6" : "IPv4"; });

}  // namespace
}  // namespace tortie::test
