// SPDX-License-Identifier: Apache-2.0
//
// Numbered blocks of 512 bytes, each with a checksum, in memory or in a file. A reader touches
// only the blocks it needs, however large the file is.
//
// Read and written, not mapped: with a mapping, a file that is cut short or a disk that is full
// is a SIGBUS; here it is an error.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace tortie::host_local {

constexpr std::size_t kBlockBytes = 512;

// The last word is the checksum, which BlockFile fills in and compares.
struct Block {
    std::uint64_t words[kBlockBytes / sizeof(std::uint64_t)];
};

template <class T>
concept BlockType = sizeof(T) == kBlockBytes &&std::is_trivially_copyable_v<T>;

class BlockFile {
public:
    // In memory, all zero.
    explicit BlockFile(std::uint32_t count) : memory_(count) {}

    // In a file that was opened for reading and writing.
    explicit BlockFile(UniqueFd file) : file_(std::move(file)) {}

    bool in_memory() const { return !file_.valid(); }

    // T is a struct of 512 bytes whose last eight are the checksum's.
    // Errors: kInvalidInput for a block that is not there or damaged, kSystem.
    template <BlockType T>
    Result<T> read(std::uint32_t number) const
    {
        TORTIE_TRY(const Block block, read_block(number));
        return std::bit_cast<T>(block);
    }

    // Errors: kInvalidInput in memory for a number beyond the end, kSystem (a full disk).
    template <BlockType T>
    Result<> write(std::uint32_t number, const T &value)
    {
        return write_block(number, std::bit_cast<Block>(value));
    }

    // Writes all blocks of memory to `fd`, which is new and empty.
    Result<> copy_to(int fd);

private:
    Result<Block> read_block(std::uint32_t number) const;
    Result<> write_block(std::uint32_t number, Block block);

    std::vector<Block> memory_;
    UniqueFd file_;
};

}  // namespace tortie::host_local
