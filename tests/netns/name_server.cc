// SPDX-License-Identifier: Apache-2.0
#include "netns/name_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <array>
#include <fstream>
#include <utility>

#include <gtest/gtest.h>

namespace tortie::test {
namespace {

constexpr std::size_t kHeaderBytes = 12;
constexpr std::uint16_t kTypeA = 1;
constexpr std::uint16_t kTypeSrv = 33;

void append16(std::string &out, unsigned number)
{
    out += static_cast<char>(number >> 8 & 0xff);
    out += static_cast<char>(number & 0xff);
}

std::string labels_of(const std::string &name)
{
    std::string out;
    std::size_t at = 0;
    while (at < name.size()) {
        const std::size_t dot = std::min(name.find('.', at), name.size());
        out += static_cast<char>(dot - at);
        out += name.substr(at, dot - at);
        at = dot + 1;
    }
    return out + '\0';
}

// The name of the question and where it ends.
std::pair<std::string, std::size_t> question_of(std::string_view query)
{
    std::string name;
    std::size_t at = kHeaderBytes;
    while (at < query.size() && query[at] != 0) {
        const auto length = static_cast<std::size_t>(query[at]);
        name += (name.empty() ? "" : ".") + std::string(query.substr(at + 1, length));
        at += 1 + length;
    }
    return {name, at + 1};
}

// One record about the name of the question, good for no time.
void append_record(std::string &out, unsigned type, const std::string &data)
{
    append16(out, 0xc000 | kHeaderBytes);
    append16(out, type);
    append16(out, 1);
    out += std::string(4, '\0');
    append16(out, static_cast<unsigned>(data.size()));
    out += data;
}

}  // namespace

NameServer::NameServer(std::map<std::string, std::vector<ServiceRecord>> services)
    : services_(std::move(services))
{
    std::ofstream(folder_ / "resolv.conf") << "nameserver 127.0.0.1\noptions attempts:1\n";
    EXPECT_EQ(::unshare(CLONE_NEWNS), 0);
    EXPECT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    EXPECT_EQ(
        ::mount((folder_ / "resolv.conf").c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr),
        0);
    socket_ = UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(53);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): how sockets take addresses
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr *>(&address), sizeof address), 0);
    thread_ = std::thread([this] { serve(); });
}

NameServer::~NameServer()
{
    over_ = true;
    thread_.join();
}

std::string NameServer::answer_to(std::string_view query) const
{
    const auto [name, end] = question_of(query);
    const auto type = static_cast<std::uint16_t>(static_cast<unsigned char>(query[end]) << 8 |
                                                 static_cast<unsigned char>(query[end + 1]));
    const auto service = services_.find(name);
    const bool exists = type != kTypeSrv || service != services_.end();
    std::string records;
    unsigned count = 0;
    if (type == kTypeSrv && exists) {
        for (const ServiceRecord &record : service->second) {
            std::string data;
            append16(data, record.priority);
            append16(data, record.weight);
            append16(data, record.port);
            append_record(records, kTypeSrv, data + labels_of(record.host));
            ++count;
        }
    } else if (type == kTypeA) {
        append_record(records, kTypeA, std::string("\x7f\0\0\1", 4));
        ++count;
    }
    std::string out(query.substr(0, 2));
    append16(out, exists ? 0x8580 : 0x8583);  // an answer; NXDOMAIN
    append16(out, 1);
    append16(out, count);
    append16(out, 0);
    append16(out, 0);
    return out + std::string(query.substr(kHeaderBytes, end + 4 - kHeaderBytes)) + records;
}

void NameServer::serve()
{
    while (!over_) {
        pollfd entry{.fd = socket_.get(), .events = POLLIN, .revents = 0};
        if (::poll(&entry, 1, 20) <= 0)
            continue;
        std::array<char, 512> query{};
        sockaddr_storage from{};
        socklen_t length = sizeof from;
        // NOLINTBEGIN(cppcoreguidelines-pro-type-reinterpret-cast): how sockets give addresses
        const ssize_t got = ::recvfrom(socket_.get(), query.data(), query.size(), 0,
                                       reinterpret_cast<sockaddr *>(&from), &length);
        if (got < static_cast<ssize_t>(kHeaderBytes) + 5)
            continue;
        const std::string answer = answer_to({query.data(), static_cast<std::size_t>(got)});
        ::sendto(socket_.get(), answer.data(), answer.size(), 0,
                 reinterpret_cast<const sockaddr *>(&from), length);
        // NOLINTEND(cppcoreguidelines-pro-type-reinterpret-cast)
    }
}

}  // namespace tortie::test
