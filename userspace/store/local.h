// SPDX-License-Identifier: Apache-2.0
//
// The datastore of one node without Kubernetes and etcd: an SQLite file with Calico's documents
// under etcd's keys, so that `sqlite3 store.db 'select name, value from documents'` shows what
// etcdctl would.
//
// Durability: the journal is a write-ahead log with synchronous=NORMAL, so a commit costs no
// fsync. A killed process loses nothing. A power cut may lose the last commits, never part of one
// and never the file: and after a power cut no pod of this node is left that could hold an
// address, so what is lost is an allocation without owner or a release that is made again.
#pragma once

#include <memory>
#include <string>

#include "store/store.h"

namespace tortie::store {

inline constexpr const char *kLocalPath = "/var/lib/tortie/store.db";

// The store in the file of that name. Nothing is opened before the first read or commit; that
// makes the file (0600, its directory 0700) when it is missing, with a ClusterInformation that
// says ready, and nothing else. A Node that is asked for and not there is one without labels, with
// an empty revision: pools may select nodes, and there need not be a document for the only one.
// Errors of reads and commits, naming the file:
//   kTryAgain  somebody else held it until the deadline
//   kSystem    no space, damaged, read-only, not a datastore of ours, of a newer release
// A commit that failed so did not take effect.
std::unique_ptr<Store> open_local(std::string path);

}  // namespace tortie::store
