// SPDX-License-Identifier: Apache-2.0
//
// `install status --metrics` against what deploy/monitoring/README.md promises.
#include <arpa/inet.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <regex>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/base64.h"
#include "base/strings.h"
#include "cli/install_fixture.h"
#include "datapath/ebpf_load.h"
#include "datapath/nftables_port_mapper.h"
#include "loader/portmap_object.h"

namespace tortie {
namespace {

using test::content_of;
using test::install_env;
using test::kHostNet;
using test::PluginOutcome;
using test::run_install;
using test::write_content;
using testing::HasSubstr;
using testing::Not;

const std::string kConflist = std::string(kHostNet) + "/10-calico.conflist";

// Name to type. Read before the first case, which changes this process's root.
using Types = std::map<std::string, std::string>;

Types read_promised()
{
    const std::string text = content_of(TORTIE_MONITORING_DIR "/README.md");
    const std::regex row(R"(\| `(tortie_\w+)` \| (\w+) \|)");
    Types types;
    for (std::sregex_iterator at(text.begin(), text.end(), row), end; at != end; ++at)
        types[(*at)[1]] = (*at)[2];
    return types;
}

const Types kPromised = read_promised();

Types printed_types(const std::string &metrics)
{
    Types types;
    for (const auto line : split(metrics, '\n')) {
        const auto words = split(line, ' ');
        if (words.size() == 4 && line.starts_with("# TYPE "))
            types[std::string(words[2])] = words[3];
    }
    return types;
}

// A bpffs where the node's is, with the programs loaded into it, until the object dies.
class LoadedPrograms {
public:
    LoadedPrograms()
    {
        std::filesystem::create_directories("/sys");
        if (::mount("sysfs", "/sys", "sysfs", 0, nullptr) < 0)
            obstacle_ = std::string("mount sysfs: ") + ::strerrorname_np(errno);
        else if (::mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr) < 0)
            obstacle_ = std::string("mount bpffs: ") + ::strerrorname_np(errno);
        else if (const auto loaded = ensure_ebpf_loaded({}); !loaded)
            obstacle_ = loaded.error().what();
    }
    ~LoadedPrograms()
    {
        for (const char *path : {"/sys/fs/bpf", "/sys"})
            static_cast<void>(::umount2(path, MNT_DETACH));
    }
    LoadedPrograms(const LoadedPrograms &) = delete;
    LoadedPrograms &operator=(const LoadedPrograms &) = delete;
    LoadedPrograms(LoadedPrograms &&) = delete;
    LoadedPrograms &operator=(LoadedPrograms &&) = delete;

    const std::string &obstacle() const { return obstacle_; }

    // A TCP flow to the pod, as the programs would have adopted it.
    static void put_flow()
    {
        const PinRoot root;
        const auto flows = PortmapFlows::open(root.folder(kPortmapAbi));
        ASSERT_TRUE(flows) << flows.error().what();
        pm_tuple4 tuple{};
        tuple.src_be = htonl(0xc0000201);
        tuple.src_port_be = htons(40000);
        tuple.l4_proto = IPPROTO_TCP;
        for (const int direction : {TORTIE_PM_FORWARD, TORTIE_PM_REPLY}) {
            tuple.dir = static_cast<std::uint8_t>(direction);
            ASSERT_TRUE(flows->ipv4.put(tuple, {}));
        }
    }

private:
    std::string obstacle_;
};

class InstallMetrics : public test::InstallInPodTest {
protected:
    void TearDown() override
    {
        if (IsSkipped())
            return;
        static_cast<void>(mapper_.withdraw(publication()));
        std::filesystem::remove_all("/var/lib/tortie");
    }

    static Publication publication()
    {
        Publication publication;
        publication.attachment = {"net", "c1", "eth0"};
        publication.addresses = {*Cidr::parse("10.65.0.2/24"), *Cidr::parse("fd00::2/64")};
        for (const std::uint16_t port : std::initializer_list<std::uint16_t>{80, 443, 53}) {
            PortMapping mapping;
            mapping.host_port = static_cast<std::uint16_t>(8000 + port);
            mapping.container_port = port;
            mapping.protocol = port == 53 ? Protocol::kUdp : Protocol::kTcp;
            mapping.protocol_text = name_of(mapping.protocol);
            publication.mappings.push_back(std::move(mapping));
        }
        return publication;
    }

    static std::string token_of_2030()
    {
        std::string claims = base64_encode(R"({"exp":1900000000})");
        while (claims.back() == '=')
            claims.pop_back();
        return "h." + claims + ".s";
    }

    static PluginOutcome metrics() { return run_install({}, {"status", "--metrics"}); }

    NftablesPortMapper mapper_{"/usr/sbin"};
};

TEST_F(InstallMetrics, AreThoseThatTheReadmePromisesOnANodeWithEverything)
{
    serve(
        {answers(201, token_answer(token_of_2030())), answers(200, R"({"gitVersion":"v1.30.1"})")});
    ASSERT_EQ(run_install(pod_env({{"TORTIE_DISABLE", "bpf_syscall"}})).status, 0);
    const auto published = mapper_.publish(publication());
    ASSERT_TRUE(published) << published.error().what();
    write_content("/var/lib/tortie/queue/one.release", "");
    write_content("/var/lib/tortie/queue/two.release.corrupt", "");
    const LoadedPrograms programs;
    if (!programs.obstacle().empty())
        GTEST_SKIP() << "no BPF programs here: " << programs.obstacle();
    LoadedPrograms::put_flow();

    const PluginOutcome outcome = metrics();

    EXPECT_EQ(outcome.status, 0);
    EXPECT_THAT(kPromised, testing::SizeIs(testing::Gt(5)));
    EXPECT_EQ(printed_types(outcome.out), kPromised) << outcome.out;
    for (const char *line : {
             "\ntortie_healthy 1\n",
             "\ntortie_problem{check=\"host_ports\"} 0\n",
             "\ntortie_datapath_info{backend=\"nftables\",chosen_by=\"",
             "\ntortie_bpf_programs{state=\"attached\"} 0\n",
             "\ntortie_bpf_programs{state=\"expected\"} 0\n",
             "\ntortie_hostports{protocol=\"tcp\"} 2\n",
             "\ntortie_hostports{protocol=\"udp\"} 1\n",
             "\ntortie_hostports{protocol=\"sctp\"} 0\n",
             "\ntortie_flows{family=\"4\"} 1\n",
             "\ntortie_flows{family=\"6\"} 0\n",
             "\ntortie_packets_total{event=\"forwarded\"} 0\n",
             "\ntortie_packets_total{event=\"icmp_translated\"} 0\n",
             "\ntortie_token_expiry_timestamp_seconds 1900000000\n",
             "\ntortie_releases_queued 1\n",
         })
        EXPECT_THAT(outcome.out, HasSubstr(line));
    EXPECT_THAT(run_install({}, {"status"}).out,
                HasSubstr("ok   carried     0 packets to pods, 0 from pods, 1 flows now\n"));
}

TEST_F(InstallMetrics, LeaveOutWhatCannotBeTold)
{
    const PluginOutcome outcome = metrics();

    EXPECT_EQ(outcome.status, 0);
    for (const char *line : {"\ntortie_healthy 0\n", "\ntortie_problem{check=\"files\"} 1\n",
                             "\ntortie_problem{check=\"host_ports\"} 0\n"})
        EXPECT_THAT(outcome.out, HasSubstr(line));
    for (const char *name : {"tortie_datapath_info", "tortie_flows", "tortie_packets_total",
                             "tortie_token_expiry_timestamp_seconds", "tortie_releases_queued"})
        EXPECT_THAT(outcome.out, Not(HasSubstr(name)));
}

TEST_F(InstallMetrics, AreOfTheNodeAlsoWhereItHasNoConfigurations)
{
    std::filesystem::remove_all("/host");

    const PluginOutcome outcome = metrics();

    EXPECT_EQ(outcome.status, 0);
    EXPECT_THAT(outcome.out, HasSubstr("\ntortie_healthy 0\n"));
    EXPECT_THAT(outcome.out, HasSubstr("\ntortie_problem{check=\"node\"} 1\n"));
}

TEST_F(InstallMetrics, TellTheProbesChoiceFromAnotherOne)
{
    const auto info = [] {
        const std::string text = metrics().out;
        const auto at = text.find("\ntortie_datapath_info{");
        return at == std::string::npos ? "none" : text.substr(at, text.find('\n', at + 1) - at);
    };
    const LoadedPrograms programs;
    if (!programs.obstacle().empty())
        GTEST_SKIP() << "no BPF programs here: " << programs.obstacle();
    ASSERT_EQ(run_install(install_env()).status, 0);

    EXPECT_THAT(info(), HasSubstr("chosen_by=\"probe\"} 1"));

    ASSERT_EQ(run_install({}, {"datapath", "netfilter"}).status, 0);

    EXPECT_THAT(info(), HasSubstr("{backend=\"nftables\",chosen_by=\"override\"} 1"));

    write_content(kConflist,
                  R"({"plugins":[{"type":"calico"},{"type":"portmap","backend":"iptables",)"
                  R"("datapath":"netfilter"}]})");

    EXPECT_THAT(info(), HasSubstr("{backend=\"iptables\",chosen_by=\"override\"} 1"));
    EXPECT_THAT(metrics().out, Not(HasSubstr("tortie_hostports")));
}

}  // namespace
}  // namespace tortie
