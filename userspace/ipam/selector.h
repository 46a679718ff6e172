// SPDX-License-Identifier: Apache-2.0
//
// Calico's label selectors: what a pool's nodeSelector and namespaceSelector say.
//
//   a || b   a && b   !a   (a)   all()   global()   has(k)
//   k == 'v'   k != 'v'   k in {'a', 'b'}   k not in {'a'}   k notin {'a'}
//   k contains 'x'   k starts with 'x'   k ends with 'x'
//
// A label that is missing makes !=, not in and notin true and everything else false.
// Source: spec calico-ipam-datastore.md 2.14.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kube/objects.h"

namespace tortie::ipam {

class Selector {
public:
    // Empty or blank text selects everything. At most 64 KiB, 64 levels deep.
    // Errors: kInvalidInput, naming the place.
    static Result<Selector> parse(std::string_view text);

    bool matches(const kube::StringMap &labels) const;

private:
    friend class SelectorParser;

    enum class Kind : std::uint8_t {
        kAll,
        kHas,
        kEqual,
        kNotEqual,
        kIn,
        kNotIn,
        kContains,
        kStartsWith,
        kEndsWith,
        kNot,
        kAnd,
        kOr,
    };

    // Operands stand before their operator, so that the last node is the root.
    struct Node {
        Kind kind = Kind::kAll;
        std::string label;
        std::vector<std::string> values;
        std::vector<std::size_t> operands;
    };

    bool matches(std::size_t node, const kube::StringMap &labels) const;

    std::vector<Node> nodes_;
};

// True for what selects everything without looking at labels: empty, blank, "all()".
bool selects_all(std::string_view text);

}  // namespace tortie::ipam
