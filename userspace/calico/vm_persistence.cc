// SPDX-License-Identifier: Apache-2.0
#include "calico/vm_persistence.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "base/log.h"
#include "calico/ipam_handle.h"
#include "ipam/owner_attributes.h"
#include "ipam/release.h"

namespace tortie::calico {
namespace {

using std::chrono_literals::operator""s;

constexpr std::string_view kKubevirt = "kubevirt.io/v1";
constexpr const char *kMigrationLabel = "kubevirt.io/migrationJobUID";

// Of each machine, when Felix swaps the owners under us.
constexpr int kMostTries = 5;

const kube::OwnerReference *owner_of(const std::vector<kube::OwnerReference> &owners,
                                     std::string_view kind, bool must_control)
{
    const auto found = std::find_if(owners.begin(), owners.end(), [&](const auto &owner) {
        return owner.api_version == kKubevirt && owner.kind == kind &&
               (owner.controller || !must_control);
    });
    return found == owners.end() ? nullptr : &*found;
}

Result<kube::Pod> read_pod(store::Store &store, const std::string &ns, const std::string &pod,
                           const std::optional<kube::Pod> &known, Deadline deadline)
{
    if (known)
        return *known;
    auto held = store::get<kube::Pod>(store, store::PodKey{ns, pod}, deadline);
    if (!held && held.error().kind() == ErrorKind::kNotFound)
        return fail(ErrorKind::kNotFound, "pod not found");
    if (!held)
        return fail(std::move(held).error());
    return std::move(held->document);
}

Result<kube::VirtualMachine> read_machine(store::Store &store, const store::Key &key,
                                          Deadline deadline)
{
    TORTIE_TRY(auto held, store::get<kube::VirtualMachine>(store, key, deadline));
    return std::move(held.document);
}

bool is_going(const kube::VirtualMachine &machine)
{
    return !machine.meta.deletion_timestamp.empty();
}

std::string migration_of(const kube::Pod &pod)
{
    const auto label = pod.meta.labels.find(kMigrationLabel);
    return label == pod.meta.labels.end() ? std::string() : label->second;
}

// Errors: as the API says, for a caller that needs all of it to be there.
Result<std::optional<VmPod>> vm_of(store::Store &store, const kube::Pod &pod, Deadline deadline)
{
    const auto *owner = owner_of(pod.owners, "VirtualMachineInstance", true);
    if (owner == nullptr)
        return std::nullopt;
    const std::string &ns = pod.meta.ns;
    TORTIE_TRY(const auto vmi, read_machine(store, store::VmiKey{ns, owner->name}, deadline));
    if (vmi.meta.uid != owner->uid)
        return fail(ErrorKind::kSystem, "VirtualMachineInstance " + ns + '/' + owner->name +
                                            " is another one than the pod's owner");
    VmPod vm{.ns = ns,
             .pod = pod.meta.name,
             .vmi_name = owner->name,
             .vmi_uid = vmi.meta.uid,
             .vm_uid = {},
             .migration_uid = migration_of(pod),
             .going = is_going(vmi)};
    if (const auto *above = owner_of(vmi.owners, "VirtualMachine", false)) {
        TORTIE_TRY(const auto machine,
                   read_machine(store, store::VmKey{ns, above->name}, deadline));
        vm.vm_uid = machine.meta.uid;
        vm.going = is_going(machine);
    }
    return vm;
}

// A configuration that cannot be read means that addresses persist.
bool persistence_is_off(store::Store &store, Deadline deadline)
{
    const auto config =
        store::get<store::IpamConfig>(store, store::IpamConfigKey{}, deadline.at_most(10s));
    return config && !config->document.persist_vm_addresses;
}

// Whether the machine of that name is being deleted, or is gone. Its instance has its name.
Result<bool> machine_is_going(store::Store &store, const std::string &ns, const std::string &name,
                              Deadline deadline)
{
    if (name.empty())
        return false;
    for (const store::Key &key :
         {store::Key(store::VmKey{ns, name}), store::Key(store::VmiKey{ns, name})}) {
        const auto machine = read_machine(store, key, deadline);
        if (machine)
            return is_going(*machine);
        if (machine.error().kind() != ErrorKind::kNotFound)
            return fail(machine.error());
    }
    return true;
}

// DEL has to come to an end: an instance that is gone or another one by now is no error.
Result<bool> is_going_for_del(store::Store &store, const kube::Pod &pod,
                              const kube::OwnerReference &owner, Deadline deadline)
{
    const std::string &ns = pod.meta.ns;
    const auto vmi = read_machine(store, store::VmiKey{ns, owner.name}, deadline);
    if (!vmi && vmi.error().kind() == ErrorKind::kNotFound)
        return machine_is_going(store, ns, owner.name, deadline);
    if (!vmi)
        return fail(vmi.error());
    const auto *above = owner_of(vmi->owners, "VirtualMachine", false);
    if (above == nullptr)
        return is_going(*vmi);
    const auto machine = read_machine(store, store::VmKey{ns, above->name}, deadline);
    if (machine)
        return is_going(*machine);
    if (machine.error().kind() == ErrorKind::kNotFound)
        return true;
    return fail(machine.error());
}

// One pass over the addresses. Errors: kConflict when an owner changed meanwhile.
Result<> clear_owner(store::Store &store, const std::vector<ipam::OwnedAddress> &addresses,
                     const std::string &handle, const ipam::PodName &pod, Deadline deadline)
{
    for (const ipam::OwnedAddress &address : addresses) {
        ipam::OwnerUpdate update;
        if (ipam::is_owned_by(address.active, pod)) {
            update.clear_active = true;
            update.expected_active = pod;
        } else if (ipam::is_owned_by(address.alternate, pod)) {
            update.clear_alternate = true;
            update.expected_alternate = pod;
        } else {
            continue;
        }
        const auto cleared =
            ipam::set_owner_attributes(store, address.ip, address.block, handle, update, deadline);
        if (!cleared && cleared.error().kind() != ErrorKind::kNotFound)
            return fail(cleared.error());
    }
    return {};
}

bool has_owner(const ipam::OwnedAddress &address)
{
    return (address.active && !address.active->empty()) ||
           (address.alternate && !address.alternate->empty());
}

// The pod is gone, and with it the name of its machine: this node's blocks tell.
Result<std::vector<std::pair<std::string, std::string>>> handles_naming(store::Store &store,
                                                                        const std::string &network,
                                                                        const ipam::PodName &pod,
                                                                        Deadline deadline)
{
    const store::Query query = store::ListBlocks{};
    TORTIE_TRY(const auto blocks,
               store::all<store::Block>(std::move(store.read({&query, 1}, deadline).front())));
    std::vector<std::pair<std::string, std::string>> handles;  // with the instance's name
    for (const auto &block : blocks) {
        for (const store::Attribute &record : block.document.attributes) {
            if (!record.handle_id || !record.handle_id->starts_with(network + ".vmi.") ||
                (!ipam::is_owned_by(record.secondary, pod) &&
                 !ipam::is_owned_by(record.alternate, pod)))
                continue;
            const auto &owner =
                ipam::is_owned_by(record.secondary, pod) ? *record.secondary : *record.alternate;
            const auto name = owner.find("vmi-name");
            handles.emplace_back(*record.handle_id, name == owner.end() ? "" : name->second);
        }
    }
    std::sort(handles.begin(), handles.end());
    handles.erase(std::unique(handles.begin(), handles.end()), handles.end());
    return handles;
}

// Clears the pod, and releases when the machine goes and nobody is left.
Result<> clear_and_release(store::Store &store, const std::string &node, const std::string &handle,
                           const ipam::PodName &pod, bool going, Deadline deadline)
{
    for (int tries = 1;; ++tries) {
        const auto addresses = ipam::addresses_of_handle(store, handle, deadline);
        if (!addresses && addresses.error().kind() == ErrorKind::kNotFound)
            return {};
        if (!addresses)
            return fail(addresses.error());
        const auto cleared = clear_owner(store, *addresses, handle, pod, deadline);
        if (cleared)
            break;
        if (cleared.error().kind() != ErrorKind::kConflict || tries == kMostTries)
            return fail(cleared.error());
    }
    if (!going)
        return {};
    const auto left = ipam::addresses_of_handle(store, handle, deadline);
    if (!left)
        return left.error().kind() == ErrorKind::kNotFound ? Result<>() : fail(left.error());
    if (std::any_of(left->begin(), left->end(), has_owner))
        return {};
    const ipam::ReleaseNames names{.handle = handle, .legacy = {}, .legacy_always = false};
    TORTIE_DO(ipam::release_by_handle(store, node, names, deadline));
    return {};
}

}  // namespace

bool may_be_vm(std::string_view pod)
{
    return pod.starts_with("virt-launcher-");
}

Result<std::optional<VmPod>> vm_for_add(store::Store &store, const std::string &ns,
                                        const std::string &pod,
                                        const std::optional<kube::Pod> &pod_read, Deadline deadline)
{
    const std::string_view doing = "failed to get VMI info";
    auto object = read_pod(store, ns, pod, pod_read, deadline);
    if (!object && object.error().kind() == ErrorKind::kUnsupported)
        return std::nullopt;  // a datastore without Kubernetes knows no machines
    if (!object)
        return fail(std::move(object).error().within(doing));
    auto vm = vm_of(store, *object, deadline);
    if (!vm)
        return fail(std::move(vm).error().within(doing));
    if (!*vm || !persistence_is_off(store, deadline))
        return vm;
    if ((*vm)->is_target())
        return fail(ErrorKind::kInvalidInput,
                    "live migration target pod is not allowed when KubeVirtVMAddressPersistence is "
                    "disabled");
    return std::nullopt;
}

kube::StringMap vm_attributes(const VmPod &vm)
{
    kube::StringMap attributes{{"vmi-name", vm.vmi_name}, {"vmi-uid", vm.vmi_uid}};
    if (!vm.vm_uid.empty())
        attributes.emplace("vm-uid", vm.vm_uid);
    if (vm.is_target())
        attributes.emplace("vmim-uid", vm.migration_uid);
    return attributes;
}

Result<std::optional<Assigned>> take_over(store::Store &store, const VmPod &vm,
                                          const std::string &handle,
                                          const kube::StringMap &attributes, Deadline deadline)
{
    auto held = ipam::addresses_of_handle(store, handle, deadline);
    if (!held && held.error().kind() == ErrorKind::kNotFound) {
        if (vm.is_target())
            return fail(ErrorKind::kSystem,
                        "migration target pod but no IP allocated to VM handle " + handle);
        return std::nullopt;
    }
    if (!held)
        return fail(
            std::move(held).error().within("failed to get existing IPs for VM handle " + handle));
    ipam::OwnerUpdate update;
    (vm.is_target() ? update.alternate : update.active) = attributes;
    Assigned kept{.addresses = {}, .handle = handle, .host_routes = !vm.is_target(), .kept = true};
    for (const ipam::OwnedAddress &address : *held) {
        TORTIE_DO(
            ipam::set_owner_attributes(store, address.ip, address.block, handle, update, deadline));
        kept.addresses.push_back({.ip = address.ip,
                                  .prefix = width_bits(address.ip.family()),
                                  .block = address.block,
                                  .sequence = -1});
    }
    return kept;
}

// The pod is gone from the API server; the addresses' records still name it.
static Result<> let_go_without_pod(store::Store &store, const std::string &node,
                                   const std::string &network, const ipam::PodName &name,
                                   Deadline deadline)
{
    TORTIE_TRY(const auto handles, handles_naming(store, network, name, deadline));
    for (const auto &[handle, vmi] : handles) {
        TORTIE_TRY(const bool going, machine_is_going(store, name.ns, vmi, deadline));
        TORTIE_DO(clear_and_release(store, node, handle, name, going, deadline));
    }
    return {};
}

Result<> let_go(store::Store &store, const std::string &node, const std::string &network,
                const std::string &ns, const std::string &pod,
                const std::optional<kube::Pod> &pod_read, Deadline deadline)
{
    const std::string_view doing = "failed to get VMI info";
    const ipam::PodName name{.ns = ns, .name = pod};
    auto object = read_pod(store, ns, pod, pod_read, deadline);
    if (!object && object.error().kind() == ErrorKind::kUnsupported)
        return {};
    if (!object && object.error().kind() == ErrorKind::kNotFound)
        return let_go_without_pod(store, node, network, name, deadline);
    if (!object)
        return fail(std::move(object).error().within(doing));
    const auto *owner = owner_of(object->owners, "VirtualMachineInstance", true);
    if (owner == nullptr)
        return {};
    auto going = is_going_for_del(store, *object, *owner, deadline);
    if (!going)
        return fail(std::move(going).error().within(doing));
    return clear_and_release(store, node, vm_handle_id(network, ns, owner->name), name, *going,
                             deadline);
}

}  // namespace tortie::calico
