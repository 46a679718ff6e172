// SPDX-License-Identifier: Apache-2.0
//
// host-local up to where it would take the lock: configuration, ranges and the order in which
// addresses would be tried.
#include "cni/attachments.h"
#include "cni/result_codec.h"
#include "fuzz/plugin_input.h"
#include "host-local/config.h"
#include "host-local/range.h"
#include "host-local/resolv_conf.h"

namespace tortie::fuzz {
namespace {

using host_local::Span;

void check_order(const host_local::RangeSet &set, const std::optional<IpAddr> &last)
{
    const std::vector<Span> spans = host_local::search_order(set, last);
    require(!spans.empty(), "a range set has candidates");
    for (const Span &span : spans) {
        require(span.first <= span.last, "a span is not empty");
        require(set.range_of(span.first) == set.range_of(span.last), "a span is in one range");
        require(set.range_of(span.first) != nullptr, "a span lies in the set");
    }
    if (last && set.range_of(*last) != nullptr)
        require(spans.back().last == *last, "the last reserved address is tried last");
}

cni::Answer plan(const cni::Request &request)
{
    TORTIE_TRY(const host_local::Config config, host_local::parse_config(request));
    cni::CniResult result;
    result.routes = config.routes;
    result.dns = host_local::parse_resolv_conf(request.stdin_text);
    for (const host_local::RangeSet &set : config.sets) {
        check_order(set, std::nullopt);
        const host_local::Range &range = set.ranges().back();
        check_order(set, range.end);
        check_order(set, range.start);
        result.ips.push_back({.address = {.addr = range.start, .prefix = range.subnet.prefix},
                              .gateway = range.gateway,
                              .interface = std::nullopt});
    }
    return cni::print_result(result, request.cni_version);
}

cni::Answer release(const cni::Request &request)
{
    require(!host_local::data_dir_of(request.config).empty(), "there is always a directory");
    return std::string();
}

cni::Answer collect(const cni::Request &request)
{
    TORTIE_TRY(const auto attachments, cni::valid_attachments(request.config));
    return release(request);
}

constexpr cni::Plugin kPlugin = {.name = "host-local",
                                 .add = plan,
                                 .del = release,
                                 .check = plan,
                                 .gc = collect,
                                 .status = plan};

}  // namespace
}  // namespace tortie::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    using namespace tortie::fuzz;
    dispatch(kPlugin, read_input(as_text(data, size)));
    return 0;
}
