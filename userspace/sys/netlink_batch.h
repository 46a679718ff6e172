// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/netlink.h"

namespace tortie {

// Many requests in few system calls. The kernel works through them in their order and goes on
// behind one that failed, so only requests that may run after a failure belong together. `each`
// sees the replies to those that are questions.
// Gives what became of each, in their order: 0, or its errno.
// Errors: kInvalidInput when a message is not whole, before anything is sent; kSystem when the
// messages could not be sent or answers were lost: then any number of them may have been done.
Result<std::vector<int>> request_all(NetlinkSocket &socket, std::span<NetlinkMessage> messages,
                                     std::string_view doing,
                                     const NetlinkSocket::OnReply &each = {});

}  // namespace tortie
