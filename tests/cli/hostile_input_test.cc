// SPDX-License-Identifier: Apache-2.0
//
// Plugins given what no runtime sends: any bytes on stdin, any environment, closed descriptors.
// Always a CNI error with a code of the specification and exit 1, or a success that is one; never
// a signal, never long, never much memory.
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/unique_fd.h"
#include "cni/json.h"
#include "harness/plugin_call.h"

namespace tortie::test {
namespace {

// A sanitizer takes its own time and memory. g++ tells of it by the macro, clang by the feature.
#if defined(__SANITIZE_ADDRESS__)
#define TORTIE_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TORTIE_SANITIZED
#endif
#endif
#if defined(TORTIE_SANITIZED)
constexpr std::chrono::seconds kDeadline{20};
constexpr long kMaxMemoryKib = 1024 << 10;
#else
constexpr std::chrono::seconds kDeadline{2};
constexpr long kMaxMemoryKib = 64 << 10;
#endif

struct Ending {
    int wait_status = 0;
    long peak_kib = 0;
    std::chrono::nanoseconds took{};
    std::string out;
};

UniqueFd memory_file(std::string_view content)
{
    UniqueFd fd(::memfd_create("hostile", MFD_CLOEXEC));
    EXPECT_TRUE(write_all(fd.get(), content, "memory file").has_value());
    EXPECT_EQ(::lseek(fd.get(), 0, SEEK_SET), 0);
    return fd;
}

// `closed`: the descriptors that the plugin starts without.
Ending run(const std::string &plugin, const std::vector<std::string> &env, std::string_view input,
           const std::vector<int> &closed = {})
{
    const UniqueFd in = memory_file(input);
    const UniqueFd out = memory_file("");
    const std::string path = plugin_path(plugin);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, in.get(), 0);
    ::posix_spawn_file_actions_adddup2(&actions, out.get(), 1);
    ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    for (const int fd : closed)
        ::posix_spawn_file_actions_addclose(&actions, fd);
    std::vector<char *> envp;
    envp.reserve(env.size() + 1);
    for (const std::string &variable : env)
        envp.push_back(const_cast<char *>(variable.c_str()));
    envp.push_back(nullptr);
    char *argv[] = {const_cast<char *>(path.c_str()), nullptr};

    Ending result;
    pid_t pid = 0;
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(::posix_spawn(&pid, path.c_str(), &actions, nullptr, argv, envp.data()), 0);
    ::posix_spawn_file_actions_destroy(&actions);
    rusage usage{};
    while (::wait4(pid, &result.wait_status, WNOHANG, &usage) == 0) {
        if (std::chrono::steady_clock::now() - start > 2 * kDeadline)
            ::kill(pid, SIGKILL);
        ::usleep(200);
    }
    result.took = std::chrono::steady_clock::now() - start;
    result.peak_kib = usage.ru_maxrss;
    EXPECT_EQ(::lseek(out.get(), 0, SEEK_SET), 0);
    result.out = read_to_end(out.get(), std::size_t{8} << 20, "stdout").value_or("");
    return result;
}

bool is_known_code(std::int64_t code)
{
    constexpr std::int64_t kCodes[] = {1, 2, 3, 4, 5, 6, 7, 8, 11, 50, 51, 999};
    return std::find(std::begin(kCodes), std::end(kCodes), code) != std::end(kCodes);
}

void expect_bounded(const Ending &run)
{
    EXPECT_TRUE(WIFEXITED(run.wait_status)) << "signal " << WTERMSIG(run.wait_status);
    EXPECT_LT(run.took, kDeadline);
    EXPECT_LT(run.peak_kib, kMaxMemoryKib);
}

void expect_refusal(const Ending &run)
{
    expect_bounded(run);
    EXPECT_EQ(WEXITSTATUS(run.wait_status), 1);
    const auto object = cni::Json::parse_object(run.out);
    ASSERT_TRUE(object.has_value()) << run.out.substr(0, 200);
    EXPECT_TRUE(is_known_code(object->integer("code", 0).value_or(0))) << run.out;
    EXPECT_FALSE(object->string("msg").value_or("").empty());
}

void expect_answer(const Ending &run)
{
    if (WIFEXITED(run.wait_status) && WEXITSTATUS(run.wait_status) == 0)
        expect_bounded(run);
    else
        expect_refusal(run);
}

std::vector<std::string> environment(const std::string &command)
{
    std::vector<std::string> env;
    for (const auto &[key, value] : cni_env(command, "hostile"))
        env.emplace_back(key).append("=").append(value);
    return env;
}

// Names that reach every plugin's configuration; nothing in it exists on the node.
const std::string kConfig = R"({"cniVersion": "1.0.0", "name": "hostile", "type": "x",
    "ipam": {"type": "host-local", "subnet": "10.1.2.0/24", "dataDir": "/nonexistent/hostile"},
    "sysctl": {"net.core.somaxconn": "500"}, "mac": "c2:11:22:33:44:55", "mtu": 1400,
    "dataDir": "/nonexistent/hostile",
    "runtimeConfig": {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]},
    "prevResult": {"cniVersion": "1.0.0", "interfaces": [{"name": "eth1", "sandbox": "/x"}],
                   "ips": [{"address": "10.1.2.3/24", "interface": 0}]}})";

// For a mutated configuration may ask for anything, and the plugins may run as root: a network of
// its own, nothing to write to but empty state directories. Without root they can do no harm.
Result<> lock_in()
{
    if (::geteuid() != 0)
        return {};
    if (::unshare(CLONE_NEWNS | CLONE_NEWNET) < 0)
        return fail_errno(errno, "make namespaces");
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0 ||
        ::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) < 0)
        return fail_errno(errno, "make / read-only");
    for (const char *directory : {"/run", "/tmp", "/var/lib"}) {
        if (::mount("tmpfs", directory, "tmpfs", 0, nullptr) < 0)
            return fail_errno(errno, std::string("mount ") + directory);
    }
    return {};
}

class HostileInput : public ::testing::TestWithParam<std::string> {
protected:
    void SetUp() override
    {
        static const Result<> locked_in = lock_in();
        if (!locked_in)
            GTEST_SKIP() << locked_in.error().what();
    }

    static Ending add(std::string_view input) { return run(GetParam(), environment("ADD"), input); }
};

TEST_P(HostileInput, BytesThatAreNoJsonAreRefused)
{
    expect_refusal(add(""));
    expect_refusal(add(std::string(1, '\0')));
    expect_refusal(add("null"));
    expect_refusal(add("[]"));
    expect_refusal(add("{\"name\": \"a\"} {}"));
    expect_refusal(add("\xff\xfe{\"name\": \"a\"}"));
    expect_refusal(add("{\"name\": \"\xc3\x28\"}"));
    expect_refusal(add("{\"name\": \"a\x01\"}"));
}

TEST_P(HostileInput, DeepNestingIsRefused)
{
    for (const std::size_t depth : {std::size_t{65}, std::size_t{10'000}, std::size_t{1} << 20}) {
        expect_refusal(add(std::string(depth, '[')));
        expect_refusal(add("{\"name\": \"n\", \"a\": " + std::string(depth, '[')));
    }
    std::string objects;
    for (int i = 0; i < 100'000; ++i)
        objects += "{\"a\":";
    expect_refusal(add(objects));
}

TEST_P(HostileInput, MoreThanOneMebibyteIsRefused)
{
    const std::string filler(std::size_t{2} << 20, ' ');

    expect_refusal(add(filler));
    expect_refusal(add(R"({"name": "n", "a": ")" + std::string(std::size_t{3} << 20, 'x') + "\"}"));
    expect_refusal(add(kConfig + filler));
}

TEST_P(HostileInput, LargeInputStaysWithinMemory)
{
    std::string list = "{\"cniVersion\": \"1.0.0\", \"name\": \"n\", \"a\": [0";
    while (list.size() < (std::size_t{1} << 20) - 8)
        list += ",0";
    expect_answer(add(list + "]}"));

    std::string keys = "{\"cniVersion\": \"1.0.0\", \"name\": \"n\"";
    for (int i = 0; keys.size() < (std::size_t{1} << 20) - 64; ++i)
        keys += ",\"" + std::to_string(i) + "\":{}";
    expect_answer(add(keys + "}"));

    expect_answer(
        add("{\"cniVersion\": \"1.0.0\", \"name\": \"" + std::string(1'000'000, 'n') + "\"}"));
}

TEST_P(HostileInput, NumbersOutOfEveryRangeAreAnswered)
{
    for (const char *number :
         {"1e999", "-1", "99999999999999999999999999", "0.1", "1e-400", "-9223372036854775809"}) {
        for (const char *key : {"\"mtu\": 1400", "\"hostPort\": 8080", "\"interface\": 0"}) {
            std::string config = kConfig;
            const std::string_view text(key);
            const std::size_t at = config.find(text);
            const std::size_t value = text.find(' ') + 1;
            config.replace(at + value, text.size() - value, number);
            expect_answer(add(config));
        }
    }
}

TEST_P(HostileInput, HostileEnvironmentIsRefused)
{
    const std::string long_value(100'000, 'a');
    for (const char *text :
         {"CNI_CONTAINERID=../../etc", "CNI_CONTAINERID=-rf", "CNI_CONTAINERID=a b",
          "CNI_CONTAINERID=\xff\xfe", "CNI_IFNAME=../eth0", "CNI_IFNAME=0123456789012345",
          "CNI_IFNAME=..", "CNI_IFNAME=a\u00a0b", "CNI_COMMAND=add", "CNI_COMMAND=ADD ",
          "CNI_COMMAND=\x01", "CNI_PATH="}) {
        const std::string variable(text);
        const std::string key = variable.substr(0, variable.find('=') + 1);
        std::vector<std::string> env = environment("ADD");
        for (std::string &each : env) {
            if (each.starts_with(key))
                each = variable;
        }
        expect_refusal(run(GetParam(), env, kConfig));
    }
    std::vector<std::string> env = environment("ADD");
    env.push_back("CNI_ARGS=" + long_value);
    env.push_back("TORTIE_LOG=" + long_value);
    env.push_back("CNI_NETNS=" + long_value);
    expect_answer(run(GetParam(), env, kConfig));
}

TEST_P(HostileInput, ClosedStandardDescriptorsAreAnswered)
{
    expect_refusal(run(GetParam(), environment("ADD"), kConfig, {0}));
    expect_bounded(run(GetParam(), environment("ADD"), kConfig, {1}));
    expect_refusal(run(GetParam(), environment("ADD"), "{}", {2}));
    expect_bounded(run(GetParam(), environment("ADD"), kConfig, {0, 1, 2}));
}

// Bytes changed, removed, doubled.
std::string mutated(std::string text, std::mt19937 &random)
{
    const auto below = [&](std::size_t end) { return random() % end; };
    for (std::size_t changes = 1 + below(6); changes > 0; --changes) {
        const std::size_t at = below(text.size());
        switch (below(4)) {
        case 0:
            text[at] = static_cast<char>(below(256));
            break;
        case 1:
            text.erase(at, 1 + below(20));
            break;
        case 2:
            text.insert(at, text.substr(below(text.size()), below(60)));
            break;
        default:
            text.insert(at, "\\u0000\"[{9e9");
        }
    }
    return text;
}

// A sequence of its own for each plugin, the same in every run.
TEST_P(HostileInput, MutatedConfigurationsAreAnswered)
{
    std::mt19937 random(static_cast<unsigned>(GetParam().size()));
    for (int round = 0; round < 150; ++round) {
        const char *verbs[] = {"ADD", "CHECK", "DEL", "GC", "STATUS", "VERSION"};
        const std::string verb = verbs[random() % std::size(verbs)];
        const std::string config = mutated(kConfig, random);
        SCOPED_TRACE(std::string(verb).append(" ").append(config));
        expect_answer(run(GetParam(), environment(verb), config));
    }
}

INSTANTIATE_TEST_SUITE_P(Plugin, HostileInput,
                         ::testing::Values("host-local", "loopback", "portmap", "tuning"),
                         [](const auto &plugin) {
                             std::string name = plugin.param;
                             std::erase(name, '-');
                             return name;
                         });

}  // namespace
}  // namespace tortie::test
