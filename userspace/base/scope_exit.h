// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

namespace tortie {

// The undo of one step, written right after the step:
//
//   TORTIE_DO(set_mtu(link, 1400));
//   ScopeExit undo_mtu([&] { restore_mtu(link); });
//   ...
//   undo_mtu.dismiss();  // the whole succeeded
//
// Undos run in reverse order of their steps. The function must not throw; what it cannot undo
// it logs.
template <class Undo>
class [[nodiscard]] ScopeExit {
public:
    explicit ScopeExit(Undo undo) : undo_(std::move(undo)) {}
    ScopeExit(const ScopeExit &) = delete;
    ScopeExit &operator=(const ScopeExit &) = delete;
    ScopeExit(ScopeExit &&) = delete;
    ScopeExit &operator=(ScopeExit &&) = delete;
    ~ScopeExit()
    {
        if (armed_)
            undo_();
    }

    void dismiss() { armed_ = false; }

private:
    Undo undo_;
    bool armed_ = true;
};

}  // namespace tortie
