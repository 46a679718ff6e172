// SPDX-License-Identifier: Apache-2.0
#include "etcd_server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "base/file.h"
#include "base/unique_fd.h"
#include "store/etcd_gateway.h"

namespace tortie::store {
namespace {

constexpr const char *kProgram = "/usr/bin/etcd";

Deadline soon()
{
    return Deadline::in(std::chrono::seconds(30));
}

}  // namespace

std::string EtcdServer::missing()
{
    if (::geteuid() != 0)
        return "needs root (CAP_SYS_ADMIN, CAP_NET_ADMIN)";
    if (::access(kProgram, X_OK) != 0)
        return "needs etcd (Debian's etcd-server)";
    return "";
}

EtcdServer::EtcdServer(Security security, const std::vector<std::string> &more)
    : security_(security)
{
    netns_.ip({"link", "set", "lo", "up"});
    Result<NetnsScope> inside = NetnsScope::enter(netns_.path());
    EXPECT_TRUE(inside);
    inside_.emplace(*std::move(inside));
    if (security != Security::kNone)
        write_certificates();
    start(more);
    const Deadline deadline = soon();
    while (!answers() && !deadline.passed()) {
        const timespec wait = {0, 20'000'000};
        ::nanosleep(&wait, nullptr);
    }
    EXPECT_TRUE(answers()) << read_file(file("log"), 1UL << 20).value_or("no log");
    if (has_users())
        enable_users();
}

EtcdServer::~EtcdServer()
{
    if (pid_ <= 0)
        return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

void EtcdServer::write_certificates()
{
    const test::TlsAuthority authority;
    const test::Identity server = authority.issue({"IP:127.0.0.1", "DNS:localhost"});
    const test::Identity client = authority.issue({"DNS:client"});
    const std::pair<const char *, const std::string *> files[] = {
        {"ca.pem", &authority.pem()},
        {"server.pem", &server.certificate_pem},
        {"server.key", &server.key_pem},
        {"client.pem", &client.certificate_pem},
        {"client.key", &client.key_pem}};
    for (const auto &[name, text] : files)
        EXPECT_TRUE(replace_file(file(name), *text, 0600));
}

void EtcdServer::start(const std::vector<std::string> &more)
{
    const std::string scheme = security_ == Security::kNone ? "http" : "https";
    std::vector<std::string> argv = {kProgram,
                                     "--data-dir=" + file("data"),
                                     "--listen-client-urls=" + scheme + "://127.0.0.1:2379",
                                     "--advertise-client-urls=" + scheme + "://127.0.0.1:2379",
                                     "--listen-peer-urls=http://127.0.0.1:2380",
                                     "--log-level=warn",
                                     "--logger=zap"};
    if (security_ != Security::kNone) {
        argv.push_back("--cert-file=" + file("server.pem"));
        argv.push_back("--key-file=" + file("server.key"));
    }
    if (security_ == Security::kCertificates || security_ == Security::kBoth) {
        argv.emplace_back("--client-cert-auth");
        argv.push_back("--trusted-ca-file=" + file("ca.pem"));
    }
    argv.insert(argv.end(), more.begin(), more.end());
    pid_ = ::fork();
    if (pid_ != 0)
        return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int log = ::open(file("log").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    std::vector<char *> raw;
    for (std::string &argument : argv)
        raw.push_back(argument.data());
    raw.push_back(nullptr);
    ::execv(kProgram, raw.data());
    ::_exit(127);
}

bool EtcdServer::answers() const
{
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(2379);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    // etcd listens before it has a leader; the requests of a test wait for that.
    return ::connect(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address)) == 0;
}

EtcdSettings EtcdServer::settings() const
{
    EtcdSettings settings;
    if (security_ == Security::kNone) {
        settings.endpoints = "http://127.0.0.1:2379";
        return settings;
    }
    settings.endpoints = "https://127.0.0.1:2379";
    settings.ca_file = file("ca.pem");
    settings.cert_file = file("client.pem");
    settings.key_file = file("client.key");
    if (has_users()) {
        settings.username = "root";
        settings.password = "secret";
    }
    return settings;
}

void EtcdServer::enable_users() const
{
    EtcdSettings nobody = settings();
    nobody.username.clear();
    etcd_request(nobody, "/v3/auth/user/add", R"({"name":"root","password":"secret"})");
    etcd_request(nobody, "/v3/auth/user/add", R"({"name":"guest","password":"guest"})");
    etcd_request(nobody, "/v3/auth/role/add", R"({"name":"root"})");
    etcd_request(nobody, "/v3/auth/user/grant", R"({"user":"root","role":"root"})");
    etcd_request(nobody, "/v3/auth/enable", "{}");
}

void etcd_request(const EtcdSettings &settings, const std::string &target, const std::string &body)
{
    EtcdGateway gateway = EtcdGateway::make(settings).value();
    const Result<std::string> answer = gateway.read(target, body, soon());
    EXPECT_TRUE(answer) << target << ": " << answer.error().what();
}

}  // namespace tortie::store
