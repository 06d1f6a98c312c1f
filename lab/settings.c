/* One row per setting that may change while the SAN runs. */
#include "lab/settings.h"

#include "lab/topology_tables.h"
#include "lab/world.h"
#include "lab/world_array.h"
#include "lab/world_host.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MOST 8
#define WORD_BYTES 64

/* A dotted path, cut at its dots. */
struct dotted {
    char words[WORDS_MOST][WORD_BYTES];
    size_t count;
};

typedef int64_t base_fn(const struct topology *topology, uint32_t part_index);
typedef void apply_fn(struct world *world, uint32_t part_index, int64_t value);
/* NULL: the topology's. */
typedef void apply_secret_fn(struct world *world, uint32_t place, const char *secret);

struct setting {
    enum part_kind kind;
    const char *section; /* of the topology file */
    const char *path;    /* behind the part's name */
    base_fn *base;
    apply_fn *apply;
    apply_secret_fn *apply_secret; /* instead of these two */
};

/* ---- Switches ---- */

static int64_t switch_mtu(const struct topology *t, uint32_t i)
{
    return t->switches[i].mtu_bytes;
}

static void set_switch_mtu(struct world *world, uint32_t i, int64_t value)
{
    switch_set_mtu_bytes(world_switch(world, i), (uint32_t)value);
}

static int64_t switch_port_buffer(const struct topology *t, uint32_t i)
{
    return t->switches[i].port_buffer_bytes;
}

static void set_switch_port_buffer(struct world *world, uint32_t i, int64_t value)
{
    switch_set_port_buffer_bytes(world_switch(world, i), (uint64_t)value);
}

static int64_t switch_forwarding_delay(const struct topology *t, uint32_t i)
{
    return t->switches[i].forwarding_delay_ns;
}

static void set_switch_forwarding_delay(struct world *world, uint32_t i, int64_t value)
{
    switch_set_forwarding_delay_ns(world_switch(world, i), value);
}

static int64_t switch_mac_age(const struct topology *t, uint32_t i)
{
    return t->switches[i].mac_age_ns;
}

static void set_switch_mac_age(struct world *world, uint32_t i, int64_t value)
{
    switch_set_mac_age_ns(world_switch(world, i), value);
}

static int64_t switch_port_delay(const struct topology *t, uint32_t i)
{
    return t->switches[i].port_forwarding_delay_ns;
}

static void set_switch_port_delay(struct world *world, uint32_t i, int64_t value)
{
    switch_set_port_forwarding_delay_ns(world_switch(world, i), value);
}

static int64_t switch_debounce(const struct topology *t, uint32_t i)
{
    return t->switches[i].link_debounce_ns;
}

static void set_switch_debounce(struct world *world, uint32_t i, int64_t value)
{
    switch_set_link_debounce_ns(world_switch(world, i), value);
}

static int64_t switch_shared_buffer(const struct topology *t, uint32_t i)
{
    return t->switches[i].shared_buffer_bytes;
}

static void set_switch_shared_buffer(struct world *world, uint32_t i, int64_t value)
{
    switch_set_shared_buffer_bytes(world_switch(world, i), (uint64_t)value);
}

/* ---- NICs and cables ---- */

static int64_t nic_mtu(const struct topology *t, uint32_t i)
{
    return t->nics[i].mtu_bytes;
}

static void set_nic_mtu(struct world *world, uint32_t i, int64_t value)
{
    nic_set_mtu_bytes(world_nic(world, i), (uint32_t)value);
}

static int64_t cable_speed(const struct topology *t, uint32_t i)
{
    return t->cables[i].rate_bits_per_s;
}

static void set_cable_speed(struct world *world, uint32_t i, int64_t value)
{
    cable_set_rate(world_cable(world, i), value);
}

static int64_t cable_delay(const struct topology *t, uint32_t i)
{
    return t->cables[i].delay_ns;
}

static void set_cable_delay(struct world *world, uint32_t i, int64_t value)
{
    int64_t length_m = world_topology(world)->cables[i].length_m;

    for (unsigned end = 0; end < 2; end++)
        link_set_delay(cable_link(world_cable(world, i), end), length_m * LINK_NS_PER_M + value);
}

/* ---- Arrays ---- */

static int64_t media_read_time(const struct topology *t, uint32_t i)
{
    return t->arrays[i].media.read_time_ns;
}

static void set_media_read_time(struct world *world, uint32_t i, int64_t value)
{
    struct media_model model = *world_array_media_model(world_array(world, i));

    model.read_time_ns = value;
    world_array_set_media_model(world_array(world, i), &model);
}

static int64_t media_write_time(const struct topology *t, uint32_t i)
{
    return t->arrays[i].media.write_time_ns;
}

static void set_media_write_time(struct world *world, uint32_t i, int64_t value)
{
    struct media_model model = *world_array_media_model(world_array(world, i));

    model.write_time_ns = value;
    world_array_set_media_model(world_array(world, i), &model);
}

/* ---- Secrets of CHAP: each login reads them anew, sessions that are there stay ---- */

static struct chap_identity with_secret(const struct chap_identity *identity, const char *secret)
{
    struct chap_identity result = *identity;

    if (secret) {
        const char *fault = chap_identity_set(&result, identity->name, secret, strlen(secret));

        assert(!fault); /* read_secret() saw to it */
        (void)fault;
    }
    return result;
}

/* The place is a path. */
static void set_path_secret(struct world *world, uint32_t place, const char *secret)
{
    const struct topology *t = world_topology(world);
    const struct topology_path *path = &t->paths[place];
    struct chap_identity identity = with_secret(topology_identity(t, path->chap), secret);

    if (world_host(world, path->host_index)) /* else it is a real box */
        world_host_set_proof(world_host(world, path->host_index), path->index_in_host, &identity);
}

/* Whose list has this identity; TOPOLOGY_NONE: nobody's. */
static uint32_t array_of_user(const struct topology *t, uint32_t identity)
{
    for (uint32_t i = 0; i < t->array_count; i++)
        if (identity >= t->arrays[i].first_user &&
            identity < t->arrays[i].first_user + t->arrays[i].user_count)
            return i;
    return TOPOLOGY_NONE;
}

/* The place is an identity. */
static void set_user_secret(struct world *world, uint32_t place, const char *secret)
{
    const struct topology *t = world_topology(world);
    uint32_t array = array_of_user(t, place);
    struct chap_identity identity = with_secret(topology_identity(t, place), secret);

    if (world_array(world, array))
        world_array_set_user(world_array(world, array), place - t->arrays[array].first_user,
                             &identity);
}

/* ---- The table ---- */

static const struct setting settings[] = {
    {PART_SWITCH, "switches", "mtu", switch_mtu, set_switch_mtu, NULL},
    {PART_SWITCH, "switches", "port-buffer", switch_port_buffer, set_switch_port_buffer, NULL},
    {PART_SWITCH, "switches", "forwarding-delay", switch_forwarding_delay,
     set_switch_forwarding_delay, NULL},
    {PART_SWITCH, "switches", "mac-age", switch_mac_age, set_switch_mac_age, NULL},
    {PART_SWITCH, "switches", "port-forwarding-delay", switch_port_delay, set_switch_port_delay,
     NULL},
    {PART_SWITCH, "switches", "link-debounce", switch_debounce, set_switch_debounce, NULL},
    {PART_SWITCH, "switches", "shared-buffer", switch_shared_buffer, set_switch_shared_buffer,
     NULL},
    {PART_NIC, "hosts", "nics.*.mtu", nic_mtu, set_nic_mtu, NULL},
    {PART_NIC, "arrays", "nics.*.mtu", nic_mtu, set_nic_mtu, NULL},
    {PART_ARRAY, "arrays", "media.read-time", media_read_time, set_media_read_time, NULL},
    {PART_ARRAY, "arrays", "media.write-time", media_write_time, set_media_write_time, NULL},
    {PART_CABLE, "cables", "speed", cable_speed, set_cable_speed, NULL},
    {PART_CABLE, "cables", "delay", cable_delay, set_cable_delay, NULL},
    {PART_PATH, "hosts", "sessions.*.chap.secret", NULL, NULL, set_path_secret},
    {PART_ARRAY, "arrays", "chap.*.secret", NULL, NULL, set_user_secret},
};

static const struct section {
    const char *name;
    const struct record *record;
} sections[] = {{"switches", &switch_record},
                {"hosts", &host_record},
                {"arrays", &array_record},
                {"cables", &cable_record}};

/* ---- Dotted paths ---- */

/* False: too long to be one of ours. */
static bool cut(const char *text, struct dotted *ret)
{
    *ret = (struct dotted){.count = 0};
    for (;;) {
        size_t bytes = strcspn(text, ".");

        if (ret->count == WORDS_MOST || bytes >= WORD_BYTES)
            return false;
        memcpy(ret->words[ret->count++], text, bytes);
        if (text[bytes] == '\0')
            return true;
        text += bytes + 1;
    }
}

/* Do the words behind the name say 'path'? A '*' of the path stands for a name. */
static bool is_path(const struct dotted *dotted, const char *path)
{
    struct dotted own;

    if (!cut(path, &own) || own.count + 2 != dotted->count)
        return false;
    for (size_t i = 0; i < own.count; i++)
        if (strcmp(own.words[i], "*") != 0 && strcmp(own.words[i], dotted->words[i + 2]) != 0)
            return false;
    return true;
}

static const struct setting *find(const struct dotted *dotted)
{
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        if (strcmp(settings[i].section, dotted->words[0]) == 0 && is_path(dotted, settings[i].path))
            return &settings[i];
    return NULL;
}

static bool means(const char *word, const char *name)
{
    return strcmp(word, "*") == 0 || strcmp(word, name) == 0;
}

static bool covers_nic(const struct topology *t, bool is_array, const struct dotted *dotted,
                       uint32_t index)
{
    const struct topology_nic *nic = &t->nics[index];

    if (nic->is_array_nic != is_array || !means(dotted->words[3], nic->name))
        return false;
    return is_array ? means(dotted->words[1], t->arrays[nic->owner_index].name)
                    : means(dotted->words[1], t->hosts[nic->owner_index].name) ||
                          means(dotted->words[1], t->hosts[nic->owner_index].group);
}

/* Items of lists go by their numbers from 1. */
static bool means_number(const char *word, uint32_t index)
{
    char number[16];

    snprintf(number, sizeof(number), "%" PRIu32, index + 1);
    return means(word, number);
}

static bool covers_path(const struct topology *t, const struct dotted *dotted, uint32_t index)
{
    const struct topology_path *path = &t->paths[index];
    const struct topology_host *host = &t->hosts[path->host_index];

    return path->chap != TOPOLOGY_NONE && means_number(dotted->words[3], path->index_in_host) &&
           (means(dotted->words[1], host->name) || means(dotted->words[1], host->group));
}

static bool covers_user(const struct topology *t, const struct dotted *dotted, uint32_t index)
{
    uint32_t array = array_of_user(t, index);

    return array != TOPOLOGY_NONE && means(dotted->words[1], t->arrays[array].name) &&
           means_number(dotted->words[3], index - t->arrays[array].first_user);
}

static bool covers(const struct setting *setting, const struct topology *t,
                   const struct dotted *dotted, uint32_t index)
{
    if (setting->apply_secret == set_user_secret)
        return covers_user(t, dotted, index);
    switch (setting->kind) {
    case PART_SWITCH:
        return means(dotted->words[1], t->switches[index].name);
    case PART_CABLE:
        return means(dotted->words[1], t->cables[index].name);
    case PART_ARRAY:
        return means(dotted->words[1], t->arrays[index].name);
    case PART_PATH:
        return covers_path(t, dotted, index);
    default:
        return covers_nic(t, strcmp(setting->section, "arrays") == 0, dotted, index);
    }
}

bool setting_covers(const struct setting *setting, const struct topology *topology,
                    const char *what, uint32_t place)
{
    struct dotted dotted;

    return cut(what, &dotted) && covers(setting, topology, &dotted, place);
}

static struct part_ref setting_part(const struct setting *setting, const struct topology *topology,
                                    uint32_t place)
{
    uint32_t index =
        setting->apply_secret == set_user_secret ? array_of_user(topology, place) : place;

    return (struct part_ref){setting->kind, index, TOPOLOGY_NONE};
}

bool setting_touches(const struct setting *setting, const struct topology *topology, uint32_t place,
                     uint32_t path_index)
{
    const struct topology_path *path = &topology->paths[path_index];
    const struct chap_identity *own = topology_identity(topology, path->chap);

    if (setting->apply_secret == set_user_secret)
        return path->array_index == array_of_user(topology, place) && own &&
               strcmp(own->name, topology_identity(topology, place)->name) == 0;
    return topology_path_uses(topology, path_index, setting_part(setting, topology, place));
}

uint32_t setting_place_count(const struct setting *setting, const struct topology *topology)
{
    if (setting->apply_secret == set_user_secret)
        return topology->identity_count;
    switch (setting->kind) {
    case PART_SWITCH:
        return topology->switch_count;
    case PART_CABLE:
        return topology->cable_count;
    case PART_ARRAY:
        return topology->array_count;
    case PART_PATH:
        return topology->path_count;
    default:
        return topology->nic_count;
    }
}

void setting_apply(const struct setting *setting, struct world *world, uint32_t place,
                   const struct step *change)
{
    if (setting->apply_secret)
        setting->apply_secret(world, place, change ? change->arguments.text[ARG_TO] : NULL);
    else
        setting->apply(world, place,
                       change ? change->arguments.setting_value
                              : setting->base(world_topology(world), place));
}

/* ---- Reading ---- */

static const struct record *section_record(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
        if (strcmp(sections[i].name, name) == 0)
            return sections[i].record;
    return NULL;
}

/* The row of the topology's table that a path leads to; NULL: it leads nowhere. */
static const struct field *field_of(const struct dotted *dotted)
{
    const struct record *record = section_record(dotted->words[0]);
    const struct field *field = NULL;

    for (size_t i = 2; record && i < dotted->count; i++) {
        field = schema_field(record, dotted->words[i]);
        if (!field)
            return NULL;
        record = field->record;
        if ((field->type == FIELD_NAMED || field->type == FIELD_LIST) && i + 1 < dotted->count)
            i++; /* a name, a number */
    }
    return field;
}

static void refuse(const struct node *what, const struct dotted *dotted, struct errors *errors)
{
    char list[256] = "";
    size_t used = 0;

    for (size_t i = 0; i < ARRAY_SIZE(settings) && used < sizeof(list); i++)
        if (strcmp(settings[i].section, dotted->words[0]) == 0)
            used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", used > 0 ? ", " : "",
                                     settings[i].path);
    if (!section_record(dotted->words[0]))
        error_help(node_error(errors, what, "'%.80s' is no setting of the topology", what->text),
                   "begin with 'switches', 'hosts', 'arrays' or 'cables': "
                   "'switches.switch-2.mtu'");
    else if (!field_of(dotted))
        error_help(node_error(errors, what, "'%.80s' is no setting of the topology", what->text),
                   "of '%s' these can change while the SAN runs: %s", dotted->words[0], list);
    else
        error_help(node_error(errors, what,
                              "'%.80s' cannot change while the SAN runs: it is read "
                              "when the part is built or boots",
                              what->text),
                   "set it before the run with --set; of '%s' these can change: %s",
                   dotted->words[0], list);
}

/* The longest secret that all take who get it. */
static uint32_t secret_most(const struct setting *setting, const struct topology *t,
                            const struct dotted *dotted)
{
    uint32_t most = CHAP_SECRET_MOST;

    for (uint32_t i = 0; setting->kind == PART_PATH && i < t->path_count; i++) {
        uint32_t own = t->hosts[t->paths[i].host_index].profile.path.chap_secret_most_bytes;

        if (covers(setting, t, dotted, i) && own > 0 && own < most)
            most = own;
    }
    return most;
}

/* The length alone counts. It is told without an excerpt, as in topology files. */
static bool read_secret(const struct node *to, uint32_t most, struct errors *errors)
{
    size_t bytes = strlen(to->text);

    if (bytes >= CHAP_SECRET_LEAST && bytes <= most)
        return true;
    error_help(errors_add(errors, (struct text_span){.pos = node_pos(to)}, NULL, 0,
                          "the secret has %zu bytes, and 12 to %" PRIu32 " are taken", bytes, most),
               "at least 96 bits (RFC 7143, 9.2.1); at most what the host's profile says");
    return false;
}

static bool read_value(const struct dotted *dotted, const struct node *to, struct step *step,
                       struct errors *errors)
{
    const struct field *field = field_of(dotted);
    int64_t *value = &step->arguments.setting_value;

    if (field->type == FIELD_COUNT)
        return schema_read_count(to, field->key, 0, field->least, field->most, value, errors);
    return schema_read_quantity(to, field->key, field->quantity, field->least, field->most, value,
                                errors);
}

bool setting_read(const struct topology *topology, const struct node *what, const struct node *to,
                  struct step *step, struct errors *errors)
{
    struct dotted dotted;
    uint32_t count = 0;

    if (!schema_has_value(what, "what", errors) || !schema_has_value(to, "to", errors))
        return false;
    const struct setting *setting = cut(what->text, &dotted) ? find(&dotted) : NULL;

    if (!setting) {
        refuse(what, &dotted, errors);
        return false;
    }
    step->part = (struct part_ref){PART_NONE, 0, TOPOLOGY_NONE};
    for (uint32_t i = 0; i < setting_place_count(setting, topology); i++) {
        if (!covers(setting, topology, &dotted, i))
            continue;
        step->part = setting_part(setting, topology, i);
        count++;
    }
    if (count == 0) {
        error_help(node_error(errors, what, "'%.80s' names no %s of the topology", what->text,
                              part_kind_word(setting->kind)),
                   setting->apply_secret
                       ? "items of lists go by their numbers from 1, and must have a secret; '*' "
                         "stands for all"
                       : "'*' stands for all names at its place");
        return false;
    }
    if (count > 1)
        step->part = (struct part_ref){PART_NONE, 0, TOPOLOGY_NONE};
    step->arguments.setting = setting;
    if (setting->apply_secret)
        return read_secret(to, secret_most(setting, topology, &dotted), errors);
    return read_value(&dotted, to, step, errors);
}
