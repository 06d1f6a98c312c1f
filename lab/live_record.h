/* The record of a live run: the rows that 'run' leaves, of a world that runs in real time.
 *
 * Rows wait in memory and are written when the run is over, in one transaction, however it ended:
 * the file has whole runs only. What is measured ends when the hosts are told to log out. A live
 * run is not judged: its scenario's expectations are left out, and the digest names what happened,
 * which no second run repeats. The rules of the data (D) are recorded; those of the protocol (P)
 * and L1 are not watched, since real hosts take part, and they break what no step says.
 */
#pragma once

#include "lab/names.h"
#include "lab/results_db.h"
#include "lab/scenario.h"
#include "sim/core/clock.h"
#include "sim/core/trace.h"

#include <stdbool.h>
#include <stdint.h>

struct live_record;
struct world;

/* All borrowed. */
struct live_record_options {
    const char *path;                /* of the result file */
    const struct scenario *scenario; /* with the topology */
    bool has_scenario;               /* the user named one: else it is a topology by itself */
    const struct file_set *files;    /* the texts that it was made from */
    const struct san_names *names;
    struct pool *pool;
    struct clock *clock;
    int64_t for_ns; /* how long it will take; 0: nobody knows */
};

/* NULL, and 'err' says why: the file cannot be written, or is no result file. */
struct live_record *live_record_open(const struct live_record_options *options, struct error *err);
/* After the world: its I/O ends last. 'record' may be NULL. */
void live_record_free(struct live_record *record);

/* What is told of the world goes here, too. */
struct trace *live_record_trace(struct live_record *record);
/* Time is measured from now on. */
void live_record_begin(struct live_record *record);

/* A step broke something; returns its number, from 1 on, or 0: the record had ended. */
uint32_t live_record_fault(struct live_record *record, const struct step *step);
/* What 'fault_id' broke is undone; nothing for 0. */
void live_record_repair(struct live_record *record, uint32_t fault_id, const struct step *by);

/* The end of the measured time. A second call does nothing. */
void live_record_end(struct live_record *record, struct world *world);

/* Writes the run. 'events': how many there were. */
MUST_CHECK enum status live_record_write(struct live_record *record, uint64_t events, int exit_code,
                                         int64_t *ret_run_id, struct error *err);
/* The file, for who reads it after that. */
const struct results *live_record_results(const struct live_record *record);
