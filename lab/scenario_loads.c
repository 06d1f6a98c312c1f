/* The loads of a scenario: who does how much of which I/O where. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/scenario_tables.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#define LOADS_MOST 64u

/* Adds a host, or all of a group. */
static uint32_t take_hosts(const struct scenario *scenario, const char *name, bool *chosen)
{
    const struct topology *topology = scenario->topology;
    uint32_t count = 0;

    for (uint32_t i = 0; i < topology->host_count; i++) {
        const struct topology_host *host = &topology->hosts[i];

        if (strcmp(name, "all") != 0 && strcmp(host->name, name) != 0 &&
            strcmp(host->group, name) != 0)
            continue;
        chosen[i] = true;
        count++;
    }
    return count;
}

static void choose_hosts(const struct scenario *scenario, const struct node *hosts, bool *chosen,
                         struct errors *errors)
{
    if (hosts->kind == NODE_MAP) {
        (void)schema_need_kind(hosts, NODE_LIST, "hosts", errors);
        return;
    }
    if (hosts->kind == NODE_LIST && hosts->child_count == 0) {
        error_help(node_error(errors, hosts, "'hosts' is an empty list"),
                   "write 'hosts: all', or name some: '[hv1, hv2]'");
        return;
    }

    const struct node *name = hosts->kind == NODE_LIST ? hosts->first : hosts;
    for (; name; name = hosts->kind == NODE_LIST ? name->next : NULL) {
        if (schema_has_value(name, "hosts", errors) &&
            take_hosts(scenario, name->text, chosen) == 0)
            scenario_unknown_part(scenario->topology, name, "host", PART_BIT(PART_HOST), errors);
    }
}

static bool find_disk(const struct scenario *scenario, const struct node *node, uint32_t *ret_disk,
                      struct errors *errors)
{
    struct part_ref part;

    if (topology_find(scenario->topology, node->text, &part) && part.kind == PART_DISK) {
        *ret_disk = part.index;
        return true;
    }
    scenario_unknown_part(scenario->topology, node, "disk", PART_BIT(PART_DISK), errors);
    return false;
}

static void check_sizes(const struct load *load, const struct topology_disk *disk,
                        const struct node *map, struct errors *errors)
{
    const struct node *size = node_get(map, "size");
    const struct node *area = node_get(map, "area");

    if (load->io_bytes == 0)
        return; /* was refused */
    if (load->io_bytes % disk->block_bytes != 0) {
        error_help(node_error(errors, size, "'size' must be whole blocks of '%s'", disk->full_name),
                   "its blocks have %" PRIu32 " B", disk->block_bytes);
        return;
    }
    if (load->area_bytes % load->io_bytes != 0 || load->area_bytes < load->io_bytes)
        error_help(node_error(errors, area ? area : size, "'area' must be a multiple of 'size'"),
                   "the load goes over it in whole I/Os");
}

static void check_hosts(const struct scenario *scenario, const struct load *load,
                        const struct node *map, struct errors *errors)
{
    const struct topology *topology = scenario->topology;
    const struct topology_disk *disk = &topology->disks[load->disk_index];

    for (uint32_t i = 0; i < load->host_count; i++) {
        const struct topology_host *host = &topology->hosts[load->hosts[i].host_index];

        if (topology_host_sees(topology, load->hosts[i].host_index, load->disk_index))
            continue;
        error_help(node_error(errors, node_get(map, "disk"),
                              "host '%s' has no session to the array of '%s'", host->name,
                              disk->full_name),
                   "add one in the topology, or leave the host out");
        return;
    }
    if (load->host_count > 1 && !disk->is_shared)
        error_help(node_error(errors, node_get(map, "disk"),
                              "'%s' is not shared, and %" PRIu32 " hosts would use it",
                              disk->full_name, load->host_count),
                   "write 'shared: true' in the topology, or name one host");
}

static void read_load(struct scenario *scenario, const struct node *map, struct load *load,
                      struct errors *errors)
{
    const struct topology *topology = scenario->topology;
    struct moment_names names = {scenario->steps, scenario->step_count, topology};
    struct load_file file = {.hosts = NULL};

    schema_read(&load_record, map, &file, errors);
    *load = (struct load){
        .pos = node_pos(map->key),
        .disk_index = TOPOLOGY_NONE,
        .reads_ppm = file.reads_ppm,
        .io_bytes = file.io_bytes,
        .pattern = file.pattern,
        .area_bytes = file.area_bytes,
        .in_flight = file.in_flight,
        .rate_per_s = file.rate_per_s,
        .queue_limit = file.queue_limit,
        .start = {.base = MOMENT_START, .pos = node_pos(map->key)},
        .stop = {.base = MOMENT_END, .pos = node_pos(map->key)},
    };
    snprintf(load->name, sizeof(load->name), "%s", map->key->text);
    if (map->kind != NODE_MAP)
        return;

    if (!node_get(map, "in-flight") && !node_get(map, "rate"))
        error_help(
            node_key_error(errors, map, "load '%s' has neither 'rate' nor 'in-flight'", load->name),
            "write 'rate: 500 per s' (open loop) or 'in-flight: 32' (closed loop)");
    if (file.start)
        (void)moment_parse(file.start, "start", MAY_BE_TIME | MAY_BE_STEP | MAY_BE_END, &names,
                           &load->start, errors);
    if (file.stop)
        (void)moment_parse(file.stop, "stop", MAY_BE_TIME | MAY_BE_STEP | MAY_BE_END, &names,
                           &load->stop, errors);

    bool *chosen = mem_array(topology->host_count, sizeof(bool));
    if (file.hosts)
        choose_hosts(scenario, file.hosts, chosen, errors);
    load->hosts = mem_array(topology->host_count, sizeof(struct load_host));
    for (uint32_t i = 0; i < topology->host_count; i++)
        if (chosen[i])
            load->hosts[load->host_count++].host_index = i;
    free(chosen);

    if (file.disk && find_disk(scenario, file.disk, &load->disk_index, errors)) {
        check_sizes(load, &topology->disks[load->disk_index], map, errors);
        check_hosts(scenario, load, map, errors);
    }
}

static void check_times(const struct scenario *scenario, struct load *load, const struct node *map,
                        struct errors *errors)
{
    const struct node *start = node_get(map, "start");
    const struct node *stop = node_get(map, "stop");

    if ((start && !scenario_check_known(scenario, start, "start", &load->start, errors)) ||
        (stop && !scenario_check_known(scenario, stop, "stop", &load->stop, errors)))
        return;
    load->start.at_ns = moment_at_ns(&load->start, scenario->steps, scenario->run_for_ns);
    load->stop.at_ns = moment_at_ns(&load->stop, scenario->steps, scenario->run_for_ns);
    if (start && !scenario_check_inside(scenario, start, "'start'", load->start.at_ns, errors))
        return;
    if (stop && !scenario_check_inside(scenario, stop, "'stop'", load->stop.at_ns, errors))
        return;
    if (load->stop.at_ns != TIME_NEVER && load->start.at_ns >= load->stop.at_ns)
        error_help(
            node_error(errors, stop ? stop : start, "load '%s' stops before it starts", load->name),
            "move 'start' or 'stop'");
}

/* Each host of each load gets a region of its own, in the order of the file. */
static void place_areas(struct scenario *scenario, const struct node *loads, struct errors *errors)
{
    const struct topology *topology = scenario->topology;
    int64_t *used_bytes = mem_array(topology->disk_count, sizeof(int64_t));
    const struct node *map = loads->first;

    for (uint32_t i = 0; i < scenario->load_count; i++, map = map->next) {
        struct load *load = &scenario->loads[i];
        const struct topology_disk *disk = &topology->disks[load->disk_index];
        int64_t room_bytes = disk->size_bytes - used_bytes[load->disk_index];

        if (load->area_bytes > room_bytes / (int64_t)load->host_count) {
            const struct node *area = node_get(map, "area");
            char text[2][48];

            quantity_print(QUANTITY_SIZE, load->area_bytes, text[0], sizeof(text[0]));
            quantity_print(QUANTITY_SIZE, room_bytes, text[1], sizeof(text[1]));
            error_help(node_error(errors, area ? area : node_get(map, "disk"),
                                  "the area is too large for '%s'", disk->full_name),
                       "%s for each of %" PRIu32 " hosts, and %s are left", text[0],
                       load->host_count, text[1]);
            break;
        }
        for (uint32_t j = 0; j < load->host_count; j++) {
            load->hosts[j].area_offset_bytes = used_bytes[load->disk_index];
            used_bytes[load->disk_index] += load->area_bytes;
        }
    }
    free(used_bytes);
}

void scenario_read_loads(struct scenario *scenario, const struct node *loads, struct errors *errors)
{
    size_t errors_before = errors->error_count;

    if (!loads || loads->child_count == 0)
        return;
    if (loads->child_count > LOADS_MOST) {
        error_help(node_key_error(errors, loads, "more than %u loads", LOADS_MOST),
                   "that is the most that this program takes");
        return;
    }
    scenario->loads = mem_array(loads->child_count, sizeof(struct load));
    for (const struct node *map = loads->first; map; map = map->next) {
        (void)schema_check_name(map->key, "load", errors);
        read_load(scenario, map, &scenario->loads[scenario->load_count++], errors);
    }
    if (errors->error_count > errors_before)
        return;

    const struct node *map = loads->first;
    for (uint32_t i = 0; i < scenario->load_count; i++, map = map->next)
        check_times(scenario, &scenario->loads[i], map, errors);
    if (errors->error_count == errors_before)
        place_areas(scenario, loads, errors);
}
