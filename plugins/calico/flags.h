// SPDX-License-Identifier: Apache-2.0
//
// The options of a program, read as Go's flag package reads them, which is what callers of the
// originals were tried against: "-name", "--name", "-name=value" or "-name value"; the first
// argument that is no option ends them, and what follows is nobody's business.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tortie::calico_cni {

struct Flag {
    std::string_view name;
    std::string_view help;        // one line
    std::string_view value_name;  // empty: a switch
};

// The options that were given; the value of a switch is empty.
class Flags {
public:
    bool has(std::string_view name) const { return given_.contains(name); }
    std::string value(std::string_view name) const;

private:
    friend class FlagReader;

    std::map<std::string, std::string, std::less<>> given_;
};

// Why the program ends at once.
struct FlagRefusal {
    int status = 2;    // 0 for -h
    std::string text;  // for stderr, with its newline
};

// `arguments` without argv[0].
tl::expected<Flags, FlagRefusal> parse_flags(std::string_view program, std::span<const Flag> flags,
                                             std::span<const char *const> arguments);

}  // namespace tortie::calico_cni
