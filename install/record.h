// SPDX-License-Identifier: Apache-2.0
//
// What the installer has written on this node, so that it can be removed and nothing else with it:
// `tortie.files` beside the network configuration (the name keeps CNI loaders from reading it).
//
//   tortie files 1
//   <sha256 in hex> bin/calico
//   <sha256 in hex> net.d/10-calico.conflist
//
// A file that is about to be replaced stands there twice, with its old and its new hash, so that a
// kill at any point leaves no file of ours that the record does not know.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"
#include "install/folder.h"

namespace tortie::installer {

constexpr const char *kRecordName = "tortie.files";

class Record {
public:
    // An absent record is an empty one, and so is one that is no good: what it said is lost then,
    // which only means that uninstall leaves more files in place.
    static Record load(const Folder &net_folder);

    // `name` is "bin/calico", `hash` sha256_hex() of what it will hold. On the disk after save().
    void will_write(const std::string &name, std::string hash);

    // What will_write() announced since load() is done: older hashes of those files are forgotten.
    void settle();

    Result<> save(const Folder &net_folder) const;

    const std::map<std::string, std::set<std::string>> &files() const { return files_; }

private:
    std::map<std::string, std::set<std::string>> files_;  // hashes of each name
    std::map<std::string, std::string> written_;          // since load()
};

// Lower-case hex.
std::string sha256_hex(std::string_view content);

}  // namespace tortie::installer
