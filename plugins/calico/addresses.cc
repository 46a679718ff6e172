// SPDX-License-Identifier: Apache-2.0
#include "calico/addresses.h"

#include <chrono>
#include <utility>

#include "base/log.h"
#include "calico/delegated_conf.h"
#include "calico/endpoint.h"
#include "calico/ipam_choice.h"
#include "cni/delegate.h"
#include "cni/result_codec.h"
#include "ipam/release.h"

namespace tortie::calico_cni {
namespace {

using namespace std::chrono_literals;

// What an undo may take when the time of the call is over.
constexpr std::chrono::milliseconds kUndoBudget = 10s;

constexpr const char *kMigration = "kubevirt.io/migrationJobUID";

cni::CniError no_addresses(const Call &call)
{
    return {cni::Code::kUnspecified, call.is_pod() ? "IPAM plugin returned missing IP config"
                                                   : "IPAM plugin returned no IP addresses in "
                                                     "result"};
}

Error within_ipam(Error error)
{
    return std::move(error).within("error getting IP from IPAM");
}

bool is_migration_target(const AddFacts &facts)
{
    if (!facts.pod)
        return false;
    const auto label = facts.pod->meta.labels.find(kMigration);
    return label != facts.pod->meta.labels.end() && !label->second.empty();
}

calico::AddressRequest request_of(const Call &call, const AddFacts &facts,
                                  const calico::PodPlan &plan)
{
    const IpamConf &ipam = call.conf.ipam;
    return {.network = call.request->network,
            .container_id = call.request->container_id,
            .ns = call.is_pod() ? call.ns : "",
            .pod = call.pod,
            .v4 = plan.assign_ipv4.value_or(ipam.assign_ipv4 != "false"),
            .v6 = plan.assign_ipv6.value_or(ipam.assign_ipv6 == "true"),
            .pools4 = plan.ipv4_pools.value_or(ipam.ipv4_pools),
            .pools6 = plan.ipv6_pools.value_or(ipam.ipv6_pools),
            .specific = call.requested_address,
            .max_blocks = call.conf.single_windows_network ? 1U : 0U,
            .namespace_labels = facts.ns_labels,
            .pod_read = facts.pod};
}

}  // namespace

AddressSource::AddressSource(const Call &call, const Datastore &datastore)
    : call_(&call), datastore_(&datastore)
{
    if (ipam_is_ours(call.conf.ipam.type, *call.request))
        automatic_.emplace(datastore.site);
}

std::vector<store::Query> AddressSource::queries() const
{
    return automatic_ ? automatic_->queries() : std::vector<store::Query>();
}

void AddressSource::take_view(std::span<store::Found> found)
{
    if (automatic_)
        automatic_->take_view(found);
}

tl::expected<Addresses, cni::CniError> AddressSource::acquire(const AddFacts &facts,
                                                              const calico::PodPlan &plan)
{
    if (!plan.given.empty())
        return Addresses{.ips = plan.given, .routes = {}, .dns = {}, .host_routes = true};
    auto addresses = automatic_ ? from_calico(facts, plan) : from_program(facts, plan);
    if (addresses && addresses->ips.empty()) {
        give_back();
        return tl::make_unexpected(no_addresses(*call_));
    }
    return addresses;
}

// ---- in this process -----------------------------------------------------------------------

Result<> AddressSource::add_from_calico(calico::AddressCall &source,
                                        const calico::AddressRequest &request, Addresses &addresses)
{
    TORTIE_TRY(auto assigned, source.assign(*datastore_->store, request, call_->deadline));
    for (const ipam::Address &address : assigned.addresses) {
        addresses.ips.push_back(address.ip);
        if (assigned.host_routes)
            addresses.routes.push_back({.dst = {.addr = address.ip, .prefix = address.prefix},
                                        .gw = {},
                                        .mtu = {},
                                        .advmss = {},
                                        .priority = {},
                                        .table = {},
                                        .scope = {}});
    }
    addresses.host_routes = addresses.host_routes && assigned.host_routes;
    assigned_.push_back(std::move(assigned));
    return {};
}

// The pod asks for its own address again before DEL of its last container came.
Result<> AddressSource::release_existing(const AddFacts &facts)
{
    std::vector<ipam::AddressRelease> releases;
    std::vector<IpAddr> held;
    if (facts.existing)
        held = calico::addresses_of(facts.existing->document);
    else if (facts.pod && datastore_->store->endpoints_are_pods() &&
             facts.pod->node_name == call_->node)
        held = calico::addresses_of(*facts.pod);
    releases.reserve(held.size());
    for (const IpAddr &ip : held)
        releases.push_back({.ip = ip, .handle = {}, .sequence = {}, .block = {}});
    if (releases.empty())
        return {};
    const auto released = ipam::release_addresses(*datastore_->store, releases, 0, call_->deadline);
    if (!released)
        return fail(Error(released.error()).within("failed to release ipAddrs"));
    return {};
}

tl::expected<Addresses, cni::CniError> AddressSource::from_calico(const AddFacts &facts,
                                                                  const calico::PodPlan &plan)
{
    Addresses addresses;
    calico::AddressRequest request = request_of(*call_, facts, plan);
    if (plan.requested.empty()) {
        if (auto added = add_from_calico(*automatic_, request, addresses); !added)
            return tl::make_unexpected(failure(added.error()));
        return addresses;
    }
    automatic_.reset();  // no longer leads: the others of the node need not wait for us
    if (auto released = release_existing(facts); !released)
        return tl::make_unexpected(failure(released.error()));
    for (const IpAddr &ip : plan.requested) {
        request.specific = ip;
        calico::AddressCall source(datastore_->site);
        auto added = add_from_calico(source, request, addresses);
        if (!added) {
            give_back();
            return tl::make_unexpected(failure(within_ipam(std::move(added).error())));
        }
    }
    addresses.routes.clear();
    return addresses;
}

// ---- by another program --------------------------------------------------------------------

tl::expected<void, cni::CniError> AddressSource::run_program(
    const std::vector<std::string> &environment, Addresses &addresses)
{
    TORTIE_TRY(const std::string printed,
               cni::delegate(call_->conf.ipam.type, "ADD", *delegated_, environment));
    const auto json = cni::Json::parse_object(printed);
    if (!json)
        return tl::make_unexpected(cni::CniError(json.error()));
    TORTIE_TRY(cni::CniResult result, cni::parse_result(*json, call_->request->cni_version));
    for (const cni::IpConfig &ip : result.ips) {
        addresses.ips.push_back(ip.address.addr);
        from_program_.push_back(ip.address);
    }
    addresses.routes.insert(addresses.routes.end(), result.routes.begin(), result.routes.end());
    addresses.dns = std::move(result.dns);
    return {};
}

tl::expected<Addresses, cni::CniError> AddressSource::from_program(const AddFacts &facts,
                                                                   const calico::PodPlan &plan)
{
    const std::string &type = call_->conf.ipam.type;
    if (type.empty())
        return tl::make_unexpected(
            cni::CniError(cni::Code::kInvalidConfiguration, "no plugin name provided"));
    TORTIE_TRY(cni::Request request, delegated_add(*call_, facts.pod_cidrs, plan));
    delegated_ = std::move(request);

    Addresses addresses;
    const std::vector<std::string> environment = child_environment(*call_);
    if (plan.requested.empty()) {
        auto added = run_program(environment, addresses);
        if (!added) {
            give_back();
            return tl::make_unexpected(std::move(added).error());
        }
    } else if (auto released = release_existing(facts); !released) {
        return tl::make_unexpected(failure(released.error()));
    }
    for (const IpAddr &ip : plan.requested) {
        auto added = run_program(with_requested_address(environment, ip), addresses);
        if (!added) {
            give_back();
            cni::CniError error = std::move(added).error();
            error.msg = "error getting IP from IPAM: " + error.msg;
            return tl::make_unexpected(std::move(error));
        }
    }
    // Calico's IPAM says by a result without routes that another node has the address for the time
    // of a migration; only a pod that is a migration's target may be meant (Q12).
    addresses.host_routes =
        type != kCalicoIpam || !addresses.routes.empty() || !is_migration_target(facts);
    if (!plan.requested.empty())
        addresses.routes.clear();
    if (type == kAzureIpam && !from_program_.empty())
        remember_azure(*call_, from_program_);
    return addresses;
}

void AddressSource::give_back()
{
    const Deadline deadline = Deadline::in(kUndoBudget);
    for (const calico::Assigned &assigned : std::exchange(assigned_, {}))
        calico::give_back(*datastore_->store, datastore_->site, assigned, deadline);
    if (!delegated_)
        return;
    const auto undone =
        cni::delegate(call_->conf.ipam.type, "DEL", *delegated_, child_environment(*call_));
    if (!undone)
        log::error("Error releasing IP address after a failure", {{"error", undone.error().msg}});
    delegated_.reset();
}

}  // namespace tortie::calico_cni
