// SPDX-License-Identifier: Apache-2.0
#include "store/key_values.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <utility>

#include "base/base32.h"
#include "base/log.h"
#include "store/codec.h"
#include "store/names.h"

namespace tortie::store {
namespace {

bool is_deleted(const Document &document)
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

Error not_found(const Key &key)
{
    return Error(ErrorKind::kNotFound,
                 "resource does not exist: " + describe(key) + " with error: <nil>");
}

Found found_one(const Key &key, std::span<const std::vector<Entry>> entries,
                std::vector<Entry> &marked)
{
    if (entries.front().empty())
        return fail(not_found(key));
    const Entry &entry = entries.front().front();
    TORTIE_TRY(Stored stored, decode(key, entry.value, Spelling::kEtcd));
    if (is_deleted(stored.document)) {
        marked.push_back(entry);
        return fail(not_found(key));
    }
    if (entries.size() > 1 && !entries[1].empty())
        read_vm_persistence(std::get<IpamConfig>(stored.document), entries[1].front().value);
    stored.revision.version = entry.version;
    std::vector<Stored> one;
    one.push_back(std::move(stored));
    return one;
}

// A list's prefix may take in more than the list: keys of another kind, or of an unreadable name.
bool belongs(const Query &query, const Key &key)
{
    if (std::holds_alternative<ListAffinities>(query))
        return std::holds_alternative<AffinityKey>(key);
    return true;
}

Found found_list(const Query &query, const std::vector<Entry> &entries)
{
    std::vector<Stored> list;
    list.reserve(entries.size());
    for (const Entry &entry : entries) {
        const std::optional<Key> key = key_from_etcd(entry.key);
        if (!key || !belongs(query, *key))
            continue;
        Result<Stored> stored = decode(*key, entry.value, Spelling::kEtcd);
        if (!stored) {
            log::warn("a document of the list cannot be read", {{"error", stored.error().what()}});
            continue;
        }
        if (is_deleted(stored->document))
            continue;
        stored->revision.version = entry.version;
        list.push_back(*std::move(stored));
    }
    return list;
}

// RFC 4122 version 4.
Result<std::string> random_uuid()
{
    std::array<std::uint8_t, 16> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
        return fail_errno(errno, "make a UID");
    bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0fU) | 0x40U);
    bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3fU) | 0x80U);
    std::string text = hex_encode(bytes);
    for (const std::size_t hyphen : {8U, 13U, 18U, 23U})
        text.insert(hyphen, 1, '-');
    return text;
}

std::string timestamp_now()
{
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    std::array<char, sizeof("2026-08-22T10:11:12Z")> text{};
    const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
    return std::string(text.data(), length);
}

Result<Change> change_of(const Write &write)
{
    Change change{write.op, write.key, {}, {}, write.expected.version};
    TORTIE_TRY(change.path, etcd_key(write.key));
    if (write.op == Op::kDelete)
        return change;
    if (write.op == Op::kUpdate) {
        TORTIE_TRY(change.value, encode(write.document, Spelling::kEtcd));
        return change;
    }
    TORTIE_TRY(const std::string uid, random_uuid());
    Document born = write.document;
    set_birth(born, uid, timestamp_now());
    TORTIE_TRY(change.value, encode(born, Spelling::kEtcd));
    return change;
}

}  // namespace

std::string end_of_prefix(std::string prefix)
{
    while (!prefix.empty()) {
        const auto last = static_cast<unsigned char>(prefix.back());
        if (last != 0xff) {
            prefix.back() = static_cast<char>(last + 1);
            return prefix;
        }
        prefix.pop_back();
    }
    return prefix;
}

Result<std::vector<KeyRange>> ranges_of(const Query &query)
{
    if (std::holds_alternative<ListUnlabelledAffinities>(query))
        return std::vector<KeyRange>();  // there are no labels here: none lacks one
    TORTIE_TRY(std::string key, etcd_prefix(query));
    const Key *one = std::get_if<Key>(&query);
    std::vector<KeyRange> ranges;
    ranges.push_back({std::move(key), one == nullptr});
    if (one != nullptr && std::holds_alternative<IpamConfigKey>(*one))
        ranges.push_back({std::string(kEtcdIpamConfiguration), false});
    return ranges;
}

Found found_in(const Query &query, std::span<const std::vector<Entry>> entries,
               std::vector<Entry> &marked)
{
    if (const Key *key = std::get_if<Key>(&query))
        return found_one(*key, entries, marked);
    if (entries.empty())
        return std::vector<Stored>();
    return found_list(query, entries.front());
}

std::optional<Written> changes_of(std::span<const Write> writes, std::vector<Change> &changes)
{
    std::vector<std::optional<Error>> unfit(writes.size());
    changes.reserve(writes.size());
    for (std::size_t i = 0; i < writes.size(); ++i) {
        Result<Change> change = change_of(writes[i]);
        if (change)
            changes.push_back(*std::move(change));
        else
            unfit[i] = std::move(change).error();
    }
    if (any(unfit))
        return refused(unfit);
    return std::nullopt;
}

Change removal_of(const Entry &marked)
{
    const Key key = key_from_etcd(marked.key).value_or(HandleKey{marked.key});
    return {Op::kDelete, key, marked.key, {}, marked.version};
}

bool any(std::span<const std::optional<Error>> objections)
{
    return std::any_of(objections.begin(), objections.end(),
                       [](const std::optional<Error> &each) { return each.has_value(); });
}

std::optional<Error> objection(const Change &change, const std::optional<std::string> &version)
{
    if (change.op == Op::kCreate) {
        if (!version)
            return std::nullopt;
        return Error(ErrorKind::kExists,
                     "resource already exists: " + describe(change.key) + " with error: <nil>");
    }
    const bool compares =
        !change.expected.empty() || !std::holds_alternative<EndpointKey>(change.key);
    if (!version && (compares || change.op == Op::kDelete))
        return not_found(change.key);
    if (compares && *version != change.expected)
        return Error(ErrorKind::kConflict, "update conflict: " + describe(change.key));
    return std::nullopt;
}

Written refused(std::span<const std::optional<Error>> objections)
{
    Written written;
    written.reserve(objections.size());
    for (const std::optional<Error> &error : objections) {
        if (error)
            written.emplace_back(fail(*error));
        else
            written.emplace_back(fail(ErrorKind::kNotAttempted,
                                      "not written: another write of the same commit failed"));
    }
    return written;
}

Written refused_all(std::size_t writes, const Error &error)
{
    Written written;
    written.reserve(writes);
    for (std::size_t i = 0; i < writes; ++i)
        written.emplace_back(fail(error));
    return written;
}

}  // namespace tortie::store
