// SPDX-License-Identifier: Apache-2.0
//
// The object file itself: what the kernel will call its parts, and that its types are C++'s.
#include <cstdio>
#include <string>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "prog/portmap_object.h"

namespace tortie::test {
namespace {

constexpr std::size_t kKernelNameBytes = 15;
constexpr std::uint64_t kMostLockedBytes = std::uint64_t{48} * 1000 * 1000;

class PortmapLayout : public ::testing::Test {
protected:
    void SetUp() override { ASSERT_TRUE(skeleton_); }
    void TearDown() override { tt_portmap::destroy(skeleton_); }

    // Bytes of a struct as the object describes it; 0 when it does not.
    std::size_t size_of(const char *name) const
    {
        const btf *types = bpf_object__btf(skeleton_->obj);
        const int id = btf__find_by_name_kind(types, name, BTF_KIND_STRUCT);
        return id < 0 ? 0 : btf__type_by_id(types, static_cast<std::uint32_t>(id))->size;
    }

    tt_portmap *skeleton_ = tt_portmap::open();
};

TEST_F(PortmapLayout, NamesFitIntoTheKernelsAndAreOurs)
{
    bpf_program *program = nullptr;
    bpf_object__for_each_program(program, skeleton_->obj)
    {
        const std::string name = bpf_program__name(program);
        EXPECT_LE(name.size(), kKernelNameBytes) << name;
        EXPECT_TRUE(name.starts_with("tt_pm_")) << name;
    }
    bpf_map *map = nullptr;
    bpf_object__for_each_map(map, skeleton_->obj)
    {
        const std::string name = bpf_map__name(map);
        EXPECT_LE(name.size(), kKernelNameBytes) << name;
        EXPECT_TRUE(name.starts_with("tt_")) << name;
    }
}

TEST_F(PortmapLayout, TypesAreTheSameOnBothSides)
{
#define TORTIE_EXPECT_SAME(type) EXPECT_EQ(size_of(#type), sizeof(type)) << #type
    TORTIE_EXPECT_SAME(pm_hostport_key);
    TORTIE_EXPECT_SAME(pm_hostport);
    TORTIE_EXPECT_SAME(pm_podport_key);
    TORTIE_EXPECT_SAME(pm_podport);
    TORTIE_EXPECT_SAME(pm_pod_key);
    TORTIE_EXPECT_SAME(pm_pod);
    TORTIE_EXPECT_SAME(pm_uplink);
    TORTIE_EXPECT_SAME(pm_tuple4);
    TORTIE_EXPECT_SAME(pm_tuple6);
    TORTIE_EXPECT_SAME(pm_flow4);
    TORTIE_EXPECT_SAME(pm_flow6);
    TORTIE_EXPECT_SAME(pm_local_key);
    TORTIE_EXPECT_SAME(pm_local);
    TORTIE_EXPECT_SAME(pm_state);
#undef TORTIE_EXPECT_SAME
}

// Userspace maps the memory of .bss as a pm_state.
TEST_F(PortmapLayout, StateIsAllThereIsOfBss)
{
    EXPECT_EQ(bpf_map__value_size(skeleton_->maps.bss), sizeof(pm_state));
}

// On a kernel before 5.11 that is what RLIMIT_MEMLOCK has to allow.
TEST_F(PortmapLayout, LocksNoMoreThanANodeIsPromised)
{
    TORTIE_NEEDS_ROOT();
    ASSERT_EQ(tt_portmap::load(skeleton_), 0);

    std::uint64_t locked = 0;
    bpf_map *map = nullptr;
    bpf_object__for_each_map(map, skeleton_->obj)
    {
        const std::string path = "/proc/self/fdinfo/" + std::to_string(bpf_map__fd(map));
        const auto text = read_file(path, 4096);
        ASSERT_TRUE(text) << path;
        const std::size_t at = text->find("memlock:");
        ASSERT_NE(at, std::string::npos);
        unsigned long long bytes = 0;
        ASSERT_EQ(std::sscanf(text->c_str() + at, "memlock: %llu", &bytes), 1);
        locked += bytes;
    }

    EXPECT_LE(locked, kMostLockedBytes);
    EXPECT_GE(locked, kMostLockedBytes / 2);
}

}  // namespace
}  // namespace tortie::test
