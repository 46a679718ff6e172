// SPDX-License-Identifier: Apache-2.0
#include "caps/table.h"

#include <algorithm>

namespace tortie::caps {
namespace {

void append_column(std::string &line, std::string_view text, std::size_t width)
{
    line.append(text);
    line.append(width > text.size() ? width - text.size() + 2 : 2, ' ');
}

std::size_t longest_name()
{
    std::size_t longest = 0;
    for (const Capability capability : all_capabilities())
        longest = std::max(longest, name_of(capability).size());
    return longest;
}

}  // namespace

std::string table_of(const Findings &findings)
{
    constexpr std::size_t kAnswerWidth = std::string_view("unknown").size();
    const std::size_t name_width = longest_name();
    std::string table;
    for (const Capability capability : all_capabilities()) {
        append_column(table, name_of(capability), name_width);
        append_column(table, name_of(findings[capability].support), kAnswerWidth);
        table.append(findings[capability].evidence).append("\n");
    }
    return table;
}

std::string text_of(const Decision &decision)
{
    std::string text = "netfilter     ";
    text.append(name_of(decision.netfilter)).append("\nebpf          ");
    text.append(name_of(decision.ebpf));
    if (decision.ebpf == Ebpf::kNone && decision.full_possible)
        text.append(" (full where nobody else filters)");
    text.append("\nattach        ").append(name_of(decision.attach));
    text.append("\ncgroup hooks  ").append(decision.cgroup_hooks ? "yes" : "no");
    text.append("\nbecause       ").append(decision.reason).append("\n");
    return text;
}

}  // namespace tortie::caps
