// SPDX-License-Identifier: Apache-2.0
//
// A hint about the reservation files of one network: which addresses are taken and which of them
// an owner holds, each answered by a few blocks however many there are. The files are the truth;
// the index may be deleted at any time and is then made again from them.
//
// When it may be believed. The Go plugin writes the same directory and knows nothing of us, and
// any process may be killed anywhere, so the file carries a Seal: the boot it was made in, and
// times of the directory as they were when both agreed. Store::seal() gives the directory a
// modification time that the kernel does not give by itself: the nanosecond at which we asked,
// while the kernel stamps changes with the start of its tick (or, since 6.13, with a later
// nanosecond). So every file that anybody makes or removes afterwards, within the same tick or
// not, changes the time back to one that the seal does not have. Files are always changed before
// the index and the seal is written last, so a kill in between leaves a seal that does not fit.
// Another boot id means that the machine may have lost power with any of it half on disk.
//
// What is left, and why it does no harm:
// - a file whose content was edited in place: nobody but a person does that; a release compares
//   the content before it removes;
// - "free" that is not true: the file is made with O_EXCL, which says so;
// - "taken" that is not true: the address is passed over; before a range is called exhausted all
//   files are read again;
// - a clock set back so that a nanosecond comes up twice: the same as above.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_addr.h"
#include "base/result.h"
#include "host-local/block_file.h"

namespace tortie::host_local {

struct DirectoryStamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t modified_s = 0;
    std::int64_t modified_ns = 0;
    std::int64_t changed_s = 0;
    std::int64_t changed_ns = 0;

    friend bool operator==(const DirectoryStamp &, const DirectoryStamp &) = default;
};

using BootId = std::array<char, 36>;  // the text of /proc/sys/kernel/random/boot_id

struct Seal {
    BootId boot_id{};
    DirectoryStamp directory;

    friend bool operator==(const Seal &, const Seal &) = default;
};

// Functions that return a Result fail only on an index that was loaded from a file: damage
// (kInvalidInput) or the system. One that was built in memory is exact about what was put in.
class Index {
public:
    // Empty, in memory.
    Index();

    // The file `name` in the directory, if it is intact so far as one can see from its head and
    // fits `expected`. Never follows a link. Errors: kNotFound; kInvalidInput when it is stale or
    // not ours; kSystem. All of them mean: build a new one.
    static Result<Index> load(int directory_fd, const std::string &name, const Seal &expected);

    // Makes the file say what the index says, sealed. A loaded index is updated in place, one in
    // memory replaces the file as a whole. On failure the file is stale or as it was.
    Result<> save(int directory_fd, const std::string &name, const Seal &seal);

    // `ip` is taken; `owner` holds it, nobody that we know when it is empty.
    Result<> put(std::string_view owner, const IpAddr &ip);
    Result<> erase(std::string_view owner, const IpAddr &ip);

    // What `owner` may hold: two owners in 2^16 or more are taken for each other, so look.
    Result<std::vector<IpAddr>> held_by(std::string_view owner) const;

    // The first address that is not taken, both ends inclusive.
    Result<std::optional<IpAddr>> first_free(const IpAddr &from, const IpAddr &to) const;

private:
    struct Shape {
        std::uint32_t buckets = 4;  // powers of two
        std::uint32_t pages = 4;
    };
    struct Counts {
        std::uint32_t entries = 0;
        std::uint32_t pages = 0;
    };
    struct Header;
    struct Bucket;
    struct Page;
    struct PlacedPage;

    explicit Index(Shape shape);
    Index(BlockFile blocks, Shape shape, Counts counts);

    Result<PlacedPage> page_of(const IpAddr &ip) const;
    Result<Page> read_page(std::uint32_t slot) const;
    Result<Bucket> read_bucket(std::uint32_t number) const;
    Result<> add_entry(std::uint32_t tag, std::uint32_t where);
    Result<> remove_entry(std::uint32_t tag, std::uint32_t where);
    Result<> reshape();
    Result<std::vector<std::uint32_t>> copy_pages(Index &into) const;  // old slot to new
    Result<> copy_entries(Index &into, const std::vector<std::uint32_t> &new_slots) const;
    std::uint32_t bucket_block(std::uint32_t number) const { return 1 + number; }
    std::uint32_t page_block(std::uint32_t slot) const { return 1 + shape_.buckets + slot; }

    BlockFile blocks_;
    Shape shape_;
    Counts counts_;
};

}  // namespace tortie::host_local
