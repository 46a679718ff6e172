// SPDX-License-Identifier: Apache-2.0
#include "kube/json_kubeconfig.h"

#include <nlohmann/json.hpp>

#include "kube/yaml.h"

namespace tortie::kube {
namespace {

using nlohmann::json;

tl::unexpected<Error> malformed(std::string_view where, std::string_view why)
{
    return fail(ErrorKind::kInvalidInput, std::string(where) + ": " + std::string(why));
}

// Members of one object; the first that is of the wrong type is the error.
class Reader {
public:
    Reader(const json &object, std::string where) : object_(object), where_(std::move(where)) {}

    void text(const char *key, std::string &into)
    {
        const auto found = object_.find(key);
        if (found == object_.end() || found->is_null())
            return;
        if (const auto *value = found->get_ptr<const std::string *>())
            into = *value;
        else
            complain(key, "is not a text");
    }

    void flag(const char *key, bool &into)
    {
        const auto found = object_.find(key);
        if (found == object_.end() || found->is_null())
            return;
        if (const auto *value = found->get_ptr<const bool *>())
            into = *value;
        else
            complain(key, "is neither true nor false");
    }

    bool has(const char *key) const
    {
        const auto found = object_.find(key);
        return found != object_.end() && !found->is_null();
    }

    Result<> done()
    {
        if (error_)
            return fail(*std::move(error_));
        return {};
    }

private:
    void complain(const char *key, std::string_view why)
    {
        if (!error_)
            error_ = malformed(where_ + "." + key, why).value();
    }

    const json &object_;
    std::string where_;
    std::optional<Error> error_;
};

Result<> read(Reader reader, KubeconfigCluster &cluster)
{
    reader.text("server", cluster.server);
    reader.text("certificate-authority", cluster.ca_file);
    reader.text("certificate-authority-data", cluster.ca_data);
    reader.text("tls-server-name", cluster.tls_server_name);
    reader.text("proxy-url", cluster.proxy_url);
    reader.flag("insecure-skip-tls-verify", cluster.insecure);
    return reader.done();
}

Result<> read(Reader reader, KubeconfigUser &user)
{
    reader.text("token", user.token);
    reader.text("tokenFile", user.token_file);
    reader.text("client-certificate", user.cert_file);
    reader.text("client-certificate-data", user.cert_data);
    reader.text("client-key", user.key_file);
    reader.text("client-key-data", user.key_data);
    reader.text("username", user.username);
    reader.text("password", user.password);
    user.needs_program = reader.has("exec") || reader.has("auth-provider");
    return reader.done();
}

Result<> read(Reader reader, KubeconfigContext &context)
{
    reader.text("cluster", context.cluster);
    reader.text("user", context.user);
    return reader.done();
}

// `plural` is a list of {"name": ..., singular: {...}}. Of two with one name the first counts.
template <class T>
Result<> read_list(const json &config, const char *plural, const char *singular,
                   std::map<std::string, T> &into)
{
    const auto found = config.find(plural);
    if (found == config.end() || found->is_null())
        return {};
    if (!found->is_array())
        return malformed(plural, "is not a list");
    for (const json &item : *found) {
        const std::string where = std::string(plural) + "[]";
        if (!item.is_object())
            return malformed(where, "is not an object");
        std::string name;
        Reader named(item, where);
        named.text("name", name);
        TORTIE_DO(named.done());
        const auto inner = item.find(singular);
        T value;
        if (inner != item.end() && inner->is_object())
            TORTIE_DO(read(Reader(*inner, where + '.' + singular), value));
        into.emplace(std::move(name), std::move(value));
    }
    return {};
}

}  // namespace

Result<Kubeconfig> parse_kubeconfig(std::string_view text)
{
    TORTIE_TRY(const std::vector<std::string> documents, yaml_to_json(text));
    Kubeconfig config;
    if (documents.empty())
        return config;
    const json object = json::parse(documents.front(), nullptr, /*allow_exceptions=*/false);
    if (!object.is_object())
        return fail(ErrorKind::kInvalidInput, "is not a kubeconfig");
    Reader top(object, "kubeconfig");
    top.text("current-context", config.current_context);
    TORTIE_DO(top.done());
    TORTIE_DO(read_list(object, "clusters", "cluster", config.clusters));
    TORTIE_DO(read_list(object, "users", "user", config.users));
    TORTIE_DO(read_list(object, "contexts", "context", config.contexts));
    return config;
}

}  // namespace tortie::kube
