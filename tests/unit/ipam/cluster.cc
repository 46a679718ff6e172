// SPDX-License-Identifier: Apache-2.0
#include "unit/ipam/cluster.h"

#include <chrono>
#include <utility>

#include "ipam/block.h"
#include "ipam/timestamp.h"

namespace tortie::ipam {

Cidr cidr(const std::string &text)
{
    return Cidr::parse(text).value();
}

IpAddr ip(const std::string &text)
{
    return IpAddr::parse(text).value();
}

Deadline soon()
{
    return Deadline::in(std::chrono::seconds(20));
}

void Cluster::add_pool(const std::string &name, const std::string &cidr_text,
                       const PoolOptions &options)
{
    store::Pool pool;
    pool.name = name;
    pool.cidr = cidr_text;
    pool.block_size = options.block_size;
    pool.node_selector = options.node_selector;
    pool.namespace_selector = options.namespace_selector;
    pool.disabled = options.disabled;
    pool.allowed_uses = options.allowed_uses;
    pool.manual = options.manual;
    store.put(store::PoolKey{name}, pool);
}

void Cluster::add_node(const std::string &name, const store::StringMap &labels)
{
    store::Node node;
    node.name = name;
    node.labels = labels;
    store.put(store::NodeKey{name}, node);
}

void Cluster::add_reservation(const std::string &name, const std::vector<std::string> &cidrs)
{
    store.put(store::ReservationKey{name}, store::Reservation{name, cidrs, {}});
}

void Cluster::configure(const store::IpamConfig &config)
{
    store.put(store::IpamConfigKey{}, config);
}

store::Block Cluster::add_block(const std::string &host, const std::string &cidr_text,
                                store::AffinityState state)
{
    store::Block block = fresh_block(cidr(cidr_text), host);
    store.put(store::BlockKey{block.cidr}, block);
    store.put(store::AffinityKey{host, block.cidr, store::AffinityType::kHost},
              store::Affinity{store::AffinityType::kHost, host, block.cidr, state, false, {}});
    return block;
}

Request Cluster::request(const std::string &handle, unsigned num4, unsigned num6) const
{
    Request request;
    request.handle = handle;
    request.attributes = {{"node", "node-a"}, {"pod", handle}, {"namespace", "shop"}};
    request.num4 = num4;
    request.num6 = num6;
    return request;
}

std::vector<Result<Answer>> Cluster::add_all(const std::string &host,
                                             const std::vector<Request> &requests)
{
    Hint none;
    Hint &used = use_hint ? hint : none;
    const Deadline deadline = Deadline::in(patience);
    auto found = store.read(view_queries(host, used), deadline);
    auto view = view_of(found);
    if (!view)
        return std::vector<Result<Answer>>(requests.size(), fail(view.error()));
    return assign(store, host, *std::move(view), requests, used, deadline);
}

Result<Answer> Cluster::add(const std::string &host, const Request &request)
{
    return std::move(add_all(host, {request}).front());
}

Result<Released> Cluster::del(const std::string &host, const std::string &handle)
{
    return release_by_handle(store, host, {handle, "", false}, Deadline::in(patience));
}

std::optional<store::Block> Cluster::block(const std::string &text) const
{
    return store.peek<store::Block>(store::BlockKey{cidr(text)});
}

std::optional<store::Affinity> Cluster::affinity(const std::string &host,
                                                 const std::string &text) const
{
    return store.peek<store::Affinity>(
        store::AffinityKey{host, cidr(text), store::AffinityType::kHost});
}

std::optional<store::Handle> Cluster::handle(const std::string &id) const
{
    return store.peek<store::Handle>(store::HandleKey{id});
}

std::vector<Finding> Cluster::findings() const
{
    Documents documents;
    for (auto &each : store.peek_all<store::Block>())
        documents.blocks.push_back({each, {}});
    for (auto &each : store.peek_all<store::Affinity>())
        documents.affinities.push_back({each, {}});
    for (auto &each : store.peek_all<store::Handle>())
        documents.handles.push_back({each, {}});
    return check(documents);
}

std::string like_name(const ::testing::TestParamInfo<Cluster::Like> &which)
{
    return which.param == Cluster::Like::kEtcd ? "Etcd" : "Kubernetes";
}

std::vector<std::string> addresses(const FamilyAnswer &answer)
{
    std::vector<std::string> texts;
    for (const Address &address : answer.addresses)
        texts.push_back(address.ip.to_string() + "/" + std::to_string(address.prefix));
    return texts;
}

std::string only4(const Result<Answer> &answer)
{
    if (!answer)
        return answer.error().what();
    if (answer->v4.addresses.size() != 1)
        return shortage(answer->v4, Family::kIpv4);
    return addresses(answer->v4).front();
}

std::vector<std::string> words(const std::vector<Finding> &findings)
{
    std::vector<std::string> texts;
    for (const Finding &finding : findings)
        texts.push_back(std::string(name_of(finding.problem)) + " " + finding.object + ": " +
                        finding.detail);
    return texts;
}

}  // namespace tortie::ipam
