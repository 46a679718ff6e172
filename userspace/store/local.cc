// SPDX-License-Identifier: Apache-2.0
#include "store/local.h"

#include <array>
#include <utility>

#include "base/log.h"
#include "base/scope_exit.h"
#include "store/key_values.h"
#include "store/local_database.h"

namespace tortie::store {
namespace {

// In the order of Key.
constexpr std::array<std::string_view, std::variant_size_v<Key>> kKinds = {
    "IPAMBlock",
    "BlockAffinity",
    "IPAMHandle",
    "IPAMConfig",
    "IPPool",
    "IPReservation",
    "Node",
    "ClusterInformation",
    "WorkloadEndpoint",
    "Profile",
    "",
    "",
    "",
    "",
};

class LocalStore : public Store {
public:
    explicit LocalStore(std::string path) : path_(std::move(path)) {}

    std::vector<Found> read(std::span<const Query> queries, Deadline deadline) override;
    Written commit(std::span<const Write> writes, Deadline deadline) override;
    bool atomic() const override { return true; }
    bool endpoints_are_pods() const override { return false; }

private:
    Result<> connect(Deadline deadline);
    Result<> begin_read(Deadline deadline);
    Result<std::vector<std::optional<Error>>> objections(std::span<const Change> changes);
    Result<Revision> write(const Change &change, const std::string &version);
    Result<Written> apply(std::span<const Change> changes);
    Result<Written> transaction(std::span<const Change> changes, Deadline deadline);
    Found answer(const Query &query, std::vector<Entry> &marked);
    void remove(std::span<const Entry> marked, Deadline deadline);

    std::string path_;
    std::optional<Database> database_;
};

Result<> LocalStore::connect(Deadline deadline)
{
    if (database_) {
        database_->wait_until(deadline);
        return {};
    }
    TORTIE_TRY(Database database, Database::open(path_, deadline));
    database_.emplace(std::move(database));
    return {};
}

Result<> LocalStore::begin_read(Deadline deadline)
{
    TORTIE_DO(connect(deadline));
    return database_->begin_read();
}

// A node of which nobody has said anything is one without labels.
std::optional<Stored> unsaid_node(const Query &query)
{
    const auto *key = std::get_if<Key>(&query);
    const auto *node = key ? std::get_if<NodeKey>(key) : nullptr;
    if (!node || node->name.empty())
        return std::nullopt;
    Node document;
    document.name = node->name;
    return Stored{std::move(document), {}};
}

Found LocalStore::answer(const Query &query, std::vector<Entry> &marked)
{
    TORTIE_TRY(const std::vector<KeyRange> ranges, ranges_of(query));
    std::vector<std::vector<Entry>> entries;
    entries.reserve(ranges.size());
    for (const KeyRange &range : ranges) {
        TORTIE_TRY(std::vector<Entry> found, database_->read(range));
        entries.push_back(std::move(found));
    }
    Found found = found_in(query, entries, marked);
    if (!found && found.error().kind() == ErrorKind::kNotFound) {
        if (auto node = unsaid_node(query))
            return std::vector<Stored>{*std::move(node)};
    }
    return found;
}

std::vector<Found> LocalStore::read(std::span<const Query> queries, Deadline deadline)
{
    std::vector<Found> found;
    found.reserve(queries.size());
    const Result<> begun = begin_read(deadline);
    if (!begun) {
        for (std::size_t i = 0; i < queries.size(); ++i)
            found.emplace_back(fail(begun.error()));
        return found;
    }
    std::vector<Entry> marked;
    for (const Query &query : queries)
        found.push_back(answer(query, marked));
    database_->roll_back();
    remove(marked, deadline);
    return found;
}

// Finishes deletions; whoever fails at it leaves them to the next reader.
void LocalStore::remove(std::span<const Entry> marked, Deadline deadline)
{
    std::vector<Change> changes;
    for (const Entry &entry : marked)
        changes.push_back(removal_of(entry));
    if (changes.empty())
        return;
    if (const auto done = transaction(changes, deadline); !done)
        log::warn("a document marked deleted stays", {{"error", done.error().what()}});
}

Result<std::vector<std::optional<Error>>> LocalStore::objections(std::span<const Change> changes)
{
    std::vector<std::optional<Error>> all;
    all.reserve(changes.size());
    for (const Change &change : changes) {
        TORTIE_TRY(const auto version, database_->version_of(change.path));
        all.push_back(objection(change, version));
    }
    return all;
}

Result<Revision> LocalStore::write(const Change &change, const std::string &version)
{
    if (change.op == Op::kDelete) {
        TORTIE_DO(database_->remove(change.path));
        return Revision{};
    }
    const std::string_view kind = kKinds.at(change.key.index());
    TORTIE_DO(database_->put(kind, {change.path, change.value, version}));
    return Revision{version, {}};
}

Result<Written> LocalStore::apply(std::span<const Change> changes)
{
    TORTIE_TRY(const std::string version, database_->next_version());
    Written written;
    written.reserve(changes.size());
    for (const Change &change : changes) {
        TORTIE_TRY(Revision revision, write(change, version));
        written.emplace_back(std::move(revision));
    }
    TORTIE_DO(database_->commit());
    return written;
}

Result<Written> LocalStore::transaction(std::span<const Change> changes, Deadline deadline)
{
    TORTIE_DO(connect(deadline));
    TORTIE_DO(database_->begin_write());
    ScopeExit undo([this] { database_->roll_back(); });
    TORTIE_TRY(const auto objected, objections(changes));
    if (any(objected))
        return refused(objected);
    TORTIE_TRY(Written written, apply(changes));
    undo.dismiss();
    return written;
}

Written LocalStore::commit(std::span<const Write> writes, Deadline deadline)
{
    std::vector<Change> changes;
    if (std::optional<Written> unfit = changes_of(writes, changes))
        return *std::move(unfit);
    Result<Written> written = transaction(changes, deadline);
    return written ? *std::move(written) : refused_all(writes.size(), written.error());
}

}  // namespace

std::unique_ptr<Store> open_local(std::string path)
{
    return std::make_unique<LocalStore>(std::move(path));
}

}  // namespace tortie::store
