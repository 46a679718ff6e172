// SPDX-License-Identifier: Apache-2.0
//
// The files of one network, <dataDir>/<network>/, in the format of the Go plugin, which may use
// the same directory before, after and meanwhile:
//
//   10.1.2.3             a reservation: "<container id>\r\n<ifname>"; "<container id>" in files
//                        made before version 0.7
//   last_reserved_ip.0   where round robin of range set 0 stands: an address
//   lock                 flock(2), held while a Store lives
//
// Names of files come from addresses and numbers only, and no link below <dataDir> is followed.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/file_lock.h"
#include "base/ip_addr.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "host-local/index.h"

namespace tortie::host_local {

constexpr std::string_view kDefaultDataDir = "/var/lib/cni/networks";

// An interface of a container: who holds an address.
struct Attachment {
    std::string container_id;
    std::string ifname;

    std::string owner() const { return container_id + "\r\n" + ifname; }
    const std::string &old_owner() const { return container_id; }  // before version 0.7
};

// What a reservation file says.
struct Holder {
    enum class Kind {
        kNobody,      // no such file
        kOwner,       // a reservation of `owner`
        kTorn,        // a regular file that no ADD has finished: empty, NULs, binary
        kUnknown,     // something else that has the name: it keeps the address, and is left alone
        kUnreadable,  // the system failed: whose it is cannot be told
    };

    Kind kind = Kind::kNobody;
    std::string owner;
};

// What the content of a reservation file means.
Holder parse_holder(std::string_view content);

class Store {
public:
    // Waits for the lock, 10 s. Errors: kTryAgain (the lock), kSystem, and kNotFound when the
    // directory is not there, which then is not made.
    static Result<Store> open(const std::string &data_dir, const std::string &network);

    // The same; makes the directory and its parents (0755).
    static Result<Store> create(const std::string &data_dir, const std::string &network);

    // True when the file was made, complete; false when there is one already.
    // Errors: kSystem, in the Go plugin's words; no file is left.
    Result<bool> reserve(const IpAddr &ip, std::string_view owner);

    Holder holder(const IpAddr &ip) const;

    // Success when it was not there.
    Result<> remove(const IpAddr &ip);

    // nullopt when there is none or it does not make sense: then round robin starts over.
    std::optional<IpAddr> last_reserved(std::size_t range_set) const;
    Result<> set_last_reserved(std::size_t range_set, const IpAddr &ip);

    // Reads every reservation there is and hands it on. On the way it removes what killed
    // processes left: torn reservations and half-written pointers.
    Result<> scan(const std::function<void(const IpAddr &, const Holder &)> &visit);

    // The directory's times as they are.
    Result<DirectoryStamp> stamp() const;

    // Gives the directory a modification time that no change by others will have (index.h).
    // Errors: kUnsupported on a file system that does not keep nanoseconds.
    Result<DirectoryStamp> seal();

private:
    Store(UniqueFd directory, FileLock lock, std::string path)
        : directory_(std::move(directory)), lock_(std::move(lock)), path_(std::move(path))
    {
    }

    Holder read_holder(const char *name) const;
    void visit_entry(const char *name,
                     const std::function<void(const IpAddr &, const Holder &)> &visit);

    UniqueFd directory_;
    FileLock lock_;
    std::string path_;
};

}  // namespace tortie::host_local
