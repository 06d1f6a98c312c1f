/* What of a run is captured, and into which files.
 *
 * The files of one capture: 'DIR/NAME.pcapng', and with rotation 'DIR/NAME-002.pcapng' and so on,
 * each opened when the one before is full.
 */
#pragma once

#include "lab/topology.h"
#include "sim/net/capture.h"

#include <stdbool.h>
#include <stdint.h>

/* What the command line asks for. All borrowed. */
struct capture_plan {
    const char *parts;    /* "hv1.iscsi1,switch-1.24,san1": only these; NULL: all NICs */
    int64_t rotate_bytes; /* 0: one file */
};

/* Is every part in 'topology', and of a kind that has ports? False: '*err' names the one that is
 * not. */
bool capture_plan_check(const struct capture_plan *plan, const struct topology *topology,
                        struct error *err);

struct capture_run;

/* Starts to capture 'fabric', built from 'topology', into 'path'. NULL: '*err' says why. All but
 * the topology is borrowed until capture_run_end(). */
struct capture_run *capture_run_begin(const struct capture_plan *plan,
                                      const struct topology *topology, struct fabric *fabric,
                                      const char *path, struct error *err);
void capture_run_event(struct capture_run *run, int64_t at_ns, const char *text);
/* Frees. Not OK: a file could not be written, '*err' says which. 'run' may be NULL. */
enum status capture_run_end(struct capture_run *run, struct error *err);
