// SPDX-License-Identifier: Apache-2.0
#include "install/installer.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "install/binaries.h"
#include "install/binary_folder.h"
#include "install/cni_token.h"
#include "install/conflist_edit.h"
#include "install/datapath_choice.h"
#include "install/etcd_assets.h"
#include "install/folder.h"
#include "install/keep_fresh.h"
#include "install/kubeconfig_text.h"
#include "install/node_paths.h"
#include "install/record.h"
#include "install/service_account.h"
#include "install/staged_file.h"

namespace tortie::installer {
namespace {

constexpr std::chrono::milliseconds kLockPatience{60'000};

// Everything that is going to be written, known before the first change.
struct Plan {
    std::optional<ServiceAccount> account;  // nullopt: not in a pod
    EtcdAssets etcd_assets;
    std::vector<Binary> binaries;
    CniToken token;
    std::string conflist;
    DatapathChoice datapath;
};

Result<Folder> open_net_folder()
{
    auto folder = Folder::open(kNetFolder);
    if (!folder) {
        return fail(std::move(folder).error().within(
            "the host's directory of CNI configurations is not mounted into the container"));
    }
    return folder;
}

// No two things may have one name, or one would be lost.
Result<> require_own_name(const std::string &name, const char *variable)
{
    if (name != kKubeconfigName && name != kRecordName && name != kReportName &&
        name != kChoiceName && name != "calico-tls" && !is_staging_name(name))
        return {};
    return fail(ErrorKind::kInvalidInput, "environment variable " + std::string(variable) +
                                              " names " + name +
                                              ", which the installer writes itself");
}

// Asks the kernel only when a port mapping is configured.
Result<> choose_way(const Folder &folder, const kube::GetEnv &get_env, Plan &plan)
{
    TORTIE_TRY(const std::string wish, wished_datapath(get_env, folder));
    const auto types = plugin_types(plan.conflist);
    if (std::find(types.begin(), types.end(), "portmap") == types.end())
        return {};
    const auto prober = caps::kernel_prober("/usr/sbin:/usr/bin:/sbin:/bin");
    TORTIE_TRY(plan.datapath, choose_datapath(wish, get_env, *prober));
    if (datapath_in(plan.conflist).empty() && !plan.datapath.key.empty())
        plan.conflist = with_datapath(plan.conflist, plan.datapath.key);
    log::info("Host ports: datapath " + (plan.datapath.key.empty() ? "auto" : plan.datapath.key),
              {{"reason", plan.datapath.reason}});
    return {};
}

Result<Plan> make_plan(const Settings &settings, EntryPoint entry_point, const Folder &folder,
                       const kube::GetEnv &get_env)
{
    Plan plan;
    TORTIE_DO(require_own_name(settings.conf_name, "CNI_CONF_NAME"));
    TORTIE_DO(require_own_name(settings.old_conf_name, "CNI_OLD_CONF_NAME"));
    TORTIE_TRY(plan.account, mounted_service_account(settings));
    TORTIE_TRY(plan.etcd_assets, read_etcd_assets(settings.tls_assets_dir));
    TORTIE_TRY(std::string text, read_template(settings, entry_point));
    const std::string mounted_token = plan.account ? plan.account->token : std::string();
    TORTIE_TRY(plan.conflist, render_conflist(settings, std::move(text), mounted_token,
                                              etcd_files(plan.etcd_assets, settings.net_dir)));
    TORTIE_DO(choose_way(folder, get_env, plan));
    TORTIE_TRY(plan.binaries, binaries_of_image());
    if (plan.account) {
        TORTIE_TRY(plan.token, request_cni_token(settings, *plan.account, get_env));
    }
    return plan;
}

Result<> write_recorded(const Folder &folder, const std::string &name, const std::string &content,
                        mode_t mode, Record &record)
{
    record.will_write("net.d/" + name, sha256_hex(content));
    TORTIE_DO(record.save(folder));
    return replace_file_in(folder, name, content, mode);
}

Result<> write_etcd_files(const Settings &settings, const Plan &plan, const Folder &folder,
                          Record &record)
{
    if (!plan.etcd_assets.empty())
        return write_etcd_assets(folder, plan.etcd_assets, record);
    log::info("No TLS assets found in " + settings.tls_assets_dir + ", skipping");
    return {};
}

void warn_of_missing_plugins(const std::string &conflist)
{
    const NodePaths paths = find_node_paths();
    for (const std::string &type : plugin_types(conflist)) {
        if (!has_plugin(paths, type))
            log::warn("the CNI configuration names a plugin that is in no directory of the host",
                      {{"type", type}});
    }
}

void remove_old_configuration(const Settings &settings, const Folder &folder)
{
    if (settings.old_conf_name == settings.conf_name)
        return;
    if (auto removed = folder.remove(settings.old_conf_name); !removed)
        log::warn("Failed to remove " + folder.path_of(settings.old_conf_name),
                  {{"error", removed.error().what()}});
}

Result<> write_report(const Plan &plan, const Folder &folder)
{
    if (plan.datapath.report.empty())
        return folder.remove(kReportName);
    return replace_file_in(folder, kReportName, plan.datapath.report, 0600);
}

Result<> carry_out(const Settings &settings, const Plan &plan, const Folder &folder)
{
    Record record = Record::load(folder);
    TORTIE_DO(require_replaceable(folder, kKubeconfigName));
    TORTIE_DO(require_replaceable(folder, settings.conf_name));
    TORTIE_DO(write_etcd_files(settings, plan, folder, record));
    TORTIE_DO(install_binaries(settings, plan.binaries, folder, record));
    if (plan.account) {
        TORTIE_DO(replace_file_in(folder, kKubeconfigName,
                                  kubeconfig_text(settings, plan.account->ca_pem, plan.token.text),
                                  0600));
    }
    warn_of_missing_plugins(plan.conflist);
    TORTIE_DO(write_report(plan, folder));
    TORTIE_DO(
        write_recorded(folder, settings.conf_name, plan.conflist, settings.conf_mode, record));
    log::info("Created " + folder.path_of(settings.conf_name));
    remove_old_configuration(settings, folder);
    remove_other_etcd_assets(folder, plan.etcd_assets);
    record.settle();
    TORTIE_DO(record.save(folder));
    return {};
}

// The lock is held until the node is whole and not while the installer sleeps.
Result<Freshness> install_once(const Settings &settings, EntryPoint entry_point,
                               const kube::GetEnv &get_env)
{
    TORTIE_TRY(const Folder folder, open_net_folder());
    TORTIE_DO(folder.lock(kLockPatience));
    TORTIE_TRY(Plan plan, make_plan(settings, entry_point, folder, get_env));
    folder.remove_leftovers();
    TORTIE_DO(carry_out(settings, plan, folder));
    return Freshness{.in_pod = plan.account.has_value(), .token_life = plan.token.life};
}

}  // namespace

Result<> install(EntryPoint entry_point, const kube::GetEnv &get_env)
{
    TORTIE_TRY(const Settings settings, read_settings(get_env));
    TORTIE_TRY(const Freshness freshness, install_once(settings, entry_point, get_env));
    log::info(std::string("Done configuring CNI.  Sleep= ") + (settings.sleep ? "true" : "false"));
    if (settings.sleep)
        keep_fresh(settings, freshness, get_env);
    return {};
}

}  // namespace tortie::installer
