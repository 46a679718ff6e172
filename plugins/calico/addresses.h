// SPDX-License-Identifier: Apache-2.0
//
// Where a container's addresses come from: named in an annotation, from Calico's IPAM in this
// process, or from another program. Source: spec calico-cni.md 3.2 steps 3 to 6, 3.3, 3.4.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ip_addr.h"
#include "calico/add_facts.h"
#include "calico/call.h"
#include "calico/datastore.h"
#include "calico/ipam_call.h"
#include "calico/pod_plan.h"
#include "cni/result_types.h"
#include "store/store.h"

namespace tortie::calico_cni {

struct Addresses {
    std::vector<IpAddr> ips;
    std::vector<cni::Route> routes;  // of the result; nobody programs them
    cni::Dns dns;
    bool host_routes = true;
};

class AddressSource {
public:
    // Tries to lead the node's allocation when it is ours (ipam_call.h); does not block.
    AddressSource(const Call &call, const Datastore &datastore);

    // To be read beside the caller's own, and their answers.
    std::vector<store::Query> queries() const;
    void take_view(std::span<store::Found> found);

    // At least one address, or nothing is left behind. Errors: those of the program that was run,
    // unchanged; Calico's texts.
    tl::expected<Addresses, cni::CniError> acquire(const AddFacts &facts,
                                                   const calico::PodPlan &plan);

    // Undoes acquire(); what fails is logged, the runtime's DEL comes after.
    void give_back();

private:
    tl::expected<Addresses, cni::CniError> from_calico(const AddFacts &facts,
                                                       const calico::PodPlan &plan);
    Result<> add_from_calico(calico::AddressCall &source, const calico::AddressRequest &request,
                             Addresses &addresses);
    Result<> release_existing(const AddFacts &facts);
    tl::expected<Addresses, cni::CniError> from_program(const AddFacts &facts,
                                                        const calico::PodPlan &plan);
    tl::expected<void, cni::CniError> run_program(const std::vector<std::string> &environment,
                                                  Addresses &addresses);

    const Call *call_;
    const Datastore *datastore_;
    std::optional<calico::AddressCall> automatic_;  // when addresses are taken in this process
    std::vector<calico::Assigned> assigned_;
    std::optional<cni::Request> delegated_;  // what the other program was told
    std::vector<Cidr> from_program_;         // and what it said, with its prefix lengths
};

}  // namespace tortie::calico_cni
