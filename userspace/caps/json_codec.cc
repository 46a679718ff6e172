// SPDX-License-Identifier: Apache-2.0
//
// The report as JSON; the only file here with nlohmann/json.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/json_nesting.h"
#include "caps/report.h"

namespace tortie::caps {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;
constexpr int kMaxLevels = 4;
constexpr std::size_t kMaxTextBytes = 128;

Error no_report(std::string_view why)
{
    return {ErrorKind::kInvalidInput, "no report of capabilities: " + std::string(why)};
}

bool is_one_line(std::string_view text, std::size_t max_bytes)
{
    return text.size() <= max_bytes &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

Result<std::string> text_at(const Json &object, const char *key, std::size_t max_bytes)
{
    const auto found = object.find(key);
    if (found == object.end() || !found->is_string())
        return fail(no_report(std::string("no text ") + key));
    const auto &text = found->get_ref<const std::string &>();
    if (!is_one_line(text, max_bytes))
        return fail(no_report(std::string(key) + " is too long or not one line"));
    return text;
}

Result<Finding> finding_at(const Json &findings, Capability capability)
{
    const auto found = findings.find(std::string(name_of(capability)));
    if (found == findings.end() || !found->is_object())
        return fail(no_report("nothing about " + std::string(name_of(capability))));
    TORTIE_TRY(const std::string answer, text_at(*found, "answer", kMaxTextBytes));
    TORTIE_TRY(std::string evidence, text_at(*found, "evidence", kMaxEvidenceBytes));
    const auto support = find_support(answer);
    if (!support)
        return fail(no_report("no answer is called " + answer));
    return Finding{*support, std::move(evidence)};
}

Json json_of(const Decision &decision)
{
    return {{"netfilter", name_of(decision.netfilter)},
            {"ebpf", name_of(decision.ebpf)},
            {"attach", name_of(decision.attach)},
            {"cgroupHooks", decision.cgroup_hooks},
            {"fullPossible", decision.full_possible},
            {"certain", decision.certain},
            {"reason", decision.reason}};
}

}  // namespace

std::string to_json(const Report &report, const Decision &decision)
{
    Json findings = Json::object();
    for (const Capability capability : all_capabilities()) {
        const Finding &finding = report.findings[capability];
        findings[std::string(name_of(capability))] = {{"answer", name_of(finding.support)},
                                                      {"evidence", finding.evidence}};
    }
    const Json json = {{"format", kFormat},
                       {"version", report.identity.product},
                       {"bootId", report.identity.boot_id},
                       {"kernel", report.identity.kernel_release},
                       {"secondsSinceBoot", report.taken.count()},
                       {"decision", json_of(decision)},
                       {"findings", std::move(findings)}};
    constexpr int kIndent = 2;
    return json.dump(kIndent, ' ', false, Json::error_handler_t::replace) + '\n';
}

Result<Report> parse_report(std::string_view json)
{
    if (json.size() > kMaxReportBytes || nested_deeper_than(json, kMaxLevels))
        return fail(no_report("too long or nested too deep"));
    const Json root = Json::parse(json, nullptr, false);
    if (!root.is_object())
        return fail(no_report("not a JSON object"));
    const auto format = root.find("format");
    if (format == root.end() || *format != kFormat)
        return fail(no_report("another format"));
    const auto taken = root.find("secondsSinceBoot");
    if (taken == root.end() || !taken->is_number_unsigned())
        return fail(no_report("no secondsSinceBoot"));

    Report report;
    TORTIE_TRY(report.identity.product, text_at(root, "version", kMaxTextBytes));
    TORTIE_TRY(report.identity.boot_id, text_at(root, "bootId", kMaxTextBytes));
    TORTIE_TRY(report.identity.kernel_release, text_at(root, "kernel", kMaxTextBytes));
    report.taken = std::chrono::seconds(taken->get<std::uint32_t>());
    const auto findings = root.find("findings");
    if (findings == root.end() || !findings->is_object())
        return fail(no_report("no findings"));
    for (const Capability capability : all_capabilities()) {
        TORTIE_TRY(report.findings[capability], finding_at(*findings, capability));
    }
    return report;
}

}  // namespace tortie::caps
