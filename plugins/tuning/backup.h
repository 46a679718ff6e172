// SPDX-License-Identifier: Apache-2.0
//
// What an attachment's settings were before tuning changed them:
// <dataDir>/<containerID>_<ifname>.json. The Go plugin reads our files and we read its; it does
// not know the keys "sysctl" and "network".
//
//   {
//    "mac": "0a:58:0a:00:00:05",
//    "promisc": false,
//    "mtu": 1500,
//    "allmulti": false,
//    "txQLen": 1000,
//    "sysctl": {
//     "ipv4/conf/eth0/arp_filter": "0"      below /proc/sys/net
//    },
//    "network": "podnet"
//   }
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tuning/settings.h"

namespace tortie::tuning {

struct Backup {
    Settings before;
    std::string network;  // empty in the Go plugin's files

    friend bool operator==(const Backup &, const Backup &) = default;
};

// Text of a file, and back. Errors: kInvalidInput when it is no such JSON object.
std::string print_backup(const Backup &backup);
Result<Backup> parse_backup(std::string_view text);

// The first ADD's values, and from `now` those that it did not have.
Settings merge(const Settings &first, const Settings &now);

// One attachment's file.
class BackupFile {
public:
    // Errors: kInvalidInput when the file system cannot hold a name that long.
    static Result<BackupFile> of(const std::string &data_dir, const std::string &container_id,
                                 const std::string &ifname);

    // Errors: kNotFound, kInvalidInput for garbage, kSystem.
    Result<Backup> read() const;

    // As replace_file(), 0600, in a directory that is made when missing (0700).
    Result<> write(const Backup &backup) const;

    // With what a killed write() left. Success when nothing was there.
    Result<> remove() const;

private:
    BackupFile(std::string data_dir, std::string path)
        : data_dir_(std::move(data_dir)), path_(std::move(path))
    {
    }

    std::string data_dir_;
    std::string path_;
};

// Removes the files of `network` whose name is not in `valid` ("<containerID>_<ifname>"). Files
// that cannot be read, or belong to another network or to none, stay: several networks share a
// directory. Errors: the directory cannot be listed, or a file not removed.
Result<> collect_backups(const std::string &data_dir, std::string_view network,
                         const std::vector<std::string> &valid);

std::string backup_name(const std::string &container_id, const std::string &ifname);

}  // namespace tortie::tuning
