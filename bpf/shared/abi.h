// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// The version of everything in bpf/shared and bpf/maps, and the sizes of the maps.
//
// Pins lie below /sys/fs/bpf/tortie/<TORTIE_BPF_ABI>/. The number goes up with every change of a
// key, a value, a control word, the type of a map or the meaning of one of them, so that two
// versions on one node never share a map. A counter or an event added at the end of its list is
// such a change, too: the size of the map follows from the list.
#pragma once

#define TORTIE_BPF_ABI 1

// Mappings and pods of one node: these maps take memory as they fill.
#define TORTIE_PM_MAX_HOSTPORTS 65536
#define TORTIE_PM_MAX_PODS 16384
#define TORTIE_PM_MAX_UPLINKS 256

// Flow tables take their memory at once, 44 MiB in all. A flow takes two entries.
#define TORTIE_PM_MAX_FLOWS4 262144
#define TORTIE_PM_MAX_FLOWS6 32768
#define TORTIE_PM_MAX_HALF_OPEN4 16384
#define TORTIE_PM_MAX_HALF_OPEN6 4096
#define TORTIE_PM_MAX_LOCAL 16384

#define TORTIE_PM_DAMPER_SLOTS 4096      // a power of two
#define TORTIE_PM_EPOCHS 4096            // a power of two
#define TORTIE_PM_EVENT_BYTES (1 << 16)  // a power of two, whole pages
