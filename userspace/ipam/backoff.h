// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <random>

#include "base/deadline.h"

namespace tortie::ipam {

// Does nothing for this long; less when a signal comes.
void stand_back(std::chrono::milliseconds time);

// How long to stand back after losing a race: 5 ms, doubling to 200 ms, each time a random half of
// it more or less, so that the losers do not meet again.
class Backoff {
public:
    Backoff();

    // False when the deadline would not survive it, or after 100 times.
    bool wait(Deadline deadline);

private:
    std::chrono::milliseconds step_{5};
    unsigned tries_ = 0;
    std::minstd_rand random_;
};

// What a failure after which something must be put back may still take, whatever is left of the
// deadline.
inline Deadline cleanup_deadline(Deadline deadline)
{
    constexpr std::chrono::seconds kLeast{10};
    return deadline.left() > kLeast ? deadline : Deadline::in(kLeast);
}

inline constexpr const char *kTooManyRetries =
    "Max retries hit - excessive concurrent IPAM requests";

}  // namespace tortie::ipam
