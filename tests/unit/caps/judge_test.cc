// SPDX-License-Identifier: Apache-2.0
#include "caps/judge.h"

#include <cerrno>

#include <gtest/gtest.h>

namespace tortie::caps {
namespace {

bpf::Tried answered(int err, std::string log = {})
{
    bpf::Tried tried;
    tried.err = err;
    tried.log = std::move(log);
    return tried;
}

TEST(Judge, SaysYesWithTheCallAsEvidence)
{
    EXPECT_EQ(judge("bpf()", answered(0)), (Finding{Support::kYes, "bpf(): works"}));
}

TEST(Judge, SaysNoToWhatOnlyAKernelWithoutItAnswers)
{
    for (const int err : {EINVAL, E2BIG, ENOSYS})
        EXPECT_EQ(judge("bpf()", answered(err)).support, Support::kNo) << err;
    EXPECT_EQ(judge("bpf()", answered(EINVAL)).evidence, "bpf(): EINVAL");
}

TEST(Judge, NeverTakesARefusalForANo)
{
    EXPECT_EQ(judge("bpf()", answered(EPERM)).support, Support::kUnknown);
    EXPECT_EQ(judge("bpf()", answered(EPERM, "a line of the verifier")).support, Support::kUnknown);
    EXPECT_EQ(judge("bpf()", answered(EACCES)).support, Support::kUnknown);
    EXPECT_EQ(judge("open()", EPERM, {EPERM, ENOENT}).support, Support::kUnknown);
    EXPECT_EQ(judge("nft", Result<>(fail_errno(EPERM, "commit")), {ErrorKind::kSystem}).support,
              Support::kUnknown);
}

TEST(Judge, SaysThatItCouldNotTellWhateverElseHappens)
{
    for (const int err : {ENOMEM, EAGAIN, EMFILE, EIO})
        EXPECT_EQ(judge("bpf()", answered(err)).support, Support::kUnknown) << err;
}

TEST(Judge, BelievesTheVerifiersWords)
{
    EXPECT_EQ(judge("load", answered(EACCES, "calling kernel function x is not allowed")),
              (Finding{Support::kNo, "load: EACCES, calling kernel function x is not allowed"}));
}

TEST(Judge, TakesOurOwnLayersWordForIt)
{
    const Result<> unsupported = fail(ErrorKind::kUnsupported, "the kernel has no nf_tables");
    const Result<> not_found = fail_errno(ENOENT, "nf_tables: add rule");

    EXPECT_EQ(judge("nft", unsupported),
              (Finding{Support::kNo, "nft: the kernel has no nf_tables"}));
    EXPECT_EQ(judge("nft", not_found).support, Support::kUnknown);
    EXPECT_EQ(judge("nft", not_found, {ErrorKind::kNotFound}).support, Support::kNo);
    EXPECT_EQ(judge("nft", Result<>()).support, Support::kYes);
}

}  // namespace
}  // namespace tortie::caps
