// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "caps/prober.h"

namespace tortie::test {

// A kernel that can everything, but for what `others` says.
inline caps::Findings findings_with(
    std::initializer_list<std::pair<caps::Capability, caps::Support>> others)
{
    caps::Findings findings;
    for (const caps::Capability capability : caps::all_capabilities())
        findings[capability] = {caps::Support::kYes, "works"};
    for (const auto &[capability, support] : others)
        findings[capability] = {support, "asked for " + std::string(caps::name_of(capability))};
    return findings;
}

class FakeProber : public caps::Prober {
public:
    explicit FakeProber(caps::Findings findings) : findings_(std::move(findings)) {}

    caps::Findings probe() override
    {
        ++probed;
        return findings_;
    }

    int probed = 0;

private:
    caps::Findings findings_;
};

}  // namespace tortie::test
