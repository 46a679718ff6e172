// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tortie::tuning {

// The node operator's word on which sysctls pods may have: regular expressions (regexp.h), of
// which a key must match one, anywhere in it.
class Allowlist {
public:
    // The lines of a file: trimmed, empty ones dropped, no comments.
    static Allowlist parse(std::string_view text);

    // /etc/cni/tuning/allowlist.conf; a link there is followed, /etc is the operator's. When there
    // is no such file everything is allowed, when it is empty nothing is. Errors: every other
    // reason not to read it, for a list that cannot be read must not allow.
    static Result<Allowlist> load(const std::string &path);

    // `key` as the configuration writes it. Lines are looked at in order, up to the one that
    // matches. Errors: kInvalidInput `Sysctl <key> is not allowed. ...` or
    // `error parsing regexp: ...`.
    Result<> check(const std::string &key) const;

private:
    std::vector<std::string> lines_;
    bool everything_ = false;
};

}  // namespace tortie::tuning
