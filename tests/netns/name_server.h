// SPDX-License-Identifier: Apache-2.0
//
// A name server for the calling thread alone, which must be in a network namespace of its own: on
// 127.0.0.1, and in a /etc/resolv.conf that only this thread sees.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "harness/temp_dir.h"

namespace tortie::test {

struct ServiceRecord {
    std::uint16_t priority = 0;
    std::uint16_t weight = 0;
    std::uint16_t port = 0;
    std::string host;
};

class NameServer {
public:
    // Every name that is no service has the address 127.0.0.1; a service that is not listed does
    // not exist. The thread must end with the server: its mounts stay private.
    explicit NameServer(std::map<std::string, std::vector<ServiceRecord>> services);
    ~NameServer();
    NameServer(const NameServer &) = delete;
    NameServer &operator=(const NameServer &) = delete;
    NameServer(NameServer &&) = delete;
    NameServer &operator=(NameServer &&) = delete;

private:
    void serve();
    std::string answer_to(std::string_view query) const;

    std::map<std::string, std::vector<ServiceRecord>> services_;
    TempDir folder_;
    UniqueFd socket_;
    std::atomic<bool> over_{false};
    std::thread thread_;
};

}  // namespace tortie::test
