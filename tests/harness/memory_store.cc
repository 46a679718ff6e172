// SPDX-License-Identifier: Apache-2.0
#include "harness/memory_store.h"

#include <algorithm>
#include <set>

namespace tortie::test {
namespace {

using store::Affinity;
using store::Found;
using store::Query;
using store::Revision;
using store::Stored;
using store::Write;
using store::Written;

struct KeyName {
    std::string operator()(const store::BlockKey &k) const { return "block/" + k.cidr.to_string(); }
    std::string operator()(const store::AffinityKey &k) const
    {
        const bool host = k.type == store::AffinityType::kHost;
        return std::string("affinity/") + (host ? "host/" : "virtual/") + k.host + "/" +
               k.cidr.to_string();
    }
    std::string operator()(const store::HandleKey &k) const { return "handle/" + k.id; }
    std::string operator()(const store::IpamConfigKey &) const { return "config/default"; }
    std::string operator()(const store::PoolKey &k) const { return "pool/" + k.name; }
    std::string operator()(const store::ReservationKey &k) const { return "reservation/" + k.name; }
    std::string operator()(const store::NodeKey &k) const { return "node/" + k.name; }
    std::string operator()(const store::ClusterInformationKey &) const { return "cluster/default"; }
    std::string operator()(const store::EndpointKey &k) const
    {
        return "endpoint/" + k.ns + "/" + k.name;
    }
    std::string operator()(const store::ProfileKey &k) const { return "profile/" + k.name; }
    std::string operator()(const store::PodKey &k) const { return "pod/" + k.ns + "/" + k.name; }
    std::string operator()(const store::NamespaceKey &k) const { return "namespace/" + k.name; }
    std::string operator()(const store::VmiKey &k) const { return "vmi/" + k.ns + "/" + k.name; }
    std::string operator()(const store::VmKey &k) const { return "vm/" + k.ns + "/" + k.name; }
};

// Which documents a list gives, by the beginning of their names and a look at them.
struct ListPlan {
    std::string prefix;
    std::function<bool(const store::Document &)> wanted = [](const store::Document &) {
        return true;
    };
};

// An affinity without labels says so in `unknown` as the Kubernetes backend would: tests mark
// them by this text.
bool is_unlabelled(const store::Document &document)
{
    return std::get<Affinity>(document).unknown.metadata == "unlabelled";
}

struct ListOf {
    ListPlan operator()(const store::Key &) const { return {}; }
    ListPlan operator()(const store::ListBlocks &) const { return {"block/"}; }
    ListPlan operator()(const store::ListAffinities &list) const
    {
        const bool host = list.type == store::AffinityType::kHost;
        std::string prefix = host ? "affinity/host/" : "affinity/virtual/";
        if (!list.host.empty())
            prefix += list.host + "/";
        return {prefix, [](const store::Document &d) { return !is_unlabelled(d); }};
    }
    ListPlan operator()(const store::ListUnlabelledAffinities &) const
    {
        return {"affinity/", is_unlabelled};
    }
    ListPlan operator()(const store::ListHandles &) const { return {"handle/"}; }
    ListPlan operator()(const store::ListPools &) const { return {"pool/"}; }
    ListPlan operator()(const store::ListReservations &) const { return {"reservation/"}; }
    ListPlan operator()(const store::ListNodes &) const { return {"node/"}; }
    ListPlan operator()(const store::ListEndpoints &list) const
    {
        return {"endpoint/" + list.ns + (list.ns.empty() ? "" : "/") + list.name_prefix};
    }
    ListPlan operator()(const store::ListPodsOnNode &list) const
    {
        return {"pod/", [node = list.node](const store::Document &d) {
                    return std::get<kube::Pod>(d).node_name == node;
                }};
    }
};

// Go deletes in two steps and marks first.
bool is_marked(const store::Document &document)
{
    return std::visit(
        [](const auto &each) {
            if constexpr (requires { each.deleted; })
                return each.deleted;
            else
                return false;
        },
        document);
}

// What the client and not the server gives a new endpoint.
void set_uid(store::Document &document)
{
    auto *endpoint = std::get_if<store::Endpoint>(&document);
    if (endpoint != nullptr && endpoint->uid.empty())
        endpoint->uid = "00000000-0000-4000-8000-000000000001";
}

tl::unexpected<Error> lost()
{
    return fail(ErrorKind::kUnknownOutcome, "memory store: the answer was lost");
}

tl::unexpected<Error> refused()
{
    return fail(ErrorKind::kTryAgain, "memory store: unreachable");
}

std::string word_for(store::Op op)
{
    switch (op) {
    case store::Op::kCreate:
        return "create ";
    case store::Op::kUpdate:
        return "update ";
    case store::Op::kDelete:
        break;
    }
    return "delete ";
}

}  // namespace

std::string MemoryStore::name_of(const store::Key &key)
{
    return std::visit(KeyName(), key);
}

std::optional<MemoryStore::Fault> MemoryStore::begin(const std::string &what)
{
    std::size_t number = 0;
    bool announce = false;
    {
        const std::scoped_lock lock(mutex_);
        if (announcing_)
            return std::nullopt;
        number = ++requests_;
        log_.push_back(what);
        announce = before_request != nullptr;
        announcing_ = announce;
    }
    if (announce) {
        before_request(number, what);
        const std::scoped_lock lock(mutex_);
        announcing_ = false;
    }
    const std::scoped_lock lock(mutex_);
    if (dead_)
        return Fault::kRefused;
    const auto armed = faults_.find(number);
    return armed == faults_.end() ? std::nullopt : std::optional(armed->second);
}

Found MemoryStore::answer(const Query &query)
{
    const std::scoped_lock lock(mutex_);
    std::vector<Stored> found;
    const auto add = [&](const Entry &entry) {
        found.push_back({entry.document, {std::to_string(entry.version), ""}});
    };
    if (const auto *key = std::get_if<store::Key>(&query)) {
        const auto at = documents_.find(name_of(*key));
        const bool marked = at != documents_.end() && is_marked(at->second.document);
        if (marked)
            documents_.erase(at);
        if (marked || at == documents_.end())
            return fail(ErrorKind::kNotFound, name_of(*key) + " does not exist");
        add(at->second);
        return found;
    }
    const ListPlan plan = std::visit(ListOf(), query);
    for (auto at = documents_.lower_bound(plan.prefix);
         at != documents_.end() && at->first.starts_with(plan.prefix); ++at) {
        if (plan.wanted(at->second.document) && !is_marked(at->second.document))
            add(at->second);
    }
    return found;
}

Found MemoryStore::request(const Query &query)
{
    const auto *key = std::get_if<store::Key>(&query);
    const std::string what =
        key != nullptr ? "get " + name_of(*key) : "list " + std::visit(ListOf(), query).prefix;
    const auto fault = begin(what);
    if (fault && *fault != Fault::kDead)
        return refused();
    Found found = answer(query);
    const std::scoped_lock lock(mutex_);
    dead_ = dead_ || fault == Fault::kDead;
    return found;
}

std::vector<Found> MemoryStore::read(std::span<const Query> queries, Deadline /*deadline*/)
{
    std::vector<Found> found;
    for (const Query &query : queries)
        found.push_back(request(query));
    const std::scoped_lock lock(mutex_);
    round_trips_ += queries.empty() || announcing_ ? 0U : 1U;
    return found;
}

Result<Revision> MemoryStore::check(const Write &write) const
{
    const auto at = documents_.find(name_of(write.key));
    if (write.op == store::Op::kCreate) {
        if (at != documents_.end())
            return fail(ErrorKind::kExists, name_of(write.key) + " exists");
        return Revision{};
    }
    if (at == documents_.end())
        return fail(ErrorKind::kNotFound, name_of(write.key) + " does not exist");
    const bool compares =
        !write.expected.version.empty() || !std::holds_alternative<store::EndpointKey>(write.key);
    if (compares && std::to_string(at->second.version) != write.expected.version)
        return fail(ErrorKind::kConflict, name_of(write.key) + " has changed");
    return Revision{};
}

Result<Revision> MemoryStore::apply(const Write &write)
{
    TORTIE_DO(check(write));
    ++writes_;
    if (write.op == store::Op::kDelete) {
        documents_.erase(name_of(write.key));
        return Revision{};
    }
    Entry &entry = documents_[name_of(write.key)];
    entry = {write.document, next_version_++};
    set_uid(entry.document);
    if (auto *block = std::get_if<store::Block>(&entry.document); block && prunes_released_at) {
        for (store::Attribute &attribute : block->attributes)
            attribute.released_at.clear();
    }
    return Revision{std::to_string(entry.version), ""};
}

Result<Revision> MemoryStore::request(const Write &write)
{
    const auto fault = begin(word_for(write.op) + name_of(write.key));
    if (fault == Fault::kRefused)
        return refused();
    if (fault == Fault::kDropped)
        return lost();
    if (fault == Fault::kConflict)
        return fail(write.op == store::Op::kCreate ? ErrorKind::kExists : ErrorKind::kConflict,
                    "memory store: somebody was faster");
    const std::scoped_lock lock(mutex_);
    Result<Revision> done = apply(write);
    if (!fault)
        return done;
    dead_ = dead_ || fault == Fault::kDead;
    return done ? Result<Revision>(lost()) : done;
}

void MemoryStore::commit_stage(std::span<const Write> writes, unsigned stage, Written &written)
{
    for (std::size_t i = 0; i < writes.size(); ++i) {
        if (writes[i].stage == stage)
            written[i] = request(writes[i]);
    }
}

Written MemoryStore::commit_stages(std::span<const Write> writes, bool first_is_free)
{
    Written written(writes.size(), fail(ErrorKind::kNotAttempted, "another write failed"));
    std::set<unsigned> stages;
    for (const Write &write : writes)
        stages.insert(write.stage);
    for (const unsigned stage : stages) {
        commit_stage(writes, stage, written);
        {
            const std::scoped_lock lock(mutex_);
            round_trips_ += announcing_ || (first_is_free && stage == *stages.begin()) ? 0U : 1U;
        }
        for (std::size_t i = 0; i < writes.size(); ++i) {
            if (writes[i].stage == stage && !written[i])
                return written;
        }
    }
    return written;
}

Written MemoryStore::commit_atomically(std::span<const Write> writes)
{
    std::string what = "txn";
    for (const Write &write : writes)
        what += " " + word_for(write.op) + name_of(write.key);
    const auto fault = begin(what);
    Written written(writes.size(), fail(ErrorKind::kNotAttempted, "another write failed"));
    const std::scoped_lock lock(mutex_);
    round_trips_ += announcing_ ? 0U : 1U;
    const auto all = [&](const tl::unexpected<Error> &error) {
        std::fill(written.begin(), written.end(), Result<Revision>(error));
        return written;
    };
    if (fault == Fault::kRefused)
        return all(refused());
    if (fault == Fault::kDropped)
        return all(lost());
    bool good = true;
    for (std::size_t i = 0; i < writes.size(); ++i) {
        Result<Revision> checked = check(writes[i]);
        if (fault == Fault::kConflict && i == 0)
            checked = fail(ErrorKind::kConflict, "memory store: somebody was faster");
        if (!checked)
            written[i] = std::move(checked);
        good = good && (written[i] || written[i].error().kind() == ErrorKind::kNotAttempted);
    }
    if (!good)
        return written;
    for (std::size_t i = 0; i < writes.size(); ++i)
        written[i] = apply(writes[i]);
    dead_ = dead_ || fault == Fault::kDead;
    return fault ? all(lost()) : written;
}

Written MemoryStore::commit(std::span<const Write> writes, Deadline /*deadline*/)
{
    if (writes.empty())
        return {};
    return atomic() ? commit_atomically(writes) : commit_stages(writes, false);
}

store::Exchanged MemoryStore::exchange(std::span<const Query> queries,
                                       std::span<const Write> writes, Deadline deadline)
{
    if (atomic() || queries.empty())
        return {read(queries, deadline), commit(writes, deadline)};
    store::Exchanged both;
    both.found = read(queries, deadline);
    both.written = commit_stages(writes, true);
    return both;
}

void MemoryStore::forget_counts()
{
    const std::scoped_lock lock(mutex_);
    requests_ = round_trips_ = writes_ = 0;
    dead_ = false;
    faults_.clear();
    log_.clear();
}

void MemoryStore::put(const store::Key &key, store::Document document)
{
    const std::scoped_lock lock(mutex_);
    documents_[name_of(key)] = {std::move(document), next_version_++};
}

void MemoryStore::remove(const store::Key &key)
{
    const std::scoped_lock lock(mutex_);
    documents_.erase(name_of(key));
}

}  // namespace tortie::test
