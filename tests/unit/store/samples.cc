// SPDX-License-Identifier: Apache-2.0
#include "samples.h"

#include "base/file.h"

namespace tortie::store {

nlohmann::json samples(const std::string &name)
{
    const std::string path = std::string(TORTIE_STORE_SAMPLES) + '/' + name + ".json";
    const Result<std::string> text = read_file(path, 1UL << 20);
    return text ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
}

std::vector<nlohmann::json> samples_of(const std::string &name, const std::string &kind)
{
    std::vector<nlohmann::json> found;
    for (const nlohmann::json &object : samples(name)) {
        if (object["kind"] == kind)
            found.push_back(object);
    }
    return found;
}

}  // namespace tortie::store
