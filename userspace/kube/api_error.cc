// SPDX-License-Identifier: Apache-2.0
#include "kube/api_error.h"

#include <algorithm>

#include "base/strings.h"
#include "kube/json_objects.h"

namespace tortie::kube {
namespace {

constexpr std::size_t kMostShownBytes = 512;

// The server's own words, bounded, on one line.
std::string message_of(const http::Response &response, const Status &status)
{
    const std::string_view text = status.message.empty() ? response.body : status.message;
    std::string shown(trim(text.substr(0, kMostShownBytes)));
    std::replace_if(
        shown.begin(), shown.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
    return shown.empty() ? "the server answered with status " + std::to_string(response.status)
                         : shown;
}

// Only these fields, and at least one, are what the server objects to.
bool objects_only_to(const Status &status, std::string_view field)
{
    return !status.cause_fields.empty() &&
           std::all_of(status.cause_fields.begin(), status.cause_fields.end(),
                       [&](const std::string &each) { return each == field; });
}

ErrorKind kind_of(const http::Response &response, const Status &status, bool writes)
{
    switch (response.status) {
    case 400:
    case 405:
    case 415:
        return ErrorKind::kInvalidInput;
    case 404:
        return status.reason == "NotFound" && !status.name.empty() ? ErrorKind::kNotFound
                                                                   : ErrorKind::kUnsupported;
    case 409:
        if (status.reason == "AlreadyExists")
            return ErrorKind::kExists;
        return status.message.find("UID in precondition") != std::string::npos
                   ? ErrorKind::kNotFound
                   : ErrorKind::kConflict;
    case 422:
        if (objects_only_to(status, "metadata.uid"))
            return ErrorKind::kNotFound;
        return objects_only_to(status, "metadata.resourceVersion") ? ErrorKind::kConflict
                                                                   : ErrorKind::kInvalidInput;
    case 401:
    case 410:
    case 429:
        return ErrorKind::kTryAgain;
    default:
        break;
    }
    if (response.status >= 500)
        return writes ? ErrorKind::kUnknownOutcome : ErrorKind::kTryAgain;
    return ErrorKind::kSystem;
}

}  // namespace

Error error_of(const http::Response &response, bool writes)
{
    Status status;
    parse_status(response.body, status);  // what is none leaves it empty
    Error error(kind_of(response, status, writes), message_of(response, status));
    if (response.status == 401 || response.status == 403)
        return std::move(error).within("connection is unauthorized");
    return error;
}

}  // namespace tortie::kube
