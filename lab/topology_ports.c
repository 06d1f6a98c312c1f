/* The ports of a switch: which VLANs each carries, what is blocked, who may ask for silence. */
#include "lab/topology_build.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lab/quantity.h"
#include "sim/core/mem.h"

bool build_parse_range(const char *text, uint32_t least, uint32_t most, uint32_t *ret_first,
                       uint32_t *ret_last)
{
    char number[16];
    const char *dash = strchr(text, '-');
    size_t bytes = dash ? (size_t)(dash - text) : strlen(text);
    int64_t first = 0;
    int64_t last = 0;

    if (bytes >= sizeof(number))
        return false;
    memcpy(number, text, bytes);
    number[bytes] = '\0';
    if (quantity_parse_number(number, 0, &first) != QUANTITY_FINE)
        return false;
    last = first;
    if (dash && quantity_parse_number(dash + 1, 0, &last) != QUANTITY_FINE)
        return false;
    if (first < least || last < first || last > most)
        return false;
    *ret_first = (uint32_t)first;
    *ret_last = (uint32_t)last;
    return true;
}

static bool add_vlans(struct build *build, const struct node *value, struct vlan_set *set)
{
    uint32_t first;
    uint32_t last;

    if (!schema_has_value(value, "trunk", build->errors))
        return false;
    if (!build_parse_range(value->text, VLAN_DEFAULT, VLAN_MOST, &first, &last)) {
        error_help(node_error(build->errors, value, "'%.40s' is no VLAN", value->text),
                   "write a number from 1 to %u, or a range like 10-20", VLAN_MOST);
        return false;
    }
    vlan_set_add(set, first, last);
    return true;
}

/* 'trunk: all', 'trunk: 10', 'trunk: [10, 20-29]' */
static bool read_trunk(struct build *build, const struct node *trunk, struct vlan_set *set)
{
    if (trunk->kind == NODE_VALUE && strcmp(trunk->text, "all") == 0) {
        vlan_set_add(set, VLAN_DEFAULT, VLAN_MOST);
        return true;
    }
    if (trunk->kind != NODE_LIST)
        return add_vlans(build, trunk, set);
    if (!trunk->first) {
        error_help(node_error(build->errors, trunk, "'trunk' names no VLAN"),
                   "write those that it carries: [10, 20], or 'all'");
        return false;
    }
    for (const struct node *item = trunk->first; item; item = item->next)
        if (!add_vlans(build, item, set))
            return false;
    return true;
}

/* What is said of an access port does not go with a trunk, and the other way round. */
static bool read_vlans(struct build *build, const struct node *map, const struct port_file *file,
                       struct vlan_set *set, struct vlan_port *ret)
{
    const struct node *native = node_get(map, "native");
    const struct node *vlan = node_get(map, "vlan");

    if (!file->trunk) {
        if (native)
            error_help(node_key_error(build->errors, native, "'native' is for a trunk"),
                       "the one VLAN of an access port is its 'vlan'");
        *ret = (struct vlan_port){NULL, file->vlan};
        return !native;
    }
    if (vlan) {
        error_help(node_key_error(build->errors, vlan, "'vlan' is for an access port"),
                   "the VLAN of a trunk's frames without a tag is its 'native'");
        return false;
    }
    if (!read_trunk(build, file->trunk, set))
        return false;
    if (native && !vlan_set_has(set, file->native)) {
        error_help(node_error(build->errors, native, "the trunk does not carry VLAN %" PRIu32,
                              file->native),
                   "name it in 'trunk', too, or leave 'native' out: frames without a tag are then "
                   "dropped");
        return false;
    }
    *ret = (struct vlan_port){set, file->native};
    return true;
}

static bool read_numbers(struct build *build, const struct node *map,
                         const struct topology_switch *sw, uint32_t *ret_first, uint32_t *ret_last)
{
    if (map->key->is_bad)
        return false;
    if (build_parse_range(map->key->text, 1, sw->port_count, ret_first, ret_last))
        return true;
    error_help(
        node_key_error(build->errors, map, "'%s' has no ports '%.40s'", sw->name, map->key->text),
        "its ports are 1 to %" PRIu32 "; write 7 or 2-8", sw->port_count);
    return false;
}

static void set_ports(struct build *build, const struct node *map, struct topology_switch *sw,
                      enum flow_control usual, struct vlan_set *set, bool *is_set)
{
    struct port_file file = {.vlan = VLAN_DEFAULT};
    struct switch_port_config config = {.is_blocked = false};
    size_t errors_before = build->errors->error_count;
    uint32_t first;
    uint32_t last;

    if (!read_numbers(build, map, sw, &first, &last))
        return;
    schema_read(&port_record, map, &file, build->errors);
    if (build->errors->error_count > errors_before ||
        !read_vlans(build, map, &file, set, &config.vlan))
        return;
    config.is_blocked = file.is_blocked;
    config.is_edge = file.is_edge;
    config.flow_control =
        node_get(map, "flow-control") ? (enum flow_control)file.flow_control : usual;
    for (uint32_t number = first; number <= last; number++) {
        if (is_set[number - 1]) {
            error_help(node_key_error(build->errors, map, "port %" PRIu32 " is set twice", number),
                       "name each port once");
            return;
        }
        is_set[number - 1] = true;
        sw->ports[number - 1] = config;
    }
}

void build_add_ports(struct build *build, struct topology_switch *sw,
                     const struct switch_file *file)
{
    const struct node *settings = file->port_settings;
    enum flow_control usual = (enum flow_control)file->flow_control;
    uint32_t trunk = 0;

    sw->ports = mem_array(sw->port_count, sizeof(*sw->ports));
    for (uint32_t i = 0; i < sw->port_count; i++)
        sw->ports[i] =
            (struct switch_port_config){.vlan = {NULL, VLAN_DEFAULT}, .flow_control = usual};
    if (!settings || sw->port_count == 0)
        return;
    bool *is_set = mem_array(sw->port_count, sizeof(*is_set));

    sw->trunks = mem_array(settings->child_count, sizeof(*sw->trunks));
    for (const struct node *map = settings->first; map; map = map->next)
        set_ports(build, map, sw, usual, &sw->trunks[trunk++], is_set);
    free(is_set);
}
