// SPDX-License-Identifier: Apache-2.0
//
// host-local on a directory that somebody else has filled. The input is a list of files, each
//
//   =<name>                a name in the network's directory, or "index" for the index
//   <content>              up to the next line that begins with '='
//
// Whatever they say: what is reserved was free and is ours, and after release_all() nothing is.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "base/file.h"
#include "fuzz/plugin_input.h"
#include "harness/temp_dir.h"
#include "host-local/allocate.h"

namespace tortie::fuzz {
namespace {

using host_local::Attachment;
using host_local::RangeSet;
using host_local::Reservations;
using host_local::Store;

constexpr std::size_t kMaxFiles = 64;

void write_file(const std::string &path, std::string_view content)
{
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (fd.valid())
        (void)write_all(fd.get(), content, path);
}

void fill(const std::string &data_dir, std::string_view text)
{
    (void)make_directories(data_dir + "/net", 0755);
    (void)make_directories(data_dir + "/.tortie", 0700);
    for (std::size_t count = 0; text.starts_with('=') && count < kMaxFiles; ++count) {
        const std::size_t end = std::min(text.find("\n="), text.size());
        const std::string_view file = text.substr(1, end - 1);
        text.remove_prefix(std::min(end + 1, text.size()));
        const std::string name(file.substr(0, file.find('\n')));
        const std::string_view content = file.substr(std::min(name.size() + 1, file.size()));
        if (name == "index")
            write_file(data_dir + "/.tortie/net.index", content);
        else if (name.find('/') == std::string::npos && name.find('\0') == std::string::npos)
            write_file(data_dir + "/net/" + name, content);
    }
}

std::optional<Reservations> load(const std::string &data_dir)
{
    auto store = Store::create(data_dir, "net");
    if (!store)
        return std::nullopt;  // "lock" is a directory
    auto loaded = Reservations::load(*std::move(store), data_dir, "net");
    return loaded ? std::optional(*std::move(loaded)) : std::nullopt;
}

void allocate_and_release(const std::string &data_dir, const RangeSet &set)
{
    const Attachment ours{.container_id = "ours", .ifname = "eth0"};
    std::optional<IpAddr> got;
    {
        auto reservations = load(data_dir);
        if (!reservations)
            return;
        if (const auto ip = host_local::allocate_next(*reservations, set, 0, ours)) {
            got = *ip;
            require(set.range_of(*ip) != nullptr, "an address lies in its range set");
            require(set.range_of(*ip)->gateway != *ip, "the gateway is not handed out");
        }
        reservations->save_index();
    }
    auto reservations = load(data_dir);  // a process of its own
    require(reservations.has_value(), "what could be loaded can be loaded again");
    const auto held = reservations->held_by(ours);
    require(held.has_value(), "one can ask what an attachment holds");
    if (got)
        require(std::find(held->begin(), held->end(), *got) != held->end(), "a reservation lasts");
    require(reservations->release_all(ours).has_value(), "what is ours can be released");
    const auto left = reservations->held_by(ours);
    require(left && (left->empty() || left->size() < held->size()), "what is released is gone");
    (void)reservations->collect([](std::string_view owner) { return owner.starts_with('a'); });
    reservations->save_index();
}

}  // namespace
}  // namespace tortie::fuzz

// Files in memory: on a disk most of the time would go into making and removing directories.
extern "C" int LLVMFuzzerInitialize(int *, char ***)
{
    if (std::filesystem::is_directory("/dev/shm"))
        ::setenv("TMPDIR", "/dev/shm", 1);  // NOLINT(concurrency-mt-unsafe): one thread yet
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    using namespace tortie;
    const test::TempDir dir;
    fuzz::fill(dir.path(), fuzz::as_text(data, size));
    host_local::RangeConfig config;
    config.subnet = Cidr::parse("10.1.2.0/28");
    const auto set = host_local::RangeSet::from({config});
    fuzz::require(set.has_value(), "the range set is right");
    fuzz::allocate_and_release(dir.path(), *set);
    return 0;
}
