// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace tortie {

// Being in another network namespace, from enter() until the object dies.
//
//   TORTIE_TRY(const NetnsScope inside, NetnsScope::enter("/run/netns/pod"));
//   ...                              // sockets opened here stay there
//
// A namespace belongs to the thread: the object dies in the thread that made it. When the way back
// fails the process aborts, because whatever runs next would change somebody else's network.
class [[nodiscard]] NetnsScope {
public:
    // Errors, after which the thread is where it was, with the texts of the Go plugins:
    //   kNotFound      failed to Statfs "<path>": no such file or directory
    //   kInvalidInput  unknown FS magic on "<path>": <hex>; for another file of the right kind of
    //                  file system: error switching to ns <path>: ...: invalid argument
    //   others         what errno says
    // Privileges: CAP_SYS_ADMIN here and in the owner of the namespace.
    static Result<NetnsScope> enter(const std::string &path);

    NetnsScope(NetnsScope &&) noexcept = default;
    NetnsScope &operator=(NetnsScope &&) = delete;
    NetnsScope(const NetnsScope &) = delete;
    NetnsScope &operator=(const NetnsScope &) = delete;
    ~NetnsScope();

private:
    explicit NetnsScope(UniqueFd home) : home_(std::move(home)) {}

    UniqueFd home_;  // invalid once moved from
};

}  // namespace tortie
