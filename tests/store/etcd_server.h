// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/netns.h"
#include "harness/temp_dir.h"
#include "harness/tls_authority.h"
#include "store/etcd.h"
#include "sys/netns.h"

namespace tortie::store {

// A real etcd in a network namespace of its own, in which this thread is as long as it lives. What
// is missing for it: missing().
class EtcdServer {
public:
    // Plain HTTP; else TLS, with client certificates wanted, with users, or both.
    enum class Security { kNone, kCertificates, kUsers, kBoth };

    explicit EtcdServer(Security security, const std::vector<std::string> &more = {});
    ~EtcdServer();
    EtcdServer(const EtcdServer &) = delete;
    EtcdServer &operator=(const EtcdServer &) = delete;
    EtcdServer(EtcdServer &&) = delete;
    EtcdServer &operator=(EtcdServer &&) = delete;

    // Of a client that may do everything.
    EtcdSettings settings() const;

    // The file of a client's certificate and key, and of the authority.
    std::string file(const std::string &name) const { return dir_ / name; }

    // "" when everything is here.
    static std::string missing();

private:
    bool has_users() const { return security_ == Security::kUsers || security_ == Security::kBoth; }
    void write_certificates();
    void start(const std::vector<std::string> &more);
    bool answers() const;
    void enable_users() const;

    Security security_;
    test::TempDir dir_;
    test::Netns netns_;
    std::optional<NetnsScope> inside_;
    pid_t pid_ = -1;
};

// Sends a request of the gateway; fails the test when it is refused.
void etcd_request(const EtcdSettings &settings, const std::string &target, const std::string &body);

}  // namespace tortie::store
