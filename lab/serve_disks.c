/* Disks of the command line: see serve_disks.h. */
#include "lab/serve_disks.h"

#include "lab/quantity.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"
#include "target/device.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LEAST_BYTES (INT64_C(1) << 20)
#define BLOCK_BYTES 512u

/* As topologies/profiles/array-generic.yaml has it, where it matters on the kernel's TCP; a window
 * and digests as an array with room to spare offers them. */
static const struct array_profile profile = {
    .name = "command-line",
    .iscsi = {.header_digest = DIGEST_NONE_OR_CRC32C,
              .data_digest = DIGEST_NONE_OR_CRC32C,
              .max_connections = 1,
              .immediate_data = true,
              .max_recv_segment_bytes = 256 * 1024,
              .peer_max_recv_segment_bytes = 8192,
              .max_burst_bytes = 1024 * 1024,
              .first_burst_bytes = 256 * 1024,
              .time2wait_s = 2,
              .time2retain_s = 0,
              .max_outstanding_r2t = 8,
              .data_pdu_in_order = true,
              .data_sequence_in_order = true},
    .max_commands = 128,
    .login_timeout_ns = SECONDS(15),
    .nop_interval_ns = SECONDS(15),
    .nop_timeout_ns = SECONDS(30),
    .data_out_timeout_ns = SECONDS(15),
};

static bool is_name(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", text[i]))
            return false;
    return bytes > 0 && bytes < NAME_BYTES;
}

static bool has_disk(const struct topology *t, const char *name)
{
    for (uint32_t i = 0; i < t->disk_count; i++)
        if (strcmp(t->disks[i].name, name) == 0)
            return true;
    return false;
}

/* In whole blocks; 0: it is no file, or there is none, which opening it will tell. */
static int64_t file_bytes(const char *path)
{
    struct stat status;

    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
        return 0;
    return status.st_size - status.st_size % BLOCK_BYTES;
}

/* "NAME=SIZE" or "NAME=FILE"; sizes begin with a digit, and "./8GiB" is a file. */
static bool add_disk(struct serve_disks *disks, const char *spec, struct error *err)
{
    static const struct source_pos nowhere;
    struct topology *t = disks->topology;
    struct topology_disk *disk = &t->disks[t->disk_count];
    const char *equals = strchr(spec, '=');
    size_t name_bytes = equals ? (size_t)(equals - spec) : 0;

    if (!is_name(spec, name_bytes) || equals[1] == '\0') {
        error_set(err, ERR_USAGE, nowhere, "--disk wants NAME=FILE or NAME=SIZE, not '%.80s'",
                  spec);
        error_help(err,
                   "write --disk data=/srv/data.img or --disk data=1GiB; names have lower case "
                   "letters, digits and dashes");
        return false;
    }
    *disk = (struct topology_disk){.lun = t->disk_count,
                                   .block_bytes = BLOCK_BYTES,
                                   .physical_block_exponent = 3,
                                   .is_thin = true};
    memcpy(disk->name, spec, name_bytes);
    snprintf(disk->full_name, sizeof(disk->full_name), "%s.%s", t->arrays[0].name, disk->name);
    if (has_disk(t, disk->name)) {
        error_set(err, ERR_USAGE, nowhere, "there are two disks '%s'", disk->name);
        error_help(err, "give each a name of its own");
        return false;
    }
    if (equals[1] < '0' || equals[1] > '9') {
        disks->paths[t->disk_count] = equals + 1;
        disk->size_bytes = file_bytes(equals + 1);
        disk->has_write_cache = true; /* the system's: what was not flushed dies with the machine */
    } else if (quantity_parse(equals + 1, QUANTITY_SIZE, &disk->size_bytes) != QUANTITY_FINE ||
               disk->size_bytes < LEAST_BYTES || disk->size_bytes % 4096 != 0) {
        error_set(err, ERR_USAGE, nowhere, "'%.80s' is no size of a disk", equals + 1);
        error_help(err,
                   "write 512MiB or 10GiB (at least 1 MiB, in steps of 4 KiB); a file whose name "
                   "begins with a digit is ./%.40s",
                   equals + 1);
        return false;
    }
    t->disk_count++;
    t->arrays[0].disk_count++;
    return true;
}

bool serve_disks_init(struct serve_disks *disks, const char *const *specs, size_t count,
                      struct error *err)
{
    struct topology *t = mem_new(sizeof(*t));
    static const struct source_pos nowhere;

    *t = (struct topology){.about = mem_text(""),
                           .arrays = mem_array(1, sizeof(struct topology_array)),
                           .array_count = 1,
                           .disks = mem_array(count, sizeof(struct topology_disk))};
    *disks = (struct serve_disks){.topology = t, .paths = mem_array(count, sizeof(char *))};
    snprintf(t->name, sizeof(t->name), "command-line");
    t->arrays[0] = (struct topology_array){.profile = profile};
    snprintf(t->arrays[0].name, sizeof(t->arrays[0].name), "san1");
    snprintf(t->arrays[0].target_name, sizeof(t->arrays[0].target_name),
             "iqn.2026-01.lab.iscsilab:san1");
    if (count > DEVICE_MAX_LUNS) {
        error_set(err, ERR_USAGE, nowhere, "%zu disks are more than %u", count, DEVICE_MAX_LUNS);
        serve_disks_fini(disks);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!add_disk(disks, specs[i], err)) {
            serve_disks_fini(disks);
            return false;
        }
    }
    return true;
}

void serve_disks_fini(struct serve_disks *disks)
{
    topology_free(disks->topology);
    free(disks->paths);
    *disks = (struct serve_disks){0};
}
