// SPDX-License-Identifier: Apache-2.0
#include "ipam/allocator.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/log.h"
#include "ipam/affinity.h"
#include "ipam/backoff.h"
#include "ipam/batch.h"
#include "ipam/pools.h"
#include "ipam/release.h"
#include "ipam/selector.h"
#include "ipam/session.h"
#include "ipam/timestamp.h"

namespace tortie::ipam {
namespace {

const std::vector<std::string> &pool_list(const Request &request, Family family)
{
    return family == Family::kIpv4 ? request.pools4 : request.pools6;
}

// This host's blocks that an ask may take from, in the order of the list; one that had room
// lately goes first.
std::vector<Candidate> affine_candidates(Session &session, const Ask &ask)
{
    std::vector<Candidate> candidates;
    for (const auto &held : session.affinities()) {
        const Cidr &block = held.document.cidr;
        const bool usable =
            is_block(block) &&
            std::any_of(ask.pools.begin(), ask.pools.end(),
                        [&](const UsablePool &pool) { return pool.cidr.contains(block.addr); });
        if (usable && !session.reservations().covers_whole(block))
            candidates.push_back({block, true});
    }
    const auto &roomy = session.hint().roomy;
    for (auto hint = roomy.rbegin(); hint != roomy.rend(); ++hint) {
        const auto found = std::find(candidates.begin(), candidates.end(), Candidate{*hint, true});
        if (found != candidates.end())
            std::rotate(candidates.begin(), found, found + 1);
    }
    return candidates;
}

Result<Ask> automatic_ask(Session &session, const Request &request, Family family)
{
    Ask ask;
    ask.family = family;
    ask.wanted = family == Family::kIpv4 ? request.num4 : request.num6;
    TORTIE_TRY(const std::vector<Cidr> requested,
               requested_pools(pool_list(request, family), family, session.view().pools));
    PoolQuestion question{family, requested, &session.host(), nullptr, &request.namespace_labels};
    if (needs_node_labels(session.pools(), question)) {
        TORTIE_TRY(question.node_labels, session.node_labels());
    }
    TORTIE_TRY(ask.pools, eligible_pools(session.pools(), question));
    ask.candidates = affine_candidates(session, ask);
    return ask;
}

Result<Ask> specific_ask(Session &session, const IpAddr &ip)
{
    const UsablePool *pool = pool_of(session.pools(), ip);
    if (pool == nullptr)
        return fail(ErrorKind::kNotFound, "The provided IP address is not in a configured pool\n");
    const auto &uses = pool->document->allowed_uses;
    if (!uses.empty() && std::find(uses.begin(), uses.end(), "Workload") == uses.end())
        log::warn("requested address is in a pool that is not for workloads",
                  {{"address", ip.to_string()}, {"pool", pool->name}});
    Ask ask;
    ask.family = ip.family();
    ask.wanted = 1;
    ask.specific = ip;
    ask.pools = {*pool};
    ask.candidates = {{block_around(ip, pool->block_prefix), false}};
    return ask;
}

Result<std::vector<Ask>> asks_of(Session &session, const Request &request)
{
    std::vector<Ask> asks;
    if (request.specific) {
        TORTIE_TRY(Ask ask, specific_ask(session, *request.specific));
        asks.push_back(std::move(ask));
        return asks;
    }
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
        if ((family == Family::kIpv4 ? request.num4 : request.num6) == 0)
            continue;
        TORTIE_TRY(Ask ask, automatic_ask(session, request, family));
        asks.push_back(std::move(ask));
    }
    return asks;
}

// Gives back what orders leave behind that were not served, and makes the handles say what was
// granted. A failure leaves what DEL of the handle cleans.
void settle(store::Store &store, std::vector<Order> &orders, const Batch &batch, Deadline deadline)
{
    std::set<std::string> reconciled;
    for (const auto &[index, address] : batch.leavings()) {
        const AddressRelease release{address.ip, orders[index].request->handle, address.sequence,
                                     address.block};
        const auto done = release_addresses(store, {&release, 1}, 0, deadline);
        if (!done)
            log::warn("address of a failed allocation was not released",
                      {{"address", address.ip.to_string()}, {"error", done.error().what()}});
        reconciled.insert(orders[index].ledger.id());
    }
    std::vector<store::Write> writes;
    std::vector<std::string> ids;
    for (const Order &order : orders) {
        if (reconciled.contains(order.ledger.id()))
            continue;
        const BlockCounts counts = order.served() ? order.granted_counts() : BlockCounts();
        auto write = order.ledger.write_for(counts);
        if (order.ledger.must_read())
            reconciled.insert(order.ledger.id());
        else if (write) {
            writes.push_back(*std::move(write));
            ids.push_back(order.ledger.id());
        }
    }
    const store::Written written =
        writes.empty() ? store::Written() : store.commit(writes, deadline);
    for (std::size_t i = 0; i < written.size(); ++i) {
        if (!written[i])
            reconciled.insert(ids[i]);
    }
    for (const std::string &id : reconciled) {
        const auto done = reconcile_handle(store, id, deadline);
        if (!done)
            log::warn("handle of a failed allocation counts too many",
                      {{"handle", id}, {"error", done.error().what()}});
    }
}

Answer answer_of(const Order &order)
{
    Answer answer;
    for (const Ask &ask : order.asks) {
        FamilyAnswer &family = ask.family == Family::kIpv4 ? answer.v4 : answer.v6;
        family.requested = ask.wanted;
        family.assigned =
            order.served() ? ask.wanted : static_cast<unsigned>(ask.granted.size()) + ask.planned;
        family.messages = ask.messages;
        if (order.served())
            family.addresses = ask.granted;
    }
    return answer;
}

// Each request has a handle of its own here.
void serve(Session &session, std::span<const Request> requests,
           const std::vector<std::size_t> &chosen, std::vector<Result<Answer>> &answers)
{
    std::vector<Order> orders;
    orders.reserve(chosen.size());
    for (const std::size_t index : chosen) {
        const Request &request = requests[index];
        Order &order = orders.emplace_back(request, request.handle);
        auto asks = asks_of(session, request);
        if (asks)
            order.asks = *std::move(asks);
        else
            close(order, asks.error());
        order.closed = order.closed || order.asks.empty();
    }
    Batch batch(session, orders);
    batch.run();
    settle(session.store(), orders, batch, cleanup_deadline(session.deadline()));
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        if (orders[i].error)
            answers[chosen[i]] = fail(*orders[i].error);
        else
            answers[chosen[i]] = answer_of(orders[i]);
    }
}

void note_pools(Session &session)
{
    Hint &hint = session.hint();
    hint.everywhere.clear();
    hint.pools_read_unix_s = unix_now_s();
    for (const UsablePool &pool : session.pools()) {
        if (selects_all(pool.document->node_selector))
            hint.everywhere.push_back(pool.cidr);
    }
}

// Blocks of pools that do not select this node any more go when they are empty.
void give_up_deselected_blocks(Session &session)
{
    const kube::StringMap *labels = session.known_node_labels();
    if (labels == nullptr)
        return;
    std::vector<store::Query> queries;
    for (const auto &held : session.affinities()) {
        const UsablePool *pool = pool_of(session.pools(), held.document.cidr.addr);
        if (pool == nullptr)
            continue;
        const auto selected = selects_node(*pool, *labels);
        if (selected && !*selected)
            queries.emplace_back(store::Key(store::BlockKey{held.document.cidr}));
    }
    if (queries.empty())
        return;
    for (store::Found &each : session.store().read(queries, session.deadline())) {
        const auto block = store::one<store::Block>(std::move(each));
        if (!block || !is_empty(block->document))
            continue;
        const auto gone = release_affinity(session.store(), session.host(), block->document.cidr,
                                           {}, session.deadline());
        if (!gone)
            log::warn(
                "block of a pool that left this node stays",
                {{"block", block->document.cidr.to_string()}, {"error", gone.error().what()}});
    }
}

}  // namespace

std::string shortage(const FamilyAnswer &answer, Family family)
{
    std::string text = "Assigned " + std::to_string(answer.assigned) + " out of " +
                       std::to_string(answer.requested) + " requested IPv" +
                       (family == Family::kIpv4 ? "4" : "6") + " addresses";
    for (const std::string &message : answer.messages)
        text += "; " + message;
    return text;
}

std::vector<Result<Answer>> assign(store::Store &store, const std::string &host, View view,
                                   std::span<const Request> requests, Hint &hint, Deadline deadline)
{
    Session session(store, host, std::move(view), hint, deadline);
    note_pools(session);
    std::vector<Result<Answer>> answers(requests.size(), Result<Answer>(Answer{}));
    std::vector<std::size_t> left;
    for (std::size_t i = 0; i < requests.size(); ++i)
        left.push_back(i);
    // Two requests of one handle count in one document: one after the other.
    while (!left.empty()) {
        std::set<std::string> handles;
        std::vector<std::size_t> chosen;
        std::erase_if(left, [&](std::size_t index) {
            const bool first = handles.insert(requests[index].handle).second;
            if (first)
                chosen.push_back(index);
            return first;
        });
        serve(session, requests, chosen, answers);
    }
    give_up_deselected_blocks(session);
    return answers;
}

}  // namespace tortie::ipam
