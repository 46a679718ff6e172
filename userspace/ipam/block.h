// SPDX-License-Identifier: Apache-2.0
//
// Arithmetic on one block in memory: nothing here reads or writes a store. Every change of a block
// that is written counts its sequence number up once (count_write), an address remembers the
// number that was read.
//
// Documents are written by others too: a record may be missing, an ordinal may be listed as free
// though it is held. Such addresses are never handed out and never freed here.
// Source: spec calico-ipam-datastore.md 2.2 to 2.4, calico-v3.32.1.md 7 and 10.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ipam/reservations.h"
#include "store/documents.h"

namespace tortie::ipam {

using Ordinals = std::vector<std::uint32_t>;

// Reserved for Windows nodes; a block that holds only these is empty.
inline constexpr std::string_view kWindowsHandle = "windows-reserved-ipam-handle";

// Old releases wrote "...\r\neth0": what stands before the first '\r' counts.
std::string_view bare_handle(std::string_view handle_id);

// "host:node-a".
std::string affinity_text(std::string_view host);

// Everything free, in order; the number is the time in nanoseconds, so that a block that is
// deleted and made again never repeats one.
store::Block fresh_block(const Cidr &cidr, std::string_view host);

bool is_empty(const store::Block &block);
bool has_cooling(const store::Block &block);
std::uint32_t free_count(const store::Block &block, const Reservations &reservations);

// The record of an ordinal; nullptr: free, or held by nobody known.
const store::Attribute *record_of(const store::Block &block, std::uint32_t ordinal);
bool is_held(const store::Block &block, std::uint32_t ordinal);

// Ascending.
Ordinals held_by(const store::Block &block, std::string_view handle);

struct Owner {
    std::string handle;
    store::StringMap attributes;
};

// Up to `n` addresses from the head of the free ones; reserved ones stay where they are.
Ordinals take(store::Block &block, std::size_t n, const Owner &owner,
              const Reservations &reservations);

// False when the ordinal is not free.
bool take_one(store::Block &block, std::uint32_t ordinal, const Owner &owner);

// What becomes of released addresses: 0 frees them at once, more lets them cool down.
struct Cooldown {
    std::int64_t seconds = 0;
    std::int64_t now_unix_s = 0;
};

// All addresses of a handle; those released, ascending.
Ordinals release_handle(store::Block &block, std::string_view handle, const Cooldown &cooldown);

struct OrdinalRelease {
    std::uint32_t ordinal = 0;
    std::string handle;                    // empty: whoever has it
    std::optional<std::int64_t> sequence;  // nullopt: any
};

struct OrdinalsReleased {
    Ordinals released;
    Ordinals unallocated;                         // free already, or cooling
    std::map<std::string, std::int64_t> handles;  // bare handle -> addresses released
};

// All or nothing but for those that are free already. An ordinal named twice is released once.
// Errors: kConflict a sequence number differs, kInvalidInput a handle differs.
Result<OrdinalsReleased> release_ordinals(store::Block &block,
                                          const std::vector<OrdinalRelease> &releases,
                                          const Cooldown &cooldown);

// To be called on a block that is about to be written: frees what has cooled down, drops records
// that nothing refers to and sequence entries of free ordinals, and gives held ordinals without a
// record an empty one, so that none added later is taken for theirs.
void tidy(store::Block &block, const Cooldown &cooldown);

void count_write(store::Block &block);

// What is wrong with a block, in words; empty for a sound one. Sequence entries of free ordinals
// and unused records are what v3.32.1 leaves, and sound.
std::vector<std::string> faults_of(const store::Block &block);

}  // namespace tortie::ipam
