// SPDX-License-Identifier: Apache-2.0
#include "caps/type_names.h"

#include <linux/btf.h>

#include <cstring>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tortie::caps {
namespace {

using testing::ElementsAre;

template <class T>
void append(std::string &data, const T &value)
{
    data.append(reinterpret_cast<const char *>(&value), sizeof(value));
}

std::uint32_t info(std::uint32_t kind, std::uint32_t members)
{
    return kind << 24 | members;
}

// int, a structure of two members, a prototype of one, then a function of each name.
std::string block(std::uint32_t names_before, const std::vector<std::string> &functions)
{
    std::string types;
    append(types, btf_type{0, info(BTF_KIND_INT, 0), {4}});
    append(types, std::uint32_t{32});
    append(types, btf_type{0, info(BTF_KIND_STRUCT, 2), {8}});
    append(types, btf_member{});
    append(types, btf_member{});
    append(types, btf_type{0, info(BTF_KIND_FUNC_PROTO, 1), {0}});
    append(types, btf_param{});
    std::string names(names_before == 0 ? 1 : 0, '\0');
    for (const std::string &function : functions) {
        const auto offset = static_cast<std::uint32_t>(names_before + names.size());
        append(types, btf_type{offset, info(BTF_KIND_FUNC, 0), {3}});
        names.append(function).append(1, '\0');
    }
    btf_header header{};
    header.magic = 0xeB9F;
    header.version = 1;
    header.hdr_len = sizeof(header);
    header.type_len = static_cast<std::uint32_t>(types.size());
    header.str_off = header.type_len;
    header.str_len = static_cast<std::uint32_t>(names.size());
    std::string data;
    append(data, header);
    return data + types + names;
}

TEST(TypeNames, NumbersFunctionsAsTheKernelDoes)
{
    const std::string kernel = block(0, {"first", "second"});

    EXPECT_THAT(find_functions(kernel, {}, {"second", "third", "first"}), ElementsAre(5, 0, 4));
}

TEST(TypeNames, TakesNoNameForAnotherThatBeginsLikeIt)
{
    const std::string kernel = block(0, {"first_of_all", "firs"});

    EXPECT_THAT(find_functions(kernel, {}, {"first"}), ElementsAre(0));
}

TEST(TypeNames, GoesOnCountingInAModule)
{
    const auto kernel = count_types(block(0, {"first", "second"}));
    ASSERT_TRUE(kernel);
    EXPECT_EQ(kernel->types, 5U);

    const std::string module = block(kernel->name_bytes, {"third"});

    EXPECT_THAT(find_functions(module, *kernel, {"third", "first"}), ElementsAre(9, 0));
}

TEST(TypeNames, FindsNothingInWhatIsCutAnywhere)
{
    const std::string kernel = block(0, {"first"});

    for (std::size_t size = 0; size < kernel.size(); size++) {
        const std::string_view cut = std::string_view(kernel).substr(0, size);
        EXPECT_FALSE(count_types(cut)) << size;
        EXPECT_THAT(find_functions(cut, {}, {"first"}), ElementsAre(0)) << size;
    }
}

TEST(TypeNames, SurvivesAnyByteThatIsWrong)
{
    const std::string kernel = block(0, {"first"});

    for (std::size_t at = 0; at < kernel.size(); at++) {
        std::string wrong = kernel;
        wrong[at] = '\xff';
        EXPECT_EQ(find_functions(wrong, {}, {"first"}).size(), 1U);
    }
}

}  // namespace
}  // namespace tortie::caps
