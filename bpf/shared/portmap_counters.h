// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// What happened to packets of mapped ports: one list; the enum, the size of the map tt_pm_count
// and the texts all come from it. A packet whose port nobody mapped is not counted, for counting
// would cost it more than everything else. Every other packet counts once: as carried, or with the
// reason why netfilter got it; what happens to flows is counted beside that.
#pragma once

#define TORTIE_PM_COUNTS(X)                                                                   \
    /* carried */                                                                             \
    X(FORWARDED, "carried to the pod")                                                        \
    X(REPLIED, "carried from the pod")                                                        \
    X(ICMP_TRANSLATED, "ICMP error about a flow, translated")                                 \
    X(LOCAL, "connect() or sendmsg() to loopback, translated")                                \
    /* flows */                                                                               \
    X(ADOPTED_FORWARD, "flow adopted on a packet to the pod")                                 \
    X(ADOPTED_REPLY, "flow adopted on a packet from the pod")                                 \
    X(OPENED, "flow taken from its first packet")                                             \
    X(ESTABLISHED, "flow taken from its first packet was answered")                           \
    X(LOOKED, "flow looked at again")                                                         \
    X(CLOSED, "FIN or RST carried")                                                           \
    X(REBOUND, "flow now comes by another uplink")                                            \
    X(FORGOTTEN, "flow given back: conntrack, pod or mapping says so")                        \
    X(REOPENED, "flow given back: its tuple is opened anew")                                  \
    /* left to netfilter */                                                                   \
    X(OFF, "not taken: switched off")                                                         \
    X(OTHER_HOST, "not taken: another host's MAC address, or a VLAN's")                       \
    X(SHORT, "not taken: header is cut short")                                                \
    X(FRAGMENT, "not taken: fragment")                                                        \
    X(OPTIONS, "not taken: IP options")                                                       \
    X(EXTENSION, "not taken: IPv6 extension header")                                          \
    X(TTL, "not taken: time to live has run out")                                             \
    X(TOO_BIG, "not taken: greater than the next link takes")                                 \
    X(CHECKSUM, "not taken: wrong IP header checksum")                                        \
    X(OTHER_UPLINK, "not taken: came by another device than its flow")                        \
    X(NO_MAPPING, "not taken: port is mapped for another address or pod")                     \
    X(INELIGIBLE, "not taken: mapping or pod may not be carried")                             \
    X(OBSTACLE, "not taken: queue, filter or program at a device")                            \
    X(STALE, "not taken: device not looked at lately")                                        \
    X(NO_ADOPT, "not taken: no new flows are taken")                                          \
    X(NOT_ESTABLISHED, "not taken: packet opens or closes a connection")                      \
    X(NO_CONNTRACK, "not taken: conntrack cannot be asked here")                              \
    X(UNKNOWN_FLOW, "not taken: conntrack does not know it")                                  \
    X(UNSETTLED, "not taken: conntrack has not seen it answered")                             \
    X(OTHERS_FLOW, "not taken: conntrack's flow is not this mapping's or is somebody's care") \
    X(DAMPED, "not taken: refused often, asked about less often")                             \
    X(NO_ROUTE, "not taken: no plain route back to the client")                               \
    X(COLLISION, "not taken: tuple behind the translation is in use")                         \
    X(OWN_ANSWER, "not taken: may answer a flow of the node's own")                           \
    X(TABLE, "not taken: the flow table took no entry")                                       \
    /* lost */                                                                                \
    X(REWRITE, "dropped: the kernel refused a change half way")

#define TORTIE_PM_COUNT_ENUM(id, text) TORTIE_PM_##id,
enum pm_count { TORTIE_PM_COUNTS(TORTIE_PM_COUNT_ENUM) TORTIE_PM_COUNT_END };
#undef TORTIE_PM_COUNT_ENUM

#ifdef __cplusplus

#define TORTIE_PM_COUNT_TEXT(id, text) text,
inline constexpr const char *kPmCountText[] = {TORTIE_PM_COUNTS(TORTIE_PM_COUNT_TEXT)};
#undef TORTIE_PM_COUNT_TEXT
static_assert(sizeof(kPmCountText) / sizeof(kPmCountText[0]) == TORTIE_PM_COUNT_END);

#endif
