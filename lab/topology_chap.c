/* Who proves what at login (CHAP: RFC 7143, 12.1.3): reads the identities of hosts, sessions and
 * arrays, refuses what the standard or a profile forbids, and warns of logins that cannot succeed.
 *
 * What is told here has a place and no excerpt: the line may hold a secret, and a log is read by
 * many.
 */
#include "lab/topology_build.h"

#include <inttypes.h>
#include <string.h>

/* What a session and its target hold against each other; TOPOLOGY_NONE: nothing. */
struct pair {
    uint32_t host;
    uint32_t target;
};

const struct chap_identity *topology_identity(const struct topology *topology, uint32_t index)
{
    return index < topology->identity_count ? &topology->identities[index] : NULL;
}

static struct text_span place_of(const struct node *node)
{
    return (struct text_span){.pos = node_pos(node)};
}

/* 'secret_most': of the tools of whoever types it in; 0: no limit but the standard's. */
static uint32_t add_identity(struct build *build, const struct chap_file *file,
                             const char *default_name, uint32_t secret_most)
{
    struct topology *topology = build->topology;
    const char *name = file->user ? file->user->text : default_name;

    if (!file->secret)
        return TOPOLOGY_NONE; /* none is wanted, or the table told what it lacks */
    const size_t bytes = strlen(file->secret->text);

    if (secret_most > 0 && bytes > secret_most) {
        error_help(errors_add(build->errors, place_of(file->secret), NULL, 0,
                              "the secret has %zu bytes, and this host takes at most %" PRIu32,
                              bytes, secret_most),
                   "shorten it, or set 'path: {chap-secret-most: ...}' of the host");
        return TOPOLOGY_NONE;
    }
    topology->identities =
        build_grow(topology->identities, topology->identity_count, sizeof(struct chap_identity));
    const char *fault = chap_identity_set(&topology->identities[topology->identity_count], name,
                                          file->secret->text, bytes);

    if (fault) {
        error_help(errors_add(build->errors, place_of(file->secret), NULL, 0, "CHAP of '%.60s': %s",
                              name, fault),
                   "a secret has 12 to 255 bytes, a name 1 to 255");
        return TOPOLOGY_NONE;
    }
    return topology->identity_count++;
}

/* Who hears one answer could give the other. False: told. */
static bool secrets_differ(struct build *build, const struct chap_file *given, struct pair pair)
{
    const struct topology *topology = build->topology;
    const struct chap_identity *host = topology_identity(topology, pair.host);
    const struct chap_identity *target = topology_identity(topology, pair.target);

    if (!host || !target || !chap_secrets_are_equal(host, target))
        return true;
    error_help(errors_add(build->errors, place_of(given->secret), NULL, 0,
                          "'%.60s' and '%.60s' prove themselves to each other with one secret",
                          host->name, target->name),
               "give each direction its own (RFC 7143, 12.1.3)");
    return false;
}

static void refuse_lonely_target(struct build *build, const struct chap_file *target)
{
    error_help(errors_add(build->errors, place_of(target->secret), NULL, 0,
                          "'chap-target' without 'chap': who asks for proof has to give some"),
               "add 'chap: {secret: ...}' beside it");
}

/* ---- Hosts and sessions ---- */

static struct pair read_pair(struct build *build, const struct topology_host *host,
                             const struct chap_file *own, const struct chap_file *target,
                             struct pair otherwise)
{
    uint32_t most = host->profile.path.chap_secret_most_bytes;
    struct pair pair = otherwise;

    if (own->secret)
        pair.host = add_identity(build, own, host->initiator_name, most);
    if (target->secret)
        pair.target = add_identity(build, target, "", most);
    if (target->secret && !own->secret && otherwise.host == TOPOLOGY_NONE)
        refuse_lonely_target(build, target);
    if (own->secret || target->secret)
        (void)secrets_differ(build, target->secret ? target : own, pair);
    return pair;
}

void build_add_host_chap(struct build *build, struct topology_host *host,
                         const struct host_map *file)
{
    const struct pair nothing = {TOPOLOGY_NONE, TOPOLOGY_NONE};
    struct pair pair = read_pair(build, host, &file->chap, &file->chap_target, nothing);

    host->chap = pair.host;
    host->chap_target = pair.target;
    host->discovery_chap = add_identity(build, &file->discovery_chap, host->initiator_name,
                                        host->profile.path.chap_secret_most_bytes);
    if (file->discovery_chap.secret)
        (void)secrets_differ(build, &file->discovery_chap,
                             (struct pair){host->discovery_chap, host->chap_target});
}

void build_add_path_chap(struct build *build, struct topology_path *path,
                         const struct session_file *file)
{
    const struct topology_host *host = &build->topology->hosts[path->host_index];
    struct pair pair = read_pair(build, host, &file->chap, &file->chap_target,
                                 (struct pair){host->chap, host->chap_target});

    path->chap = pair.host;
    path->chap_target = pair.target;
}

/* ---- Arrays ---- */

/* A list of those who may come. Returns how many there are, one after the other from 'ret_first'
 * on. */
static uint32_t add_users(struct build *build, const struct node *list, uint32_t own,
                          uint32_t *ret_first)
{
    struct topology *topology = build->topology;
    uint32_t first = topology->identity_count;

    *ret_first = first;
    for (const struct node *map = list ? list->first : NULL; map; map = map->next) {
        struct chap_file file = {.user = NULL};

        if (!build_has_room(build, list, topology->identity_count - first, CHAP_USERS_MOST,
                            "users of one array"))
            break;
        schema_read(&chap_peer_record, map, &file, build->errors);
        if (!file.user)
            continue;
        for (uint32_t i = first; i < topology->identity_count; i++)
            if (strcmp(topology->identities[i].name, file.user->text) == 0)
                error_help(errors_add(build->errors, place_of(file.user), NULL, 0,
                                      "the user '%.60s' is here twice", file.user->text),
                           "a name has one secret: keep one of them");
        uint32_t user = add_identity(build, &file, "", 0);

        if (user != TOPOLOGY_NONE)
            (void)secrets_differ(build, &file, (struct pair){user, own});
    }
    return topology->identity_count - first;
}

void build_add_array_chap(struct build *build, struct topology_array *array,
                          const struct array_map *file)
{
    const bool asks = (file->chap && file->chap->child_count > 0) ||
                      (file->discovery_chap && file->discovery_chap->child_count > 0);

    array->chap_own = add_identity(build, &file->chap_own, array->target_name, 0);
    if (file->chap_own.secret && !asks)
        error_help(errors_add(build->errors, place_of(file->chap_own.secret), NULL, 0,
                              "'chap-own' answers those who authenticate: nobody has to"),
                   "say who may log in: 'chap: [{user: ..., secret: ...}]'");
    array->user_count = add_users(build, file->chap, array->chap_own, &array->first_user);
    array->discoverer_count =
        add_users(build, file->discovery_chap, array->chap_own, &array->first_discoverer);
}

/* ---- Logins that cannot succeed ---- */

struct gate {
    uint32_t first_user;
    uint32_t user_count;
    uint32_t own;
};

static bool is_same(const struct chap_identity *a, const struct chap_identity *b)
{
    return strcmp(a->name, b->name) == 0 && chap_secrets_are_equal(a, b);
}

/* What the target will say to 'host'; NULL: welcome. */
static const char *target_says(const struct topology *topology, const struct gate *gate,
                               const struct chap_identity *host)
{
    if (!host)
        return gate->user_count > 0 ? "it asks for CHAP, and none is given" : NULL;
    if (gate->user_count == 0)
        return "the host insists on CHAP, and it asks nobody for that";
    for (uint32_t i = gate->first_user; i < gate->first_user + gate->user_count; i++)
        if (strcmp(topology->identities[i].name, host->name) == 0)
            return is_same(&topology->identities[i], host) ? NULL
                                                           : "it has another secret for the user";
    return "it does not know the user";
}

static const char *host_says(const struct chap_identity *own, const struct chap_identity *wanted)
{
    if (!wanted)
        return NULL;
    if (!own)
        return "the host wants proof of it, and it has no 'chap-own'";
    return is_same(own, wanted) ? NULL : "its 'chap-own' is not what the host wants";
}

static const char *trouble_of(const struct topology *topology, const struct gate *gate,
                              struct pair pair)
{
    const struct chap_identity *host = topology_identity(topology, pair.host);
    const char *trouble = target_says(topology, gate, host);

    if (trouble || !host)
        return trouble;
    return host_says(topology_identity(topology, gate->own),
                     topology_identity(topology, pair.target));
}

static void check_path(struct build *build, const struct topology_path *path)
{
    const struct topology_array *array = &build->topology->arrays[path->array_index];
    const struct gate gate = {array->first_user, array->user_count, array->chap_own};
    const char *trouble =
        trouble_of(build->topology, &gate, (struct pair){path->chap, path->chap_target});

    if (trouble)
        error_help(errors_warn(build->errors, (struct text_span){.pos = path->pos}, NULL, 0,
                               "'%s' refuses the login of '%s': %s", array->name, path->name,
                               trouble),
                   "the path comes up when both have the same user and secret");
}

static void check_discovery(struct build *build, const struct topology_host *host)
{
    const struct topology *topology = build->topology;
    const struct topology_array *array =
        &topology->arrays[topology->paths[host->first_path].array_index];
    const struct gate gate = {array->first_discoverer, array->discoverer_count, array->chap_own};
    const char *trouble =
        trouble_of(topology, &gate, (struct pair){host->discovery_chap, host->chap_target});

    if (trouble)
        error_help(errors_warn(build->errors, (struct text_span){.pos = host->pos}, NULL, 0,
                               "'%s' refuses the discovery of '%s': %s", array->name, host->name,
                               trouble),
                   "'discovery-chap' of both must agree");
}

/* Of hosts made from one map the first stands for all. */
void build_check_chap(struct build *build)
{
    const struct topology *topology = build->topology;

    for (uint32_t i = 0; i < topology->host_count; i++) {
        const struct topology_host *host = &topology->hosts[i];

        if (i > 0 && strcmp(host->group, host[-1].group) == 0)
            continue;
        check_discovery(build, host);
        for (uint32_t p = 0; p < host->path_count; p++)
            check_path(build, &topology->paths[host->first_path + p]);
    }
}
