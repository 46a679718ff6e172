// SPDX-License-Identifier: Apache-2.0
//
// Who holds which address of a network, for as long as we have its lock: the files (store.h),
// found by the index (index.h) where it can be believed and by reading all of them where not.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/ip_addr.h"
#include "base/result.h"
#include "host-local/index.h"
#include "host-local/store.h"

namespace tortie::host_local {

class Reservations {
public:
    // Loads the index; reads all files when there is none that fits. The index lies in
    // <dataDir>/.tortie: no network can be called that, and the Go plugin, which reads everything
    // below its network's directory, does not see it.
    // Errors: kSystem when the directory cannot be read.
    static Result<Reservations> load(Store store, const std::string &data_dir,
                                     const std::string &network);

    // The addresses whose files name this attachment, in the new format or the old one.
    Result<std::vector<IpAddr>> held_by(const Attachment &attachment);

    // True: `ip` is now this attachment's. False: somebody has it. A torn file gives way.
    Result<bool> reserve(const IpAddr &ip, const Attachment &attachment);

    // The first free address, both ends inclusive; a hint until reserve() has succeeded.
    Result<std::optional<IpAddr>> first_free(const IpAddr &from, const IpAddr &to);

    // Removes a reservation of this attachment; success when it is not there any more.
    Result<> release(const IpAddr &ip, const Attachment &attachment);

    // Removes everything the attachment holds, files of the old format only when there are none
    // of the new one. Goes on after a failure and returns the first.
    Result<> release_all(const Attachment &attachment);

    // Removes every reservation whose owner `keep` refuses. Reads all files.
    // Goes on after a failure and returns the first.
    Result<> collect(const std::function<bool(std::string_view owner)> &keep);

    // True when everything is known from the files themselves and not from the index.
    bool exact() const { return exact_; }

    // Reads all files, after which exact().
    Result<> rescan();

    std::optional<IpAddr> last_reserved(std::size_t range_set) const
    {
        return store_.last_reserved(range_set);
    }
    Result<> set_last_reserved(std::size_t range_set, const IpAddr &ip)
    {
        changed_ = true;  // of the directory: the file is replaced
        return store_.set_last_reserved(range_set, ip);
    }

    // Leaves an index that fits what was done. Last of all and never a failure: without an index
    // the next call reads all files.
    void save_index();

private:
    Reservations(Store store, std::string index_path, std::string index_name);

    bool load_index();
    Result<> try_save_index();
    Result<std::vector<IpAddr>> files_of(const std::string &owner);
    Result<unsigned> release_owner(const std::string &owner);

    // Asks the index; one that turns out to be damaged is made again from the files.
    template <class Question>
    auto ask(const Question &question) -> decltype(question(std::declval<Index &>()));

    Store store_;
    std::string index_path_;  // of its directory
    std::string index_name_;
    UniqueFd index_directory_;  // invalid when it is not there
    std::optional<BootId> boot_id_;
    Index index_;
    bool exact_ = false;
    bool changed_ = false;     // files or the index differ from what the index file says
    bool index_lost_ = false;  // it missed a change and must not be sealed
};

}  // namespace tortie::host_local
