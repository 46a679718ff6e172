// SPDX-License-Identifier: Apache-2.0
#include "install/binary_folder.h"

#include <fcntl.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/log.h"
#include "install/staged_file.h"

namespace tortie::installer {
namespace {

constexpr std::chrono::milliseconds kLockPatience{60'000};

// What happens to the binaries of one directory.
class Batch {
public:
    Batch(const Folder &folder, std::string record_prefix)
        : folder_(folder), record_prefix_(std::move(record_prefix))
    {
    }

    Result<> stage(const Binary &binary, Record &record);
    Result<> put_in_place();
    bool installed(const std::string &name) const;

private:
    Result<StagedFile> new_file(const Binary &binary);
    void take_back();

    struct Item {
        std::string name;
        std::optional<StagedFile> file;  // nullopt: already as it should be
    };

    const Folder &folder_;
    std::string record_prefix_;
    std::vector<Item> items_;
    std::map<const std::string *, std::size_t> first_of_content_;  // index in items_
};

Result<StagedFile> Batch::new_file(const Binary &binary)
{
    const auto first = first_of_content_.find(binary.content.get());
    if (first == first_of_content_.end())
        return StagedFile::write(folder_, binary.name, *binary.content, binary.mode);
    return StagedFile::link(*items_[first->second].file, binary.name, *binary.content, binary.mode);
}

Result<> Batch::stage(const Binary &binary, Record &record)
{
    const std::string target = folder_.path_of(binary.name);
    record.will_write(record_prefix_ + '/' + binary.name, binary.hash);
    if (is_like(folder_, binary.name, *binary.content, binary.mode)) {
        items_.push_back({binary.name, std::nullopt});
        return {};
    }
    auto file = new_file(binary);
    if (!file && file.error().kind() == ErrorKind::kTryAgain)
        return fail(std::move(file).error().within("Failed to verify installed binary " + target));
    if (!file)
        return fail(std::move(file).error().within("Failed to install " + target +
                                                   ": failed to copy file"));
    first_of_content_.try_emplace(binary.content.get(), items_.size());
    items_.push_back({binary.name, *std::move(file)});
    return {};
}

void Batch::take_back()
{
    for (Item &item : items_) {
        if (item.file)
            item.file->take_back();
    }
}

Result<> Batch::put_in_place()
{
    for (Item &item : items_) {
        if (!item.file)
            continue;
        if (auto put = item.file->put_in_place(); !put) {
            take_back();
            return fail(std::move(put).error().within(
                "Failed to install " + folder_.path_of(item.name) + ": failed to rename file"));
        }
    }
    TORTIE_DO(folder_.sync());
    for (const Item &item : items_) {
        if (!item.file)
            log::info("File is already up to date, skipping",
                      {{"file", folder_.path_of(item.name)}});
        log::info("Installed " + folder_.path_of(item.name));
    }
    return {};
}

bool Batch::installed(const std::string &name) const
{
    return std::any_of(items_.begin(), items_.end(),
                       [&](const Item &item) { return item.name == name; });
}

bool is_skipped(const Settings &settings, const std::string &name)
{
    return std::find(settings.skip_binaries.begin(), settings.skip_binaries.end(), name) !=
           settings.skip_binaries.end();
}

// Wanted here: not skipped by name, and not kept as it is.
bool is_wanted(const Settings &settings, const Folder &folder, const Binary &binary)
{
    if (is_skipped(settings, binary.name)) {
        if (binary.name == "calico" || binary.name == "calico-ipam")
            log::warn("SKIP_CNI_BINARIES names a plugin that Calico's network needs",
                      {{"plugin", binary.name}});
        return false;
    }
    if (settings.update_binaries || !folder.holds(binary.name))
        return true;
    log::info("Skipping installation of " + folder.path_of(binary.name));
    return false;
}

Result<> install_into(const Folder &folder, const std::string &record_prefix,
                      const Settings &settings, std::span<const Binary> binaries,
                      const Folder &net_folder, Record &record)
{
    TORTIE_DO(folder.lock(kLockPatience));
    folder.remove_leftovers();
    Batch batch(folder, record_prefix);
    for (const Binary &binary : binaries) {
        if (is_wanted(settings, folder, binary))
            TORTIE_DO(batch.stage(binary, record));
    }
    TORTIE_DO(record.save(net_folder));
    TORTIE_DO(batch.put_in_place());
    log::info("Wrote Calico CNI binaries to " + folder.path());
    if (batch.installed("calico"))
        log::info("CNI plugin version: " TORTIE_VERSION);
    return {};
}

// The way out for nodes whose directory is filled by somebody else.
Result<> accept_what_is_there(const Settings &settings)
{
    if (!settings.update_binaries) {
        for (const BinaryFolderPath &path : kBinaryFolders) {
            const auto folder = Folder::open(path.path);
            if (!folder || !folder->holds("calico") || !folder->holds("calico-ipam"))
                continue;
            log::info(
                "No writeable CNI bin directory found but [calico calico-ipam] already exist at " +
                folder->path() + " and UPDATE_CNI_BINARIES=false; continuing");
            return {};
        }
    }
    return fail(ErrorKind::kSystem,
                "found no writeable directory, exiting (mount the host's directory of CNI plugins "
                "writable at /host/opt/cni/bin or /host/secondary-bin-dir)");
}

}  // namespace

Result<> install_binaries(const Settings &settings, std::span<const Binary> binaries,
                          const Folder &net_folder, Record &record)
{
    bool found = false;
    for (const BinaryFolderPath &path : kBinaryFolders) {
        const auto folder = Folder::open(path.path);
        if (!folder || !folder->is_writable()) {
            log::info(std::string(path.path) + " is not writeable, skipping");
            continue;
        }
        TORTIE_DO(install_into(*folder, path.record, settings, binaries, net_folder, record));
        found = true;
    }
    return found ? Result<>() : accept_what_is_there(settings);
}

}  // namespace tortie::installer
