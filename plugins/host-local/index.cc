// SPDX-License-Identifier: Apache-2.0
//
// One header block, then buckets of owners, then pages of addresses. Byte order and layout are
// the machine's: another machine has another boot id.
#include "host-local/index.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>

#include "base/scope_exit.h"

namespace tortie::host_local {
namespace {

constexpr std::uint64_t kMagic = 0x6c682d656974726f;
constexpr std::uint64_t kVersion = 1;
constexpr unsigned kPageBits = 11;
constexpr std::uint32_t kPageAddresses = 1U << kPageBits;
constexpr std::uint32_t kFullBucket = 46;  // of 62, on average, before there must be more buckets
constexpr std::uint32_t kMaxPages = 1U << (31 - kPageBits);  // `where` has 32 bits
constexpr std::uint32_t kNoSlot = UINT32_MAX;
constexpr std::uint32_t kMaxSavedBlocks = 1U << 16;  // 32 MiB; no node has that many

std::uint64_t mix(std::uint64_t value)
{
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31);
}

std::uint64_t hash_bytes(std::string_view bytes)
{
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : bytes)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return mix(hash);
}

std::uint32_t tag_of(std::string_view owner)
{
    return static_cast<std::uint32_t>(hash_bytes(owner) >> 32);
}

IpAddr page_base(const IpAddr &ip)
{
    return ip.first_in(width_bits(ip.family()) - kPageBits);
}

std::uint32_t offset_in_page(const IpAddr &ip)
{
    const auto bytes = ip.bytes_be();
    const std::uint32_t low =
        static_cast<std::uint32_t>(bytes[bytes.size() - 2]) << 8 | bytes[bytes.size() - 1];
    return low % kPageAddresses;
}

tl::unexpected<Error> damaged(const char *what)
{
    return fail(ErrorKind::kInvalidInput, std::string("index: ") + what);
}

}  // namespace

struct Index::Header {
    std::uint64_t magic;
    std::uint64_t version;
    Shape shape;
    Counts counts;
    std::array<char, 40> boot_id;
    DirectoryStamp directory;
    std::array<std::uint64_t, 48> unused;
    std::uint64_t checksum;
};

// An owner's addresses, unordered. `tag` is 32 bits of the owner's hash, the low ones choose the
// bucket. A full bucket spills into the next one and says so for ever after, so that a search
// knows to go on there.
struct Index::Bucket {
    struct Entry {
        std::uint32_t tag;
        std::uint32_t where;  // page slot and offset in it
    };
    static constexpr std::uint32_t kEntries = 62;

    std::array<Entry, kEntries> entries;
    std::uint32_t count;
    std::uint32_t spilled;
    std::uint64_t checksum;
};

// Which of 2048 neighbouring addresses are taken. Pages lie where the hash of their first address
// says, or in the next free slot; they are never removed, but by reshape().
struct Index::Page {
    std::array<std::uint8_t, 16> base;
    std::uint32_t base_bytes;  // 4 or 16; 0 in a slot that was never used
    std::uint32_t taken;
    std::array<std::uint64_t, kPageAddresses / 64> bits;
    std::array<std::uint64_t, 28> unused;
    std::uint64_t checksum;

    IpAddr address(std::uint32_t offset) const
    {
        std::array<std::uint8_t, 16> bytes = base;
        bytes[base_bytes - 2] = static_cast<std::uint8_t>(bytes[base_bytes - 2] | offset >> 8);
        bytes[base_bytes - 1] = static_cast<std::uint8_t>(bytes[base_bytes - 1] | (offset & 0xff));
        return IpAddr::from_bytes({bytes.data(), base_bytes});
    }
    bool starts_at(const IpAddr &ip) const
    {
        const auto bytes = ip.bytes_be();
        return base_bytes == bytes.size() && std::equal(bytes.begin(), bytes.end(), base.begin());
    }
    // The first address from `offset` on that is not taken.
    std::optional<IpAddr> first_free(std::uint32_t offset) const
    {
        while (offset < kPageAddresses) {
            const std::uint64_t free_ones = ~bits[offset / 64] >> offset % 64;
            if (free_ones != 0)
                return address(offset + static_cast<std::uint32_t>(std::countr_zero(free_ones)));
            offset = (offset / 64 + 1) * 64;
        }
        return std::nullopt;
    }
    bool is_taken(std::uint32_t offset) const
    {
        return (bits[offset / 64] >> offset % 64 & 1) != 0;
    }
};

struct Index::PlacedPage {
    std::uint32_t slot;
    bool used;  // false: the slot is where such a page would go
    Page page;
};

Index::Index() : Index(Shape{}) {}

Index::Index(Shape shape) : Index(BlockFile(1 + shape.buckets + shape.pages), shape, Counts{}) {}

Index::Index(BlockFile blocks, Shape shape, Counts counts)
    : blocks_(std::move(blocks)), shape_(shape), counts_(counts)
{
    static_assert(BlockType<Header> && BlockType<Bucket> && BlockType<Page>);
}

Result<Index> Index::load(int directory_fd, const std::string &name, const Seal &expected)
{
    UniqueFd fd(::openat(directory_fd, name.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd.valid())
        return fail_errno(errno, "open index");
    BlockFile blocks(std::move(fd));
    TORTIE_TRY(const Header header, blocks.read<Header>(0));
    if (header.magic != kMagic || header.version != kVersion)
        return damaged("of another version");

    const auto [buckets, pages] = header.shape;
    if (!std::has_single_bit(buckets) || !std::has_single_bit(pages) || buckets > kMaxSavedBlocks ||
        pages > kMaxSavedBlocks)
        return damaged("impossible shape");
    Seal seal{.boot_id = {}, .directory = header.directory};
    std::copy_n(header.boot_id.begin(), seal.boot_id.size(), seal.boot_id.begin());
    if (seal != expected)
        return damaged("stale");
    return Index(std::move(blocks), header.shape, header.counts);
}

Result<> Index::save(int directory_fd, const std::string &name, const Seal &seal)
{
    Header header{};
    header.magic = kMagic;
    header.version = kVersion;
    header.shape = shape_;
    header.counts = counts_;
    std::copy(seal.boot_id.begin(), seal.boot_id.end(), header.boot_id.begin());
    header.directory = seal.directory;
    TORTIE_DO(blocks_.write(0, header));
    if (!blocks_.in_memory())
        return {};

    if (shape_.buckets > kMaxSavedBlocks || shape_.pages > kMaxSavedBlocks)
        return damaged("too large to be worth a file");
    const std::string fresh = name + ".tmp";
    const UniqueFd fd(::openat(directory_fd, fresh.c_str(),
                               O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.valid())
        return fail_errno(errno, "create index");
    ScopeExit undo([&] { ::unlinkat(directory_fd, fresh.c_str(), 0); });
    TORTIE_DO(blocks_.copy_to(fd.get()));
    // Not over the old one: ext4 would write all of it to the disk at once.
    ::unlinkat(directory_fd, name.c_str(), 0);
    if (::renameat(directory_fd, fresh.c_str(), directory_fd, name.c_str()) < 0)
        return fail_errno(errno, "rename index");
    undo.dismiss();
    return {};
}

Result<Index::Page> Index::read_page(std::uint32_t slot) const
{
    TORTIE_TRY(const Page page, blocks_.read<Page>(page_block(slot)));
    if (page.base_bytes != 0 && page.base_bytes != 4 && page.base_bytes != 16)
        return damaged("impossible page");
    return page;
}

Result<Index::Bucket> Index::read_bucket(std::uint32_t number) const
{
    TORTIE_TRY(const Bucket bucket, blocks_.read<Bucket>(bucket_block(number)));
    if (bucket.count > Bucket::kEntries)
        return damaged("impossible bucket");
    return bucket;
}

Result<Index::PlacedPage> Index::page_of(const IpAddr &ip) const
{
    const IpAddr base = page_base(ip);
    const auto bytes = base.bytes_be();
    const std::string_view key(reinterpret_cast<const char *>(bytes.data()), bytes.size());
    const auto home = static_cast<std::uint32_t>(hash_bytes(key));
    for (std::uint32_t i = 0; i < shape_.pages; ++i) {
        const std::uint32_t slot = (home + i) & (shape_.pages - 1);
        TORTIE_TRY(const Page page, read_page(slot));
        if (page.base_bytes == 0) {
            PlacedPage fresh{.slot = slot, .used = false, .page = {}};
            std::copy(bytes.begin(), bytes.end(), fresh.page.base.begin());
            fresh.page.base_bytes = static_cast<std::uint32_t>(bytes.size());
            return fresh;
        }
        if (page.starts_at(base))
            return PlacedPage{.slot = slot, .used = true, .page = page};
    }
    return damaged("no room for a page");  // reshape() keeps half of the slots unused
}

Result<> Index::put(std::string_view owner, const IpAddr &ip)
{
    if (counts_.entries >= shape_.buckets * kFullBucket || counts_.pages >= shape_.pages / 2)
        TORTIE_DO(reshape());

    TORTIE_TRY(PlacedPage at, page_of(ip));
    const std::uint32_t offset = offset_in_page(ip);
    if (!at.used)
        ++counts_.pages;
    if (!at.page.is_taken(offset))
        ++at.page.taken;
    at.page.bits[offset / 64] |= std::uint64_t{1} << offset % 64;
    TORTIE_DO(blocks_.write(page_block(at.slot), at.page));
    if (owner.empty())
        return {};
    return add_entry(tag_of(owner), at.slot * kPageAddresses + offset);
}

Result<> Index::erase(std::string_view owner, const IpAddr &ip)
{
    TORTIE_TRY(PlacedPage at, page_of(ip));
    const std::uint32_t offset = offset_in_page(ip);
    if (!at.used || !at.page.is_taken(offset))
        return {};
    at.page.bits[offset / 64] &= ~(std::uint64_t{1} << offset % 64);
    --at.page.taken;
    TORTIE_DO(blocks_.write(page_block(at.slot), at.page));
    return remove_entry(tag_of(owner), at.slot * kPageAddresses + offset);
}

Result<> Index::add_entry(std::uint32_t tag, std::uint32_t where)
{
    for (std::uint32_t i = 0; i < shape_.buckets; ++i) {
        const std::uint32_t number = (tag + i) & (shape_.buckets - 1);
        TORTIE_TRY(Bucket bucket, read_bucket(number));
        const bool full = bucket.count == Bucket::kEntries;
        if (!full)
            bucket.entries[bucket.count++] = {tag, where};
        else if (bucket.spilled != 0)
            continue;
        bucket.spilled |= full ? 1U : 0U;
        TORTIE_DO(blocks_.write(bucket_block(number), bucket));
        if (!full) {
            ++counts_.entries;
            return {};
        }
    }
    return damaged("no room for an owner");  // reshape() keeps a quarter of the places unused
}

Result<> Index::remove_entry(std::uint32_t tag, std::uint32_t where)
{
    for (std::uint32_t i = 0; i < shape_.buckets; ++i) {
        const std::uint32_t number = (tag + i) & (shape_.buckets - 1);
        TORTIE_TRY(Bucket bucket, read_bucket(number));
        const auto end = bucket.entries.begin() + bucket.count;
        const auto found = std::find_if(bucket.entries.begin(), end, [&](const auto &entry) {
            return entry.tag == tag && entry.where == where;
        });
        if (found != end) {
            *found = bucket.entries[--bucket.count];
            --counts_.entries;
            return blocks_.write(bucket_block(number), bucket);
        }
        if (bucket.spilled == 0)
            break;
    }
    return {};
}

Result<std::vector<IpAddr>> Index::held_by(std::string_view owner) const
{
    const std::uint32_t tag = tag_of(owner);
    std::vector<IpAddr> held;
    for (std::uint32_t i = 0; i < shape_.buckets; ++i) {
        TORTIE_TRY(const Bucket bucket, read_bucket((tag + i) & (shape_.buckets - 1)));
        for (std::uint32_t e = 0; e < bucket.count; ++e) {
            const auto [entry_tag, where] = bucket.entries[e];
            if (entry_tag != tag)
                continue;
            if (where / kPageAddresses >= shape_.pages)
                return damaged("entry beyond the end");
            TORTIE_TRY(const Page page, read_page(where / kPageAddresses));
            if (page.base_bytes == 0)
                return damaged("entry of no page");
            held.push_back(page.address(where % kPageAddresses));
        }
        if (bucket.spilled == 0)
            break;
    }
    return held;
}

Result<std::optional<IpAddr>> Index::first_free(const IpAddr &from, const IpAddr &to) const
{
    IpAddr at = from;
    while (at <= to) {
        TORTIE_TRY(const PlacedPage found, page_of(at));
        const auto free = found.used ? found.page.first_free(offset_in_page(at)) : at;
        if (free)
            return *free <= to ? free : std::nullopt;
        const IpAddr last = at.last_in(width_bits(at.family()) - kPageBits);
        if (last >= to)
            break;
        at = last.next();
    }
    return std::nullopt;
}

// Into memory, without the pages that became empty: an IPv6 range is walked through and leaves
// them behind. The file stays as it is until save().
Result<> Index::reshape()
{
    std::uint32_t live_pages = 0;
    for (std::uint32_t slot = 0; slot < shape_.pages; ++slot) {
        TORTIE_TRY(const Page page, read_page(slot));
        live_pages += page.taken != 0 ? 1U : 0U;
    }
    if (live_pages > kMaxPages / 4)
        return damaged("more addresses than it can hold");
    Index fresh(Shape{.buckets = std::bit_ceil(std::max(4U, counts_.entries / (kFullBucket / 2))),
                      .pages = std::bit_ceil(std::max(4U, live_pages * 4))});
    TORTIE_TRY(const auto new_slots, copy_pages(fresh));
    TORTIE_DO(copy_entries(fresh, new_slots));
    *this = std::move(fresh);
    return {};
}

Result<std::vector<std::uint32_t>> Index::copy_pages(Index &into) const
{
    std::vector<std::uint32_t> new_slots(shape_.pages, kNoSlot);
    for (std::uint32_t slot = 0; slot < shape_.pages; ++slot) {
        TORTIE_TRY(const Page page, read_page(slot));
        if (page.taken == 0 || page.base_bytes == 0)
            continue;
        TORTIE_TRY(const PlacedPage place, into.page_of(page.address(0)));
        TORTIE_DO(into.blocks_.write(into.page_block(place.slot), page));
        new_slots[slot] = place.slot;
        ++into.counts_.pages;
    }
    return new_slots;
}

Result<> Index::copy_entries(Index &into, const std::vector<std::uint32_t> &new_slots) const
{
    for (std::uint32_t number = 0; number < shape_.buckets; ++number) {
        TORTIE_TRY(const Bucket bucket, read_bucket(number));
        for (std::uint32_t e = 0; e < bucket.count; ++e) {
            const auto [tag, where] = bucket.entries[e];
            const std::uint32_t slot = where / kPageAddresses;
            if (slot >= shape_.pages || new_slots[slot] == kNoSlot)
                return damaged("entry of no page");
            const std::uint32_t moved = new_slots[slot] * kPageAddresses + where % kPageAddresses;
            if (auto added = into.add_entry(tag, moved); !added)
                return added;
        }
    }
    return {};
}

}  // namespace tortie::host_local
