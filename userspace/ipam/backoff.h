// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "base/deadline.h"

namespace tortie::ipam {

// How long to stand back after losing a race: 5 ms, doubling to 200 ms, each time a random half of
// it more or less, so that the losers do not meet again.
class Backoff {
public:
    Backoff()
        : random_(static_cast<std::minstd_rand::result_type>(
              std::chrono::steady_clock::now().time_since_epoch().count()))
    {
    }

    // False when the deadline would not survive it, or when it has been tried often enough: 100
    // times, like Calico.
    bool wait(Deadline deadline)
    {
        if (++tries_ > kTries)
            return false;
        std::uniform_int_distribution<std::int64_t> around(step_.count() / 2,
                                                           step_.count() * 3 / 2);
        const std::chrono::microseconds pause(around(random_));
        step_ = std::min(step_ * 2, kLongest);
        if (deadline.left() <= pause)
            return false;
        std::this_thread::sleep_for(pause);
        return true;
    }

private:
    static constexpr unsigned kTries = 100;
    static constexpr std::chrono::microseconds kLongest{200'000};

    std::chrono::microseconds step_{5'000};
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
