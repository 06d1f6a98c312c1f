/* An array made of disks that were named on the command line: '--disk data=/srv/data.img' (a file),
 * '--disk scratch=1GiB' (memory).
 */
#pragma once

#include "lab/topology.h"
#include "sim/core/error.h"

#include <stddef.h>

struct serve_disks {
    struct topology *topology; /* owned: one array, these disks */
    const char **paths;        /* owned: by LUN; NULL: memory */
};

/* False: '*err' says which is wrong. 'specs' are borrowed. */
bool serve_disks_init(struct serve_disks *disks, const char *const *specs, size_t count,
                      struct error *err);
void serve_disks_fini(struct serve_disks *disks);
