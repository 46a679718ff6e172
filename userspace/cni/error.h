// SPDX-License-Identifier: Apache-2.0
//
// What a plugin prints when it fails.
// Source: CNI specification 1.1.0 section 5 (errors); texts are those of the Go library v1.3.0.
#pragma once

#include <string>

#include "base/result.h"

namespace tortie::cni {

// Numbers of the specification. Plugins of the original give 999 for all of their own failures.
enum class Code : unsigned {
    kIncompatibleVersion = 1,
    kUnknownContainer = 3,
    kInvalidEnvironment = 4,
    kIo = 5,
    kDecoding = 6,
    kInvalidConfiguration = 7,
    kInvalidNamespace = 8,
    kTryAgainLater = 11,
    kNotAvailable = 50,
    kNotAvailableLimited = 51,
    kUnspecified = 999,
};

struct CniError {
    Code code = Code::kUnspecified;
    std::string msg;
    std::string details;
    std::string cause = {};  // for the log alone, where the original's answer says less

    CniError(Code c, std::string m, std::string d = {})
        : code(c), msg(std::move(m)), details(std::move(d))
    {
    }

    // kTryAgain becomes 11, everything else 999: TORTIE_TRY and TORTIE_DO in a handler use it.
    CniError(const Error &error);  // NOLINT(google-explicit-constructor): that is its purpose

    // The object for stdout: four spaces, `details` only when there are some.
    std::string to_json() const;
};

}  // namespace tortie::cni
