// SPDX-License-Identifier: Apache-2.0
//
// What each kind of document is called and where it is stored how: between codec.cc, which reads,
// and codec_write.cc.
#pragma once

#include <type_traits>

#include "store/codec.h"
#include "store/names.h"

namespace tortie::store {

// The annotation in which crd.projectcalico.org/v1 keeps Calico's own idea of the metadata.
inline constexpr const char *kCalicoMetadata = "projectcalico.org/metadata";

// kIpam: a document of the allocator. kCrd: Kubernetes has an object for it.
template <class T>
struct Form;

template <>
struct Form<Block> {
    static constexpr const char *kV1 = "IPAMBlock", *kV3 = "IPAMBlock";
    static constexpr bool kIpam = true, kCrd = true;
};
template <>
struct Form<Affinity> {
    static constexpr const char *kV1 = "BlockAffinity", *kV3 = "BlockAffinity";
    static constexpr bool kIpam = true, kCrd = true;
};
template <>
struct Form<Handle> {
    static constexpr const char *kV1 = "IPAMHandle", *kV3 = "IPAMHandle";
    static constexpr bool kIpam = true, kCrd = true;
};
template <>
struct Form<IpamConfig> {
    static constexpr const char *kV1 = "IPAMConfig", *kV3 = "IPAMConfiguration";
    static constexpr bool kIpam = true, kCrd = true;
};
template <>
struct Form<Pool> {
    static constexpr const char *kV1 = "IPPool", *kV3 = "IPPool";
    static constexpr bool kIpam = false, kCrd = true;
};
template <>
struct Form<Reservation> {
    static constexpr const char *kV1 = "IPReservation", *kV3 = "IPReservation";
    static constexpr bool kIpam = false, kCrd = true;
};
template <>
struct Form<ClusterInformation> {
    static constexpr const char *kV1 = "ClusterInformation", *kV3 = "ClusterInformation";
    static constexpr bool kIpam = false, kCrd = true;
};
template <>
struct Form<Node> {
    static constexpr const char *kV1 = "Node", *kV3 = "Node";
    static constexpr bool kIpam = false, kCrd = false;
};
template <>
struct Form<Endpoint> {
    static constexpr const char *kV1 = "WorkloadEndpoint", *kV3 = "WorkloadEndpoint";
    static constexpr bool kIpam = false, kCrd = false;
};
template <>
struct Form<Profile> {
    static constexpr const char *kV1 = "Profile", *kV3 = "Profile";
    static constexpr bool kIpam = false, kCrd = false;
};

// The allocator's own documents are bare specs with etcd.
template <class T>
constexpr bool is_bare(Spelling spelling)
{
    return Form<T>::kIpam && spelling == Spelling::kEtcd;
}

template <class T>
concept Named = std::is_same_v<T, Pool> || std::is_same_v<T, Reservation> ||
    std::is_same_v<T, Node> || std::is_same_v<T, Profile>;

// Labels that a document must carry.
template <class T>
StringMap labels_of(const T &document)
{
    if constexpr (std::is_same_v<T, Affinity>)
        return affinity_labels(document);
    else
        return {};
}

}  // namespace tortie::store
