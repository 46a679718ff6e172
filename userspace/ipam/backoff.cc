// SPDX-License-Identifier: Apache-2.0
#include "ipam/backoff.h"

#include <poll.h>

#include <algorithm>

namespace tortie::ipam {
namespace {

// Like Calico.
constexpr unsigned kTries = 100;

constexpr std::chrono::milliseconds kLongest{200};

}  // namespace

void stand_back(std::chrono::milliseconds time)
{
    ::poll(nullptr, 0, static_cast<int>(time.count()));
}

Backoff::Backoff()
    : random_(static_cast<std::minstd_rand::result_type>(
          std::chrono::steady_clock::now().time_since_epoch().count()))
{
}

bool Backoff::wait(Deadline deadline)
{
    if (++tries_ > kTries)
        return false;
    std::uniform_int_distribution<std::int64_t> around(step_.count() / 2, step_.count() * 3 / 2);
    const std::chrono::milliseconds time(around(random_));
    step_ = std::min(step_ * 2, kLongest);
    if (deadline.left() <= time)
        return false;
    stand_back(time);
    return true;
}

}  // namespace tortie::ipam
