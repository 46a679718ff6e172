// SPDX-License-Identifier: Apache-2.0
#include "host-local/block_file.h"

#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "base/file.h"

namespace tortie::host_local {
namespace {

constexpr std::size_t kChecksumWord = kBlockBytes / sizeof(std::uint64_t) - 1;

// Against accidents, not against root. The number is part of it: a block in another's place is
// as wrong as a flipped bit.
std::uint64_t checksum(const Block &block, std::uint32_t number)
{
    std::uint64_t sum = 0x9e3779b97f4a7c15U ^ number;
    for (std::size_t i = 0; i < kChecksumWord; ++i)
        sum = (std::rotl(sum, 23) ^ block.words[i]) * 0xbf58476d1ce4e5b9U;
    return sum ^ (sum >> 31);
}

off_t offset_of(std::uint32_t number)
{
    return static_cast<off_t>(number) * static_cast<off_t>(kBlockBytes);
}

tl::unexpected<Error> damaged(std::uint32_t number)
{
    return fail(ErrorKind::kInvalidInput, "block " + std::to_string(number) + " is damaged");
}

}  // namespace

Result<Block> BlockFile::read_block(std::uint32_t number) const
{
    if (in_memory()) {
        if (number >= memory_.size())
            return damaged(number);
        return memory_[number];
    }
    Block block{};
    const ssize_t got = ::pread(file_.get(), &block, sizeof(block), offset_of(number));
    if (got < 0)
        return fail_errno(errno, "read index");
    if (got != static_cast<ssize_t>(sizeof(block)) ||
        block.words[kChecksumWord] != checksum(block, number))
        return damaged(number);
    return block;
}

Result<> BlockFile::write_block(std::uint32_t number, Block block)
{
    if (in_memory()) {
        if (number >= memory_.size())
            return damaged(number);
        memory_[number] = block;
        return {};
    }
    block.words[kChecksumWord] = checksum(block, number);
    const ssize_t put = ::pwrite(file_.get(), &block, sizeof(block), offset_of(number));
    if (put < 0)
        return fail_errno(errno, "write index");
    if (put != static_cast<ssize_t>(sizeof(block)))
        return damaged(number);
    return {};
}

Result<> BlockFile::copy_to(int fd)
{
    for (std::uint32_t number = 0; number < memory_.size(); ++number)
        memory_[number].words[kChecksumWord] = checksum(memory_[number], number);
    const auto *bytes = reinterpret_cast<const char *>(memory_.data());
    return write_all(fd, std::string_view(bytes, memory_.size() * kBlockBytes), "index");
}

}  // namespace tortie::host_local
