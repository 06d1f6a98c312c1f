/* The names of hosts, multipath disks and paths by the indices that the trace uses. */
#pragma once

#include <stddef.h>

struct host_names {
    const char *host;
    const char **disks;           /* "san1.vmstore", in the order of trace_io.disk; owned array */
    const unsigned *disk_indices; /* the same in the topology; owned array */
    size_t disk_count;
    const char **paths; /* "hv1.iscsi1>san1.port-a", in the order of trace_io.path; owned array */
    size_t path_count;
    unsigned first_path; /* of its paths in the topology */
};

/* Filled by the world; the strings are borrowed from the topology. */
struct san_names {
    struct host_names *hosts;
    size_t host_count;
};
