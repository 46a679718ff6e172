// SPDX-License-Identifier: Apache-2.0
#include "install/node_report.h"

#include <linux/netlink.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/deadline.h"
#include "base/file.h"
#include "base/strings.h"
#include "calico/release_queue.h"
#include "datapath/ebpf_node.h"
#include "datapath/ebpf_numbers.h"
#include "datapath/handover.h"
#include "datapath/published_ports.h"
#include "install/conflist.h"
#include "install/conflist_edit.h"
#include "install/datapath_choice.h"
#include "install/folder.h"
#include "install/kubeconfig_text.h"
#include "install/node_paths.h"
#include "install/record.h"
#include "kube/client.h"
#include "kube/json_kubeconfig.h"
#include "kube/json_token.h"

namespace tortie::installer {
namespace {

constexpr std::size_t kMostBytes = 256UL * 1024 * 1024;
constexpr std::size_t kMostConfBytes = 1024UL * 1024;
constexpr std::chrono::milliseconds kServerPatience{5'000};
constexpr std::int64_t kSoonSeconds = 600;

#define TORTIE_EVENT_NAME(id, text) #id,
constexpr std::string_view kEvents[] = {TORTIE_PM_COUNTS(TORTIE_EVENT_NAME)};
#undef TORTIE_EVENT_NAME

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
    void count(Metric metric, std::uint64_t value, std::vector<Label> labels = {})
    {
        report_.samples.push_back({metric, value, std::move(labels)});
    }

    void look_at_files();
    void look_at_configuration();
    void look_at_credentials();
    void look_at_server();
    void look_at_programs();
    void look_at_devices(const EbpfNumbers &numbers);
    void look_at_traffic(const EbpfNumbers &numbers);
    void look_at_host_ports();
    void count_host_ports();
    void count_releases();

    const NodePaths &paths_;
    const Folder &folder_;
    const kube::GetEnv &get_env_;
    std::string backend_;  // of what is in use; empty: not known
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
        if (!has_plugin(paths_, type))
            missing.push_back(type);
    }
    if (!missing.empty())
        return add("network", name + " names plugins that are not there: " + join(missing, " "),
                   "install them, or take them out of the configuration");
    if (const auto used = datapath_in_use(folder_, *text)) {
        backend_ = used->backend;
        count(
            Metric::kDatapathInfo, 1,
            {{"backend", used->backend}, {"chosen_by", used->is_override ? "override" : "probe"}});
    }
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
    const std::int64_t end = kube::token_expiry_unix_s(*token).value_or(0);
    if (end != 0)
        count(Metric::kTokenExpiry, static_cast<std::uint64_t>(end));
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
    if (version)
        good("datastore", "Kubernetes " + *version + " answers");
    else
        add("datastore", version.error().what(),
            "pods cannot start until the API server answers this node");
}

std::string attached_of(const EbpfNumbers::Devices &devices)
{
    return std::to_string(devices.all - devices.bare.size()) + " of " + std::to_string(devices.all);
}

void Reporter::look_at_devices(const EbpfNumbers &numbers)
{
    const std::size_t expected = numbers.uplinks.all + numbers.pods.all;
    count(Metric::kBpfPrograms, expected - numbers.uplinks.bare.size() - numbers.pods.bare.size(),
          {{"state", "attached"}});
    count(Metric::kBpfPrograms, expected, {{"state", "expected"}});
    if (numbers.uplinks.bare.empty())
        return good("programs", "attached at every uplink, pods: " + attached_of(numbers.pods));
    add("programs",
        "not attached at " + join(numbers.uplinks.bare, " ") +
            ": netfilter carries everything there",
        "the next pod attaches them; if they go again, somebody removes clsact or tcx programs");
}

void Reporter::look_at_traffic(const EbpfNumbers &numbers)
{
    for (std::size_t i = 0; i < numbers.counts.size(); ++i)
        count(Metric::kPackets, numbers.counts[i], {{"event", ascii_lower(kEvents[i])}});
    for (const auto &[family, flows] :
         {std::pair("4", numbers.ipv4), std::pair("6", numbers.ipv6)}) {
        count(Metric::kFlows, flows.now, {{"family", family}});
        count(Metric::kFlowsLimit, flows.limit, {{"family", family}});
    }
    good("carried", std::to_string(numbers.counts[TORTIE_PM_FORWARDED]) + " packets to pods, " +
                        std::to_string(numbers.counts[TORTIE_PM_REPLIED]) + " from pods, " +
                        std::to_string(numbers.ipv4.now + numbers.ipv6.now) + " flows now");
}

void Reporter::look_at_programs()
{
    auto node = EbpfNode::open({});
    if (!node && node.error().kind() == ErrorKind::kNotFound) {
        for (const char *state : {"attached", "expected"})
            count(Metric::kBpfPrograms, 0, {{"state", state}});
        return good("programs", "none loaded: netfilter carries every host port");
    }
    if (!node)
        return good("programs", "not to be had here: " + node.error().what());
    const auto numbers = read_ebpf_numbers(*node);
    if (!numbers)
        return add("programs", numbers.error().what(), "look at the node's links and routes");
    look_at_devices(*numbers);
    look_at_traffic(*numbers);
}

void Reporter::look_at_host_ports()
{
    const auto ports = list_host_ports();
    if (!ports)
        return add("host ports", ports.error().what(), "is nf_tables usable on this node?");
    const auto waiting = std::count_if(ports->begin(), ports->end(), [](const std::string &line) {
        return line.find("(waits") != std::string::npos;
    });
    good("host ports", std::to_string(ports->size()) + " in table inet tortie" +
                           (waiting > 0 ? ", " + std::to_string(waiting) +
                                              " wait for an older container that has the port"
                                        : ""));
}

// A port of both families is one. The legacy tables of iptables are not read: where they hold host
// ports, their number is not known.
void Reporter::count_host_ports()
{
    const auto ports = list_published_ports();
    if (!ports || backend_ == "iptables")
        return;
    std::map<Protocol, std::set<std::pair<std::string, std::uint16_t>>> distinct;
    for (const Protocol protocol : {Protocol::kTcp, Protocol::kUdp, Protocol::kSctp})
        distinct[protocol];
    for (const PublishedPort &port : *ports)
        distinct[port.protocol].emplace(port.host_ip ? port.host_ip->to_string() : "",
                                        port.host_port);
    for (const auto &[protocol, places] : distinct)
        count(Metric::kHostports, places.size(), {{"protocol", std::string(name_of(protocol))}});
}

// A container that the queue's folder is not mounted into cannot tell.
void Reporter::count_releases()
{
    const std::string folder = calico::kReleaseQueueFolder;
    if (paths_.on_node || Folder::open(folder.substr(0, folder.rfind('/'))))
        count(Metric::kReleasesQueued, calico::ReleaseQueue(folder).count());
}

NodeReport Reporter::take()
{
    look_at_files();
    look_at_configuration();
    look_at_credentials();
    look_at_server();
    look_at_programs();
    look_at_host_ports();
    count_host_ports();
    count_releases();
    return std::move(report_);
}

NodeReport look_at_node(const kube::GetEnv &get_env)
{
    const NodePaths paths = find_node_paths();
    const auto folder = open_configurations(paths);
    if (folder)
        return Reporter(paths, *folder, get_env).take();
    NodeReport report;
    report.lines.push_back({"node", folder.error().what(), "is this a node? See --root"});
    return report;
}

// What all lines together say.
void summarize(NodeReport &report)
{
    const auto now = static_cast<std::uint64_t>(::time(nullptr));
    report.samples.push_back({Metric::kBuildInfo, 1, {{"version", TORTIE_VERSION}}});
    report.samples.push_back({Metric::kStatusTimestamp, now});
    report.samples.push_back({Metric::kHealthy, report.problems() == 0 ? 1U : 0U});
    std::map<std::string, bool> failed;
    for (const NodeReport::Line &line : report.lines)
        failed[line.about] |= !line.cure.empty();
    for (auto [check, has_failed] : failed) {
        std::string name = check;
        std::replace(name.begin(), name.end(), ' ', '_');
        report.samples.push_back({Metric::kProblem, has_failed ? 1U : 0U, {{"check", name}}});
    }
}

}  // namespace

std::size_t NodeReport::problems() const
{
    return static_cast<std::size_t>(std::count_if(
        lines.begin(), lines.end(), [](const Line &line) { return !line.cure.empty(); }));
}

NodeReport report_node(const kube::GetEnv &get_env)
{
    NodeReport report = look_at_node(get_env);
    summarize(report);
    return report;
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

}  // namespace tortie::installer
