// SPDX-License-Identifier: Apache-2.0
//
// loopback without its network namespace: all of its configuration is prevResult.
#include "cni/result_codec.h"
#include "fuzz/plugin_input.h"

namespace tortie::fuzz {
namespace {

cni::Answer plan(const cni::Request &request)
{
    TORTIE_TRY(const auto previous, cni::previous_result(request.config, request.cni_version));
    return cni::print_result(previous.value_or(cni::CniResult()), request.cni_version);
}

cni::Answer nothing(const cni::Request &)
{
    return std::string();
}

constexpr cni::Plugin kPlugin = {.name = "loopback",
                                 .add = plan,
                                 .del = nothing,
                                 .check = plan,
                                 .gc = nullptr,
                                 .status = nullptr};

}  // namespace
}  // namespace tortie::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    using namespace tortie::fuzz;
    dispatch(kPlugin, read_input(as_text(data, size)));
    return 0;
}
