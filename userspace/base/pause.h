// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <poll.h>

#include <chrono>
#include <ctime>

namespace tortie {

// Between two looks at something that cannot be waited for. A signal ends it early: look again
// and ask the deadline.
inline void pause_for(std::chrono::microseconds time)
{
    const timespec limit{.tv_sec = static_cast<time_t>(time.count() / 1'000'000),
                         .tv_nsec = static_cast<long>(time.count() % 1'000'000 * 1000)};
    ::ppoll(nullptr, 0, &limit, nullptr);
}

}  // namespace tortie
