// SPDX-License-Identifier: Apache-2.0
//
// The form of the small files that tortie's processes leave for each other: named values, one a
// line, a name as often as it has values, closed by a checksum. A person can read it; a file that
// was cut short or changed is noticed.
//
//   tortie 1
//   network k8s-pod-network
//   handle k8s-pod-network.c1f0aa
//   end 6b86b273ff34fce1
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tortie::calico {

class Record {
public:
    // Names are [a-z0-9_]+; a value is any text.
    Record &add(std::string_view name, std::string_view value);

    // The first value of that name, empty when there is none.
    const std::string &first(std::string_view name) const;
    std::vector<std::string> all(std::string_view name) const;

    std::string text() const;

    // Errors: kInvalidInput: another version, cut short, changed, more than 4096 values.
    static Result<Record> parse(std::string_view text);

private:
    std::vector<std::pair<std::string, std::string>> values_;
};

}  // namespace tortie::calico
