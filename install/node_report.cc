// SPDX-License-Identifier: Apache-2.0
#include "install/node_report.h"

#include <linux/netlink.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <optional>
#include <utility>

#include "base/base64.h"
#include "base/deadline.h"
#include "base/file.h"
#include "base/strings.h"
#include "cni/json.h"
#include "datapath/ebpf_node.h"
#include "datapath/handover.h"
#include "datapath/uplinks.h"
#include "install/conflist.h"
#include "install/conflist_edit.h"
#include "install/datapath_choice.h"
#include "install/folder.h"
#include "install/kubeconfig_text.h"
#include "install/node_paths.h"
#include "install/record.h"
#include "kube/client.h"
#include "kube/json_kubeconfig.h"

namespace tortie::installer {
namespace {

constexpr std::size_t kMostBytes = 256UL * 1024 * 1024;
constexpr std::size_t kMostConfBytes = 1024UL * 1024;
constexpr std::chrono::milliseconds kServerPatience{5'000};
constexpr std::int64_t kSoonSeconds = 600;

class Reporter {
public:
    Reporter(const NodePaths &paths, const Folder &folder, const kube::GetEnv &get_env)
        : paths_(paths), folder_(folder), get_env_(get_env)
    {
    }

    NodeReport take();

private:
    void good(const char *about, std::string text) { add(about, std::move(text), ""); }
    void add(const char *about, std::string text, std::string cure)
    {
        report_.lines.push_back({about, std::move(text), std::move(cure)});
    }
    void count(const char *name, const char *help, std::int64_t value)
    {
        report_.metrics.push_back({name, help, std::to_string(value)});
    }

    void look_at_files();
    void look_at_configuration();
    bool has_plugin(const std::string &type) const;
    void look_at_credentials();
    void look_at_server();
    void look_at_programs();
    void look_at_uplinks(EbpfNode &node);
    void look_at_host_ports();

    const NodePaths &paths_;
    const Folder &folder_;
    const kube::GetEnv &get_env_;
    NodeReport report_;
};

void Reporter::look_at_files()
{
    const Record record = Record::load(folder_);
    std::vector<std::string> changed;
    std::vector<std::string> missing;
    for (const auto &[name, hashes] : record.files()) {
        const std::string path = path_of_record(paths_, name);
        if (path.empty())
            continue;
        const auto content = read_file(path, kMostBytes);
        if (!content)
            missing.push_back(path);
        else if (hashes.count(sha256_hex(*content)) == 0)
            changed.push_back(path);
    }
    const std::size_t all = record.files().size();
    count("files", "Files that the installer wrote.", static_cast<std::int64_t>(all));
    count("files_missing", "Of those: not there.", static_cast<std::int64_t>(missing.size()));
    count("files_changed", "Of those: changed by others.",
          static_cast<std::int64_t>(changed.size()));
    if (all == 0)
        add("files", "nothing is recorded as installed", "run the container install-cni");
    if (!missing.empty())
        add("files", "missing: " + join(missing, " "), "run the container install-cni again");
    if (!changed.empty())
        add("files", "changed by somebody else: " + join(changed, " "),
            "if that was not meant, run the container install-cni again");
    if (all > 0 && missing.empty() && changed.empty())
        good("files", std::to_string(all) + " as they were installed");
}

bool Reporter::has_plugin(const std::string &type) const
{
    return std::any_of(paths_.binaries.begin(), paths_.binaries.end(),
                       [&](const NodePaths::Binaries &binaries) {
                           const auto folder = Folder::open(binaries.path);
                           return folder && folder->read(type, kMostBytes);
                       });
}

// Container runtimes take the first of these names.
std::string first_configuration(const Folder &folder)
{
    const auto names = folder.names();
    if (!names)
        return "";
    const auto found = std::find_if(names->begin(), names->end(), [](const std::string &name) {
        return name.ends_with(".conflist") || name.ends_with(".conf") || name.ends_with(".json");
    });
    return found == names->end() ? "" : *found;
}

void Reporter::look_at_configuration()
{
    const std::string name = first_configuration(folder_);
    const auto text = name.empty() ? Result<std::string>("") : folder_.read(name, kMostConfBytes);
    const bool has_calico =
        text && text->find("\"calico\"") != std::string::npos && !plugin_types(*text).empty();
    if (name.empty() || !text)
        return add("network", "there is no CNI configuration in " + folder_.path(),
                   "run the container install-cni");
    if (!has_calico)
        return add("network",
                   "the runtime uses " + folder_.path_of(name) + ", which is not Calico's",
                   "remove it, or give CNI_CONF_NAME a name that sorts before it");
    std::vector<std::string> missing;
    for (const std::string &type : plugin_types(*text)) {
        if (!is_file_name(type) || !has_plugin(type))
            missing.push_back(type);
    }
    if (!missing.empty())
        return add("network", name + " names plugins that are not there: " + join(missing, " "),
                   "install them, or take them out of the configuration");
    const std::string key = datapath_in(*text);
    good("network", name + ", datapath " + (key.empty() ? "auto" : key));
}

std::optional<std::string> token_of(const Folder &folder)
{
    const auto text = folder.read(kKubeconfigName, kMostConfBytes);
    const auto config = text ? kube::parse_kubeconfig(*text) : Result<kube::Kubeconfig>();
    if (!text || !config || config->users.empty())
        return std::nullopt;
    return config->users.begin()->second.token;
}

void Reporter::look_at_credentials()
{
    const auto token = token_of(folder_);
    if (!token)
        return add("credentials", "no kubeconfig in " + folder_.path(),
                   "none is needed with etcd; else run the container install-cni");
    const std::int64_t end = token_end(*token);
    count("token_end_seconds", "When the plugins' token ends, seconds since 1970; 0: not known.",
          end);
    const std::int64_t left = end - static_cast<std::int64_t>(::time(nullptr));
    if (end == 0)
        good("credentials", "the token does not say when it ends");
    else if (left <= 0)
        add("credentials", "the token ended " + std::to_string(-left / 60) + " min ago",
            "is calico-node running? It renews the token; else run install-cni again");
    else if (left < kSoonSeconds)
        add("credentials", "the token ends in " + std::to_string(left) + " s",
            "is calico-node running? It renews the token");
    else
        good("credentials", "the token is good for " + std::to_string(left / 60) + " min");
}

void Reporter::look_at_server()
{
    if (!token_of(folder_))
        return;
    kube::Client client({.kubeconfig = folder_.path_of(kKubeconfigName)}, get_env_);
    const auto version = kube::server_version(client, Deadline::in(kServerPatience));
    count("datastore_up", "The API server answers the plugins' kubeconfig.", version ? 1 : 0);
    if (version)
        good("datastore", "Kubernetes " + *version + " answers");
    else
        add("datastore", version.error().what(),
            "pods cannot start until the API server answers this node");
}

void Reporter::look_at_uplinks(EbpfNode &node)
{
    const auto uplinks = find_uplinks(node.route(), {});
    if (!uplinks)
        return add("programs", uplinks.error().what(), "look at the node's links and routes");
    std::vector<std::string> bare;
    for (const Link &link : *uplinks) {
        const auto attached = node.attacher().is_attached(kUplinkProgram, link.index);
        if (!attached || !*attached)
            bare.push_back(link.name);
    }
    count("uplinks", "Uplinks of the node.", static_cast<std::int64_t>(uplinks->size()));
    count("uplinks_without_program", "Of those: without the program.",
          static_cast<std::int64_t>(bare.size()));
    if (bare.empty())
        return good("programs", "attached at every uplink");
    add("programs", "not attached at " + join(bare, " ") + ": netfilter carries everything there",
        "the next pod attaches them; if they go again, somebody removes clsact or tcx programs");
}

void Reporter::look_at_programs()
{
    auto node = EbpfNode::open({});
    count("programs_loaded", "BPF programs for host ports are loaded.", node ? 1 : 0);
    if (node)
        return look_at_uplinks(*node);
    good("programs", node.error().kind() == ErrorKind::kNotFound
                         ? "none loaded: netfilter carries every host port"
                         : "not to be had here: " + node.error().what());
}

void Reporter::look_at_host_ports()
{
    const auto ports = list_host_ports();
    if (!ports)
        return add("host ports", ports.error().what(), "is nf_tables usable on this node?");
    const auto waiting = std::count_if(ports->begin(), ports->end(), [](const std::string &line) {
        return line.find("(waits") != std::string::npos;
    });
    count("host_ports", "Host ports in table inet tortie.",
          static_cast<std::int64_t>(ports->size()));
    count("host_ports_waiting", "Of those: held by an older container.", waiting);
    good("host ports", std::to_string(ports->size()) + " in table inet tortie" +
                           (waiting > 0 ? ", " + std::to_string(waiting) +
                                              " wait for an older container that has the port"
                                        : ""));
}

NodeReport Reporter::take()
{
    look_at_files();
    look_at_configuration();
    look_at_credentials();
    look_at_server();
    look_at_programs();
    look_at_host_ports();
    count("problems", "Lines of `install status` that ask for something.",
          static_cast<std::int64_t>(report_.problems()));
    return std::move(report_);
}

}  // namespace

std::size_t NodeReport::problems() const
{
    return static_cast<std::size_t>(std::count_if(
        lines.begin(), lines.end(), [](const Line &line) { return !line.cure.empty(); }));
}

NodeReport report_node(const kube::GetEnv &get_env)
{
    const NodePaths paths = find_node_paths();
    const auto folder = open_configurations(paths);
    if (!folder) {
        NodeReport report;
        report.lines.push_back({"node", folder.error().what(), "is this a node? See --root"});
        report.metrics.push_back(
            {"problems", "Lines of `install status` that ask for something.", "1"});
        return report;
    }
    return Reporter(paths, *folder, get_env).take();
}

std::string text_of(const NodeReport &report)
{
    std::string text;
    for (const NodeReport::Line &line : report.lines) {
        std::string about = line.about;
        about.resize(std::max<std::size_t>(about.size(), 12), ' ');
        text.append(line.cure.empty() ? "ok   " : "BAD  ").append(about).append(line.text);
        text += '\n';
        if (!line.cure.empty())
            text.append("     ").append(12, ' ').append("-> ").append(line.cure).append("\n");
    }
    const std::size_t problems = report.problems();
    text += problems == 0 ? "This node is all right.\n"
                          : "Lines that ask for something: " + std::to_string(problems) + "\n";
    return text;
}

std::string metrics_of(const NodeReport &report)
{
    std::string text;
    for (const NodeReport::Metric &metric : report.metrics) {
        const std::string name = "tortie_" + metric.name;
        text.append("# HELP ").append(name).append(" ").append(metric.help).append("\n");
        text.append("# TYPE ").append(name).append(" gauge\n");
        text.append(name).append(" ").append(metric.value).append("\n");
    }
    return text;
}

std::int64_t token_end(std::string_view token)
{
    const auto parts = split(token, '.');
    if (parts.size() != 3)
        return 0;
    std::string claims(parts[1]);  // base64url without padding, RFC 7515 section 2
    std::replace(claims.begin(), claims.end(), '-', '+');
    std::replace(claims.begin(), claims.end(), '_', '/');
    claims.append((4 - claims.size() % 4) % 4, '=');
    const auto text = base64_decode(claims);
    const auto object = text ? cni::Json::parse_object(*text) : Result<cni::Json>(cni::Json());
    const auto end = object ? object->integer("exp", 0) : Result<std::int64_t>(0);
    return end ? std::max<std::int64_t>(*end, 0) : 0;
}

}  // namespace tortie::installer
