// SPDX-License-Identifier: Apache-2.0
#include "calico/ipam_call.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "calico/ipam_handle.h"
#include "calico/ipam_release.h"
#include "calico/ipam_wire.h"
#include "calico/reboot.h"
#include "calico/vm_persistence.h"
#include "ipam/owner_attributes.h"
#include "ipam/release.h"
#include "ipam/upgrade_host.h"

namespace tortie::calico {
namespace {

// What a leader waits for those who are here, when there are any: about the round trip that they
// are at. Each that makes it saves the node a block write and a round of its own.
constexpr std::chrono::milliseconds kGather{30};

ipam::Request request_of(const IpamSite &site, const AddressRequest &wanted)
{
    return {.handle = handle_id(wanted.network, wanted.container_id),
            .attributes = owner_attributes(site.node, wanted.ns, wanted.pod,
                                           std::chrono::system_clock::now()),
            .num4 = wanted.v4 ? 1U : 0U,
            .num6 = wanted.v6 ? 1U : 0U,
            .pools4 = wanted.pools4,
            .pools6 = wanted.pools6,
            .specific = wanted.specific,
            .max_per_handle = 0,
            .max_blocks = wanted.max_blocks,
            .namespace_labels = wanted.namespace_labels};
}

Result<Assigned> assigned_of(const ipam::Request &request, Result<ipam::Answer> answer)
{
    if (!answer)
        return fail(std::move(answer).error());
    if (!answer->v4.complete())
        return fail(ErrorKind::kSystem, "failed to request IPv4 addresses: " +
                                            ipam::shortage(answer->v4, Family::kIpv4));
    if (!answer->v6.complete())
        return fail(ErrorKind::kSystem, "failed to request IPv6 addresses: " +
                                            ipam::shortage(answer->v6, Family::kIpv6));
    Assigned assigned{.addresses = std::move(answer->v4.addresses), .handle = request.handle};
    assigned.addresses.insert(assigned.addresses.end(), answer->v6.addresses.begin(),
                              answer->v6.addresses.end());
    return assigned;
}

// What a leader that died may have given to this very request: its record names handle, owner and
// the nanosecond of the request. nullopt: nothing whole; a half is released again.
Result<std::optional<Assigned>> given_already(store::Store &store, const ipam::Request &request,
                                              Deadline deadline)
{
    auto held = ipam::addresses_of_handle(store, request.handle, deadline);
    if (!held && held.error().kind() == ErrorKind::kNotFound)
        return std::nullopt;
    if (!held)
        return fail(std::move(held).error());
    Assigned given{.addresses = {}, .handle = request.handle};
    std::vector<ipam::AddressRelease> half;
    unsigned of_v4 = 0;
    for (const ipam::OwnedAddress &address : *held) {
        if (address.active != request.attributes)
            continue;
        given.addresses.push_back({.ip = address.ip,
                                   .prefix = address.block.prefix,
                                   .block = address.block,
                                   .sequence = -1});
        half.push_back({.ip = address.ip,
                        .handle = request.handle,
                        .sequence = std::nullopt,
                        .block = address.block});
        of_v4 += address.ip.family() == Family::kIpv4 ? 1U : 0U;
    }
    if (of_v4 == request.num4 && given.addresses.size() - of_v4 == request.num6)
        return given;
    TORTIE_DO(ipam::release_addresses(store, half, 0, deadline));
    return std::nullopt;
}

// Old affinities of this node get their labels once a boot, before the first requested address.
Result<> upgrade_once(store::Store &store, const IpamSite &site, Deadline deadline)
{
    if (!store.endpoints_are_pods() || ::access(site.upgraded_marker.c_str(), F_OK) == 0)
        return {};
    auto upgraded = ipam::upgrade_host(store, site.node, deadline);
    if (!upgraded)
        return fail(std::move(upgraded).error().within("failed to upgrade IPAM database"));
    TORTIE_DO(
        make_directories(site.upgraded_marker.substr(0, site.upgraded_marker.rfind('/')), 0755));
    return replace_file(site.upgraded_marker, "", 0644);
}

std::vector<ipam::Request> requests_of(const std::vector<CombiningQueue::Waiting> &waiting)
{
    std::vector<ipam::Request> requests;
    for (const auto &each : waiting) {
        auto request = read_request(each.request);
        requests.push_back(request ? *std::move(request) : ipam::Request{});
    }
    return requests;
}

}  // namespace

AddressCall::AddressCall(IpamSite site) : site_(std::move(site))
{
    auto queue = CombiningQueue::open(meeting_folder(site_));
    if (queue)
        queue_.emplace(*std::move(queue));
    else
        log::warn("addresses are taken one by one", {{"error", queue.error().what()}});
    if (!queue_ || queue_->leads())
        hint_ = read_hint(site_);
}

std::vector<store::Query> AddressCall::queries() const
{
    if (queue_ && !queue_->leads())
        return {};
    return ipam::view_queries(site_.node, hint_);
}

void AddressCall::take_view(std::span<store::Found> found)
{
    if (!found.empty())
        view_ = ipam::view_of(found);
}

Result<ipam::View> AddressCall::view(store::Store &store, Deadline deadline)
{
    if (!view_) {
        hint_ = read_hint(site_);
        const auto queries = ipam::view_queries(site_.node, hint_);
        auto found = store.read(queries, deadline);
        view_ = ipam::view_of(found);
    }
    Result<ipam::View> taken = std::move(*view_);
    view_.reset();
    return taken;
}

Result<Assigned> AddressCall::assign(store::Store &store, const AddressRequest &request,
                                     Deadline deadline)
{
    TORTIE_DO(release_after_reboot(store, site_, deadline));
    TORTIE_DO(release_before_add(store, site_, request.network, request.container_id, deadline));
    if (may_be_vm(request.pod)) {
        TORTIE_TRY(const auto vm,
                   vm_for_add(store, request.ns, request.pod, request.pod_read, deadline));
        if (vm)
            return assign_vm(store, request, *vm, deadline);
    }
    const ipam::Request wanted = request_of(site_, request);
    if (request.specific) {
        TORTIE_DO(upgrade_once(store, site_, deadline));
        return assign_one(store, wanted, deadline);
    }
    if (wanted.num4 + wanted.num6 == 0)
        return Assigned{.addresses = {}, .handle = wanted.handle};
    return assign_combined(store, wanted, deadline);
}

// For itself alone: what cannot be served together with others.
Result<Assigned> AddressCall::assign_one(store::Store &store, const ipam::Request &request,
                                         Deadline deadline)
{
    queue_.reset();  // nobody waits for us, and nobody we lead
    TORTIE_TRY(ipam::View seen, view(store, deadline));
    const ipam::Hint before = hint_;
    TORTIE_TRY([[maybe_unused]] const HostLock lock, HostLock::acquire(site_.lock_file, deadline));
    auto answers = ipam::assign(store, site_.node, std::move(seen), {&request, 1}, hint_, deadline);
    if (hint_ != before)
        write_hint(site_, hint_);
    return assigned_of(request, std::move(answers.front()));
}

Result<Assigned> AddressCall::assign_vm(store::Store &store, const AddressRequest &request,
                                        const VmPod &vm, Deadline deadline)
{
    ipam::Request wanted = request_of(site_, request);
    wanted.handle = vm_handle_id(request.network, vm.ns, vm.vmi_name);
    wanted.attributes.merge(vm_attributes(vm));
    wanted.max_per_handle = 1;
    TORTIE_TRY(auto kept, take_over(store, vm, wanted.handle, wanted.attributes, deadline));
    if (kept)
        return *std::move(kept);
    return assign_one(store, wanted, deadline);
}

Result<Assigned> AddressCall::assign_combined(store::Store &store, const ipam::Request &request,
                                              Deadline deadline)
{
    if (!queue_)
        return assign_one(store, request, deadline);
    if (!queue_->leads()) {
        // A request that is too long for the queue, or a full disk: it goes its own way.
        if (const auto queued = queue_->enqueue(write_request(request)); !queued) {
            log::warn("addresses are taken without the others", {{"error", queued.error().what()}});
            return assign_one(store, request, deadline);
        }
        TORTIE_TRY(const auto answer, queue_->wait(deadline));
        if (answer) {
            TORTIE_TRY(Assigned assigned, read_answer(*answer));
            assigned.handle = request.handle;
            return assigned;
        }
    }
    auto assigned = lead(store, request, deadline);
    queue_->stop_leading();
    return assigned;
}

// Serves our own request and all that wait. Answers of requests that were in doubt come from what
// is found; the others from one common allocation.
Result<Assigned> AddressCall::lead(store::Store &store, const ipam::Request &own, Deadline deadline)
{
    TORTIE_TRY(ipam::View seen, view(store, deadline));
    const ipam::Hint before = hint_;
    queue_->gather(kGather);
    TORTIE_TRY([[maybe_unused]] const HostLock lock, HostLock::acquire(site_.lock_file, deadline));

    std::vector<CombiningQueue::Waiting> waiting = queue_->take();
    waiting.insert(waiting.begin(), CombiningQueue::Waiting{.name = {},
                                                            .request = write_request(own),
                                                            .in_doubt = queue_->own_in_doubt()});
    std::vector<Result<Assigned>> answers = serve(store, std::move(seen), waiting, deadline);
    if (hint_ != before)
        write_hint(site_, hint_);
    for (std::size_t i = 1; i < waiting.size(); ++i)
        hand_out(store, waiting[i], answers[i], deadline);
    return std::move(answers.front());
}

std::vector<Result<Assigned>> AddressCall::serve(
    store::Store &store, ipam::View seen, const std::vector<CombiningQueue::Waiting> &waiting,
    Deadline deadline)
{
    const std::vector<ipam::Request> requests = requests_of(waiting);
    std::vector<Result<Assigned>> answers(waiting.size(),
                                          fail(ErrorKind::kInvalidInput, "not a request"));
    std::vector<ipam::Request> open;
    std::vector<std::size_t> open_at;
    for (std::size_t i = 0; i < waiting.size(); ++i) {
        if (requests[i].handle.empty())
            continue;
        if (waiting[i].in_doubt) {
            const auto given = given_already(store, requests[i], deadline);
            if (!given)
                answers[i] = fail(given.error());
            else if (*given)
                answers[i] = **given;
            if (!given || *given)
                continue;
        }
        open.push_back(requests[i]);
        open_at.push_back(i);
    }
    auto assigned = ipam::assign(store, site_.node, std::move(seen), open, hint_, deadline);
    for (std::size_t i = 0; i < open.size(); ++i)
        answers[open_at[i]] = assigned_of(open[i], std::move(assigned[i]));
    return answers;
}

// What nobody can receive any more is released. Where our own time is over the failure is not
// theirs: the next leader serves them.
void AddressCall::hand_out(store::Store &store, const CombiningQueue::Waiting &waiting,
                           const Result<Assigned> &answer, Deadline deadline)
{
    if (!answer && answer.error().kind() == ErrorKind::kTryAgain && deadline.passed())
        return;
    if (queue_->answer(waiting, write_answer(answer)) || !answer)
        return;
    log::info("a waiting process is gone, its address is released", {{"handle", answer->handle}});
    give_back(store, site_, *answer, deadline);
}

void give_back(store::Store &store, const IpamSite &site, const Assigned &assigned,
               Deadline deadline)
{
    if (assigned.kept || assigned.addresses.empty())
        return;
    std::vector<ipam::AddressRelease> releases;
    for (const ipam::Address &address : assigned.addresses) {
        ipam::AddressRelease release{.ip = address.ip,
                                     .handle = assigned.handle,
                                     .sequence = std::nullopt,
                                     .block = std::nullopt};
        if (address.sequence >= 0) {
            release.sequence = address.sequence;
            release.block = address.block;
        }
        releases.push_back(std::move(release));
    }
    const std::int64_t cooldown_s = read_hint(site).cooldown_s.value_or(0);
    const auto released = ipam::release_addresses(store, releases, cooldown_s, deadline);
    if (!released)
        log::warn("an address stays until DEL",
                  {{"handle", assigned.handle}, {"error", released.error().what()}});
}

}  // namespace tortie::calico
