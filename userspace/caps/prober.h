// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "caps/capability.h"

namespace tortie::caps {

// Whoever can be asked what a kernel can. Two: the running kernel, and the fake of the tests.
class Prober {
public:
    Prober() = default;
    Prober(const Prober &) = delete;
    Prober &operator=(const Prober &) = delete;
    Prober(Prober &&) = delete;
    Prober &operator=(Prober &&) = delete;
    virtual ~Prober() = default;

    // Never fails: what cannot be found out is kUnknown, with the reason as its evidence.
    virtual Findings probe() = 0;
};

// Asks the running kernel by doing: each capability is used once, in network and mount namespaces
// of a child process's own, and what the kernel answered is the evidence. No version is looked at.
// The child leaves nothing behind, also when it or its caller is killed; modules that netfilter
// loads on demand stay loaded. A refusal (EPERM) is never a no.
//
// `search_path` is where iptables' programs are looked for (as in PATH).
// Takes about 20 ms. Privileges: root in the node's own namespaces; less gives kUnknown.
std::unique_ptr<Prober> kernel_prober(std::string search_path);

}  // namespace tortie::caps
