// SPDX-License-Identifier: Apache-2.0
//
// portmap up to what it would tell the kernel. The text behind a line "*nat" in the input is what
// iptables-save says on the node: the plans for it must be sound whatever it is.
#include <algorithm>

#include "cni/attachments.h"
#include "cni/result_codec.h"
#include "datapath/hostport_chains.h"
#include "datapath/iptables_plan.h"
#include "fuzz/plugin_input.h"
#include "portmap/config.h"

namespace tortie::fuzz {
namespace {

std::string saved_text;  // of the input at hand; a handler gets nothing but the request

// A plan is one transaction of whole lines on table nat, or empty.
void check_plan(std::string_view plan)
{
    require(plan.empty() || plan.starts_with("*nat\n"), "a plan is about table nat");
    require(plan.empty() || plan.ends_with("COMMIT\n"), "a plan is committed");
    require(plan.find('\0') == std::string_view::npos, "a plan is text");
    require(plan.find("\nCOMMIT\n") == plan.rfind("\nCOMMIT\n"), "a plan is one transaction");
}

void check_config(const Publication &publication)
{
    for (const PortMapping &mapping : publication.mappings) {
        require(mapping.host_port != 0, "a host port is a port");
        require(mapping.container_port != 0, "a container port is a port");
    }
    require(publication.addresses.size() <= 2, "there is at most one address a family");
}

cni::Answer publish(const cni::Request &request)
{
    TORTIE_TRY(const portmap::Config config, portmap::parse_config(request));
    const Publication &publication = config.publication;
    check_config(publication);
    const SavedNat saved(saved_text);
    for (const Cidr &cidr : publication.addresses) {
        if (const auto plan = plan_publish(saved, publication, cidr))
            check_plan(*plan);
        (void)held_by_others(saved, publication, cidr.addr.family());
    }
    return cni::print_result(config.previous.value_or(cni::CniResult()), request.cni_version);
}

cni::Answer withdraw(const cni::Request &request)
{
    const portmap::Config config = portmap::salvage_config(request);
    const SavedNat saved(saved_text);
    TORTIE_TRY(const auto chains, chains_of(chains_in(saved), config.publication));
    check_plan(plan_withdraw(saved, chains));
    return std::string();
}

cni::Answer collect(const cni::Request &request)
{
    TORTIE_TRY(const auto listed, cni::valid_attachments(request.config));
    if (!listed)
        return std::string();
    std::vector<Attachment> valid;
    for (const cni::ValidAttachment &each : *listed)
        valid.push_back({request.network, each.container_id, each.ifname});
    const SavedNat saved(saved_text);
    TORTIE_TRY(const auto garbage, garbage_of(chains_in(saved), request.network, valid));
    check_plan(plan_withdraw(saved, garbage));
    return std::string();
}

constexpr cni::Plugin kPlugin = {.name = "portmap",
                                 .add = publish,
                                 .del = withdraw,
                                 .check = publish,
                                 .gc = collect,
                                 .status = nullptr};

}  // namespace
}  // namespace tortie::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    using namespace tortie::fuzz;
    std::string_view text = as_text(data, size);
    const std::size_t saved = text.find("\n*nat\n");
    saved_text = saved == std::string_view::npos ? "" : text.substr(saved + 1);
    saved_text.erase(std::min(saved_text.find('\0'), saved_text.size()));  // iptables writes text
    dispatch(kPlugin, read_input(text.substr(0, saved)));
    return 0;
}
