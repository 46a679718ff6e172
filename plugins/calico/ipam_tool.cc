// SPDX-License-Identifier: Apache-2.0
#include "calico/ipam_tool.h"

#include <unistd.h>

#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/process.h"
#include "calico/call.h"
#include "calico/datastore.h"
#include "calico/host_local_migration.h"
#include "calico/ipam_repair.h"
#include "calico/ipam_report.h"
#include "calico/manifest.h"
#include "calico/node_files.h"
#include "cni/json.h"
#include "kube/yaml.h"

namespace tortie::calico_cni {
namespace {

constexpr const char *kInstalledList = "/etc/cni/net.d/10-calico.conflist";
constexpr std::size_t kMaxConfBytes = std::size_t{1} << 20;
constexpr std::array<std::string_view, 5> kTools = {"apply", "show", "check", "repair", "upgrade"};

// What stdout and the exit status say.
struct Said {
    std::string text;
    int status = 0;
};

// Of a list, the plugin that has Calico's keys.
Result<cni::Json> calico_conf(const cni::Json &file)
{
    if (!file.at("plugins").is_array())
        return file;
    TORTIE_TRY(const auto plugins, file.elements("plugins"));
    for (const cni::Json &plugin : plugins) {
        TORTIE_TRY(const std::string type, plugin.string("type"));
        TORTIE_TRY(const std::string ipam, plugin.at("ipam").string("type"));
        if (type == "calico" || ipam == "calico-ipam")
            return plugin;
    }
    return fail(ErrorKind::kInvalidInput, "no plugin of it is Calico's");
}

Result<NetConf> read_conf(const std::string &path)
{
    TORTIE_TRY(const std::string text, read_file(path, kMaxConfBytes));
    const auto parse = [&]() -> Result<NetConf> {
        TORTIE_TRY(const cni::Json file, cni::Json::parse_object(text));
        TORTIE_TRY(const cni::Json conf, calico_conf(file));
        return parse_netconf(conf);
    };
    auto conf = parse();
    if (!conf)
        return fail(std::move(conf).error().within(path));
    return conf;
}

// The file that is named, else what the environment says, else what is installed on this node.
Result<NetConf> conf_for(const Flags &flags)
{
    if (flags.has("conf"))
        return read_conf(flags.value("conf"));
    const bool said = !environment_variable("DATASTORE_TYPE").empty() ||
                      !environment_variable("CALICO_DATASTORE_TYPE").empty();
    if (!said && ::access(kInstalledList, R_OK) == 0)
        return read_conf(kInstalledList);
    return NetConf();
}

struct Place {
    Datastore datastore;
    Deadline deadline;

    store::Store &store() const { return *datastore.store; }
};

Result<Place> open_place(const Flags &flags)
{
    TORTIE_TRY(const NetConf conf, conf_for(flags));
    const std::string node = calico::node_name({.nodename = conf.nodename,
                                                .nodename_file = conf.nodename_file,
                                                .hostname = conf.hostname});
    TORTIE_TRY(Datastore datastore, open_datastore(conf, node));
    return Place{.datastore = std::move(datastore),
                 .deadline = Deadline::in(conf.datastore_timeout)};
}

Result<Said> apply_file(const Place &place, const std::string &path)
{
    auto text = path == "-" ? read_to_end(0, kube::kMaxYamlBytes, "stdin")
                            : read_file(path, kube::kMaxYamlBytes);
    if (!text)
        return fail(std::move(text).error());
    TORTIE_TRY(auto resources, calico::read_manifest(*text));
    TORTIE_TRY(const auto applied,
               calico::apply(place.store(), std::move(resources), place.deadline));
    Said said;
    for (const calico::Applied &each : applied) {
        said.text += each.resource + ' ' + each.outcome + '\n';
        for (const std::string &change : each.changes)
            said.text += "  " + change + '\n';
    }
    return said;
}

Result<Said> show(const Place &place, bool json)
{
    TORTIE_TRY(auto report, calico::ipam_report(place.store(), place.deadline));
    report.waiting_releases = calico::ReleaseQueue(place.datastore.site.queue_folder).list().size();
    return Said{.text = json ? calico::report_json(report) : calico::report_text(report),
                .status = 0};
}

std::string line_of(const ipam::Finding &finding)
{
    return std::string(ipam::name_of(finding.problem)) + ' ' + finding.object + ": " +
           finding.detail;
}

// With `repair`, what can be mended is.
Result<Said> check(const Place &place, const Flags &flags, bool repair)
{
    const calico::CheckOptions options{.by_endpoints = !flags.has("no-endpoints")};
    TORTIE_TRY(const auto findings, calico::check_store(place.store(), options, place.deadline));
    Said said;
    std::size_t left = 0;
    for (const ipam::Finding &finding : findings) {
        std::string outcome = calico::can_mend(finding) ? "can be repaired" : "needs a person";
        bool mended = false;
        if (repair && calico::can_mend(finding)) {
            const auto done =
                calico::mend(place.store(), place.datastore.site, finding, place.deadline);
            mended = done.has_value();
            outcome = mended ? "repaired" : "not repaired: " + done.error().what();
        }
        left += mended ? 0U : 1U;
        said.text += line_of(finding) + " (" + outcome + ")\n";
    }
    said.status = left == 0 ? 0 : 1;
    if (findings.empty())
        said.text = "no findings\n";
    return said;
}

Result<Said> upgrade(const Flags &flags)
{
    const std::string node = environment_variable("KUBERNETES_NODE_NAME");
    if (node.empty())
        return fail(ErrorKind::kInvalidInput,
                    "KUBERNETES_NODE_NAME not specified, refusing to migrate...");
    TORTIE_TRY(NetConf conf, conf_for(flags));
    conf.datastore_environment.emplace_back("DATASTORE_TYPE", "kubernetes");
    TORTIE_TRY(const Datastore datastore, open_datastore(conf, node));
    TORTIE_TRY(const std::size_t moved,
               calico::migrate_host_local(*datastore.store, datastore.site,
                                          calico::HostLocalPlace(), conf.datastore_timeout));
    return Said{.text = std::to_string(moved) + " address(es) moved to calico-ipam\n", .status = 0};
}

Result<Said> run(const Flags &flags)
{
    if (flags.has("upgrade"))
        return upgrade(flags);
    TORTIE_TRY(const Place place, open_place(flags));
    if (flags.has("apply"))
        return apply_file(place, flags.value("apply"));
    if (flags.has("show"))
        return show(place, flags.has("json"));
    return check(place, flags, flags.has("repair"));
}

}  // namespace

bool asks_for_tool(const Flags &flags)
{
    for (const std::string_view tool : kTools) {
        if (flags.has(tool))
            return true;
    }
    return flags.has("json") || flags.has("conf") || flags.has("no-endpoints");
}

int run_tool(const Flags &flags)
{
    std::size_t tools = 0;
    for (const std::string_view tool : kTools)
        tools += flags.has(tool) ? 1U : 0U;
    if (tools != 1) {
        (void)write_all(2, "calico-ipam: one of -apply, -show, -check, -repair, -upgrade\n",
                        "stderr");
        return 2;
    }
    auto hardened = harden_process();
    const auto said = hardened ? run(flags) : Result<Said>(fail(std::move(hardened).error()));
    if (!said) {
        (void)write_all(2, "calico-ipam: " + said.error().what() + '\n', "stderr");
        return 1;
    }
    return write_all(1, said->text, "stdout") ? said->status : 1;
}

}  // namespace tortie::calico_cni
