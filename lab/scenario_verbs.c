/* The verb of a step: what it fits, what it takes, and what those words mean in this SAN. */
#include "lab/scenario_verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "iscsi/name.h"
#include "lab/settings.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"
#include "target/alua_state.h"

/* ---- Parts ---- */

/* All names of parts of these kinds; owned by the caller, as an array. */
static size_t list_parts(const struct topology *topology, unsigned kinds, const char **names,
                         size_t most)
{
    size_t count = 0;

#define LIST(items, item_count, member, kind)                                                      \
    for (uint32_t i = 0; (kinds & PART_BIT(kind)) && i < topology->item_count && count < most;     \
         i++)                                                                                      \
        names[count++] = topology->items[i].member;

    LIST(switches, switch_count, name, PART_SWITCH)
    LIST(hosts, host_count, name, PART_HOST)
    LIST(arrays, array_count, name, PART_ARRAY)
    LIST(cables, cable_count, name, PART_CABLE)
    LIST(nics, nic_count, full_name, PART_NIC)
    LIST(disks, disk_count, full_name, PART_DISK)
    LIST(paths, path_count, name, PART_PATH)
#undef LIST
    return count;
}

/* 'switch-1.25' of a switch with 24 ports. */
static bool is_no_port(const struct topology *topology, const struct node *node,
                       struct errors *errors)
{
    const char *dot = strchr(node->text, '.');

    for (uint32_t i = 0; dot && i < topology->switch_count; i++) {
        const struct topology_switch *sw = &topology->switches[i];

        if (strlen(sw->name) != (size_t)(dot - node->text) ||
            strncmp(sw->name, node->text, strlen(sw->name)) != 0)
            continue;
        error_help(node_error(errors, node, "'%s' has no port '%.40s'", sw->name, dot + 1),
                   "its ports are 1 to %" PRIu32, sw->port_count);
        return true;
    }
    return false;
}

void scenario_unknown_part(const struct topology *topology, const struct node *node,
                           const char *what, unsigned kinds, struct errors *errors)
{
    if ((kinds & PART_BIT(PART_PORT)) && is_no_port(topology, node, errors))
        return;

    const char *names[1024];
    size_t count =
        errors_has_room(errors) ? list_parts(topology, kinds, names, ARRAY_SIZE(names)) : 0;

    schema_unknown(node, what, node->text, (struct name_list){names, count}, errors);
}

/* "a cable, a NIC or a switch port" */
static void list_kinds(unsigned kinds, char *text, size_t text_bytes)
{
    size_t used = 0;
    unsigned left = kinds;

    text[0] = '\0';
    for (enum part_kind kind = PART_SWITCH; kind < PART_NONE; kind++) {
        if (!(kinds & PART_BIT(kind)))
            continue;
        left &= ~PART_BIT(kind);
        used += (size_t)snprintf(text + used, text_bytes - used, "%s%s %s",
                                 used == 0  ? ""
                                 : left > 0 ? ", "
                                            : " or ",
                                 kind == PART_ARRAY ? "an" : "a", part_kind_word(kind));
        if (used >= text_bytes)
            return;
    }
}

/* What happens to a team's NIC itself; all else happens to frames in a port, and it has none. */
static bool fits_team(enum verb verb)
{
    return verb == VERB_DISABLE || verb == VERB_ENABLE || verb == VERB_FREEZE ||
           verb == VERB_THAW || verb == VERB_FLAP;
}

static bool find_part(const struct topology *topology, const struct node *node, enum verb verb,
                      struct part_ref *ret_part, struct errors *errors)
{
    const struct verb_row *row = verb_row(verb);
    char kinds[128];

    if (!schema_has_value(node, row->word, errors))
        return false;
    if (!topology_find(topology, node->text, ret_part)) {
        unsigned any = ~PART_BIT(PART_PATH);

        scenario_unknown_part(topology, node, "part", any, errors);
        return false;
    }
    if (!(row->parts & PART_BIT(ret_part->kind))) {
        list_kinds(row->parts, kinds, sizeof(kinds));
        const char *kind = part_kind_word(ret_part->kind);

        error_help(node_error(errors, node, "'%s' does not fit '%.80s', which is %s %s", row->word,
                              node->text, strchr("aeiou", kind[0]) ? "an" : "a", kind),
                   "it fits %s", kinds);
        return false;
    }
    if (ret_part->kind == PART_NIC && topology->nics[ret_part->index].member_count > 0 &&
        !fits_team(verb)) {
        const struct topology_nic *team = &topology->nics[ret_part->index];

        error_help(node_error(errors, node, "'%s' does not fit '%.80s', which is a team", row->word,
                              node->text),
                   "name one of its members, like '%s'",
                   topology->nics[team->members[0]].full_name);
        return false;
    }
    if (!(row->can_run & PART_BIT(ret_part->kind))) {
        list_kinds(row->can_run, kinds, sizeof(kinds));
        struct error *error = node_error(errors, node, "'%s' of a %s is not simulated yet",
                                         row->word, part_kind_word(ret_part->kind));
        if (row->can_run)
            error_help(error, "so far it is for %s", kinds);
        return false;
    }
    return true;
}

/* ---- Arguments ---- */

const char *step_argument_word(enum step_argument argument)
{
    static const char *const words[] = {
#define X(name, word, about) [name] = (word),
        STEP_ARGUMENTS(X)
#undef X
    };

    return words[argument];
}

/* The box that a NIC, or an end of a cable, is in. */
static struct part_ref box_of_nic(const struct topology *topology, uint32_t nic_index)
{
    const struct topology_nic *nic = &topology->nics[nic_index];

    return (struct part_ref){nic->is_array_nic ? PART_ARRAY : PART_HOST, nic->owner_index,
                             TOPOLOGY_NONE};
}

static struct part_ref box_of_end(const struct topology *topology, const struct cable_end *end)
{
    return end->nic_index == TOPOLOGY_NONE
               ? (struct part_ref){PART_SWITCH, end->switch_index, TOPOLOGY_NONE}
               : box_of_nic(topology, end->nic_index);
}

static bool is_same(struct part_ref a, struct part_ref b)
{
    return a.kind == b.kind && a.index == b.index;
}

/* Where frames through a part can go to. */
#define WAYS_MOST 64
struct ways {
    struct part_ref to[WAYS_MOST]; /* cable, NIC, port: by 'direction' 0 and 1 */
    size_t count;
};

static void add_way(struct ways *ways, struct part_ref box)
{
    for (size_t i = 0; i < ways->count; i++)
        if (is_same(ways->to[i], box))
            return;
    if (ways->count < WAYS_MOST)
        ways->to[ways->count++] = box;
}

/* A box: itself, and those at the other ends of its cables. */
static void find_neighbours(const struct topology *topology, struct part_ref box,
                            struct ways *ret_ways)
{
    add_way(ret_ways, box);
    for (uint32_t i = 0; i < topology->cable_count; i++)
        for (unsigned end = 0; end < 2; end++)
            if (is_same(box_of_end(topology, &topology->cables[i].ends[end]), box))
                add_way(ret_ways, box_of_end(topology, &topology->cables[i].ends[1 - end]));
}

/* A NIC or port with a cable: out to the other end, or in. */
static void find_cable_ways(const struct topology *topology, struct part_ref own,
                            uint32_t cable_index, struct ways *ret_ways)
{
    if (cable_index == TOPOLOGY_NONE)
        return;
    const struct topology_cable *cable = &topology->cables[cable_index];
    struct part_ref first = box_of_end(topology, &cable->ends[0]);

    ret_ways->to[DIRECTION_OUT] =
        is_same(first, own) ? box_of_end(topology, &cable->ends[1]) : first;
    ret_ways->to[DIRECTION_IN] = own;
    ret_ways->count = 2;
}

static void find_ways(const struct topology *topology, struct part_ref part, struct ways *ret_ways)
{
    *ret_ways = (struct ways){.count = 0};
    switch (part.kind) {
    case PART_CABLE:
        ret_ways->to[0] = box_of_end(topology, &topology->cables[part.index].ends[0]);
        ret_ways->to[1] = box_of_end(topology, &topology->cables[part.index].ends[1]);
        ret_ways->count = 2;
        break;
    case PART_NIC:
        find_cable_ways(topology, box_of_nic(topology, part.index),
                        topology->nics[part.index].cable_index, ret_ways);
        break;
    case PART_PORT:
        find_cable_ways(topology, (struct part_ref){PART_SWITCH, part.owner, TOPOLOGY_NONE},
                        topology->switches[part.owner].cable_of_port[part.index], ret_ways);
        break;
    case PART_SWITCH:
    case PART_HOST:
    case PART_ARRAY:
        find_neighbours(topology, part, ret_ways);
        break;
    case PART_DISK:
    case PART_PATH:
    case PART_NONE:
        break;
    }
}

static void list_ways(const struct topology *topology, const struct ways *ways, char *text,
                      size_t text_bytes)
{
    char buffer[PART_NAME_BYTES];
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < ways->count && used < text_bytes; i++)
        used += (size_t)snprintf(text + used, text_bytes - used, "%s'to-%s'",
                                 i == 0                 ? ""
                                 : i + 1 == ways->count ? " or "
                                                        : ", ",
                                 topology_part_name(topology, ways->to[i], buffer));
}

static void read_direction(const struct topology *topology, const struct node *node,
                           struct step *step, struct errors *errors)
{
    char buffer[PART_NAME_BYTES];
    char list[192];
    struct ways ways;

    if (!schema_has_value(node, "direction", errors))
        return;
    find_ways(topology, step->part, &ways);
    if (ways.count == 0) {
        error_help(
            node_error(errors, node, "a %s has no 'direction'", part_kind_word(step->part.kind)),
            "leave it out, or name a cable, or a NIC or port with a cable");
        return;
    }
    for (uint32_t i = 0; i < ways.count; i++) {
        if (strncmp(node->text, "to-", 3) != 0 ||
            strcmp(node->text + 3, topology_part_name(topology, ways.to[i], buffer)) != 0)
            continue;
        if (PART_BIT(step->part.kind) & VERB_BOXES)
            step->arguments.towards = ways.to[i];
        else
            step->arguments.direction = i;
        return;
    }
    list_ways(topology, &ways, list, sizeof(list));
    error_help(node_error(errors, node, "unknown direction '%.60s'", node->text), "write %s", list);
}

/* '10 x', '1.5x': so many times as slow; else a time. */
static bool read_slowness(const struct node *node, struct step_arguments *to, struct errors *errors)
{
    char number[32];
    size_t bytes = strlen(node->text);

    if (!schema_has_value(node, "by", errors))
        return false;
    if (strspn(node->text, "0123456789.") == bytes) {
        error_help(node_error(errors, node, "'by' needs a unit"),
                   "write '%s x' for so many times as long, or a time, like '5 ms', to add it",
                   node->text);
        return false;
    }
    if (node->text[bytes - 1] != 'x')
        return schema_read_quantity(node, "by", QUANTITY_SPAN, 1, SECONDS(3600), &to->by_ns,
                                    errors);
    do
        bytes--;
    while (bytes > 0 && node->text[bytes - 1] == ' ');
    snprintf(number, sizeof(number), "%.*s", bytes < sizeof(number) ? (int)bytes : 0, node->text);
    if (quantity_parse_number(number, 6, &to->by_factor_ppm) == QUANTITY_FINE &&
        to->by_factor_ppm > 1000000 && to->by_factor_ppm <= INT64_C(1000000000000))
        return true;
    error_help(node_error(errors, node, "'%.40s' is no factor", node->text),
               "write how many times as long it takes, above 1 and at most 1000000: '10 x'");
    return false;
}

/* '2048-4095': blocks of a disk, first to last. */
static bool read_area(const struct topology_disk *disk, const struct node *node,
                      struct step_arguments *to, struct errors *errors)
{
    uint64_t block_count = (uint64_t)disk->size_bytes / disk->block_bytes;
    char rest = 0;

    if (!schema_has_value(node, "area", errors))
        return false;
    if (strspn(node->text, "0123456789-") == strlen(node->text) && strlen(node->text) < 40 &&
        sscanf(node->text, "%" SCNu64 "-%" SCNu64 "%c", &to->first_block, &to->last_block, &rest) ==
            2 &&
        to->first_block <= to->last_block && to->last_block < block_count)
        return true;
    error_help(node_error(errors, node, "'%.60s' is no range of blocks of '%s'", node->text,
                          disk->full_name),
               "write first and last, like '2048-4095'; its blocks are 0 to %" PRIu64,
               block_count - 1);
    return false;
}

enum sense_choice { SENSE_BOTH, SENSE_READ, SENSE_WRITE };
static const struct word sense_words[] = {
    {"medium-error", SENSE_BOTH, "reads and writes"},
    {"read-error", SENSE_READ, "MEDIUM ERROR, UNRECOVERED READ ERROR (3/11/00)"},
    {"write-error", SENSE_WRITE, "MEDIUM ERROR, WRITE ERROR (3/0C/00)"},
    {NULL, 0, NULL}};

static void read_sense(const struct node *node, struct step_arguments *to, struct errors *errors)
{
    int choice = SENSE_BOTH;

    if (!schema_read_word(node, "sense", sense_words, &choice, errors))
        return;
    to->fails_reads = choice != SENSE_WRITE;
    to->fails_writes = choice != SENSE_READ;
}

static const struct word alua_words[] = {
#define X(name, code, word) {word, name, ""},
    ALUA_STATES(X)
#undef X
        {NULL, 0, NULL}};

static const struct word seen_by_words[] = {
    {"fcs", CORRUPT_SEEN_BY_FCS, "the next receiver drops the frame"},
    {"checksum", CORRUPT_SEEN_BY_CHECKSUM, "FCS repaired: IPv4's and TCP's checksums"},
    {"nobody", CORRUPT_SEEN_BY_NOBODY, "all checksums repaired"},
    {NULL, 0, NULL}};

static void read_host(const struct topology *topology, const struct node *node, uint32_t *ret_host,
                      struct errors *errors)
{
    struct part_ref part;

    if (!schema_has_value(node, "of", errors))
        return;
    if (topology_find(topology, node->text, &part) && part.kind == PART_HOST)
        *ret_host = part.index;
    else
        scenario_unknown_part(topology, node, "host", PART_BIT(PART_HOST), errors);
}

/* A portal: by the NIC that has it, or by its address. */
static void read_portal(const struct topology *topology, const struct node *node,
                        struct endpoint *ret_at, struct errors *errors)
{
    struct target_address address;
    struct part_ref part;

    if (!schema_has_value(node, "portal", errors))
        return;
    if (topology_find(topology, node->text, &part) && part.kind == PART_NIC &&
        topology->nics[part.index].is_array_nic && topology->nics[part.index].address)
        *ret_at = (struct endpoint){topology->nics[part.index].address, ISCSI_PORT};
    else if (target_address_parse(node->text, &address) && !address.has_tag &&
             address.at.address != 0)
        *ret_at = address.at;
    else
        error_help(node_error(errors, node, "'%.60s' is no portal", node->text),
                   "write a NIC of an array that has an address, like 'san1.port-b', or an address "
                   "like '172.16.0.52:3260'");
}

static void read_argument(const struct topology *topology, enum step_argument argument,
                          const struct node *node, struct step *step, struct errors *errors)
{
    struct step_arguments *to = &step->arguments;
    const char *word = step_argument_word(argument);
    int64_t value = 0;
    int choice = 0;

    to->given |= ARG_BIT(argument);
    if (node->kind == NODE_VALUE)
        to->text[argument] = mem_text(node->text);
    switch (argument) {
    case ARG_DIRECTION:
        read_direction(topology, node, step, errors);
        break;
    case ARG_BOOT_TIME:
        (void)schema_read_quantity(node, word, QUANTITY_SPAN, 1, SECONDS(86400), &to->boot_time_ns,
                                   errors);
        break;
    case ARG_DOWN:
        (void)schema_read_quantity(node, word, QUANTITY_SPAN, 1, SECONDS(86400), &to->down_ns,
                                   errors);
        break;
    case ARG_UP:
        (void)schema_read_quantity(node, word, QUANTITY_SPAN, 1, SECONDS(86400), &to->up_ns,
                                   errors);
        break;
    case ARG_RATE:
        (void)schema_read_quantity(node, word, QUANTITY_SHARE, 1, 1000000, &value, errors);
        to->rate_ppm = (uint32_t)value;
        break;
    case ARG_BURST:
        (void)schema_read_count(node, word, 0, 1, 1000000, &value, errors);
        to->burst = (uint32_t)value;
        break;
    case ARG_EVERY:
        (void)schema_read_count(node, word, 0, 1, 1000000000, &value, errors);
        to->every = (uint32_t)value;
        break;
    case ARG_LARGER_THAN:
        (void)schema_read_quantity(node, word, QUANTITY_SIZE, 0, 65536, &to->larger_bytes, errors);
        break;
    case ARG_SEEN_BY:
        if (schema_read_word(node, word, seen_by_words, &choice, errors))
            to->seen_by = (enum corrupt_seen_by)choice;
        break;
    case ARG_BY:
        if (step->verb == VERB_SLOW)
            (void)read_slowness(node, to, errors);
        else
            (void)schema_read_quantity(node, word, QUANTITY_SPAN, 1, SECONDS(3600), &to->by_ns,
                                       errors);
        break;
    case ARG_JITTER:
        (void)schema_read_quantity(node, word, QUANTITY_SPAN, 0, SECONDS(3600), &to->jitter_ns,
                                   errors);
        break;
    case ARG_TO:
        if (step->verb == VERB_THROTTLE)
            (void)schema_read_quantity(node, word, QUANTITY_RATE, 1000, 1000000000000,
                                       &to->to_bits_per_s, errors);
        else if (step->verb == VERB_TRANSITION)
            (void)schema_read_word(node, "ALUA state", alua_words, &to->to_state, errors);
        else if (step->verb == VERB_REDIRECT)
            read_portal(topology, node, &to->to_portal, errors);
        break;
    case ARG_PERMANENT:
        if (schema_read_bool(node, word, &value, errors))
            to->is_permanent = value;
        break;
    case ARG_AREA:
        (void)read_area(&topology->disks[step->part.index], node, to, errors);
        break;
    case ARG_SENSE:
        read_sense(node, to, errors);
        break;
    case ARG_OF:
        read_host(topology, node, &to->of_host, errors);
        break;
    case ARG_WHAT: /* with 'to' */
    case ARG_TAKES:
    case ARG_TYPE:
    case ARG_KEY:
    case ARG_COUNT:
        break;
    }
}

static void refuse_argument(const struct node *node, enum verb verb, struct errors *errors)
{
    char list[128] = "";
    size_t used = 0;

    for (enum step_argument i = 0; i < ARG_COUNT; i++)
        if (verb_row(verb)->arguments & ARG_BIT(i))
            used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", used > 0 ? ", " : "",
                                     step_argument_word(i));

    struct error *error = node_key_error(errors, node, "'%s' is no argument of '%s'",
                                         node->key->text, verb_row(verb)->word);
    if (used > 0)
        error_help(error, "its arguments are: %s", list);
    else
        error_help(error, "it has none: write '%s: PART'", verb_row(verb)->word);
}

/* What arguments have to do with each other. */
static bool check_together(const struct argument_file *file, const struct step *step,
                           struct errors *errors)
{
    const struct step_arguments *given = &step->arguments;

    if (!file->arguments[ARG_BURST])
        return true;
    if (given->every == 0 && given->rate_ppm == 0) {
        error_help(node_key_error(errors, file->arguments[ARG_BURST], "'burst' needs a 'rate'"),
                   "say how many frames get lost in all, 'rate: 1 %%', or where bursts begin, "
                   "'every: 1000'");
        return false;
    }
    if (given->every > 0 || impair_burst_fits(given->rate_ppm, given->burst))
        return true;
    error_help(node_error(errors, file->arguments[ARG_BURST],
                          "bursts of %" PRIu32 " cannot make up so many of the frames",
                          given->burst),
               "between two bursts one frame must get through: at most burst / (burst + 1) of all");
    return false;
}

static bool has_all(const struct node *place, const struct step *step, struct errors *errors)
{
    const struct verb_row *row = verb_row(step->verb);

    for (enum step_argument i = 0; i < ARG_COUNT; i++) {
        if (!(row->needs & ~step->arguments.given & ARG_BIT(i)))
            continue;
        struct error *error =
            node_key_error(errors, place, "'%s' lacks '%s'", row->word, step_argument_word(i));
        if (step->verb == VERB_CHANGE)
            error_help(error, "write 'change: {what: switches.switch-2.mtu, to: 1500}'");
        else
            error_help(error, "write '%s: {part: ..., %s: ...}'", row->word, step_argument_word(i));
        return false;
    }
    return true;
}

/* 'change: {what: switches.switch-2.mtu, to: 1500}' */
static bool read_change(const struct topology *topology, const struct node *map,
                        const struct argument_file *file, struct step *step, struct errors *errors)
{
    return has_all(map, step, errors) &&
           setting_read(topology, file->arguments[ARG_WHAT], file->arguments[ARG_TO], step, errors);
}

/* 'pull: {part: hv1-1, direction: to-switch-1}' */
static bool read_arguments(const struct topology *topology, const struct node *map,
                           struct step *step, struct errors *errors)
{
    struct argument_file file = {.part = NULL};
    const struct verb_row *row = verb_row(step->verb);
    size_t errors_before = errors->error_count;

    schema_read(&argument_record, map, &file, errors);
    if (row->parts & PART_BIT(PART_NONE)) {
        step->part = (struct part_ref){.kind = PART_NONE};
    } else if (!file.part) {
        if (errors->error_count == errors_before)
            error_help(node_key_error(errors, map, "'%s' lacks 'part'", row->word),
                       "say what it happens to: '{part: hv1-1, ...}'");
        return false;
    } else if (!find_part(topology, file.part, step->verb, &step->part, errors)) {
        return false;
    }
    for (enum step_argument i = 0; i < ARG_COUNT; i++) {
        if (!file.arguments[i])
            continue;
        if (row->arguments & ARG_BIT(i))
            read_argument(topology, i, file.arguments[i], step, errors);
        else
            refuse_argument(file.arguments[i], step->verb, errors);
    }
    if (errors->error_count != errors_before)
        return false;
    if (step->verb == VERB_CHANGE)
        return read_change(topology, map, &file, step, errors);
    return has_all(map, step, errors) && check_together(&file, step, errors);
}

/* ---- One step ---- */

static void read_verb(const struct topology *topology, const struct node *node, struct step *step,
                      struct errors *errors)
{
    const struct verb_row *row = verb_row(step->verb);

    step->is_undo = row->is_undo;
    step->arguments = (struct step_arguments){
        .direction = DIRECTION_BOTH,
        .towards = {PART_NONE, 0, TOPOLOGY_NONE},
        .fails_reads = true,
        .fails_writes = true,
        .last_block = UINT64_MAX,
        .of_host = TOPOLOGY_NONE,
    };
    if (row->can_run == 0) {
        error_help(node_key_error(errors, node, "'%s' is not simulated yet", row->word),
                   "'iscsilab schema scenario' lists the verbs that are");
        return;
    }
    if (node->kind == NODE_MAP)
        (void)read_arguments(topology, node, step, errors);
    else if (row->parts & PART_BIT(PART_NONE) ||
             find_part(topology, node, step->verb, &step->part, errors))
        (void)has_all(node, step, errors);
}

bool scenario_knows_keys(const struct node *map)
{
    for (const struct node *child = map->first; child; child = child->next)
        if (!schema_field(&step_record, child->key->text))
            return false;
    return true;
}

void scenario_read_verb(const struct topology *topology, const struct node *map,
                        const struct step_file *file, struct step *step, struct errors *errors)
{
    const struct node *first = NULL;

    for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
        const struct node *node = file->verbs[verb];

        if (!node)
            continue;
        if (first) {
            const struct node *later = node->key->start > first->key->start ? node : first;
            error_help(node_key_error(errors, later, "a step has one verb: '%s' and '%s' are two",
                                      first->key->text, node->key->text),
                       "make it two steps; they may have the same time");
            return;
        }
        first = node;
        step->verb = verb;
    }
    if (first)
        read_verb(topology, first, step, errors);
    else if (scenario_knows_keys(map)) /* else the wrong word was meant as the verb */
        error_help(node_error(errors, map, "a step lacks its verb"),
                   "say what happens: 'power-off: switch-1'");
}
