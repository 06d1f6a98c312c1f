/* What must hold between the names and addresses of a topology. */
#include "lab/topology_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/core/mem.h"

/* A name that a scenario can point at, to find those that two parts share. */
struct top_name {
    const char *name;
    enum part_kind kind;
    const struct node *node;
    size_t order;
};

/* qsort() has no argument for context, so what is compared is copied out. */
struct address_of {
    uint64_t key;
    uint32_t nic_index;
};

static int by_key(const void *a, const void *b)
{
    const struct address_of *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->nic_index > y->nic_index) - (x->nic_index < y->nic_index);
}

static uint64_t mac_number(struct mac_addr mac)
{
    uint64_t number = 0;

    for (size_t i = 0; i < MAC_BYTES; i++)
        number = number << 8 | mac.octet[i];
    return number;
}

void build_check_unique(struct build *build, bool is_mac)
{
    const struct topology *topology = build->topology;
    struct address_of *all = mem_array(topology->nic_count, sizeof(*all));
    size_t count = 0;

    for (uint32_t i = 0; i < topology->nic_count; i++) {
        const struct topology_nic *nic = &topology->nics[i];
        if (is_mac || nic->prefix_bits > 0)
            all[count++] = (struct address_of){is_mac ? mac_number(nic->mac) : nic->address, i};
    }
    qsort(all, count, sizeof(*all), by_key);
    for (size_t i = 1; i < count; i++) {
        if (all[i].key != all[i - 1].key)
            continue;

        const struct topology_nic *first = &topology->nics[all[i - 1].nic_index];
        const struct topology_nic *second = &topology->nics[all[i].nic_index];
        const struct node *map = build->nic_nodes[all[i].nic_index];
        const struct node *at = node_get(map, is_mac ? "mac" : "address");
        char text[24];

        build_print_cidr(second, text);
        error_help(node_error(build->errors, at ? at : map, "'%s' has the %s of '%s'",
                              second->full_name, is_mac ? "MAC address" : "address",
                              first->full_name),
                   is_mac ? "give each NIC its own" : "%s is taken; choose another", text);
    }
    free(all);
}

static int by_name(const void *a, const void *b)
{
    const struct top_name *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    if (order != 0)
        return order;
    return (x->order > y->order) - (x->order < y->order);
}

/* One name means one part, whatever its kind: steps say 'power-off: switch-1'. */
void build_check_names(struct build *build)
{
    const struct topology *topology = build->topology;
    size_t most = (size_t)topology->switch_count + topology->array_count + topology->host_count +
                  topology->cable_count;
    struct top_name *names = mem_array(most, sizeof(*names));
    size_t count = 0;

    for (uint32_t i = 0; i < topology->switch_count; i++, count++)
        names[count] = (struct top_name){topology->switches[i].name, PART_SWITCH,
                                         build->file->switches, count};
    for (uint32_t i = 0; i < topology->host_count; i++, count++)
        names[count] =
            (struct top_name){topology->hosts[i].name, PART_HOST, build->file->hosts, count};
    for (uint32_t i = 0; i < topology->array_count; i++, count++)
        names[count] =
            (struct top_name){topology->arrays[i].name, PART_ARRAY, build->file->arrays, count};
    for (uint32_t i = 0; i < topology->cable_count; i++, count++)
        names[count] =
            (struct top_name){topology->cables[i].name, PART_CABLE, build->file->cables, count};
    qsort(names, count, sizeof(*names), by_name);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(names[i].name, names[i - 1].name) != 0)
            continue;

        const struct node *at = node_get(names[i].node, names[i].name);
        const char *kinds[2] = {part_kind_word(names[i - 1].kind), part_kind_word(names[i].kind)};
        struct error *error =
            names[i - 1].kind == names[i].kind
                ? node_key_error(build->errors, at ? at : names[i].node, "two %s are called '%s'",
                                 names[i].kind == PART_HOST ? "hosts" : "cables", names[i].name)
                : node_key_error(build->errors, at ? at : names[i].node,
                                 "'%s' is the name of a %s and of a %s", names[i].name, kinds[0],
                                 kinds[1]);
        error_help(error, "give one of them another name");
    }
    free(names);
}
