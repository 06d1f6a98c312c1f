/* Two hosts for tests that need names only: 'hv1' with two disks and two paths, 'hv2' with one of
 * each.
 */
#pragma once

#include "lab/names.h"

enum { HV1, HV2 };
enum { STORE, OWN };

/* Its arrays are constant in all but type. */
static inline struct san_names small_names(void)
{
    static const char *disks[] = {"san1.store", "san1.own"};
    static const unsigned disk_indices[] = {0, 1};
    static const char *paths[] = {"hv1.a>san1.a", "hv1.b>san1.b", "hv2.a>san1.a"};
    static struct host_names hosts[2];

    hosts[HV1] = (struct host_names){"hv1", disks, disk_indices, 2, paths, 2, 0};
    hosts[HV2] = (struct host_names){"hv2", disks, disk_indices, 1, paths + 2, 1, 2};
    return (struct san_names){hosts, 2};
}
