// SPDX-License-Identifier: Apache-2.0
#include "calico/workload_name.h"

#include <array>
#include <vector>

namespace tortie::calico {
namespace {

constexpr std::string_view kLibnetwork = "libnetwork";

struct Part {
    const char *field;
    std::string_view value;
};

using Parts = std::array<Part, 4>;

Parts parts_of(const WorkloadIds &ids)
{
    Part workload{"workload", ids.workload};
    if (ids.orchestrator == kKubernetes)
        workload = {"pod", ids.pod};
    else if (ids.orchestrator == kPlainCni)
        workload = {"containerID", ids.container_id};
    else if (ids.orchestrator == kLibnetwork)
        workload = {"workload", kLibnetwork};
    return {Part{"node", ids.node}, Part{"orchestrator", ids.orchestrator}, workload,
            Part{"endpoint", ids.endpoint}};
}

tl::unexpected<Error> refuse(const Part &part, std::string_view why)
{
    return fail(ErrorKind::kInvalidInput, "error with field " + std::string(part.field) + " = '" +
                                              std::string(part.value) + "' (" + std::string(why) +
                                              ')');
}

Result<std::string> escaped(const Part &part)
{
    if (part.value.empty())
        return refuse(part, "field should be assigned");
    if (part.value.front() == '-')
        return refuse(part, "field must not begin with a '-'");
    if (part.value.back() == '-')
        return refuse(part, "field must not end with a '-'");
    std::string text;
    for (const char c : part.value)
        text.append(c == '-' ? 2 : 1, c);
    return text;
}

// At single dashes; "--" is a dash inside of a part.
std::vector<std::string> split_name(std::string_view name)
{
    std::vector<std::string> parts(1);
    for (std::size_t i = 0; i < name.size(); ++i) {
        const bool dash = name[i] == '-';
        const bool doubled = dash && i + 1 < name.size() && name[i + 1] == '-';
        if (dash && !doubled) {
            parts.emplace_back();
            continue;
        }
        parts.back() += name[i];
        i += doubled ? 1 : 0;
    }
    return parts;
}

}  // namespace

Result<std::string> workload_name(const WorkloadIds &ids)
{
    std::string name;
    for (const Part &part : parts_of(ids)) {
        TORTIE_TRY(const std::string text, escaped(part));
        name += (name.empty() ? "" : "-") + text;
    }
    return name;
}

Result<std::string> workload_name_prefix(const WorkloadIds &ids)
{
    if (ids.node.empty())
        return refuse({"node", ids.node}, "field should be assigned");
    std::string name;
    for (const Part &part : parts_of(ids)) {
        if (part.value.empty())
            return name + '-';
        TORTIE_TRY(const std::string text, escaped(part));
        name += (name.empty() ? "" : "-") + text;
    }
    return name;
}

Result<bool> matches(const WorkloadIds &ids, std::string_view name)
{
    if (ids.node.empty())
        return refuse({"node", ids.node}, "field should be assigned");
    if (ids.orchestrator.empty())
        return false;
    const Parts wanted = parts_of(ids);
    const std::vector<std::string> parts = split_name(name);
    if (parts.size() != wanted.size())
        return false;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (!wanted[i].value.empty() && wanted[i].value != parts[i])
            return false;
    }
    return true;
}

Result<WorkloadIds> parse_workload_name(std::string_view name)
{
    std::vector<std::string> parts = split_name(name);
    if (parts.front().empty() || parts.size() > 4)
        return fail(ErrorKind::kInvalidInput,
                    "malformed WorkloadEndpoint name '" + std::string(name) + '\'');
    parts.resize(4);
    WorkloadIds ids;
    ids.node = std::move(parts[0]);
    ids.orchestrator = std::move(parts[1]);
    ids.endpoint = std::move(parts[3]);
    if (ids.orchestrator == kKubernetes)
        ids.pod = std::move(parts[2]);
    else if (ids.orchestrator == kPlainCni)
        ids.container_id = std::move(parts[2]);
    else if (ids.orchestrator != kLibnetwork)
        ids.workload = std::move(parts[2]);
    return ids;
}

}  // namespace tortie::calico
