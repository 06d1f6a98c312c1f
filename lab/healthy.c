/* Rule L1's view of which paths are healthy. */
#include "lab/healthy.h"

#include "lab/timeline.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#include <stdlib.h>

/* Can a path carry I/O at all, as the topology is built? */
enum fitness { UNKNOWN, FIT, UNFIT };

struct healthy {
    const struct scenario *scenario;
    const struct timeline *timeline;
    enum fitness *fitness; /* by path of the topology; looked up when it is asked for */
};

struct healthy *healthy_new(const struct scenario *scenario)
{
    struct healthy *healthy = mem_new(sizeof(*healthy));

    healthy->scenario = scenario;
    healthy->fitness = mem_array(scenario->topology->path_count, sizeof(*healthy->fitness));
    return healthy;
}

void healthy_free(struct healthy *healthy)
{
    if (!healthy)
        return;
    free(healthy->fitness);
    free(healthy);
}

void healthy_set_timeline(struct healthy *healthy, const struct timeline *timeline)
{
    healthy->timeline = timeline;
}

int64_t healthy_after_ns(const struct host_profile *profile)
{
    const struct path_rules *path = &profile->path;
    const struct mpath_rules *mpath = &profile->mpath;
    int64_t sum_ns = 0;
    /* A session that died unseen is first noticed by a ping; without pings by TCP, which gives up
     * after at most 'command_timeout' in its stead; then an attempt to connect may be under way to
     * nobody, the next one waits, logs in, and the path is checked. */
    const int64_t waits_ns[] = {
        path->nop_interval_ns + path->nop_timeout_ns,
        path->nop_interval_ns ? 0 : path->command_timeout_ns + path->command_timeout_extra_ns,
        path->connect_timeout_ns,
        path->login_timeout_ns,
        path->reconnect_delay_ns,
        path->refused_delay_ns ? path->refused_delay_ns : path->reconnect_delay_ns,
        SECONDS(profile->iscsi.time2wait_s),
        path->login_timeout_ns,
        mpath->path_check_interval_ns,
        mpath->arrival_delay_ns,
        profile->link_debounce_ns,
    };

    for (size_t i = 0; i < sizeof(waits_ns) / sizeof(waits_ns[0]); i++)
        sum_ns = time_after(sum_ns, waits_ns[i]);
    return sum_ns;
}

/* TCP's segments fill the smaller MTU of the two ends: a switch on the way that takes less swallows
 * them, however well the small ones of login and pings pass. */
bool healthy_fits(const struct topology *t, uint32_t path_index)
{
    const struct topology_path *path = &t->paths[path_index];
    uint32_t a = t->nics[path->nic_index].mtu_bytes;
    uint32_t b = t->nics[path->array_nic_index].mtu_bytes;
    uint32_t outlets[LAG_MOST_LINKS];

    for (unsigned i = topology_outlets(t, path->nic_index, outlets); i-- > 0;) {
        struct part_ref first = {
            .kind = PART_CABLE, .index = t->nics[outlets[i]].cable_index, .owner = TOPOLOGY_NONE};

        if (first.index == TOPOLOGY_NONE || !topology_path_uses(t, path_index, first))
            return false; /* no cable, blocked, or in another VLAN: there is no way */
    }
    for (uint32_t s = 0; s < t->switch_count; s++) {
        struct part_ref sw = {.kind = PART_SWITCH, .index = s, .owner = TOPOLOGY_NONE};

        if (t->switches[s].mtu_bytes < (a < b ? a : b) && topology_path_uses(t, path_index, sw))
            return false;
    }
    return true;
}

static bool is_fit(const struct healthy *healthy, uint32_t path_index)
{
    enum fitness *fitness = &healthy->fitness[path_index];

    if (*fitness == UNKNOWN)
        *fitness = healthy_fits(healthy->scenario->topology, path_index) ? FIT : UNFIT;
    return *fitness == FIT;
}

uint32_t healthy_path(const struct healthy *healthy, uint32_t host_index, uint32_t disk_index,
                      int64_t now_ns)
{
    const struct topology *t = healthy->scenario->topology;
    const struct topology_host *host = &t->hosts[host_index];
    int64_t since_ns = now_ns - healthy_after_ns(&host->profile);

    if (!healthy->timeline)
        return TOPOLOGY_NONE;
    for (uint32_t i = 0; i < host->path_count; i++) {
        uint32_t path = host->first_path + i;

        if (t->paths[path].array_index == t->disks[disk_index].array_index &&
            is_fit(healthy, path) && !timeline_was_touched(healthy->timeline, path, since_ns))
            return path;
    }
    return TOPOLOGY_NONE;
}
