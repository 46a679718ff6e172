// SPDX-License-Identifier: Apache-2.0
//
// Network namespaces for one test: made in the constructor, gone in the destructor, the machine's
// own network untouched.
//
//   TORTIE_NEEDS_ROOT();
//   const test::Netns pod, node;
//   test::veth_pair(pod, "eth0", node, "veth0");
//   pod.ip({"link", "set", "eth0", "up"});
//   const std::string mtu = pod.inside([] { return read_sysctl("ipv4/conf/eth0/mtu"); }).value();
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/result.h"
#include "sys/netns.h"

// First line of a test or of SetUp(): a skip that names what is missing.
#define TORTIE_NEEDS_ROOT() \
    if (::geteuid() != 0)   \
    GTEST_SKIP() << "needs root (CAP_SYS_ADMIN, CAP_NET_ADMIN)"

namespace tortie::test {

// A fresh network namespace with a name, /run/netns/tt-<pid>-<n>; lo is down in it. Removing the
// name removes everything in it, unless a process still lives there.
class Netns {
public:
    Netns();
    ~Netns();
    Netns(const Netns &) = delete;
    Netns &operator=(const Netns &) = delete;
    Netns(Netns &&) = delete;
    Netns &operator=(Netns &&) = delete;

    const std::string &name() const { return name_; }
    const std::string &path() const { return path_; }

    // Runs `body` in the namespace, in this thread, and comes back; its value is handed on.
    template <class Body>
    auto inside(Body &&body) const
    {
        const auto scope = NetnsScope::enter(path_);
        if (!scope) {
            ADD_FAILURE() << scope.error().what();
            std::abort();
        }
        return body();
    }

    // A command in the namespace, its stdout. argv[0] is looked up. A status other than 0 is a
    // test failure, unless the test asks with try_run().
    std::string run(const std::vector<std::string> &argv) const;
    std::optional<std::string> try_run(const std::vector<std::string> &argv) const;

    // run() of ip(8).
    std::string ip(const std::vector<std::string> &arguments) const;

    // Takes the name away now, as a runtime does before its DEL. The destructor then has nothing
    // to do.
    void remove();

private:
    std::string name_;
    std::string path_;
};

// One veth with its ends in two namespaces (or twice in one), both down.
void veth_pair(const Netns &a, const std::string &name_a, const Netns &b,
               const std::string &name_b);

// The same command in the namespace the test runs in.
std::optional<std::string> try_run_here(const std::vector<std::string> &argv);

}  // namespace tortie::test
