// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/deadline.h"
#include "base/result.h"
#include "sys/link.h"
#include "sys/netlink.h"

namespace tortie {

// Deletes the interface, and the other end of a pair, and comes back as soon as it is gone for
// everybody: name, addresses, routes. `socket` is of the namespace that the thread is in.
//
// The kernel goes on until nobody can be using the interface's memory any more, 10 to 40 ms, or
// for minutes when it has lost count of its users, and keeps whoever asked for as long. That is
// left to a child process which holds nothing else and ends by itself.
// Errors: the kernel's refusal as delete_link() has it; kTryAgain when the deadline passes first,
// and the interface may still go afterwards. Where no child can be had it is delete_link().
Result<> delete_link_promptly(NetlinkSocket &socket, const Link &link, Deadline deadline);

}  // namespace tortie
