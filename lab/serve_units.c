/* The disks of an array on real sockets. */
#include "lab/serve_units.h"

#include "sim/core/attributes.h"
#include "sim/core/hash.h"
#include "sim/core/mem.h"
#include "sim/live/file_record.h"
#include "sim/live/file_store.h"
#include "target/device.h"
#include "target/media.h"
#include "target/memory_store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LEAST_BYTES (1u << 20)

struct unit {
    struct topology_disk disk;   /* a copy, with the size that it has now */
    const char *path;            /* of its file, borrowed; NULL: memory */
    struct memory_store *memory; /* one of the two */
    struct file_store *file;
    struct file_record *reservations; /* of a disk that outlives us; NULL: none */
    struct media *media;              /* NULL: as fast as the store */
    uint64_t bytes;                   /* of the logical unit */
};

struct serve_units {
    struct serve_units_config config;
    struct unit units[DEVICE_MAX_LUNS]; /* by LUN */
    uint32_t count;
};

static const struct source_pos nowhere;

static const struct topology_disk *disk_of(const struct topology *t, uint32_t array_index,
                                           uint32_t lun)
{
    return &t->disks[t->arrays[array_index].first_disk + lun];
}

/* One disk. */

static struct store *open_store(const struct serve_units *units, struct unit *unit,
                                struct error *err)
{
    const struct serve_units_config *config = &units->config;
    const struct topology_disk *disk = &unit->disk;
    struct memory_store_config memory = {.bytes = (uint64_t)disk->size_bytes,
                                         .has_volatile_cache = disk->has_write_cache};

    if (unit->path) {
        unit->file = file_store_open(
            &(struct file_store_config){.path = unit->path,
                                        .is_read_only = disk->is_read_only || config->is_read_only,
                                        .loop = config->loop,
                                        .pacer = config->pacer,
                                        .clock = config->clock,
                                        .pool = config->pool},
            err);
        return unit->file ? file_store_interface(unit->file) : NULL;
    }
    random_init(&memory.random, 1, disk->full_name);
    unit->memory = memory_store_new(&memory, config->clock, config->pool);
    return memory_store_interface(unit->memory);
}

/* Beside the disk's file; a block device has nothing beside it that would stay. False: '*err' says
 * why. */
static bool open_reservations(const struct serve_units *units, struct unit *unit, struct error *err)
{
    const char *folder = units->config.state_folder;
    const char *beside = unit->path;
    size_t room = strlen(folder ? folder : "") + strlen(beside ? beside : "") + NAME_BYTES + 32;
    struct stat status;

    if (!beside || (!folder && (stat(beside, &status) != 0 || !S_ISREG(status.st_mode))))
        return true;
    char *path = mem_new(room);

    snprintf(path, room, "%s%s%s.reservations", folder ? folder : beside, folder ? "/" : "",
             folder ? unit->disk.name : "");
    unit->reservations = file_record_open(
        &(struct file_record_config){
            .path = path, .loop = units->config.loop, .pacer = units->config.pacer},
        err);
    free(path);
    return unit->reservations;
}

/* In whole blocks. */
static uint64_t whole_blocks(const struct unit *unit, uint64_t bytes)
{
    return bytes - bytes % unit->disk.block_bytes;
}

static void add_to_device(const struct serve_units *units, const struct unit *unit,
                          struct store *store)
{
    const struct topology_disk *disk = &unit->disk;
    char serial[SERIAL_BYTES];

    snprintf(serial, sizeof(serial), "%016" PRIX64,
             hash64(disk->full_name, strlen(disk->full_name), 0));
    device_add_disk(
        units->config.device, (uint16_t)disk->lun,
        &(struct disk_config){
            .name = disk->full_name,
            .serial = disk->serial[0] ? disk->serial : serial,
            .store = store,
            .bytes = unit->bytes,
            .block_bytes = disk->block_bytes,
            .physical_block_exponent = disk->physical_block_exponent,
            .is_read_only = disk->is_read_only || units->config.is_read_only,
            .is_thin = disk->is_thin,
            .is_removable = disk->is_removable,
            .has_write_cache = disk->has_write_cache,
            .sanitize_ns = disk->sanitize_ns,
            .reservations = unit->reservations ? file_record_interface(unit->reservations) : NULL,
        });
}

static void close_unit(struct unit *unit)
{
    media_free(unit->media);
    memory_store_free(unit->memory);
    file_store_close(unit->file);
    file_record_close(unit->reservations);
}

/* The device hears of it last. False: '*err' says why; what was opened waits for close_unit(). */
static bool open_unit(const struct serve_units *units, struct unit *unit, struct error *err)
{
    const struct topology_disk *disk = &unit->disk;
    struct store *store = open_store(units, unit, err);

    if (!store)
        return false;
    /* A file's disk is as large as the file. */
    unit->bytes = whole_blocks(unit, disk->size_bytes ? (uint64_t)disk->size_bytes : store->bytes);
    if (unit->bytes < LEAST_BYTES) {
        error_set(err, ERR_SYSTEM, nowhere, "'%.160s' is too small for a disk",
                  unit->path ? unit->path : disk->full_name);
        error_help(err, "give it at least 1 MiB: truncate -s 10G FILE");
        return false;
    }
    if (units->config.media) {
        unit->media = media_new(units->config.media, units->config.clock, store);
        store = media_interface(unit->media);
    }
    if (!open_reservations(units, unit, err))
        return false;
    add_to_device(units, unit, store);
    return true;
}

/* All of them. */

struct serve_units *serve_units_new(const struct serve_units_config *config)
{
    struct serve_units *units = mem_new(sizeof(*units));

    units->config = *config;
    return units;
}

bool serve_units_add(struct serve_units *units, const struct topology *topology,
                     uint32_t array_index, struct error *err)
{
    while (units->count < topology->arrays[array_index].disk_count) {
        struct unit *unit = &units->units[units->count];
        const struct topology_disk *disk = disk_of(topology, array_index, units->count);

        assert(units->count < DEVICE_MAX_LUNS);
        *unit = (struct unit){.disk = *disk};
        if (units->config.paths)
            unit->path = units->config.paths[units->count];
        if (!open_unit(units, unit, err)) {
            close_unit(unit);
            return false;
        }
        units->count++;
    }
    return true;
}

void serve_units_free(struct serve_units *units)
{
    if (!units)
        return;
    for (uint32_t lun = 0; lun < units->count; lun++)
        close_unit(&units->units[lun]);
    free(units);
}

struct media *serve_units_media(const struct serve_units *units, uint32_t lun)
{
    assert(lun < units->count);
    return units->units[lun].media;
}

/* Change. */

static bool refuse(struct error *err, struct source_pos pos, const char *help)
{
    err->pos = pos;
    error_help(err, "%s", help);
    return false;
}

static bool is_of_one_kind(const struct topology_disk *a, const struct topology_disk *b)
{
    return a->block_bytes == b->block_bytes &&
           a->physical_block_exponent == b->physical_block_exponent && a->is_thin == b->is_thin &&
           a->is_removable == b->is_removable && a->is_read_only == b->is_read_only &&
           a->has_write_cache == b->has_write_cache && a->sanitize_ns == b->sanitize_ns &&
           strcmp(a->serial, b->serial) == 0;
}

static bool check_unit(const struct topology_disk *here, const struct topology_disk *there,
                       struct error *err)
{
    if (strcmp(here->name, there->name) != 0) {
        error_set(err, ERR_INPUT, nowhere, "LUN %u is disk '%s' here, and '%s' in the file",
                  here->lun, here->name, there->name);
        return refuse(
            err, there->pos,
            "new disks come behind the others; for any other order start the server anew");
    }
    if (there->size_bytes < here->size_bytes) {
        error_set(err, ERR_INPUT, nowhere,
                  "disk '%s' cannot shrink while it is served: it has %" PRId64
                  " bytes, and in the file %" PRId64,
                  here->full_name, here->size_bytes, there->size_bytes);
        return refuse(err, there->pos, "start the server anew");
    }
    if (!is_of_one_kind(here, there)) {
        error_set(err, ERR_INPUT, nowhere,
                  "disk '%s' can change nothing but its size while it is "
                  "served",
                  here->full_name);
        return refuse(err, there->pos, "start the server anew");
    }
    return true;
}

bool serve_units_check(const struct serve_units *units, const struct topology *topology,
                       uint32_t array_index, struct error *err)
{
    const struct topology_array *array = &topology->arrays[array_index];

    if (array->disk_count > DEVICE_MAX_LUNS) {
        error_set(err, ERR_INPUT, nowhere, "%u disks are more than the %u that there may be",
                  array->disk_count, DEVICE_MAX_LUNS);
        return refuse(err, array->pos, "serve them as another array");
    }
    for (uint32_t lun = 0; lun < units->count; lun++) {
        const struct topology_disk *here = &units->units[lun].disk;

        if (lun >= array->disk_count) {
            error_set(err, ERR_INPUT, nowhere, "disk '%s' cannot go away while it is served",
                      here->full_name);
            return refuse(err, array->pos, "start the server anew");
        }
        if (!check_unit(here, disk_of(topology, array_index, lun), err))
            return false;
    }
    return true;
}

static void grow(struct serve_units *units, struct unit *unit, int64_t size_bytes, FILE *log)
{
    uint64_t bytes;

    if (unit->file) {
        bytes = file_store_measure(unit->file);
    } else {
        bytes = (uint64_t)size_bytes;
        unit->disk.size_bytes = size_bytes;
        if (bytes > unit->bytes)
            memory_store_grow(unit->memory, bytes);
    }
    bytes = whole_blocks(unit, bytes);
    if (bytes < unit->bytes)
        fprintf(log,
                "warning: the file of disk '%s' is cut short: what was behind its end cannot "
                "be read\n",
                unit->disk.full_name);
    if (bytes <= unit->bytes)
        return;
    if (unit->media)
        media_grow(unit->media);
    device_grow_disk(units->config.device, (uint16_t)unit->disk.lun, bytes);
    fprintf(log, "disk '%s', LUN %u, has grown from %" PRIu64 " to %" PRIu64 " bytes\n",
            unit->disk.full_name, unit->disk.lun, unit->bytes, bytes);
    unit->bytes = bytes;
}

void serve_units_renew(struct serve_units *units, const struct topology *topology,
                       uint32_t array_index, FILE *log)
{
    uint32_t before = units->count;
    struct error err = {0};

    for (uint32_t lun = 0; lun < units->count; lun++)
        grow(units, &units->units[lun], disk_of(topology, array_index, lun)->size_bytes, log);
    if (!serve_units_add(units, topology, array_index, &err))
        fprintf(log, "disk '%s' cannot be served: %s\n",
                disk_of(topology, array_index, units->count)->full_name, err.text);
    for (uint32_t lun = before; lun < units->count; lun++)
        fprintf(log, "disk '%s' is there as LUN %u\n", units->units[lun].disk.full_name, lun);
    fflush(log);
}
