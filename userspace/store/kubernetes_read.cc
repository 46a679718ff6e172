// SPDX-License-Identifier: Apache-2.0
#include "store/kubernetes_read.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "kube/json_objects.h"
#include "store/kubernetes_paths.h"
#include "store/names.h"

namespace tortie::store {
namespace {

template <class T>
concept Deletable = requires(T document)
{
    document.deleted;
};

bool is_deleted(const Document &document)
{
    return std::visit(
        [](const auto &each) {
            if constexpr (Deletable<std::decay_t<decltype(each)>>)
                return each.deleted;
            else
                return false;
        },
        document);
}

template <class T>
Result<Stored> as_stored(Result<T> object)
{
    if (!object)
        return fail(std::move(object).error());
    Revision revision{.version = object->meta.resource_version, .uid = object->meta.uid};
    if constexpr (std::is_same_v<T, kube::Node>)
        return Stored{node_of(*std::move(object)), std::move(revision)};
    else
        return Stored{*std::move(object), std::move(revision)};
}

Result<Stored> read_object(const Key &key, const std::string &answer, Spelling spelling)
{
    if (std::holds_alternative<PodKey>(key))
        return as_stored(kube::parse_pod(answer));
    if (std::holds_alternative<NamespaceKey>(key))
        return as_stored(kube::parse_namespace(answer));
    if (std::holds_alternative<NodeKey>(key))
        return as_stored(kube::parse_node(answer));
    if (std::holds_alternative<VmiKey>(key) || std::holds_alternative<VmKey>(key))
        return as_stored(kube::parse_virtual_machine(answer));
    return decode(key, answer, spelling);
}

template <class T>
Result<Page> as_page(Result<kube::ObjectPage<T>> objects)
{
    if (!objects)
        return fail(std::move(objects).error());
    Page page;
    page.next = std::move(objects->next);
    for (T &object : objects->items) {
        TORTIE_TRY(Stored stored, as_stored(Result<T>(std::move(object))));
        page.items.push_back(std::move(stored));
    }
    return page;
}

Result<Page> read_page(const Query &query, const std::string &answer, Spelling spelling)
{
    if (std::holds_alternative<ListNodes>(query))
        return as_page(kube::parse_nodes(answer));
    if (std::holds_alternative<ListPodsOnNode>(query))
        return as_page(kube::parse_pods(answer));
    if (std::holds_alternative<ListBlocks>(query))
        return decode_page(ListKind::kBlocks, answer, spelling);
    if (std::holds_alternative<ListHandles>(query))
        return decode_page(ListKind::kHandles, answer, spelling);
    if (std::holds_alternative<ListPools>(query))
        return decode_page(ListKind::kPools, answer, spelling);
    if (std::holds_alternative<ListReservations>(query))
        return decode_page(ListKind::kReservations, answer, spelling);
    return decode_page(ListKind::kAffinities, answer, spelling);
}

// Selectors go by a hash, and documents of old releases have no labels.
bool belongs(const Query &query, const Document &document)
{
    if (is_deleted(document))
        return false;
    const auto *wanted = std::get_if<ListAffinities>(&query);
    if (!wanted)
        return true;
    const auto &affinity = std::get<Affinity>(document);
    return affinity.type == wanted->type && (wanted->host.empty() || affinity.host == wanted->host);
}

// Calico's datastore names what it does not find; of pods, namespaces and machines, which Calico
// asks Kubernetes for itself, people know the API server's words: pods "web" not found.
bool is_calicos(const Key &key)
{
    return !std::holds_alternative<PodKey>(key) && !std::holds_alternative<NamespaceKey>(key) &&
           !std::holds_alternative<VmiKey>(key) && !std::holds_alternative<VmKey>(key);
}

// One query on its way.
class Progress {
public:
    Progress(const Query &query, Spelling spelling);

    // Until take() has seen the last answer.
    const std::optional<std::string> &path() const { return path_; }
    void take(Result<std::string> answer);

    // A deleted document whose deletion is to be finished.
    const std::optional<kube::Call> &clean_up() const { return clean_up_; }

    Found result() &&
    {
        if (error_)
            return fail(*std::move(error_));
        return std::move(found_);
    }

private:
    void take_object(const Key &key, const std::string &answer);
    void take_page(const std::string &answer);
    void stop(Error error)
    {
        error_ = std::move(error);
        path_.reset();
    }

    const Query &query_;
    Spelling spelling_;
    std::string list_path_;
    std::optional<std::string> path_;
    std::vector<Stored> found_;
    std::optional<Error> error_;
    std::optional<kube::Call> clean_up_;
    bool is_continued_ = false;
};

Progress::Progress(const Query &query, Spelling spelling) : query_(query), spelling_(spelling)
{
    const auto *key = std::get_if<Key>(&query);
    auto path = key ? object_path(*key, spelling) : list_path(query, spelling);
    if (!path) {
        stop(std::move(path).error());
        return;
    }
    list_path_ = *path;
    path_ = key ? *std::move(path) : page_path(list_path_, "");
}

void Progress::take(Result<std::string> answer)
{
    const auto *key = std::get_if<Key>(&query_);
    // A token of a list that took too long expires; then everything is asked for at once, as
    // client-go does.
    if (!answer && is_continued_ && answer.error().kind() == ErrorKind::kTryAgain) {
        is_continued_ = false;
        found_.clear();
        path_ = list_path_;
        return;
    }
    if (!answer) {
        const bool one = key && is_calicos(*key) && answer.error().kind() == ErrorKind::kNotFound;
        return stop(one ? Error(ErrorKind::kNotFound, "resource does not exist: " + describe(*key) +
                                                          " with error: " + answer.error().what())
                        : std::move(answer).error());
    }
    if (key)
        take_object(*key, *answer);
    else
        take_page(*answer);
}

void Progress::take_object(const Key &key, const std::string &answer)
{
    auto stored = read_object(key, answer, spelling_);
    if (!stored)
        return stop(std::move(stored).error());
    if (!is_deleted(stored->document)) {
        found_.push_back(*std::move(stored));
        path_.reset();
        return;
    }
    clean_up_ = {.method = http::Method::kDelete,
                 .path = *path_,
                 .body = kube::delete_options(
                     {.uid = stored->revision.uid, .resource_version = stored->revision.version})};
    stop(Error(ErrorKind::kNotFound, "resource does not exist: " + describe(key) +
                                         " with error: it is marked as deleted"));
}

void Progress::take_page(const std::string &answer)
{
    auto page = read_page(query_, answer, spelling_);
    if (!page)
        return stop(std::move(page).error());
    for (Stored &stored : page->items) {
        if (belongs(query_, stored.document))
            found_.push_back(std::move(stored));
    }
    is_continued_ = !page->next.empty();
    path_ = is_continued_ ? std::optional(page_path(list_path_, page->next)) : std::nullopt;
}

void finish_deletions(kube::Client &client, const std::vector<Progress> &all, Deadline deadline)
{
    std::vector<kube::Call> calls;
    for (const Progress &each : all) {
        if (each.clean_up())
            calls.push_back(*each.clean_up());
    }
    if (!calls.empty())
        client.exchange(calls, deadline);  // whoever meets it next tries again
}

}  // namespace

std::vector<Found> read_all(kube::Client &client, std::span<const Query> queries, Spelling spelling,
                            Deadline deadline)
{
    Beside nothing;
    return read_all(client, queries, spelling, nothing, deadline);
}

std::vector<Found> read_all(kube::Client &client, std::span<const Query> queries, Spelling spelling,
                            Beside &beside, Deadline deadline)
{
    std::vector<Progress> all;
    all.reserve(queries.size());
    for (const Query &query : queries)
        all.emplace_back(query, spelling);
    for (;;) {
        std::vector<kube::Call> calls;
        std::vector<Progress *> asking;
        for (Progress &each : all) {
            if (!each.path())
                continue;
            calls.push_back({.path = *each.path()});
            asking.push_back(&each);
        }
        if (calls.empty())
            break;
        for (kube::Call &call : std::exchange(beside.calls, {}))
            calls.push_back(std::move(call));
        auto answers = client.exchange(calls, deadline);
        for (std::size_t i = 0; i < asking.size(); ++i)
            asking[i]->take(std::move(answers[i]));
        for (std::size_t i = asking.size(); i < answers.size(); ++i)
            beside.answers.push_back(std::move(answers[i]));
    }
    finish_deletions(client, all, deadline);
    std::vector<Found> found;
    found.reserve(all.size());
    for (Progress &each : all)
        found.push_back(std::move(each).result());
    return found;
}

}  // namespace tortie::store
