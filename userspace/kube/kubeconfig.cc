// SPDX-License-Identifier: Apache-2.0
#include "kube/kubeconfig.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <optional>
#include <utility>

#include "base/base64.h"
#include "base/file.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "http/proxy.h"
#include "http/url.h"
#include "kube/json_kubeconfig.h"
#include "kube/yaml.h"

namespace tortie::kube {
namespace {

constexpr std::size_t kMaxPemBytes = 1UL << 20;
constexpr std::size_t kMaxTokenBytes = 64UL << 10;
constexpr std::size_t kMaxFiles = 64;

// Through symbolic links, unlike read_file(): Kubernetes mounts tokens and certificates as links.
Result<std::string> read_through_links(const std::string &path, std::size_t max_bytes)
{
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd.valid())
        return fail(go_error(errno, "open " + path));
    struct stat status {};
    if (::fstat(fd.get(), &status) < 0)
        return fail(go_error(errno, "stat " + path));
    if (!S_ISREG(status.st_mode))
        return fail(ErrorKind::kInvalidInput, "open " + path + ": not a regular file");
    return read_to_end(fd.get(), max_bytes, path);
}

// What stands in a kubeconfig as a path is meant from the folder of that kubeconfig.
void resolve(const std::string &file, std::string &path)
{
    if (!path.empty() && !path.starts_with('/'))
        path.insert(0, file.substr(0, file.rfind('/') + 1));
}

// The first file that says a thing wins.
void merge(const std::string &file, Kubeconfig from, Kubeconfig &into)
{
    if (into.current_context.empty())
        into.current_context = std::move(from.current_context);
    for (auto &[name, cluster] : from.clusters) {
        resolve(file, cluster.ca_file);
        into.clusters.emplace(name, std::move(cluster));
    }
    for (auto &[name, user] : from.users) {
        for (std::string *path : {&user.token_file, &user.cert_file, &user.key_file})
            resolve(file, *path);
        into.users.emplace(name, std::move(user));
    }
    into.contexts.merge(from.contexts);
}

// Of several files some may be missing, of one not.
Result<Kubeconfig> load_files(const std::string &paths)
{
    Kubeconfig merged;
    std::optional<Error> missing;
    bool found = false;
    const auto files = split(paths, ':');
    if (files.size() > kMaxFiles)
        return fail(ErrorKind::kInvalidInput, "more than 64 kubeconfig files");
    for (const std::string_view file : files) {
        if (file.empty())
            continue;
        const std::string path(file);
        auto text = read_through_links(path, kMaxYamlBytes);
        if (!text && text.error().kind() == ErrorKind::kNotFound) {
            if (!missing)
                missing = std::move(text).error();
            continue;
        }
        if (!text)
            return fail(std::move(text).error());
        auto config = parse_kubeconfig(*text);
        if (!config)
            return fail(
                std::move(config).error().within("error loading config file " + go_quoted(path)));
        merge(path, *std::move(config), merged);
        found = true;
    }
    if (!found && missing)
        return fail(*std::move(missing));
    return merged;
}

struct Chosen {
    KubeconfigCluster cluster;
    KubeconfigUser user;
};

Result<Chosen> choose(const Kubeconfig &config, const std::string &wanted_context)
{
    const auto lacks = [](std::string text) {
        return fail(ErrorKind::kInvalidInput, "invalid configuration: " + std::move(text));
    };
    const std::string &name = wanted_context.empty() ? config.current_context : wanted_context;
    if (config.contexts.empty() && config.clusters.empty() && name.empty())
        return lacks("no configuration has been provided");
    const auto context = config.contexts.find(name);
    if (context == config.contexts.end())
        return lacks("context was not found for specified context: " + name);
    const auto cluster = config.clusters.find(context->second.cluster);
    if (cluster == config.clusters.end()) {
        return lacks("cluster " + go_quoted(context->second.cluster) +
                     " was not found for context " + go_quoted(name));
    }
    if (context->second.user.empty())
        return Chosen{cluster->second, {}};
    const auto user = config.users.find(context->second.user);
    if (user == config.users.end()) {
        return lacks("user " + go_quoted(context->second.user) + " was not found for context " +
                     go_quoted(name));
    }
    if (user->second.needs_program) {
        return fail(ErrorKind::kUnsupported,
                    "user " + go_quoted(context->second.user) +
                        " of the kubeconfig needs an exec or auth-provider program: not "
                        "supported, use a token or a client certificate");
    }
    return Chosen{cluster->second, user->second};
}

Result<Chosen> in_cluster(const AccessSettings &settings, const GetEnv &get_env)
{
    const char *host = get_env("KUBERNETES_SERVICE_HOST");
    const char *port = get_env("KUBERNETES_SERVICE_PORT");
    if (!host || !*host || !port || !*port) {
        return fail(ErrorKind::kInvalidInput,
                    "unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and "
                    "KUBERNETES_SERVICE_PORT must be defined");
    }
    Chosen chosen;
    chosen.cluster.server =
        "https://" + std::string(std::string_view(host).find(':') == std::string_view::npos
                                     ? host
                                     : "[" + std::string(host) + "]");
    chosen.cluster.server += ":" + std::string(port);
    chosen.cluster.ca_file = settings.service_account + "/ca.crt";
    chosen.user.token_file = settings.service_account + "/token";
    return chosen;
}

void override_with(const AccessSettings &settings, Chosen &chosen)
{
    const auto set = [](const std::string &from, std::string &into, std::string &instead_of) {
        if (from.empty())
            return;
        into = from;
        instead_of.clear();
    };
    std::string none;
    set(settings.api_endpoint, chosen.cluster.server, none);
    set(settings.ca_file, chosen.cluster.ca_file, chosen.cluster.ca_data);
    set(settings.cert_file, chosen.user.cert_file, chosen.user.cert_data);
    set(settings.key_file, chosen.user.key_file, chosen.user.key_data);
    set(settings.token, chosen.user.token, chosen.user.token_file);
    if (settings.insecure_skip_tls_verify) {
        chosen.cluster.insecure = true;
        chosen.cluster.ca_file.clear();
        chosen.cluster.ca_data.clear();
    }
}

// Data in the kubeconfig, else the file.
Result<std::string> pem_of(const std::string &data, const std::string &file, std::string_view what)
{
    if (data.empty())
        return file.empty() ? Result<std::string>("") : read_through_links(file, kMaxPemBytes);
    auto pem = base64_decode(data);
    if (!pem) {
        return fail(ErrorKind::kInvalidInput,
                    "invalid configuration: " + std::string(what) + "-data is not base64");
    }
    return *std::move(pem);
}

Result<std::string> authorization_of(const KubeconfigUser &user)
{
    std::string token = user.token;
    if (!user.token_file.empty()) {
        auto read = read_through_links(user.token_file, kMaxTokenBytes);
        if (read)
            token = trim(*read);
        else if (token.empty())
            return fail(std::move(read).error());
    }
    if (!token.empty())
        return "Bearer " + token;
    if (!user.username.empty() || !user.password.empty())
        return "Basic " + base64_encode(user.username + ":" + user.password);
    return std::string();
}

Result<http::Tls> tls_of(const Chosen &chosen)
{
    const KubeconfigCluster &cluster = chosen.cluster;
    http::Tls tls;
    tls.insecure = cluster.insecure;
    tls.server_name = cluster.tls_server_name;
    if (cluster.insecure && !(cluster.ca_file.empty() && cluster.ca_data.empty())) {
        return fail(ErrorKind::kInvalidInput,
                    "specifying a root certificates file with the "
                    "insecure flag is not allowed");
    }
    TORTIE_TRY(tls.ca_pem, pem_of(cluster.ca_data, cluster.ca_file, "certificate-authority"));
    TORTIE_TRY(tls.certificate_pem,
               pem_of(chosen.user.cert_data, chosen.user.cert_file, "client-certificate"));
    TORTIE_TRY(tls.key_pem, pem_of(chosen.user.key_data, chosen.user.key_file, "client-key"));
    if (tls.certificate_pem.empty() != tls.key_pem.empty()) {
        return fail(ErrorKind::kInvalidInput,
                    "invalid configuration: client-certificate and client-key go together");
    }
    return tls;
}

// A server without a scheme is one of HTTPS when there is anything about TLS, as in client-go.
std::string with_scheme(const std::string &server, const http::Tls &tls)
{
    if (server.find("://") != std::string::npos)
        return server;
    const bool https = tls.insecure || !tls.ca_pem.empty() || !tls.certificate_pem.empty();
    return (https ? "https://" : "http://") + server;
}

Result<Access> access_of(const Chosen &chosen, const GetEnv &get_env)
{
    Access access;
    TORTIE_TRY(http::Tls tls, tls_of(chosen));
    if (chosen.cluster.server.empty())
        return fail(ErrorKind::kInvalidInput, "invalid configuration: no server given");
    TORTIE_TRY(http::Url url, http::parse_url(with_scheme(chosen.cluster.server, tls)));
    if (url.scheme != "https" && url.scheme != "http")
        return fail(ErrorKind::kUnsupported, "API server by " + url.scheme);
    access.server.host = std::move(url.host);
    access.server.port = url.port;
    access.base_path = std::move(url.path);
    if (url.scheme == "https")
        access.server.tls = std::move(tls);
    if (!chosen.cluster.proxy_url.empty()) {
        TORTIE_TRY(access.server.proxy, http::parse_proxy(chosen.cluster.proxy_url));
    } else {
        TORTIE_TRY(access.server.proxy, http::proxy_from_environment(get_env, access.server));
    }
    TORTIE_TRY(access.authorization, authorization_of(chosen.user));
    return access;
}

}  // namespace

Result<Access> load_access(const AccessSettings &settings, const GetEnv &get_env)
{
    Chosen chosen;
    if (!settings.kubeconfig.empty()) {
        TORTIE_TRY(const Kubeconfig config, load_files(settings.kubeconfig));
        TORTIE_TRY(chosen, choose(config, settings.current_context));
    } else if (settings.api_endpoint.empty() && settings.in_cluster) {
        TORTIE_TRY(chosen, in_cluster(settings, get_env));
    } else if (settings.api_endpoint.empty()) {
        return fail(ErrorKind::kInvalidInput,
                    "invalid configuration: no configuration has been provided");
    }
    override_with(settings, chosen);
    return access_of(chosen, get_env);
}

}  // namespace tortie::kube
