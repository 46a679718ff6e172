// SPDX-License-Identifier: Apache-2.0
//
// Kubernetes' own objects out of the API server's JSON. Members of a wrong type are as if they
// were absent: the API server checks its objects, and an odd one must not stop a DEL.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kube/objects.h"

namespace tortie::kube {

// Errors of all below: kInvalidInput when the text is not an object with a name.
Result<Pod> parse_pod(std::string_view text);
Result<Namespace> parse_namespace(std::string_view text);
Result<Node> parse_node(std::string_view text);
Result<VirtualMachine> parse_virtual_machine(std::string_view text);

template <class T>
struct ObjectPage {
    std::vector<T> items;
    std::string next;  // metadata.continue; empty: the last page
};
Result<ObjectPage<Pod>> parse_pods(std::string_view text);
Result<ObjectPage<Node>> parse_nodes(std::string_view text);

// Names of the groups in the answer to /apis.
Result<std::vector<std::string>> parse_groups(std::string_view text);

// {"gitVersion": "v1.33.1", ...} of /version.
Result<std::string> parse_version(std::string_view text);

// A metav1.Status, which every error of the API server is.
struct Status {
    std::string message;
    std::string reason;                     // "NotFound"
    std::string name;                       // details.name: which object
    std::vector<std::string> cause_fields;  // details.causes[].field
};

// False: not a Status.
bool parse_status(std::string_view text, Status &status);

// What identifies the version of any object in an answer.
struct ObjectVersion {
    std::string uid;
    std::string resource_version;
};
Result<ObjectVersion> parse_version_of_object(std::string_view text);

// {"metadata":{"annotations":{...},"resourceVersion":...,"uid":...}}, what is empty left out: a
// strategic merge patch.
std::string annotations_patch(const StringMap &annotations, const ObjectVersion &expected);

// metav1.DeleteOptions with preconditions; what is empty is none.
std::string delete_options(const ObjectVersion &expected);

}  // namespace tortie::kube
