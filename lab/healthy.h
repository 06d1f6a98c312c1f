/* Rule L1: while one path has been healthy for long enough, no I/O of that host ends in error.
 *
 * Healthy is a matter of the fabric, not of what the host thinks of the path: no fault has touched
 * any part of it for so long that the host's own timers must have brought it back; and full-size
 * frames fit through it both ways as the topology is built.
 */
#pragma once

#include "lab/scenario.h"

#include <stdbool.h>
#include <stdint.h>

struct healthy;
struct timeline;

struct healthy *healthy_new(const struct scenario *scenario); /* borrowed */
void healthy_free(struct healthy *healthy);
void healthy_set_timeline(struct healthy *healthy, const struct timeline *timeline);

/* After this span without a fault a path of the host must be in use again: the sum of the waits
 * that its profile can put one after another. */
int64_t healthy_after_ns(const struct host_profile *profile);

/* Is there a way from end to end, and do full-size frames fit through it? Faults aside. */
bool healthy_fits(const struct topology *topology, uint32_t path_index);

/* The path of this host to this disk that has been healthy for long enough; TOPOLOGY_NONE: there
 * is none. */
uint32_t healthy_path(const struct healthy *healthy, uint32_t host_index, uint32_t disk_index,
                      int64_t now_ns);
