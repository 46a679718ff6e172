// SPDX-License-Identifier: Apache-2.0
//
// A point in time by which a whole piece of work must be done. Handed down by value, so that ten
// requests of one call share the one budget and do not each get their own.
#pragma once

#include <algorithm>
#include <chrono>

namespace tortie {

class Deadline {
public:
    using Clock = std::chrono::steady_clock;

    static Deadline in(std::chrono::milliseconds budget) { return Deadline(Clock::now() + budget); }

    // The earlier of the two: a step's own limit inside the budget of the whole.
    Deadline at_most(std::chrono::milliseconds budget) const
    {
        return Deadline(std::min(at_, Clock::now() + budget));
    }

    bool passed() const { return Clock::now() >= at_; }

    // Never negative; rounded up, so that a poll() with it does not spin before the end.
    std::chrono::milliseconds left() const
    {
        return std::max(std::chrono::ceil<std::chrono::milliseconds>(at_ - Clock::now()),
                        std::chrono::milliseconds(0));
    }

    Clock::time_point at() const { return at_; }

private:
    explicit Deadline(Clock::time_point at) : at_(at) {}

    Clock::time_point at_;
};

}  // namespace tortie
