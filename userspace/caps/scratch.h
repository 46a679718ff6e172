// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "caps/capability.h"

namespace tortie::caps {

// Where probing happens: network and mount namespaces that belong to this process alone. They go
// with it, and everything that was made in them too.
class Scratch {
public:
    // Moves the calling process there for good: for a child that does nothing else. What was
    // refused is remembered, and the questions that need it are answered by that.
    static Scratch enter(std::string search_path);

    // Unknown when this process is still in somebody else's namespace; yes otherwise.
    const Finding &network() const { return network_; }
    const Finding &mounts() const { return mounts_; }

    std::string_view search_path() const { return search_path_; }

private:
    explicit Scratch(std::string search_path) : search_path_(std::move(search_path)) {}

    Finding network_;
    Finding mounts_;
    std::string search_path_;
};

// lo, in every network namespace from its beginning.
constexpr int kLoIfindex = 1;

}  // namespace tortie::caps
