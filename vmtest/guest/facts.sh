#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What this kernel is like and which way the plugins take on it, one "NAME: VALUE" a line. A row's
# file in vmtest/expected/ says what must stand here: a row that only claims to lack something, and
# a fallback that nobody saw, both show.

fact() { echo "$1: $2"; }

# can NAME COMMAND...: yes or no, by doing.
can() {
    name=$1
    shift
    if "$@" >/dev/null 2>&1; then fact "$name" yes; else fact "$name" no; fi
}

fact kernel "$(uname -r)"
can btf test -s /sys/kernel/btf/vmlinux
can clsact tc qdisc add dev lo clsact
tc qdisc del dev lo clsact 2>/dev/null
can nf_tables nft list tables
can iptables-legacy iptables-legacy -t nat -L
can netkit ip link add tt-first type netkit
can bpffs grep -q ' /sys/fs/bpf bpf ' /proc/mounts
fact lockdown "$(sed 's/.*\[\(.*\)\].*/\1/' /sys/kernel/security/lockdown 2>/dev/null)"

# A pod with one hostPort and no word about the backend.
ip netns add facts
ip link add facts0 type veth peer name eth0 netns facts
ip addr add 10.99.0.1/24 dev facts0
ip link set facts0 up
nsenter --net=/run/netns/facts ip addr add 10.99.0.2/24 dev eth0
nsenter --net=/run/netns/facts ip link set eth0 up
said=$(CNI_COMMAND=ADD CNI_CONTAINERID=facts CNI_NETNS=/run/netns/facts CNI_IFNAME=eth0 \
    CNI_PATH=/tortie/bin "$TORTIE_BIN_DIR/portmap" 2>&1 >/dev/null <<'CONFIG'
{"cniVersion": "1.0.0", "name": "facts", "type": "portmap", "capabilities": {"portMappings": true},
 "runtimeConfig": {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]},
 "prevResult": {"cniVersion": "1.0.0",
                "interfaces": [{"name": "eth0", "sandbox": "/run/netns/facts"}],
                "ips": [{"address": "10.99.0.2/24", "interface": 0}]}}
CONFIG
)
fact "portmap's way" "$(echo "$said" | sed -n 's/.*host ports published.* backend=\([a-z]*\).*/\1/p')"
echo "$said"
nft list ruleset 2>/dev/null | grep -q 'tcp \. 8080' && in_nftables=yes
iptables-save -t nat 2>/dev/null | grep -q -- '--dport 8080' && in_iptables=yes
fact "the hostPort is in" "${in_nftables:+nf_tables}${in_iptables:+iptables}"
