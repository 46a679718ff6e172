// SPDX-License-Identifier: Apache-2.0
#include "ipam/plan.h"

#include <algorithm>
#include <utility>

namespace tortie::ipam {
namespace {

class Drawing {
public:
    Drawing(Session &session, bool eager) : session_(session), eager_(eager) {}

    void serve(Order &order, std::size_t order_index)
    {
        owner_ = order.owner();
        for (std::size_t i = 0; i < order.asks.size(); ++i) {
            Ask &ask = order.asks[i];
            ask.planned = 0;
            if (!ask.full())
                serve(ask, {order_index, i, {}});
        }
    }

    Plan finish() { return std::move(plan_); }

private:
    void serve(Ask &ask, Share share)
    {
        for (const Candidate &candidate : ask.candidates) {
            const std::size_t missing = ask.missing() - ask.planned;
            if (missing == 0)
                return;
            Draft *draft = draft_of(candidate.block);
            if (draft == nullptr) {
                want_read(ask, candidate);
                return;
            }
            share.ordinals = ask.specific
                                 ? take_specific(*draft, *ask.specific)
                                 : take(draft->block, missing, owner_, session_.reservations());
            if (ask.specific && share.ordinals.empty()) {
                plan_.taken.push_back(share);
                return;
            }
            ask.planned += static_cast<unsigned>(share.ordinals.size());
            if (!share.ordinals.empty())
                draft->shares.push_back(share);
        }
        if (ask.planned < ask.missing())
            plan_.stuck.push_back({share.order, share.ask, {}});
    }

    Ordinals take_specific(Draft &draft, const IpAddr &ip)
    {
        const auto ordinal = ordinal_of(draft.block.cidr, ip);
        if (!ordinal || !take_one(draft.block, *ordinal, owner_))
            return {};
        return {*ordinal};
    }

    // nullptr: not read.
    Draft *draft_of(const Cidr &block)
    {
        const auto drafted = plan_.drafts.find(block);
        if (drafted != plan_.drafts.end())
            return &drafted->second;
        const auto read = session_.blocks().find(block);
        if (read == session_.blocks().end())
            return nullptr;
        Draft &draft = plan_.drafts[block];
        draft.block = read->second.document;
        tidy(draft.block, session_.cooldown());
        return &draft;
    }

    void want_read(const Ask &ask, const Candidate &first)
    {
        bool reached = false;
        for (const Candidate &candidate : ask.candidates) {
            reached = reached || candidate == first;
            const bool known = session_.blocks().contains(candidate.block) ||
                               std::find(plan_.unread.begin(), plan_.unread.end(),
                                         candidate.block) != plan_.unread.end();
            if (reached && !known)
                plan_.unread.push_back(candidate.block);
            if (reached && !eager_)
                return;
        }
    }

    Session &session_;
    bool eager_;
    Owner owner_;
    Plan plan_;
};

}  // namespace

bool Order::served() const
{
    return std::all_of(asks.begin(), asks.end(), [](const Ask &ask) { return ask.full(); });
}

BlockCounts Order::granted_counts() const
{
    BlockCounts counts;
    for (const Ask &ask : asks) {
        if (ask.reused)
            continue;
        for (const Address &address : ask.granted)
            ++counts[address.block.to_string()];
    }
    return counts;
}

BlockCounts Plan::counts_of(std::size_t order) const
{
    BlockCounts counts;
    for (const auto &[block, draft] : drafts) {
        for (const Share &share : draft.shares) {
            if (share.order == order)
                counts[block.to_string()] += static_cast<std::int64_t>(share.ordinals.size());
        }
    }
    return counts;
}

Plan draw_plan(std::vector<Order> &orders, Session &session, bool eager)
{
    Drawing drawing(session, eager);
    for (std::size_t i = 0; i < orders.size(); ++i) {
        if (!orders[i].closed)
            drawing.serve(orders[i], i);
    }
    Plan plan = drawing.finish();
    std::erase_if(plan.drafts, [](const auto &entry) { return entry.second.shares.empty(); });
    return plan;
}

Address address_of(const Ask &ask, const Cidr &block, std::uint32_t ordinal, std::int64_t sequence)
{
    return {address_at(block, ordinal), ask.specific ? width_bits(ask.family) : block.prefix, block,
            sequence};
}

}  // namespace tortie::ipam
