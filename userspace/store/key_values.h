// SPDX-License-Identifier: Apache-2.0
//
// Documents as pairs of key and value: the layout of etcd, which the local store has, too, so that
// both hold the same bytes under the same names. Here is everything of a store but its transport.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/store.h"

namespace tortie::store {

struct Entry {
    std::string key;
    std::string value;
    std::string version;
};

// What is to be read: one key, or every key that begins with it.
struct KeyRange {
    std::string key;
    bool prefix = false;
};

// The first key behind all that begin with `prefix`; "" when there is none.
std::string end_of_prefix(std::string prefix);

// What has to be read for a query, at least one range.
// Errors: kUnsupported, kInvalidInput.
Result<std::vector<KeyRange>> ranges_of(const Query &query);

// The answer, from the entries of each of its ranges, sorted by key. A document that is marked
// deleted counts as not there and is added to `marked`: whoever asked removes it.
Found found_in(const Query &query, std::span<const std::vector<Entry>> entries,
               std::vector<Entry> &marked);

// One write, ready for the wire.
struct Change {
    Op op = Op::kCreate;
    Key key;
    std::string path;
    std::string value;
    // The version that must be there; kUpdate and kDelete without one do not compare.
    std::string expected;
};

// All of them, into `changes`; creates get their UID and time of birth. Or, when one cannot be
// stored (kUnsupported, kInvalidInput), the answer to the whole commit.
std::optional<Written> changes_of(std::span<const Write> writes, std::vector<Change> &changes);

// Finishes the deletion of a document that is marked.
Change removal_of(const Entry &marked);

// Nothing when the change may be made to what is there now (nullopt: nothing is), else why not:
// kExists, kNotFound, kConflict in Calico's words.
std::optional<Error> objection(const Change &change, const std::optional<std::string> &version);

bool any(std::span<const std::optional<Error>> objections);

// Of a commit that did not take effect: an objection for each change that has one, kNotAttempted
// for the others. At least one has.
Written refused(std::span<const std::optional<Error>> objections);

// The same for a commit that failed as a whole, whatever the write.
Written refused_all(std::size_t writes, const Error &error);

}  // namespace tortie::store
