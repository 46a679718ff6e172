// SPDX-License-Identifier: Apache-2.0
//
// Results of every version, read and written: the text behind the first line is a result in the
// version that the first line names.
#include "cni/json.h"
#include "cni/result_codec.h"
#include "cni/version.h"
#include "fuzz/plugin_input.h"

namespace tortie::fuzz {
namespace {

// What is printed in a version reads again in that version, and prints the same.
void check_round_trip(const cni::CniResult &result, std::string_view version)
{
    const auto printed = cni::print_result(result, version);
    if (!printed)
        return;  // 0.1.0 has no place for a result without addresses
    const auto object = cni::Json::parse_object(*printed);
    require(object.has_value(), "a printed result is JSON");
    const auto again = cni::parse_result(*object, version);
    require(again.has_value(), "a printed result can be read");
    const auto printed_again = cni::print_result(*again, version);
    require(printed_again && *printed_again == *printed, "a result survives a round trip");
}

}  // namespace
}  // namespace tortie::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    using namespace tortie;
    std::string_view text = fuzz::as_text(data, size);
    const std::string_view version = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(version.size() + 1, text.size()));
    const auto object = cni::Json::parse_object(text);
    if (!object || !cni::result_family(version))
        return 0;
    const auto result = cni::parse_result(*object, version);
    if (!result)
        return 0;
    for (const std::string_view each : cni::supported_versions())
        fuzz::check_round_trip(*result, each);
    return 0;
}
