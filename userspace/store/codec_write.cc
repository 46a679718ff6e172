// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include <nlohmann/json.hpp>

#include "store/codec.h"
#include "store/codec_form.h"
#include "store/codec_json.h"
#include "store/codec_kinds.h"
#include "store/names.h"

namespace tortie::store {
namespace {

template <class T>
void write_around(const T &, json &)
{
}

void write_around(const Node &node, json &metadata)
{
    if (!node.labels.empty())
        metadata["labels"] = node.labels;
}

void write_around(const Endpoint &endpoint, json &metadata)
{
    write_metadata(endpoint, metadata);
}

void set_all(json &metadata, const char *map, const StringMap &ours)
{
    json &members = metadata[map];
    if (!members.is_object())
        members = json::object();
    for (const auto &[key, value] : ours)
        members[key] = value;
}

struct Encode {
    Spelling spelling;
    const Revision &expected;

    template <class T>
    Result<std::string> operator()(const T &document) const
    {
        if constexpr (requires { Form<T>::kIpam; }) {
            if (!Form<T>::kCrd && spelling != Spelling::kEtcd)
                return unsupported();
            json spec = object_of(document.unknown.spec);
            write(document, spelling, spec);
            return text_of(is_bare<T>(spelling) ? spec : resource(document, std::move(spec)));
        } else {
            return unsupported();
        }
    }

    static tl::unexpected<Error> unsupported()
    {
        return fail(ErrorKind::kUnsupported, "has no object of its own");
    }

    template <class T>
    json resource(const T &document, json spec) const
    {
        json object = object_of(document.unknown.beside);
        object["kind"] = spelling == Spelling::kCrdV1 ? Form<T>::kV1 : Form<T>::kV3;
        object["apiVersion"] =
            spelling == Spelling::kCrdV1 ? "crd.projectcalico.org/v1" : "projectcalico.org/v3";
        object["metadata"] = metadata_of(document);
        object["spec"] = std::move(spec);
        return object;
    }

    template <class T>
    json metadata_of(const T &document) const
    {
        json metadata = object_of(document.unknown.metadata);
        metadata["name"] = kube_name(key_of(document));
        write_around(document, metadata);
        if (spelling == Spelling::kEtcd)
            return metadata;
        set_text(metadata, "resourceVersion", expected.version);
        if constexpr (std::is_same_v<T, Handle>)
            set_text(metadata, "uid", expected.uid);
        const StringMap labels = labels_of(document);
        if (!labels.empty())
            set_all(metadata, "labels", labels);
        if (Form<T>::kIpam && spelling == Spelling::kCrdV1) {
            const json own = labels.empty() ? json::object() : json({{"labels", labels}});
            set_all(metadata, "annotations", {{kCalicoMetadata, text_of(own)}});
        }
        return metadata;
    }
};

}  // namespace

Result<std::string> encode(const Document &document, Spelling spelling, const Revision &expected)
{
    Result<std::string> text = std::visit(Encode{spelling, expected}, document);
    if (!text)
        return fail(std::move(text).error().within(describe(key_of(document))));
    return text;
}

namespace {

struct SetBirth {
    std::string_view uid;
    std::string_view timestamp;

    void operator()(Endpoint &endpoint) const
    {
        if (endpoint.uid.empty())
            endpoint.uid = uid;
        if (endpoint.creation_timestamp.empty())
            endpoint.creation_timestamp = timestamp;
    }
    template <class T>
    void operator()(T &document) const
    {
        if constexpr (requires { Form<T>::kIpam; }) {
            if (Form<T>::kIpam)
                return;
            json metadata = object_of(document.unknown.metadata);
            if (!metadata.contains("uid"))
                metadata["uid"] = uid;
            if (!metadata.contains("creationTimestamp"))
                metadata["creationTimestamp"] = timestamp;
            document.unknown.metadata = text_of(metadata);
        }
    }
};

}  // namespace

void set_birth(Document &document, std::string_view uid, std::string_view timestamp)
{
    std::visit(SetBirth{uid, timestamp}, document);
}

}  // namespace tortie::store
