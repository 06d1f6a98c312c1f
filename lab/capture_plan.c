/* From parts as people name them to the ports of the fabric, and from one path to many files. */
#include "lab/capture_plan.h"

#include "sim/core/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APPLICATION "iscsilab " ISCSILAB_VERSION
#define PATH_BYTES  4096

/* The names of ports, owned. */
struct port_list {
    char **names;
    size_t count;
};

struct capture_run {
    struct capture_files files;
    struct capture *capture;
    FILE *file;
    const char *path; /* borrowed */
    unsigned number;  /* of the file that is being written, from 1 */
    char current[PATH_BYTES];
};

/* Parts. */

static void add_port(struct port_list *list, const char *name)
{
    list->names = mem_resize(list->names, list->count + 1, sizeof(*list->names));
    list->names[list->count++] = mem_text(name);
}

static void add_nics(struct port_list *list, const struct topology *t, uint32_t first,
                     uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        add_port(list, t->nics[first + i].full_name);
}

static void add_switch_port(struct port_list *list, const struct topology *t, uint32_t switch_index,
                            uint32_t port_index)
{
    char name[PART_NAME_BYTES];

    snprintf(name, sizeof(name), "%s.%u", t->switches[switch_index].name, port_index + 1);
    add_port(list, name);
}

static void add_cable(struct port_list *list, const struct topology *t, uint32_t cable_index)
{
    for (size_t end = 0; end < 2; end++) {
        const struct cable_end *e = &t->cables[cable_index].ends[end];

        if (e->nic_index != TOPOLOGY_NONE)
            add_port(list, t->nics[e->nic_index].full_name);
        else
            add_switch_port(list, t, e->switch_index, e->port_index);
    }
}

/* False: a part of this kind has no ports. */
static bool add_part(struct port_list *list, const struct topology *t, struct part_ref part)
{
    switch (part.kind) {
    case PART_NIC:
        add_nics(list, t, part.index, 1);
        return true;
    case PART_HOST:
        add_nics(list, t, t->hosts[part.index].first_nic, t->hosts[part.index].nic_count);
        return true;
    case PART_ARRAY:
        add_nics(list, t, t->arrays[part.index].first_nic, t->arrays[part.index].nic_count);
        return true;
    case PART_PATH:
        add_nics(list, t, t->paths[part.index].nic_index, 1);
        add_nics(list, t, t->paths[part.index].array_nic_index, 1);
        return true;
    case PART_PORT:
        add_switch_port(list, t, part.owner, part.index);
        return true;
    case PART_SWITCH:
        for (uint32_t i = 0; i < t->switches[part.index].port_count; i++)
            if (t->switches[part.index].cable_of_port[i] != TOPOLOGY_NONE)
                add_switch_port(list, t, part.index, i);
        return true;
    case PART_CABLE:
        add_cable(list, t, part.index);
        return true;
    default:
        return false;
    }
}

static void free_ports(struct port_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
    *list = (struct port_list){0};
}

/* "a,b" to ports; false: '*err' says which is none. */
static bool find_ports(const char *parts, const struct topology *t, struct port_list *list,
                       struct error *err)
{
    static const struct source_pos nowhere;
    char word[PATH_NAME_BYTES];

    for (const char *at = parts; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        struct part_ref part;

        snprintf(word, sizeof(word), "%.*s", (int)strcspn(at, ","), at);
        if (topology_find(t, word, &part) && add_part(list, t, part))
            continue;
        error_set(err, ERR_USAGE, nowhere,
                  "--pcap-of: topology '%s' has no NIC, switch port, cable, path, host, array or "
                  "switch '%.80s'",
                  t->name, word);
        error_help(err, "name parts with commas between them: hv1.iscsi1,switch-1.24,san1");
        return false;
    }
    return true;
}

bool capture_plan_check(const struct capture_plan *plan, const struct topology *topology,
                        struct error *err)
{
    struct port_list ports = {0};
    bool is_good = !plan->parts || find_ports(plan->parts, topology, &ports, err);

    free_ports(&ports);
    return is_good;
}

/* Files. */

static void name_file(struct capture_run *run)
{
    const char *dot = strrchr(run->path, '.');

    if (run->number == 1 || !dot)
        snprintf(run->current, sizeof(run->current), "%s", run->path);
    else
        snprintf(run->current, sizeof(run->current), "%.*s-%03u%s", (int)(dot - run->path),
                 run->path, run->number, dot);
}

static FILE *open_file(struct capture_run *run)
{
    run->number++;
    name_file(run);
    run->file = fopen(run->current, "wb");
    return run->file;
}

static FILE *open_next(struct capture_files *files)
{
    struct capture_run *run = CONTAINER_OF(files, struct capture_run, files);
    FILE *full = run->file;

    run->file = NULL;
    if (fclose(full) != 0)
        return NULL;
    return open_file(run);
}

static enum status cannot_write(const struct capture_run *run, int code, struct error *err)
{
    static const struct source_pos nowhere;

    return error_set(err, ERR_SYSTEM, nowhere, "cannot write the capture '%.160s': %s",
                     run->current, strerror(code));
}

struct capture_run *capture_run_begin(const struct capture_plan *plan,
                                      const struct topology *topology, struct fabric *fabric,
                                      const char *path, struct error *err)
{
    struct port_list ports = {0};
    struct capture_run *run = mem_new(sizeof(*run));

    *run = (struct capture_run){.files = {open_next}, .path = path};
    if (plan->parts && !find_ports(plan->parts, topology, &ports, err)) {
        free_ports(&ports);
        free(run);
        return NULL;
    }
    if (!open_file(run)) {
        cannot_write(run, errno, err);
        free_ports(&ports);
        free(run);
        return NULL;
    }
    run->capture = capture_new(fabric, &(struct capture_config){
                                           .application = APPLICATION,
                                           .file = run->file,
                                           .ports = (const char *const *)ports.names,
                                           .port_count = ports.count,
                                           .rotate_bytes = (uint64_t)plan->rotate_bytes,
                                           .files = &run->files,
                                       });
    free_ports(&ports);
    return run;
}

void capture_run_event(struct capture_run *run, int64_t at_ns, const char *text)
{
    capture_event(run->capture, at_ns, text);
}

enum status capture_run_end(struct capture_run *run, struct error *err)
{
    enum status status = OK;
    int code = 0;

    if (!run)
        return OK;
    bool is_whole = capture_free(run->capture, &code);

    if (run->file && fclose(run->file) != 0 && is_whole) {
        is_whole = false;
        code = errno;
    }
    if (!is_whole)
        status = cannot_write(run, code, err);
    free(run);
    return status;
}
