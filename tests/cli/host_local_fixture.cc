// SPDX-License-Identifier: Apache-2.0
#include "cli/host_local_fixture.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cni/json.h"

namespace tortie {

using test::PluginOutcome;

std::string HostLocal::conf(std::string text) const
{
    std::replace(text.begin(), text.end(), '\'', '"');
    for (std::size_t at = text.find("$D"); at != std::string::npos; at = text.find("$D"))
        text.replace(at, 2, temp_.path());
    return text;
}

PluginOutcome HostLocal::run_program(const std::string &binary, const std::string &command,
                                     const std::string &id, const std::string &config,
                                     const std::string &ifname, const std::string &args) const
{
    test::PluginCall call{.binary = binary,
                          .env = test::cni_env(command, id, ifname),
                          .input = conf(config),
                          .arguments = {}};
    if (!args.empty())
        call.env["CNI_ARGS"] = args;
    return run_plugin(call);
}

std::string HostLocal::content(const std::string &file, const std::string &network) const
{
    std::ifstream in(path(file, network), std::ios::binary);
    std::ostringstream all;
    all << in.rdbuf();
    return all.str();
}

void HostLocal::write(const std::string &file, std::string_view text) const
{
    std::filesystem::create_directories(temp_ / "net");
    std::ofstream(path(file), std::ios::binary) << text;
}

mode_t HostLocal::mode(const std::string &file) const
{
    struct stat st {};
    EXPECT_EQ(::stat(path(file).c_str(), &st), 0) << file;
    return st.st_mode & 07777;
}

std::vector<std::string> HostLocal::reserved(const std::string &network) const
{
    std::vector<std::string> names;
    if (!std::filesystem::exists(temp_ / network))
        return names;
    for (const auto &entry : std::filesystem::directory_iterator(temp_ / network)) {
        const std::string name = entry.path().filename();
        if (name != "lock" && !name.starts_with("last_reserved_ip."))
            names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::string error_of(const PluginOutcome &outcome, int code)
{
    EXPECT_EQ(outcome.status, 1) << outcome.out << outcome.err;
    const auto error = cni::Json::parse_object(outcome.out);
    if (!error)
        return "no error object: " + outcome.out;
    EXPECT_EQ(error->integer("code", -1).value(), code);
    return error->string("msg").value();
}

std::vector<std::string> addresses(const PluginOutcome &outcome)
{
    EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.err;
    const auto result = cni::Json::parse_object(outcome.out);
    if (!result)
        return {"no result: " + outcome.out};
    std::vector<std::string> found;
    for (const char *family : {"ip4", "ip6"}) {
        if (result->at(family).present())
            found.push_back(result->at(family).string("ip").value());
    }
    const auto ips = result->elements("ips").value();
    for (const cni::Json &ip : ips)
        found.push_back(ip.string("address").value());
    return found;
}

}  // namespace tortie
