/* The disks of an array on real sockets: the store of each, in memory or in a file, and the logical
 * unit on it.
 *
 * While initiators use them, disks may grow and more may come behind the last one, and initiators
 * are told so (SPC-4: CAPACITY DATA HAS CHANGED, REPORTED LUNS DATA HAS CHANGED). None shrinks,
 * goes away or changes its kind: a host that has it mounted would lose what is on it.
 */
#pragma once

#include "lab/topology.h"
#include "sim/core/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct clock;
struct device;
struct ev_loop;
struct media;
struct media_model;
struct pacer;
struct pool;
struct serve_units;

/* All borrowed. */
struct serve_units_config {
    const char *const *paths; /* by LUN: the file that holds the disk; NULL: memory; may be NULL */
    const char *state_folder; /* see serve.h */
    const struct media_model *media; /* service times of all; NULL: the stores' own */
    bool is_read_only;
    struct ev_loop *loop;
    struct pacer *pacer;
    struct clock *clock;
    struct pool *pool;
    struct device *device;
};

struct serve_units *serve_units_new(const struct serve_units_config *config);
/* The disks of array 'array_index', behind those that are there. False: '*err' says which cannot be
 * served, and those before it are. */
bool serve_units_add(struct serve_units *units, const struct topology *topology,
                     uint32_t array_index, struct error *err);
/* After the device. NULL does nothing. */
void serve_units_free(struct serve_units *units);

/* NULL: LUN 'lun' is as fast as its store. */
struct media *serve_units_media(const struct serve_units *units, uint32_t lun);

/* Can the disks become those of this array without harm to who uses them? False: '*err' says which
 * cannot. */
bool serve_units_check(const struct serve_units *units, const struct topology *topology,
                       uint32_t array_index, struct error *err);
/* Disks grow to what the topology says, or as their files have, and new ones come; checked before.
 * What was done is told to 'log', and what could not be. */
void serve_units_renew(struct serve_units *units, const struct topology *topology,
                       uint32_t array_index, FILE *log);
