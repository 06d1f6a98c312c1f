/* A SAN in real time: simulated and real hosts on one fabric, faults as they are typed.
 */
#pragma once

#include "lab/capture_plan.h"
#include "lab/scenario.h"

#include <stdbool.h>
#include <stdint.h>

/* A NIC that somebody outside owns. */
struct live_attachment {
    const char *place; /* checked by outside_check() */
    uint32_t nic_index;
};

/* All borrowed. */
struct live_options {
    const struct scenario *scenario;
    const struct live_attachment *attachments;
    size_t attachment_count;
    const char *pcap_path; /* NULL: no capture */
    const struct capture_plan *capture;
    const char *control_path;     /* NULL: no control socket */
    const char *db_path;          /* the result file; NULL: nothing is recorded */
    const struct file_set *files; /* the texts that 'scenario' was made from */
    bool has_scenario;            /* it was named: else it is the topology by itself */
    int64_t for_ns;               /* ends after so long; 0: when told to */
    bool has_prompt;              /* standard input is a person */
};

/* Runs until a signal, 'quit' or the end of its time. Returns the exit code. */
int live_run(const struct live_options *options);
