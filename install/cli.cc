// SPDX-License-Identifier: Apache-2.0
#include "install/cli.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "calico/log.h"
#include "install/installer.h"
#include "install/node_commands.h"

namespace tortie::installer {
namespace {

constexpr int kStdout = 1;
constexpr int kStderr = 2;

constexpr std::string_view kHelp =
    R"(install: puts Calico's CNI plugins and their configuration onto a node.

  install              install, as the init container install-cni does
  install status       is this node all right; 0: yes, 1: no, and what to do
                         --metrics: as numbers for Prometheus
  install probe        what this kernel can (--help for more)
  install datapath netfilter|auto
                       this node's host ports without BPF programs, or as found best
  install dump         all that somebody needs who helps, as a tar archive without secrets
  install uninstall    host ports to iptables, then everything away that install wrote
  install --version    the version of these programs
  install --help       this text

status, datapath, dump and uninstall take --root DIR: the node's root, mounted into a container.
install needs uid 0 and, in the container, the host's directories at
  /host/opt/cni/bin         plugins
  /host/secondary-bin-dir   plugins too, where the first is not writable (optional)
  /host/etc/cni/net.d       configuration, kubeconfig, calico-tls

Environment (docs/operations.md has the whole list):
  CNI_NETWORK_CONFIG, CNI_NETWORK_CONFIG_FILE   template of the configuration
  CNI_CONF_NAME, CNI_OLD_CONF_NAME              10-calico.conflist
  CNI_NET_DIR                                   its directory as the host calls it
  UPDATE_CNI_BINARIES, SKIP_CNI_BINARIES        true; none
  SLEEP                                         true: stay and keep credentials fresh
  TLS_ASSETS_DIR                                etcd's certificates, /calico-secrets
  TORTIE_DATAPATH                               auto, ebpf, ebpf-full, netfilter
)";

// Every state of a node between two system calls is a good one, so a signal may end it anywhere.
// As process 1 of a container it would not even be ended without a handler.
void end_at_once(int signal)
{
    ::_exit(128 + signal);
}

void listen_to_signals()
{
    struct sigaction action {};
    action.sa_handler = end_at_once;
    for (const int signal : {SIGTERM, SIGINT, SIGHUP})
        ::sigaction(signal, &action, nullptr);
}

void say(int fd, std::string_view text)
{
    [[maybe_unused]] const auto ignored = write_all(fd, text, "output");
}

// A plugin that another user owns would be run by root: CVE-2024-33522.
Result<> require_root()
{
    if (::geteuid() == 0)
        return {};
    return fail(ErrorKind::kInvalidInput,
                "install runs as uid " + std::to_string(::geteuid()) +
                    " and must be root, because root runs what it installs. Add these two lines "
                    "to the containers install-cni and upgrade-ipam of the manifest:\n"
                    "          securityContext:\n"
                    "            runAsUser: 0");
}

int install_node(EntryPoint entry_point)
{
    calico::open_log({.component = "cni-installer", .level = "info"}, {});
    auto done = harden_process();
    if (done)
        done = require_root();
    listen_to_signals();
    if (done)
        done = install(entry_point, get_env);
    if (done)
        return 0;
    log::error(done.error().what());
    return 1;
}

}  // namespace

Command command_of(std::span<const char *const> arguments)
{
    const std::vector<std::string_view> words(arguments.begin(), arguments.end());
    const auto is = [&](std::initializer_list<std::string_view> wanted) {
        return std::equal(words.begin(), words.end(), wanted.begin(), wanted.end());
    };
    if (words.empty())
        return Command::kInstall;
    if (is({"component", "cni", "install"}))
        return Command::kInstallComponent;
    if (is({"--help"}) || is({"-h"}) || is({"help"}))
        return Command::kHelp;
    if (is({"--version"}) || is({"-v"}) || is({"version"}))
        return Command::kVersion;
    return Command::kUnknown;
}

std::string help_text()
{
    return std::string(kHelp);
}

int run(std::span<const char *const> arguments)
{
    if (!arguments.empty()) {
        if (const auto status = run_node_command(arguments.front(), arguments.subspan(1)))
            return *status;
    }
    switch (command_of(arguments)) {
    case Command::kInstall:
        return install_node(EntryPoint::kInstall);
    case Command::kInstallComponent:
        return install_node(EntryPoint::kComponent);
    case Command::kHelp:
        say(kStdout, help_text());
        return 0;
    case Command::kVersion:
        say(kStdout, TORTIE_VERSION "\n");
        return 0;
    case Command::kUnknown:
        break;
    }
    say(kStderr,
        "install: these arguments mean nothing to it; install --help lists what it knows\n");
    return 2;
}

}  // namespace tortie::installer
