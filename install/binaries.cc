// SPDX-License-Identifier: Apache-2.0
#include "install/binaries.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "install/folder.h"
#include "install/record.h"
#include "install/staged_file.h"

namespace tortie::installer {
namespace {

constexpr const char *kImageFolder = "/opt/cni/bin";
constexpr const char *kCalico = "/usr/bin/calico";
constexpr std::size_t kMostBytes = 256UL * 1024 * 1024;

bool is_calico(const std::string &name)
{
    return name == "calico" || name == "calico-ipam";
}

bool is_installer(const std::string &name)
{
    return name == "install" || name == "install.exe";
}

bool calico_is_apart()
{
    struct stat st {};
    return ::lstat(kCalico, &st) == 0 && S_ISREG(st.st_mode);
}

// Reads each file once, however many names it has.
class ImageReader {
public:
    // nullopt: a directory.
    Result<std::optional<Binary>> read(const std::string &name, const std::string &path);

private:
    std::map<std::pair<dev_t, ino_t>, Binary> read_;
};

Result<std::optional<Binary>> ImageReader::read(const std::string &name, const std::string &path)
{
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd.valid())
        return fail(go_error(errno, "failed to copy file: open " + path));
    struct stat st {};
    if (::fstat(fd.get(), &st) < 0)
        return fail(go_error(errno, "failed to stat file: " + path));
    if (S_ISDIR(st.st_mode))
        return std::nullopt;
    if (!S_ISREG(st.st_mode))
        return fail(ErrorKind::kInvalidInput,
                    "failed to copy file: " + path + " is not a regular file");
    const auto [known, is_new] = read_.try_emplace({st.st_dev, st.st_ino});
    if (is_new) {
        TORTIE_TRY(std::string content, read_to_end(fd.get(), kMostBytes, path));
        known->second.hash = sha256_hex(content);
        known->second.content = std::make_shared<const std::string>(std::move(content));
        known->second.mode = st.st_mode & 0755;
    }
    Binary binary = known->second;
    binary.name = name;
    return binary;
}

Result<std::vector<std::string>> names_of_image(bool with_calico)
{
    std::vector<std::string> names;
    const auto folder = Folder::open(kImageFolder);
    if (folder) {
        TORTIE_TRY(names, folder->names());
    } else if (folder.error().kind() != ErrorKind::kNotFound || !with_calico) {
        return fail(folder.error());
    }
    names.erase(std::remove_if(names.begin(), names.end(),
                               [&](const std::string &name) {
                                   return is_installer(name) || is_staging_name(name) ||
                                          (with_calico && is_calico(name));
                               }),
                names.end());
    if (with_calico)
        names.insert(names.end(), {"calico", "calico-ipam"});
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace

Result<std::vector<Binary>> binaries_of_image()
{
    const bool apart = calico_is_apart();
    TORTIE_TRY(const std::vector<std::string> names, names_of_image(apart));
    ImageReader reader;
    std::vector<Binary> binaries;
    binaries.reserve(names.size());
    for (const std::string &name : names) {
        const std::string path = apart && is_calico(name) ? std::string(kCalico)
                                                          : std::string(kImageFolder) + '/' + name;
        TORTIE_TRY(std::optional<Binary> binary, reader.read(name, path));
        if (binary)
            binaries.push_back(*std::move(binary));
        else
            log::warn("a directory among the plugins is not installed", {{"path", path}});
    }
    if (binaries.empty())
        return fail(ErrorKind::kNotFound,
                    std::string("there is no plugin in ") + kImageFolder + " of this image");
    return binaries;
}

}  // namespace tortie::installer
