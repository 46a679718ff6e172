# SPDX-License-Identifier: Apache-2.0
"""Looks at what the plugins left without asking the plugins: blocks against themselves, handles,
affinities and endpoints. Source: spec calico-ipam-datastore.md 2.2, 8.1."""
import collections
import ipaddress


def block_problems(block):
    """What a block must be by itself, whoever wrote it."""
    cidr, held, free = block["cidr"], block["allocations"], block["unallocated"]
    attributes = block.get("attributes") or []
    size = ipaddress.ip_network(cidr).num_addresses
    if len(held) != size:
        yield f"{cidr}: {len(held)} allocations of {size}"
    if len(set(free)) != len(free):
        yield f"{cidr}: unallocated twice: {free}"
    taken = {ordinal for ordinal, index in enumerate(held) if index is not None}
    if taken & set(free) or taken | set(free) != set(range(size)):
        yield f"{cidr}: allocated {sorted(taken)}, unallocated {sorted(free)}"
    if bad := [index for index in held if index is not None and not 0 <= index < len(attributes)]:
        yield f"{cidr}: no attribute for {bad}"
    if unused := set(range(len(attributes))) - {index for index in held if index is not None}:
        yield f"{cidr}: attributes of nobody: {sorted(unused)}"


def addresses(block):
    """{address: handle}"""
    network = ipaddress.ip_network(block["cidr"])
    attributes = block.get("attributes") or []
    return {str(network[ordinal]): attributes[index].get("handle_id")
            for ordinal, index in enumerate(block["allocations"]) if index is not None}


def allocated(store):
    """{address: handle} of all blocks."""
    found = {}
    for block in store.blocks().values():
        found.update(addresses(block))
    return found


def problems(store, own_sequences=True, claims_may_be_unfinished=False):
    """Everything that does not fit together. `own_sequences`: no Go program wrote here, so
    sequence entries of free addresses are a defect. `claims_may_be_unfinished`: somebody died
    while it took a block for its node, which the node's next ADD finishes."""
    found, counted = [], collections.Counter()
    seen = {}
    affinities = store.affinities()
    for cidr, block in store.blocks().items():
        found += block_problems(block)
        for address, handle in addresses(block).items():
            if address in seen:
                found.append(f"{address} is in {cidr} and in {seen[address]}")
            seen[address] = cidr
            if handle is None:
                found.append(f"{address} is held by nobody")
            counted[handle, cidr] += 1
        if own_sequences:
            held = {str(i) for i, index in enumerate(block["allocations"]) if index is not None}
            stale = set(block.get("sequenceNumberForAllocation") or {}) - held
            if stale:
                found.append(f"{cidr}: sequence numbers of free ordinals {sorted(stale)}")
        owner = block.get("affinity")
        good = ("confirmed", "pending") if claims_may_be_unfinished else ("confirmed",)
        if owner and affinities.get((owner.removeprefix("host:"), cidr)) not in good:
            found.append(f"{cidr} is of {owner}, affinities are {affinities}")
    for (host, cidr), state in affinities.items():
        block = store.blocks().get(cidr)
        if claims_may_be_unfinished and state == "pending":
            continue
        if block is None or block.get("affinity") != f"host:{host}":
            found.append(f"affinity {host} {cidr} ({state}) without its block")
    documented = {(handle, cidr): count for handle, blocks in store.handles().items()
                  for cidr, count in blocks.items()}
    if documented != dict(counted):
        found.append(f"handles say {documented}, blocks {dict(counted)}")
    found += [f"handle {handle} is empty" for handle, blocks in store.handles().items()
              if not blocks]
    return found
