// SPDX-License-Identifier: Apache-2.0
//
// tuning up to where it would enter the namespace: configuration, allow-list and backup. When the
// environment names them, ALLOWLIST and BACKUP are the content of these files (with ';' for a new
// line, as the input has one line a variable).
#include <algorithm>

#include "cni/result_codec.h"
#include "fuzz/plugin_input.h"
#include "tuning/allowlist.h"
#include "tuning/backup.h"
#include "tuning/config.h"

namespace tortie::fuzz {
namespace {

std::string allowlist_text;  // of the input at hand; a handler gets nothing but the request

cni::Answer plan(const cni::Request &request)
{
    TORTIE_TRY(const tuning::Config config, tuning::parse_config(request.config, request.args));
    TORTIE_TRY(const tuning::Settings wanted, tuning::wanted_settings(config, request.ifname));
    const tuning::Allowlist allowlist = tuning::Allowlist::parse(allowlist_text);
    for (const auto &[key, value] : config.sysctls)
        TORTIE_DO(allowlist.check(key));
    for (const auto &[name, value] : wanted.sysctls) {
        require(!name.starts_with('/'), "a sysctl's name is relative");
        require(name.find("..") == std::string::npos || name.find("/../") == std::string::npos,
                "a sysctl's name does not climb");
    }
    TORTIE_TRY(const auto previous, cni::previous_result(request.config, request.cni_version));
    return cni::print_result(previous.value_or(cni::CniResult()), request.cni_version);
}

cni::Answer restore(const cni::Request &request)
{
    require(!tuning::data_dir_of(request.config).empty(), "there is always a directory");
    return std::string();
}

void read_backup(const std::string &text)
{
    const auto backup = tuning::parse_backup(text);
    if (!backup)
        return;
    const auto again = tuning::parse_backup(tuning::print_backup(*backup));
    require(again && *again == *backup, "a backup that is printed reads the same");
}

constexpr cni::Plugin kPlugin = {
    .name = "tuning", .add = plan, .del = restore, .check = plan, .gc = restore, .status = nullptr};

std::string file_of(const PluginInput &input, std::string_view variable)
{
    const auto it = input.env.find(variable);
    std::string text = it == input.env.end() ? "" : it->second;
    std::replace(text.begin(), text.end(), ';', '\n');
    return text;
}

}  // namespace
}  // namespace tortie::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
    using namespace tortie::fuzz;
    const PluginInput input = read_input(as_text(data, size));
    allowlist_text = file_of(input, "ALLOWLIST");
    read_backup(file_of(input, "BACKUP"));
    dispatch(kPlugin, input);
    return 0;
}
